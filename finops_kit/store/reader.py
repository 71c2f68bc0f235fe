"""Read the store as it was known at one version: every table of a reader is pinned to the same one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any

import duckdb

from finops_kit.errors import StoreError, StoreMissing, UsageError, VersionUnknown
from finops_kit.settings import Workspace
from finops_kit.store.acts import EXPIRE, expired_batches
from finops_kit.store.lacking import PAST, stand_ins
from finops_kit.store.lake import LAKE, attach, connect
from finops_kit.store.ledger import GENESIS
from finops_kit.store.schema import StoreSettings, read_settings
from finops_kit.store.views import create_views

AsOf = int | str | datetime | date | None


class Reader:
    """One consistent view of the store. Made by :func:`open_reader`.

    Attributes
    ----------
    version : the store version that every table is read at
    version_time : when the store learned what that version added (UTC)
    names : the tables and views that can be read
    """

    def __init__(
        self,
        workspace: Workspace,
        connection: duckdb.DuckDBPyConnection,
        version: int,
        version_time: datetime,
        views: bool = True,
    ) -> None:
        self.workspace = workspace
        self.connection = connection
        self.version = version
        self.version_time = version_time
        self._past = stand_ins(connection, version, refuse=views)
        self.names = create_views(connection, workspace.data, self._past, self.currency) if views else ()

    def source(self, table: str) -> str:
        """The name of one of the lake's own tables in SQL; at a version before the table, an empty one."""
        return f"memory.{PAST}.{table}" if table in self._past else f"{LAKE}.{table}"

    @cached_property
    def backend(self) -> Any:
        """The Ibis backend over this reader's connection."""
        import ibis

        return ibis.duckdb.from_connection(self.connection)

    def table(self, name: str) -> Any:
        """One table or view as an Ibis table.

        Raises
        ------
        UsageError : the store has no such table
        """
        if name not in self.names:
            raise UsageError(f"The store has no table {name!r}. It has {', '.join(self.names)}.")
        return self.backend.table(name)

    @cached_property
    def settings(self) -> StoreSettings:
        """The workspace's settings."""
        return read_settings(self.workspace)

    @property
    def currency(self) -> str:
        """The currency that this workspace's pages report in."""
        return self.settings.currency

    @cached_property
    def _head(self) -> tuple[int, str]:
        row = self.connection.execute(
            f"SELECT entry, entry_hash FROM {self.source('ledger')} ORDER BY entry DESC LIMIT 1"
        ).fetchone()
        return (int(row[0]), str(row[1])) if row else (0, GENESIS)

    @property
    def ledger_entries(self) -> int:
        """How many entries the ledger has at this version."""
        return self._head[0]

    @property
    def ledger_head(self) -> str:
        """``entry_hash`` of the newest entry at this version."""
        return self._head[1]

    def newest_entries(self, kind: str) -> list[dict[str, Any]]:
        """The ledger's entries of a kind at the newest version, whatever this reader's own is."""
        newest = f"(SELECT max(snapshot_id) FROM __ducklake_metadata_{LAKE}.ducklake_snapshot)"
        row = self.connection.execute(f"SELECT {newest}").fetchone()
        at = f" AT (VERSION => {int(row[0])})" if row and self.version != row[0] else ""
        source = f"{LAKE}.ledger{at}" if self.source("ledger").startswith(LAKE) else self.source("ledger")
        names = ("entry", "kind", "details", "actor", "recorded_at")
        found = self.connection.execute(
            f"SELECT {', '.join(names)} FROM {source} WHERE kind = ? ORDER BY entry", [kind]
        ).fetchall()
        return [dict(zip(names, one, strict=True)) for one in found]

    def expired_since(self) -> list[dict[str, Any]]:
        """What expired of what this version once had, by acts at whatever version."""
        acts = expired_batches(self.newest_entries(EXPIRE))
        return [act for act in acts if act["entry"] <= self.ledger_entries]


