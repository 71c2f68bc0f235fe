"""From observations to runs: who wins, who is missing, and which observations are one unbroken state.

Set-based SQL over the temporary table ``derive_observation``: explicit snapshots, and for a resource that
is only continued its last run as one observation that stands for many (``run_*`` columns are then filled).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb

from finops_kit.fields import TABLES
from finops_kit.store.derive import sources
from finops_kit.store.derive.rules import (
    DIMENSIONS,
    IDENTITY_COLUMNS,
    OBSERVED_COLUMNS,
    plain_sql,
    staleness_sql,
    state_sql,
)

#: what a snapshot gives to the derivation
SNAPSHOT_COLUMNS = (
    "snapshot_id", "resource_id", "resource_name", "source_system", "source_sequence", "observed_at", "presence",
    "scope", *IDENTITY_COLUMNS, *OBSERVED_COLUMNS, "usage_vcpu", "tags", "attributes",
)  # fmt: skip

#: what a continued run adds: the run that stands for its observations
RUN_COLUMNS = {
    "run_first_seen_at": "TIMESTAMPTZ",
    "run_observations": "BIGINT",
    "run_changes": TABLES["state_run"].field("changes").type,
    "run_seen_in": "VARCHAR[]",
    "run_lost": "BOOLEAN",
}

#: only ids, times and the state's number: sorting is done on this narrow table
_THIN = f"""
    CREATE OR REPLACE TEMP TABLE derive_thin AS
    SELECT nr, resource_id, source_system, observed_at, {state_sql()} AS state,
        observed_at + {staleness_sql()} AS stale_at
    FROM derive_observation
"""

#: from some moment on nobody watched the scope: what was seen there before is carried up to that moment
_LOST = """
    CREATE OR REPLACE TEMP TABLE derive_thin AS
    SELECT t.* REPLACE (least(t.stale_at, lost.lost_at) AS stale_at)
    FROM derive_thin t LEFT JOIN (
        SELECT seen.nr, look.observed_at AS lost_at
        FROM (SELECT nr, source_system, scope, observed_at FROM derive_observation
              WHERE presence = 'present' AND scope IS NOT NULL) seen
        ASOF JOIN (SELECT * FROM derive_look WHERE lost) look
          ON look.source_system = seen.source_system AND look.scope = seen.scope AND seen.observed_at < look.observed_at
    ) lost USING (nr)
"""

#: one source said several things of a resource at one instant; nearly always there are none, and nothing is sorted
_TIE = """
    CREATE OR REPLACE TEMP TABLE derive_tie AS
    SELECT resource_id, source_system, observed_at FROM derive_thin GROUP BY ALL HAVING count(*) > 1
"""

#: the greatest sequence wins, then the hash
_SETTLE = """
    CREATE OR REPLACE TEMP TABLE derive_thin AS
    SELECT * FROM derive_thin WHERE nr NOT IN (
        SELECT t.nr FROM derive_thin t SEMI JOIN derive_tie USING (resource_id, source_system, observed_at)
        JOIN derive_observation o ON o.nr = t.nr
        QUALIFY row_number() OVER (PARTITION BY o.resource_id, o.source_system, o.observed_at
            ORDER BY o.source_sequence DESC NULLS LAST, o.snapshot_id, o.nr) > 1)
"""

#: for every instant at which a scope was seen, the next complete look at that scope
_NEXT_LOOK = """
    CREATE OR REPLACE TEMP TABLE derive_next_look AS
    SELECT seen.source_system, seen.scope, seen.observed_at, look.observed_at AS looked_at
    FROM (SELECT DISTINCT source_system, scope, observed_at FROM derive_observation
          WHERE presence = 'present' AND scope IS NOT NULL) seen
    ASOF JOIN (SELECT * FROM derive_look WHERE NOT lost) look
      ON look.source_system = seen.source_system AND look.scope = seen.scope AND seen.observed_at < look.observed_at
