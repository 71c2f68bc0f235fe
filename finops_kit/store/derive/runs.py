"""From observations to runs: who wins, who is missing, and which observations are one unbroken state.

Set-based SQL over the temporary table ``derive_observation``: explicit snapshots, and for a resource that
is only continued its last run as one observation that stands for many (``run_*`` columns are then filled).
"""

from __future__ import annotations

import duckdb

from finops_kit.store.derive.rules import (
    DIMENSIONS,
    IDENTITY_COLUMNS,
    OBSERVED_COLUMNS,
    precedence_sql,
    staleness_sql,
    state_sql,
)

#: what a snapshot gives to the derivation
SNAPSHOT_COLUMNS = (
    "snapshot_id", "resource_id", "resource_name", "source_system", "source_sequence", "observed_at", "presence",
    "scope", *IDENTITY_COLUMNS, *OBSERVED_COLUMNS, "usage_vcpu", "tags", "attributes",
)  # fmt: skip

_ORDER = "source_sequence DESC NULLS LAST, snapshot_id"

#: the winner of each source at each instant: what the source says of the resource then
_SAID = f"""
    CREATE OR REPLACE TEMP TABLE derive_said AS
    SELECT * FROM derive_observation
    QUALIFY row_number() OVER (PARTITION BY resource_id, source_system, observed_at ORDER BY {_ORDER}) = 1
"""

#: for every instant at which a scope was seen, the next complete look at that scope
_NEXT_LOOK = """
    CREATE OR REPLACE TEMP TABLE derive_next_look AS
    SELECT seen.source_system, seen.scope, seen.observed_at, look.observed_at AS looked_at
    FROM (SELECT DISTINCT source_system, scope, observed_at FROM derive_said
          WHERE presence = 'present' AND scope IS NOT NULL) seen
    ASOF JOIN derive_look look
      ON look.source_system = seen.source_system AND look.scope = seen.scope AND seen.observed_at < look.observed_at
"""

#: present, and then missing in a complete look before the same source says anything else of it
_MISSING = f"""
    CREATE OR REPLACE TEMP TABLE derive_missing AS
    WITH told AS (
        SELECT *, lead(observed_at) OVER (PARTITION BY resource_id, source_system ORDER BY observed_at) AS told_again
        FROM (SELECT resource_id, resource_name, source_system, scope, observed_at, presence, snapshot_id,
                     {", ".join(IDENTITY_COLUMNS)}, owner_id FROM derive_said)
    )
    SELECT told.* EXCLUDE (observed_at, presence, told_again, owner_id),
           looked_at AS observed_at, 'absent' AS presence, true AS inferred
    FROM told JOIN derive_next_look n
      ON n.source_system = told.source_system AND n.scope = told.scope AND n.observed_at = told.observed_at
    WHERE told.presence = 'present' AND (told_again IS NULL OR looked_at < told_again)
"""

#: one observation per resource and instant, numbered by resource and time
_WINNER = f"""
    CREATE OR REPLACE TEMP TABLE derive_winner AS
    SELECT * REPLACE (
        {", ".join(f"CASE WHEN presence = 'present' THEN {c} END AS {c}" for c in OBSERVED_COLUMNS)}
    ), row_number() OVER () AS nr
    FROM (
        SELECT * FROM (
            SELECT *, false AS inferred FROM derive_said UNION ALL BY NAME SELECT * FROM derive_missing)
        QUALIFY row_number() OVER (
            PARTITION BY resource_id, observed_at ORDER BY {precedence_sql()}, inferred, {_ORDER}, scope) = 1
    )
"""

