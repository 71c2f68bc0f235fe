"""Compaction: the rows of many small files once more in one file, by one recorded act; every old file stays.

Each batch writes a file of its own to each table. After some hundreds of batches a question to a table costs the
opening of its files, not the reading of its rows. The act copies the rows of small files, each with the batch that
it came with, into one file, and from its version on the lake reads that one. The old files stay where they are: an
earlier version reads them, each is still held against the hash in its own ledger entry, and ``finops verify`` holds
the rows of the new file against theirs. So nothing that was proven rests on the act.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

import duckdb

from finops_kit.errors import ReconciliationFailed
from finops_kit.fields import TABLES
from finops_kit.settings import Workspace
from finops_kit.store.acts import COMPACT, all_entries, merges, versions_of
from finops_kit.store.finding import Finding
from finops_kit.store.lake import LAKE
from finops_kit.store.reader import Reader
from finops_kit.store.writer import Batch, open_writer

#: what is merged: all but derived runs, which are merged as they are written
COMPACTED = tuple(name for name in TABLES if name != "state_run")
#: a batch's part of a table is small up to this size, in bytes
SMALL = 4 * 2**20
#: the small parts that go into one file, together, in bytes
MOST = 64 * 2**20
#: fewer parts than this are left as they are
FEWEST = 16

Row = dict[str, Any]


@dataclass
class Piece:
    """What is read of one table from one or several files together: a batch's own, or those of an earlier merge."""

    table: str
    year: int
    batches: set[str] = field(default_factory=set)
    files: dict[str, int] = field(default_factory=dict)
    rows: int = 0

    @property
    def bytes(self) -> int:
        """The size of its files."""
        return sum(self.files.values())


def compact(workspace: Workspace, *, actor: str | None = None, dry_run: bool = True, fewest: int = FEWEST) -> Row:
    """Merge small files, table by table and calendar year of recording by year, or say what would be merged.

    Parameters
    ----------
    actor : who does it, for the ledger; the user where nothing is said
    fewest : leave a table and year alone that has fewer small parts than this

    Returns
    -------
    ``entry`` of the act (None where nothing was done), ``merged``: table, year, batches, files, bytes, rows of each
    new file.

    Raises
    ------
    ReconciliationFailed : the new file does not hold the same rows; nothing was changed
    StoreBusy, StoreError : another process writes, or the store cannot be written to
    """
    with open_writer(workspace) as writer, writer.exclusive():
        plan = [(table, group) for table, group in _groups(_pieces(writer.connection), fewest)]
        told: Row = {
            "entry": None,
            "merged": [
                {"table": table, "year": group[0].year, "batches": sum(len(piece.batches) for piece in group),
                 "files": sum(len(piece.files) for piece in group), "bytes": sum(piece.bytes for piece in group),
                 "rows": sum(piece.rows for piece in group)}
                for table, group in plan
            ],
        }  # fmt: skip
        if plan and not dry_run:
            with writer.batch(kind=COMPACT, format="files", actor=actor) as act:
                act.details["merged"] = [_merge(act, table, group) for table, group in plan]
            told["entry"] = act.entry
    return told


def _pieces(connection: duckdb.DuckDBPyConnection) -> list[Piece]:
    """What the newest version reads, in the order of the ledger."""
    entries = all_entries(connection)
    year = {entry["batch_id"]: entry["recorded_at"].astimezone(UTC).year for entry in entries}
    merged = {file: record for record in merges(entries) for file in record["files"]}
    catalogue = f"__ducklake_metadata_{LAKE}.ducklake"
    listed = connection.execute(
        f"""SELECT t.table_name, 'main/' || t.path || f.path, f.file_size_bytes, f.record_count,
                split_part(c.commit_message, ' ', 2)
            FROM {catalogue}_data_file f JOIN {catalogue}_table t USING (table_id)
            JOIN {catalogue}_snapshot_changes c ON c.snapshot_id = f.begin_snapshot
            WHERE f.end_snapshot IS NULL ORDER BY f.begin_snapshot, f.data_file_id"""
    ).fetchall()
    pieces: dict[tuple[str, str], Piece] = {}
    for table, path, size, rows, batch in listed:
        known = merged.get(path)
        batches = set(known["batches"]) if known else {batch}
        piece = pieces.setdefault((table, min(batches)), Piece(table, year[min(batches)]))
        piece.batches |= batches
        piece.files[path] = size
        piece.rows += rows
    return [piece for piece in pieces.values() if piece.table in COMPACTED]


