"""What was used, as an observability system measured it: samples beside the states, never a source of them.

Source: Prometheus HTTP API, the answer of ``/api/v1/query_range`` (matrix) and ``/api/v1/query`` (vector). A rate has
no name of its own: the metric is then called after the file.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import PurePath
from typing import Any

from finops_kit.errors import SourceRefused
from finops_kit.normalize.kubernetes import UnreadableError
from finops_kit.normalize.observations import Look, as_dict, as_list, as_words, pick, read_number
from finops_kit.sources.documents import Document

#: what a name says, the metric that it is kept as, its unit, and how many of its own units that unit is
_METRICS = (
    (re.compile("cpu", re.I), "vcpu", "vCPU", Decimal(1)),
    (re.compile("memory|working_set|rss", re.I), "memory_gib", "GiB", Decimal(2**30)),
)
_NAMES = ("pod", "node", "persistentvolumeclaim", "deployment", "statefulset", "instance")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def observe_usage(document: Document, name: str) -> Look:
    """The samples of one answer.

    Raises
    ------
    SourceRefused : the answer is an error, or has no series of samples
    """
    answer = as_dict(document.value)
    if answer.get("status") != "success":
        raise SourceRefused(
            f"{name} is no answer with samples: {as_words(answer.get('error')) or 'its status is not success'}."
        )
    if pick(answer, "data", "resultType") not in ("matrix", "vector"):
        raise SourceRefused(f"{name} holds no series per resource. Ask for a range or an instant vector.")
    look = Look("prometheus", document.observed_at, document.observed_from)
    stem = re.split(r"[_-]?\d{4}-\d{2}-\d{2}|\.", PurePath(name).name)[0]
    number = 0
    for series in as_list(pick(answer, "data", "result")):
        labels = as_dict(pick(series, "metric"))
        for sample in as_list(pick(series, "values")) or [pick(series, "value")]:
            number += 1
            try:
                look.samples.append(_sample(look, number, labels, sample, stem))
            except UnreadableError as error:
                look.reject(number, error, {"metric": labels, "value": sample})
    return look


def _sample(look: Look, number: int, labels: dict[str, Any], sample: Any, stem: str) -> dict[str, Any]:
    named = as_words(labels.get("__name__")) or stem
    if named.endswith("_total"):
        raise UnreadableError("metric", f"{named} is a counter, which only grows: ask for its rate()")
    metric, unit, size = next((m[1:] for m in _METRICS if m[0].search(named)), (named, "", Decimal(1)))
    resource = next((as_words(labels.get(label)) for label in _NAMES if labels.get(label)), None)
    if resource is None:
        raise UnreadableError("metric", f"the series names no resource ({', '.join(_NAMES)}): ask for it by one")
    value = read_number(pick(sample, 1), "value")
    if value is None:
        raise UnreadableError("value", "the sample has no value")
    return {
        "resource_id": as_words(labels.get("uid")), "resource_name": resource,
        "cluster": as_words(labels.get("cluster")), "namespace": as_words(labels.get("namespace")), "metric": metric,
        "unit": unit, "measured_at": _moment(pick(sample, 0)), "value": (value / size).quantize(Decimal(1).scaleb(-18)),
        "measured_by": look.source_system, "source_row": number,
    }  # fmt: skip


def _moment(value: Any) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=int(Decimal(str(value)) * 10**6))
    except (InvalidOperation, ValueError, OverflowError):
        raise UnreadableError("measured_at", f"{str(value)[:40]!r} is no time in seconds") from None
