"""What platforms say when something scales: which resource, which dimension, and the new value where a sentence has it.

Source: the events of the Kubernetes deployment controller, horizontal pod autoscaler and cluster autoscaler, and the
activities of EC2 Auto Scaling.
"""

from __future__ import annotations

from finops_kit.store.lake import LAKE

#: what the platform says when something scales
NOTICE_REASONS = (
    "ScalingReplicaSet", "SuccessfulRescale", "TriggeredScaleUp", "ScaledUpGroup", "ScaleDown", "ScaleDownEmpty",
    "AutoScalingActivity",
)  # fmt: skip
#: EC2 Auto Scaling says in an activity's cause when the desired capacity was changed, some time before it acted, and to
#: what; several activities may follow from one change
_DESIRED = r"(?s).*\bAt (\S+Z),? .*?desired capacity from [0-9]+ to ([0-9]+)"
_reasons = ", ".join(f"'{reason}'" for reason in NOTICE_REASONS)

#: how the large platforms name the machines' group behind a node group: EKS, AKS, GKE
_POOLS = (
    r"^eks-(.+)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$", r"^aks-(.+)-[0-9]+-vmss$",
    r"^(?:.*/)?gke-.+-([^-]+(?:-pool)?)-[0-9a-f]{8}-grp$",
)  # fmt: skip
_pool = "CASE " + " ".join(
    f"WHEN regexp_matches(pair['1'], '{pool}') THEN regexp_extract(pair['1'], '{pool}', 1)" for pool in _POOLS
) + " ELSE pair['1'] END"  # fmt: skip

#: what the platform said, as the dimension that it scaled and the value that it set, where the sentence names one. What
#: a horizontal autoscaler says is said of the workload that it scales as well
SCALING_NOTICE = f"""
    SELECT * EXCLUDE (involved_id, about, pair, target_id), unnest(about, max_depth := 2) FROM (
        SELECT *, CASE
            WHEN reason = 'AutoScalingActivity' THEN [
                {{'resource_id': involved_id, 'dimension': 'replicas', 'is_trigger': false,
                  'after': nullif(regexp_extract(message, '{_DESIRED}', 2), '')}}]
            WHEN reason = 'ScalingReplicaSet' THEN [
                {{'resource_id': involved_id, 'dimension': 'replicas', 'is_trigger': false,
                  'after': nullif(regexp_extract(message, ' to ([0-9]+)', 1), '')}}]
            WHEN reason = 'SuccessfulRescale' THEN list_transform([involved_id, target_id], lambda scaled:
                {{'resource_id': scaled, 'dimension': 'replicas', 'is_trigger': false,
                  'after': nullif(regexp_extract(message, 'New size: ([0-9]+)', 1), '')}})
            ELSE [
                {{'resource_id': CASE WHEN pair['1'] <> '' THEN coalesce(cluster, '') || '/' || {_pool} END,
                  'dimension': 'nodes', 'is_trigger': true, 'after': nullif(pair['2'], '')}},
                {{'resource_id': cluster, 'dimension': 'nodes', 'is_trigger': true, 'after': NULL}}]
            END AS about
        FROM (
            SELECT DISTINCT event_id, source_system,
                CASE WHEN reason = 'AutoScalingActivity' THEN coalesce(
                    try_cast(nullif(regexp_extract(message, '{_DESIRED}', 1), '') AS TIMESTAMPTZ), happened_at)
                    ELSE happened_at END AS happened_at,
                resource_id AS involved_id, cluster, namespace,
                reason, message, reported_by, target_id,
                CASE reason WHEN 'ScaledUpGroup'
                    THEN regexp_extract(message, 'group (\\S+) size (?:set )?to ([0-9]+)', ['1', '2'])
                    ELSE regexp_extract(message, '([^ {{\\[]+) [0-9]+->([0-9]+)', ['1', '2']) END AS pair
            FROM {LAKE}.platform_event LEFT JOIN (
                SELECT resource_id AS autoscaler_id, max(owner_id) AS target_id FROM live_run
                WHERE kind = 'autoscaler' AND owner_id IS NOT NULL GROUP BY resource_id
            ) scales ON scales.autoscaler_id = resource_id
            WHERE list_contains([{_reasons}], reason)))
"""
