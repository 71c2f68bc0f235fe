"""The naive reference: what the inform layer must say, written as plainly as possible and as slowly as need be.

It knows no increments, no segments and no SQL: every call starts from all observations. Tests hold the store
against it; where the two disagree, this one is read first.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate, pairwise
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
    """One look at a scope, and whether it saw all of it; None: from then on nobody looked."""

    source_system: str
    scope: str
    observed_at: datetime
    complete: bool | None = True


@dataclass(frozen=True)
class Claim:
    """What one source says of a resource from one instant on, until it says something else or is stale."""

    at: datetime
    until: datetime
    source_system: str
    presence: str
    kind: str
    values: dict[str, Any]
    tags: dict[str, str]


@dataclass(frozen=True)
class Stretch:
    """What the store believes of a resource between two instants; no state is a gap."""

    start: datetime
    end: datetime
    state: tuple[Any, ...] | None
    seen_at: datetime | None = None  # the last time that somebody saw it so
    holders: tuple[Claim, ...] = ()  # whose word it is, the first first


def staleness(source_system: str) -> timedelta:
    return STALENESS.get(source_system, DEFAULT_STALENESS)


def _latest_text_first(text: str | None) -> tuple[int, tuple[int, ...]]:
    """Sort key: the greatest text first, none last."""
    return (1, ()) if text is None else (0, (*(-ord(c) for c in text), 1))


def claims(snapshots: list[Snapshot], looks: list[Look], resource_id: str) -> dict[str, list[Claim]]:
    """What each source says over time: explicitly, and by a complete look that no longer shows the resource."""
    said: dict[str, dict[datetime, Snapshot]] = {}
    for snapshot in {s.snapshot_id: s for s in snapshots if s.resource_id == resource_id}.values():
        mine = said.setdefault(snapshot.source_system, {})
        order = lambda s: (_latest_text_first(s.sequence), s.snapshot_id)  # noqa: E731
        if snapshot.observed_at not in mine or order(snapshot) < order(mine[snapshot.observed_at]):
            mine[snapshot.observed_at] = snapshot
    found: dict[str, list[Claim]] = {}
    for source, mine in said.items():
        words: list[tuple[datetime, Snapshot, str]] = []
        for at, snapshot in sorted(mine.items()):
            words.append((at, snapshot, snapshot.presence))
            told_again = min((other for other in mine if other > at), default=None)
            looked = min((look.observed_at for look in looks
                          if look.complete and (look.source_system, look.scope) == (source, snapshot.scope)
                          and look.observed_at > at), default=None)  # fmt: skip
            if snapshot.presence == "present" and looked and (told_again is None or looked < told_again):
                words.append((looked, snapshot, "absent"))
        for place, (at, snapshot, presence) in enumerate(words):
            until = at + staleness(source)
            if presence == "present":
                lost = (look.observed_at for look in looks
                        if look.complete is None and (look.source_system, look.scope) == (source, snapshot.scope)
                        and look.observed_at > at)  # fmt: skip
                until = min([until, *lost])
            if place + 1 < len(words):
                until = min(until, words[place + 1][0])
            values = {k: v for k, v in snapshot.state if v is not None} if presence == "present" else {}
            tags = dict(snapshot.tags) if presence == "present" else {}
            found.setdefault(source, []).append(Claim(at, until, source, presence, snapshot.kind, values, tags))
    return found


def stretches(snapshots: list[Snapshot], looks: list[Look], resource_id: str) -> list[Stretch]:
    """What is believed from every instant at which a word begins or ends to the next."""
    by_source = claims(snapshots, looks, resource_id)
    ranked = sorted(by_source, key=lambda source: (PRECEDENCE.get(source, 3), source))
    moments = sorted({moment for mine in by_source.values() for c in mine for moment in (c.at, c.until)})
    return [believed(start, end, [by_source[source] for source in ranked])
            for start, end in pairwise(moments)]  # fmt: skip


def believed(start: datetime, end: datetime, ranked: list[list[Claim]]) -> Stretch:
    """The first source that has a word decides; what it does not say is taken from the next ones."""
    words = [max((c for c in mine if c.at <= start), key=lambda c: c.at, default=None) for mine in ranked]
    left = [c for c in words if c and c.presence == "absent" and c.kind == "node"]  # it left; is it gone?
    holders: list[Claim] = []
    for last in [c for c in words if c and c not in left] + left:
        if last.until > start:
            if not holders or last.presence == holders[0].presence:
                holders.append(last)
        elif last.presence == "absent" and last not in left and not holders:
            break  # gone, and nobody lower brings it back
    if not holders:
        return Stretch(start, end, None)
    if holders[0].presence == "absent":
        return Stretch(start, end, ("absent",), max(c.at for c in holders), tuple(holders))
    values: dict[str, Any] = {}
    tags: dict[str, str] = {}
    for holder in reversed(holders):
        values |= holder.values
        tags |= holder.tags
    kind = holders[0].kind
    agreed = [c.at for c in holders if c is holders[0] or agrees(c, kind, values, tags)]
    state = ("present", kind, tuple(sorted(values.items())), tuple(sorted(tags.items())))
    return Stretch(start, end, state, max(agreed), tuple(holders))


def agrees(claim: Claim, kind: str, values: dict[str, Any], tags: dict[str, str]) -> bool:
    """Whether a word contradicts nothing of a state."""
    return claim.kind == kind and claim.values.items() <= values.items() and claim.tags.items() <= tags.items()


def intervals(snapshots: list[Snapshot], looks: list[Look]) -> list[tuple[Any, ...]]:
    """(resource_id, valid_from, valid_to, quality, state) sorted; state is None in a gap."""
    found: list[tuple[Any, ...]] = []
    for resource_id in sorted({s.resource_id for s in snapshots}):
        known = [s for s in stretches(snapshots, looks, resource_id) if s.state is not None]
        while known:
            run = [known.pop(0)]
            while known and known[0].state == run[0].state and known[0].start == run[-1].end:
                run.append(known.pop(0))
            state, first, end = run[0].state, run[0].start, run[-1].end
            last = max(first, *(s.seen_at for s in run if s.seen_at))
            following = known[0].start if known else None
            if first < last:
                found.append((resource_id, first, last, "observed", state))
            found.append((resource_id, last, end, "carried", state))
            if following is None or following > end:
                found.append((resource_id, end, following, "gap", None))
    return sorted(found, key=lambda row: row[:2])


def transitions(snapshots: list[Snapshot], looks: list[Look]) -> list[tuple[Any, ...]]:
    """(resource_id, dimension, before, after, at_lo, since, seen) in the order of time; ``seen`` is whether it is an event.

    A change is seen where the source whose word holds now said the old value itself, and the new one after anybody
    whose word held had last said the old one. Where the word only passes to somebody who says otherwise, it is not.
    """  # noqa: E501
    found: list[tuple[Any, ...]] = []
    for resource_id in sorted({s.resource_id for s in snapshots}):
        by_source = claims(snapshots, looks, resource_id)
        for dimension in DIMENSIONS:
            value: Any = None
            last_said_at = None
            for stretch in stretches(snapshots, looks, resource_id):
                holder = next((c for c in stretch.holders if dimension in c.values), None)
                if holder is None:
                    continue
                new = holder.values[dimension]
                if value is None or new == value:
                    last_said_at = max(holder.at, last_said_at or holder.at)
                    value = new
                    continue
                own = [(c.at, c.values[dimension]) for c in by_source[holder.source_system]
                       if dimension in c.values and c.at <= holder.at]  # fmt: skip
                changes = [(lo, before, hi) for (lo, before), (hi, after) in pairwise(own) if before != after]
                lo, before, hi = changes[-1] if changes else (None, None, None)
                seen = bool(changes) and before == value and hi > last_said_at
                found.append((resource_id, dimension, text(value), text(new),
                              max(lo, last_said_at) if seen else None, stretch.start, seen))  # fmt: skip
                value, last_said_at = new, holder.at
    return found


def events(snapshots: list[Snapshot], looks: list[Look]) -> list[tuple[Any, ...]]:
    """(resource_id, dimension, before, after, at_lo, at_hi) sorted."""
    return sorted(row[:6] for row in transitions(snapshots, looks) if row[6])


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
        upto = [known * 10**9 // total if total else 10**9 for known in accumulate(part for *_, part in parts)]
        units = [hi - lo for lo, hi in zip([0, *upto], upto, strict=False)]
        found[number] = [
            (r, f, part * instant, Decimal(u) / 10**9) for (r, f, part), u in zip(parts, units, strict=True)
        ]
    return found


def text(value: Any) -> str:
    """A value as events write it."""
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)
