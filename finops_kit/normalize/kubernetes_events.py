"""Kubernetes Events to notices of the platform: who scaled what, when, and in which words.

Source: Kubernetes API reference, Event v1 (``events.k8s.io/v1`` and core ``v1``). The time of an event that repeats is
its last. An archive of the OpenShift Insights operator keeps namespace, time, reason and message only: what it is
about is then no more than the namespace.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from finops_kit.normalize.kubernetes import UnreadableError
from finops_kit.normalize.observations import Look, as_dict, as_words, event, pick
from finops_kit.sources.kubernetes import Dump, read_time

_TIMES = (("series", "lastObservedTime"), ("lastTimestamp",), ("deprecatedLastTimestamp",), ("eventTime",),
          ("firstTimestamp",), ("metadata", "creationTimestamp"))  # fmt: skip


def is_event(one: Any) -> bool:
    """Whether an object is an Event, said or seen by its fields."""
    if not isinstance(one, dict):
        return False
    kind = one.get("kind")
    if isinstance(kind, str) and kind:
        return kind == "Event"
    return isinstance(one.get("reason"), str) and ("involvedObject" in one or "regarding" in one or _is_short(one))


def _is_short(one: dict[str, Any]) -> bool:
    return "lastTimestamp" in one and "namespace" in one


def read_events(dump: Dump) -> Look:
    """The events of a dump as notices, and those that cannot be read."""
    look = Look("kubernetes", dump.observed_at, dump.observed_from)
    for number, one in enumerate(dump.objects, start=1):
        if not is_event(one):
            continue
        try:
            look.events.append(_notice(look, number, one, dump.cluster))
        except UnreadableError as error:
            look.reject(number, error, one)
    return look


def _notice(look: Look, number: int, one: dict[str, Any], cluster: str) -> dict[str, Any]:
    happened = _happened(one)
    if happened is None:
        raise UnreadableError("lastTimestamp", "the event says no time that can be read")
    about = as_dict(one.get("involvedObject")) or as_dict(one.get("regarding"))
    namespace = as_words(about.get("namespace") or pick(one, "metadata", "namespace") or one.get("namespace"))
    name = as_words(about.get("name"))
    resource = as_words(about.get("uid"))
    if resource is None:
        resource = "/".join(part for part in (cluster, namespace, as_words(about.get("kind")), name) if part)
    reason = as_words(one.get("reason"))
    if reason is None:
        raise UnreadableError("reason", "the event names no reason")
    reporter = pick(one, "source", "component") or one.get("reportingController") or one.get("reportingComponent")
    return event(
        look, number, happened_at=happened, resource_id=resource, cluster=cluster, namespace=namespace, reason=reason,
        message=as_words(one.get("message") or one.get("note")), reported_by=as_words(reporter),
    )  # fmt: skip


def _happened(one: dict[str, Any]) -> datetime | None:
    return next((at for path in _TIMES if (at := read_time(pick(one, *path)))), None)
