"""Rows in quarantine that still wait: which they are, and which were replayed since.

Nothing leaves the quarantine. A replay is a batch that names the rows it brings again; a row that it stored is no
longer open, one that it could not store stands under the replay's own batch again.
"""

from __future__ import annotations

from typing import Any

import duckdb

#: rows in quarantine, each with the batch that replayed it where one did
HELD = """
    WITH replayed AS (
        SELECT json_extract_string(details, '$.replays.batch_id') AS batch_id, batch_id AS replayed_by,
            unnest(json_extract(details, '$.replays.rows')::BIGINT[]) AS source_row
        FROM ledger WHERE kind = 'ingest' AND json_extract(details, '$.replays') IS NOT NULL
    )
    SELECT q.batch_id, q.source_file, q.source_row, q.column_name, q.reason, q.raw, l.recorded_at, l.format,
        l.source_hash, min(r.replayed_by) AS replayed_by
    FROM quarantine q JOIN ledger l ON l.batch_id = q.batch_id
    LEFT JOIN replayed r ON r.batch_id = q.batch_id AND r.source_row = q.source_row
    GROUP BY ALL
"""


def held_rows(
    connection: duckdb.DuckDBPyConnection, batch: str = "", file: str = "", everything: bool = False
) -> list[dict[str, Any]]:
    """The rows in quarantine, the open ones alone unless ``everything``; of one batch or file where named."""
    found = connection.execute(
        f"SELECT * FROM ({HELD}) WHERE (? OR replayed_by IS NULL) AND (? = '' OR batch_id = ?) "
        "AND (? = '' OR source_file = ?) ORDER BY recorded_at, batch_id, source_row",
        [everything, batch, batch, file, file],
    )
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def held_groups(connection: duckdb.DuckDBPyConnection, everything: bool = False) -> list[dict[str, Any]]:
    """How many rows wait, by batch, file, column and reason; values in a reason are left out of it."""
    found = connection.execute(
        f"""SELECT batch_id, source_file, column_name, regexp_replace(reason, '^''.*'' is', '... is') AS reason,
                count(*) AS rows, min(source_row) AS first_row, count(replayed_by) AS replayed
            FROM ({HELD}) WHERE ? OR replayed_by IS NULL GROUP BY ALL ORDER BY batch_id, first_row""",
        [everything],
    )
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
