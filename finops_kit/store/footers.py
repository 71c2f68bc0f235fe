"""What the catalogue says of each data file, against the file's own footer: rows, columns, bounds.

A bound that is too narrow makes a filter skip a file whose every byte is as it was.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

import duckdb

from finops_kit.store.acts import COMPACT, merges
from finops_kit.store.finding import Finding
from finops_kit.store.lake import LAKE
from finops_kit.store.reader import Reader

Row = dict[str, Any]
NUMBERS = ("int", "decimal", "float", "double", "uint")


class Catalogue:
    """The catalogue's tables as they concern one version, read once."""

    def __init__(self, reader: Reader, entries: Sequence[Row]) -> None:
        self.reader = reader
        self.entries = entries
        self.snapshots = self.rows("snapshot", "snapshot_id <= ?", "snapshot_id")
        self.changes = {row["snapshot_id"]: row for row in self.rows("snapshot_changes", "snapshot_id <= ?")}
        self.tables = self.rows("table", "begin_snapshot <= ?", "table_id")
        self.columns = self.rows("column", "begin_snapshot <= ?", "table_id, column_order")
        self.files = self.rows("data_file", "begin_snapshot <= ?", "table_id, row_id_start, data_file_id")
        self.schemas = self.rows("schema_versions", "begin_snapshot <= ?")
        self.mapped: dict[int, list[Row]] = defaultdict(list)
        for name in self.rows("name_mapping", order="mapping_id, column_id"):
            self.mapped[name["mapping_id"]].append(name)
        self.table_name = {row["table_id"]: row["table_name"] for row in self.tables}
        self.committed = {self._hash(row): version for version, row in self.changes.items() if self._hash(row)}
        self.expired = reader.expired_since()
        self.merged = merges(reader.newest_entries(COMPACT))
        newest = self.rows("snapshot", "snapshot_id > ?", "snapshot_id")
        self.is_newest = not newest

    def rows(self, table: str, where: str = "", order: str = "") -> list[Row]:
        """Rows of one catalogue table; a mark in ``where`` is the reader's version."""
        sql = f"SELECT * FROM __ducklake_metadata_{LAKE}.ducklake_{table}"
        sql += (f" WHERE {where}" if where else "") + (f" ORDER BY {order}" if order else "")
        cursor = self.reader.connection.execute(sql, [self.reader.version] if "?" in where else [])
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    @staticmethod
    def _hash(change: Row) -> str:
        return str(commit_extra(change).get("entry_hash", ""))

    def name(self, file: Row) -> str:
        """A data file as the ledger names it."""
        return f"main/{self.table_name.get(file['table_id'], '?')}/{file['path']}"


def commit_extra(change: Row | None) -> dict[str, Any]:
    """What a commit says besides its message: its ledger entry's hash and time."""
    try:
        known = json.loads((change or {}).get("commit_extra_info") or "{}")
    except ValueError:
        return {}
    return known if isinstance(known, dict) else {}


class Chunk(NamedTuple):
    """What a footer says of one column in one row group."""

    nulls: int | None
    values: int
    low: str | None
    high: str | None
    size: int


