"""Blocks about what runs: waste priced from the bill, anomalies with their root, clusters and scaling."""

from __future__ import annotations

from decimal import Decimal

import ibis

from finops_kit.decide.recommendation import COLUMNS, all_recommendations
from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.cost import LABELS, no_charges, share
from finops_kit.perspectives.reading import ResultTable
from finops_kit.perspectives.tables import Row, result
from finops_kit.perspectives.words import count, day_name, money, percent
from finops_kit.store.derive.identity import MACHINE_OF_NODE, canonical_sql
from finops_kit.value import anomaly, kubernetes, waste

#: an anomaly below this part of the mean day's cost is not told
IMPACT_SHARE = 0.01
_SERIES = ("service_id", "provider")
_INTERNAL = ("disk", "volume", "machine", "vm", "instance", "server", "node")


def recommendation_rows(basis: Basis) -> list[Row]:
    """What to stop or delete, priced from the bill of the period, the greatest saving first."""
    found: list[Row] = basis.once("recommendations", _recommendations)
    return found


def _recommendations(basis: Basis) -> list[Row]:
    seen = basis.table("resource_snapshot")
    seen = basis.keep("seen_capacity", seen.filter(seen.kind.lower().isin(_INTERNAL)))
    disks = waste.with_command(waste.priced(waste.orphaned_disks(seen, basis.end), basis.now), "disk")
    machines = waste.with_command(waste.priced(waste.idle_machines(seen, basis.end), basis.now), "machine")
    return basis.rows(all_recommendations(disks, machines))


def why_no_recommendations(basis: Basis) -> str:
    """Why there is nothing to fix, or nothing known of it."""
    if _observed(basis):
        return "No orphaned disk and no idle machine was found that the period's bill charges."
    return (
        "The store holds no observations of machines or disks. Deliver an inventory or `kubectl get -o json` lists "
        "with `finops ingest`."
    )


def _observed(basis: Basis) -> bool:
    count: int = basis.once(
        "observations", lambda b: int(b.reader.backend.to_pyarrow(b.table("resource_snapshot").count()).as_py())
    )
    return count > 0


def recommendations_table(basis: Basis, key: str = "recommendations") -> ResultTable:
    """Every open recommendation with its saving and its command."""
    first = ("what", "resource_name", "monthly_saving", "team", "why", "command", "resource_id")
    shown = (*first, *(name for name in COLUMNS if name not in (*first, "recommendation_id", "environment")))
    return result(
        key, "Resources to fix", "What costs money for nothing, and which command acts on it?",
        recommendation_rows(basis), shown,
        units={"monthly_saving": basis.currency, "yearly_saving": basis.currency},
        labels={**LABELS, "what": "What to do", "resource_id": "Resource", "resource_name": "Name",
                "provider_name": "Provider", "region_id": "Region", "command": "Command (never run from here)",
                "state": "State"},
        empty_because=why_no_recommendations(basis), measure="effective_cost", trace_by=(),
        answer=f"{money(savings(basis), basis.currency)} a month goes into "
        f"{count(len(recommendation_rows(basis)), 'resource')} that nobody needs.",
    )  # fmt: skip


def savings(basis: Basis) -> Decimal | None:
    """What all open recommendations save a month; None where nothing has been observed."""
    if not _observed(basis):
        return None
    return sum((row["monthly_saving"] for row in recommendation_rows(basis)), Decimal(0))


def anomaly_rows(basis: Basis) -> list[Row]:
    """Anomalies of daily cost that touch the period, the greatest impact first, each with its root resource."""
    found: list[Row] = basis.once("anomalies", _anomalies)
    return found


