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

#: each source's word, until it says something else or is stale; unlisted sources come last, by their name. ``word`` is
#: the first claim of those that say the same
_CLAIM = f"""
    CREATE OR REPLACE TEMP TABLE derive_claim AS
    WITH ranked AS (
        SELECT source_system, row_number() OVER (ORDER BY {precedence_sql()}, source_system) AS rank
        FROM (SELECT DISTINCT source_system FROM derive_thin)
    ), claim AS (
        SELECT t.nr, t.resource_id, t.source_system, ranked.rank, t.observed_at AS said_at, t.state,
            least(lead(t.observed_at) OVER w, t.stale_at) AS until,
            CASE WHEN lag(t.state) OVER w IS DISTINCT FROM t.state THEN t.nr END AS new_word
        FROM derive_thin t SEMI JOIN derive_several USING (resource_id) JOIN ranked USING (source_system)
        WINDOW w AS (PARTITION BY t.resource_id, t.source_system ORDER BY t.observed_at)
    )
    SELECT * EXCLUDE (new_word), last_value(new_word IGNORE NULLS) OVER (
        PARTITION BY resource_id, source_system ORDER BY said_at) AS word
    FROM claim
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
        SELECT asked.resource_id, asked.since, asked.ends, c.nr, c.rank, c.said_at, c.state, c.word,
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
    SELECT resource_id, since, ends, nr, rank, said_at, state, word, leads, presence FROM led
    WHERE leader.holds AND (leads OR (holds AND presence = leader.presence))
"""

#: moments at which the same words stand are one epoch: what holds is made of them once, and once more where it ends
_EPOCH = """
    CREATE OR REPLACE TEMP TABLE derive_epoch AS
    WITH signed AS (
        SELECT resource_id, since, ends, bit_xor(hash(rank, state, leads)) AS signature
        FROM derive_standing GROUP BY resource_id, since, ends
    ), marked AS (
        SELECT *, coalesce(lag(signature) OVER w <> signature OR lag(ends) OVER w <> since, true) AS begins
        FROM signed WINDOW w AS (PARTITION BY resource_id ORDER BY since)
    )
    SELECT resource_id, since, ends, begins, coalesce(lead(begins) OVER w, true) AS closes,
        last_value(CASE WHEN begins THEN since END IGNORE NULLS) OVER w AS epoch
    FROM marked WINDOW w AS (PARTITION BY resource_id ORDER BY since)
"""

_FILLED = ("resource_name", "usage_vcpu", "attributes", *IDENTITY_COLUMNS, *OBSERVED_COLUMNS)

#: the state as each epoch begins and closes, as if one observer had said it all
_MERGED = f"""
    CREATE OR REPLACE TEMP TABLE derive_merged AS
    SELECT s.resource_id, s.since AS observed_at, s.ends, min(s.presence) AS presence,
        any_value(o.source_system) FILTER (s.leads) AS source_system, any_value(o.scope) FILTER (s.leads) AS scope,
        {", ".join(f"arg_min(o.{c}, s.rank) FILTER (s.leads OR s.presence = 'present') AS {c}" for c in _FILLED)},
        list_reduce(list(o.tags ORDER BY s.rank DESC) FILTER (o.tags IS NOT NULL),
                    lambda lower, higher: map_concat(lower, higher)) AS tags,
        (SELECT max(abs(nr)) FROM derive_observation) + row_number() OVER () AS nr
    FROM derive_standing s JOIN derive_observation o ON o.nr = s.nr
    SEMI JOIN (SELECT resource_id, since FROM derive_epoch WHERE begins OR closes) e
        ON e.resource_id = s.resource_id AND e.since = s.since
    GROUP BY s.resource_id, s.since, s.ends
"""

_agrees = " AND ".join(f"(o.{c} IS NULL OR o.{c} = m.{c})" for c in (*IDENTITY_COLUMNS, *OBSERVED_COLUMNS))

