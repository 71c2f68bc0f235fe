"""Append rows as a file that holds only the columns that they bring; the lake reads the others as null.

The table of charges has every column of every version of FOCUS and of every provider's own; a bill brings two thirds of
them. Measured for a million rows of 69 columns of which 47 are brought: writing the other 22 as nulls takes a tenth of
the whole statement, and each of them a line of statistics in the catalogue, which every reader goes through.

The lake takes such a file by the names of its columns. What it notes of a whole table decides how a question is
planned: where it says that a column has no nulls, the engine leaves the look for nulls out. It says nothing of a column
that the table's first file lacked, and that is safe; but it does not correct itself where a later file lacks a column
that had no nulls before. So a file lacks only what :func:`may_lack` names; ``finops verify`` holds every file against
the same rule.

The groups of rows of a file lie in no order: one is written as soon as it is full, where keeping the order of the
source means holding those that wait for the ones before them (300 MB more for a million rows, and a thirteenth of the
time). Every row has its ``source_row``.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import duckdb

from finops_kit.fields import TABLES
from finops_kit.store.lake import LAKE, text_literal
from finops_kit.store.rowgroups import parquet_options


def may_lack(connection: duckdb.DuckDBPyConnection, table: str) -> set[str]:
    """The columns that the next file of a table may lack: all but those of which the lake says that none is null."""
    catalogue = f"__ducklake_metadata_{LAKE}.ducklake"
    columns = connection.execute(
        f"""SELECT c.column_id, c.parent_column, c.column_name,
                s.column_id IS NOT NULL AND coalesce(s.contains_null::INT, 0) <> 1
            FROM {catalogue}_column c JOIN {catalogue}_table t USING (table_id)
            LEFT JOIN {catalogue}_table_column_stats s USING (table_id, column_id)
            WHERE t.table_name = ? AND t.end_snapshot IS NULL AND c.end_snapshot IS NULL""",
        [table],
    ).fetchall()
    whole = {number: (parent, name) for number, parent, name, _ in columns}
    without_null: set[str] = set()
    for number, _, _, never in columns:
        parent, name = whole[number]
        while parent is not None:  # the parts of a map have statistics, the map itself has none
            parent, name = whole[parent]
        without_null |= {name} if never else set()
    return set(TABLES[table].columns) - without_null


def append_narrow(
    connection: duckdb.DuckDBPyConnection, data: Path, table: str, columns: Collection[str], select_sql: str,
    wide: bool = False,
) -> int:  # fmt: skip
    """Append the rows of a SELECT, which yields ``columns`` and no other, as one file; how many there were.

    Parameters
    ----------
    data : the folder of the data files
    columns : the names of what the SELECT yields, ``batch_id`` among them
    wide : the rows have maps of very many entries
    """
    lacked = may_lack(connection, table) - set(columns)
    kept = [field for field in TABLES[table].fields if field.name not in lacked]
    given = {field.name: f'"{field.name}"' if field.name in columns else "NULL" for field in kept}
    typed = ", ".join(f'CAST({given[field.name]} AS {field.type}) AS "{field.name}"' for field in kept)
    (name,) = connection.execute("SELECT 'ducklake-' || uuidv7() || '.parquet'").fetchall()[0]  # as the lake names them
    path = data / "main" / table / name
    path.parent.mkdir(parents=True, exist_ok=True)
    row = connection.execute(
        f"COPY (SELECT {typed} FROM ({select_sql})) TO {text_literal(path)} "
        f"({parquet_options(connection, wide)}, PRESERVE_ORDER false)"
    ).fetchone()
    count = int(row[0]) if row else 0
    if count:
        connection.execute(
            f"CALL ducklake_add_data_files('{LAKE}', ?, ?, allow_missing => true)", [table, path.as_posix()]
        )
    else:
        path.unlink(missing_ok=True)
    return count
