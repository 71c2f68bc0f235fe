"""What many small batches cost a reader, and what compaction gives back: the same questions before and after.

usage: python benchmarks/batches.py STORE [--until N] [--seconds S] [--compact]

Fills a store at STORE with alternating batches of 100 observations and of one bill of 200 charges, each bill of its own
account, until the ledger has N entries or the time is over (called again, it goes on), then asks. The floor is the same
question to the same rows in one bare Parquet file. With ``--compact`` it merges and asks again.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import duckdb
from inform import CHARGES, DELIVERY, INSTANT, SNAPSHOTS, observe
from measure import machine

from finops_kit.settings import Workspace
from finops_kit.store import create_store, open_reader, open_writer
from finops_kit.store.compact import compact

RESOURCES, RUNS = 5_000, 7
#: what is asked, and of which table
QUESTIONS = {
    "all charges, by resource": ("charge", 'SELECT "ResourceId", sum("EffectiveCost") FROM {} GROUP BY 1'),
    "charges of one account": ("charge", """SELECT sum("EffectiveCost") FROM {} WHERE "BillingAccountId" = 'acc101'"""),
    "history of one resource": ("state_interval", "SELECT * FROM {} WHERE resource_id = 'r0000045'"),
    "whole estate at an instant": ("state_interval", INSTANT.format(table="{}", at="2026-01-10 12:00:00+00")),
    "observations of one resource": ("resource_snapshot", "SELECT count(*) FROM {} WHERE resource_id = 'r0000045'"),
    "ledger, by kind": ("ledger", "SELECT kind, count(*) FROM {} GROUP BY 1"),
}


def fill(place: Workspace, until: int, seconds: float) -> None:
    """Append small batches until the ledger has so many entries, or the time is over."""
    if not place.exists:
        create_store(place)
        observe(place, RESOURCES, 0, 20)
    with open_reader(place, views=False) as reader:
        entry = reader.ledger_entries
    over, taken = time.monotonic() + seconds, {0: [0.0], 1: [0.0]}
    with open_writer(place) as to:
        while entry < until and time.monotonic() < over:
            started = time.perf_counter()
            with to.batch(kind="ingest", source_hash=f"{entry:064x}") as batch:
                if entry % 2:
                    bill = CHARGES.format(resources=RESOURCES, charges=200), DELIVERY
                    charge, delivery = (sql.replace("'acc'", f"'acc{entry}'") for sql in bill)
                    batch.rows_read = batch.insert("charge", charge)
                    batch.insert("delivery", delivery)
                else:
                    shift = f"INTERVAL {entry} MINUTE"
                    look = {"resources": 100, "first": 19, "last": 20, "salt": 2 + entry // 2 % 2, "shift": shift}
                    batch.rows_read = batch.insert("resource_snapshot", SNAPSHOTS.format(**look))
            taken[entry % 2].append(time.perf_counter() - started)
            entry += 1
    observed, billed = (statistics.median(taken[kind][-25:]) for kind in (0, 1))
    print(f"{entry} entries; append 100 observations {observed:.3f} s, 200 charges {billed:.3f} s", flush=True)


def middle(of: list[tuple[float, float]]) -> str:
    """The medians of wall and CPU seconds."""
    return f"{statistics.median(w for w, _ in of):.3f} | {statistics.median(c for _, c in of):.3f}"


def timed(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[float, float]]:
    """Wall and CPU seconds of a question, a few times."""
    taken = []
    for _ in range(RUNS):
        wall, cpu = time.perf_counter(), time.process_time()
        connection.execute(sql).fetchall()
        taken.append((time.perf_counter() - wall, time.process_time() - cpu))
    return taken


def ask(place: Workspace, label: str, as_of: int | None = None) -> None:
    """Every question and its floor, as rows of a table."""
    bare = duckdb.connect()
    bare.execute("SET TimeZone = 'UTC'")
    opened = []
    for _ in range(RUNS):
        wall, cpu = time.perf_counter(), time.process_time()
        with open_reader(place, as_of):
            opened.append((time.perf_counter() - wall, time.process_time() - cpu))
    print(f"| {label}: open a reader | {middle(opened)} | |", flush=True)
    with open_reader(place, as_of) as reader, tempfile.TemporaryDirectory() as folder:
        for what, (table, sql) in QUESTIONS.items():
            reader.connection.execute(f"COPY (FROM {table}) TO '{folder}/{table}.parquet' (FORMAT parquet)")
            ours = timed(reader.connection, sql.replace("{}", table))
            floor = timed(bare, sql.replace("{}", f"'{folder}/{table}.parquet'"))
            print(f"| {label}: {what} | {middle(ours)} | {middle(floor)[:5]} |", flush=True)


def main() -> None:
    """Fill, ask, merge, ask again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--until", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=480)
    parser.add_argument("--compact", action="store_true")
    chosen = parser.parse_args()
    place = Workspace(chosen.store)
    print(machine())
    fill(place, chosen.until, chosen.seconds)
    print("| what | s | CPU s | floor, s |\n|---|---|---|---|")
    ask(place, "before")
    if chosen.compact:
        with open_reader(place, views=False) as reader:
            version = reader.version
        started = time.perf_counter()
        merged = compact(place, dry_run=False)["merged"]
        print(f"| merge {sum(m['files'] for m in merged):,} files | {time.perf_counter() - started:.1f} | | |")
        ask(place, "after")
        ask(place, "after, as of before", version)


if __name__ == "__main__":
    main()
