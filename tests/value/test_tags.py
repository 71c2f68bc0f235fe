"""Governed tags: spellings, values, prefixes, conflicts; each rule in its days and nowhere else."""

from datetime import date
from decimal import Decimal
from itertools import pairwise

import ibis
import pyarrow as pa
import pytest

from finops_kit.value.allocation import conflicts, tag_readiness, tags_to_add
from finops_kit.value.lens import tag_conflict, tag_value
from finops_kit.value.tags import TagRule, required_dimensions, tag_readings

JULY = date(2026, 7, 1)


def rules(*rows, **dates):
    return [TagRule(*row, **dates, place=place) for place, row in enumerate(rows, start=1)]


@pytest.fixture(scope="module")
def read(db):
    """What tags say of a dimension on 1 July 2026, or which spellings contradict each other."""

    def make(tags, ruled=(), name="team", conflict=False):
        maps = pa.array([list(one.items()) for one in tags], pa.map_(pa.string(), pa.string()))
        rows = db.create_table("tags", pa.table({"n": range(len(tags)), "tags": maps}), temp=True, overwrite=True)
        readings = tag_readings({key for one in tags for key in one}, ruled)[name]
        day = ibis.date(str(JULY))
        found = tag_conflict(rows.tags, day, name, readings) if conflict else tag_value(rows.tags, day, readings)
        return db.to_pyarrow(rows.select("n", found=found).order_by("n")).column("found").to_pylist()

    return make


@pytest.mark.parametrize("key", ["CostCenter", "cost-centre", "Kostenstelle", " Cost Center ", "user:costcenter"])
def test_a_key_is_read_under_every_known_spelling(read, key):
    assert read([{key: " 0815 "}], name="cost_center") == ["0815"]


@pytest.mark.parametrize("spelling", ["Kst-Nr", "KST NR", "kst.nr"])
def test_a_ruled_spelling_is_read_in_any_case_and_punctuation(read, spelling):
    rule = rules(("key", "cost_center", spelling, "read"))
    assert read([{"kst_nr": "7"}], rule, "cost_center") == ["7"]
    assert read([{"kst_nr": "7"}], (), "cost_center") == [None]


def test_a_providers_prefix_is_kept_unless_a_rule_says_otherwise(read):
    tags = [{"aws:team": "red"}, {"user:team": "blue"}]
    assert read(tags) == [None, "blue"]
    assert read(tags, rules(("prefix", "", "aws", "drop"), ("prefix", "", "user", "keep"))) == [
        "red", None]  # fmt: skip
    assert read(tags, rules(("key", "team", "aws:team", "read"))) == ["red", "blue"]


def test_values_are_one_value_wherever_they_come_from(db, read, lens_of):
    ruled = rules(("value", "environment", "PRODUCTION", "prod"), ("value", "environment", "live", "prod"),
                  ("case", "environment", "", "lower"))  # fmt: skip
    cmdb = [{"ci_id": "1", "resource_id": "vm", "environment": "Live"}]
    tags = [{"env": " Prod "}, {"stage": "Production"}, {"environment": "LIVE"}, {"env": "Test"}, {}]
    assert read(tags, (), "environment") == ["Prod", "Production", "LIVE", "Test", None]
    rows = [{"cost": 1, "Tags": one, "ResourceId": "vm"} for one in tags]
    found = db.to_pyarrow(lens_of(rows, cmdb, rules=ruled).order_by("source_row"))
    assert found.column("environment").to_pylist() == ["prod", "prod", "prod", "test", "prod"]
    assert found.column("tag_environment").to_pylist()[-1] is None


def test_two_spellings_that_say_two_things_are_decided_by_order_and_reported(read):
    tags = [{"squad": "blue", "Team": "red"}, {"Team": "red", "squad": "Red"}, {"Team": "", "squad": "blue"}]
    assert read(tags) == ["red", "red", "blue"]
    found = read(tags, conflict=True)
    assert found == ["team red stands: Team=red, squad=blue", "team red stands: Team=red, squad=Red", None]
    # a rule may turn the order round, leave a spelling out, or say that two values are one
    assert read(tags, rules(("key", "team", "squad", "read"), ("key", "team", "team", "read")))[0] == "blue"
    ignored = rules(("key", "team", "squad", "ignore"))
    assert read(tags, ignored, conflict=True) == [None, None, None]
    alike = rules(("case", "team", "", "lower"))
    assert read(tags, alike, conflict=True)[1] is None


