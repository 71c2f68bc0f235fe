"""The naive reference: what the inform layer must say, written as plainly as possible and as slowly as need be.

It knows no increments, no segments and no SQL: every call starts from all observations. Tests hold the store
against it; where the two disagree, this one is read first.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

PRECEDENCE = {"kubernetes": 0, "inventory": 1, "cmdb": 2}  # others, as far as tests use them, come after
STALENESS = {"kubernetes": timedelta(days=8)}
DEFAULT_STALENESS = timedelta(days=35)
DIMENSIONS = ("vcpu", "memory_gib", "storage_gib", "replicas", "gpu", "power_state", "sku")


@dataclass(frozen=True)
class Snapshot:
    """One observation of one resource by one source."""

    resource_id: str
    source_system: str
    observed_at: datetime
    presence: str = "present"
    scope: str | None = None
    sequence: str | None = None
    kind: str = "machine"
    state: tuple[tuple[str, Any], ...] = ()  # column to value; what is missing is not said
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def snapshot_id(self) -> str:
        """Content-addressed, so that the same observation is the same however often it comes."""
        content = [self.resource_id, self.source_system, self.observed_at.isoformat(), self.presence, self.scope,
                   self.sequence, self.kind, sorted((k, str(v)) for k, v in self.state), sorted(self.tags)]  # fmt: skip
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@dataclass(frozen=True)
class Look:
    """One look at a scope, and whether it saw all of it."""

    source_system: str
    scope: str
    observed_at: datetime
    complete: bool = True


@dataclass(frozen=True)
class Seen:
    """What the store believes of a resource at one instant of observation."""

    at: datetime
    source_system: str
    state: tuple[Any, ...]
    values: dict[str, Any] = field(compare=False)


def staleness(source_system: str) -> timedelta:
    return STALENESS.get(source_system, DEFAULT_STALENESS)


def _latest_text_first(text: str | None) -> tuple[int, tuple[int, ...]]:
    """Sort key: the greatest text first, none last."""
    return (1, ()) if text is None else (0, (*(-ord(c) for c in text), 1))


def winners(snapshots: list[Snapshot], looks: list[Look], resource_id: str) -> list[Seen]:
    """One observation per instant: explicit ones, and absences that follow from complete looks."""
    mine = {s.snapshot_id: s for s in snapshots if s.resource_id == resource_id}.values()
    said: dict[tuple[str, datetime], Snapshot] = {}
    for snapshot in mine:
        key = (snapshot.source_system, snapshot.observed_at)
        order = lambda s: (_latest_text_first(s.sequence), s.snapshot_id)  # noqa: E731
        if key not in said or order(snapshot) < order(said[key]):
            said[key] = snapshot
    # (rank, inferred, sequence, hash) decides; the smallest wins
    claims: dict[datetime, list[tuple[Any, Seen]]] = {}
    for snapshot in said.values():
        rank = PRECEDENCE.get(snapshot.source_system, 3)
        claims.setdefault(snapshot.observed_at, []).append(
            ((rank, False, _latest_text_first(snapshot.sequence), snapshot.snapshot_id), _seen(snapshot))
        )
        if snapshot.presence != "present" or snapshot.scope is None:
            continue
        later = [s.observed_at for s in said.values()
                 if s.source_system == snapshot.source_system and s.observed_at > snapshot.observed_at]  # fmt: skip
        told_again = min(later, default=None)
        looked = [look.observed_at for look in looks
                  if look.complete and (look.source_system, look.scope) == (snapshot.source_system, snapshot.scope)
                  and look.observed_at > snapshot.observed_at]  # fmt: skip
        first = min(looked, default=None)
        if first is not None and (told_again is None or first < told_again):
            claims.setdefault(first, []).append(
                ((rank, True, _latest_text_first(None), snapshot.snapshot_id),
                 Seen(first, snapshot.source_system, ("absent",), {}))
            )  # fmt: skip
    return [min(claims[at], key=lambda claim: claim[0])[1] for at in sorted(claims)]


def _seen(snapshot: Snapshot) -> Seen:
    if snapshot.presence == "absent":
        return Seen(snapshot.observed_at, snapshot.source_system, ("absent",), {})
    values = {k: v for k, v in snapshot.state if v is not None}
    state = ("present", snapshot.kind, tuple(sorted(values.items())), tuple(sorted(snapshot.tags)))
    return Seen(snapshot.observed_at, snapshot.source_system, state, values)


def intervals(snapshots: list[Snapshot], looks: list[Look]) -> list[tuple[Any, ...]]:
    """(resource_id, valid_from, valid_to, quality, state) sorted; state is None in a gap."""
    found: list[tuple[Any, ...]] = []
    for resource_id in sorted({s.resource_id for s in snapshots}):
        seen = winners(snapshots, looks, resource_id)
        start = 0
        while start < len(seen):
            end = start
            while (
                end + 1 < len(seen)
                and seen[end + 1].state == seen[start].state
                and seen[end + 1].at - seen[end].at <= staleness(seen[end].source_system)
            ):
                end += 1
            state, last = seen[start].state, seen[end].at
            following = seen[end + 1].at if end + 1 < len(seen) else None
            stale = last + staleness(seen[end].source_system)
            if seen[start].at < last:
                found.append((resource_id, seen[start].at, last, "observed", state))
            found.append((resource_id, last, min(stale, following or stale), "carried", state))
            if following is None or following > stale:
                found.append((resource_id, stale, following, "gap", None))
            start = end + 1
    return sorted(found, key=lambda row: row[:2])


def events(snapshots: list[Snapshot], looks: list[Look]) -> list[tuple[Any, ...]]:
    """(resource_id, dimension, before, after, at_lo, at_hi) sorted."""
    found: list[tuple[Any, ...]] = []
    for resource_id in sorted({s.resource_id for s in snapshots}):
        for dimension in DIMENSIONS:
            known: tuple[Any, datetime] | None = None
            for seen in winners(snapshots, looks, resource_id):
                value = seen.values.get(dimension)
                if value is None:
                    continue
                if known is not None and known[0] != value:
                    found.append((resource_id, dimension, text(known[0]), text(value), known[1], seen.at))
                known = (value, seen.at)
    return sorted(found)


def links(
    snapshots: list[Snapshot], looks: list[Look], charges: list[dict[str, Any]]
) -> dict[int, list[tuple[Any, ...]]]:
    """Charge number to its (resource_id, state from, overlap, share) by time; an empty list is an unlinked charge."""
    states: list[tuple[str, datetime, datetime]] = []
    observed: Any = None
    for resource_id, start, end, quality, state in intervals(snapshots, looks):
        if quality == "gap" or state == ("absent",):
            continue
        if quality == "carried" and observed == (resource_id, start, state):
            states[-1] = (resource_id, states[-1][1], end)
        else:
            states.append((resource_id, start, end))
        observed = (resource_id, end, state) if quality == "observed" else None
    found: dict[int, list[tuple[Any, ...]]] = {}
    instant = timedelta(microseconds=1)
    for number, charge in enumerate(charges, start=1):
        start, end = charge["ChargePeriodStart"], charge["ChargePeriodEnd"]
        parts = [
            (resource_id, state_from, (min(end, state_to) - max(start, state_from)) // instant)
            for resource_id, state_from, state_to in states
            if resource_id == charge["ResourceId"] and state_from < max(end, start + instant) and state_to > start
        ]
        total = sum(part for *_, part in parts)
        units = [part * 10**9 // total if total else 10**9 for *_, part in parts]
        left = [part * 10**9 % total if total else 0 for *_, part in parts]
        by_remainder = sorted(range(len(parts)), key=lambda n: (-left[n], parts[n][1]))
        for place in by_remainder[: 10**9 - sum(units)]:
            units[place] += 1
        found[number] = [
            (r, f, part * instant, Decimal(u) / 10**9) for (r, f, part), u in zip(parts, units, strict=True)
        ]
    return found


def text(value: Any) -> str:
    """A value as events write it."""
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)
