"""Answers of the allocation API of OpenCost and Kubecost: what each workload took of a cluster in a window of time.

Source: OpenCost, "API", ``/allocation`` and ``/allocation/compute``; Kubecost, "Allocation API": ``data`` is a list
with one object per step, which holds the allocations by name (``__idle__`` and ``__unallocated__`` among them).
``/allocation/summary`` (OpenCost, ``SummaryAllocationSetRange``) answers ``data.sets``, each with ``allocations`` by
name and the ``window`` they are of; its costs contain their adjustments, its allocations have no properties, and those
of OpenCost no ``totalCost``, which is the sum of the eight costs by definition (``SummaryAllocation.TotalCost``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

from finops_kit.errors import SourceRefused
from finops_kit.sources.files import SourceFile, SourceStream
from finops_kit.sources.layout import Layout

#: an answer is read whole, so there is a bound to it, in bytes of JSON
MAX_BYTES = 512 << 20
#: what OpenCost's prices are in unless it is told otherwise; its answers do not say
DEFAULT_CURRENCY = "USD"
#: costs that add up to ``totalCost``, each with an adjustment beside it where it was reconciled with a bill
COMPONENTS = ("cpu", "gpu", "ram", "pv", "network", "loadBalancer")
_PARTS = (*(f"{name}Cost" for name in COMPONENTS), "sharedCost", "externalCost")
_PROPERTIES = ("cluster", "node", "namespace", "controllerKind", "controller", "pod", "container", "providerID")
HEADER = (
    "name", "window.start", "window.end", "start", "end", "minutes", *(f"properties.{name}" for name in _PROPERTIES),
    "labels", "currency", "cpuCoreHours", "gpuHours", "ramByteHours", "pvByteHours",
    *(f"{name}{what}" for name in COMPONENTS for what in ("Cost", "CostAdjustment")), "sharedCost", "externalCost",
    "totalCost", "other_fields",
)  # fmt: skip


def read_allocation_layout(source: SourceFile) -> Layout | None:
    """The columns of an answer; None where the file is something else."""
    head = source.head[:262_144].decode("utf-8", errors="replace").removeprefix("\ufeff")
    like = re.search(r'"data"\s*:\s*[\[{]', head) and all(f'"{name}"' in head for name in ("cpuCost", "ramCost"))
    known = '"totalCost"' in head or re.search(r'"allocations"\s*:\s*\{', head)
    return Layout("\n", HEADER, True, "allocations") if like and known else None


def read_allocations(stream: SourceStream, name: str, decoder: json.JSONDecoder) -> Iterator[tuple[str, Any]]:
    """Each allocation of an answer, of every step: as it is written, and decoded; labels as one JSON text.

    Raises
    ------
    SourceRefused : it is no such answer, says that it failed, or is a summary that does not say of which window
    """
    content = bytearray()
    while piece := stream.read(1 << 20):
        content += piece
        if len(content) > MAX_BYTES:
            raise SourceRefused(f"{name} holds more than {MAX_BYTES >> 20} MiB of JSON. Ask for shorter windows.")
    try:
        answer = decoder.decode(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise SourceRefused(f"{name} is no readable JSON ({str(error)[:120]}). Ask for it again.") from error
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list | dict):
        raise SourceRefused(f"{name} is no answer of an allocation API: it has no data. Ask for it again.")
    currency = str(answer.get("currency") or DEFAULT_CURRENCY).strip().upper()
    cluster = _cluster(answer, data, name)
    for step, window in _steps(data, name):
        for key, found in step.items():
            if not isinstance(found, dict):
                yield json.dumps({key: found})[:1000], None
                continue
            properties = cluster | dict(
                found.get("properties") or {} if isinstance(found.get("properties"), dict) else {}
            )
            labels = properties.pop("labels", None)
            row = {"name": key, **found, "currency": currency, "properties": properties}
            if window is not None:
                row = {**row, "window": window, "totalCost": found.get("totalCost", _total(found))}
            if isinstance(labels, dict):
                row["labels"] = json.dumps(labels, ensure_ascii=False)
            for rest in ("pvs", "lbAllocations", "proportionalAssetResourceCosts", "rawAllocationOnly"):
                if isinstance(row.get(rest), dict):
                    row[rest] = json.dumps(row[rest], ensure_ascii=False)
            yield "", row


def _cluster(answer: dict[str, Any], data: list[Any] | dict[str, Any], name: str) -> dict[str, str]:
    """The cluster of allocations that do not name one: said beside the data, or the only one that the others name."""
    if isinstance(answer.get("cluster"), str):
        return {"cluster": answer["cluster"]}
    found = [one for step, _ in _steps(data, name) for one in step.values() if isinstance(one, dict)]
    named = [one["properties"].get("cluster") for one in found if isinstance(one.get("properties"), dict)]
    clusters = {one for one in named if isinstance(one, str) and one}
    return {"cluster": clusters.pop()} if len(clusters) == 1 else {}


def _steps(data: list[Any] | dict[str, Any], name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """The allocations of each step by name; those of a summary with the window that they are of."""
    above = data.get("window") if isinstance(data, dict) else None
    sets = data.get("sets") if isinstance(data, dict) and isinstance(data.get("sets"), list) else data
    steps = [one for one in (sets if isinstance(sets, list) else [sets]) if isinstance(one, dict)]
    for step in steps:
        if not (isinstance(step.get("allocations"), dict) and "cpuCost" not in step["allocations"]):
            yield step, None
            continue
        window = step.get("window") or (above if len(steps) == 1 else None)
        if not (isinstance(window, dict) and window.get("start") and window.get("end")):
            raise SourceRefused(
                f"{name} is a summary of allocations that does not say of which window. Ask for it with /allocation."
            )
        yield step["allocations"], window


def _total(found: dict[str, Any]) -> str | None:
    """The sum of the costs of an allocation, to its last decimal; None where one of them is unknown."""
    try:
        with localcontext() as context:
            context.prec = 80
            return format(sum((Decimal(str(found[part])) for part in _PARTS if part in found), Decimal(0)), "f")
    except InvalidOperation:
        return None
