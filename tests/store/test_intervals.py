"""States over time: hand-computed cases first, then generated histories against the naive reference."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import inform
import pytest
import reference

from finops_kit.settings import Workspace
from finops_kit.store import create_store, open_writer
from finops_kit.store.derive import rederive_batch

Snapshot, Look = reference.Snapshot, reference.Look

DAY_ZERO = datetime(2026, 1, 1, tzinfo=UTC)


def day(n: float) -> datetime:
    """So many days after the first."""
    return DAY_ZERO + timedelta(days=n)


def seen(resource: str, at: float, vcpu: int | None = 2, source: str = "inventory", **more: Any) -> Any:
    """A machine seen on a day."""
    state = (("vcpu", Decimal(vcpu)),) if vcpu is not None else ()
    return Snapshot(resource, source, day(at), scope=more.pop("scope", "all"), state=state, **more)


def look(at: float, complete: bool | None = True, source: str = "inventory", scope: str = "all") -> Any:
    """A look at everything."""
    return Look(source, scope, day(at), complete)


def shape(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Intervals in days and processors, short enough to compute by hand."""

    def days(at: datetime | None) -> float | None:
        return None if at is None else (at - DAY_ZERO) / timedelta(days=1)

    def said(state: tuple[Any, ...] | None) -> Any:
        if state is None or state == ("absent",):
            return state and "absent"
        return int(dict(state[2])["vcpu"]) if "vcpu" in dict(state[2]) else "present"

    return [(r, days(start), days(end), quality, said(state)) for r, start, end, quality, state in rows]


def test_one_look_is_carried_until_it_is_stale(bench: Any) -> None:
    bench.add([seen("a", 0)])
    assert shape(bench.intervals()) == [("a", 0, 35, "carried", 2), ("a", 35, None, "gap", None)]


def test_equal_looks_are_one_observed_state(bench: Any) -> None:
    for n in (0, 10, 20):
        bench.add([seen("a", n)])
    assert shape(bench.intervals()) == [
        ("a", 0, 20, "observed", 2), ("a", 20, 55, "carried", 2), ("a", 55, None, "gap", None),
    ]  # fmt: skip


def test_a_change_ends_what_was_carried(bench: Any) -> None:
    for n, vcpu in ((0, 2), (10, 2), (20, 4)):
        bench.add([seen("a", n, vcpu)])
    assert shape(bench.intervals()) == [
        ("a", 0, 10, "observed", 2), ("a", 10, 20, "carried", 2), ("a", 20, 55, "carried", 4),
        ("a", 55, None, "gap", None),
    ]  # fmt: skip


def test_beyond_staleness_stands_a_gap_and_never_a_guess(bench: Any) -> None:
    bench.add([seen("a", 0), seen("a", 50), seen("b", 0), seen("b", 35)])
    assert shape(bench.intervals()) == [
        ("a", 0, 35, "carried", 2), ("a", 35, 50, "gap", None), ("a", 50, 85, "carried", 2),
        ("a", 85, None, "gap", None),
        ("b", 0, 35, "observed", 2), ("b", 35, 70, "carried", 2), ("b", 70, None, "gap", None),
    ]  # fmt: skip


def test_staleness_is_the_sources_own(bench: Any) -> None:
    bench.add([seen("a", 0, source="kubernetes"), seen("a", 10, source="kubernetes")])
    assert shape(bench.intervals())[0] == ("a", 0, 8, "carried", 2)
    assert shape(bench.intervals())[1] == ("a", 8, 10, "gap", None)


def test_missing_from_a_complete_look_is_absent_from_then_on(bench: Any) -> None:
    bench.add([seen("a", 0), seen("b", 0), look(0)])
    bench.add([seen("b", 10), look(10)])
    bench.add([seen("b", 20), look(20)])
    assert shape(bench.intervals()) == [
        ("a", 0, 10, "carried", 2), ("a", 10, 45, "carried", "absent"), ("a", 45, None, "gap", None),
        ("b", 0, 20, "observed", 2), ("b", 20, 55, "carried", 2), ("b", 55, None, "gap", None),
    ]  # fmt: skip