def _anomalies(basis: Basis) -> list[Row]:
    if not basis.totals["charges"]:
        return []
    cube = basis.cube
    # events are looked for from half a year before the period's end: the series' memory is six weeks
    cube = cube.filter(cube.charge_date >= ibis.date(str(basis.start)) - ibis.interval(months=5))
    daily = anomaly.daily_by(cube, _SERIES)
    floor = max(float(abs(basis.grand_total)) / basis.days * IMPACT_SHARE, 1.0)
    strange = anomaly.anomalous_days(anomaly.expectations(daily, _SERIES), floor)
    strange = basis.keep("strange_days", strange)
    found = basis.keep("anomaly_events", anomaly.events(strange, _SERIES))
    touching = found.filter(found.ends_on >= ibis.date(str(basis.start)))
    events = basis.rows(touching)
    roots = basis.rows(anomaly.root_resources(basis.recent, touching, _SERIES)) if events else []
    by_event = {(r["service_id"], r["provider"], r["starts_on"], r["direction"]): r for r in roots}
    for row in events:
        root = by_event.get((row["service_id"], row["provider"], row["starts_on"], row["direction"]), {})
        row["root_resource"] = root.get("ResourceName") or root.get("ResourceId")
        row["root_id"] = root.get("ResourceId")
        row["service_id"] = row["service_id"] or "unallocated"
    return sorted(events, key=lambda row: (-abs(row["impact"]), str(row["service_id"]), row["starts_on"]))


def anomaly_count(basis: Basis) -> int | None:
    """Spikes in the period (M6); None where there is too little history to say."""
    days = basis.once("days", lambda b: b.rows(b.cube.agg(days=b.cube.charge_date.nunique()))[0]["days"])
    if days <= anomaly.WARM_UP_DAYS:
        return None
    return sum(row["direction"] == "spike" for row in anomaly_rows(basis))


def anomalies_table(basis: Basis) -> ResultTable:
    """Anomalies with impact, factor and root resource."""
    enough = anomaly_count(basis) is not None
    return result(
        "anomalies", "Anomalies", "What was not as before, and which resource moved most?", anomaly_rows(basis),
        ("service_id", "provider", "direction", "starts_on", "ends_on", "days", "impact", "factor", "root_resource",
         "root_id"),
        units={"impact": basis.currency, "factor": "times", "days": "days"},
        labels={**LABELS, "direction": "Direction", "starts_on": "From", "ends_on": "To", "days": "Days",
                "impact": "Impact", "factor": "Factor", "root_resource": "Root resource", "root_id": "Resource id"},
        answer=spike_words(basis, anomaly_rows(basis)[0]) if anomaly_rows(basis) else "",
        empty_because="No day of the period was out of its pattern." if enough
        else "There are fewer than ten days of charges before these, so no day can be called unusual.",
    )  # fmt: skip


def spike_words(basis: Basis, row: Row) -> str:
    """An anomaly in a sentence: who, when, how far from the pattern, and the resource behind it."""
    root = f", driven by {row['root_resource']}" if row["root_resource"] else ""
    side = "above" if row["impact"] > 0 else "below"
    return (
        f"{row['service_id']} on {row['provider']} was {money(abs(row['impact']), basis.currency)} {side} its pattern "
        f"from {day_name(row['starts_on'])}{root}."
    )


#: what stands for a cluster whose pods were not delivered
NO_PODS = "no list of pods"


def cluster_table(basis: Basis) -> ResultTable:
    """Kubernetes capacity against requests by namespace, idle among them, with the nodes' cost where it is billed."""
    rows: list[Row] = basis.once("cluster", _cluster)
    return result(
        "kubernetes", "Kubernetes: asked for and idle", "Which namespace asks for what, and what stands idle?", rows,
        ("cluster", "namespace", "vcpu", "memory_gib", "vcpu_share_pct", "memory_share_pct", "EffectiveCost"),
        units={"vcpu": "vCPU", "memory_gib": "GiB", "vcpu_share_pct": "%", "memory_share_pct": "%",
               "EffectiveCost": basis.currency},
        labels={**LABELS, "cluster": "Cluster", "namespace": "Namespace", "vcpu": "Asked for",
                "memory_gib": "Memory asked for", "vcpu_share_pct": "Share of processors",
                "memory_share_pct": "Share of memory", "EffectiveCost": "Share of node cost"},
        empty_because=f"No `kubectl get nodes,pods -o json` lists were delivered for {basis.start:%B %Y}.",
        answer=_idle_words(basis, rows),
    )  # fmt: skip


