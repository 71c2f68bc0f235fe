"""Which charge belongs to which state: by id and by overlap in time, whole, with what stays over on either side.

Links are not stored. They follow from the charges and the states of the version that is read, so a late bill links
to the state as it stood, also when that became known after the bill, and an older version keeps its own links.
"""

from __future__ import annotations

from finops_kit.store.derive.identity import (
    DISK_OF_VOLUME,
    MACHINE_OF_NODE,
    NODE_OF_POD,
    canonical_sql,
)

#: changes whenever a rule below or in :mod:`.identity` does
LINK_RULE = "1"
#: kinds that a provider bills by themselves; a node is billed as its machine
BILLED_KINDS = ("machine", "vm", "instance", "server", "disk", "database", "cache", "broker", "node")
#: decimals of a share; the shares of a charge sum to exactly 1
SHARE_SCALE = 9
#: decimals that a part of a large cost is rounded to
PART_SCALE = 12

_billed = ", ".join(f"'{kind}'" for kind in BILLED_KINDS)

#: every id that was ever seen, with its key; a machine that nobody observed stands behind its node
RESOURCE_KEY = f"""
    SELECT resource_id, {canonical_sql("resource_id")} AS resource_key
    FROM (SELECT DISTINCT resource_id FROM live_run)
"""

#: what a charge may link to: the states of present resources by key, apart in time within a key
LINK_STATE = f"""
    WITH known AS (
        SELECT r.resource_id, k.resource_key, 'resource id' AS way, r.first_seen_at, r.last_seen_at, r.carried_to
        FROM live_run r JOIN resource_key k USING (resource_id) WHERE r.presence = 'present'
    ), node AS (
        SELECT resource_id, {canonical_sql(MACHINE_OF_NODE)} AS resource_key, 'provider id of the node' AS way,
            first_seen_at, last_seen_at, carried_to
        FROM live_run WHERE kind = 'node' AND presence = 'present'
    ), claims AS (
        SELECT * FROM known UNION ALL
        SELECT * FROM node WHERE resource_key IS NOT NULL AND resource_key NOT IN (SELECT resource_key FROM resource_key)
    ), contested AS (
        SELECT resource_key FROM (
            SELECT resource_key, resource_id FROM resource_key UNION
            SELECT resource_key, resource_id FROM node)
        GROUP BY resource_key HAVING count(*) > 1
    )
    SELECT * FROM claims WHERE resource_key NOT IN (SELECT resource_key FROM contested WHERE resource_key IS NOT NULL)
    UNION ALL BY NAME
    SELECT * FROM (
        SELECT resource_id, resource_key, way, first_seen_at, least(last_seen_at, ends_at) AS last_seen_at,
            least(carried_to, ends_at) AS carried_to
        FROM (SELECT *, coalesce(lead(first_seen_at) OVER (
                  PARTITION BY resource_key ORDER BY first_seen_at, resource_id), 'infinity') AS ends_at
              FROM claims WHERE resource_key IN (SELECT resource_key FROM contested)))
    WHERE carried_to > first_seen_at
"""  # noqa: E501

_CHARGE_KEY = f"""
    SELECT "ResourceId" AS charge_resource_id, {canonical_sql('"ResourceId"')} AS resource_key
    FROM (SELECT DISTINCT "ResourceId" FROM charge WHERE "ResourceId" IS NOT NULL)
"""

#: a charge without length stands for its instant
_OVERLAPS = """s.first_seen_at < greatest(c."ChargePeriodEnd", c."ChargePeriodStart" + INTERVAL 1 MICROSECOND)
    AND s.carried_to > c."ChargePeriodStart" """
_CONTAINED = """s.first_seen_at <= c."ChargePeriodStart" AND s.carried_to >= c."ChargePeriodEnd" """