def check_footers(known: Catalogue) -> Iterator[Finding]:
    """What the catalogue says of each file's rows, columns and bounds, against the file's own footer."""
    root = known.reader.workspace.data
    there = [(file, root / known.name(file)) for file in known.files]
    there = [(file, path) for file, path in there if path.is_file()]
    if not there or any(file["encryption_key"] for file in known.files):
        return  # a missing file is named by its hash; an encrypted one cannot be swapped without its key
    connection, paths = known.reader.connection, [path.as_posix() for _, path in there]
    try:
        rows = dict(connection.execute("SELECT file_name, num_rows FROM parquet_file_metadata(?)", [paths]).fetchall())
        schema = connection.execute(
            "SELECT file_name, name, field_id FROM parquet_schema(?) WHERE field_id IS NOT NULL", [paths]
        ).fetchall()
        footers = connection.execute(
            "SELECT file_name, path_in_schema, stats_null_count, num_values, stats_min_value, stats_max_value, "
            "total_compressed_size FROM parquet_metadata(?)",
            [paths],
        ).fetchall()
    except duckdb.Error as error:
        yield Finding("data file", "footers", "Parquet files that can be read", " ".join(str(error).split())[:200])
        return
    identified: dict[str, dict[int, str]] = defaultdict(dict)
    for path_name, field_name, number in schema:
        identified[path_name][number] = field_name
    groups: dict[str, dict[str, list[Chunk]]] = defaultdict(lambda: defaultdict(list))
    for name, spelled, *rest in footers:
        groups[name][spelled].append(Chunk(*rest))
    columns: dict[int, dict[int, Row]] = defaultdict(dict)
    for column in known.columns:
        columns[column["table_id"]][column["column_id"]] = column
    said: dict[int, dict[int, Row]] = defaultdict(dict)
    table_of = {file["data_file_id"]: file["table_id"] for file in known.files}
    for row in known.rows("file_column_stats"):
        said[row["data_file_id"]][row["column_id"]] = row
        if table_of.get(row["data_file_id"], row["table_id"]) != row["table_id"]:
            where = f"statistics of data file {row['data_file_id']}"
            yield Finding("catalogue", where, f"table {table_of[row['data_file_id']]}", f"table {row['table_id']}")
    for file, path in there:
        where, key = f"data file {known.name(file)}", path.as_posix()
        if rows.get(key) != file["record_count"]:
            yield Finding("catalogue", where, f"{rows.get(key)} rows, as its footer says", str(file["record_count"]))
        with path.open("rb") as stream:
            stream.seek(-8, 2)
            footer = int.from_bytes(stream.read(4), "little")
        if (path.stat().st_size, footer) != (file["file_size_bytes"], file["footer_size"]):
            expected = f"{path.stat().st_size} bytes with a footer of {footer}"
            yield Finding("catalogue", where, expected, f"{file['file_size_bytes']} and {file['footer_size']}")
        own = {number: column["column_name"] for number, column in columns[file["table_id"]].items()}
        for number, name in sorted(identified[key].items()):
            if own.get(number) != name:
                yield Finding("catalogue", where, f"field {number} is {name}, as in the file", str(own.get(number)))
        numbers = {row["target_field_id"] for row in known.mapped.get(file["mapping_id"], ())}
        if file["mapping_id"] is None:
            numbers = set(identified[key])
        read = {_path_of(column, columns[file["table_id"]]) for number, column in columns[file["table_id"]].items()
                if number in numbers}  # fmt: skip
        for name in sorted(groups[key].keys() - read):
            yield Finding("catalogue", where, f"column {name} is read, which the file has", "a column that is not read")
        yield from _bounds(where, columns[file["table_id"]], said[file["data_file_id"]], groups[key])
    if known.is_newest:
        yield from _table_bounds(known, said, columns)


def _path_of(column: Row, columns: dict[int, Row]) -> str:
    """The column as a footer spells it; a map's parts stand below ``key_value``, a list's element below ``list``."""
    parent = columns.get(column["parent_column"]) if column["parent_column"] is not None else None
    if parent is None:
        return str(column["column_name"])
    between = {"map": "key_value, ", "list": "list, "}.get(parent["column_type"], "")
    return f"{_path_of(parent, columns)}, {between}{column['column_name']}"


