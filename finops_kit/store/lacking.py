"""What a version of a store lacks of what is declared, and what a reader sees in its place.

A store may have been made by an earlier version of the package, and a version of it before data expired. A reader
never writes: where its version lacks a table or a column it sees an empty table or nulls. What a writer adds is said
in :meth:`.writer.Writer.migrate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import duckdb

from finops_kit.errors import StoreError
from finops_kit.fields import TABLES
from finops_kit.fields.types import Field, Table
from finops_kit.store.acts import expired_files
from finops_kit.store.lake import LAKE

#: the schema, in a reader's own memory, of what stands in for tables that its version lacks in part
PAST = "past"


class Lacking(NamedTuple):
    """What is declared and not there: whole tables, and columns by table."""

    tables: tuple[Table, ...]
    columns: dict[str, tuple[Field, ...]]

    def __bool__(self) -> bool:
        return bool(self.tables or self.columns)


def columns_there(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """The columns of every table at the version that the connection sees."""
    there: dict[str, list[str]] = {}
    for table, column in connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = ? ORDER BY column_index", [LAKE]
    ).fetchall():
        there.setdefault(table, []).append(column)
    return there


def lacking(connection: duckdb.DuckDBPyConnection) -> Lacking:
    """What the version that the connection sees lacks of what is declared."""
    there = columns_there(connection)
    columns = {
        name: missing
        for name, table in TABLES.items()
        if name in there and (missing := tuple(field for field in table.fields if field.name not in there[name]))
    }
    return Lacking(tuple(table for name, table in TABLES.items() if name not in there), columns)


def refuse_lost(connection: duckdb.DuckDBPyConnection, missing: Lacking) -> None:
    """Stop where something was there once and was taken away: nothing may stand in for it.

    Raises
    ------
    StoreError : the catalogue still remembers a missing table or column
    """
    catalogue = f"__ducklake_metadata_{LAKE}.ducklake"
    version = f"(SELECT id FROM {LAKE}.current_snapshot())"
    gone = connection.execute(
        f"SELECT table_name, NULL, NULL FROM {catalogue}_table WHERE end_snapshot <= {version} "
        f"UNION ALL SELECT t.table_name, c.column_name, c.end_snapshot FROM {catalogue}_column c "
        f"JOIN {catalogue}_table t USING (table_id) WHERE c.end_snapshot <= {version}"
    ).fetchall()
    lost = {(table, column) for table, column, _ in gone}
    names = [table.name for table in missing.tables if (table.name, None) in lost]
    names += [f"{t}.{field.name}" for t, fields in missing.columns.items() for field in fields
              if (t, field.name) in lost]  # fmt: skip
    if names:
        raise StoreError(
            f"The store lacks {', '.join(names)}, which it once had: somebody took it away. `finops verify` says "
            "more; `finops restore` brings back a backup."
        )


def stand_ins(connection: duckdb.DuckDBPyConnection, version: int, refuse: bool = True) -> frozenset[str]:
    """Make a view in ``past`` for each table that the connection's version lacks in whole or in part.

    What expired since is lacking as well: such a table is read as it is after the act, less what came after. A
    table without a row is stood in for too: asked for one, the catalogue looks for the statistics of every column
    anew each time.

    Parameters
    ----------
    version : the version that the connection sees
    refuse : stop at what was there once; a check goes on, and names it

    Returns
    -------
    The names of the tables to be read from ``past`` instead of the lake.

    Raises
    ------
    StoreError : what is missing was there once
    """
    missing = lacking(connection)
    if refuse and missing:
        refuse_lost(connection, missing)
    expired = expired_files(connection, version)
    empty = {table.name for table in missing.tables} | _without_files(connection, version) - expired.keys()
    there = columns_there(connection) if expired else {}
    views = {name: f"SELECT {_nulls(TABLES[name].fields)} WHERE false" for name in empty}
    for name in (missing.columns.keys() | expired.keys()) - empty:
        nulls = f", {_nulls(missing.columns[name])}" if name in missing.columns else ""
        views[name] = f"SELECT *{nulls} FROM {LAKE}.{name}"
        if name in expired:
            own = ", ".join(f'"{column}"' for column in there[name])
            views[name] = (
                f"SELECT {own}{nulls} FROM {LAKE}.{name} AT (VERSION => {expired[name]}) "
                f"WHERE batch_id IN (SELECT batch_id FROM {LAKE}.ledger)"
            )
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS memory.{PAST}")
    for name, select in views.items():
        connection.execute(f"CREATE OR REPLACE VIEW memory.{PAST}.{name} AS {select}")
    return frozenset(views)


def _without_files(connection: duckdb.DuckDBPyConnection, version: int) -> set[str]:
    """The declared tables that had no data file at a version."""
    catalogue = f"__ducklake_metadata_{LAKE}.ducklake"
    rows = connection.execute(
        f"SELECT DISTINCT t.table_name FROM {catalogue}_data_file f JOIN {catalogue}_table t USING (table_id) "
        "WHERE f.begin_snapshot <= ? AND (f.end_snapshot IS NULL OR f.end_snapshot > ?)",
        [version, version],
    ).fetchall()
    return TABLES.keys() - {str(table) for (table,) in rows}


def _nulls(fields: Sequence[Field]) -> str:
    return ", ".join(f'NULL::{field.type} AS "{field.name}"' for field in fields)
