"""A Parquet file as an engine reads it: its columns, their types, and the scan that numbers its rows."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from finops_kit.errors import SourceRefused
from finops_kit.sources.files import SourceFile


@dataclass(frozen=True)
class ParquetColumns:
    """The columns of one Parquet file: names as they stand there, DuckDB types beside them."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: int


def read_columns(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> ParquetColumns:
    """The names and types of a Parquet file's columns, and its number of rows.

    Raises
    ------
    SourceRefused : the file is damaged
    """
    try:
        described = connection.execute(
            "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet(?))", [_literal_path(source)]
        ).fetchall()
        counted = connection.execute("SELECT count(*) FROM read_parquet(?)", [_literal_path(source)]).fetchone()
    except duckdb.Error as error:
        raise SourceRefused(
            f"{source.name} is a damaged Parquet file ({str(error).splitlines()[0][:200]}). Copy or export it again."
        ) from error
    names, types = zip(*described, strict=True)
    return ParquetColumns(tuple(names), tuple(types), int(counted[0]) if counted else 0)


def scan_sql(source: SourceFile, columns: ParquetColumns) -> str:
    """The SELECT that reads the file with its columns as ``c0``, ``c1`` ... and ``source_row`` from 1."""
    renamed = ", ".join(f"{quote(name)} AS c{i}" for i, name in enumerate(columns.names))
    path = _literal_path(source).replace("'", "''")
    return f"SELECT {renamed}, file_row_number + 1 AS source_row FROM read_parquet('{path}', file_row_number = true)"


def quote(name: str) -> str:
    """A column name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _literal_path(source: SourceFile) -> str:
    """The path with the engine's wildcards switched off."""
    text = str(source.path.absolute())
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in text)
