"""Which workload and service a pod belongs to, up its owners; a replica set that nobody saw is bridged by name."""

from __future__ import annotations

#: owners of owners of owners: a pod, its job, its cron job; and one more for operators
_HIGHEST = 6

#: one row per pod and stretch of its state. Kubernetes never changes an object's owner, so its newest state names it
WORKLOAD_OF = f"""
    WITH RECURSIVE thing AS (
        SELECT resource_id, arg_max(kind, first_seen_at) AS kind,
            arg_max(resource_name, first_seen_at) AS resource_name, arg_max(cluster, first_seen_at) AS cluster,
            arg_max(namespace, first_seen_at) AS namespace,
            arg_max(owner_id, first_seen_at) AS owner_id, arg_max(tags, first_seen_at) AS tags
        FROM live_run WHERE presence = 'present' AND cluster IS NOT NULL AND kind <> 'node' GROUP BY resource_id
    ), climb AS (
        SELECT resource_id AS pod_id, 0 AS height, thing.* FROM thing WHERE kind = 'pod'
        UNION ALL
        SELECT climb.pod_id, climb.height + 1, thing.* FROM climb JOIN thing ON thing.resource_id = climb.owner_id
        WHERE climb.height < {_HIGHEST}
    ), top AS (
        SELECT *, CASE WHEN kind IN ('pod', 'replicaset') THEN regexp_extract(resource_name, '^(.+)-' ||
                tags['pod-template-hash'] || CASE kind WHEN 'pod' THEN '-[^-]+$' ELSE '$' END, 1) END AS named
        FROM climb QUALIFY row_number() OVER (PARTITION BY pod_id ORDER BY height DESC) = 1
    ), found AS (
        SELECT top.pod_id, coalesce(d.resource_id, CASE WHEN top.kind <> 'pod' THEN top.resource_id END) AS workload_id,
            coalesce(d.kind, CASE WHEN top.kind <> 'pod' THEN top.kind END) AS workload_kind,
            coalesce(d.resource_name, CASE WHEN top.kind <> 'pod' THEN top.resource_name END) AS workload_name,
            CASE WHEN d.resource_id IS NOT NULL THEN 'name and template hash' WHEN top.kind <> 'pod' THEN 'owner'
                END AS way,
            coalesce(d.tags, top.tags) AS workload_tags
        FROM top LEFT JOIN thing d ON d.kind = 'deployment' AND d.cluster = top.cluster
            AND d.namespace IS NOT DISTINCT FROM top.namespace AND d.resource_name = top.named
    )
    SELECT p.resource_id, p.resource_name, p.cluster, p.namespace, f.workload_id, f.workload_kind, f.workload_name,
        f.way, coalesce(p.tags['service_id'], f.workload_tags['service_id']) AS service_id,
        p.first_seen_at AS valid_from, p.carried_to AS valid_to
    FROM live_run p JOIN found f ON f.pod_id = p.resource_id WHERE p.presence = 'present' AND p.kind = 'pod'
"""
