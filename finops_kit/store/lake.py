"""Attach the lake: DuckDB with its extensions loaded by path, and the DuckLake catalogue of one workspace.

DuckLake keeps tables as plain Parquet files and their versions in a catalogue; SQLite in WAL mode lets
readers and the one writer of the moment work at once. Extensions come as Python wheels: nothing is
downloaded, and DuckDB checks their signatures.
"""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import Any

import duckdb

from finops_kit.errors import StoreError, StoreMissing
from finops_kit.settings import Workspace

#: load order matters: httpfs brings the cryptography that ducklake uses
EXTENSIONS = ("httpfs", "ducklake", "sqlite_scanner")
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


def connect(memory_limit: str | None = None, threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB with the lake's extensions loaded, in UTC, that downloads nothing.

    Parameters
    ----------
    memory_limit : what DuckDB may use before it spills, such as ``"1GB"``; its own default otherwise
    threads : how many threads; all cores otherwise
    """
    config: dict[str, Any] = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    if memory_limit:
        config["memory_limit"] = memory_limit
    if threads:
        config["threads"] = threads
    connection = duckdb.connect(config=config)
    for name in EXTENSIONS:
        connection.load_extension(str(_extension_path(name)))
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")  # a notebook would show it as a widget
    return connection


def attach(
    connection: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    *,
    read_only: bool = True,
    version: int | None = None,
    name: str = LAKE,
) -> None:
    """Attach the workspace's lake to a connection, pinned to one version of all its tables if asked.

    Raises
    ------
    StoreMissing : the workspace has no store
    StoreError : the catalogue cannot be opened
    """
    if read_only and not workspace.exists:
        raise StoreMissing(f"There is no store in {workspace.root}. Make one with `finops init` or `finops demo`.")
    options = [
        f"DATA_PATH {text_literal(workspace.data.as_posix() + '/')}",
        "OVERRIDE_DATA_PATH true",
        "META_JOURNAL_MODE 'WAL'",
        f"META_BUSY_TIMEOUT {BUSY_MILLISECONDS}",
        "DATA_INLINING_ROW_LIMIT 0",
    ]
    if read_only:
        options.append("READ_ONLY")
    if version is not None:
        options.append(f"SNAPSHOT_VERSION {int(version)}")
    target = text_literal(f"ducklake:sqlite:{workspace.catalogue.as_posix()}")
    try:
        connection.execute(f"ATTACH {target} AS {name} ({', '.join(options)})")
    except duckdb.Error as error:
        raise StoreError(f"The store in {workspace.root} cannot be opened: {str(error).splitlines()[0]}") from error
