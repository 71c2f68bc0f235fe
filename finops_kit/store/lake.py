"""Attach the lake: DuckDB with its extensions loaded by path, and the DuckLake catalogue of one workspace.

DuckLake keeps tables as plain Parquet files and their versions in a catalogue; SQLite in WAL mode lets
readers and the one writer of the moment work at once. Extensions come as Python wheels: nothing is
downloaded, and DuckDB checks their signatures.
"""

from __future__ import annotations

import importlib.resources
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

from finops_kit.errors import StoreError, StoreMissing
from finops_kit.settings import Workspace
from finops_kit.store.configuration import StoreSettings, read_settings

#: what a store needs; see :func:`_load` for how they are trusted
EXTENSIONS = ("ducklake", "sqlite_scanner")
#: brings the cryptography that encrypted data files are written and read with
CRYPTOGRAPHY = "httpfs"
#: the name that the lake is attached under
LAKE = "lake"
#: how long SQLite waits for another process, in milliseconds
BUSY_MILLISECONDS = 10_000


def text_literal(value: str | Path) -> str:
    """Quote a text for the few statements that take no bound parameter (ATTACH, SET).

    Example
    -------
    >>> text_literal("it's")
    "'it''s'"
    """
    return "'" + str(value).replace("'", "''") + "'"


def _extension_path(name: str) -> Path:
    package = Path(str(importlib.resources.files(f"duckdb_extension_{name}")))
    found = sorted(package.glob(f"extensions/v{duckdb.__version__}/{name}.duckdb_extension"))
    if not found:
        raise StoreError(
            f"The DuckDB extension {name!r} for DuckDB {duckdb.__version__} is not installed. "
            f"Install the wheel duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__}."
        )
    return found[0]


#: the extension files whose signature this process has checked, each with its size, time and place on the disk
_SIGNED: set[tuple[str, int, int, int]] = set()


def _load(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load an extension after its signature was checked, which takes a tenth of a second: once for each process.

    Raises
    ------
    StoreError : the extension is not installed, or not signed by DuckDB's own key
    """
    path = _extension_path(name)
    stat = path.stat()
    stamp = (str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino)
    if stamp not in _SIGNED:
        try:
            with duckdb.connect() as judge:  # only a connection that refuses unsigned extensions checks
                judge.load_extension(str(path))
        except duckdb.Error as error:
            raise StoreError(
                f"The DuckDB extension {path} is not as DuckDB signed it: install its wheel anew."
            ) from error
        _SIGNED.add(stamp)
    connection.load_extension(str(path))


def connect(memory_limit: str | None = None, threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB with the lake's extensions loaded, in UTC, that downloads nothing.

    Parameters
    ----------
    memory_limit : what DuckDB may use before it spills, such as ``"1GB"``; its own default otherwise
    threads : how many threads; all cores otherwise
    """
    config: dict[str, Any] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_unsigned_extensions": "true",  # :func:`_load` has checked them
    }
    if memory_limit:
        config["memory_limit"] = memory_limit
    if threads:
        config["threads"] = threads
    connection = duckdb.connect(config=config)
    for name in EXTENSIONS:
        _load(connection, name)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")  # a notebook would show it as a widget
    return connection


def load_postgres(connection: duckdb.DuckDBPyConnection) -> None:
    """Load what a catalogue in PostgreSQL needs.

    Raises
    ------
    StoreError : the extra is not installed
    """
    try:
        _load(connection, "postgres_scanner")
    except (ModuleNotFoundError, StoreError) as error:
        raise StoreError(
            "A catalogue in PostgreSQL needs one package more: pip install 'finops_kit[postgres]'."
        ) from error


