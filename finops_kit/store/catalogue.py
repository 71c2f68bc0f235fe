"""Hold the catalogue against the ledger and the data files: what it says decides what every query sees.

The catalogue is a database that an administrator can edit: a file taken off its list, a smaller count,
a swapped column name or a bound that makes a filter skip a file changes answers while every data file
keeps its hash. So each thing that it says is recomputed from the ledger and from the files' own footers.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta

import duckdb

from finops_kit.fields import TABLES
from finops_kit.store.acts import COMPACT, EXPIRE, MIGRATE, versions_of
from finops_kit.store.finding import Finding
from finops_kit.store.footers import Catalogue, Row, check_footers, commit_extra
from finops_kit.store.lake import LAKE
from finops_kit.store.ledger import canonical
from finops_kit.store.names import check_names
from finops_kit.store.reader import Reader

#: what the lake keeps for features that an insert-only store does not use: each must be empty
UNUSED = (
    "view", "tag", "column_tag", "delete_file", "file_variant_stats", "partition_info", "partition_column",
    "file_partition_value", "files_scheduled_for_deletion", "inlined_data_tables", "macro", "macro_impl",
    "macro_parameters", "sort_info", "sort_expression",
)  # fmt: skip
#: what tells the rows of a table apart
KEYS = {
    "snapshot": ("snapshot_id",), "snapshot_changes": ("snapshot_id",), "schema": ("schema_id",),
    "table": ("table_id",), "data_file": ("data_file_id",), "column": ("table_id", "column_id"),
    "table_stats": ("table_id",),
    "file_column_stats": ("data_file_id", "column_id"), "table_column_stats": ("table_id", "column_id"),
    "schema_versions": ("begin_snapshot", "schema_version", "table_id"),
    "column_mapping": ("mapping_id",), "name_mapping": ("mapping_id", "column_id"),
}  # fmt: skip
#: the catalogue's time of a version is when its transaction began, the entry's when its batch did
CLOCK_TOLERANCE = timedelta(minutes=1)
#: what every table has in every version of the package, last among the columns that it was made with
ALWAYS = frozenset({"batch_id", "source_row"})
#: how the lake writes down that a column has no default
PLAIN = (("literal", "duckdb"), ("", "duckdb"), ("literal", None), (None, None))


def check_catalogue(reader: Reader, entries: Sequence[Row]) -> Iterator[Finding]:
    """Everything that the catalogue says at the reader's version and that does not fit.

    Parameters
    ----------
    entries : the ledger in its order
    """
    try:
        known = Catalogue(reader, entries)
        unused = {table: len(known.rows(table)) for table in UNUSED}
    except duckdb.Error as error:
        yield Finding("catalogue", "its tables", "tables that can be read", " ".join(str(error).split())[:200])
        return
    for table, count in unused.items():
        if count:
            yield Finding("catalogue", f"ducklake_{table}", "no rows; this store never writes any", f"{count}")
    for table, columns in KEYS.items():
        keys = [tuple(row[column] for column in columns) for row in known.rows(table)]
        for twice in sorted({key for key in keys if keys.count(key) > 1} if len(set(keys)) < len(keys) else ()):
            yield Finding("catalogue", f"ducklake_{table}", f"one row of {columns} {twice}", f"{keys.count(twice)}")
    yield from _versions(known)
    yield from _tables(known)
    yield from _files(known)
    yield from check_names(known)
    yield from check_footers(known)


def _versions(known: Catalogue) -> Iterator[Finding]:
    """Versions without a gap, each known when its ledger entry says so."""
    for place, row in enumerate(known.snapshots):
        where = f"store version {row['snapshot_id']}"
        if row["snapshot_id"] != place:
            yield Finding("catalogue", where, f"version {place} in this place", f"version {row['snapshot_id']}")
            break
        if place not in known.changes:
            yield Finding("catalogue", where, "a record of what it changed", "none")
        yield from _version(known, row, where)
    if len(known.changes) > len(known.snapshots):
        yield Finding("catalogue", "store versions", f"{len(known.changes)} of them", f"{len(known.snapshots)}")
    times = dict(
        known.reader.connection.execute(
            "SELECT snapshot_id, try_cast(snapshot_time AS TIMESTAMPTZ) "
            f"FROM __ducklake_metadata_{LAKE}.ducklake_snapshot"
        ).fetchall()
    )
    for entry in known.entries:
        version = known.committed.get(entry["entry_hash"])
        if version is None or version not in times:
            continue  # named by the history check
        where, change = f"store version {version} (ledger entry {entry['entry']})", known.changes[version]
        said = commit_extra(change).get("recorded_at", canonical(entry["recorded_at"]))
        if said != canonical(entry["recorded_at"]):
            yield Finding("catalogue", where, f"recorded_at {canonical(entry['recorded_at'])}", str(said))
        if change["author"] != entry["actor"] or change["commit_message"] != f"{entry['kind']} {entry['batch_id']}":
            expected = f"author {entry['actor']}, message {entry['kind']} {entry['batch_id']}"
            yield Finding("catalogue", where, expected, f"{change['author']}, {change['commit_message']}")
        if times[version] is None or abs(times[version] - entry["started_at"]) > CLOCK_TOLERANCE:
            expected = f"a time within a minute of {canonical(entry['started_at'])}"
            yield Finding("catalogue", where, expected, str(times[version]))


def _version(known: Catalogue, row: Row, where: str) -> Iterator[Finding]:
    """What one version changed, and the numbers that the next one began with: taken twice, they would mix files."""
    version, made = row["snapshot_id"], known.changes.get(row["snapshot_id"])
    tables = [table for table in known.tables if table["begin_snapshot"] <= version]
    expected = (
        max((file["data_file_id"] for file in known.files if file["begin_snapshot"] <= version), default=-1) + 1,
        max((table["table_id"] for table in tables), default=0) + 1,
        max((begun["schema_version"] for begun in known.schemas if begun["begin_snapshot"] <= version), default=0),
    )
    found = (row["next_file_id"], row["next_catalog_id"], row["schema_version"])
    if found != expected:
        yield Finding("catalogue", where, f"next file, next table, schema version {expected}", f"{found}")
    altered = _altered(known, version)
    begun = {(b["schema_version"], b["table_id"]) for b in known.schemas if b["begin_snapshot"] == version}
    new = {table["table_id"] for table in tables if table["begin_snapshot"] == version}
    wanted = sorted((row["schema_version"], number) for number in new | altered.keys())
    if sorted(begun) != wanted:
        yield Finding("catalogue", where, f"schema versions of tables {wanted}", f"{sorted(begun)}")
    yield from _recorded(known, version, new, altered, where)
    changes = {f"inserted_into_table:{file['table_id']}" for file in known.files if file["begin_snapshot"] == version}
    changes |= {f'created_table:"main"."{t["table_name"]}"' for t in tables if t["begin_snapshot"] == version}
    changes |= {f"deleted_from_table:{file['table_id']}" for file in known.files if file["end_snapshot"] == version}
    changes |= {f"altered_table:{number}" for number in altered}
    changes |= {'created_schema:"main"'} if version == 0 else set()
    said = set(str(made["changes_made"] or "").split(",")) if made else changes
    if said != changes:
        yield Finding("catalogue", where, f"changes {', '.join(sorted(changes))}", ", ".join(sorted(said)))
    if made and version not in known.committed.values() and (made["author"] or made["commit_message"]):
        yield Finding("catalogue", where, "no author; it has no ledger entry", f"{made['author']}")


def _altered(known: Catalogue, version: int) -> dict[int, list[str]]:
    """The columns that one version added to tables that were there before it."""
    began = {table["table_id"]: table["begin_snapshot"] for table in known.tables}
    added: dict[int, list[str]] = defaultdict(list)
    for column in known.columns:
        later = column["begin_snapshot"] == version > began.get(column["table_id"], version)
        if later and column["parent_column"] is None:
            added[column["table_id"]].append(column["column_name"])
    return dict(added)


def _recorded(
    known: Catalogue, version: int, new: set[int], altered: dict[int, list[str]], where: str
) -> Iterator[Finding]:
    """What was added to a store that was there already stands in the ledger, and what the ledger says was added."""
    entry = next((e for e in known.entries if known.committed.get(e["entry_hash"]) == version), None)
    details = json.loads(entry["details"] or "{}") if entry and entry["kind"] == MIGRATE else {}
    said = [*details.get("tables", []), *details.get("columns", [])]
    first = min((table["begin_snapshot"] for table in known.tables), default=0)
    found = [known.table_name[number] for number in new] if version > first else []
    found += [f"{known.table_name[number]}.{name}" for number, names in altered.items() for name in names]
    if sorted(said) != sorted(found):
        expected = f"tables and columns added as its ledger entry says: {', '.join(sorted(said)) or 'none'}"
        yield Finding("catalogue", where, expected, ", ".join(sorted(found)) or "none")


def _tables(known: Catalogue) -> Iterator[Finding]:
    """Declared tables and columns alone, each where it belongs, with no default that could stand in for data.

    One that is declared and not there is what a later version of the package declares; the next writer adds it.
    It was not taken away: ids have no gap, and what every table of every version ends with is there.
    """
    schemas = [
        (row["schema_name"], row["path"], row["path_is_relative"], row["end_snapshot"]) for row in known.rows("schema")
    ]
    if schemas != [("main", "main/", True, None)]:
        yield Finding("catalogue", "schemas", "main alone, in main/", str(schemas))
    names = sorted(row["table_name"] for row in known.tables)
    for name in sorted(set(names)):
        if names.count(name) != 1 or name not in TABLES:
            expected = "one table" if name in TABLES else "none of this name"
            yield Finding("catalogue", f"table {name}", expected, f"{names.count(name)}")
    yield from _ids(known)
    for row in known.tables:
        if row["path"] != f"{row['table_name']}/" or not row["path_is_relative"] or row["end_snapshot"] is not None:
            found = f"{row['path']}, ended at {row['end_snapshot']}"
            yield Finding("catalogue", f"table {row['table_name']}", f"{row['table_name']}/, never ended", found)
    for column in known.columns:
        where = f"column {known.table_name.get(column['table_id'], '?')}.{column['column_name']}"
        if column["end_snapshot"] is not None:
            yield Finding("catalogue", where, "a column that never ends", f"ended at version {column['end_snapshot']}")
        if column["initial_default"] is not None or column["default_value"] not in (None, "NULL"):
            found = f"{column['initial_default']}, {column['default_value']}"
            yield Finding("catalogue", where, "no default", found)
        if column["nulls_allowed"] != 1 or (column["default_value_type"], column["default_value_dialect"]) not in PLAIN:
            found = f"{column['nulls_allowed']}, {column['default_value_type']}, {column['default_value_dialect']}"
            yield Finding("catalogue", where, "a column that may be null", found)
    connection = known.reader.connection
    wanted = sorted({field.type for table in TABLES.values() for field in table.fields})
    names_of_types = connection.execute("SELECT " + ", ".join(f"typeof(NULL::{kind})" for kind in wanted)).fetchone()
    spelled = dict(zip(wanted, names_of_types or (), strict=True))
    there: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for table, named, kind in connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE database_name = ?", [LAKE]
    ).fetchall():
        there[table].append((named, kind))
    for name in sorted(set(names) & set(TABLES)):
        types = there[name]
        declared = {field.name: spelled[field.type] for field in TABLES[name].fields}
        for named, kind in types:
            if declared.get(named) != kind:
                expected = f"type {declared[named]}" if named in declared else "no such column"
                yield Finding("catalogue", f"column {name}.{named}", expected, kind)
        needed = declared.keys() if name == "ledger" else declared.keys() & ALWAYS
        for lost in sorted(needed - {named for named, _ in types}):
            yield Finding("catalogue", f"column {name}.{lost}", "a column", "none")


def _ids(known: Catalogue) -> Iterator[Finding]:
    """Numbers of tables and of each table's columns without a gap: a gap is something taken away."""
    numbers = [table["table_id"] for table in known.tables]
    expected = list(range(min(numbers, default=1), min(numbers, default=1) + len(numbers)))
    if sorted(numbers) != expected:
        yield Finding("catalogue", "tables", f"numbers {expected}", f"{sorted(numbers)}")
    for table in known.tables:
        name = table["table_name"]
        columns = sorted({c["column_id"] for c in known.columns if c["table_id"] == table["table_id"]})
        if columns != list(range(1, len(columns) + 1)):
            missing = sorted(set(range(1, max(columns, default=0) + 1)) - set(columns))
            yield Finding("catalogue", f"table {name}", "columns numbered without a gap", f"none numbered {missing}")


