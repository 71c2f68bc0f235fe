"""The store's only writing path: a batch is one transaction over all its tables with its ledger entry.

Rows are inserted and never updated or deleted. A batch that does not come to its end leaves nothing:
the transaction is rolled back and the files that it wrote are removed.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from finops_kit import __version__
from finops_kit.errors import ReconciliationFailed, StoreError, StoreMissing, UsageError
from finops_kit.fields import REFERENCE_TABLES, TABLES
from finops_kit.settings import Workspace
from finops_kit.store.acts import MIGRATE
from finops_kit.store.configuration import read_settings
from finops_kit.store.derive import OBSERVED_TABLES, derive_batch
from finops_kit.store.known import KnownEntries
from finops_kit.store.lacking import lacking, refuse_lost
from finops_kit.store.lake import LAKE, attach, connect, refuse_lost_catalogue
from finops_kit.store.ledger import GENESIS, canonical, decimals_as_json, entry_hash, file_hash
from finops_kit.store.lock import WAIT_SECONDS, writer_lock
from finops_kit.store.narrow import append_narrow

#: tables whose rows count as stored source rows
SOURCE_TABLES = frozenset(
    {"charge", "resource_snapshot", "platform_event", "usage_sample", *(table.name for table in REFERENCE_TABLES)}
)
#: the ledger is written by the batch itself, last
LEDGER = "ledger"
#: what DuckDB may use while a batch is written; the rest spills to disk
MEMORY_LIMIT = "1GB"


class Batch:
    """One transaction under way. Made by :meth:`Writer.batch`; commits when its ``with`` block ends.

    Attributes
    ----------
    source_hash : SHA-256 of the source file; may be said as late as at the end, where a file is hashed as it is read
    """

    def __init__(self, writer: Writer, entry: int, header: dict[str, Any]) -> None:
        self._writer = writer
        self._header = header
        self._started = datetime.now(UTC)
        self._touched: dict[str, set[Path]] = {}
        self._inserted: set[str] = set()
        self.source_hash = header.get("source_hash") or ""
        self.entry = entry
        self.id = f"b{entry:06d}-{self.source_hash[:8] or self._started.strftime('%H%M%S%f')[:8]}"
        self.rows_read = 0
        self.rows_stored = 0
        self.rows_quarantined = 0
        self.control_totals: dict[str, Decimal] = {}
        self.remainders: dict[str, Decimal] = {}
        self.details: dict[str, Any] = dict(header.get("details") or {})
        self.version: int | None = None

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The writer's connection; what is read here sees the batch's own rows."""
        return self._writer.connection

    @property
    def data(self) -> Path:
        """The folder of the data files."""
        return self._writer.workspace.data

    def new_files(self, table: str) -> list[Path]:
        """The data files that this batch has written for a table."""
        return sorted(self._writer.files_of(table) - self._touched[table]) if table in self._touched else []

    def insert(
        self, table: str, select_sql: str, params: Sequence[Any] | None = None,
        columns: Sequence[str] | None = None, wide: bool = False,
    ) -> int:  # fmt: skip
        """Append what a SELECT yields, columns by name; missing ones are null, ``batch_id`` is added.

        Parameters
        ----------
        columns : what the SELECT yields, where that is known and many columns are missing; see :mod:`.narrow`
        wide : the rows have maps of very many entries

        Returns
        -------
        The number of rows appended.

        Raises
        ------
        UsageError : the table is none of the store's, or the ledger
        """
        if table not in TABLES or table == LEDGER:
            raise UsageError(f"A batch cannot append to {table!r}.")
        self._touch(table)
        self._inserted.add(table)
        rows = f"SELECT *, '{self.id}' AS batch_id FROM ({select_sql})"
        if columns is not None and not params and not self._writer.encrypted:
            count = append_narrow(self.connection, self.data, table, {*columns, "batch_id"}, rows, wide)
        else:
            row = self.connection.execute(f"INSERT INTO {LAKE}.{table} BY NAME {rows}", params or []).fetchone()
            count = int(row[0]) if row else 0
        if table in SOURCE_TABLES:
            self.rows_stored += count
        elif table == "quarantine":
            self.rows_quarantined += count
        return count

    def insert_arrow(self, table: str, rows: pa.Table | pa.RecordBatchReader) -> int:
        """Append an Arrow table or stream, columns by name."""
        name = f"batch_{self.entry}_{table}"
        self._writer.connection.register(name, rows)
        try:
            return self.insert(table, f"SELECT * FROM {name}")
        finally:
            self._writer.connection.unregister(name)

    def insert_again(self, table: str, source: str) -> list[Path]:
        """Append rows as they are, each with the batch that it came with; the files written. For compaction alone."""
        self._touch(table)
        before = self._writer.files_of(table)
        self._writer.connection.execute(f"INSERT INTO {LAKE}.{table} BY NAME FROM {source}")
        return sorted(self._writer.files_of(table) - before)

    def _touch(self, table: str) -> None:
        if table not in self._touched:
            self._touched[table] = self._writer.files_of(table)

    def _new_files(self) -> list[tuple[str, Path]]:
        return [
            (table, path)
            for table, before in sorted(self._touched.items())
            for path in sorted(self._writer.files_of(table) - before)
        ]

    def _close(self, head: dict[str, Any] | None) -> dict[str, Any]:
        """Check the counts, write the ledger entry and return it; the caller commits."""
        if self.rows_read != self.rows_stored + self.rows_quarantined:
            raise ReconciliationFailed(
                f"{self._header.get('source_file') or self.id}: {self.rows_read} rows were read, but "
                f"{self.rows_stored} stored + {self.rows_quarantined} quarantined = "
                f"{self.rows_stored + self.rows_quarantined}. Nothing was stored."
            )
        if OBSERVED_TABLES & self._inserted:
            derive_batch(self)
        root = self._writer.workspace.data
        files = [
            {"table": table, "path": path.relative_to(root).as_posix(), "bytes": path.stat().st_size,
             "sha256": file_hash(path)}
            for table, path in self._new_files() if table != LEDGER
        ]  # fmt: skip
        recorded_at = self._known_time(head)
        entry: dict[str, Any] = {
            "entry": self.entry,
            "batch_id": self.id,
            "kind": self._header["kind"],
            "format": self._header.get("format") or "",
            "source_file": self._header.get("source_file") or "",
            "source_hash": self.source_hash,
            "source_bytes": int(self._header.get("source_bytes") or 0),
            "rows_read": self.rows_read,
            "rows_stored": self.rows_stored,
            "rows_quarantined": self.rows_quarantined,
            "control_totals": decimals_as_json(self.control_totals),
            "remainders": decimals_as_json({k: v for k, v in self.remainders.items() if v}),
            "actor": self._header.get("actor") or current_actor(),
            "started_at": self._started,
            "recorded_at": recorded_at,
            "kit_version": __version__,
            "details": json.dumps(self.details, sort_keys=True, separators=(",", ":"), default=str),
            "data_files": json.dumps(files, separators=(",", ":")),
            "previous_hash": head["entry_hash"] if head else GENESIS,
        }
        entry["entry_hash"] = entry_hash(entry)
        columns = ", ".join(f'"{name}"' for name in entry)
        marks = ", ".join("?" for _ in entry)
        connection = self._writer.connection
        connection.execute(f"INSERT INTO {LAKE}.{LEDGER} ({columns}) VALUES ({marks})", list(entry.values()))
        connection.execute(
            f"CALL {LAKE}.set_commit_message(?, ?, extra_info => ?)",
            [
                entry["actor"],
                f"{entry['kind']} {self.id}",
                json.dumps({"entry_hash": entry["entry_hash"], "recorded_at": canonical(recorded_at)}),
            ],
        )
        return entry

    def _known_time(self, head: dict[str, Any] | None) -> datetime:
        """Now, but never before the newest entry: a clock that was set back is noted in the details."""
        now = datetime.now(UTC)
        if head is None or now >= head["recorded_at"]:
            return now
        self.details["clock_behind_seconds"] = round((head["recorded_at"] - now).total_seconds(), 3)
        return head["recorded_at"].astimezone(UTC)


