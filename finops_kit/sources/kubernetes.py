"""Kubernetes objects as `kubectl get ... -o json` writes them: a List, a NodeList and its like, or one object.

Observes only: which objects, of which cluster, seen when, and whether the dump is complete for what it lists.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from finops_kit.errors import SourceRefused
from finops_kit.sources.files import SourceFile, read_bounded

#: a dump is read whole, so there is a bound to it, in bytes of JSON
MAX_BYTES = 512 << 20
#: annotations of a List that say what `kubectl` does not
OBSERVED_AT, CLUSTER = "finops-kit/observed-at", "finops-kit/cluster"
#: labels of nodes that name their cluster
_CLUSTER_LABELS = (CLUSTER, "alpha.eksctl.io/cluster-name", "kubernetes.azure.com/cluster", "cluster", "cluster_name")
#: how the OpenShift Insights operator lays out its archive
_INSIGHTS = re.compile(
    r".*?/(?P<root>[^/]+)/(?:config/(?:pod|node|persistentvolumes|machines?ets?)|events|machinesets)/.+\.json(?:\.gz)?$"
)
_STAMPED = re.compile(r"^(?P<cluster>.+?)_(?P<at>\d{4}-\d{2}-\d{2}T\d{2}:?\d{2}(?::?\d{2})?Z)$")


@dataclass(frozen=True)
class Dump:
    """One dump of a cluster.

    Attributes
    ----------
    objects : the objects, each with its ``kind`` where it or its list says one
    is_list : a list of objects, so complete for its kinds unless it was cut (``metadata.continue``)
    observed_at : when it was seen, and where that is known from
    cluster : which cluster, and where that is known from
    whole_kinds : kinds that were listed over the whole cluster, also where nothing of them was there
    """

    objects: list[Any]
    is_list: bool
    observed_at: datetime
    observed_from: str
    cluster: str
    cluster_from: str
    whole_kinds: tuple[str, ...] = ()


def is_kubernetes(source: SourceFile) -> bool:
    """Whether a JSON file's head looks like a Kubernetes object or a list of them."""
    head = source.head[:262_144].decode("utf-8", errors="replace")
    return bool(
        (re.search(r'"items"\s*:\s*\[', head) and re.search(r'"(metadata|kind|apiVersion)"', head))
        or (re.search(r'"items"\s*:\s*\[', head) and '"lastTimestamp"' in head and '"reason"' in head)
        or ('"metadata"' in head and re.search(r'"(spec|status|apiVersion)"', head))
    )  # fmt: skip


def read_dump(source: SourceFile) -> tuple[Dump, str]:
    """Read a dump; also returns the SHA-256 of the bytes that were read.

    Raises
    ------
    SourceRefused : no JSON, too large, or nothing in it is a Kubernetes object
    """
    content, digest = read_bounded(
        source, MAX_BYTES, "Dump it kind by kind (kubectl get nodes -o json, kubectl get pods -A -o json)."
    )
    try:
        whole = json.loads(content.decode("utf-8"), parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise SourceRefused(f"{source.name} is no readable JSON ({str(error)[:120]}). Dump it again.") from error
    objects, is_list = _objects(whole)
    if not any(isinstance(one, dict) and (isinstance(one.get("metadata"), dict) or "reason" in one) for one in objects):
        raise SourceRefused(f"{source.name} holds no Kubernetes object (none has metadata). Is it another export?")
    metadata = whole.get("metadata") if isinstance(whole, dict) else None
    metadata = metadata if isinstance(metadata, dict) else {}
    observed_at, observed_from = _observed_at(source, metadata)
    cluster, cluster_from = _cluster(source, metadata, objects)
    complete = is_list and not metadata.get("continue")
    return Dump(objects, complete, observed_at, observed_from, cluster, cluster_from), digest


def _objects(whole: Any) -> tuple[list[Any], bool]:
    if isinstance(whole, list):
        return whole, True
    if not isinstance(whole, dict):
        return [], False
    if not isinstance(whole.get("items"), list):
        return [whole], False
    kind = whole.get("kind")
    item_kind = kind[:-4] if isinstance(kind, str) and kind.endswith("List") and kind != "List" else None
    version = whole.get("apiVersion")
    filled = [
        {"kind": item_kind, "apiVersion": version, **one} if item_kind and isinstance(one, dict) else one
        for one in whole["items"]
    ]
    return filled, True


def read_time(text: Any) -> datetime | None:
    """A Kubernetes time (RFC 3339, any offset) in UTC; None where it is none.

    Example
    -------
    >>> read_time("2022-08-24T11:40:44+02:00")
    datetime.datetime(2022, 8, 24, 9, 40, 44, tzinfo=datetime.timezone.utc)
    """
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _annotations(metadata: dict[str, Any]) -> dict[str, Any]:
    found = metadata.get("annotations")
    return found if isinstance(found, dict) else {}


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".json")


def _observed_at(source: SourceFile, metadata: dict[str, Any]) -> tuple[datetime, str]:
    """A list does not say when it was made: its annotation, else the stamp in the name, else the file's own time."""
    told = read_time(_annotations(metadata).get(OBSERVED_AT))
    if told:
        return told, f"annotation {OBSERVED_AT}"
    stamped = _STAMPED.match(_stem(source.path))
    if stamped:
        digits = re.sub(r"\D", "", stamped["at"])
        at = datetime.strptime(digits, "%Y%m%d%H%M%S" if len(digits) == 14 else "%Y%m%d%H%M").replace(tzinfo=UTC)
        return at, "time in the file's name"
    return datetime.fromtimestamp(source.modified_ns // 1_000_000_000, UTC), "modification time of the file"


def _cluster(source: SourceFile, metadata: dict[str, Any], objects: list[Any]) -> tuple[str, str]:
    told = _annotations(metadata).get(CLUSTER)
    if isinstance(told, str) and told:
        return told, f"annotation {CLUSTER}"
    if label := cluster_label(objects):
        return label
    stamped = _STAMPED.match(_stem(source.path))
    if stamped:
        return stamped["cluster"], "the file's name"
    if archive := _INSIGHTS.match(source.path.absolute().as_posix()):
        return archive["root"], "name of the archive's folder"
    return source.path.absolute().parent.name or "cluster", "name of the folder"


def cluster_label(objects: list[Any]) -> tuple[str, str] | None:
    """The cluster that labels of nodes name, and which label; None where none does."""
    for labels in _labels_of_nodes(objects):
        for name in _CLUSTER_LABELS:
            if isinstance(labels.get(name), str) and labels[name]:
                return labels[name], f"label {name}"
    return None


def _labels_of_nodes(objects: list[Any]) -> Iterator[dict[str, Any]]:
    for one in objects:
        metadata = one.get("metadata") if isinstance(one, dict) else None
        if (
            isinstance(metadata, dict)
            and isinstance(metadata.get("labels"), dict)
            and one.get("kind") in (None, "Node")
        ):
            yield metadata["labels"]