def _groups(pieces: Sequence[Piece], fewest: int) -> Iterator[tuple[str, list[Piece]]]:
    """The small pieces of one table and year that go into one file; a year expires as a whole, and so can the file."""
    small: dict[tuple[str, int], list[Piece]] = defaultdict(list)
    for piece in pieces:
        if piece.bytes <= SMALL:
            small[piece.table, piece.year].append(piece)
    for (table, _), parts in sorted(small.items()):
        if sum(len(part.files) for part in parts) < fewest:
            continue
        group: list[Piece] = []
        for part in parts:
            if group and sum(piece.bytes for piece in group) + part.bytes > MOST:
                yield table, group
                group = []
            group.append(part)
        if len(group) > 1:
            yield table, group


def _merge(act: Batch, table: str, group: Sequence[Piece]) -> Row:
    """Write the rows of a group once more and let the lake read those; the record of it for the ledger."""
    batches = sorted(set().union(*(piece.batches for piece in group)))
    marks = ", ".join("?" for _ in batches)
    connection = act.connection
    was = _content(connection, table, batches)
    chosen = f"FROM {LAKE}.{table} WHERE batch_id IN ({marks})"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE compacted AS SELECT * {chosen} ORDER BY batch_id", batches)
    connection.execute(f"DELETE FROM {LAKE}.{table} WHERE batch_id IN ({marks})", batches)
    written = act.insert_again(table, "compacted")
    connection.execute("DROP TABLE compacted")
    if was != (now := _content(connection, table, batches)) or was[0] != sum(piece.rows for piece in group):
        raise ReconciliationFailed(f"{table}: {was[0]} rows were to be merged, {now[0]} were; nothing was changed.")
    files = [path.relative_to(act.data).as_posix() for path in written]
    return {"table": table, "year": group[0].year, "rows": was[0], "batches": batches, "files": files,
            "replaces": sorted(name for piece in group for name in piece.files)}  # fmt: skip


def _content(
    connection: duckdb.DuckDBPyConnection, table: str, batches: Sequence[str], version: int | None = None
) -> tuple[int, int]:
    """How many rows some batches have, and one number over all that they say, whatever order they stand in."""
    at = f"AT (VERSION => {version})" if version is not None else ""
    marks = ", ".join("?" for _ in batches)
    row = connection.execute(
        f"SELECT count(*), coalesce(sum(hash(line)::HUGEINT), 0) FROM (SELECT * FROM {LAKE}.{table} {at}) line "
        f"WHERE batch_id IN ({marks})",
        batches,
    ).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def check_merges(reader: Reader, entries: Sequence[Row], expired: Sequence[Row]) -> Iterator[Finding]:
    """Hold the rows of each merged file against those of the files that it replaced, unless they expired since."""
    gone = {(act["table"], act["batch_id"]) for act in expired}
    versions = versions_of(reader.connection, COMPACT)
    for record in merges(entries):
        table, batches, version = record["table"], record["batches"], versions.get(record["by"])
        if version is None or any((table, batch) in gone for batch in batches):
            continue  # a version that is missing is named by the history check
        was, now = (_content(reader.connection, table, batches, at) for at in (version - 1, version))
        if was != now or now[0] != record["rows"]:
            where = f"{table}: {', '.join(record['files'])} (ledger entry {record['by']})"
            yield Finding("merged file", where, f"the {was[0]} rows of the files that it replaced", f"{now[0]} others")
