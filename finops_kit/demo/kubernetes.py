"""One Kubernetes cluster with autoscaling, as `kubectl get ... -o json` shows it: one List a dump."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from finops_kit.demo.estate import SERVICE, team_of
from finops_kit.demo.fleet import Fleet, Resource, digest, node_counts, nodes_wanted
from finops_kit.demo.months import Calendar, day_number

CLUSTER = "prod-eu1"


@dataclass(frozen=True)
class Workload:
    """A deployment: namespace, name, service, replicas at base load, request and limit of a pod, autoscaled or not."""

    namespace: str
    name: str
    service_id: str
    replicas: int
    cpu_m: int
    memory_mi: int
    scaled: bool


WORKLOADS = (
    Workload("online-banking", "web-frontend", "online-banking", 6, 2000, 4096, True),
    Workload("online-banking", "account-api", "online-banking", 5, 3000, 8192, True),
    Workload("online-banking", "session-store", "online-banking", 3, 2000, 12288, False),
    Workload("mobile-banking", "mobile-gateway", "mobile-banking", 4, 2500, 6144, True),
    Workload("mobile-banking", "push-sender", "mobile-banking", 2, 1000, 2048, True),
    Workload("payments", "payment-router", "payments", 4, 4000, 8192, True),
    Workload("payments", "sepa-validator", "payments", 3, 2000, 4096, False),
    Workload("cards", "card-controls", "cards", 3, 2000, 4096, True),
    Workload("fraud", "rule-engine", "fraud", 3, 4000, 16384, True),
    Workload("platform-system", "ingress-controller", "platform", 3, 1500, 2048, False),
    Workload("platform-system", "prometheus", "platform", 2, 4000, 32768, False),
    Workload("platform-system", "log-forwarder", "platform", 2, 1000, 2048, False),
)
#: claims: namespace, name, service, GiB
CLAIMS = (
    ("online-banking", "session-store-0", "online-banking", 500), ("online-banking", "session-store-1",
        "online-banking", 500),
    ("payments", "payment-router-journal", "payments", 1000), ("fraud", "rule-engine-models", "fraud", 750),
    ("platform-system", "prometheus-0", "platform", 4000), ("platform-system", "prometheus-1", "platform", 4000),
)  # fmt: skip


#: the cluster scales so long before the hour from which it is billed at its new size
SCALED_BEFORE = timedelta(minutes=1)


def dump_times(time: Calendar) -> list[datetime]:
    """When the cluster was looked at: Mondays, every two hours on the surge days, every quarter hour at its rise."""
    first, last = time.firsts[0], time.today
    monday = first + timedelta(days=(7 - first.weekday()) % 7)
    times = set()
    while monday < last:
        times.add(_at(monday, 8))
        monday += timedelta(weeks=1)
    before = time.surge_days[0] - timedelta(days=1)
    for day in (before, *time.surge_days):
        times |= {_at(day, hour) for hour in range(0, 24, 2)}
    for day in time.surge_days[:1]:
        times |= {_at(day, 16) + timedelta(minutes=15 * n) for n in range(13)}
    return sorted(times)


def _at(day: Any, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def dump(fleet: Fleet, at: datetime, seed: int) -> tuple[dict[str, Any], int]:
    """One List of nodes, pods, deployments, autoscalers and claims, and how many items it has."""
    time = fleet.time
    wanted = nodes_wanted(time, day_number(at.date()), at.hour, fleet.scale)
    index = next(n for n in range(time.months) if time.firsts[n] <= at.date() < time.following(n))
    moved = index >= time.team_moves
    slots = sorted((r for r in fleet.resources if 0 <= r.slot < wanted), key=lambda r: r.slot)
    clock = _Clock(at, seed)
    nodes = [_node(fleet, r, clock, time.label(index)) for r in slots]
    factor = max(1.0, fleet.scale) ** 0.5
    free = [31_500] * len(nodes)
    pods, rest = [], []
    for work in WORKLOADS:
        replicas = _replicas(work, wanted, fleet.scale)
        base_replicas = max(1, round(work.replicas * factor))
        for n in range(replicas):
            place = max(range(len(free)), key=lambda i: (free[i], -i))
            free[place] -= work.cpu_m
            born = clock.week if n < base_replicas else clock.day
            pods.append(_pod(work, n, nodes[place]["metadata"]["name"], born, clock, moved))
        rest.append(_deployment(work, replicas, clock, moved))
        if work.scaled:
            rest.append(_autoscaler(work, base_replicas, replicas, clock, factor))
    claims = [_claim(*claim, clock, moved) for claim in CLAIMS]
    items = [*nodes, *pods, *rest, *claims, *_events(fleet, clock, wanted)]
    whole = {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": clock.version(at)}, "items": items}
    return whole, len(items)


def _replicas(work: Workload, nodes: int, scale: float) -> int:
    """Replicas of a workload while the cluster has so many nodes."""
    load = nodes / node_counts(scale)[0] if work.scaled else 1.0
    return max(1, round(work.replicas * max(1.0, scale) ** 0.5 * load))


def replicas_by_nodes(sizes: set[int], scale: float) -> dict[str, dict[str, int]]:
    """Workload (namespace/name) to its replicas at each size of the cluster."""
    return {f"{work.namespace}/{work.name}": {str(nodes): _replicas(work, nodes, scale) for nodes in sorted(sizes)}
            for work in WORKLOADS}  # fmt: skip


class _Clock:
    """The dump's time, and versions that grow with it."""

    def __init__(self, at: datetime, seed: int) -> None:
        self.at, self.seed = at, seed
        self.day = at.replace(hour=6, minute=0) if at.hour >= 6 else at.replace(hour=0, minute=0)
        self.week = (self.day - timedelta(days=at.weekday())).replace(hour=5)

    def version(self, moment: datetime) -> str:
        return str(18_000_000 + int((moment - datetime(2024, 1, 1, tzinfo=UTC)).total_seconds()) // 2)

    def uid(self, *parts: object) -> str:
        code = digest(self.seed, *parts)
        return f"{code[:8]}-{code[8:12]}-4{code[13:16]}-a{code[17:20]}-{code[20:32]}"


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _labels(service_id: str, name: str, moved: bool) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": name, "service_id": service_id, "team": team_of(service_id, moved),
        "environment": "prod", "cost_center": SERVICE[service_id].cost_center,
        "business_unit": SERVICE[service_id].business_unit.replace(" ", "-"),
    }  # fmt: skip