#: the first and the last observation of every run, on a narrow table: only ids, times and the state's number
_EDGE = f"""
    CREATE OR REPLACE TEMP TABLE derive_edge AS
    WITH narrow AS (
        SELECT resource_id, observed_at, nr, {state_sql()} AS state, observed_at + {staleness_sql()} AS stale_at
        FROM derive_winner
    ), neighbours AS (
        SELECT resource_id, observed_at, nr, stale_at,
            row_number() OVER w AS place,
            coalesce(lag(state) OVER w = state AND observed_at <= lag(stale_at) OVER w, false) AS continues,
            coalesce(lead(state) OVER w = state AND lead(observed_at) OVER w <= stale_at, false) AS goes_on
        FROM narrow WINDOW w AS (PARTITION BY resource_id ORDER BY observed_at)
    ), edges AS (
        SELECT * FROM neighbours WHERE NOT continues OR NOT goes_on
    ), paired AS (
        SELECT *, {{"nr": lead(nr) OVER w, "at": lead(observed_at) OVER w, "stale_at": lead(stale_at) OVER w,
                  "place": lead(place) OVER w}} AS next, lead(observed_at, 2) OVER w AS after_next
        FROM edges WINDOW w AS (PARTITION BY resource_id ORDER BY observed_at)
    )
    SELECT resource_id, nr, observed_at AS first_seen_at,
        CASE WHEN goes_on THEN next.nr ELSE nr END AS last_nr,
        CASE WHEN goes_on THEN next.at ELSE observed_at END AS last_seen_at,
        CASE WHEN goes_on THEN next.stale_at ELSE stale_at END AS stale_at,
        CASE WHEN goes_on THEN next.place ELSE place END - place + 1 AS observations,
        CASE WHEN goes_on THEN after_next ELSE next.at END AS next_from,
        place = 1 AS is_first
    FROM paired WHERE NOT continues
"""


def _plain(column: str, is_number: bool) -> str:
    """A value as text: a number in plain notation, without trailing zeros."""
    return f"rtrim(rtrim({column}::VARCHAR, '0'), '.')" if is_number else column


_changes = ", ".join(
    f"CASE WHEN {c}_before IS NOT NULL AND {c} IS NOT NULL AND {c}_before <> {c} THEN {{"
    f"'dimension': '{c}', 'before': {_plain(f'{c}_before', n)}, 'after': {_plain(c, n)}, 'at_lo': {c}_at}} END"
    for c, n in DIMENSIONS.items()
)

#: what each run changed: against the last run in which the dimension was known, whatever lay between
_CHANGED = f"""
    CREATE OR REPLACE TEMP TABLE derive_changed AS
    WITH several AS (
        SELECT e.resource_id, e.nr, e.first_seen_at, e.last_seen_at, w.run_lost, {", ".join(DIMENSIONS)}
        FROM derive_edge e JOIN derive_winner w USING (nr)
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
        SELECT DISTINCT resource_id, source_system || chr(9) || coalesce(scope, '') AS place FROM derive_observation
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
        {", ".join(f"f.{c}" for c in OBSERVED_COLUMNS)}, l.usage_vcpu,
        CASE WHEN f.presence = 'present' THEN f.tags END AS tags,
        CASE WHEN f.presence = 'present' THEN f.attributes END AS attributes,
        coalesce(f.run_changes, c.changes, []) AS changes,
        CASE WHEN e.next_from IS NULL THEN s.seen_in END AS seen_in,
        CASE WHEN e.next_from IS NULL THEN coalesce(c.lost, false) END AS lost, e.is_first
    FROM derive_edge e
    JOIN derive_winner f ON f.nr = e.nr
    JOIN derive_winner l ON l.nr = e.last_nr
    LEFT JOIN derive_changed c ON c.nr = e.nr
    LEFT JOIN derive_seen_in s ON s.resource_id = e.resource_id
"""

_STEPS = (_SAID, _NEXT_LOOK, _MISSING, _WINNER, _EDGE, _CHANGED, _SEEN_IN, _RUN)
_LEFT_OVER = ("said", "next_look", "missing", "winner", "edge", "changed", "seen_in")


def derive_runs(connection: duckdb.DuckDBPyConnection) -> None:
    """Make ``derive_run`` from ``derive_observation`` and ``derive_look`` (the complete looks)."""
    for step in _STEPS:
        connection.execute(step)
    for name in _LEFT_OVER:
        connection.execute(f"DROP TABLE derive_{name}")
