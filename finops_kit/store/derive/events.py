"""What scaled: changes of capacity between two observations, how sure their time is, and who says why.

A change lies somewhere between the last observation with the old value and the first with the new one. Where the
platform itself said when (a Kubernetes Event that names the new value), the window narrows to what it said.
"""

from __future__ import annotations

from finops_kit.store.derive.notices import SCALING_NOTICE
from finops_kit.store.derive.rules import DIMENSIONS, plain_sql
from finops_kit.store.lake import LAKE

# Conditions on the lake's tables are written so that they are not pushed into its scans: there each one costs a pass
# over the statistics of every file that the catalogue knows, more than these small tables cost to read.

#: labels by which the large platforms name the group that a node belongs to
NODE_GROUP_LABELS = (
    "eks.amazonaws.com/nodegroup", "cloud.google.com/gke-nodepool", "kubernetes.azure.com/agentpool", "agentpool",
    "karpenter.sh/nodepool", "node.kubernetes.io/nodegroup",
)  # fmt: skip

#: how exact a platform's time is: Kubernetes writes whole seconds
NOTICE_SECONDS = 1

_numbers = ", ".join(f"'{name}'" for name, is_number in DIMENSIONS.items() if is_number)

_CHANGED = """
    SELECT resource_id, resource_name, kind, cluster, namespace, change.dimension AS dimension,
        change.before AS before, change.after AS after, change.at_lo AS at_lo, first_seen_at AS at_hi
    FROM (SELECT resource_id, resource_name, kind, cluster, namespace, first_seen_at, unnest(changes) AS change
          FROM live_run WHERE len(changes) > 0)
"""

_group = "coalesce(" + ", ".join(f"tags['{label}']" for label in NODE_GROUP_LABELS) + ")"

#: nodes of each cluster, and of each node group that labels name, at every complete look at them
_NODES = f"""
    WITH node AS (
        SELECT source_system, scope, cluster, first_seen_at, last_seen_at,
            unnest([cluster, cluster || '/' || {_group}]) AS resource_id,
            unnest(['cluster', 'nodegroup']) AS kind
        FROM live_run WHERE kind = 'node' AND presence = 'present'
    ), look AS (
        SELECT DISTINCT member.resource_id, member.kind, member.cluster, source_system, scope, o.observed_at
        FROM (SELECT DISTINCT resource_id, kind, cluster, source_system, scope FROM node
              WHERE resource_id IS NOT NULL) member
        JOIN {LAKE}.observation_scope o USING (source_system, scope) WHERE coalesce(o.complete, false)
    ), counted AS (
        SELECT look.resource_id, look.kind, look.cluster, look.source_system, look.scope, look.observed_at,
            count(node.first_seen_at) AS nodes
        FROM look LEFT JOIN node
          ON node.resource_id = look.resource_id AND node.source_system = look.source_system
         AND node.scope = look.scope AND node.first_seen_at <= look.observed_at
         AND node.last_seen_at >= look.observed_at
        GROUP BY ALL
    ), pairs AS (
        SELECT *, lag(nodes) OVER w AS nodes_before, lag(observed_at) OVER w AS at_lo
        FROM counted WINDOW w AS (PARTITION BY resource_id, source_system, scope ORDER BY observed_at)
    )
    SELECT resource_id, resource_id AS resource_name, kind, cluster, NULL::VARCHAR AS namespace,
        'nodes' AS dimension, nodes_before::VARCHAR AS before, nodes::VARCHAR AS after, at_lo, observed_at AS at_hi
    FROM pairs WHERE nodes_before <> nodes
"""

#: the newest notice that names the new value and lies in the window narrows it; any other in it gives the cause only.
#: Who decided says why: an autoscaler's sentence comes before that of the controller that carried it out
SCALING_EVENT = f"""
    WITH changed AS (({_CHANGED}) UNION ALL ({_NODES})),
    notice AS (
        SELECT resource_id, dimension, list({{
                'at': happened_at, 'after': after, 'is_trigger': is_trigger, 'source': source_system,
                'decided': reason <> 'ScalingReplicaSet',
                'cause': reason || coalesce(': ' || message, '')}} ORDER BY happened_at, event_id) AS notices
        FROM scaling_notice WHERE resource_id IS NOT NULL GROUP BY resource_id, dimension
    ), told AS (
        SELECT *, within[-1] AS loose, list_filter(within, lambda n: n.after = inside.after)[-1] AS exact,
            list_filter(within, lambda n: n.after = inside.after AND n.decided)[-1] AS why
        FROM (
            SELECT changed.*, list_filter(notices, lambda n: n.at >= at_lo AND n.at < at_hi) AS within
            FROM changed LEFT JOIN notice
              ON notice.resource_id = changed.resource_id AND notice.dimension = changed.dimension) inside
    )
    SELECT resource_id, resource_name, kind, cluster, namespace, dimension, before, after,
        CASE WHEN dimension IN ('nodes', {_numbers}) THEN before::DECIMAL(38, 18) END AS before_value,
        CASE WHEN dimension IN ('nodes', {_numbers}) THEN after::DECIMAL(38, 18) END AS after_value,
        coalesce(exact.at, told.at_lo) AS at_lo,
        CASE WHEN NOT exact.is_trigger THEN least(told.at_hi, exact.at + to_seconds({NOTICE_SECONDS}))
             ELSE told.at_hi END AS at_hi,
        coalesce(why.cause, exact.cause, loose.cause) AS cause,
        coalesce(why.source, exact.source, loose.source) AS cause_source,
        told.at_lo AS seen_before_at, told.at_hi AS seen_after_at
    FROM told
"""

_values = ", ".join(f"{{'dimension': '{c}', 'value': {plain_sql(c, n)}}}" for c, n in DIMENSIONS.items())

#: where the word passed from one source to another that says otherwise: no scaling, but somebody is wrong. First state
#: + scaling events + these = last state; where one source alone speaks of a resource there are none
SOURCE_HANDOVER = f"""
    WITH several AS (
        SELECT resource_id FROM live_run WHERE next_from IS NULL
        AND len(list_distinct(list_transform(seen_in, lambda place: split_part(place, chr(9), 1)))) > 1
    ), said AS (
        SELECT resource_id, resource_name, kind, source_system, first_seen_at,
            list_transform(changes, lambda change: change.dimension) AS scaled, unnest([{_values}], max_depth := 2)
        FROM live_run SEMI JOIN several USING (resource_id) WHERE presence = 'present'
    ), paired AS (
        SELECT *, lag(value) OVER w AS before, lag(source_system) OVER w AS source_before
        FROM said WHERE value IS NOT NULL WINDOW w AS (PARTITION BY resource_id, dimension ORDER BY first_seen_at)
    )
    SELECT resource_id, resource_name, kind, dimension, before, value AS after, first_seen_at AS changed_at,
        source_before, source_system AS source_after
    FROM paired WHERE before <> value AND NOT list_contains(scaled, dimension)
"""

EVENT_VIEWS = {"scaling_notice": SCALING_NOTICE, "scaling_event": SCALING_EVENT, "source_handover": SOURCE_HANDOVER}