_CHARGE_COLUMNS = (
    'c.batch_id, c.source_row, c.source_system, c."ResourceId", c."BillingPeriodStart", c."ChargePeriodStart", '
    'c."ChargePeriodEnd", c."BillingCurrency", c."BilledCost", c."EffectiveCost"'
)
_STATE_COLUMNS = "s.resource_id, s.way, s.first_seen_at, s.last_seen_at, s.carried_to"

_JOINED = f"""
    SELECT {_CHARGE_COLUMNS}, {_STATE_COLUMNS}
    FROM charge c JOIN charge_key k ON k.charge_resource_id = c."ResourceId"
    JOIN link_state s ON s.resource_key = k.resource_key AND {_OVERLAPS}
"""

_from = 'greatest("ChargePeriodStart", first_seen_at)'
_to = 'least("ChargePeriodEnd", carried_to)'
_LINK_OUT = f"""batch_id, source_row, source_system, resource_id, first_seen_at AS valid_from, carried_to AS valid_to,
        CASE WHEN {_to} <= last_seen_at THEN 'observed' ELSE 'carried' END AS quality,
        greatest(epoch_us({_to} - {_from}), 0) / 1000000 AS overlap_seconds, share,
        CASE WHEN way <> 'resource id' THEN way WHEN "ResourceId" = resource_id THEN 'same id'
             WHEN lower("ResourceId") = lower(resource_id) THEN 'same id in another case'
             ELSE 'same id in another form' END AS method,
        '{LINK_RULE}' AS rule_version, "BilledCost", "EffectiveCost", "BillingCurrency", "ResourceId",
        "BillingPeriodStart", "ChargePeriodStart", "ChargePeriodEnd\""""

_PERIOD = '"ChargePeriodStart", "ChargePeriodEnd"'
_BY_PERIOD = f"PARTITION BY resource_key, {_PERIOD}"

#: how a resource's time is split where a charge spans several states. It depends on the resource and the time only, so
#: it is computed once for all charges of both: shares by overlap in whole units of 10^-9, the largest remainders
#: rounded up first; ``share_before`` is the sum of the earlier shares
LINK_SPLIT = f"""
    WITH period AS (
        SELECT DISTINCT k.resource_key, {_PERIOD}
        FROM charge JOIN charge_key k ON k.charge_resource_id = "ResourceId"
    ), overlap AS (
        SELECT c.*, {_STATE_COLUMNS}, epoch_us({_to} - {_from})::HUGEINT AS part
        FROM period c JOIN link_state s ON s.resource_key = c.resource_key AND {_OVERLAPS} AND NOT ({_CONTAINED})
    ), whole AS (
        SELECT *, sum(part) OVER ({_BY_PERIOD}) AS total FROM overlap
    ), floored AS (
        SELECT * EXCLUDE (part, total), (part * 1000000000 // total)::BIGINT AS units,
            part * 1000000000 % total AS remainder
        FROM whole
    ), settled AS (
        SELECT * EXCLUDE (units, remainder),
            units + CASE WHEN row_number() OVER ({_BY_PERIOD} ORDER BY remainder DESC, first_seen_at)
                <= 1000000000 - sum(units) OVER ({_BY_PERIOD}) THEN 1 ELSE 0 END AS units
        FROM floored
    ), running AS (
        SELECT *, sum(units) OVER ({_BY_PERIOD} ORDER BY first_seen_at)::BIGINT AS units_so_far FROM settled
    )
    SELECT * EXCLUDE (units, units_so_far), (units * 0.000000001)::DECIMAL(10, {SHARE_SCALE}) AS share,
        ((units_so_far - units) * 0.000000001)::DECIMAL(10, {SHARE_SCALE}) AS share_before
    FROM running
"""