def test_missing_from_a_partial_look_says_nothing(bench: Any) -> None:
    bench.add([seen("a", 0), look(0), look(10, complete=False)])
    assert shape(bench.intervals()) == [("a", 0, 35, "carried", 2), ("a", 35, None, "gap", None)]


def test_a_look_elsewhere_says_nothing(bench: Any) -> None:
    bench.add([seen("a", 0), look(0), look(5, scope="another"), look(6, source="cmdb")])
    assert shape(bench.intervals())[0] == ("a", 0, 35, "carried", 2)


def test_what_moved_to_another_scope_is_not_missing(bench: Any) -> None:
    bench.add([seen("a", 0, scope="one"), look(0, scope="one")])
    bench.add([seen("a", 10, scope="two"), look(10, scope="one"), look(10, scope="two"), look(12, scope="one")])
    assert shape(bench.intervals())[0] == ("a", 0, 10, "observed", 2)
    assert "absent" not in {row[4] for row in shape(bench.intervals())}


def test_back_again_after_absence(bench: Any) -> None:
    bench.add([seen("a", 0), look(0)])
    bench.add([look(10)])
    bench.add([seen("a", 20, 4), look(20)])
    assert [row[1:] for row in shape(bench.intervals())][:3] == [
        (0, 10, "carried", 2), (10, 20, "carried", "absent"), (20, 55, "carried", 4),
    ]  # fmt: skip
    assert [row[1:4] for row in bench.events()] == [("vcpu", "2", "4")]


def test_where_sight_was_lost_a_gap_begins_and_the_next_look_ends_it(bench: Any) -> None:
    bench.add([seen("a", 0), seen("b", 0), seen("c", 0), seen("d", 0, scope="other"), look(0)])
    bench.add([seen("c", 1, presence="absent")])
    bench.add([look(3, complete=None), seen("a", 5), look(5)])
    expected = [
        ("a", 0, 3, "carried", 2), ("a", 3, 5, "gap", None), ("a", 5, 40, "carried", 2), ("a", 40, None, "gap", None),
        ("b", 0, 3, "carried", 2), ("b", 3, 5, "gap", None), ("b", 5, 40, "carried", "absent"),
        ("b", 40, None, "gap", None),
        ("c", 0, 1, "carried", 2), ("c", 1, 36, "carried", "absent"), ("c", 36, None, "gap", None),
        ("d", 0, 35, "carried", 2), ("d", 35, None, "gap", None),
    ]  # fmt: skip
    assert shape(bench.intervals()) == expected
    assert bench.runs() == bench.runs_from_scratch()
    bench.add([seen("a", 3)])  # somebody looked all the same
    assert shape(bench.intervals())[:2] == [("a", 0, 5, "observed", 2), ("a", 5, 40, "carried", 2)]


def test_an_explicit_absence(bench: Any) -> None:
    bench.add([seen("a", 0), seen("a", 5, presence="absent")])
    assert shape(bench.intervals())[:2] == [("a", 0, 5, "carried", 2), ("a", 5, 40, "carried", "absent")]


def test_late_observations_heal_the_past(bench: Any) -> None:
    bench.add([seen("a", 0), seen("a", 50)])
    bench.add([seen("a", 25)])
    assert shape(bench.intervals())[0] == ("a", 0, 50, "observed", 2)
    bench.add([seen("a", 30, 8)])
    assert [row[1:] for row in shape(bench.intervals())][:3] == [
        (0, 25, "observed", 2), (25, 30, "carried", 2), (30, 50, "carried", 8),
    ]  # fmt: skip


def test_a_late_complete_look_says_who_was_missing(bench: Any) -> None:
    bench.add([seen("a", 0), seen("a", 20), look(0), look(20)])
    bench.add([look(10)])
    assert [row[1:] for row in shape(bench.intervals())][:3] == [
        (0, 10, "carried", 2), (10, 20, "carried", "absent"), (20, 55, "carried", 2),
    ]  # fmt: skip


