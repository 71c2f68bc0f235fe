"""Ingest against its floor: what DuckDB alone needs to read the same file and write the same columns as Parquet.

usage: python benchmarks/ingest.py [--quick] [--runs N]

Three files are made from real exports (``$FINOPS_FIXTURES`` or ``../shared/fixtures``), repeated with other ids and
days: FOCUS Parquet, FOCUS CSV, and AWS legacy CUR CSV with 94 columns. ``--quick`` takes a tenth of the rows.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
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
con.execute(f"COPY (SELECT * FROM read_csv('{sys.argv[1]}', nullstr='NULL')) TO '{sys.argv[2]}' "
            "(FORMAT parquet, COMPRESSION zstd)")
"""
FLOOR_PARQUET = """
import duckdb, sys
con = duckdb.connect(config={"memory_limit": "1GB"})
con.execute(f"COPY (SELECT * FROM read_parquet('{sys.argv[1]}')) TO '{sys.argv[2]}' (FORMAT parquet, COMPRESSION zstd)")
"""
OURS = """
import shutil, sys
from pathlib import Path
from finops_kit.ingest import ingest_paths
from finops_kit.settings import Workspace
from finops_kit.store import create_store
workspace = Workspace(Path(sys.argv[2]))
shutil.rmtree(workspace.root, ignore_errors=True)
create_store(workspace)
report = ingest_paths(workspace, [sys.argv[1]])
assert all(f.status == "stored" for f in report.files), report.as_dict()
"""


def make_focus_csv(out: Path, times: int) -> None:
    """The FOCUS sample repeated, as text, resources and days varied."""
    con = duckdb.connect()
    con.execute(
        "COPY (SELECT s.* REPLACE (coalesce(nullif(s.ResourceId, 'NULL'), 'none') || '-' || n AS ResourceId) "
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
            text = f"TRY_CAST({text} AS DECIMAL(38,15))"
        elif name.endswith(("PeriodStart", "PeriodEnd")):
            text = f"CAST({text} AS TIMESTAMP)"
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


def line(name: str, rows: int, ours: Measured, floor: Measured, our_bytes: int, floor_bytes: int) -> str:
    """One row of the table in RESULTS.md."""
    return (
        f"| {name} | {rows:,} | {ours.seconds:.1f} | {floor.seconds:.1f} | **{ours.seconds / floor.seconds:.2f}** | "
        f"{rows / ours.seconds:,.0f} | {ours.peak_mb:.0f} / {floor.peak_mb:.0f} | "
        f"{our_bytes / 2**20:.0f} / {floor_bytes / 2**20:.0f} |"
    )


def main() -> None:
    """Make the files, time both in turn, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    if not FOCUS.is_file():
        raise SystemExit(f"no fixtures at {FIXTURES}; set FINOPS_FIXTURES")
    part = 10 if options.quick else 1
    work = Path(tempfile.mkdtemp(prefix="finops-bench-"))
    cases = [
        ("FOCUS Parquet", "focus.parquet", make_focus_parquet, 10_000 // part, 1000, FLOOR_PARQUET),
        ("FOCUS Parquet, a tenth", "focus10.parquet", make_focus_parquet, 1_000 // part, 1000, FLOOR_PARQUET),
        ("FOCUS CSV", "focus.csv", make_focus_csv, 1_000 // part, 1000, FLOOR_CSV),
        ("AWS CUR CSV, 94 columns", "cur.csv", make_cur_csv, 781 // part, 1281, FLOOR_CSV),
    ]
    print(f"{datetime.date.today()}: python benchmarks/ingest.py{' --quick' if options.quick else ''}; {machine()}\n")
    print("| file | rows | ours, s | floor, s | ratio | rows/s | peak MB, ours / floor | MB on disk, ours / floor |")
    print("|---|---|---|---|---|---|---|---|")
    try:
        for name, file, make, times, base, floor_code in cases:
            source, copy, store = work / file, work / "floor.parquet", work / "store"
            make(source, times)
            floor = measure(floor_code, source, copy, runs=options.runs)
            ours = measure(OURS, source, store, runs=options.runs)
            print(line(name, times * base, ours, floor, bytes_below(store), copy.stat().st_size), flush=True)
            source.unlink()
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
