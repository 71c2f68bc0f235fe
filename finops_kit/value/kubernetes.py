"""Kubernetes: what was asked for against what stands there; what no workload holds is idle, and is shown."""

from __future__ import annotations

import ibis
from ibis.expr.types import Table

from finops_kit.value.allocation import ratio

#: the member that stands for capacity nobody asked for
IDLE = "idle"
_LIVE = ("running", "")


def cluster_capacity(snapshot: Table) -> Table:
    """Capacity of each cluster at each observation of its nodes.

    Returns
    -------
    one row per cluster and observed_at: ``nodes``, ``vcpu``, ``memory_gib`` (floats)
    """
    nodes = snapshot.filter((snapshot.kind == "node") & (snapshot.presence == "present"))
    return nodes.group_by(["cluster", "observed_at"]).agg(
        nodes=nodes.resource_id.nunique(),
        vcpu=nodes.vcpu.sum().cast("float64"),
        memory_gib=nodes.memory_gib.sum().cast("float64"),
    )


def namespace_requests(snapshot: Table) -> Table:
    """What the running pods of each namespace hold at each observation: what they asked for, or use where it is more.

    Returns
    -------
    one row per cluster, namespace and observed_at: ``pods``, ``vcpu``, ``memory_gib`` (floats)
    """
    pods = snapshot.filter((snapshot.kind == "pod") & (snapshot.presence == "present"))
    pods = pods.filter(pods.power_state.fill_null("").lower().isin(_LIVE))
    return pods.group_by(["cluster", "namespace", "observed_at"]).agg(
        pods=pods.resource_id.nunique(),
        vcpu=ibis.greatest(pods.vcpu.fill_null(0), pods.usage_vcpu.fill_null(0)).sum().cast("float64"),
        memory_gib=pods.memory_gib.sum().fill_null(0).cast("float64"),
    )


def capacity_share(capacity: Table, requests: Table) -> Table:
    """Requests of each namespace over its cluster's capacity, as means of the observations, with idle as a member.

    Only observations that saw both nodes and pods count, so a missing list is not read as an empty cluster.

    Returns
    -------
    one row per cluster and namespace (``idle`` is one): ``vcpu``, ``memory_gib`` asked for on average,
    ``vcpu_share``, ``memory_share`` and ``share``, their mean (0-1). The shares of a cluster sum to 1 unless it is
    asked for more than it has.
    """
    seen = requests.select("cluster", "observed_at").distinct()
    both = capacity.semi_join(seen, ["cluster", "observed_at"])
    whole = both.group_by("cluster").agg(
        all_vcpu=both.vcpu.sum(), all_memory=both.memory_gib.sum(), observations=both.count()
    )
    held = requests.semi_join(both, ["cluster", "observed_at"])
    sums = held.group_by(["cluster", "namespace"]).agg(vcpu=held.vcpu.sum(), memory_gib=held.memory_gib.sum())
    rows = sums.join(whole, "cluster")
    asked = rows.select(
        "cluster",
        "namespace",
        vcpu=rows.vcpu / rows.observations,
        memory_gib=rows.memory_gib / rows.observations,
        vcpu_share=ratio(rows.vcpu, rows.all_vcpu),
        memory_share=ratio(rows.memory_gib, rows.all_memory),
    )
    sum_ = asked.group_by("cluster").agg(
        vcpu=asked.vcpu.sum(), memory_gib=asked.memory_gib.sum(),
        vcpu_share=asked.vcpu_share.sum(), memory_share=asked.memory_share.sum(),
    )  # fmt: skip
    rest = sum_.join(whole, "cluster")
    idle = rest.select(
        "cluster",
        namespace=ibis.literal(IDLE),
        vcpu=ibis.greatest(rest.all_vcpu / rest.observations - rest.vcpu, 0.0),
        memory_gib=ibis.greatest(rest.all_memory / rest.observations - rest.memory_gib, 0.0),
        vcpu_share=ibis.greatest(1 - rest.vcpu_share, 0.0),
        memory_share=ibis.greatest(1 - rest.memory_share, 0.0),
    )
    rows = asked.union(idle)
    return rows.mutate(share=(rows.vcpu_share.fill_null(0.0) + rows.memory_share.fill_null(0.0)) / 2)