def test_at_one_instant_precedence_wins_then_sequence_then_hash(bench: Any) -> None:
    bench.add([seen("a", 0, 2, source="cmdb"), seen("a", 0, 4, source="kubernetes"), seen("a", 0, 8)])
    bench.add([seen("b", 0, 2, sequence="7"), seen("b", 0, 4, sequence="8"), seen("b", 0, 16)])
    tie = [seen("c", 0, 2), seen("c", 0, 4)]
    bench.add(tie)
    first = {r: said for r, start, _, _, said in shape(bench.intervals()) if start == 0}
    winner = min(tie, key=lambda s: s.snapshot_id)
    assert first == {"a": 4, "b": 4, "c": int(dict(winner.state)["vcpu"])}


def test_tags_in_another_order_are_the_same_state_and_other_tags_another(bench: Any) -> None:
    bench.add([seen("a", 0, tags=(("team", "x"), ("env", "p")))])
    bench.add([seen("a", 1, tags=(("env", "p"), ("team", "x")))])
    bench.add([seen("a", 2, tags=(("env", "p"), ("team", "y")))])
    assert [row[1:4] for row in shape(bench.intervals())][:3] == [
        (0, 1, "observed"), (1, 2, "carried"), (2, 37, "carried"),
    ]  # fmt: skip


# --- several sources -------------------------------------------------------------------------------------------


def test_two_observers_in_turn_do_not_flip_the_state(bench: Any) -> None:
    for n in range(0, 30, 10):
        bench.add([seen("a", n, 4), seen("a", n + 5, 2, source="cmdb")])
    assert shape(bench.intervals())[:2] == [("a", 0, 20, "observed", 4), ("a", 20, 55, "carried", 4)]
    assert bench.events() == []


def test_a_lower_source_fills_what_the_higher_one_does_not_say(bench: Any) -> None:
    def said(at: float, source: str, tags: Any, **state: Any) -> Any:
        return Snapshot("a", source, day(at), kind="machine", state=tuple(state.items()), tags=tags)

    bench.add([said(0, "aws", (("env", "prod"),), sku="m5"), said(10, "aws", (("env", "prod"),), sku="m5")])
    bench.add([said(4, "cmdb", (("env", "test"), ("team", "x")), sku="m4", owner_id="app-1")])
    states = [(row[1], row[2], row[3], *row[4][2:]) for row in bench.intervals() if row[4]]
    aws, both = (("sku", "m5"),), (("owner_id", "app-1"), ("sku", "m5"))
    assert states == [
        (day(0), day(4), "carried", aws, (("env", "prod"),)),
        (day(4), day(10), "observed", both, (("env", "prod"), ("team", "x"))),
        (day(10), day(39), "carried", both, (("env", "prod"), ("team", "x"))),
        (day(39), day(45), "carried", aws, (("env", "prod"),)),
    ]
    assert bench.events() == []


def test_a_lower_source_fills_the_gaps_of_the_higher_one(bench: Any) -> None:
    bench.add(
        [seen("a", 0, 4, source="kubernetes"), seen("a", 5, 4), seen("a", 30, 2), seen("a", 50, 4, source="kubernetes")]
    )
    assert shape(bench.intervals()) == [
        ("a", 0, 5, "observed", 4), ("a", 5, 30, "carried", 4), ("a", 30, 50, "carried", 2),
        ("a", 50, 58, "carried", 4), ("a", 58, 65, "carried", 2), ("a", 65, None, "gap", None),
    ]  # fmt: skip
    assert bench.events() == [("a", "vcpu", "4", "2", day(5), day(30))], "the rest is one source's word for another's"


def test_who_was_seen_to_be_gone_is_not_brought_back_by_a_lower_source(bench: Any) -> None:
    bench.add([seen("a", 0, source="kubernetes"), look(0, source="kubernetes"), look(5, source="kubernetes")])
    for n in (0, 20, 40):
        bench.add([seen("a", n, source="cmdb")])
    assert [row[1:] for row in shape(bench.intervals())] == [
        (0, 5, "carried", 2), (5, 13, "carried", "absent"), (13, None, "gap", None),
    ]  # fmt: skip