def current_actor() -> str:
    """Who runs this process, as the operating system says."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


class Writer:
    """A connection that may append to the store. Made by :func:`open_writer`.

    Attributes
    ----------
    added : tables and columns that the store lacked, and that were added when it was opened
    encrypted : whether the store's data files are, which only the lake itself can write
    """

    def __init__(self, workspace: Workspace, connection: duckdb.DuckDBPyConnection, wait_seconds: float) -> None:
        self.workspace = workspace
        self.connection = connection
        self._wait_seconds = wait_seconds
        self._held = 0
        self._known = KnownEntries(connection)
        self.added: list[str] = []
        self.encrypted = read_settings(workspace).encrypted

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the right to write over several steps; may be nested."""
        if self._held:
            self._held += 1
            try:
                yield
            finally:
                self._held -= 1
            return
        with writer_lock(self.workspace, self._wait_seconds):
            self._held = 1
            try:
                yield
            finally:
                self._held = 0

    def files_of(self, table: str) -> set[Path]:
        """The data files of one table that lie in the data folder now."""
        folder = self.workspace.data / "main" / table
        return set(folder.rglob("*.parquet")) if folder.is_dir() else set()

    def seen(self, source_hash: str, kind: str = "ingest") -> dict[str, Any] | None:
        """The ledger entry that stored this content already, or None."""
        return self._known_entries().find(source_hash, kind)

    def may_have(self, source_bytes: int) -> bool:
        """Whether a file of this size was ever stored: only then can its content have been."""
        row = self.connection.execute(
            f"SELECT count(*) FROM {LAKE}.ledger WHERE source_bytes = ?", [source_bytes]
        ).fetchone()
        return bool(row and row[0])

    def head(self) -> dict[str, Any] | None:
        """The newest ledger entry, with its hash and when it was recorded; None while there is none."""
        return self._known_entries().newest

    @property
    def is_new(self) -> bool:
        """Whether no batch was ever stored, as of the last look at the ledger, which every batch begins with.

        Of an empty table the lake asks the statistics of every column, so a new store is asked nothing.
        """
        return self._known.newest is None

    def _known_entries(self) -> KnownEntries:
        return self._known.at(self.version())

    def version(self) -> int:
        """The newest version of the store."""
        row = self.connection.execute(f"SELECT id FROM {LAKE}.current_snapshot()").fetchone()
        return int(row[0]) if row else 0

    @contextmanager
    def batch(
        self,
        *,
        kind: str,
        format: str = "",
        source_file: str = "",
        source_hash: str = "",
        source_bytes: int = 0,
        details: dict[str, Any] | None = None,
        actor: str | None = None,
    ) -> Iterator[Batch]:
        """One batch: everything appended inside becomes visible at once at its end, or not at all.

        Raises
        ------
        ReconciliationFailed : rows read are not rows stored + rows quarantined
        StoreError : the store could not be written to (a full or read-only disk)
        StoreBusy : another process kept writing
        """
        header = {"kind": kind, "format": format, "source_file": source_file, "source_hash": source_hash,
                  "source_bytes": source_bytes, "details": details, "actor": actor}  # fmt: skip
        with self.exclusive():
            head = self.head()
            self.connection.execute("BEGIN")
            batch = Batch(self, head["entry"] + 1 if head else 1, header)
            try:
                yield batch
                entry = batch._close(head)
                self.connection.execute("COMMIT")
            except BaseException as error:
                self._undo(batch)
                if isinstance(error, (duckdb.IOException, duckdb.TransactionException, OSError)):
                    raise StoreError(f"The batch was not stored: {str(error).splitlines()[0]}") from error
                raise
            batch.version = self.version()
            self._known.append(entry, batch.version)

    def migrate(self) -> None:
        """Bring a store that an earlier version of the package made up to what this one declares, by adding only.

        Missing tables are created and missing columns added, empty, as one recorded batch. No row and no data file is
        touched, so every hash and every version stays as it was.

        Raises
        ------
        StoreError : what is missing was there once, or is of the ledger, whose columns are what its hashes are over
        """
        if not lacking(self.connection):
            return
        with self.exclusive():
            missing = lacking(self.connection)  # another writer may have been first
            if not missing:
                return
            refuse_lost(self.connection, missing)
            if LEDGER in missing.columns or LEDGER in (table.name for table in missing.tables):
                raise StoreError("The store's ledger lacks columns; no version of finops made it so. Restore a backup.")
            tables = [table.name for table in missing.tables]
            columns = [f"{name}.{field.name}" for name, fields in missing.columns.items() for field in fields]
            with self.batch(kind=MIGRATE, format="schema", details={"tables": tables, "columns": columns}):
                for table in missing.tables:
                    self.connection.execute(f"CREATE TABLE {LAKE}.{table.name} ({table.ddl})")
                for name, fields in missing.columns.items():
                    for field in fields:
                        self.connection.execute(f'ALTER TABLE {LAKE}.{name} ADD COLUMN "{field.name}" {field.type}')
            self.added = [*tables, *columns]

    def _undo(self, batch: Batch) -> None:
        with suppress(duckdb.Error):  # the failed statement may have ended the transaction already
            self.connection.execute("ROLLBACK")
        for _, path in batch._new_files():
            path.unlink(missing_ok=True)


