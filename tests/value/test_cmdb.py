"""Who owned what when: half-open days, overlaps, items without days, and a CMDB that is delivered again."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finops_kit.value.cmdb import as_it_stood, dated_owners


def item(ci, team, start=None, end=None, resource="vm", **more):
    day = lambda text: date.fromisoformat(text) if text else None  # noqa: E731
    return {"ci_id": ci, "team": team, "resource_id": resource, "valid_from": day(start), "valid_to": day(end), **more}


def owner_on(db, owners, day, key="vm"):
    """The teams that own a key on a day: one, or none."""
    day = date.fromisoformat(day)
    rows = owners if isinstance(owners, list) else db.to_pyarrow(owners).to_pylist()
    return [r["team"] for r in rows if r["owned_key"] == key and r["owned_from"] <= day < r["owned_to"]]


def test_days_are_half_open_at_both_ends(db, table):
    owners = dated_owners(table("cmdb_item", [item("1", "red", "2025-03-05", "2025-03-10")]))
    assert [owner_on(db, owners, f"2025-03-{day}") for day in ("04", "05", "09", "10")] == [[], ["red"], ["red"], []]


def test_an_item_without_a_first_day_was_always_so(db, table):
    owners = dated_owners(table("cmdb_item", [item("1", "red", None, "2025-03-10"), item("2", "blue", "2025-03-10")]))
    assert owner_on(db, owners, "1999-12-31") == ["red"] and owner_on(db, owners, "2025-03-09") == ["red"]
    assert owner_on(db, owners, "2025-03-10") == ["blue"] == owner_on(db, owners, "2099-01-01")


def test_whoever_was_covered_for_a_while_stands_again_afterwards(db, table):
    rows = [item("1", "red", "2025-01-01"), item("2", "blue", "2025-03-01", "2025-04-01")]
    owners = dated_owners(table("cmdb_item", rows))
    found = [owner_on(db, owners, day) for day in ("2025-02-28", "2025-03-01", "2025-03-31", "2025-04-01")]
    assert found == [["red"], ["blue"], ["blue"], ["red"]]


def test_of_two_that_begin_together_the_greater_id_stands_while_it_lasts(db, table):
    rows = [item("1", "red", "2025-01-01"), item("2", "blue", "2025-01-01", "2025-02-01")]
    owners = dated_owners(table("cmdb_item", rows))
    assert owner_on(db, owners, "2025-01-31") == ["blue"] and owner_on(db, owners, "2025-02-01") == ["red"]


def test_an_item_that_ends_before_it_begins_owns_nothing_and_ends_nobody(db, table):
    rows = [item("1", "red", "2025-01-01"), item("2", "blue", "2025-03-01", "2025-03-01"),
            item("3", "green", "2025-03-05", "2025-03-04")]  # fmt: skip
    owners = dated_owners(table("cmdb_item", rows))
    assert owner_on(db, owners, "2025-03-01") == ["red"] == owner_on(db, owners, "2025-03-06")


def test_one_id_with_two_stories_has_one_winner_whatever_the_order(db, table):
    rows = [item("1", "red", "2025-01-01", cost_center="10"), item("1", "red", "2025-01-01", cost_center="20")]
    for order in (rows, rows[::-1]):
        assert db.to_pyarrow(dated_owners(table("cmdb_item", order))).column("cost_center").to_pylist() == ["20"]


_days = st.none() | st.dates(date(2025, 1, 1), date(2025, 1, 9))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from("123"), st.sampled_from(["red", "blue"]), _days, _days), max_size=6))
def test_every_day_has_the_owner_that_a_look_at_all_items_finds(db, table, items):
    rows = [{"ci_id": c, "team": t, "resource_id": "vm", "valid_from": a, "valid_to": b} for c, t, a, b in items]
    owners = db.to_pyarrow(dated_owners(table("cmdb_item", rows))).to_pylist()
    for number in range(1, 10):
        day = date(2025, 1, number)
        claims = [(a or date.min, c, t) for c, t, a, b in items if (a or date.min) <= day and (not b or day < b)]
        assert owner_on(db, owners, str(day)) == ([max(claims)[2]] if claims else [])


@pytest.fixture
def stood(db, table):
    """Deliveries of a CMDB, one (day, source, items) each; the newest of a source is current."""

    def make(*deliveries):
        history, said, entries, newest = [], [], [], {}
        for number, (day, source, items, *name) in enumerate(deliveries, start=1):
            batch = f"b{number}"
            history += [{**one, "batch_id": batch, "source_row": place} for place, one in enumerate(items)]
            said.append({"batch_id": batch, "source_system": source, "mode": "replace", "dataset": "cmdb_item"})
            at = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC)
            entries.append(
                {"batch_id": batch, "entry": number, "recorded_at": at, "source_file": name[0] if name else "cmdb.csv"}
            )
            newest[source] = batch
        current = [row for row in history if row["batch_id"] in newest.values()]
        return dated_owners(as_it_stood(*(table(name, rows) for name, rows in (
            ("cmdb_item", current), ("cmdb_item", history), ("delivery", said), ("ledger", entries)))))  # fmt: skip

    return make


def test_a_cmdb_without_days_stood_as_it_was_delivered(db, stood):
    owners = stood(
        ("2025-01-10", "cmdb", [item("1", "red"), item("2", "grey", resource="db")]),
        ("2025-02-10", "cmdb", [item("1", "red"), item("2", "grey", resource="db")]),
        ("2025-03-10", "cmdb", [item("1", "blue")]),
    )
    found = [owner_on(db, owners, day) for day in ("2024-01-01", "2025-03-09", "2025-03-10", "2026-01-01")]
    assert found == [["red"], ["red"], ["blue"], ["blue"]]
    # what is gone from the CMDB belonged to somebody until then
    assert [owner_on(db, owners, day, "db") for day in ("2025-03-09", "2025-03-10")] == [["grey"], []]


def test_dumps_of_past_months_taken_in_together_stand_for_their_own_time(db, stood):
    """August's dump, then June's: what ran in July belonged to whom June's names."""
    owners = stood(
        ("2025-09-10", "cmdb", [item("1", "blue")], "/dumps/cmdb-2025-08-01.csv"),
        (
            "2025-09-10",
            "cmdb",
            [item("1", "red"), item("2", "grey", resource="db")],
            "/dumps/20250601T060000Z/cmdb.csv",
        ),
        ("2025-09-10", "cmdb", [item("1", "green")], "/dumps/cmdb-2099-01-01.csv"),
    )
    found = [
        owner_on(db, owners, day) for day in ("2025-05-01", "2025-07-31", "2025-08-01", "2025-09-09", "2025-09-10")
    ]
    assert found == [["red"], ["red"], ["blue"], ["blue"], ["green"]]
    assert [owner_on(db, owners, day, "db") for day in ("2025-07-31", "2025-08-01")] == [["grey"], []]