def _part(cost: str) -> str:
    """The part of a cost: what has been given out up to its share, less what had been before; sums exactly.

    A cost below 10,000 is multiplied at its full scale, a larger one at ``PART_SCALE`` decimals; what rounding leaves
    falls to the last part.
    """

    def up_to(share: str) -> str:
        return f"""CASE WHEN abs({cost}) < 10000 THEN ({cost}::DECIMAL(28, 24) * {share})::DECIMAL(38, 24)
            ELSE round({cost}::DECIMAL(28, {PART_SCALE}) * {share}, {PART_SCALE})::DECIMAL(38, 24) END"""

    ends = f"(share_before + share)::DECIMAL(10, {SHARE_SCALE})"
    return f"""(CASE WHEN share_before + share = 1 THEN {cost} ELSE {up_to(ends)} END
        - CASE WHEN share_before = 0 THEN 0::DECIMAL(38, 24) ELSE {up_to("share_before")} END)"""


_PARTS = f"""
    SELECT {_CHARGE_COLUMNS}, {_STATE_COLUMNS}, share, share_before
    FROM charge c JOIN charge_key k ON k.charge_resource_id = c."ResourceId"
    JOIN link_split s ON s.resource_key = k.resource_key AND s."ChargePeriodStart" = c."ChargePeriodStart"
        AND s."ChargePeriodEnd" = c."ChargePeriodEnd"
"""

#: one row per charge and state; most charges lie in one state and are taken whole, without any sorting
CHARGE_LINK = f"""
    SELECT {_LINK_OUT} FROM (SELECT *, 1::DECIMAL(10, {SHARE_SCALE}) AS share FROM ({_JOINED} AND {_CONTAINED}))
    UNION ALL BY NAME
    SELECT {_LINK_OUT} FROM (
        SELECT * REPLACE ({_part('"BilledCost"')}::DECIMAL(38, 24) AS "BilledCost",
                          {_part('"EffectiveCost"')}::DECIMAL(38, 24) AS "EffectiveCost") FROM ({_PARTS}))
"""

#: current charges that no state stands behind, each with its reason
UNLINKED_CHARGE = f"""
    WITH span AS (
        SELECT resource_key, min(first_seen_at) AS first_seen_at, max(carried_to) AS known_until
        FROM link_state GROUP BY resource_key
    ), gone AS (
        SELECT k.resource_key, r.first_seen_at, r.carried_to FROM live_run r JOIN resource_key k USING (resource_id)
        WHERE r.presence = 'absent'
    ), loose AS (
        SELECT c.*, k.resource_key FROM charge c
        LEFT JOIN charge_key k ON k.charge_resource_id = c."ResourceId"
        ANTI JOIN link_state s ON s.resource_key = k.resource_key AND {_OVERLAPS}
    ), absent AS (
        SELECT DISTINCT batch_id, source_row FROM loose c JOIN gone s ON s.resource_key = c.resource_key AND {_OVERLAPS}
    )
    SELECT c.* EXCLUDE (resource_key), '{LINK_RULE}' AS rule_version,
        CASE WHEN c.resource_key IS NULL THEN 'the charge names no resource'
             WHEN span.resource_key IS NULL THEN 'the resource was never observed'
             WHEN absent.batch_id IS NOT NULL THEN 'the resource was absent at the time'
             WHEN greatest(c."ChargePeriodEnd", c."ChargePeriodStart" + INTERVAL 1 MICROSECOND) <= span.first_seen_at
                 THEN 'the charge is for a time before the first observation'
             WHEN c."ChargePeriodStart" >= span.known_until THEN 'the charge is for a time after the last observation'
             ELSE 'the resource was not observed at the time' END AS reason
    FROM loose c LEFT JOIN span ON span.resource_key = c.resource_key
    LEFT JOIN absent ON absent.batch_id = c.batch_id AND absent.source_row = c.source_row
"""