@contextmanager
def open_writer(workspace: Workspace, wait_seconds: float = WAIT_SECONDS) -> Iterator[Writer]:
    """Open the store for appending. The lock is taken by each batch, not for as long as the writer is open.

    A store that an earlier version of the package made is brought up to date first: see :meth:`Writer.migrate`.

    Raises
    ------
    StoreMissing : the workspace has no store

    Example
    -------
    >>> import tempfile; from finops_kit.store import create_store
    >>> place = Workspace(Path(tempfile.mkdtemp()) / "workspace")
    >>> _ = create_store(place)
    >>> with open_writer(place) as writer, writer.batch(kind="ingest", format="budgets") as batch:
    ...     batch.rows_read = batch.insert(
    ...         "budget", "SELECT DATE '2026-09-01' AS month, 'total' AS dimension, 100 AS amount, 'EUR' AS currency")
    >>> batch.rows_stored
    1
    """
    if not workspace.exists:
        refuse_lost_catalogue(workspace)
        raise StoreMissing(f"There is no store in {workspace.root}. Make one with `finops init` or `finops demo`.")
    connection = connect(memory_limit=MEMORY_LIMIT)
    try:
        attach(connection, workspace, read_only=False)
        writer = Writer(workspace, connection, wait_seconds)
        writer.migrate()
        yield writer
    finally:
        connection.close()
