"""Ingest against its floor: what DuckDB alone needs to read the same file and write the same columns as Parquet.

usage: python benchmarks/ingest.py [--only NAME] [--quick] [--runs N] [--work DIR]

Three files are made from real exports (``$FINOPS_FIXTURES`` or ``../shared/fixtures``), repeated with other ids, days
and amounts: FOCUS Parquet, FOCUS CSV, and AWS legacy CUR CSV with 94 columns. ``--quick`` takes a tenth of the rows.
CPU seconds stand beside the wall's: where other work runs on the machine, only their ratio says something.
"""

from __future__ import annotations

import argparse
import datetime
import multiprocessing
import os
import shutil
import statistics
import tempfile
from pathlib import Path

import duckdb
from measure import Measured, machine, measure

FIXTURES = Path(os.environ.get("FINOPS_FIXTURES") or Path(__file__).resolve().parents[2] / "shared" / "fixtures")
FOCUS = FIXTURES / "focus_1.0" / "focus_sample.csv"
CUR = FIXTURES / "aws_cur" / "sample-anonymous-aws-export-dataset.csv"

FLOOR_CSV = """
import duckdb, sys
con = duckdb.connect(config={"memory_limit": "1GB"})
con.execute("SET enable_progress_bar = false")
con.execute(f"COPY (SELECT * FROM read_csv('{sys.argv[1]}', nullstr='NULL')) TO '{sys.argv[2]}' "
            "(FORMAT parquet, COMPRESSION zstd)")
"""
FLOOR_PARQUET = """
import duckdb, sys
con = duckdb.connect(config={"memory_limit": "1GB"})
con.execute("SET enable_progress_bar = false")
con.execute(f"COPY (SELECT * FROM read_parquet('{sys.argv[1]}')) TO '{sys.argv[2]}' (FORMAT parquet, COMPRESSION zstd)")
"""
EMPTY_STORE = """
import shutil, sys
from pathlib import Path
from finops_kit.settings import Workspace
from finops_kit.store import create_store
workspace = Workspace(Path(sys.argv[2]))
shutil.rmtree(workspace.root, ignore_errors=True)
create_store(workspace)
"""
OURS = """
import sys
from pathlib import Path
from finops_kit.ingest import ingest_paths
from finops_kit.settings import Workspace
report = ingest_paths(Workspace(Path(sys.argv[2])), [sys.argv[1]])
assert all(f.status == "stored" for f in report.files), report.as_dict()
"""


def _varied(column: str) -> str:
    """An amount of the sample, another one in each repetition; nothing stays nothing."""
    return (
        f"coalesce(CAST(CAST(TRY_CAST(s.{column} AS DOUBLE) * (1 + n / 7919) AS DECIMAL(28, 12)) AS VARCHAR), 'NULL')"
    )


def make_focus_csv(out: Path, times: int) -> None:
    """The FOCUS sample repeated, as text, resources and days varied."""
    con = duckdb.connect()
    con.execute(
        "COPY (SELECT s.* REPLACE (coalesce(nullif(s.ResourceId, 'NULL'), 'none') || '-' || n AS ResourceId, "
        f"{_varied('BilledCost')} AS BilledCost, {_varied('EffectiveCost')} AS EffectiveCost, "
        f"{_varied('ListCost')} AS ListCost, {_varied('PricingQuantity')} AS PricingQuantity) "
        "FROM read_csv(?, all_varchar=true) s, range(?) r(n)) TO '" + str(out) + "' (FORMAT csv, HEADER)",
        [str(FOCUS), times],
    )


def make_focus_parquet(out: Path, times: int) -> None:
    """The FOCUS sample repeated, typed as a provider's Parquet export is."""
    con = duckdb.connect(config={"memory_limit": "4GB"})
    names = [
        row[0] for row in con.execute("DESCRIBE SELECT * FROM read_csv(?, all_varchar=true)", [str(FOCUS)]).fetchall()
    ]
    typed = []
    for name in names:
        text = f"nullif(s.\"{name}\", 'NULL')"
        if name.endswith(("Cost", "UnitPrice", "Quantity")):
            text = f"CAST(TRY_CAST({text} AS DOUBLE) * (1 + n / 7919) AS DECIMAL(38,15))"
        elif name.endswith(("PeriodStart", "PeriodEnd")):
            text = f"CAST({text} AS TIMESTAMP)"
            if name.startswith("Charge"):
                text += " + to_days(CAST(n % 28 AS INTEGER))"
        elif name == "ResourceId":
            text = f"{text} || '-' || (n % 50000)"
        typed.append(f'{text} AS "{name}"')
    con.execute(
        f"COPY (SELECT {', '.join(typed)} FROM range(?) r(n), read_csv(?, all_varchar=true) s) TO '{out}' "
        "(FORMAT parquet, COMPRESSION zstd)",
        [times, str(FOCUS)],
    )