def _node(fleet: Fleet, resource: Resource, clock: _Clock, month: str) -> dict[str, Any]:
    machine, zone = fleet.id_in(resource, month), "eu-central-1" + "abc"[resource.slot % 3]
    base, _ = node_counts(fleet.scale)
    born = datetime(2024, 11, 4, 9, tzinfo=UTC) if resource.slot < base else clock.day
    name = f"ip-10-40-{resource.slot // 200}-{20 + resource.slot % 200}.eu-central-1.compute.internal"
    return {
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name, "uid": clock.uid("node", machine), "resourceVersion": clock.version(clock.at),
            "creationTimestamp": _text(born),
            "labels": {
                "kubernetes.io/hostname": name, "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux",
                "node.kubernetes.io/instance-type": "m6i.8xlarge", "topology.kubernetes.io/region": "eu-central-1",
                "topology.kubernetes.io/zone": zone, "eks.amazonaws.com/nodegroup":
                    "base" if resource.slot < base else "autoscaled", "alpha.eksctl.io/cluster-name": CLUSTER,
            },
        },
        "spec": {"providerID": f"aws:///{zone}/{machine}"},
        "status": {
            "capacity": {"cpu": "32", "memory": "130145012Ki", "pods": "234", "ephemeral-storage": "104845292Ki"},
            "allocatable": {"cpu": "31850m", "memory": "127096564Ki", "pods": "234"},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady",
                            "lastHeartbeatTime": _text(clock.at), "lastTransitionTime": _text(born)}],
            "nodeInfo": {"kubeletVersion": "v1.31.4-eks-aeac579", "architecture": "amd64", "operatingSystem": "linux"},
        },
    }  # fmt: skip


def _pod(work: Workload, number: int, node: str, born: datetime, clock: _Clock, moved: bool) -> dict[str, Any]:
    code = digest(clock.seed, work.namespace, work.name)[:10]
    name = f"{work.name}-{code}-{digest(clock.seed, work.name, number, born)[:5]}"
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": work.namespace, "uid": clock.uid("pod", name),
            "resourceVersion": clock.version(born + timedelta(minutes=2)), "creationTimestamp": _text(born),
            "labels": {**_labels(work.service_id, work.name, moved), "pod-template-hash": code},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{work.name}-{code}",
                                 "uid": clock.uid("rs", work.name), "controller": True}],
        },
        "spec": {
            "nodeName": node,
            "containers": [{"name": work.name, "image": f"registry.nordbank.example/{work.namespace}/{work.name}:4.2.1",
                            "resources": {"requests": {"cpu": f"{work.cpu_m}m", "memory": f"{work.memory_mi}Mi"},
                                          "limits": {"cpu": f"{work.cpu_m * 3 // 2}m",
                                                     "memory": f"{work.memory_mi * 5 // 4}Mi"}}}],
        },
        "status": {"phase": "Running", "startTime": _text(born),
                   "containerStatuses": [{"name": work.name, "ready": True, "restartCount": number % 3 // 2,
                                          "state": {"running": {"startedAt": _text(born + timedelta(minutes=1))}}}]},
    }  # fmt: skip


