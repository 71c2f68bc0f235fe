"""One kind of a live cluster, watched: what is said of it, how far it was heard, and where sight of it was lost.

A watch that breaks off goes on from where it was and has lost nothing, also after a restart. Where the cluster no
longer knows what came after (``410 Gone``) everything is listed anew, and nothing is claimed of the time between.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from finops_kit.errors import SourceRefused
from finops_kit.sources.kubernetes_live import Away, Cluster, Expired, Resource

#: seconds after which everything is listed anew, so that what never changes is seen again
RELIST_SECONDS = 6 * 3600.0
#: seconds to wait before a connection that broke off is tried again, at first and at most
AGAIN_SECONDS, AGAIN_AT_MOST = 1.0, 60.0
#: seconds between a watch that the server ended and the next one
PAUSE_SECONDS = 0.2

_FORGOTTEN = "the cluster no longer knew what had happened"
_NOBODY = "nobody watched, and "
_AWAY = "the cluster could not be reached when it was due to be listed anew"


@dataclass(frozen=True)
class Position:
    """How far a kind was heard.

    Attributes
    ----------
    version : the resourceVersion from which its watch goes on
    heard : when something of it was heard last, or nothing and the watch stood
    listed : when all of it was listed last
    """

    version: str
    heard: datetime
    listed: datetime

    def as_text(self) -> list[str]:
        """As the ledger keeps it."""
        return [self.version, self.heard.isoformat(), self.listed.isoformat()]

    @staticmethod
    def from_text(kept: list[str]) -> Position:
        """As the ledger kept it.

        Example
        -------
        >>> Position.from_text(["7", "2026-09-01T06:00:00+00:00", "2026-09-01T00:00:00+00:00"]).heard.hour
        6
        """
        version, heard, listed = kept
        return Position(version, datetime.fromisoformat(heard), datetime.fromisoformat(listed))


@dataclass(frozen=True)
class Gap:
    """A time in which nobody heard what happened to a kind."""

    kind: str
    heard: datetime
    until: datetime
    reason: str

    @property
    def lost_at(self) -> datetime:
        """The first moment of which nothing is known: what was heard last was so at that instant."""
        return self.heard + timedelta(microseconds=1)

    def as_dict(self) -> dict[str, str]:
        """As the ledger keeps it."""
        return {"kind": self.kind, "from": self.heard.isoformat(), "to": self.until.isoformat(), "reason": self.reason}


@dataclass
class Told:
    """One thing that a cluster said: a list (``LIST``), a change, that nothing happened (``BOOKMARK``), a refusal."""

    resource: Resource
    what: str
    objects: list[dict[str, Any]]
    at: datetime
    position: Position | None = None
    gap: Gap | None = None
    problem: str = ""


class Clock:
    """Times that never stand still nor go back, so that what was said later is later.

    Example
    -------
    >>> clock = Clock(datetime(2999, 1, 1, tzinfo=UTC))
    >>> clock().year, clock() < clock()
    (2999, True)
    """

    def __init__(self, after: datetime | None = None) -> None:
        self._lock, self._last = threading.Lock(), after or datetime.min.replace(tzinfo=UTC)

    def __call__(self) -> datetime:
        """The next time."""
        with self._lock:
            self._last = max(datetime.now(UTC), self._last + timedelta(microseconds=1))
            return self._last


@dataclass
class Watcher:
    """Says all that happens to one kind from a position on.

    Attributes
    ----------
    resumed : the position was kept by an earlier watch, and nobody watched since
    """

    cluster: Cluster
    resource: Resource
    position: Position
    said: queue.Queue[Told]
    stop: threading.Event
    clock: Clock
    relist_seconds: float
    resumed: bool = False

    def run(self) -> None:
        """Watch until told to stop."""
        wait, relist, reason = AGAIN_SECONDS, False, ""
        due = time.monotonic() + self.relist_seconds - (self.clock() - self.position.listed).total_seconds()
        while not self.stop.is_set():
            try:
                if relist:
                    self._list(reason)
                    relist, reason, due = False, "", time.monotonic() + self.relist_seconds
                for what, one in self.cluster.watch(self.resource, self.position.version):
                    wait, self.resumed = AGAIN_SECONDS, False
                    self._hear(what, one)
                    if self.stop.is_set():
                        return
                self.resumed = False
                self._hear("BOOKMARK", {})
                self.stop.wait(PAUSE_SECONDS)
                relist = time.monotonic() >= due
            except Expired as error:
                relist, reason = True, f"{error}: {_NOBODY if self.resumed else ''}{_FORGOTTEN}"
            except Away:
                if relist or time.monotonic() >= due:
                    relist, reason = True, reason or _AWAY
                self.stop.wait(wait)
                wait = min(wait * 2, AGAIN_AT_MOST)
            except SourceRefused as error:
                self.said.put(Told(self.resource, "", [], self.clock(), problem=str(error)))
                return

    def _hear(self, what: str, one: dict[str, Any]) -> None:
        at = self.clock()
        version = str((one.get("metadata") or {}).get("resourceVersion") or self.position.version)
        self.position = replace(self.position, version=version, heard=at)
        self.said.put(Told(self.resource, what, [] if what == "BOOKMARK" else [one], at, self.position))

    def _list(self, reason: str) -> None:
        at = self.clock()
        objects, version = self.cluster.list_all(self.resource)
        gap = Gap(self.resource.kind, self.position.heard, at, reason) if reason else None
        self.position = Position(version, at, at)
        self.said.put(Told(self.resource, "LIST", objects, at, self.position, gap))
