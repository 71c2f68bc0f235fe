"""One resource, several observers: whose word holds at which time, and which change was seen rather than claimed.

Every source's last word stands until it says something else or goes stale. At any time the first of them in the
order of precedence decides whether the resource is there; what it does not say is taken from the next one that says
it, tag by tag. So a state does not flip between two observers, however their looks alternate.
"""

from __future__ import annotations

import duckdb

from finops_kit.store.derive.rules import (
    DIMENSIONS,
    IDENTITY_COLUMNS,
    LEAVING_KINDS,
    OBSERVED_COLUMNS,
    plain_sql,
    precedence_sql,
    state_sql,
)

_leaving = ", ".join(f"'{kind}'" for kind in LEAVING_KINDS)

#: resources that more than one source spoke of
_SEVERAL = """
    CREATE OR REPLACE TEMP TABLE derive_several AS
    SELECT resource_id FROM derive_thin GROUP BY resource_id HAVING min(source_system) <> max(source_system)
"""

#: each source's word, until it says something else or is stale; unlisted sources come last, by their name
_CLAIM = f"""
    CREATE OR REPLACE TEMP TABLE derive_claim AS
    WITH ranked AS (
        SELECT source_system, row_number() OVER (ORDER BY {precedence_sql()}, source_system) AS rank
        FROM (SELECT DISTINCT source_system FROM derive_thin)
    )
    SELECT t.nr, t.resource_id, t.source_system, ranked.rank, t.observed_at AS said_at,
        least(lead(t.observed_at) OVER (PARTITION BY t.resource_id, t.source_system ORDER BY t.observed_at),
              t.stale_at) AS until
    FROM derive_thin t SEMI JOIN derive_several USING (resource_id) JOIN ranked USING (source_system)
"""

#: the words that count at every moment at which one begins or ends. An absence that went stale leaves a gap that no
#: lower source fills: who was seen to be gone is not brought back by a list that nobody cleaned up. What only left
#: where it was seen (a node its cluster) is gone where nobody else says that it is there
_STANDING = f"""
    CREATE OR REPLACE TEMP TABLE derive_standing AS
    WITH moment AS (
        SELECT resource_id, said_at AS since FROM derive_claim UNION SELECT resource_id, until FROM derive_claim
    ), spans AS (
        SELECT *, lead(since) OVER (PARTITION BY resource_id ORDER BY since) AS ends FROM moment
    ), asked AS (
        SELECT spans.*, source_system
        FROM spans JOIN (SELECT DISTINCT resource_id, source_system FROM derive_claim) USING (resource_id)
    ), standing AS (
        SELECT asked.resource_id, asked.since, asked.ends, c.nr, c.rank, c.said_at,
            c.until > asked.since AS holds, o.presence,
            o.presence = 'absent' AND o.kind IN ({_leaving}) AS left_only
        FROM asked ASOF JOIN derive_claim c
          ON c.resource_id = asked.resource_id AND c.source_system = asked.source_system AND asked.since >= c.said_at
        JOIN derive_observation o ON o.nr = c.nr
    ), led AS (
        SELECT *, first_value({{'holds': holds, 'presence': presence}}) OVER w AS leader,
            row_number() OVER w = 1 AS leads
        FROM standing WHERE holds OR (presence = 'absent' AND NOT left_only)
        WINDOW w AS (PARTITION BY resource_id, since ORDER BY left_only, rank)
    )
    SELECT resource_id, since, ends, nr, rank, said_at, leads, presence FROM led
    WHERE leader.holds AND (leads OR (holds AND presence = leader.presence))
"""

_FILLED = ("resource_name", "usage_vcpu", "attributes", *IDENTITY_COLUMNS, *OBSERVED_COLUMNS)

#: the state at each of those moments, as if one observer had said it all
_MERGED = f"""
    CREATE OR REPLACE TEMP TABLE derive_merged AS
    SELECT s.resource_id, s.since AS observed_at, s.ends, min(s.presence) AS presence,
        any_value(o.source_system) FILTER (s.leads) AS source_system, any_value(o.scope) FILTER (s.leads) AS scope,
        {", ".join(f"arg_min(o.{c}, s.rank) FILTER (s.leads OR s.presence = 'present') AS {c}" for c in _FILLED)},
        list_reduce(list(o.tags ORDER BY s.rank DESC) FILTER (o.tags IS NOT NULL),
                    lambda lower, higher: map_concat(lower, higher)) AS tags,
        (SELECT max(abs(nr)) FROM derive_observation) + row_number() OVER () AS nr
    FROM derive_standing s JOIN derive_observation o ON o.nr = s.nr
    GROUP BY s.resource_id, s.since, s.ends
"""

_agrees = " AND ".join(f"(o.{c} IS NULL OR o.{c} = m.{c})" for c in (*IDENTITY_COLUMNS, *OBSERVED_COLUMNS))

#: when what holds at each moment was last seen: by whoever said nothing else
_SEEN = f"""
    CREATE OR REPLACE TEMP TABLE derive_seen AS
    SELECT m.nr, m.resource_id, m.observed_at, m.ends, {state_sql("m.")} AS state,
        max(s.said_at) FILTER (s.leads OR m.presence = 'absent' OR ({_agrees}
            AND (o.tags IS NULL OR list_has_all(map_entries(m.tags), map_entries(o.tags))))) AS seen_at
    FROM derive_merged m
    JOIN derive_standing s ON s.resource_id = m.resource_id AND s.since = m.observed_at
    JOIN derive_observation o ON o.nr = s.nr
    GROUP BY ALL
"""