def _files(known: Catalogue) -> Iterator[Finding]:
    """Each data file in its table, whole, since the version of its ledger entry, at its place in the row numbers."""
    version_of = {
        file["path"]: known.committed.get(entry["entry_hash"])
        for entry in known.entries
        for file in json.loads(entry["data_files"] or "[]")
    }
    ended = _ended(known)
    entry_version = {known.committed.get(entry["entry_hash"]) for entry in known.entries}
    next_row: dict[int, int] = defaultdict(int)
    for file in known.files:
        name = known.name(file)
        where = f"data file {name}"
        started = file["begin_snapshot"]
        if name.startswith("main/ledger/"):
            if started not in entry_version:
                yield Finding("catalogue", where, "the version of a ledger entry", f"version {started}")
        elif (version := version_of.get(name)) is not None and version != started:
            yield Finding("catalogue", where, f"known since version {version}", f"since {started}")
        if file["end_snapshot"] != (until := ended.get(name)):
            said = f"ended at version {until}, as a ledger entry says" if until else "a file that never ends"
            yield Finding("catalogue", where, said, f"ended at version {file['end_snapshot']}")
        if file["row_id_start"] != next_row[file["table_id"]]:
            expected = f"row_id_start {next_row[file['table_id']]}"
            yield Finding("catalogue", where, expected, str(file["row_id_start"]))
        next_row[file["table_id"]] = (file["row_id_start"] or 0) + (file["record_count"] or 0)
        odd = {key: file[key] for key in ("file_order", "partition_id", "partial_max") if file[key] is not None}
        if odd or file["file_format"] != "parquet" or not file["path_is_relative"]:
            yield Finding("catalogue", where, "a plain Parquet file below its table", f"{file['file_format']} {odd}")
    if known.is_newest:
        yield from _table_totals(known)