#: when what holds at each moment was last seen: by whoever said nothing else, which is the same all through an epoch
_SEEN = f"""
    CREATE OR REPLACE TEMP TABLE derive_seen AS
    WITH first AS (
        SELECT m.*, {state_sql("m.")} AS state FROM derive_merged m
        SEMI JOIN derive_epoch e ON e.begins AND e.resource_id = m.resource_id AND e.since = m.observed_at
    ), agreeing AS (
        SELECT m.resource_id, m.observed_at AS epoch, m.state, s.rank,
            s.leads OR m.presence = 'absent' OR ({_agrees}
                AND (o.tags IS NULL OR list_has_all(map_entries(m.tags), map_entries(o.tags)))) AS agrees
        FROM first m JOIN derive_standing s ON s.resource_id = m.resource_id AND s.since = m.observed_at
        JOIN derive_observation o ON o.nr = s.nr
    ), seen AS (
        SELECT e.resource_id, e.since AS observed_at, e.ends, any_value(a.state) AS state,
            max(s.said_at) FILTER (a.agrees) AS seen_at
        FROM derive_epoch e JOIN derive_standing s ON s.resource_id = e.resource_id AND s.since = e.since
        JOIN agreeing a ON a.resource_id = e.resource_id AND a.epoch = e.epoch AND a.rank = s.rank
        GROUP BY e.resource_id, e.since, e.ends
    )
    SELECT seen.*, m.nr FROM seen
    LEFT JOIN derive_merged m ON m.resource_id = seen.resource_id AND m.observed_at = seen.observed_at
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
    WITH words AS (
        SELECT word, min(resource_id) AS resource_id, min(source_system) AS source_system, min(said_at) AS said_at,
            max(said_at) AS last_said_at
        FROM derive_claim GROUP BY word
    ), said AS (
        SELECT c.*, unnest([{_said}], max_depth := 2)
        FROM words c JOIN derive_observation o ON o.nr = c.word WHERE o.presence = 'present'
    ), before AS (
        SELECT *, lag(value) OVER w AS value_before, lag(last_said_at) OVER w AS before_at
        FROM said WHERE value IS NOT NULL
        WINDOW w AS (PARTITION BY resource_id, source_system, dimension ORDER BY said_at)
    ), own AS (
        SELECT word, dimension, value,
            last_value(CASE WHEN value_before <> value
                THEN {{'before': value_before, 'at_lo': before_at, 'at_hi': said_at}} END IGNORE NULLS) OVER (
                PARTITION BY resource_id, source_system, dimension ORDER BY said_at) AS change
        FROM before
        SEMI JOIN (SELECT DISTINCT resource_id, dimension FROM before WHERE value_before <> value) changing
            ON changing.resource_id = before.resource_id AND changing.dimension = before.dimension
    ), held AS (
        SELECT s.resource_id, s.since, own.dimension, own.value, s.said_at, own.change
        FROM derive_standing s JOIN own ON own.word = s.word
        SEMI JOIN (SELECT resource_id, since FROM derive_epoch WHERE begins OR closes) e
            ON e.resource_id = s.resource_id AND e.since = s.since
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

TEMPORARY = ("several", "claim", "standing", "epoch", "merged", "seen")


def set_apart(connection: duckdb.DuckDBPyConnection) -> bool:
    """Take the resources that several sources spoke of out of ``derive_thin``; whether there are any.

    Their merged states stand in ``derive_observation`` and ``derive_seen`` then.
    """
    connection.execute(_SEVERAL)
    row = connection.execute("SELECT count(*) FROM derive_several").fetchone()
    if not row or not row[0]:
        return False
    for statement in (_CLAIM, _STANDING, _EPOCH, _MERGED, _SEEN, _ADD_MERGED, _ONLY_SINGLE):
        connection.execute(statement)
    return True


def add_runs(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the runs of the resources that were set apart to ``derive_edge``, and what they changed."""
    connection.execute(_ADD_EDGES)
    connection.execute(_ADD_CHANGED)
