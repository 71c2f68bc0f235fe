"""Bring quarantined rows again: the raw rows of one batch as a file of their own, under a corrected mapping or not."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from finops_kit.errors import UsageError
from finops_kit.ingest.pipeline import ingest_paths
from finops_kit.ingest.report import FileReport
from finops_kit.settings import Workspace
from finops_kit.sources.formats import FORMATS
from finops_kit.store import open_reader
from finops_kit.store.chains import waiting_batches
from finops_kit.store.held import held_rows


def raw_columns(rows: Iterable[dict[str, Any]]) -> tuple[list[str], list[dict[str, str]]]:
    """The columns of quarantined raw rows, and the rows; a row that never had columns stands under ``raw``."""
    names: dict[str, None] = {}
    out = []
    for row in rows:
        try:
            found = json.loads(row["raw"])
        except (TypeError, ValueError):
            found = None
        if not isinstance(found, dict):
            found = {"raw": row["raw"]}
        flat = {
            name: value if isinstance(value, str) else "" if value is None else json.dumps(value)
            for name, value in found.items()
        }
        names |= dict.fromkeys(flat)
        out.append(flat)
    return list(names), out


def write_raw(rows: list[dict[str, Any]], out: IO[str], about: bool = True) -> None:
    """Write raw rows as CSV, each beside where it came from and why it waits where ``about``."""
    names, flat = raw_columns(rows)
    first = ["quarantine_batch", "quarantine_file", "quarantine_row", "quarantine_column", "quarantine_reason"]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*(first if about else []), *names])
    keys = ("batch_id", "source_file", "source_row", "column_name", "reason")
    for row, values in zip(rows, flat, strict=True):
        told = [row[key] if row[key] is not None else "" for key in keys] if about else []
        writer.writerow([*told, *(values.get(name, "") for name in names)])


def replay(
    workspace: Workspace, batch: str, *, mapping: str | Path | None = None, format: str | None = None,
    actor: str | None = None,
) -> FileReport:  # fmt: skip
    """Take the open quarantined rows of one batch in again, as a batch that names them.

    The new rows add to the delivery that lacked them. A row that still cannot be stored waits on.

    Raises
    ------
    UsageError : the batch has no open row in quarantine, or its rows were never split into columns
    """
    with open_reader(workspace) as reader:
        rows = held_rows(reader.connection, batch=batch)
        replaced = any(row["replaced"] for row in held_rows(reader.connection, batch=batch, everything=True))
        waits = batch in waiting_batches(reader.connection)
    if replaced:
        raise UsageError(
            f"A newer delivery has replaced {batch}; its rows would count twice. What the newer one lacks stands in "
            f"quarantine under its own batch."
        )
    if not rows:
        raise UsageError(f"Batch {batch!r} has no open row in quarantine. `finops quarantine` lists those that have.")
    if waits:
        raise UsageError(f"{batch} waits for the other parts of its report. Take them in first.")
    if FORMATS.get(rows[0]["format"]) and FORMATS[rows[0]["format"]].table == "resource_snapshot":
        raise UsageError(
            f"{batch} is an inventory: its rows were seen at one time, together. Correct {rows[0]['source_file']} and "
            f"ingest it whole."
        )
    split = [row for row in rows if row["column_name"] is not None]
    if not split:
        raise UsageError(f"The {len(rows)} rows of {batch} were never split into columns. Export the file again.")
    if mapping is None and format is None and split[0]["format"] not in FORMATS:
        raise UsageError(f"{batch} was read by a mapping. Name it, or the corrected one, with --mapping.")
    with tempfile.TemporaryDirectory(prefix="finops-replay-") as place:
        path = Path(place) / "rows.csv"
        with path.open("w", encoding="utf-8-sig", newline="") as out:  # its mapping may say another
            write_raw(split, out, about=False)
        about = {"replays": {"batch_id": batch, "rows": [row["source_row"] for row in split]}}
        chosen = format if format or mapping else split[0]["format"]
        report = ingest_paths(workspace, [path], format=chosen, mapping=mapping, actor=actor,
                              replaying=(f"{split[0]['source_file']} (replay of {batch})", about))  # fmt: skip
    return report.files[0]
