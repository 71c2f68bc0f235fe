"""Kubernetes objects to observations: what each kind is, holds and asks for.

Source: Kubernetes API reference (Node, Pod, PersistentVolume and the workload kinds) and its "Quantity" format.
A pod's request is what the scheduler reserves: the sum over its containers or the largest init container,
whichever is more, plus the overhead. A dump is small beside a bill, so its objects are taken one by one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext
from typing import Any

from finops_kit.sources.kubernetes import Dump

_SUFFIX = {
    "n": Decimal("1E-9"), "u": Decimal("1E-6"), "m": Decimal("1E-3"), "": Decimal(1), "k": Decimal(10**3),
    "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}  # fmt: skip
_QUANTITY = re.compile(
    r"([-+]?(?:[0-9]{1,24}\.?[0-9]{0,24}|\.[0-9]{1,24}))(?:[eE]([-+]?[0-9]{1,2})|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?)"
)
_GIB = Decimal(2**30)
_STORED = Decimal(1).scaleb(-18)
_LIMIT = Decimal(10) ** 20

#: Kubernetes kind -> kind of the observation; any other kind is taken in under its own name
KINDS = {"PersistentVolume": "volume", "PersistentVolumeClaim": "volume_claim", "HorizontalPodAutoscaler": "autoscaler"}
_PROVIDERS = {"aws": "AWS", "azure": "Microsoft Azure", "gce": "Google Cloud"}
_REGION_LABELS = ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region")
_TYPE_LABELS = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")
_WORKLOADS = ("Deployment", "StatefulSet", "ReplicaSet", "DaemonSet", "Job", "CronJob", "ReplicationController")


class UnreadableError(ValueError):
    """An object that cannot be taken in: the field at fault and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


@dataclass(frozen=True)
class Scope:
    """What was looked at, and whether all of it was seen; None: from then on nobody looked."""

    scope: str
    complete: bool | None


def read_quantity(text: Any, field: str = "") -> Decimal | None:
    """A Kubernetes quantity as an exact number; None where there is none.

    Raises
    ------
    UnreadableError : it is no quantity

    Example
    -------
    >>> read_quantity("3500m"), read_quantity("16Gi"), read_quantity("4"), read_quantity("1e3")
    (Decimal('3.500'), Decimal('17179869184'), Decimal('4'), Decimal('1E+3'))
    """
    if text is None or text == "":
        return None
    found = _QUANTITY.fullmatch(str(text).strip())
    if not found:
        raise UnreadableError(field, f"{str(text)[:60]!r} is no quantity such as 500m or 16Gi")
    with localcontext() as context:
        context.prec = 80
        number = Decimal(found[1])
        value = number.scaleb(int(found[2])) if found[2] else number * _SUFFIX[found[3] or ""]
        if abs(value) >= _LIMIT * 10:
            raise UnreadableError(field, f"{str(text)[:60]!r} is larger than anything that is kept")
        return value


def as_gib(amount: Decimal | None) -> Decimal | None:
    """Bytes in GiB, to 18 decimals."""
    if amount is None:
        return None
    with localcontext() as context:
        context.prec = 80
        return (amount / _GIB).quantize(_STORED)


def observe(
    dump: Dump, skip: Callable[[Any], bool] | None = None, known: Mapping[tuple[str, str, str], str] | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[Scope]]:
    """The observations of a dump, the objects that cannot be taken in, and what the dump looked at.

    ``skip`` says which objects are no resources, ``known`` the uids of objects that are not in this dump, by kind,
    namespace and name.
    """
    owners = {**(known or {}), **uids_of(dump.objects)}
    rows, bad = [], []
    for number, one in enumerate(dump.objects, start=1):
        if skip is not None and skip(one):
            continue
        try:
            rows.append({**_row(one, dump, owners), "source_row": number})
        except UnreadableError as error:
            raw = json.dumps(one, default=str)[:20_000]
            bad.append({"source_row": number, "column_name": error.field, "reason": str(error), "raw": raw})
    scopes = _scopes(rows, dump, whole=not bad)
    for row in rows:
        row["snapshot_id"] = _content_id({k: v for k, v in row.items() if k not in ("snapshot_id", "source_row")})
    return rows, bad, scopes