def _deployment(work: Workload, replicas: int, clock: _Clock, moved: bool) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": work.name, "namespace": work.namespace, "uid": clock.uid("deploy", work.namespace,
            work.name),
                     "resourceVersion": clock.version(clock.at), "generation": replicas,
                     "creationTimestamp": "2024-11-11T10:00:00Z", "labels": _labels(work.service_id, work.name, moved)},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app.kubernetes.io/name": work.name}},
                 "template": {"spec": {"containers": [{"name": work.name, "resources": {"requests": {
                     "cpu": f"{work.cpu_m}m", "memory": f"{work.memory_mi}Mi"}}}]}}},
        "status": {"replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas},
    }  # fmt: skip


def _autoscaler(work: Workload, least: int, now: int, clock: _Clock, factor: float) -> dict[str, Any]:
    return {
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": work.name, "namespace": work.namespace, "uid": clock.uid("hpa", work.namespace, work.name),
                     "resourceVersion": clock.version(clock.at), "creationTimestamp": "2024-11-11T10:05:00Z"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": work.name},
                 "minReplicas": least, "maxReplicas": max(least, round(work.replicas * factor * 4)),
                 "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {
                     "type": "Utilization", "averageUtilization": 65}}}]},
        "status": {"currentReplicas": now, "desiredReplicas": now},
    }  # fmt: skip


def _events(fleet: Fleet, clock: _Clock, wanted: int) -> list[dict[str, Any]]:
    """What the autoscalers said of a change a minute ago; Events are kept for an hour, so older ones are gone."""
    earlier = clock.at - timedelta(hours=1)
    before = nodes_wanted(fleet.time, day_number(earlier.date()), earlier.hour, fleet.scale)
    if clock.at.minute or before == wanted:
        return []
    up, base = wanted > before, node_counts(fleet.scale)[0]
    why = "cpu resource utilization (percentage of request) above target" if up else "All metrics below target"
    events = [
        _event(clock, "SuccessfulRescale", f"New size: {_replicas(work, wanted, fleet.scale)}; reason: {why}",
               "horizontal-pod-autoscaler", "HorizontalPodAutoscaler", work.namespace, work.name, "hpa")
        for work in WORKLOADS
        if _replicas(work, wanted, fleet.scale) != _replicas(work, before, fleet.scale)
    ]  # fmt: skip
    if up:
        group = f"eks-autoscaled-{clock.uid('nodegroup', CLUSTER)}"
        said = f"Scale-up: setting group {group} size to {wanted - base} instead of {before - base} (max: {base * 4})"
        events.append(_event(clock, "ScaledUpGroup", said, "cluster-autoscaler", "ConfigMap", "kube-system",
                             "cluster-autoscaler-status", "cm"))  # fmt: skip
    return events


def _event(
    clock: _Clock, reason: str, message: str, reporter: str, kind: str, namespace: str, name: str, short: str
) -> dict[str, Any]:
    moment = clock.at - SCALED_BEFORE
    uid = clock.uid("event", reason, namespace, name, moment)
    return {
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": f"{name}.{uid[:16].replace('-', '')}", "namespace": namespace, "uid": uid,
                     "resourceVersion": clock.version(moment), "creationTimestamp": _text(moment)},
        "involvedObject": {"kind": kind, "namespace": namespace, "name": name,
                           "uid": clock.uid(short, namespace, name)},
        "reason": reason, "message": message, "source": {"component": reporter}, "type": "Normal", "count": 1,
        "firstTimestamp": _text(moment), "lastTimestamp": _text(moment),
    }  # fmt: skip


def _claim(namespace: str, name: str, service_id: str, gib: int, clock: _Clock, moved: bool) -> dict[str, Any]:
    uid = clock.uid("pvc", namespace, name)
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace, "uid": uid, "creationTimestamp": "2024-11-12T08:00:00Z",
                     "resourceVersion": clock.version(datetime(2024, 11, 12, 8, tzinfo=UTC)),
                     "labels": _labels(service_id, name, moved)},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "gp3", "volumeName": f"pvc-{uid}",
                 "resources": {"requests": {"storage": f"{gib}Gi"}}},
        "status": {"phase": "Bound", "capacity": {"storage": f"{gib}Gi"}},
    }  # fmt: skip


def file_name(at: datetime) -> str:
    """Cluster and time, since a List says neither."""
    return f"kubernetes/{at:%Y-%m-%d}/{CLUSTER}_{at:%Y-%m-%dT%H%MZ}.json"


def serialise(whole: dict[str, Any]) -> bytes:
    """The List as JSON, one item a line."""
    items = ",\n".join(json.dumps(item, separators=(",", ":")) for item in whole["items"])
    head = json.dumps({k: v for k, v in whole.items() if k != "items"}, separators=(",", ":"))
    return f'{head[:-1]},"items":[\n{items}\n]}}\n'.encode()