"""

#: present, and not said anything of by the same source at the next complete look; the few that are left are
#: missing, unless the source said something of them in between
_MISSING = f"""
    CREATE OR REPLACE TEMP TABLE derive_missing AS
    WITH unseen AS (
        SELECT t.nr, t.resource_id, t.source_system, t.observed_at, n.looked_at
        FROM derive_thin t JOIN derive_observation o ON o.nr = t.nr AND o.presence = 'present'
        JOIN derive_next_look n
          ON n.source_system = o.source_system AND n.scope = o.scope AND n.observed_at = o.observed_at
        ANTI JOIN derive_thin there
          ON there.resource_id = t.resource_id AND there.source_system = t.source_system
         AND there.observed_at = n.looked_at
    ), told AS (
        SELECT resource_id, source_system, observed_at,
            lead(observed_at) OVER (PARTITION BY resource_id, source_system ORDER BY observed_at) AS told_again
        FROM derive_thin SEMI JOIN unseen USING (resource_id, source_system)
    )
    SELECT o.resource_id, o.resource_name, o.source_system, o.scope, o.snapshot_id,
        {", ".join(f"o.{c}" for c in IDENTITY_COLUMNS)}, unseen.looked_at AS observed_at, 'absent' AS presence,
        -row_number() OVER () AS nr
    FROM unseen JOIN told USING (resource_id, source_system, observed_at) JOIN derive_observation o ON o.nr = unseen.nr
    WHERE told.told_again IS NULL OR unseen.looked_at < told.told_again
"""

_ADD_MISSING = (
    "INSERT INTO derive_observation BY NAME SELECT * FROM derive_missing",
    f"""INSERT INTO derive_thin BY NAME
        SELECT nr, resource_id, source_system, observed_at, {state_sql()} AS state,
            observed_at + {staleness_sql()} AS stale_at
        FROM derive_observation WHERE nr < 0""",
)

#: the first and the last observation of every run
_EDGE = """
    CREATE OR REPLACE TEMP TABLE derive_edge AS
    WITH neighbours AS (
        SELECT resource_id, observed_at, nr, stale_at,
            row_number() OVER w AS place,
            coalesce(lag(state) OVER w = state AND observed_at <= lag(stale_at) OVER w, false) AS continues,
            coalesce(lead(state) OVER w = state AND lead(observed_at) OVER w <= stale_at, false) AS goes_on
        FROM derive_thin WINDOW w AS (PARTITION BY resource_id ORDER BY observed_at)
    ), edges AS (
        SELECT * FROM neighbours WHERE NOT continues OR NOT goes_on
    ), paired AS (
        SELECT *, lead(nr) OVER w AS next_nr, lead(observed_at) OVER w AS next_at,
            lead(stale_at) OVER w AS next_stale_at, lead(place) OVER w AS next_place,
            lead(observed_at, 2) OVER w AS after_next
        FROM edges WINDOW w AS (PARTITION BY resource_id ORDER BY observed_at)
    )
    SELECT resource_id, nr, observed_at AS first_seen_at,
        CASE WHEN goes_on THEN next_nr ELSE nr END AS last_nr,
        CASE WHEN goes_on THEN next_at ELSE observed_at END AS last_seen_at,
        CASE WHEN goes_on THEN next_stale_at ELSE stale_at END AS stale_at,
        CASE WHEN goes_on THEN next_place ELSE place END - place + 1 AS observations,
        CASE WHEN goes_on THEN after_next ELSE next_at END AS next_from,
        place = 1 AS is_first
    FROM paired WHERE NOT continues
"""


_changes = ", ".join(
    f"CASE WHEN {c}_before IS NOT NULL AND {c} IS NOT NULL AND {c}_before <> {c} THEN {{"
    f"'dimension': '{c}', 'before': {plain_sql(f'{c}_before', n)}, 'after': {plain_sql(c, n)}, 'at_lo': {c}_at}} END"
    for c, n in DIMENSIONS.items()
)

#: what each run changed: against the last run in which the dimension was known, whatever lay between
_CHANGED = f"""
    CREATE OR REPLACE TEMP TABLE derive_changed AS
    WITH several AS (
        SELECT e.resource_id, e.nr, e.first_seen_at, e.last_seen_at,
            {", ".join(f"CASE WHEN o.presence = 'present' THEN o.{c} END AS {c}" for c in DIMENSIONS)}
        FROM derive_edge e JOIN derive_observation o ON o.nr = e.nr
        WHERE NOT (e.is_first AND e.next_from IS NULL)
    ), before AS (
        SELECT *,
            {", ".join(f"lag({c} IGNORE NULLS) OVER w AS {c}_before" for c in DIMENSIONS)},
            {", ".join(f"lag(CASE WHEN {c} IS NOT NULL THEN last_seen_at END IGNORE NULLS) OVER w AS {c}_at"
                       for c in DIMENSIONS)}
        FROM several WINDOW w AS (PARTITION BY resource_id ORDER BY first_seen_at)
    )
    SELECT nr, list_filter([{_changes}], lambda change: change IS NOT NULL) AS changes,
        {" OR ".join(f"({c} IS NULL AND {c}_before IS NOT NULL)" for c in DIMENSIONS)} AS lost
    FROM before