def make_cur_csv(out: Path, times: int) -> None:
    """The CUR sample repeated, as text, line ids varied."""
    con = duckdb.connect()
    con.execute(
        'COPY (SELECT s.* REPLACE (s."identity/LineItemId" || n AS "identity/LineItemId") '
        "FROM read_csv(?, all_varchar=true) s, range(?) r(n)) TO '" + str(out) + "' (FORMAT csv, HEADER)",
        [str(CUR), times],
    )


def bytes_below(folder: Path) -> int:
    """Bytes of the Parquet files in a folder."""
    return sum(p.stat().st_size for p in folder.rglob("*.parquet"))


def line(name: str, rows: int, pairs: list[tuple[Measured, Measured]], our_bytes: int, floor_bytes: int) -> str:
    """One row of the table in RESULTS.md: medians of ours and the floor's, and of their ratios, run by run."""
    ours, floor = (statistics.median(pair[place].seconds for pair in pairs) for place in (0, 1))
    ratios = sorted(one.seconds / other.seconds for one, other in pairs)
    cpu = statistics.median(one.cpu_seconds / other.cpu_seconds for one, other in pairs)
    peaks = [max(pair[place].peak_mb for pair in pairs) for place in (0, 1)]
    spread = f" ({ratios[0]:.2f} to {ratios[-1]:.2f})" if len(ratios) > 1 else ""
    return (
        f"| {name} | {rows:,} | {ours:.1f} | {floor:.1f} | **{statistics.median(ratios):.2f}**{spread} | "
        f"{cpu:.2f} | {rows / ours:,.0f} | {peaks[0]:.0f} / {peaks[1]:.0f} | "
        f"{our_bytes / 2**20:.0f} / {floor_bytes / 2**20:.0f} |"
    )


#: name, file, how it is made, repetitions, rows of one, the floor's code
CASES = {
    "parquet": ("FOCUS Parquet", "focus.parquet", make_focus_parquet, 10_000, 1000, FLOOR_PARQUET),
    "parquet1": ("FOCUS Parquet, a tenth", "focus1.parquet", make_focus_parquet, 1_000, 1000, FLOOR_PARQUET),
    "focus": ("FOCUS CSV", "focus.csv", make_focus_csv, 1_000, 1000, FLOOR_CSV),
    "cur": ("AWS CUR CSV, 94 columns", "cur.csv", make_cur_csv, 781, 1281, FLOOR_CSV),
}


def main() -> None:
    """Make the files, time both in turn, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=CASES, help="one of the files")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", type=Path, help="a folder for the files and stores; a temporary one where not given")
    options = parser.parse_args()
    if not FOCUS.is_file():
        raise SystemExit(f"no fixtures at {FIXTURES}; set FINOPS_FIXTURES")
    part = 10 if options.quick else 1
    work = Path(tempfile.mkdtemp(prefix="finops-bench-", dir=options.work))
    chosen = f" --only {options.only}" if options.only else ""
    command = f"python benchmarks/ingest.py{chosen}{' --quick' if options.quick else ''} --runs {options.runs}"
    print(f"{datetime.date.today()}, `{command}`, {machine()}\n")
    print("| file | rows | ours, s | floor, s | ratio | CPU ratio | rows/s | peak MB, ours / floor "
          "| MB on disk, ours / floor |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    try:
        for name, file, make, times, base, floor_code in [CASES[options.only]] if options.only else CASES.values():
            source, copy, store = work / file, work / "floor.parquet", work / "store"
            maker = multiprocessing.get_context("spawn").Process(target=make, args=(source, times // part))
            maker.start()  # apart, so that its memory is not counted as that of the measured processes
            maker.join()
            pairs = []
            for _ in range(options.runs):  # in turn, so that what else the machine does falls on both
                floor = measure(floor_code, source, copy, runs=1)
                pairs.append((measure(OURS, source, store, runs=1, before=EMPTY_STORE), floor))
            print(line(name, times // part * base, pairs, bytes_below(store), copy.stat().st_size), flush=True)
            source.unlink()
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
