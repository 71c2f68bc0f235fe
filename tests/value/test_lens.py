from datetime import date
from decimal import Decimal

import pytest

from finops_kit.errors import UsageError
from finops_kit.fields.tags import normalise_tag_key
from finops_kit.value.allocation import tag_readiness, total_by, unallocated_ratio
from finops_kit.value.lens import not_converted
from finops_kit.value.scope import parse_scope, within
from finops_kit.value.tags import tag_readings


@pytest.mark.parametrize(
    ("key", "plain"),
    [(" team", "team"), ("user:Team", "team"), ("Cost-Center", "cost_center"), ("resourceTags/user:env", "env")],
)
def test_a_tag_key_has_one_spelling(key, plain):
    assert normalise_tag_key(key) == plain


def test_the_preferred_spelling_comes_first():
    (reading,) = tag_readings(["App", "user:service_id", "service_id"])["service_id"]
    assert reading.keys == ("service_id", "user:service_id", "App")


def test_tags_say_who_owns_a_charge_and_blanks_say_nothing(db, lens_of):
    lens = lens_of([
        {"cost": 1, "Tags": {" team": " core ", "service": "payments"}},
        {"cost": 2, "Tags": {"user:Team": "  ", "team": "null"}},
        {"cost": 4, "Tags": None},
    ])  # fmt: skip
    rows = db.execute(lens.order_by("source_row"))
    assert rows.team.tolist()[0] == "core" and rows.service_id.tolist()[0] == "payments"
    assert rows.team.isna().tolist() == [False, True, True]


def test_the_cmdb_answers_where_no_tag_does_as_of_the_day_of_the_charge(db, lens_of):
    cmdb = [
        {"ci_id": "1", "ci_class": "server", "resource_id": "vm-1", "service_id": "orders", "team": "red",
         "valid_from": date(2025, 1, 1), "valid_to": date(2025, 3, 10)},
        {"ci_id": "2", "ci_class": "server", "resource_id": "vm-1", "service_id": "orders", "team": "blue",
         "valid_from": date(2025, 3, 10)},
        {"ci_id": "3", "ci_class": "account", "resource_id": "acc", "service_id": "web", "team": "green"},
        {"ci_id": "4", "ci_class": "service", "resource_id": "orders", "service_id": "orders", "cost_center": "0815"},
    ]  # fmt: skip
    lens = lens_of([
        {"cost": 1, "ResourceId": "vm-1", "day": date(2025, 3, 9), "SubAccountId": "acc"},
        {"cost": 2, "ResourceId": "vm-1", "day": date(2025, 3, 10)},
        {"cost": 4, "SubAccountId": "acc"},
        {"cost": 8, "Tags": {"team": "own"}, "ResourceId": "vm-1"},
        {"cost": 16},
    ], cmdb)  # fmt: skip
    rows = db.execute(lens.order_by("source_row"))
    assert rows.team.tolist()[:4] == ["red", "blue", "green", "own"]
    assert rows.service_id.tolist()[:4] == ["orders", "orders", "web", "orders"]
    assert rows.cost_center.tolist()[:2] == ["0815", "0815"]
    assert len(rows) == 5 and rows.service_id.isna().tolist()[4]


def test_overlapping_cmdb_rows_never_count_a_charge_twice(db, lens_of):
    cmdb = [{"ci_id": str(n), "resource_id": "vm", "team": f"t{n}", "valid_from": date(2025, 1, 1)} for n in range(3)]
    cmdb.append({"ci_id": "9", "resource_id": "vm", "team": "late", "valid_from": date(2025, 2, 1)})
    lens = lens_of([{"cost": 5, "ResourceId": "vm"}], cmdb)
    rows = db.execute(lens)
    assert len(rows) == 1 and rows.team[0] == "late" and rows.EffectiveCost[0] == 5


