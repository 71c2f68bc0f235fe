"""What a reader sees: per-connection views over the lake's tables at the version it is pinned to.

Views live in the reader's own memory and never in the lake: a view kept there would be versioned with
it and missing at an older version.
"""

from __future__ import annotations

import duckdb

from finops_kit.fields import REFERENCE_TABLES, TABLES
from finops_kit.store.lake import LAKE

#: after this many days without a new observation a state is no longer carried on
MAX_STALENESS_DAYS = 35
#: where two sources saw one resource at one instant, the first of these wins
SOURCE_PRECEDENCE = ("kubernetes", "inventory", "cmdb")
#: what makes a state: two observations that agree on all of these are the same state
STATE_COLUMNS = (
    "presence", "kind", "provider_name", "region_id", "account_id", "cluster", "namespace", "owner_id",
    "power_state", "sku", "vcpu", "memory_gib", "storage_gib", "replicas", "gpu",
)  # fmt: skip
#: the dimensions whose change is a scaling event
CAPACITY_COLUMNS = ("vcpu", "memory_gib", "storage_gib", "replicas", "gpu")

_CURRENT_DELIVERY = f"""
    SELECT batch_id, source_system, billing_account_id, period_start, dataset
    FROM (
        SELECT d.*, l.entry, max(CASE WHEN d.mode = 'replace' THEN l.entry END) OVER (
            PARTITION BY d.dataset, d.source_system, d.billing_account_id, d.period_start) AS newest
        FROM {LAKE}.delivery d JOIN {LAKE}.ledger l USING (batch_id)
    )
    WHERE entry >= coalesce(newest, 0)
"""

_CHARGE = f"""
    SELECT c.* FROM {LAKE}.charge c SEMI JOIN current_delivery d
    ON d.dataset = 'charge' AND d.batch_id = c.batch_id AND d.source_system = c.source_system
       AND d.period_start = c."BillingPeriodStart" AND d.billing_account_id = coalesce(c."BillingAccountId", '')
"""

_CHARGE_HISTORY = f"""
    SELECT c.*, l.recorded_at, l.source_file FROM {LAKE}.charge c JOIN {LAKE}.ledger l USING (batch_id)
"""

_precedence = " ".join(f"WHEN '{name}' THEN {rank}" for rank, name in enumerate(SOURCE_PRECEDENCE))

#: one observation per resource and instant: the winner is total and deterministic
_OBSERVATION = f"""
    SELECT * FROM {LAKE}.resource_snapshot
    QUALIFY row_number() OVER (
        PARTITION BY resource_id, observed_at
        ORDER BY CASE source_system {_precedence} ELSE 99 END, source_sequence NULLS LAST, snapshot_id) = 1
"""

_STATE_INTERVAL = f"""
    WITH seen AS (
        SELECT *, hash({", ".join(STATE_COLUMNS)}) AS state,
            lag(hash({", ".join(STATE_COLUMNS)})) OVER w AS state_before,
            lag(observed_at) OVER w AS seen_before
        FROM observation WINDOW w AS (PARTITION BY resource_id ORDER BY observed_at)
    ), numbered AS (
        SELECT *, sum(CASE WHEN state_before IS DISTINCT FROM state
                             OR observed_at > seen_before + to_days({MAX_STALENESS_DAYS}) THEN 1 ELSE 0 END)
            OVER (PARTITION BY resource_id ORDER BY observed_at) AS run
        FROM seen
    ), runs AS (
        SELECT resource_id, run, min(observed_at) AS valid_from, max(observed_at) AS last_seen_at,
            count(*) AS observations, max_by(resource_name, observed_at) AS resource_name,
            max_by(source_system, observed_at) AS source_system, max_by(usage_vcpu, observed_at) AS usage_vcpu,
            {", ".join(f"any_value({c}) AS {c}" for c in STATE_COLUMNS)}
        FROM numbered GROUP BY resource_id, run
    ), bounded AS (
        SELECT *, lead(valid_from) OVER (PARTITION BY resource_id ORDER BY valid_from) AS next_from,
            last_seen_at + to_days({MAX_STALENESS_DAYS}) AS carried_until
        FROM runs
    )
    SELECT resource_id, resource_name, source_system, valid_from,
        least(coalesce(next_from, carried_until), carried_until) AS valid_to,
        CASE WHEN observations > 1 THEN 'observed' ELSE 'carried' END AS quality,
        last_seen_at, observations, usage_vcpu, {", ".join(STATE_COLUMNS)}
    FROM bounded WHERE presence = 'present'
    UNION ALL BY NAME
    SELECT resource_id, resource_name, source_system, carried_until AS valid_from, next_from AS valid_to,
        'gap' AS quality, last_seen_at, 0 AS observations
    FROM bounded WHERE next_from > carried_until
"""

_SCALING_EVENT = f"""
    WITH pairs AS (
        SELECT resource_id, resource_name, kind, cluster, namespace, observed_at AS at_hi,
            lag(observed_at) OVER w AS at_lo,
            {", ".join(f"{c} AS {c}_after, lag({c}) OVER w AS {c}_before" for c in CAPACITY_COLUMNS)}
        FROM observation WHERE presence = 'present'
        WINDOW w AS (PARTITION BY resource_id ORDER BY observed_at)
    )
    {
    " UNION ALL ".join(
        f"SELECT resource_id, resource_name, kind, cluster, namespace, '{c}' AS dimension, {c}_before AS before, "
        f"{c}_after AS after, at_lo, at_hi FROM pairs WHERE at_lo IS NOT NULL AND {c}_before IS DISTINCT FROM {c}_after"
        for c in CAPACITY_COLUMNS
    )
}
"""


def view_definitions() -> dict[str, str]:
    """Every name a reader may use and the SELECT behind it, in the order they are made."""
    views = {"current_delivery": _CURRENT_DELIVERY, "charge": _CHARGE, "charge_history": _CHARGE_HISTORY}
    for table in REFERENCE_TABLES:
        views[table.name] = (
            f"SELECT t.* FROM {LAKE}.{table.name} t SEMI JOIN current_delivery d "
            f"ON d.dataset = '{table.name}' AND d.batch_id = t.batch_id"
        )
        views[f"{table.name}_history"] = (
            f"SELECT t.*, l.recorded_at, l.source_file FROM {LAKE}.{table.name} t JOIN {LAKE}.ledger l USING (batch_id)"
        )
    for name in TABLES:
        views.setdefault(name, f"SELECT * FROM {LAKE}.{name}")
    views["observation"] = _OBSERVATION
    views["state_interval"] = _STATE_INTERVAL
    views["scaling_event"] = _SCALING_EVENT
    return views


def create_views(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Make the views in a connection that has the lake attached; returns their names."""
    views = view_definitions()
    for name, select in views.items():
        connection.execute(f"CREATE OR REPLACE VIEW memory.main.{name} AS {select}")
    return tuple(views)
