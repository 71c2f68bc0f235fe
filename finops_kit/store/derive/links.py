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
LINK_RULE = "2"
#: kinds that a provider bills by themselves; a node is billed as its machine
BILLED_KINDS = ("machine", "vm", "instance", "server", "disk", "database", "cache", "broker", "node")
#: decimals of a share; the shares of a charge sum to exactly 1
SHARE_SCALE = 9
#: decimals of a cost that is split, of which the parts keep 24 with their share's
PART_SCALE = 15

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

#: whole numbers instead of times: adding an interval to a time costs more than all the rest of a join
_START, _END = 'epoch_us(c."ChargePeriodStart")', 'epoch_us(c."ChargePeriodEnd")'
#: a charge without length stands for its instant
_ENDS = f"greatest({_END}, {_START} + 1)"
_OVERLAPS = f"epoch_us(s.first_seen_at) < {_ENDS} AND epoch_us(s.carried_to) > {_START}"
#: the state is the only one that the charge overlaps
_ALONE = f"(s.before_until <= {_START} AND s.next_from >= {_ENDS})"
_EVER = 2**62
_UNIT = 10**SHARE_SCALE

#: the states by the id that a charge names, with what lies beside each, and how much known time of the key lies before
_TARGET = f"""
    SELECT k.charge_resource_id, s.*,
        CASE WHEN s.way <> 'resource id' THEN s.way WHEN k.charge_resource_id = s.resource_id THEN 'same id'
             WHEN lower(k.charge_resource_id) = lower(s.resource_id) THEN 'same id in another case'
             ELSE 'same id in another form' END AS method
    FROM charge_key k JOIN (
        SELECT *, epoch_us(first_seen_at) AS starts_at, first_value(state_nr) OVER w AS key_nr,
            coalesce(lag(epoch_us(carried_to)) OVER w, -{_EVER}) AS before_until,
            coalesce(lead(epoch_us(first_seen_at)) OVER w, {_EVER}) AS next_from,
            (sum(epoch_us(carried_to) - epoch_us(first_seen_at)) OVER w
                - (epoch_us(carried_to) - epoch_us(first_seen_at)))::BIGINT AS known_before
        FROM (SELECT *, row_number() OVER () AS state_nr FROM link_state)
        WINDOW w AS (PARTITION BY resource_key ORDER BY first_seen_at)) s USING (resource_key)
"""

_from = f"greatest({_START}, s.starts_at)"
_to = f"least({_END}, epoch_us(s.carried_to))"

#: how a resource's time is split where a charge spans several states. It depends on the resource and the time only, so
#: it is computed once for all charges of both: the known time up to each state's end, in whole units of 10^-9 of all
#: known time of the charge, rounded down; a share is the difference of two of these, so that they sum to exactly 1
_SPLIT = f"""
    SELECT state_nr, period_from, period_to, ((lo - least_at) * {_UNIT} // (most_at - least_at))::BIGINT AS units_lo,
        ((hi - least_at) * {_UNIT} // (most_at - least_at))::BIGINT AS units_hi
    FROM (
        SELECT *, min(lo) OVER w AS least_at, max(hi) OVER w AS most_at
        FROM (
            SELECT DISTINCT s.key_nr, s.state_nr,
                c."ChargePeriodStart" AS period_from, c."ChargePeriodEnd" AS period_to,
                (s.known_before + {_from} - s.starts_at)::HUGEINT AS lo,
                (s.known_before + {_to} - s.starts_at)::HUGEINT AS hi
            FROM charge c JOIN target s ON s.charge_resource_id = c."ResourceId" AND {_OVERLAPS} AND NOT {_ALONE})
        WINDOW w AS (PARTITION BY key_nr, period_from, period_to))
"""


def _part(cost: str) -> str:
    """The part of a cost: what has been given out up to its share, less what had been before; sums exactly.

    A cost is multiplied at ``PART_SCALE`` decimals, so that the product has the 24 that are stored and nothing is
    rounded; one beyond a million million at 12. What is cut off falls to the last part.
    """

    def up_to(units: str) -> str:
        share = f"({units} * 0.000000001)::DECIMAL(10, {SHARE_SCALE})"
        return f"""CASE WHEN abs({cost}) < 1e12::DECIMAL(38, 24) 
                THEN trunc({cost}, {PART_SCALE})::DECIMAL(28, {PART_SCALE}) * {share}
                ELSE (trunc({cost}, 12)::DECIMAL(28, 12) * {share})::DECIMAL(38, 24) END"""

    return f"""CASE WHEN p.units_hi IS NULL OR (p.units_lo = 0 AND p.units_hi = {_UNIT}) THEN {cost}
        WHEN p.units_hi = {_UNIT} THEN {cost} - {up_to("p.units_lo")}
        WHEN p.units_lo = 0 THEN {up_to("p.units_hi")}
        ELSE {up_to("p.units_hi")} - {up_to("p.units_lo")} END::DECIMAL(38, 24)"""


#: one row per charge and state; most charges lie in one state and are taken whole
CHARGE_LINK = f"""
    WITH target AS MATERIALIZED ({_TARGET}), split AS MATERIALIZED ({_SPLIT})
    SELECT c.batch_id, c.source_row, c.source_system, s.resource_id, s.first_seen_at AS valid_from,
        s.carried_to AS valid_to,
        CASE WHEN {_to} <= epoch_us(s.last_seen_at) THEN 'observed' ELSE 'carried' END AS quality,
        greatest({_to} - {_from}, 0) / 1000000 AS overlap_seconds,
        CASE WHEN p.units_hi IS NULL THEN 1 ELSE (p.units_hi - p.units_lo) * 0.000000001 END::DECIMAL(10, {SHARE_SCALE})
            AS share,
        s.method, '{LINK_RULE}' AS rule_version, {_part('c."BilledCost"')} AS "BilledCost",
        {_part('c."EffectiveCost"')} AS "EffectiveCost", c."BillingCurrency", c."ResourceId", c."BillingPeriodStart",
        c."ChargePeriodStart", c."ChargePeriodEnd"
    FROM charge c JOIN target s ON s.charge_resource_id = c."ResourceId" AND {_OVERLAPS}
    LEFT JOIN split p ON p.state_nr = s.state_nr AND p.period_from = c."ChargePeriodStart"
        AND p.period_to = c."ChargePeriodEnd"
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
             WHEN {_ENDS} <= epoch_us(span.first_seen_at)
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
    "charge_link": CHARGE_LINK,
    "unlinked_charge": UNLINKED_CHARGE,
    "unbilled_interval": UNBILLED_INTERVAL,
    "resource_chain": RESOURCE_CHAIN,
}