def _idle_words(basis: Basis, rows: list[Row]) -> str:
    idle = [row for row in rows if row["namespace"] == "idle"]
    if not idle:
        return ""
    worst = max(idle, key=lambda row: row["EffectiveCost"] or Decimal(0))
    columns = {"vcpu_share_pct": "processors", "memory_share_pct": "memory"}
    parts = [f"{worst[name]:.0f} % of the {word}" for name, word in columns.items() if worst[name] is not None]
    cost = f", {money(worst['EffectiveCost'], basis.currency)} of its nodes" if worst["EffectiveCost"] else ""
    return f"Nobody asked for {' and '.join(parts)} of {worst['cluster']}{cost}." if parts else ""


def _cluster(basis: Basis) -> list[Row]:
    seen = basis.table("resource_snapshot")
    start = ibis.literal(f"{basis.start} 00:00:00+00:00").cast("timestamp('UTC')")
    end = ibis.literal(f"{basis.end} 00:00:00+00:00").cast("timestamp('UTC')")
    seen = seen.filter(seen.kind.isin(("node", "pod")) & (seen.observed_at >= start) & (seen.observed_at < end))
    return share_nodes(basis, basis.keep("seen_clusters", seen.filter(seen.cluster.notnull())))


def share_nodes(basis: Basis, seen: ibis.Table) -> list[Row]:
    """Each namespace's part of its cluster's nodes, idle among them, with the nodes' cost: nothing of it is lost.

    Parameters
    ----------
    seen : the nodes and pods that were observed in the period, a table of the connection
    """
    shares = kubernetes.capacity_share(kubernetes.cluster_capacity(seen), kubernetes.namespace_requests(seen))
    rows = basis.rows(shares.order_by(["cluster", shares.share.desc(), "namespace"]))
    cost = node_cost(basis, seen)
    for row in rows:
        row["vcpu_share_pct"] = None if row["vcpu_share"] is None else 100 * row["vcpu_share"]
        row["memory_share_pct"] = None if row["memory_share"] is None else 100 * row["memory_share"]
        row["EffectiveCost"] = None
    for cluster, whole in cost.items():
        mine = [row for row in rows if row["cluster"] == cluster]
        if not mine:  # nodes without a list of pods: whose they are is not known
            mine = [{"cluster": cluster, "namespace": NO_PODS, "share": 1.0}]
            rows += mine
        weight = sum(row["share"] for row in mine) or 1.0
        for row in mine:
            row["EffectiveCost"] = whole * Decimal(repr(row["share"] / weight))
        # a product of shares has no last decimal: what it leaves over belongs to the last row, so nothing is lost
        mine[-1]["EffectiveCost"] += whole - sum((row["EffectiveCost"] for row in mine), Decimal(0))
    return rows


def node_cost(basis: Basis, seen: ibis.Table) -> dict[str, Decimal]:
    """What each cluster's nodes were billed in the period; a charge is of one node, and a node of one cluster.

    A charge is a node's where their ids meet by the canonical key (the node's own id, its provider id, its name), else
    where the last part of the charge's id is the node's name.
    """
    recent = basis.recent.get_name()
    found = basis.reader.connection.execute(
        f"""
        WITH spelled AS (
            SELECT cluster, unnest([resource_id, resource_name, {MACHINE_OF_NODE}]) AS id
            FROM {seen.get_name()} WHERE kind = 'node'
        ), node AS (
            SELECT {canonical_sql("id")} AS node_key, min(cluster) AS cluster
            FROM spelled WHERE id IS NOT NULL GROUP BY 1
        ), charged AS (
            SELECT EffectiveCost, {canonical_sql("ResourceId")} AS key,
                regexp_extract(lower(ResourceId), '([^/]+)$', 1) AS name
            FROM {recent} WHERE month = ?::DATE AND ResourceId IS NOT NULL
        )
        SELECT coalesce(a.cluster, b.cluster) AS cluster, sum(EffectiveCost)
        FROM charged LEFT JOIN node a ON a.node_key = key LEFT JOIN node b ON b.node_key = name
        WHERE coalesce(a.cluster, b.cluster) IS NOT NULL GROUP BY 1 ORDER BY 1
        """,
        [basis.start],
    ).fetchall()
    return {cluster: cost for cluster, cost in found if cost is not None}


