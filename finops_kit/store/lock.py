"""The lock around writes: one writer at a time.

SQLite alone lets several writers fail half of their commits; a lock that the operating system drops
with its process makes them queue instead, and leaves nothing behind after a kill. A catalogue in
PostgreSQL serves several machines: there it is an advisory lock, dropped with its connection.
PostgreSQL alone would let two batches in at once, and both would take the same place in the ledger.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
from filelock import FileLock, Timeout

from finops_kit.errors import StoreBusy, StoreError
from finops_kit.settings import Workspace
from finops_kit.store.configuration import StoreSettings, read_settings
from finops_kit.store.lake import connect, load_postgres, text_literal

#: how long a writer waits for its turn
WAIT_SECONDS = 120.0
#: the advisory lock of a store's database; one database holds one store
LOCK_NUMBER = 7_365_241_903


@contextmanager
def writer_lock(
    workspace: Workspace, wait_seconds: float = WAIT_SECONDS, settings: StoreSettings | None = None
) -> Iterator[None]:
    """Hold the right to write; wait for it as long as is said.

    Raises
    ------
    StoreBusy : another process kept writing for longer than ``wait_seconds``
    StoreError : the workspace cannot be written to
    """
    known = settings or read_settings(workspace)
    with _database_lock(workspace, known, wait_seconds) if known.catalogue else _file_lock(workspace, wait_seconds):
        yield


def _busy(workspace: Workspace, wait_seconds: float) -> StoreBusy:
    return StoreBusy(
        f"Another process has been writing to {workspace.root} for over {wait_seconds:g} s. Try again later."
    )


@contextmanager
def _file_lock(workspace: Workspace, wait_seconds: float) -> Iterator[None]:
    lock = FileLock(str(workspace.lock), timeout=wait_seconds)
    try:
        workspace.root.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise _busy(workspace, wait_seconds) from error
    except OSError as error:
        raise StoreError(f"{workspace.root} cannot be written to: {error.strerror or error}.") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _database_lock(workspace: Workspace, settings: StoreSettings, wait_seconds: float) -> Iterator[None]:
    connection = connect(threads=1)
    try:
        try:
            load_postgres(connection)
            connection.execute(f"ATTACH {text_literal(settings.catalogue)} AS gate (TYPE postgres)")
            connection.execute("BEGIN")
            until = time.monotonic() + wait_seconds
            while not _taken(connection):
                if time.monotonic() > until:
                    raise _busy(workspace, wait_seconds)
                time.sleep(0.05)
        except duckdb.Error as error:
            said = str(error).splitlines()[0].replace(settings.catalogue, "its database")
            raise StoreError(f"The catalogue of {workspace.root} cannot be reached: {said}") from error
        yield
    finally:
        connection.close()


def _taken(connection: duckdb.DuckDBPyConnection) -> bool:
    row = connection.execute(
        f"SELECT got FROM postgres_query('gate', 'SELECT pg_try_advisory_xact_lock({LOCK_NUMBER})::int AS got')"
    ).fetchone()
    return bool(row and row[0])