def test_amounts_are_converted_by_the_rate_of_their_month_and_never_in_silence(db, lens_of):
    rates = [{"month": date(2025, 3, 1), "from_currency": "USD", "to_currency": "EUR", "rate": "0.92"},
             {"month": date(2025, 3, 1), "from_currency": "EUR", "to_currency": "GBP", "rate": "0.8"}]  # fmt: skip
    lens = lens_of([
        {"cost": "0.123456789012345678901234", "BillingCurrency": "EUR"},
        {"cost": "100", "BillingCurrency": "USD"},
        {"cost": "70", "BillingCurrency": "USD", "day": date(2025, 4, 1)},
        {"cost": "8", "BillingCurrency": "GBP"},
    ], rates=rates)  # fmt: skip
    rows = db.to_pyarrow(lens.order_by("source_row")).column("EffectiveCost").to_pylist()
    assert rows == [Decimal("0.123456789012345678901234"), Decimal(92), None, Decimal(10)]
    lost = db.to_pyarrow(not_converted(lens)).to_pylist()
    assert [(r["BillingCurrency"], r["charges"], r["native_EffectiveCost"]) for r in lost] == [("USD", 1, Decimal(70))]


def test_a_large_amount_converts_without_overflow(db, lens_of):
    rates = [{"month": date(2025, 3, 1), "from_currency": "USD", "to_currency": "EUR", "rate": "0.92345678"}]
    lens = lens_of([{"cost": "99999999999.99", "BillingCurrency": "USD"}], rates=rates)
    assert db.to_pyarrow(lens).column("EffectiveCost").to_pylist() == [
        Decimal("99999999999.99") * Decimal("0.92345678")
    ]


def test_effective_cost_falls_back_to_billed_and_says_so(db, lens_of):
    rows = db.execute(lens_of([{"BilledCost": 3}]))
    assert rows.EffectiveCost[0] == 3 and rows.effective_missing[0]


def test_what_nobody_owns_is_shown_and_everything_adds_up(db, lens_of):
    lens = lens_of([{"cost": 97, "Tags": {"service_id": "a"}}, {"cost": 3}])
    one = db.to_pyarrow(unallocated_ratio(lens)).to_pylist()[0]
    assert (one["total"], one["allocated"], one["unallocated"], one["unallocated_ratio"]) == (100, 97, 3, 0.03)
    parts = {r["service_id"]: r["EffectiveCost"] for r in db.to_pyarrow(total_by(lens, ["service_id"])).to_pylist()}
    assert parts == {"a": Decimal(97), "unallocated": Decimal(3)}


def test_nothing_at_all_has_no_ratio(db, lens_of):
    assert db.to_pyarrow(unallocated_ratio(lens_of([]))).to_pylist()[0]["unallocated_ratio"] is None


def test_readiness_counts_the_tags_themselves(db, lens_of):
    cmdb = [{"ci_id": "1", "resource_id": "vm", "team": "x"}]
    lens = lens_of([{"cost": 75, "Tags": {"service_id": "a"}}, {"cost": 25, "ResourceId": "vm"}], cmdb)
    one = db.to_pyarrow(tag_readiness(lens, ["provider"])).to_pylist()[0]
    assert (one["service_id_pct"], one["team_pct"], one["readiness_pct"]) == (75, 0, 15)


def test_a_scope_keeps_its_members(db, lens_of):
    lens = lens_of([{"cost": 1, "Tags": {"service_id": "a"}}, {"cost": 2, "Tags": {"service_id": "b"}}, {"cost": 4}])
    total = lambda scope: db.execute(within(lens, parse_scope(scope)).EffectiveCost.sum())  # noqa: E731
    assert [total(s) for s in ("service=a", "service=a|b", "service=unallocated", "service=a|unallocated", "")] == [
        1, 3, 4, 5, 7]  # fmt: skip
    assert total("month=2025-03") == 7


@pytest.mark.parametrize("scope", ["colour=red", "service", "service="])
def test_a_scope_that_is_not_understood_is_refused(scope):
    with pytest.raises(UsageError):
        parse_scope(scope)
