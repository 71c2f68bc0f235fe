"""Move a catalogue between PostgreSQL and SQLite, table by table: a backup is a folder, wherever its catalogue was.

Both kinds have the same tables. An empty catalogue of the wanted kind is made by the lake itself, so that it is
of the lake's own making, and its rows are then those of the other one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from finops_kit.errors import StoreError, UsageError
from finops_kit.store.lake import connect, load_postgres, text_literal

#: where the new catalogue says that its data lie until it is opened in its workspace, which always says it itself
NOWHERE = "."


def to_sqlite(database: str, target: Path) -> None:
    """Copy a catalogue in PostgreSQL into a new SQLite file.

    Parameters
    ----------
    database : the PostgreSQL connection

    Raises
    ------
    StoreError : the database cannot be read, or holds no catalogue
    """
    with _said_plainly(database), _both() as connection:
        _make(connection, f"ducklake:sqlite:{target.as_posix()}")
        connection.execute(f"ATTACH {text_literal(target.as_posix())} AS new (TYPE sqlite)")
        connection.execute(f"ATTACH {text_literal(database)} AS old (TYPE postgres, READ_ONLY)")
        _fill(connection)
    target.chmod(0o600)  # it may hold the keys of the data files
    with closing(sqlite3.connect(target)) as made:
        made.execute("PRAGMA journal_mode = WAL")  # readers ask for it, and may not be allowed to set it


def to_postgres(source: Path, database: str) -> None:
    """Copy a SQLite catalogue into an empty PostgreSQL database.

    Raises
    ------
    UsageError : the database holds a catalogue already
    StoreError : the database cannot be written to
    """
    with _said_plainly(database), _both() as connection:
        connection.execute(f"ATTACH {text_literal(database)} AS new (TYPE postgres)")
        if _tables(connection, "new"):
            raise UsageError("That database holds a catalogue already; nothing was changed. Name an empty one.")
        connection.execute("DETACH new")
        _make(connection, f"ducklake:postgres:{database}")
        connection.execute(f"ATTACH {text_literal(database)} AS new (TYPE postgres)")
        connection.execute(f"ATTACH {text_literal(source.as_posix())} AS old (TYPE sqlite, READ_ONLY)")
        _fill(connection)


@contextmanager
def _both() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = connect(threads=1)
    try:
        load_postgres(connection)
        yield connection
    finally:
        connection.close()


@contextmanager
def _said_plainly(database: str) -> Iterator[None]:
    """An error of the engine in one sentence, without the connection, which may hold a password."""
    try:
        yield
    except duckdb.Error as error:
        said = str(error).splitlines()[0].replace(database, "its database")
        raise StoreError(f"The catalogue cannot be copied: {said}") from error


def _make(connection: duckdb.DuckDBPyConnection, target: str) -> None:
    connection.execute(
        f"ATTACH {text_literal(target)} AS made (DATA_PATH {text_literal(NOWHERE)}, DATA_INLINING_ROW_LIMIT 0)"
    )
    connection.execute("DETACH made")


def _tables(connection: duckdb.DuckDBPyConnection, database: str) -> list[str]:
    rows = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = ? AND starts_with(table_name, 'ducklake_') "
        "ORDER BY 1",
        [database],
    ).fetchall()
    return [str(row[0]) for row in rows]


def _fill(connection: duckdb.DuckDBPyConnection) -> None:
    """The rows of the old catalogue in the place of those that an empty one begins with, in one transaction."""
    there = _tables(connection, "old")
    if "ducklake_snapshot" not in there:
        raise StoreError("The database holds no catalogue of a store.")
    made = _tables(connection, "new")
    if unknown := sorted(set(there) - set(made)):
        raise StoreError(f"The catalogue has tables that this version does not know: {', '.join(unknown)}.")
    connection.execute("BEGIN")
    for table in made:
        connection.execute("DELETE FROM new." + table)
        if table in there:
            connection.execute(f"INSERT INTO new.{table} BY NAME SELECT * FROM old.{table}")
    connection.execute("COMMIT")