def test_a_machine_that_left_its_cluster_may_still_run(bench: Any) -> None:
    for n in (0, 3):
        bench.add([seen("i-1", n, source="kubernetes", kind="node"), look(n, source="kubernetes"), seen("i-1", n)])
    bench.add([look(5, source="kubernetes"), seen("i-1", 10)])
    states = [(start, end, said, row[4] and row[4][1]) for row, (_, start, end, _, said) in
              ((row, shape([row])[0]) for row in bench.intervals())]  # fmt: skip
    assert states == [
        (0, 3, 2, "node"), (3, 5, 2, "node"), (5, 10, 2, "machine"), (10, 45, 2, "machine"), (45, None, None, None),
    ]  # fmt: skip


def test_a_change_that_the_lower_source_alone_saw_is_an_event_once_its_word_holds(bench: Any) -> None:
    bench.add([seen("a", 0, 4, source="kubernetes"), seen("a", 1, 4), seen("a", 6, 8)])
    assert bench.events() == [("a", "vcpu", "4", "8", day(1), day(8))]


def test_where_the_word_passes_to_a_source_that_says_otherwise_is_listed(bench: Any) -> None:
    bench.add([seen("a", 0, 4, source="kubernetes"), seen("a", 0, 8), seen("a", 20, 4, source="kubernetes")])
    bench.add([seen("b", 0, 4), seen("b", 1, 8)])
    rows = bench.fetch(
        "SELECT resource_id, dimension, before, after, changed_at, source_before, source_after FROM source_handover "
        "ORDER BY changed_at", (*inform.VIEWS, "source_handover"),
    )  # fmt: skip
    assert rows == [
        ("a", "vcpu", "4", "8", day(8), "kubernetes", "inventory"),
        ("a", "vcpu", "8", "4", day(20), "inventory", "kubernetes"),
        ("a", "vcpu", "4", "8", day(28), "kubernetes", "inventory"),
    ]
    assert [row[0] for row in bench.events()] == ["b"]


# --- through the store -----------------------------------------------------------------------------------------


def test_a_failed_batch_derives_nothing(workspace: Workspace) -> None:
    create_store(workspace)
    inform.put(workspace, [seen("a", 0), look(0)])
    before = inform.read(workspace)
    with pytest.raises(ZeroDivisionError), open_writer(workspace) as writer, writer.batch(kind="ingest") as batch:
        batch.insert("observation_scope", "SELECT 'inventory' AS source_system, 'all' AS scope, "
                     "TIMESTAMPTZ '2026-01-05 00:00:00+00' AS observed_at, true AS complete")  # fmt: skip
        raise ZeroDivisionError
    assert inform.read(workspace) == before


def test_a_full_derivation_of_the_store_changes_nothing_and_keeps_the_past(workspace: Workspace) -> None:
    create_store(workspace)
    first = inform.put(workspace, [seen("a", 0), seen("b", 0), look(0)])
    inform.put(workspace, [seen("a", 3, 4), look(3)])
    earlier, now = inform.read(workspace, as_of=first), inform.read(workspace)
    with open_writer(workspace) as writer, writer.batch(kind="derive") as batch:
        rederive_batch(batch)
    assert inform.read(workspace) == now
    assert inform.read(workspace, as_of=first) == earlier
    inform.put(workspace, [seen("a", 9, 8), look(9)])
    assert inform.read(workspace)[0][-1][:2] == ("b", day(38))


def test_small_segments_are_merged_and_few_are_read(bench: Any) -> None:
    bench.add([seen(f"r{n}", 0) for n in range(500)])
    for n in range(1, 30):
        bench.add([seen(f"r{n}", n / 10, 2 + n % 3)])
    assert bench.segments() <= 4
    assert bench.runs() == bench.runs_from_scratch()


def test_what_older_rules_made_is_derived_anew_with_the_next_batch(bench: Any) -> None:
    bench.add([seen("a", 0), seen("b", 0)])
    bench.connection.execute("UPDATE lake.derivation SET rule_version = '0'")
    bench.connection.execute("UPDATE lake.state_run SET vcpu = 99")
    bench.add([seen("a", 5)])
    assert {row[4] for row in shape(bench.intervals())} == {2, None}
    assert bench.segments() == 1