_ADD_MERGED = "INSERT INTO derive_observation BY NAME SELECT * EXCLUDE (ends) FROM derive_merged"
_ONLY_SINGLE = """
    CREATE OR REPLACE TEMP TABLE derive_thin AS SELECT * FROM derive_thin ANTI JOIN derive_several USING (resource_id)
"""

#: their runs, in the shape of those of a single source
_ADD_EDGES = """
    INSERT INTO derive_edge BY NAME
    WITH marked AS (
        SELECT *, coalesce(lag(state) OVER w = state AND lag(ends) OVER w = observed_at, false) AS continues
        FROM derive_seen WINDOW w AS (PARTITION BY resource_id ORDER BY observed_at)
    ), numbered AS (
        SELECT *, sum((NOT continues)::INT) OVER (PARTITION BY resource_id ORDER BY observed_at) AS run FROM marked
    ), run AS (
        SELECT resource_id, run, min(nr) FILTER (NOT continues) AS nr, min(observed_at) AS first_seen_at,
            arg_max(nr, observed_at) AS last_nr, max(seen_at) AS last_seen_at, max(ends) AS stale_at,
            count(*) FILTER (seen_at = observed_at) AS observations
        FROM numbered GROUP BY resource_id, run
    )
    SELECT * EXCLUDE (run), lead(first_seen_at) OVER (PARTITION BY resource_id ORDER BY run) AS next_from,
        run = 1 AS is_first
    FROM run
"""

_said = ", ".join(f"{{'dimension': '{c}', 'value': {plain_sql(f'o.{c}', n)}}}" for c, n in DIMENSIONS.items())

#: a change is an event where the source whose word holds now said the old value itself, and changed it after anybody
#: whose word held had last seen it so; where the word only passes to a source that says otherwise, nothing scaled
_ADD_CHANGED = f"""
    INSERT INTO derive_changed BY NAME
    WITH said AS (
        SELECT c.nr, c.resource_id, c.source_system, c.said_at, unnest([{_said}], max_depth := 2)
        FROM derive_claim c JOIN derive_observation o ON o.nr = c.nr WHERE o.presence = 'present'
    ), before AS (
        SELECT *, lag(value) OVER w AS value_before, lag(said_at) OVER w AS before_at
        FROM said WHERE value IS NOT NULL
        WINDOW w AS (PARTITION BY resource_id, source_system, dimension ORDER BY said_at)
    ), own AS (
        SELECT nr, dimension, value, said_at,
            last_value(CASE WHEN value_before <> value
                THEN {{'before': value_before, 'at_lo': before_at, 'at_hi': said_at}} END IGNORE NULLS) OVER (
                PARTITION BY resource_id, source_system, dimension ORDER BY said_at) AS change
        FROM before
    ), held AS (
        SELECT s.resource_id, s.since, own.dimension, own.value, own.said_at, own.change
        FROM derive_standing s JOIN own ON own.nr = s.nr
        QUALIFY row_number() OVER (PARTITION BY s.resource_id, s.since, own.dimension ORDER BY s.rank) = 1
    ), marked AS (
        SELECT *, lag(value) OVER (PARTITION BY resource_id, dimension ORDER BY since) IS DISTINCT FROM value AS begins
        FROM held
    ), numbered AS (
        SELECT *, sum(begins::INT) OVER (PARTITION BY resource_id, dimension ORDER BY since) AS stretch FROM marked
    ), stretches AS (
        SELECT resource_id, dimension, stretch, min(since) AS since, max(said_at) AS last_said_at, min(value) AS value,
            arg_min_null(change, since) AS change
        FROM numbered GROUP BY ALL
    ), changed AS (
        SELECT resource_id, since, dimension, value, change, lag(value) OVER w AS value_before,
            lag(last_said_at) OVER w AS last_said_at
        FROM stretches WINDOW w AS (PARTITION BY resource_id, dimension ORDER BY stretch)
    )
    SELECT e.nr, false AS lost, list({{
            'dimension': dimension, 'before': value_before, 'after': value,
            'at_lo': greatest(change.at_lo, last_said_at)}} ORDER BY dimension) AS changes
    FROM changed JOIN derive_edge e ON e.resource_id = changed.resource_id AND e.first_seen_at = changed.since
    WHERE change.before = value_before AND change.at_hi > last_said_at
    GROUP BY e.nr
"""

TEMPORARY = ("several", "claim", "standing", "merged", "seen")


def set_apart(connection: duckdb.DuckDBPyConnection) -> bool:
    """Take the resources that several sources spoke of out of ``derive_thin``; whether there are any.

    Their merged states stand in ``derive_observation`` and ``derive_seen`` then.
    """
    connection.execute(_SEVERAL)
    row = connection.execute("SELECT count(*) FROM derive_several").fetchone()
    if not row or not row[0]:
        return False
    for statement in (_CLAIM, _STANDING, _MERGED, _SEEN, _ADD_MERGED, _ONLY_SINGLE):
        connection.execute(statement)
    return True


def add_runs(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the runs of the resources that were set apart to ``derive_edge``, and what they changed."""
    connection.execute(_ADD_EDGES)
    connection.execute(_ADD_CHANGED)
