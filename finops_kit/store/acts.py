"""What the ledger says of acts that were no ingest: what expired, and which files were merged."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC
from typing import Any

import duckdb

from finops_kit.store.lake import LAKE

#: the kinds of ledger entries by which data expired, small files were merged, and tables or columns were added
EXPIRE = "expire"
COMPACT = "compact"
MIGRATE = "migrate"

Row = dict[str, Any]


def all_entries(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """The ledger's entries at the version that the connection sees, in their order."""
    return list(connection.execute(f"SELECT * FROM {LAKE}.ledger ORDER BY entry").to_arrow_table().to_pylist())


def expired_batches(entries: Sequence[Row]) -> list[Row]:
    """What expired by the ledger's entries: per batch and table, with ``by``, the number of the act's entry."""
    found = []
    for entry in entries:
        if entry["kind"] == EXPIRE:
            told = json.loads(entry["details"] or "{}")
            act = {"by": entry["entry"], "class": told.get("class", ""), "reason": told.get("reason", ""),
                   "actor": entry["actor"], "recorded_at": entry["recorded_at"]}  # fmt: skip
            found += [{**batch, **act} for batch in told.get("batches", [])]
    return found


def acts_of(expired: Sequence[Row]) -> list[Row]:
    """The acts by which batches expired: entry, class, reason, who, when, and how much of which tables.

    Parameters
    ----------
    expired : per batch and table, as :func:`expired_batches` gives them
    """
    acts: dict[int, Row] = {}
    batches: dict[int, set[str]] = defaultdict(set)
    for one in expired:
        act = acts.setdefault(
            one["by"],
            {"entry": one["by"], "class": one["class"], "reason": one["reason"], "actor": one["actor"],
             "recorded_at": one["recorded_at"].astimezone(UTC).isoformat(), "tables": [], "batches": 0, "files": 0,
             "rows": 0},
        )  # fmt: skip
        act["tables"] = sorted({*act["tables"], one["table"]})
        batches[one["by"]].add(one["batch_id"])
        act["batches"] = len(batches[one["by"]])
        act["files"] += len(one["files"])
        act["rows"] += one.get("rows", 0)
    return [acts[number] for number in sorted(acts)]


def expired_files(connection: duckdb.DuckDBPyConnection, version: int) -> dict[str, int]:
    """Tables of which files expired after a version, each with the version from which on they are read without them.

    A file that was merged into another is still there; only where that one expired are both gone.
    """
    catalogue = f"__ducklake_metadata_{LAKE}.ducklake"
    rows = connection.execute(
        f"SELECT t.table_name, max(f.end_snapshot) FROM {catalogue}_data_file f JOIN {catalogue}_table t "
        f"USING (table_id) JOIN {catalogue}_snapshot_changes c ON c.snapshot_id = f.end_snapshot "
        f"WHERE f.end_snapshot > ? AND starts_with(c.commit_message, '{EXPIRE} b') GROUP BY 1",
        [version],
    ).fetchall()
    return {str(table): int(until) for table, until in rows}


def merges(entries: Sequence[Row]) -> list[Row]:
    """What was merged by the ledger's entries, in their order, each with ``by``, the number of the act's entry."""
    return [
        {**record, "by": entry["entry"]}
        for entry in entries if entry["kind"] == COMPACT
        for record in json.loads(entry["details"] or "{}").get("merged", [])
    ]  # fmt: skip


def versions_of(connection: duckdb.DuckDBPyConnection, kind: str) -> dict[int, int]:
    """The store version that each act of a kind made, by the number of its ledger entry, at whatever version."""
    found = connection.execute(
        f"SELECT commit_message, snapshot_id FROM __ducklake_metadata_{LAKE}.ducklake_snapshot_changes "
        "WHERE starts_with(commit_message, ?)",
        [f"{kind} b"],
    ).fetchall()
    return {int(message.rpartition(" b")[2].partition("-")[0]): int(version) for message, version in found}