def attach(
    connection: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    *,
    read_only: bool = True,
    version: int | None = None,
    name: str = LAKE,
    new: StoreSettings | None = None,
) -> None:
    """Attach the workspace's lake to a connection, pinned to one version of all its tables if asked.

    Parameters
    ----------
    new : what a store that is being made shall be; the workspace's own settings otherwise

    Raises
    ------
    StoreMissing : the workspace has no store
    StoreError : the catalogue cannot be opened, is lost, or is that of another store
    """
    if not workspace.exists:
        refuse_lost_catalogue(workspace)
        if read_only:
            raise StoreMissing(f"There is no store in {workspace.root}. Make one with `finops init` or `finops demo`.")
    settings = new or read_settings(workspace)
    options = [
        f"DATA_PATH {text_literal(workspace.data.as_posix() + '/')}",
        "OVERRIDE_DATA_PATH true",
        "DATA_INLINING_ROW_LIMIT 0",
    ]
    if settings.catalogue:
        load_postgres(connection)
        target = text_literal(f"ducklake:postgres:{settings.catalogue}")
    else:
        options += ["META_JOURNAL_MODE 'WAL'", f"META_BUSY_TIMEOUT {BUSY_MILLISECONDS}"]
        catalogue = workspace.catalogue
        if read_only and catalogue.is_file() and not os.access(workspace.root, os.W_OK):
            catalogue = _copy_to_read(catalogue)
        target = text_literal(f"ducklake:sqlite:{catalogue.as_posix()}")
    if settings.encrypted:
        _load(connection, CRYPTOGRAPHY)
        # what does not fit into memory is written to a folder of its own, encrypted as well
        connection.execute(f"SET temp_directory = {text_literal(workspace.root / f'spill-{os.getpid()}')}")
        connection.execute("SET temp_file_encryption = true")
        if new is not None:
            options.append("ENCRYPTED")
    if read_only:
        options.append("READ_ONLY")
    if version is not None:
        options.append(f"SNAPSHOT_VERSION {int(version)}")
    try:
        connection.execute(f"ATTACH {target} AS {name} ({', '.join(options)})")
        found = catalogue_store_id(connection, name) if settings.store_id else ""
    except duckdb.Error as error:
        said = str(error).splitlines()[0]
        if not read_only and not os.access(workspace.root, os.W_OK):
            raise StoreError(f"{workspace.root} cannot be written to; it can still be read.") from error
        if settings.catalogue:
            said = said.replace(settings.catalogue, "its database")
        raise StoreError(f"The store in {workspace.root} cannot be opened: {said}") from error
    if found != settings.store_id:
        raise StoreError(
            f"The catalogue of {workspace.root} is of store {found}, but its {workspace.settings_file.name} and data "
            f"are of store {settings.store_id}: two stores were mixed. Nothing was read or written; put each "
            "catalogue back to its own data, or restore a backup."
        )


#: copies of catalogues on disks that cannot be written to; they go with the process
_COPIES: list[tempfile.TemporaryDirectory[str]] = []


def _copy_to_read(catalogue: Path) -> Path:
    """A copy of a catalogue where SQLite may keep its own files, which it cannot on a read-only disk."""
    _COPIES.append(tempfile.TemporaryDirectory(prefix="finops-"))
    copy = Path(_COPIES[-1].name) / catalogue.name
    try:
        with closing(sqlite3.connect(f"{catalogue.as_uri()}?mode=ro", uri=True)) as origin:
            with closing(sqlite3.connect(copy)) as target:
                origin.backup(target)
    except sqlite3.Error:  # not even its lock can be taken: nobody writes there
        for part in (catalogue, catalogue.with_name(catalogue.name + "-wal")):
            if part.is_file():
                shutil.copyfile(part, copy.with_name(part.name))
    return copy


def catalogue_store_id(connection: duckdb.DuckDBPyConnection, name: str = LAKE) -> str:
    """The id that the store got when it was made; copies and backups keep it."""
    row = connection.execute(
        f"SELECT schema_uuid FROM __ducklake_metadata_{name}.ducklake_schema ORDER BY begin_snapshot, schema_id LIMIT 1"
    ).fetchone()
    return str(row[0]) if row else ""


def refuse_lost_catalogue(workspace: Workspace) -> None:
    """Stop where data files lie but the catalogue that lists them is gone: a new one would hide them.

    Raises
    ------
    StoreError : the catalogue is lost
    """
    files = sum(1 for _ in workspace.data.rglob("*.parquet")) if workspace.data.is_dir() else 0
    if files:
        raise StoreError(
            f"The catalogue {workspace.catalogue} is gone, but {files} data files of its store are there. "
            "Bring it back with `finops restore`; nothing was made in its place."
        )