def _scopes(rows: list[dict[str, Any]], dump: Dump, whole: bool) -> list[Scope]:
    """What was looked at, written into the rows as well.

    A list of a namespaced kind that names one namespace only may be a list of that namespace only. A dump with an
    object that could not be read may not have shown everything.
    """
    if dump.whole_kinds:
        for row in rows:
            row["scope"] = f"{dump.cluster}/{row['kind']}"
        kinds = sorted(kind_of(kind) for kind in dump.whole_kinds)
        return [Scope(f"{dump.cluster}/{kind}", whole and dump.is_list) for kind in kinds]
    spaces: dict[str, set[str | None]] = {}
    for row in rows:
        spaces.setdefault(row["kind"], set()).add(row["namespace"])
    names = {}
    for kind, found in sorted(spaces.items()):
        only = next(iter(found)) if len(found) == 1 else None
        names[kind] = f"{dump.cluster}/{only}/{kind}" if only else f"{dump.cluster}/{kind}"
    for row in rows:
        row["scope"] = names[row["kind"]] if dump.is_list else f"{dump.cluster}/{row['kind']}/{row['resource_id']}"
    if not dump.is_list:
        return [Scope(row["scope"], False) for row in rows]
    return [Scope(name, whole) for name in names.values()]


def kind_of(kind: str) -> str:
    """What the observations of a Kubernetes kind are called.

    Example
    -------
    >>> kind_of("PersistentVolumeClaim"), kind_of("StatefulSet")
    ('volume_claim', 'statefulset')
    """
    return KINDS.get(kind, kind.lower())


def _dict(value: Any, *path: str) -> dict[str, Any]:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _list(value: Any, *path: str) -> list[Any]:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)


def _first(labels: dict[str, Any], names: Iterable[str]) -> str | None:
    return next((str(labels[name]) for name in names if labels.get(name)), None)


def _kind(one: dict[str, Any]) -> str:
    if isinstance(one.get("kind"), str) and one["kind"]:
        return str(one["kind"])
    if _dict(one, "status", "nodeInfo"):
        return "Node"
    if _list(one, "spec", "containers"):
        return "Pod"
    if _list(one, "spec", "accessModes"):
        return "PersistentVolume" if _dict(one, "spec", "capacity") else "PersistentVolumeClaim"
    raise UnreadableError("kind", "the object has no kind, and its fields do not tell it")


def uids_of(objects: list[Any]) -> dict[tuple[str, str, str], str]:
    """The uids of objects by kind, namespace and name: an autoscaler names its target by them."""
    found = {}
    for one in objects:
        meta = _dict(one, "metadata")
        if meta.get("uid") and isinstance(one.get("kind"), str):
            found[(one["kind"], str(meta.get("namespace") or ""), str(meta.get("name") or ""))] = str(meta["uid"])
    return found