def _ended(known: Catalogue) -> dict[str, int]:
    """Each file that was merged or expired, by a ledger entry at whatever version, and the version of that entry."""
    connection = known.reader.connection
    expiries, merged = versions_of(connection, EXPIRE), versions_of(connection, COMPACT)
    ended = {
        file["path"]: expiries[act["by"]] for act in known.expired if act["by"] in expiries for file in act["files"]
    }
    ended |= {name: merged[record["by"]] for record in known.merged if record["by"] in merged
              for name in record["replaces"]}  # fmt: skip
    return ended


def _table_totals(known: Catalogue) -> Iterator[Finding]:
    """The totals that the engine plans with; a wrong one may make a filter find nothing."""
    totals: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for file in known.files:
        rows, size = file["record_count"] or 0, file["file_size_bytes"] or 0
        totals[file["table_id"]] = [totals[file["table_id"]][0] + rows, 0, totals[file["table_id"]][2] + size]
    said = {row["table_id"]: row for row in known.rows("table_stats")}
    for table in sorted(totals.keys() | said.keys()):
        rows, _, size = totals[table]
        row = said.get(table)
        found = (row["record_count"], row["next_row_id"], row["file_size_bytes"]) if row else None
        if found != (rows, rows, size):
            where = f"totals of table {known.table_name.get(table, '?')}"
            yield Finding("catalogue", where, f"{(rows, rows, size)}", f"{found}")
