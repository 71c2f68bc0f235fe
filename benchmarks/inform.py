"""The inform layer against its floor: the same question to the same rows as one bare Parquet file, in the same run.

usage: python benchmarks/inform.py [--resources N] [--looks N] [--charges N] [--appends N] [--links-only]

A store of its own is made: ``looks`` looks at ``resources`` resources, a tenth of which change between two looks,
then ``appends`` batches of 100 observations, alone and with four readers at work, then ``charges`` daily charges. The
defaults are 50,000 x 20 = 1 million snapshots and 1 million charges; ``--charges 10000000 --links-only`` is the long
form of linking, each side in a process of its own with its own peak of memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
from measure import machine

from finops_kit.settings import Workspace
from finops_kit.store import create_store, open_reader, open_writer, writer

SNAPSHOTS = """
    SELECT sha256(r || '/' || look || '/{salt}') AS snapshot_id, 'r' || lpad(r::VARCHAR, 7, '0') AS resource_id,
        'inventory' AS source_system,
        TIMESTAMPTZ '2026-01-01 06:00:00+00' + to_days(look::INT) + {shift} AS observed_at,
        'present' AS presence, 'cloud' AS scope, 'machine' AS kind, 'AWS' AS provider_name, 'eu' AS region_id,
        'acc' || (r % 40) AS account_id, 'running' AS power_state, 'm5' AS sku,
        (2 + 2 * ((hash(r) % 10 + look) // 10) + {salt})::DECIMAL(38,18) AS vcpu, 16::DECIMAL(38,18) AS memory_gib,
        MAP {{'service_id': 's' || (r % 30), 'team': 't' || (r % 7), 'environment': 'prod'}} AS tags,
        r + 1 AS source_row
    FROM range({resources}) a(r), range({first}, {last}) b(look)"""
LOOKS = """
    SELECT 'inventory' AS source_system, 'cloud' AS scope, true AS complete,
        TIMESTAMPTZ '2026-01-01 06:00:00+00' + to_days(look::INT) AS observed_at FROM range({first}, {last}) b(look)"""
CHARGES = """
    SELECT 'AWS' AS "ProviderName", 'acc' AS "BillingAccountId", 'EUR' AS "BillingCurrency", 'focus' AS source_system,
        TIMESTAMPTZ '2026-01-01 00:00:00+00' AS "BillingPeriodStart",
        TIMESTAMPTZ '2026-02-01 00:00:00+00' AS "BillingPeriodEnd",
        TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_days((n // {resources} % 20)::INT) AS "ChargePeriodStart",
        TIMESTAMPTZ '2026-01-02 00:00:00+00' + to_days((n // {resources} % 20)::INT) AS "ChargePeriodEnd",
        'r' || lpad((n % {resources})::VARCHAR, 7, '0') AS "ResourceId", 'Usage' AS "ChargeCategory",
        (n % 1000)::DECIMAL(38,24) / 100 AS "BilledCost", (n % 1000)::DECIMAL(38,24) / 100 AS "EffectiveCost",
        n + 1 AS source_row FROM range({charges}) t(n)"""
DELIVERY = """
    SELECT 'focus' AS source_system, 'acc' AS billing_account_id, 'charge' AS dataset, 'replace' AS mode,
        TIMESTAMPTZ '2026-01-01 00:00:00+00' AS period_start"""
#: the floor of the derivation: runs of equal state by lag over a hash, nothing else
BARE_RUNS = """
    COPY (SELECT resource_id, vcpu, power_state, sku, observed_at AS valid_from,
              lead(observed_at) OVER (PARTITION BY resource_id ORDER BY observed_at) AS valid_to
          FROM (SELECT *, hash(kind, provider_name, region_id, account_id, power_state, sku, vcpu, memory_gib) AS state,
                    lag(state) OVER (PARTITION BY resource_id ORDER BY observed_at) AS before FROM '{snapshots}')
          WHERE before IS DISTINCT FROM state) TO '{out}' (FORMAT parquet)"""
POINT = "SELECT * FROM {table} WHERE resource_id = 'r0012345' ORDER BY valid_from"
INSTANT = """SELECT kind, count(*), sum(vcpu), sum(memory_gib) FROM {table} WHERE presence = 'present'
    AND valid_from <= TIMESTAMPTZ '{at}' AND (valid_to > TIMESTAMPTZ '{at}' OR valid_to IS NULL) GROUP BY kind"""
LINKS = """SELECT batch_id, source_row, resource_id, valid_from, share, overlap_seconds, "BilledCost", "EffectiveCost",
    "ChargePeriodStart" FROM charge_link"""
BARE_JOIN = """SELECT c.batch_id, c.source_row, r.resource_id, r.first_seen_at, c."BilledCost", c."EffectiveCost",
    c."ChargePeriodStart" FROM lake.charge c JOIN live_run r ON r.resource_id = c."ResourceId\""""
EVENTS = (
    "SELECT dimension, count(*) FROM {table} WHERE at_hi >= TIMESTAMPTZ '2026-01-10 00:00:00+00' GROUP BY dimension"
)


#: asks one question of a store a few times in a process of its own; prints the median seconds and the peak of memory
ASK = """
import json, statistics, sys, time
from pathlib import Path
from finops_kit.settings import Workspace
from finops_kit.store import open_reader
with open_reader(Workspace(Path(sys.argv[1]))) as reader:
    taken = []
    for _ in range(int(sys.argv[3])):
        started = time.perf_counter()
        reader.connection.execute(sys.argv[2]).fetchall()
        taken.append(time.perf_counter() - started)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))  # its own, not its parent's
print(json.dumps([statistics.median(taken), int(peak.split()[1]) / 1024]))
"""
#: a reader at work: the estate at an instant, again and again, from a fresh connection every ten times
READ = """
import sys
from pathlib import Path
from finops_kit.settings import Workspace
from finops_kit.store import open_reader
while True:
    with open_reader(Workspace(Path(sys.argv[1]))) as reader:
        for _ in range(10):
            reader.connection.execute(sys.argv[2]).fetchall()
"""


def ask(place: Workspace, sql: str, runs: int) -> tuple[float, float]:
    """Median seconds of a statement in a process of its own, and that process's peak memory in MB."""
    command = [sys.executable, "-c", ASK, str(place.root), sql, str(runs)]
    seconds, peak = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return float(seconds), float(peak)


def best(work: Callable[[], Any], runs: int = 5) -> float:
    """The median of a few runs, in seconds."""
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def asked(
    ours: duckdb.DuckDBPyConnection, sql: str, bare: duckdb.DuckDBPyConnection, floor: str
) -> tuple[float, float]:
    """The median seconds of a question and of its floor, asked in turn: some milliseconds each, so 25 times."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(25):
        for connection, statement, own in ((ours, sql, taken[0]), (bare, floor, taken[1])):
            started = time.perf_counter()
            connection.execute(statement).fetchall()
            own.append(time.perf_counter() - started)
    return statistics.median(taken[0]), statistics.median(taken[1])


class Derivation:
    """Counts the seconds that a batch spends deriving."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._real = writer.derive_batch
        writer.derive_batch = self

    def __call__(self, batch: Any) -> None:
        started = time.perf_counter()
        self._real(batch)
        self.seconds += time.perf_counter() - started

    def take(self) -> float:
        """Seconds since the last time."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds


def observe(
    place: Workspace, resources: int, first: int, last: int, salt: int = 0, shift: str = "INTERVAL 0 HOUR"
) -> tuple[float, int]:
    """One batch of looks; returns its seconds and the version that it made."""
    values = {"resources": resources, "first": first, "last": last, "salt": salt, "shift": shift}
    with open_writer(place) as to:
        started = time.perf_counter()
        with to.batch(kind="ingest") as batch:
            batch.rows_read = batch.insert("resource_snapshot", SNAPSHOTS.format(**values))
            if not salt:
                batch.insert("observation_scope", LOOKS.format(**values))
        return time.perf_counter() - started, int(batch.version or 0)


def peak_mb() -> float:
    """The most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Make the store, ask it and its floor the same, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resources", type=int, default=50_000)
    parser.add_argument("--looks", type=int, default=20)
    parser.add_argument("--charges", type=int, default=1_000_000)
    parser.add_argument("--appends", type=int, default=20)
    parser.add_argument("--links-only", action="store_true", help="measure nothing but linking, once")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="inform-"))
    rows: list[tuple[str, float, float | None]] = []
    try:
        measure_all(folder, chosen, rows)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{machine()}; {chosen}; peak {peak_mb():.0f} MB\n")
    print("| what | ours, s | floor, s | ratio |\n|---|---|---|---|")
    for what, ours, floor in rows:
        print(f"| {what} | {ours:.3f} | {'' if floor is None else f'{floor:.3f}'} | "
              f"{'' if not floor else f'{ours / floor:.2f}'} |")  # fmt: skip


def measure_all(folder: Path, chosen: argparse.Namespace, rows: list[tuple[str, float, float | None]]) -> None:
    """Every measurement, appended to ``rows``."""
    place, n, looks = Workspace(folder / "workspace"), chosen.resources, chosen.looks
    create_store(place)
    derivation = Derivation()
    observe(place, n, 0, looks - 1)
    if not chosen.links_only:
        measure_derivation(folder, place, chosen, derivation, rows)
    else:
        observe(place, n, looks - 1, looks)
    measure_links(folder, place, chosen, rows)


def measure_derivation(
    folder: Path, place: Workspace, chosen: argparse.Namespace, derivation: Derivation,
    rows: list[tuple[str, float, float | None]],
) -> None:  # fmt: skip
    """Deriving, appending, and reading what was derived, now and as of a middle version."""
    n, looks = chosen.resources, chosen.looks
    bare = duckdb.connect()
    bare.execute("SET TimeZone = 'UTC'")
    bulk = derivation.take()
    with open_reader(place) as reader:
        reader.connection.execute(f"COPY (FROM resource_snapshot) TO '{folder}/snapshots.parquet' (FORMAT parquet)")
    floor = best(
        lambda: bare.execute(BARE_RUNS.format(snapshots=f"{folder}/snapshots.parquet", out=f"{folder}/x.parquet")), 3
    )
    rows.append((f"derive {n * (looks - 1):,} snapshots in one batch", bulk, floor))
    observe(place, n, looks - 1, looks)
    rows.append((f"derive the next look, {n:,} snapshots", derivation.take(), None))

    middle, newest = f"2026-01-{looks // 2:02d} 12:00:00+00", f"2026-01-{looks + 1:02d} 12:00:00+00"
    versions: list[int] = []
    for what, readers in (("append 100 snapshots", 0), ("append 100 snapshots, four readers at work", 4)):
        others = [
            subprocess.Popen([sys.executable, "-c", READ, str(place.root),
                              INSTANT.format(table="state_interval", at=middle)])
            for _ in range(readers)
        ]  # fmt: skip
        whole, derived = [], []
        try:
            time.sleep(2 if readers else 0)  # until they are at work
            for number in range(chosen.appends):
                hours = len(versions) + 1
                seconds, version = observe(place, 100, looks - 1, looks, 2 + number % 2, f"INTERVAL {hours} HOUR")
                whole.append(seconds)
                versions.append(version)
                derived.append(derivation.take())
        finally:
            for other in others:
                other.kill()
                other.wait()
        without = statistics.median(w - d for w, d in zip(whole, derived, strict=True))
        rows.append((f"{what} (floor: without deriving)", statistics.median(whole), without))
        rows.append((f"{what}, slowest of {chosen.appends}", max(whole), None))

    for label, as_of in (("", None), (", as of a middle version", versions[len(versions) // 2])):
        started = time.perf_counter()
        with open_reader(place, as_of=as_of) as reader:
            rows.append((f"open a reader{label}", time.perf_counter() - started, None))
            ours = reader.connection
            for name, order in (("state_interval", "resource_id, valid_from"), ("scaling_event", "resource_id, at_hi")):
                ours.execute(f"COPY (FROM {name} ORDER BY {order}) TO '{folder}/{name}.parquet' (FORMAT parquet)")
            for what, sql, name in (
                ("history of one resource", POINT, "state_interval"),
                ("estate at a middle instant", INSTANT.replace("{at}", middle), "state_interval"),
                ("estate at the newest instant", INSTANT.replace("{at}", newest), "state_interval"),
                ("scaling events since a day", EVENTS, "scaling_event"),
            ):
                file = f"'{folder}/{name}.parquet'"
                here, there = (c.execute(sql.format(table=t)).fetchall() for c, t in ((ours, name), (bare, file)))
                assert [tuple(map(str, r)) for r in here] == [tuple(map(str, r)) for r in there], what
                rows.append((what + label, *asked(ours, sql.format(table=name), bare, sql.format(table=file))))


def measure_links(
    folder: Path, place: Workspace, chosen: argparse.Namespace, rows: list[tuple[str, float, float | None]]
) -> None:
    """Linking, against the bare equality join of the same two tables."""
    with open_writer(place) as to, to.batch(kind="ingest") as batch:
        batch.rows_read = batch.insert("charge", CHARGES.format(resources=chosen.resources, charges=chosen.charges))
        batch.insert("delivery", DELIVERY)
    out, runs = f"TO '{folder}/links.parquet' (FORMAT parquet)", 1 if chosen.links_only else 3
    ours, our_peak = ask(place, f"COPY ({LINKS}) {out}", runs)
    floor, floor_peak = ask(place, f"COPY ({BARE_JOIN}) {out}", runs)
    peaks = f"peak MB {our_peak:.0f} / {floor_peak:.0f}"
    rows.append((f"link {chosen.charges:,} charges, to Parquet ({peaks})", ours, floor))
    with open_reader(place) as reader:
        linked, loose, all_ = (
            reader.connection.execute(f'SELECT coalesce(sum("BilledCost"), 0) FROM {table}').fetchone()[0]
            for table in ("charge_link", "unlinked_charge", "charge")
        )
    assert linked + loose == all_, "linked and unlinked charges are not all charges"


if __name__ == "__main__":
    main()