def _as_time(as_of: str | date) -> datetime:
    """A time as somebody writes it; a day means its end, and no zone means UTC."""
    if isinstance(as_of, datetime):
        moment = as_of
    elif isinstance(as_of, date):
        return datetime.combine(as_of + timedelta(days=1), time.min, UTC) - timedelta(microseconds=1)
    else:
        text = as_of.strip()
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return _as_time(date.fromisoformat(text))
        moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


#: every version and when it became known: the recorded_at of its ledger entry, never before an earlier version's
#: (the catalogue's own time is when the transaction began, and it follows a clock that is set back)
_VERSIONS = """
    SELECT snapshot_id, max(coalesce(try_cast(json_extract_string(try_cast(commit_extra_info AS JSON), '$.recorded_at')
        AS TIMESTAMPTZ), snapshot_time)) OVER (ORDER BY snapshot_id) AS snapshot_time
    FROM ducklake_snapshots('head')
"""


def _resolve(connection: duckdb.DuckDBPyConnection, as_of: AsOf) -> tuple[int, datetime]:
    """The version that ``as_of`` names, and its time. The lake is attached as ``head``."""
    versions = f"FROM ({_VERSIONS})"
    if as_of is None or as_of == "":
        row = connection.execute(f"SELECT snapshot_id, snapshot_time {versions} ORDER BY 1 DESC LIMIT 1").fetchone()
    elif isinstance(as_of, int) or (isinstance(as_of, str) and as_of.strip().isdigit()):
        wanted = int(as_of)
        row = connection.execute(
            f"SELECT snapshot_id, snapshot_time {versions} WHERE snapshot_id = ?", [wanted]
        ).fetchone()
        if row is None:
            newest = connection.execute(f"SELECT max(snapshot_id) {versions}").fetchone()
            raise VersionUnknown(f"The store has no version {wanted}; its newest is {newest[0] if newest else 0}.")
    else:
        try:
            moment = _as_time(as_of)
        except ValueError as error:
            raise UsageError(
                f"{as_of!r} is neither a store version nor a time. Write 42, 2026-03-31 or 2026-03-31T12:00:00Z."
            ) from error
        row = connection.execute(
            f"SELECT snapshot_id, snapshot_time {versions} WHERE snapshot_time <= ? ORDER BY 1 DESC LIMIT 1", [moment]
        ).fetchone()
        if row is None:
            raise VersionUnknown(f"The store knew nothing yet at {moment.isoformat()}.")
    if row is None:
        raise StoreMissing("The catalogue has no version at all; make the store again with `finops init`.")
    return int(row[0]), row[1].astimezone(UTC)


@contextmanager
def open_reader(
    workspace: Workspace, as_of: AsOf = None, memory_limit: str | None = None, views: bool = True
) -> Iterator[Reader]:
    """Open the store for reading, pinned to one version; later commits are not seen.

    Parameters
    ----------
    as_of : a store version, a time (a day means its end, no zone means UTC), or nothing for the newest
    memory_limit : what DuckDB may use, such as ``"1GB"``
    views : make the views; a check of the lake's own tables needs none, and must not stumble over them

    Raises
    ------
    StoreMissing : the workspace has no store
    VersionUnknown : the store never had that version, or knew nothing yet at that time
    StoreError : the catalogue cannot be read

    Example
    -------
    >>> import tempfile; from pathlib import Path; from finops_kit.store import create_store
    >>> place = Workspace(Path(tempfile.mkdtemp()) / "workspace")
    >>> _ = create_store(place)
    >>> with open_reader(place) as reader:
    ...     reader.table("charge").count().execute()
    0
    """
    connection = connect(memory_limit=memory_limit)
    try:
        try:
            attach(connection, workspace, name="head")
            version, moment = _resolve(connection, as_of)
            connection.execute("DETACH head")
            attach(connection, workspace, version=version)
            reader = Reader(workspace, connection, version, moment, views)
        except duckdb.Error as error:
            raise StoreError(
                f"The store in {workspace.root} is damaged: {str(error).splitlines()[0]}. "
                "`finops verify` says more; `finops restore` brings back a backup."
            ) from error
        yield reader
    finally:
        connection.close()
