"""Usage beside states: a selective derivation, marked so. No state follows from it, and none is changed by it."""

from __future__ import annotations

from finops_kit.store.lake import LAKE

#: one row per sample, with the state that it fell into; a sample of a resource that nobody knows then keeps its reason.
#: A name that was used twice means the resource that came last before the sample
USAGE_OF_STATE = f"""
    WITH sample AS (
        SELECT *, row_number() OVER () AS sample_nr FROM {LAKE}.usage_sample
        QUALIFY row_number() OVER (PARTITION BY measured_by, cluster, namespace, coalesce(resource_id, resource_name),
            metric, measured_at ORDER BY batch_id DESC, source_row) = 1
    ), state AS (SELECT * FROM live_run WHERE presence = 'present'),
    met AS (
        SELECT s.sample_nr, r.resource_id AS state_of, r.kind, r.first_seen_at, r.last_seen_at, r.carried_to, r.vcpu,
            r.memory_gib, r.storage_gib
        FROM sample s JOIN state r ON r.resource_id = s.resource_id
            AND s.measured_at >= r.first_seen_at AND s.measured_at < r.carried_to
        UNION ALL
        SELECT s.sample_nr, r.resource_id, r.kind, r.first_seen_at, r.last_seen_at, r.carried_to, r.vcpu, r.memory_gib,
            r.storage_gib
        FROM sample s JOIN state r ON s.resource_id IS NULL AND r.resource_name = s.resource_name
            AND r.namespace IS NOT DISTINCT FROM s.namespace AND (s.cluster IS NULL OR s.cluster = r.cluster)
            AND s.measured_at >= r.first_seen_at AND s.measured_at < r.carried_to
    ), chosen AS (
        SELECT * FROM met QUALIFY row_number() OVER (PARTITION BY sample_nr ORDER BY first_seen_at DESC, state_of) = 1
    )
    SELECT coalesce(c.state_of, s.resource_id) AS resource_id, s.resource_name, c.kind, s.cluster, s.namespace,
        s.metric, s.unit, s.measured_at, s.value,
        CASE s.metric WHEN 'vcpu' THEN c.vcpu WHEN 'memory_gib' THEN c.memory_gib WHEN 'storage_gib' THEN c.storage_gib
            END AS capacity,
        c.first_seen_at AS valid_from, c.carried_to AS valid_to,
        CASE WHEN c.state_of IS NULL THEN NULL WHEN s.measured_at <= c.last_seen_at THEN 'observed' ELSE 'carried' END
            AS quality,
        s.measured_by, 'derived: measured, not a source of states' AS marking,
        CASE WHEN c.state_of IS NULL THEN 'no state of the resource is known at that time' END AS reason,
        s.batch_id, s.source_row
    FROM sample s LEFT JOIN chosen c USING (sample_nr)
"""
