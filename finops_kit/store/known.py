"""What a writer knows of the ledger: asked as needed, kept up as it appends, forgotten when another did.

A ledger has one small data file per batch. Asking it anew for every file of a long ingest would cost more than the
ingest, and reading the whole of it for one file more than that file. So the first few questions are asked one by one,
which the lake answers from the one data file whose statistics fit, and only then the ledger is read whole.
"""

from __future__ import annotations

from typing import Any

import duckdb

from finops_kit.store.lake import LAKE

#: what a writer needs of an entry
_COLUMNS = (
    "entry", "batch_id", "kind", "source_file", "source_hash", "format", "rows_read", "rows_stored",
    "rows_quarantined", "control_totals", "recorded_at", "entry_hash",
)  # fmt: skip
#: so many contents are looked for one by one before all entries are read
ONE_BY_ONE = 4


class KnownEntries:
    """The ledger's entries by content, and the newest of them, as of one store version."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._version: int | None = None
        self._newest: dict[str, Any] | None = None
        self._empty: bool | None = None
        self._by_content: dict[tuple[str, str], dict[str, Any] | None] = {}
        self._whole = False
        self._asked = 0

    def at(self, version: int) -> KnownEntries:
        """These entries as of ``version``: what is known is forgotten if the store has moved on without this writer."""
        if version != self._version:
            self._forget(version)
        return self

    def append(self, entry: dict[str, Any], version: int) -> None:
        """Add the entry that this writer has just committed as ``version``."""
        added = {name: entry[name] for name in _COLUMNS}
        key = (added["source_hash"], added["kind"])
        if self._by_content.get(key) is None:
            self._by_content[key] = added
        self._newest, self._version, self._empty = added, version, False

    @property
    def newest(self) -> dict[str, Any] | None:
        """The newest entry; None while there is none."""
        if self._newest is None and not self._empty:
            row = self._connection.execute(f"SELECT max(entry) FROM {LAKE}.ledger").fetchone()
            self._empty = row is None or row[0] is None
            if row and row[0] is not None:
                self._newest = next(iter(self._read("entry = ?", [row[0]])), None)
        return self._newest

    def find(self, source_hash: str, kind: str) -> dict[str, Any] | None:
        """The first entry of that kind with that content."""
        key = (source_hash, kind)
        if self.newest is None:  # asked for an entry, the lake looks at the statistics of every column of nothing
            return None
        if key not in self._by_content and not self._whole:
            self._asked += 1
            if self._asked > ONE_BY_ONE:
                self._read_whole()
            else:
                found = self._read("source_hash = ? AND kind = ?", [source_hash, kind])
                self._by_content[key] = found[0] if found else None
        return self._by_content.get(key)

    def _forget(self, version: int) -> None:
        self._version = version
        self._by_content = {}
        self._newest = None
        self._empty = None
        self._whole = False
        self._asked = 0

    def _read_whole(self) -> None:
        entries = self._read("true", [])
        self._by_content = {(entry["source_hash"], entry["kind"]): entry for entry in reversed(entries)}
        self._newest = entries[-1] if entries else None
        self._whole = True

    def _read(self, condition: str, values: list[Any]) -> list[dict[str, Any]]:
        found = self._connection.execute(
            f"SELECT {', '.join(_COLUMNS)} FROM {LAKE}.ledger WHERE {condition} ORDER BY entry", values
        )
        return [dict(zip(_COLUMNS, row, strict=True)) for row in found.fetchall()]