def test_who_delivers_twice_a_day_corrects(db, stood):
    owners = stood(("2025-01-10", "cmdb", [item("1", "red")]), ("2025-01-10", "cmdb", [item("1", "blue")]))
    assert owner_on(db, owners, "2024-01-01") == ["blue"] == owner_on(db, owners, "2025-06-01")


def test_days_that_are_said_rewrite_history_and_stand_over_those_of_deliveries(db, stood):
    owners = stood(
        ("2025-01-10", "cmdb", [item("1", "red")]),
        ("2025-03-10", "cmdb", [item("1", "blue", "2024-06-01"), item("2", "red", "2024-01-01", "2024-06-01")]),
    )
    found = [owner_on(db, owners, day) for day in ("2023-12-31", "2024-05-31", "2024-06-01", "2025-02-01")]
    assert found == [["red"], ["red"], ["blue"], ["blue"]]


def test_sources_do_not_end_each_other(db, stood):
    owners = stood(
        ("2025-01-10", "cmdb", [item("1", "red")]),
        ("2025-02-10", "servicenow/server", [item("9", "blue", resource="db")]),
    )
    assert owner_on(db, owners, "2025-03-01") == ["red"] and owner_on(db, owners, "2020-01-01", "db") == ["blue"]


def test_a_resource_that_nobody_claimed_belongs_to_its_first_owner_from_the_beginning(db, stood):
    owners = stood(
        ("2025-01-10", "cmdb", [item("1", "red")]),
        ("2025-02-10", "cmdb", [item("1", "red"), item("2", "grey", resource="db")]),
        ("2025-03-10", "cmdb", [item("1", "red"), item("2", "green", resource="db")]),
    )
    found = [owner_on(db, owners, day, "db") for day in ("2024-01-01", "2025-03-09", "2025-03-10")]
    assert found == [["grey"], ["grey"], ["green"]]