"""  # fmt: skip

_SEEN_IN = """
    CREATE OR REPLACE TEMP TABLE derive_seen_in AS
    SELECT resource_id, list_sort(list(DISTINCT place)) AS seen_in FROM (
        SELECT DISTINCT resource_id, source_system || chr(9) || coalesce(scope, '') AS place
        FROM derive_observation WHERE nr > 0
        UNION ALL
        SELECT resource_id, unnest(run_seen_in) FROM derive_observation WHERE run_seen_in IS NOT NULL)
    GROUP BY resource_id
"""

_RUN = f"""
    CREATE OR REPLACE TEMP TABLE derive_run AS
    SELECT e.resource_id, coalesce(f.run_first_seen_at, e.first_seen_at) AS first_seen_at, e.last_seen_at,
        least(coalesce(e.next_from, e.stale_at), e.stale_at) AS carried_to, e.next_from,
        e.observations + coalesce(f.run_observations, 1) - 1 AS observations,
        f.resource_name, l.source_system, l.scope, f.presence, {", ".join(f"f.{c}" for c in IDENTITY_COLUMNS)},
        {", ".join(f"CASE WHEN f.presence = 'present' THEN f.{c} END AS {c}" for c in OBSERVED_COLUMNS)}, l.usage_vcpu,
        CASE WHEN f.presence = 'present' THEN f.tags END AS tags,
        CASE WHEN f.presence = 'present' THEN f.attributes END AS attributes,
        coalesce(f.run_changes, c.changes, []) AS changes,
        CASE WHEN e.next_from IS NULL THEN s.seen_in END AS seen_in,
        CASE WHEN e.next_from IS NULL THEN coalesce(c.lost, false) END AS lost, e.is_first
    FROM derive_edge e
    JOIN derive_observation f ON f.nr = e.nr
    JOIN derive_observation l ON l.nr = e.last_nr
    LEFT JOIN derive_changed c ON c.nr = e.nr
    LEFT JOIN derive_seen_in s ON s.resource_id = e.resource_id
"""


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Make an empty ``derive_observation``; whoever derives fills it with :func:`add`."""
    columns = {c: TABLES["resource_snapshot"].field(c).type for c in SNAPSHOT_COLUMNS} | RUN_COLUMNS | {"nr": "BIGINT"}
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE derive_observation ({', '.join(f'{c} {t}' for c, t in columns.items())})"
    )


def add(connection: duckdb.DuckDBPyConnection, select: str, params: Sequence[Any] = ()) -> None:
    """Add observations, columns by name, numbered."""
    start = count_rows(connection, "derive_observation")
    connection.execute(
        f"INSERT INTO derive_observation BY NAME SELECT *, {start} + row_number() OVER () AS nr FROM ({select})", params
    )


def count_rows(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """How many rows a table has."""
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0


def derive_runs(connection: duckdb.DuckDBPyConnection) -> None:
    """Make ``derive_run`` from ``derive_observation`` and ``derive_look`` (complete looks, and losses of sight)."""
    looks = dict(connection.execute("SELECT lost, count(*) FROM derive_look GROUP BY lost").fetchall())
    connection.execute(_THIN)
    if looks.get(True):
        connection.execute(_LOST)
    connection.execute(_TIE)
    if count_rows(connection, "derive_tie"):
        connection.execute(_SETTLE)
    if looks.get(False):
        connection.execute(_NEXT_LOOK)
        connection.execute(_MISSING)
        if count_rows(connection, "derive_missing"):
            for statement in _ADD_MISSING:
                connection.execute(statement)
    several = sources.set_apart(connection)
    connection.execute(_EDGE)
    connection.execute(_CHANGED)
    if several:
        sources.add_runs(connection)
    connection.execute(_SEEN_IN)
    connection.execute(_RUN)
    for name in ("thin", "tie", "next_look", "missing", "edge", "changed", "seen_in", *sources.TEMPORARY):
        connection.execute(f"DROP TABLE IF EXISTS derive_{name}")