def _row(one: Any, dump: Dump, uids: dict[tuple[str, str, str], str]) -> dict[str, Any]:
    if not isinstance(one, dict) or not isinstance(one.get("metadata"), dict):
        raise UnreadableError("metadata", "no Kubernetes object: it has no metadata")
    kind, meta, spec, status = _kind(one), one["metadata"], _dict(one, "spec"), _dict(one, "status")
    name = _text(meta.get("name"))
    if name is None and not meta.get("uid"):
        raise UnreadableError("metadata.name", "the object has neither a name nor a uid")
    namespace, labels = _text(meta.get("namespace")), _dict(meta, "labels")
    uid = _text(meta.get("uid")) or f"{dump.cluster}/{namespace or ''}/{kind}/{name}"
    row: dict[str, Any] = {
        "resource_id": uid, "resource_name": name, "source_system": "kubernetes",
        "source_sequence": _text(meta.get("resourceVersion")), "observed_at": dump.observed_at, "presence": "present",
        "kind": kind_of(kind), "provider_name": None, "region_id": _first(labels, _REGION_LABELS),
        "account_id": None, "cluster": dump.cluster, "namespace": namespace, "owner_id": _owner(meta),
        "power_state": _text(status.get("phase")), "sku": None, "vcpu": None, "memory_gib": None, "storage_gib": None,
        "replicas": None, "gpu": None, "tags": [(str(k).strip(), _text(v)) for k, v in sorted(labels.items())],
    }  # fmt: skip
    more: dict[str, Any] = {"apiVersion": one.get("apiVersion"), "creationTimestamp": meta.get("creationTimestamp"),
                            "uid": meta.get("uid")}  # fmt: skip
    if kind == "Node":
        _node(row, more, spec, status, labels, dump, uid)
    elif kind == "Pod":
        _pod(row, more, spec, status)
    elif kind in _WORKLOADS:
        _workload(row, more, kind, spec, status)
    elif kind == "PersistentVolume":
        row["storage_gib"] = as_gib(read_quantity(_dict(spec, "capacity").get("storage"), "spec.capacity.storage"))
        row["sku"] = _text(spec.get("storageClassName"))
        row["owner_id"] = row["owner_id"] or _text(_dict(spec, "claimRef").get("uid"))
        more["handle"] = _dict(spec, "csi").get("volumeHandle") or _dict(spec, "awsElasticBlockStore").get("volumeID")
    elif kind == "PersistentVolumeClaim":
        asked = _dict(status, "capacity").get("storage") or _dict(spec, "resources", "requests").get("storage")
        row["storage_gib"] = as_gib(read_quantity(asked, "spec.resources.requests.storage"))
        row["sku"] = _text(spec.get("storageClassName"))
        more["volumeName"] = spec.get("volumeName")
    elif kind == "HorizontalPodAutoscaler":
        target = _dict(spec, "scaleTargetRef")
        row["replicas"] = read_quantity(status.get("currentReplicas"), "status.currentReplicas")
        row["owner_id"] = row["owner_id"] or uids.get(
            (str(target.get("kind")), namespace or "", str(target.get("name")))
        )
        more |= {"minReplicas": spec.get("minReplicas"), "maxReplicas": spec.get("maxReplicas"), "target": target}
    row["attributes"] = json.dumps(
        {k: v for k, v in more.items() if v not in (None, {}, [])}, sort_keys=True, default=str
    )
    row["snapshot_id"] = _content_id(row)
    return row


def _content_id(row: dict[str, Any]) -> str:
    def plain(value: Any) -> Any:
        return value.isoformat() if isinstance(value, datetime) else format(value, "f")

    return hashlib.sha256(json.dumps(row, sort_keys=True, default=plain).encode()).hexdigest()


def _owner(meta: dict[str, Any]) -> str | None:
    references = [one for one in _list(meta, "ownerReferences") if isinstance(one, dict)]
    chosen = next((one for one in references if one.get("controller")), references[0] if references else {})
    return _text(chosen.get("uid"))


def _node(
    row: dict[str, Any], more: dict[str, Any], spec: dict[str, Any], status: dict[str, Any], labels: dict[str, Any],
    dump: Dump, uid: str,
) -> None:  # fmt: skip
    capacity = _dict(status, "capacity")
    provider_id = _text(spec.get("providerID"))
    row["resource_id"] = f"{dump.cluster}/{uid}"
    if provider_id:
        row["resource_id"] = provider_id.rstrip("/").rsplit("/", 1)[-1] or row["resource_id"]
        row["provider_name"] = _PROVIDERS.get(provider_id.split(":", 1)[0].lower())
    row["sku"] = _first(labels, _TYPE_LABELS)
    row["vcpu"] = read_quantity(capacity.get("cpu"), "status.capacity.cpu")
    row["memory_gib"] = as_gib(read_quantity(capacity.get("memory"), "status.capacity.memory"))
    row["storage_gib"] = as_gib(read_quantity(capacity.get("ephemeral-storage"), "status.capacity.ephemeral-storage"))
    row["gpu"] = _gpus(capacity)
    ready = next((c for c in _list(status, "conditions") if isinstance(c, dict) and c.get("type") == "Ready"), {})
    row["power_state"] = {"True": "running", "False": "NotReady", "Unknown": "Unknown"}.get(str(ready.get("status")))
    more |= {"providerID": provider_id, "capacity": capacity, "allocatable": _dict(status, "allocatable"),
             "unschedulable": spec.get("unschedulable"), "taints": _list(spec, "taints"),
             "kubeletVersion": _dict(status, "nodeInfo").get("kubeletVersion")}  # fmt: skip


