"""What a writer knows of the ledger: read once, kept up as it appends, read again when somebody else appended."""

from __future__ import annotations

from typing import Any

import duckdb

from finops_kit.store.lake import LAKE

#: what a writer needs of an entry
_COLUMNS = (
    "entry", "batch_id", "kind", "source_file", "source_hash", "format", "rows_read", "rows_stored",
    "rows_quarantined", "control_totals", "recorded_at", "entry_hash",
)  # fmt: skip


class KnownEntries:
    """The ledger's entries by content, and the newest of them, as of one store version.

    A ledger has one small data file per batch; asking it anew for every file of a long ingest would cost more
    than the ingest.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._version: int | None = None
        self._by_content: dict[tuple[str, str], dict[str, Any]] = {}
        self.newest: dict[str, Any] | None = None

    def at(self, version: int) -> KnownEntries:
        """These entries as of ``version``: read again if the store has moved on without this writer."""
        if version != self._version:
            self._by_content.clear()
            self.newest = None
            found = self._connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM {LAKE}.ledger ORDER BY entry")
            for row in found.fetchall():
                self._keep(dict(zip(_COLUMNS, row, strict=True)))
            self._version = version
        return self

    def append(self, entry: dict[str, Any], version: int) -> None:
        """Add the entry that this writer has just committed as ``version``."""
        self._keep({name: entry[name] for name in _COLUMNS})
        self._version = version

    def find(self, source_hash: str, kind: str) -> dict[str, Any] | None:
        """The first entry of that kind with that content."""
        return self._by_content.get((source_hash, kind))

    def _keep(self, entry: dict[str, Any]) -> None:
        self._by_content.setdefault((entry["source_hash"], entry["kind"]), entry)
        self.newest = entry
