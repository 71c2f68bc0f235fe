"""Rows in quarantine that still wait: which they are, and which were replayed since.

Nothing leaves the quarantine. A row is no longer open once

- a replay, a batch that names the rows it brings again, has read it: what could not be stored stands under the replay;
- the same file was taken in whole by a later batch, under a corrected mapping: what could not be stored stands there;
- another delivery of its account and period is current instead of the row's own, and its own does not wait for the
  other parts of a report.
"""

from __future__ import annotations

from typing import Any

import duckdb

from finops_kit.store.chains import waiting_batches

#: rows in quarantine, each with the batch that replayed it where one did; bound are the batches that wait for others
HELD = """
    WITH replayed AS (
        SELECT json_extract_string(details, '$.replays.batch_id') AS batch_id, batch_id AS replayed_by,
            unnest(json_extract(details, '$.replays.rows')::BIGINT[]) AS source_row
        FROM ledger WHERE kind = 'ingest' AND json_extract(details, '$.replays') IS NOT NULL
    ), again AS (
        SELECT l.batch_id, min(n.batch_id) AS replayed_by FROM ledger l JOIN ledger n
        ON n.source_hash = l.source_hash AND n.entry > l.entry AND n.kind = 'ingest' AND l.kind = 'ingest'
        WHERE l.rows_quarantined > 0 AND json_extract(n.details, '$.replays') IS NULL GROUP BY l.batch_id
    ), replaced AS (
        SELECT d.batch_id FROM delivery d LEFT JOIN current_delivery c ON c.batch_id = d.batch_id
        GROUP BY d.batch_id HAVING count(c.batch_id) = 0 AND NOT list_contains(?::VARCHAR[], d.batch_id)
    )
    SELECT q.batch_id, q.source_file, q.source_row, q.column_name, q.reason, q.raw, l.recorded_at, l.format,
        l.source_hash, coalesce(min(r.replayed_by), min(a.replayed_by)) AS replayed_by,
        count(p.batch_id) > 0 AS replaced
    FROM quarantine q JOIN ledger l ON l.batch_id = q.batch_id
    LEFT JOIN replayed r ON r.batch_id = q.batch_id AND r.source_row = q.source_row
    LEFT JOIN again a ON a.batch_id = q.batch_id
    LEFT JOIN replaced p ON p.batch_id = q.batch_id
    GROUP BY ALL
"""
_OPEN = "(replayed_by IS NULL AND NOT replaced)"


def held_rows(
    connection: duckdb.DuckDBPyConnection, batch: str = "", file: str = "", everything: bool = False
) -> list[dict[str, Any]]:
    """The rows in quarantine, the open ones alone unless ``everything``; of one batch or file where named."""
    found = connection.execute(
        f"SELECT * FROM ({HELD}) WHERE (? OR {_OPEN}) AND (? = '' OR batch_id = ?) "
        "AND (? = '' OR source_file = ?) ORDER BY recorded_at, batch_id, source_row",
        [waiting_batches(connection), everything, batch, batch, file, file],
    )
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def held_groups(connection: duckdb.DuckDBPyConnection, everything: bool = False) -> list[dict[str, Any]]:
    """How many rows wait, by batch, file, column and reason; values in a reason are left out of it."""
    found = connection.execute(
        f"""SELECT batch_id, source_file, column_name, regexp_replace(reason, '^''.*'' is', '... is') AS reason,
                count(*) AS rows, min(source_row) AS first_row, count(*) FILTER (NOT {_OPEN}) AS closed
            FROM ({HELD}) WHERE ? OR {_OPEN} GROUP BY ALL ORDER BY batch_id, first_row""",
        [waiting_batches(connection), everything],
    )
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