def _bounds(
    where: str, columns: dict[int, Row], said: dict[int, Row], groups: dict[str, list[Chunk]]
) -> Iterator[Finding]:
    """Counts and bounds of one file's columns; a wrong bound makes a filter skip rows that are there."""
    for number, column in columns.items():
        path, row = _path_of(column, columns), said.get(number)
        if path not in groups:  # a map itself has no column of its own in the file, nor has what the file lacks
            if row is not None:
                place = f"{where}, column {column['column_name']}"
                yield Finding("catalogue", place, "no counts and bounds, since the file lacks it", "some")
            continue
        place = f"{where}, column {column['column_name']}"
        if row is None:
            yield Finding("catalogue", place, "its counts and bounds", "none")
            continue
        parts = groups[path]
        size, values = sum(part.size for part in parts), sum(part.values for part in parts)
        nulls = (
            row["null_count"] if any(part.nulls is None for part in parts) else sum(part.nulls or 0 for part in parts)
        )
        found = (row["column_size_bytes"], row["null_count"], row["value_count"])
        expected = (size, nulls, values - (nulls or 0))
        if found != expected:
            yield Finding("catalogue", place, f"bytes, nulls, values {expected}", f"{found}")
        if row["contains_nan"] is not None or row["extra_stats"] is not None:
            yield Finding("catalogue", place, "no other statistics", f"{row['contains_nan']}, {row['extra_stats']}")
        if any(part.low is None and part.nulls != part.values for part in parts):
            continue  # a row group has no bounds of its own to hold the catalogue's against
        lows, highs = (
            [part.low for part in parts if part.low is not None],
            [part.high for part in parts if part.high is not None],
        )
        bounds = extremes(column["column_type"], lows, highs)
        if len(lows) < len(parts) and row["min_value"] is None and row["max_value"] is None:
            continue  # of a file with a row group of nulls alone the lake may keep no bounds; it skips nothing then
        if (row["min_value"], row["max_value"]) != bounds:
            yield Finding("catalogue", place, f"bounds {bounds}", f"{(row['min_value'], row['max_value'])}")


def extremes(kind: str, lows: list[str], highs: list[str]) -> tuple[str | None, str | None]:
    """The least and the greatest of bounds as the catalogue writes them: numbers by value, the rest by their bytes."""
    if not lows or not highs:
        return None, None
    if kind == "boolean":
        lows, highs = ([{"false": "0", "true": "1"}.get(text, text) for text in texts] for texts in (lows, highs))
    if kind.startswith(NUMBERS):
        try:
            return min(lows, key=Decimal), max(highs, key=Decimal)
        except InvalidOperation:
            pass
    return min(lows, key=str.encode), max(highs, key=str.encode)


def _table_bounds(
    known: Catalogue, said: dict[int, dict[int, Row]], columns: dict[int, dict[int, Row]]
) -> Iterator[Finding]:
    """The bounds of whole tables, against those of their files."""
    files: dict[int, list[int]] = defaultdict(list)
    for file in known.files:
        files[file["table_id"]].append(file["data_file_id"])
    totals = {(row["table_id"], row["column_id"]): row for row in known.rows("table_column_stats")}
    wanted = {(file["table_id"], number) for file in known.files for number in said[file["data_file_id"]]}
    for table, number in sorted(totals.keys() | wanted):
        row, column = totals.get((table, number)), columns[table].get(number)
        where = f"bounds of {known.table_name.get(table, table)}.{column['column_name'] if column else number}"
        if row is None and column is not None and number not in said[files[table][0]]:
            continue  # the engine keeps no bounds of a column that the first file lacks; it skips nothing
        if row is None or column is None or (table, number) not in wanted:
            yield Finding(
                "catalogue", where, "bounds of a column with data", "none" if row is None else "no such column"
            )
            continue
        parts = [said[file][number] for file in files[table] if number in said[file]]
        lows = [part["min_value"] for part in parts if part["min_value"] is not None]
        highs = [part["max_value"] for part in parts if part["max_value"] is not None]
        bounds = extremes(column["column_type"], lows, highs)
        if any(part["min_value"] is None and part["value_count"] for part in parts) and row["min_value"] is None:
            bounds = (None, None)  # nor does the lake then of the table
        nulls = len(parts) < len(files[table]) or any(part["null_count"] for part in parts)  # what is not there is null
        expected = (nulls, *bounds, None, None)
        found = (row["contains_null"], row["min_value"], row["max_value"], row["contains_nan"], row["extra_stats"])
        if found != expected:
            yield Finding("catalogue", where, f"{expected}", f"{found}")
