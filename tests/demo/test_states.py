"""What the store derives of the demo estate, held against what was really there: states, what scaled, and links."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from finops_kit.demo import generate
from finops_kit.ingest import ingest_paths
from finops_kit.settings import Workspace
from finops_kit.store import create_store, open_reader
from finops_kit.store.reader import Reader

pytestmark = pytest.mark.slow
#: not every look is taken in: what is seen late or never is what the stated uncertainty is for
INVENTORIES = ("2026-07-01", "2026-08-01", "2026-08-05", "2026-09-01", "2026-09-02", "2026-09-23")
DUMPS = ("16T1400Z", "16T2000Z", "17T0600Z", "17T1000Z", "17T1645Z", "17T1700Z", "17T2200Z")
BILLED = "2026-08"


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Reader, dict[str, Any]]]:
    folder = Path(tmp_path_factory.mktemp("estate"))
    generate(folder / "files", months=3, scale=0.01)
    store = Workspace(folder / "workspace")
    create_store(store)
    truth = json.loads((folder / "files" / "truth.json").read_text())
    bills = [name for name, entry in truth["files"].items()
             if entry.get("month") == BILLED and entry["provider"] in ("AWS", "DC Frankfurt")]  # fmt: skip
    chosen = [folder / "files" / "inventory" / day for day in INVENTORIES]
    chosen += [folder / "files" / name for name in truth["files"] if name.endswith(tuple(f"{d}.json" for d in DUMPS))]
    chosen += [folder / "files" / bills[-2 if len(bills) > 1 else 0], folder / "files" / bills[-1]]
    report = ingest_paths(store, chosen)
    assert not [one.reason for one in report.files if one.status == "refused"]
    with open_reader(store) as reader:
        yield reader, truth


def ask(store: Reader, sql: str, *params: Any) -> list[tuple[Any, ...]]:
    return store.connection.execute(sql, list(params)).fetchall()


def there(resource: dict[str, Any], day: date) -> bool:
    return resource["from"] <= day.isoformat() and (not resource["to"] or day.isoformat() < resource["to"])


def power(resource: dict[str, Any], day: date) -> str:
    if resource["kind"] == "disk":
        return "available" if resource["free_from"] and day.isoformat() >= resource["free_from"] else "attached"
    return "stopped" if resource["stopped"] and day.weekday() >= 5 else "running"


def test_at_every_look_the_derived_state_is_the_true_one(estate: Any) -> None:
    """Whoever went with all of his account is in no look any more: that state is carried, and ends within that time."""
    store, truth = estate
    known = {r["resource_id"]: r for r in truth["states"]["resources"]}
    unsure = set()
    for look in INVENTORIES:
        day, at = date.fromisoformat(look), instant(f"{look}T06:00:00")
        rows = ask(store, """SELECT valid_from, valid_to, quality, resource_id, kind, coalesce(vcpu, 0),
            coalesce(memory_gib, 0), coalesce(storage_gib, 0), sku, power_state FROM state_interval
            WHERE presence = 'present' AND source_system = 'inventory' AND valid_from <= $1
            AND valid_to > $1""", at)  # fmt: skip
        seen = [row[3:] for row in rows if row[2] == "observed" or row[0] == at]
        expected = {(r["resource_id"], r["kind"], r["vcpu"], r["memory_gib"], r["storage_gib"], r["sku"], power(r, day))
                    for r in known.values() if there(r, day)}  # fmt: skip
        assert (set(seen), len(seen)) == (expected, len(expected))
        for start, end, _, resource, *_ in [row for row in rows if row[2] == "carried" and row[0] < at]:
            assert start <= instant(known[resource]["to"]) < end
            unsure.add(resource)
    assert 0 < len(unsure) < 4


def test_an_end_lies_where_the_intervals_say_that_it_may(estate: Any) -> None:
    """What went between two looks was there at the one and gone at the other: the truth lies within."""
    store, truth = estate
    known = {r["resource_id"]: r for r in truth["states"]["resources"]}
    looks = [instant(f"{look}T06:00:00") for look in INVENTORIES]
    gone = ask(
        store,
        """SELECT resource_id, max(last_seen_at) FILTER (presence = 'present') AS seen,
            min(valid_from) FILTER (presence = 'absent') AS missed
        FROM state_interval WHERE source_system = 'inventory' GROUP BY 1 HAVING missed IS NOT NULL""",
    )
    assert gone
    for resource, seen, missed in gone:
        assert seen <= instant(known[resource]["to"]) <= missed
        assert (seen, missed) in pairwise(looks)


def test_every_change_of_the_cluster_is_an_event_around_the_true_moment(estate: Any) -> None:
    store, truth = estate
    looks = [instant(f"2026-07-{dump[:2]}T{dump[3:5]}:{dump[5:7]}:00") for dump in DUMPS]
    steps = [(instant(at.rstrip("Z")), nodes) for at, nodes in truth["states"]["nodes"]["steps"]]

    def nodes_at(moment: datetime) -> int:
        return steps[bisect_right(steps, (moment, 10**9)) - 1][1]

    changes = [(lo, hi, nodes_at(lo), nodes_at(hi)) for lo, hi in pairwise(looks) if nodes_at(lo) != nodes_at(hi)]
    found = ask(store, """SELECT at_lo, at_hi, before_value, after_value FROM scaling_event
        WHERE kind = 'cluster' AND dimension = 'nodes' ORDER BY at_lo""")  # fmt: skip
    assert found == changes and len(changes) >= 4
    for lo, hi, _, after in changes:
        assert any(lo < at <= hi and nodes == after for at, nodes in steps), "the true moment lies in the window"
    by_nodes = truth["states"]["replicas_by_nodes"]
    expected = sorted(
        (name, lo, hi, sizes[str(nodes_at(lo))], sizes[str(nodes_at(hi))])
        for name, sizes in by_nodes.items() for lo, hi in pairwise(looks)
        if sizes[str(nodes_at(lo))] != sizes[str(nodes_at(hi))]
    )  # fmt: skip
    scaled = ask(
        store,
        """
        SELECT namespace || '/' || resource_name AS name, seen_before_at, seen_after_at, before_value, after_value,
            at_lo, at_hi, cause
        FROM scaling_event WHERE kind = 'deployment' AND dimension = 'replicas' ORDER BY ALL""",
    )
    assert [row[:5] for row in scaled] == expected
    moments = {at for at, _ in steps}
    for name, lo, hi, _, after, at_lo, at_hi, cause in scaled:
        if cause:  # an autoscaler said so, to the second
            assert cause.startswith(f"SuccessfulRescale: New size: {after:.0f}; reason: cpu") and at_lo in moments, name
        else:
            assert (at_lo, at_hi) == (lo, hi)
    told = {hi for _, _, hi, *_, cause in scaled if cause}
    assert told == {instant("2026-07-17T17:00:00")}, "what was said an hour before a dump is gone"
    assert ask(store, """SELECT DISTINCT after_value - before_value > 0, split_part(cause, ' ', 1) FROM scaling_event
        WHERE kind = 'nodegroup' AND seen_after_at = $1""", *told) == [(True, "ScaledUpGroup:")]  # fmt: skip


def test_power_went_off_where_the_truth_says_so(estate: Any) -> None:
    store, truth = estate
    looks = [date.fromisoformat(look) for look in INVENTORIES]
    expected = sorted(
        (r["resource_id"], power(r, lo), power(r, hi), instant(f"{lo}T06:00:00"), instant(f"{hi}T06:00:00"))
        for r in truth["states"]["resources"] for lo, hi in pairwise(looks)
        if there(r, lo) and there(r, hi) and power(r, lo) != power(r, hi)
    )  # fmt: skip
    assert expected == ask(store, """SELECT resource_id, before, after, at_lo, at_hi FROM scaling_event
        WHERE dimension = 'power_state' AND kind <> 'node' ORDER BY ALL""")  # fmt: skip
    assert expected


def test_every_charge_of_what_was_there_is_linked_to_it(estate: Any) -> None:
    store, truth = estate
    known = {r["resource_id"]: r for r in truth["states"]["resources"]}
    linked = ask(store, """SELECT "ResourceId", resource_id, "ChargePeriodStart", sum(share), count(*)
        FROM charge_link WHERE method = 'same id' GROUP BY ALL""")  # fmt: skip
    assert linked
    for charged, resource, start, _, _ in linked:
        assert charged == resource
        assert there(known[resource], start.date()), "nothing is linked to what was not there"
    loose = ask(store, """SELECT "ResourceId", "ChargePeriodStart", reason FROM unlinked_charge""")
    missed = [(resource, start, reason) for resource, start, reason in loose
              if resource in known and there(known[resource], start.date())]  # fmt: skip
    assert missed == [], "whatever was there was seen within its staleness"
    ((linked_rows, loose_rows, rows, cost, all_cost),) = ask(store, """
        SELECT (SELECT count(*) FROM (SELECT DISTINCT batch_id, source_row FROM charge_link)),
            (SELECT count(*) FROM unlinked_charge), (SELECT count(*) FROM charge),
            (SELECT sum("BilledCost") FROM charge_link) + (SELECT sum("BilledCost") FROM unlinked_charge),
            (SELECT sum("BilledCost") FROM charge)""")  # fmt: skip
    assert (linked_rows + loose_rows, cost) == (rows, all_cost)