def scaling_table(basis: Basis) -> ResultTable:
    """Changes of capacity seen in the period, the greatest first."""
    rows: list[Row] = []
    if "scaling_event" in basis.reader.names:
        events = basis.table("scaling_event")
        start = ibis.literal(f"{basis.start} 00:00:00+00:00").cast("timestamp('UTC')")
        end = ibis.literal(f"{basis.end} 00:00:00+00:00").cast("timestamp('UTC')")
        events = events.filter((events.at_hi >= start) & (events.at_hi < end) & (events.kind != "pod"))
        size = (events.after_value.fill_null(0) - events.before_value.fill_null(0)).abs()
        events = events.mutate(size=size).order_by([ibis.desc("size"), "at_hi", "resource_id"]).limit(200)
        rows = basis.rows(
            events.select(
                "resource_id", "resource_name", "kind", "namespace", "dimension", "before", "after", "at_lo", "at_hi",
                "cause",
            )
        )  # fmt: skip
    return result(
        "scaling", "Scaling events", "What grew or shrank, and between which two observations?", rows,
        ("resource_name", "kind", "namespace", "dimension", "before", "after", "at_lo", "at_hi", "cause",
         "resource_id"),
        labels={"resource_name": "Resource", "kind": "Kind", "namespace": "Namespace", "dimension": "Dimension",
                "before": "Before", "after": "After", "at_lo": "Not before", "at_hi": "Not after", "cause": "Cause",
                "resource_id": "Resource id"},
        empty_because="No change of capacity was observed in the period.",
        answer=f"{count(len(rows), 'change')} of capacity or power state; the largest is of {rows[0]['resource_name']}."
        if rows else "",
    )  # fmt: skip


def top_resources(basis: Basis, limit: int = 50) -> ResultTable:
    """The resources that cost most in the period."""
    now = basis.now
    named = now.filter(now.ResourceId.notnull())
    sums = named.group_by(["ResourceId", "provider"]).agg(
        ResourceName=named.ResourceName.max(), ServiceName=named.ServiceName.max(),
        service_id=named.service_id.max().fill_null("unallocated"), team=named.team.max().fill_null("unallocated"),
        EffectiveCost=named.EffectiveCost.sum().fill_null(0), charges=named.count(),
    )  # fmt: skip
    rows = basis.rows(sums.order_by([sums.EffectiveCost.desc(), "ResourceId"]).limit(limit))
    return result(
        "top_resources", "The most expensive resources", "Where is the money?", rows,
        ("ResourceName", "ServiceName", "provider", "service_id", "team", "EffectiveCost", "charges", "ResourceId"),
        units={"EffectiveCost": basis.currency},
        labels={**LABELS, "ResourceName": "Resource", "charges": "Charges", "ResourceId": "Resource id"},
        empty_because="No charge of the period names a resource." if basis.totals["charges"] else no_charges(basis),
        measure="effective_cost", trace_by=("ResourceId",), answer=_top_words(basis, rows),
    )  # fmt: skip


def _top_words(basis: Basis, rows: list[Row]) -> str:
    if not rows or basis.grand_total <= 0:
        return ""
    ten = share(sum((row["EffectiveCost"] for row in rows[:10]), Decimal(0)), basis.grand_total)
    first, cost = rows[0]["ResourceName"] or rows[0]["ResourceId"], money(rows[0]["EffectiveCost"], basis.currency)
    return f"{first} costs most, {cost}; the ten dearest are {percent(ten)} of the total."