def _gpus(resources: dict[str, Any]) -> Decimal | None:
    found = [read_quantity(v, k) for k, v in resources.items() if k.endswith(("/gpu", ".com/gpu.shared"))]
    return sum((n for n in found if n is not None), Decimal(0)) if found else None


def _requests(spec: dict[str, Any], field: str = "requests") -> dict[str, Decimal]:
    """What a pod of this spec reserves, by resource."""

    def of(container: Any) -> dict[str, Decimal]:
        asked = _dict(container, "resources", field)
        values = {name: read_quantity(text, f"{field}.{name}") for name, text in asked.items()}
        return {name: value for name, value in values.items() if value is not None}

    total: dict[str, Decimal] = {}
    for container in _list(spec, "containers"):
        for name, value in of(container).items():
            total[name] = total.get(name, Decimal(0)) + value
    for container in _list(spec, "initContainers"):
        for name, value in of(container).items():
            total[name] = max(total.get(name, Decimal(0)), value)
    if field == "requests":
        for name, text in _dict(spec, "overhead").items():
            total[name] = total.get(name, Decimal(0)) + (read_quantity(text, f"overhead.{name}") or 0)
    return total


def _ask(row: dict[str, Any], spec: dict[str, Any]) -> None:
    asked = _requests(spec)
    row["vcpu"], row["memory_gib"] = asked.get("cpu"), as_gib(asked.get("memory"))
    row["storage_gib"] = as_gib(asked.get("ephemeral-storage"))
    gpus = [value for name, value in asked.items() if name.endswith("/gpu")]
    row["gpu"] = sum(gpus, Decimal(0)) if gpus else None


def _pod(row: dict[str, Any], more: dict[str, Any], spec: dict[str, Any], status: dict[str, Any]) -> None:
    _ask(row, spec)
    limits = {name: format(value, "f") for name, value in _requests(spec, "limits").items()}
    restarts = [c.get("restartCount") or 0 for c in _list(status, "containerStatuses") if isinstance(c, dict)]
    more |= {"node": spec.get("nodeName"), "limits": limits, "restarts": sum(n for n in restarts if isinstance(n, int)),
             "qosClass": status.get("qosClass"), "startTime": status.get("startTime")}  # fmt: skip


def _workload(
    row: dict[str, Any], more: dict[str, Any], kind: str, spec: dict[str, Any], status: dict[str, Any]
) -> None:
    template = _dict(spec, "jobTemplate", "spec", "template", "spec") or _dict(spec, "template", "spec")
    _ask(row, template)
    wanted = {"DaemonSet": status.get("desiredNumberScheduled"), "Job": spec.get("parallelism"), "CronJob": None}
    row["replicas"] = read_quantity(wanted.get(kind, spec.get("replicas")), "spec.replicas")
    more |= {"readyReplicas": status.get("readyReplicas"), "strategy": _dict(spec, "strategy").get("type"),
             "schedule": spec.get("schedule"), "succeeded": status.get("succeeded"),
             "failed": status.get("failed")}  # fmt: skip


#: what is still true of a resource that is gone
_OF_THE_GONE = ("resource_id", "resource_name", "source_system", "source_sequence", "observed_at", "kind",
                "provider_name", "region_id", "account_id", "cluster", "namespace", "scope", "source_row")  # fmt: skip


def as_absent(row: dict[str, Any]) -> dict[str, Any]:
    """The observation that a resource is gone, of the last that was seen of it."""
    gone = {name: value if name in _OF_THE_GONE else None for name, value in row.items() if name != "snapshot_id"}
    gone |= {"presence": "absent", "tags": [], "attributes": "{}"}
    return {**gone, "snapshot_id": _content_id({k: v for k, v in gone.items() if k != "source_row"})}


def same_content(row: dict[str, Any]) -> str:
    """What an observation says, without when and as which revision it was said: equal text, nothing new."""
    said = {k: v for k, v in row.items() if k not in ("snapshot_id", "source_row", "observed_at", "source_sequence")}
    return _content_id(said)
