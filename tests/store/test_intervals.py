"""States over time: hand-computed cases first, then generated histories against the naive reference."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finops_kit.settings import Workspace
from finops_kit.store import create_store, open_reader, open_writer
from finops_kit.store.derive import rederive_batch


def _load(name: str) -> Any:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("inform.py"))
        assert spec and spec.loader
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


inform = _load("finops_store_inform")
reference = inform.reference
Snapshot, Look = reference.Snapshot, reference.Look

DAY_ZERO = datetime(2026, 1, 1, tzinfo=UTC)
#: the short profile runs with everybody's tests; FINOPS_HYPOTHESIS=long takes minutes
LONG = os.environ.get("FINOPS_HYPOTHESIS") == "long"
histories_to_try = settings(
    max_examples=2500 if LONG else 15,
    deadline=None,
    derandomize=not LONG,
    suppress_health_check=list(HealthCheck),
)


def day(n: float) -> datetime:
    """So many days after the first."""
    return DAY_ZERO + timedelta(days=n)


def seen(resource: str, at: float, vcpu: int | None = 2, source: str = "inventory", **more: Any) -> Any:
    """A machine seen on a day."""
    state = (("vcpu", Decimal(vcpu)),) if vcpu is not None else ()
    return Snapshot(resource, source, day(at), scope=more.pop("scope", "all"), state=state, **more)


def look(at: float, complete: bool = True, source: str = "inventory", scope: str = "all") -> Any:
    """A look at everything."""
    return Look(source, scope, day(at), complete)


@pytest.fixture(scope="module")
def shared_bench() -> Iterator[Any]:
    bench = inform.Bench()
    yield bench
    bench.connection.close()


@pytest.fixture
def bench(shared_bench: Any) -> Any:
    shared_bench.clear()
    return shared_bench


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
    first = {r: said for r, _, _, quality, said in shape(bench.intervals()) if quality == "carried"}
    winner = min(tie, key=lambda s: s.snapshot_id)
    assert first == {"a": 4, "b": 4, "c": int(dict(winner.state)["vcpu"])}


def test_tags_in_another_order_are_the_same_state_and_other_tags_another(bench: Any) -> None:
    bench.add([seen("a", 0, tags=(("team", "x"), ("env", "p")))])
    bench.add([seen("a", 1, tags=(("env", "p"), ("team", "x")))])
    bench.add([seen("a", 2, tags=(("env", "p"), ("team", "y")))])
    assert [row[1:4] for row in shape(bench.intervals())][:3] == [
        (0, 1, "observed"), (1, 2, "carried"), (2, 37, "carried"),
    ]  # fmt: skip


# --- generated histories ---------------------------------------------------------------------------------------

MOMENTS = (0, 1, 2, 7, 8, 9, 10, 16, 34, 35, 36, 50, 71, 100)
STATES = st.fixed_dictionaries(
    {},
    optional={
        "vcpu": st.sampled_from([Decimal(2), Decimal(4), Decimal("0.5")]),
        "replicas": st.sampled_from([Decimal(0), Decimal(3)]),
        "power_state": st.sampled_from(["running", "stopped"]),
        "sku": st.sampled_from(["small", "large"]),
    },
).map(lambda d: tuple(sorted(d.items())))


@st.composite
def dumps(draw: st.DrawFn) -> list[Any]:
    """One delivery: a look at one scope of one source, complete or not, with what it saw; or a stray observation."""
    source = draw(st.sampled_from(["kubernetes", "inventory", "inventory", "inventory", "zeta"]))
    scope = draw(st.sampled_from(["x", "x", "y"]))
    at = day(draw(st.sampled_from(MOMENTS)))
    items: list[Any] = []
    stray = draw(st.integers(0, 9)) == 0
    if not stray:
        items.append(Look(source, scope, at, draw(st.integers(0, 3)) > 0))
    for resource in draw(st.sets(st.sampled_from("abc"), max_size=1 if stray else 3)):
        items.append(
            Snapshot(
                resource, source, at, draw(st.sampled_from(["present"] * 9 + ["absent"])),
                None if stray and draw(st.booleans()) else scope, draw(st.sampled_from([None, None, "1", "2"])),
                "machine", draw(STATES), draw(st.sampled_from([(), (), (("t", "1"), ("u", "2"))])),
            )
        )  # fmt: skip
    return items


@st.composite
def deliveries(draw: st.DrawFn) -> list[list[Any]]:
    """Deliveries in the order of their arrival, in batches: some late, some twice, some split."""
    files = draw(st.lists(dumps(), min_size=1, max_size=9))
    if draw(st.integers(0, 2)):  # mostly in the order of time
        files.sort(key=lambda items: items[0].observed_at if items else DAY_ZERO)
    again = draw(st.lists(st.sampled_from(files), max_size=2))
    batches: list[list[Any]] = []
    for items in (*files, *again):
        if batches and draw(st.integers(0, 3)) == 0:
            batches[-1].extend(items)
        else:
            batches.append(list(items))
    return batches


def told(batches: list[list[Any]]) -> tuple[list[Any], list[Any]]:
    """All snapshots and looks of some batches."""
    items = [item for batch in batches for item in batch]
    return [i for i in items if isinstance(i, Snapshot)], [i for i in items if isinstance(i, Look)]


@histories_to_try
@given(batches=deliveries())
def test_batch_by_batch_equals_the_reference_and_the_full_derivation(
    shared_bench: Any, batches: list[list[Any]]
) -> None:
    """Invariants 1, 3, 4 and 5, after every batch: what is known then, whatever came in whatever order."""
    shared_bench.clear()
    for known, batch in enumerate(batches, start=1):
        shared_bench.add(batch)
        snapshots, looks = told(batches[:known])
        assert shared_bench.intervals() == reference.intervals(snapshots, looks)
    assert shared_bench.runs() == shared_bench.runs_from_scratch()
    assert shared_bench.events() == reference.events(*told(batches))


@histories_to_try
@given(batches=deliveries(), data=st.data())
def test_order_of_arrival_and_repetition_change_nothing(shared_bench: Any, batches: list[list[Any]], data: Any) -> None:
    """Invariants 1 and 2."""
    shared_bench.clear()
    for batch in batches:
        shared_bench.add(batch)
    first = (shared_bench.intervals(), shared_bench.events())
    shared_bench.clear()
    items = [item for batch in batches for item in batch]
    shuffled = data.draw(st.permutations(items))
    cut = data.draw(st.integers(0, len(items)))
    shared_bench.add(shuffled[:cut])
    shared_bench.add(shuffled[cut:])
    assert (shared_bench.intervals(), shared_bench.events()) == first
    shared_bench.add(data.draw(st.sampled_from(batches)))
    assert (shared_bench.intervals(), shared_bench.events()) == first


@histories_to_try
@given(batches=deliveries())
def test_intervals_are_half_open_apart_and_differ_from_their_neighbours(
    shared_bench: Any, batches: list[list[Any]]
) -> None:
    """Invariants 3 and 4, from the intervals alone."""
    shared_bench.clear()
    for batch in batches:
        shared_bench.add(batch)
    rows = shared_bench.intervals()
    longest = {r: reference.DEFAULT_STALENESS for r, *_ in rows}
    for this, following in zip(rows, [*rows[1:], None][: len(rows)], strict=True):
        resource, start, end, quality, state = this
        assert end is None or start < end
        if quality == "carried":
            assert end - start <= longest[resource]
        if following is None or following[0] != resource:
            assert (quality, end) == ("gap", None), "after all that is known comes what is not"
        else:
            assert end == following[1], "no hole that is not called a gap"
            assert (quality, state) != following[3:]


@histories_to_try
@given(batches=deliveries())
def test_events_replay_from_the_first_state_to_the_last(shared_bench: Any, batches: list[list[Any]]) -> None:
    """Invariant 8."""
    shared_bench.clear()
    for batch in batches:
        shared_bench.add(batch)
    values: dict[tuple[str, str], list[str]] = {}
    for resource, _, _, _, state in shared_bench.intervals():
        for dimension, value in state[2] if state and state[0] == "present" else ():
            values.setdefault((resource, dimension), []).append(reference.text(value))
    replayed = {key: found[0] for key, found in values.items()}
    for resource, dimension, before, after, at_lo, at_hi in sorted(shared_bench.events(), key=lambda e: e[5]):
        assert replayed[resource, dimension] == before
        assert at_lo < at_hi
        replayed[resource, dimension] = after
    assert replayed == {key: found[-1] for key, found in values.items()}


# --- through the store -----------------------------------------------------------------------------------------


def put(store: Workspace, items: list[Any]) -> int:
    """One batch through the writer; returns the store version."""
    import pyarrow as pa

    with open_writer(store) as writer, writer.batch(kind="ingest", format="inventory") as batch:
        rows = [inform.snapshot_row(i) for i in items if isinstance(i, Snapshot)]
        looks = [inform.look_row(i) for i in items if isinstance(i, Look)]
        if rows:
            batch.rows_read = batch.insert_arrow("resource_snapshot", pa.Table.from_pylist(rows, inform.SNAPSHOT))
        if looks:
            batch.insert_arrow("observation_scope", pa.Table.from_pylist(looks, inform.LOOK))
    assert batch.version is not None
    return batch.version


def read(store: Workspace, as_of: int | None = None) -> tuple[list[Any], list[Any]]:
    """Intervals and events at a version."""
    with open_reader(store, as_of=as_of) as reader:
        rows = reader.connection.execute(inform.INTERVALS).fetchall()
        events = reader.connection.execute("SELECT * FROM scaling_event ORDER BY ALL").fetchall()
    return [inform.as_reference(row) for row in rows], events


@pytest.mark.slow
@settings(histories_to_try, max_examples=200 if LONG else 2)
@given(batches=deliveries())
def test_as_of_is_untouched_by_what_comes_later(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Any]]
) -> None:
    """Invariant 6, through the store itself."""
    store = Workspace(tmp_path_factory.mktemp("as-of") / "workspace")
    create_store(store)
    kept: list[tuple[int, Any]] = []
    for known, batch in enumerate(batches, start=1):
        version = put(store, batch)
        kept.append((version, read(store)))
        assert kept[-1][1][0] == reference.intervals(*told(batches[:known]))
    for version, then in kept:
        assert read(store, as_of=version) == then


def test_a_failed_batch_derives_nothing(workspace: Workspace) -> None:
    create_store(workspace)
    put(workspace, [seen("a", 0), look(0)])
    before = read(workspace)
    with pytest.raises(ZeroDivisionError), open_writer(workspace) as writer, writer.batch(kind="ingest") as batch:
        batch.insert("observation_scope", "SELECT 'inventory' AS source_system, 'all' AS scope, "
                     "TIMESTAMPTZ '2026-01-05 00:00:00+00' AS observed_at, true AS complete")  # fmt: skip
        raise ZeroDivisionError
    assert read(workspace) == before


def test_a_full_derivation_of_the_store_changes_nothing_and_keeps_the_past(workspace: Workspace) -> None:
    create_store(workspace)
    first = put(workspace, [seen("a", 0), seen("b", 0), look(0)])
    put(workspace, [seen("a", 3, 4), look(3)])
    earlier, now = read(workspace, as_of=first), read(workspace)
    with open_writer(workspace) as writer, writer.batch(kind="derive") as batch:
        rederive_batch(batch)
    assert read(workspace) == now
    assert read(workspace, as_of=first) == earlier
    put(workspace, [seen("a", 9, 8), look(9)])
    assert read(workspace)[0][-1][:2] == ("b", day(38))


def test_small_segments_are_merged_and_few_are_read(bench: Any) -> None:
    bench.add([seen(f"r{n}", 0) for n in range(500)])
    for n in range(1, 30):
        bench.add([seen(f"r{n}", n / 10, 2 + n % 3)])
    assert bench.segments() <= 4
    assert bench.runs() == bench.runs_from_scratch()