def test_the_order_of_spellings_does_not_hang_on_the_order_of_tags():
    keys = ["squad", "TEAM", "Team", "team ", "user:team", "owner"]
    one, other = (tag_readings(given)["team"][0].keys for given in (keys, keys[::-1]))
    assert one == other == ("TEAM", "Team", "team ", "user:team", "squad", "owner")


def test_a_rule_changes_the_days_that_it_names_and_no_other(db, lens_of):
    ruled = rules(("value", "team", "red", "crimson"), valid_from=date(2025, 2, 1), valid_to=date(2025, 3, 1))
    ruled += rules(("key", "team", "crew", "read"), valid_from=date(2025, 3, 1))
    days = [date(2025, 1, 31), date(2025, 2, 1), date(2025, 2, 28), date(2025, 3, 1)]
    rows = [{"cost": 1, "day": day, "Tags": {"squad": "red"}} for day in days]
    rows += [{"cost": 2, "day": day, "Tags": {"crew": "green"}} for day in days]
    table = db.to_pyarrow(lens_of(rows, rules=ruled).order_by("source_row"))
    assert table.column("team").to_pylist() == ["red", "crimson", "crimson", "red", None, None, None, "green"]
    assert sum(table.column("EffectiveCost").to_pylist()) == Decimal(12)


def test_readings_leave_no_day_out_and_neighbours_differ():
    ruled = rules(("value", "team", "a", "b"), valid_from=JULY) + rules(("key", "team", "x", "read"), valid_to=JULY)
    ruled += rules(("prefix", "", "corp", "drop"), valid_from=date(2026, 8, 1))
    for name, readings in tag_readings(["team", "x", "env"], ruled).items():
        assert readings[0].starts is None and readings[-1].ends is None
        assert all(a.ends == b.starts for a, b in pairwise(readings))
        assert len(readings) == (2 if name == "team" else 1)


def test_required_tags_are_the_five_unless_ruled():
    ruled = rules(("required", "tenant"), ("required", "team"), valid_from=JULY)
    assert required_dimensions(ruled, JULY) == ("team", "tenant")
    assert len(required_dimensions(ruled, date(2026, 6, 30))) == 5


def test_readiness_counts_cost_and_rows_that_carry_every_tag(db, lens_of):
    whole = dict.fromkeys(("service_id", "team", "environment", "cost_center", "business_unit"), "x")
    lens = lens_of([
        {"cost": 60, "Tags": whole, "ResourceId": "a"},
        {"cost": 30, "Tags": {"team": "x"}, "ResourceId": "b", "SubAccountId": "1"},
        {"cost": -10, "Tags": {"service_id": "x"}, "SubAccountId": "2"},
        {"cost": 5, "Tags": whole | {"team": "n/a"}, "ResourceId": "b", "SubAccountId": "1"},
    ], [{"ci_id": "1", "resource_id": "b", "team": "known"}])  # fmt: skip
    one = db.to_pyarrow(tag_readiness(lens, ["provider"])).to_pylist()[0]
    # by size: 60 + 30 + 10 + 5 = 105
    assert one["EffectiveCost"] == 85 and one["charges"] == 4 and one["complete_rows_pct"] == 25
    assert one["complete_pct"] == pytest.approx(100 * 60 / 105) and one["team_pct"] == pytest.approx(100 * 90 / 105)
    assert db.to_pyarrow(tag_readiness(lens, ["provider"], required=["team"])).to_pylist()[0]["complete_rows_pct"] == 50
    rows = db.to_pyarrow(tags_to_add(lens).order_by("SubAccountId")).to_pylist()
    assert [(r["SubAccountId"], r["ResourceId"], r["EffectiveCost"], r["charges"], r["team"]) for r in rows] == [
        ("1", "b", 35, 2, "x"), ("2", None, -10, 1, None)]  # fmt: skip
    assert [row["missing"] for row in rows] == ["all", "team, environment, cost_center, business_unit"]


def test_conflicts_are_counted_with_their_cost(db, lens_of):
    both = {"team": "red", "squad": "blue"}
    lens = lens_of([{"cost": 3, "Tags": both, "ResourceId": "a"}, {"cost": 4, "Tags": both, "ResourceId": "b"},
                    {"cost": 5, "Tags": {"team": "red"}}])  # fmt: skip
    (one,) = db.to_pyarrow(conflicts(lens)).to_pylist()
    assert one == {"tag_conflict": "team red stands: team=red, squad=blue", "EffectiveCost": 7, "resources": 2,
                   "charges": 2}  # fmt: skip
