"""The invariants of the inform layer, over generated histories; docs/inform.md says which test holds which."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import histories
import inform
import pytest
import reference

from finops_kit.ingest import ingest_paths
from finops_kit.settings import Workspace
from finops_kit.store import create_store, open_reader

Snapshot = reference.Snapshot


@dataclass
class Derived:
    """One pack of histories, as the store derives them batch by batch, and what it says at the end."""

    first: int
    pack: list[Any]
    intervals: dict[int, list[Any]]
    events: dict[int, list[Any]]


def same(first: int, pack: list[Any], got: dict[int, list[Any]], expected: Any) -> None:
    """Whether every history is as expected; the shortest one that is not is shown, to be tried alone."""
    wrong = [(len(history.items), number) for number, history in enumerate(pack, start=first)
             if got.get(number, []) != expected(history)]  # fmt: skip
    if wrong:
        history = pack[min(wrong)[1] - first]
        assert got.get(min(wrong)[1], []) == expected(history), history.batches


@pytest.fixture(scope="module")
def derived(shared_bench: Any) -> list[Derived]:
    """Every pack derived batch by batch; after each batch it is what the reference says of what is known then."""
    found = []
    for first, pack in histories.packs(histories.observed()):
        shared_bench.clear()
        for place in range(histories.longest(pack)):
            shared_bench.add(histories.batch_of(pack, place))
            same(first, pack, histories.by_history(shared_bench.intervals()),
                 lambda history, known=place + 1: reference.intervals(*history.told(known)))  # fmt: skip
        assert shared_bench.runs() == shared_bench.runs_from_scratch()
        found.append(Derived(first, pack, histories.by_history(shared_bench.intervals()),
                             histories.by_history(shared_bench.events())))  # fmt: skip
    return found


def test_events_are_those_of_the_reference(derived: list[Derived]) -> None:
    """And with the intervals, after every batch, those of the naive reference: every rule at once."""
    for of in derived:
        same(of.first, of.pack, of.events, lambda history: reference.events(*history.told()))


def test_order_of_arrival_and_repetition_change_nothing(shared_bench: Any, derived: list[Derived]) -> None:
    """Invariants 1 and 2."""
    for of in derived:
        chance = random.Random(of.first)
        items = [item for history in of.pack for item in history.items]
        chance.shuffle(items)
        cuts = sorted(chance.randrange(len(items)) for _ in range(3))
        shared_bench.clear()
        for start, end in zip([0, *cuts], [*cuts, len(items)], strict=True):
            shared_bench.add(items[start:end])
        assert histories.by_history(shared_bench.intervals()) == of.intervals
        assert histories.by_history(shared_bench.events()) == of.events
        shared_bench.add(chance.sample(items, len(items) // 3))
        assert histories.by_history(shared_bench.intervals()) == of.intervals
        assert histories.by_history(shared_bench.events()) == of.events


def test_intervals_are_half_open_apart_and_differ_from_their_neighbours(derived: list[Derived]) -> None:
    """Invariants 3 and 4, from the intervals alone."""
    rows = [row for of in derived for history in of.intervals.values() for row in history]
    assert rows
    for this, following in zip(rows, [*rows[1:], None], strict=True):
        resource, start, end, quality, state = this
        assert end is None or start < end
        if quality == "carried":
            assert end - start <= reference.DEFAULT_STALENESS
        if following is None or following[0] != resource:
            assert (quality, end) == ("gap", None), "after all that is known comes what is not"
        else:
            assert end == following[1], "no hole that is not called a gap"
            assert (quality, state) != following[3:]


def test_what_the_first_source_says_is_what_holds(derived: list[Derived]) -> None:
    """Invariant 5, from the intervals alone: at every look of the source that precedes all others, its word holds."""
    tried = 0
    for of in derived:
        for number, history in enumerate(of.pack, start=of.first):
            told: dict[Any, list[Any]] = {}
            for one in {i.snapshot_id: i for i in history.items if isinstance(i, Snapshot)}.values():
                if one.source_system == "kubernetes":
                    told.setdefault((one.resource_id, one.observed_at), []).append(one)
            for (resource, at), claims in told.items():
                last = max(c.sequence or "" for c in claims)
                winner = min((c for c in claims if (c.sequence or "") == last), key=lambda c: c.snapshot_id)
                (state,) = (row[4] for row in of.intervals[number] if row[0] == resource and row[1] <= at
                            and (row[2] is None or at < row[2]))  # fmt: skip
                if (winner.presence, winner.kind) == ("absent", "node"):
                    continue  # it left its cluster; what another source says of the machine counts, or once said
                assert state is not None
                assert state[0] == winner.presence
                if winner.presence == "present":
                    assert (winner.kind, dict(winner.state) | dict(state[2])) == (state[1], dict(state[2]))
                    assert set(winner.tags) <= set(state[3])
                tried += 1
    assert tried


def test_events_replay_from_the_first_state_to_the_last(shared_bench: Any, derived: list[Derived]) -> None:
    """Invariant 8: first state + events = last state; where the word passes to another source, it is listed."""
    for of in derived:
        for number, history in enumerate(of.pack, start=of.first):
            sources = {i.source_system for i in history.items if isinstance(i, Snapshot)}
            values: dict[tuple[str, str], list[str]] = {}
            for resource, _, _, _, state in of.intervals.get(number, []):
                for dimension, value in state[2] if state and state[0] == "present" else ():
                    values.setdefault((resource, dimension), []).append(reference.text(value))
            replayed = {key: found[0] for key, found in values.items()}
            handed = [(row[5], row[:4]) for row in reference.transitions(*history.told()) if not row[6]]
            assert len(sources) > 1 or not handed, "one source never hands over to itself"
            seen = [(at_hi, (r, d, b, a)) for r, d, b, a, _, at_hi in of.events.get(number, [])]
            assert all(row[4] < row[5] for row in of.events.get(number, []))
            for _, (resource, dimension, before, after) in sorted(seen + handed):
                assert replayed[resource, dimension] == before
                replayed[resource, dimension] = after
            assert replayed == {key: found[-1] for key, found in values.items()}


def test_handovers_are_those_of_the_reference(shared_bench: Any, derived: list[Derived]) -> None:
    """What replays beside the events stands in ``source_handover``."""
    of = derived[-1]
    shared_bench.clear()
    shared_bench.add([item for history in of.pack for item in history.items])
    columns = "resource_id, dimension, before, after, changed_at"
    rows = shared_bench.fetch(f"SELECT {columns} FROM source_handover ORDER BY ALL", (*inform.VIEWS, "source_handover"))
    same(of.first, of.pack, histories.by_history(rows), lambda history: sorted(
        (*row[:4], row[5]) for row in reference.transitions(*history.told()) if not row[6]))  # fmt: skip
    assert rows


def test_every_charge_is_linked_whole_or_unlinked_with_a_reason(shared_bench: Any) -> None:
    """Invariant 7."""
    for _, pack in histories.packs(histories.with_charges()):
        shared_bench.clear()
        shared_bench.add(histories.batch_of(pack, 0))
        shared_bench.bill([charge for history in pack for charge in history.charges])
        got: dict[int, list[Any]] = {}
        for number, *part, seconds, share, amount in shared_bench.fetch(
            'SELECT source_row, resource_id, valid_from, overlap_seconds, share, "BilledCost" FROM charge_link '
            "ORDER BY source_row, valid_from", inform.LINKED,
        ):  # fmt: skip
            got.setdefault(number, []).append((*part, timedelta(seconds=float(seconds)), share, amount))
        reasons = dict(shared_bench.fetch("SELECT source_row, reason FROM unlinked_charge", inform.LINKED))
        number = 0
        for history in pack:
            expected = reference.links(*history.told(), history.charges)
            for place, charge in enumerate(history.charges, start=1):
                number += 1
                parts = got.get(number, [])
                assert [part[:4] for part in parts] == expected[place], (history.items, charge)
                assert bool(parts) != bool(reasons.get(number)), (history.items, charge)
                if parts:
                    assert sum(part[3] for part in parts) == 1
                    with localcontext() as context:
                        context.prec = 60
                        assert sum((part[4] for part in parts), Decimal(0)) == charge["BilledCost"]


# --- through the store -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_as_of_is_untouched_by_what_comes_later(tmp_path: Path) -> None:
    """Invariant 6, through the store itself."""
    for first, pack in histories.packs(histories.observed(), size=250):
        store = Workspace(tmp_path / f"{first}" / "workspace")
        create_store(store)
        kept: list[tuple[int, Any]] = []
        for place in range(histories.longest(pack) if histories.LONG else 3):
            version = inform.put(store, histories.batch_of(pack, place))
            kept.append((version, inform.read(store)))
            same(first, pack, histories.by_history(kept[-1][1][0]),
                 lambda history, known=place + 1: reference.intervals(*history.told(known)))  # fmt: skip
        for version, then in kept:
            assert inform.read(store, as_of=version) == then


@pytest.mark.slow
def test_every_row_is_stored_or_quarantined_and_the_totals_are_the_files(tmp_path: Path) -> None:
    """Invariants 9 and 10, through a store that many bills share."""
    store = Workspace(tmp_path / "workspace")
    create_store(store)
    bills = histories.bills(histories.COUNT if histories.LONG else 8)
    paths = [tmp_path / f"{number:05d}" / "bill.csv" for number in range(len(bills))]  # files side by side are parts
    for path, bill in zip(paths, bills, strict=True):
        path.parent.mkdir()
        path.write_text(bill.text(path.parent.name), encoding="utf-8")
    report = {Path(one.path).parent.name: one for one in ingest_paths(store, paths).files}
    with open_reader(store) as reader:
        stored = {
            (account, currency): total
            for account, currency, total in reader.connection.execute(
                'SELECT "BillingAccountId", "BillingCurrency", sum("BilledCost") FROM charge GROUP BY ALL'
            ).fetchall()
        }
        beyond = {batch: json.loads(rest) for batch, rest in reader.connection.execute(
            "SELECT batch_id, remainders FROM ledger").fetchall()}  # fmt: skip
    with localcontext() as context:
        context.prec = 200
        for path, bill in zip(paths, bills, strict=True):
            one, good = report[path.parent.name], bill.good
            assert one.status == ("stored" if good else "refused"), bill
            if not good:
                continue
            counts = (one.rows_read, one.rows_stored, one.rows_quarantined)
            assert counts == (len(bill.lines), len(good), len(bill.lines) - len(good)), bill
            for currency in {currency for _, currency in good}:
                native = sum((amount for amount, of in good if of == currency), Decimal(0))
                rest = Decimal(beyond[one.batch_id].get(currency, "0"))
                assert one.control_totals[currency] == native, bill
                assert stored[path.parent.name, currency] + rest == native, bill