#: states of billed kinds that no charge names, each with its reason
UNBILLED_INTERVAL = f"""
    WITH billed AS (
        SELECT DISTINCT k.resource_key, c."ChargePeriodStart", c."ChargePeriodEnd"
        FROM charge c JOIN charge_key k ON k.charge_resource_id = c."ResourceId"
    ), horizon AS (
        SELECT coalesce("ProviderName", "ServiceProviderName") AS provider_name,
            min("ChargePeriodStart") AS billed_from, max("ChargePeriodEnd") AS billed_until
        FROM charge GROUP BY 1
    ), expected AS (
        SELECT s.*, r.kind, r.provider_name, r.account_id, r.region_id, r.sku, r.resource_name
        FROM link_state s JOIN live_run r ON r.resource_id = s.resource_id AND r.first_seen_at = s.first_seen_at
        WHERE r.kind IN ({_billed})
    )
    SELECT s.resource_id, s.resource_name, s.kind, s.provider_name, s.account_id, s.region_id, s.sku,
        s.first_seen_at AS valid_from, s.carried_to AS valid_to,
        CASE WHEN horizon.provider_name IS NULL THEN 'no bill of this provider is known'
             WHEN s.first_seen_at >= horizon.billed_until THEN 'not billed yet'
             WHEN s.carried_to <= horizon.billed_from THEN 'before the first bill'
             WHEN ever.resource_key IS NULL THEN 'no charge ever names the resource'
             ELSE 'no charge names the resource at that time' END AS reason,
        '{LINK_RULE}' AS rule_version
    FROM expected s
    ANTI JOIN billed c ON c.resource_key = s.resource_key AND {_OVERLAPS}
    LEFT JOIN horizon ON horizon.provider_name = s.provider_name
    LEFT JOIN (SELECT DISTINCT resource_key FROM billed) ever ON ever.resource_key = s.resource_key
"""

#: what a resource belongs to or stands on, while it did: pod to workload and node, node to machine, volume to disk
RESOURCE_CHAIN = f"""
    WITH step AS (
        SELECT resource_id, kind, cluster, first_seen_at, carried_to, 'owner' AS relation,
            {canonical_sql("owner_id")} AS target_key, owner_id AS target
        FROM live_run WHERE presence = 'present' AND owner_id IS NOT NULL AND kind <> 'node'
        UNION ALL
        SELECT resource_id, kind, cluster, first_seen_at, carried_to, 'machine',
            {canonical_sql(MACHINE_OF_NODE)}, {MACHINE_OF_NODE}
        FROM live_run WHERE presence = 'present' AND kind = 'node'
        UNION ALL
        SELECT resource_id, kind, cluster, first_seen_at, carried_to, 'disk',
            {canonical_sql(DISK_OF_VOLUME)}, {DISK_OF_VOLUME}
        FROM live_run WHERE presence = 'present' AND kind IN ('volume', 'persistentvolume')
        UNION ALL
        SELECT p.resource_id, p.kind, p.cluster, p.first_seen_at, p.carried_to, 'node', n.resource_key, n.resource_id
        FROM (SELECT *, {NODE_OF_POD} AS node_name FROM live_run WHERE presence = 'present' AND kind = 'pod') p
        JOIN (SELECT DISTINCT cluster, resource_name, resource_id, resource_key
              FROM live_run JOIN resource_key USING (resource_id) WHERE kind = 'node') n
          ON n.cluster IS NOT DISTINCT FROM p.cluster AND (n.resource_name = p.node_name OR n.resource_id = p.node_name)
    )
    SELECT step.resource_id, step.kind, step.cluster, relation, coalesce(k.resource_id, target) AS target_id,
        k.resource_id IS NOT NULL AS target_is_observed, first_seen_at AS valid_from, carried_to AS valid_to
    FROM step LEFT JOIN (SELECT resource_key, min(resource_id) AS resource_id FROM resource_key GROUP BY 1) k
      ON k.resource_key = step.target_key
    WHERE target_key IS NOT NULL
"""

LINK_VIEWS = {
    "resource_key": RESOURCE_KEY,
    "link_state": LINK_STATE,
    "charge_key": _CHARGE_KEY,
    "link_split": LINK_SPLIT,
    "charge_link": CHARGE_LINK,
    "unlinked_charge": UNLINKED_CHARGE,
    "unbilled_interval": UNBILLED_INTERVAL,
    "resource_chain": RESOURCE_CHAIN,
}
