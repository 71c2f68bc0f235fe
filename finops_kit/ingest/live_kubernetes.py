"""A live cluster into the store: whole lists, then what its watch says, in batches.

A list is a whole look at its kind; what the watch tells is appended as it comes, a deletion as ``absent``. A watch that
breaks off goes on from where it was and has lost nothing. Where the cluster no longer knows what came after
(``410 Gone``), or nobody watched, the time until the fresh list is named a gap in the ledger, and what exists then is
a look of its own: nothing is claimed for the time between.
"""

from __future__ import annotations

import hashlib
import json
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from finops_kit.errors import SourceRefused, StoreBusy
from finops_kit.ingest.live_aws import leave_out_known
from finops_kit.ingest.observed import EVENTS
from finops_kit.ingest.report import REFUSED, STORED, FileReport
from finops_kit.ingest.snapshots import SNAPSHOTS
from finops_kit.normalize.kubernetes import Scope, as_absent, observe, same_content, uids_of
from finops_kit.normalize.kubernetes_events import is_event, read_events
from finops_kit.normalize.observations import Look
from finops_kit.settings import Workspace
from finops_kit.sources.kubernetes import Dump
from finops_kit.sources.kubernetes_live import RESOURCES, Away, Cluster, Expired, Resource
from finops_kit.store import Batch, open_writer

#: what waits at most this long, and this many objects, make a batch
BATCH_SECONDS, BATCH_OBJECTS = 30.0, 2_000
#: seconds after which everything is listed anew, so that what never changes is seen again
RELIST_SECONDS = 6 * 3600.0
#: seconds to wait before a connection that broke off is tried again, at first and at most
AGAIN_SECONDS, AGAIN_AT_MOST = 1.0, 60.0
#: seconds between a watch that the server ended and the next one
PAUSE_SECONDS = 0.2

Tell = Callable[[FileReport], None]


@dataclass
class Told:
    """One thing that a cluster said: a list (``LIST``), a change, a refusal."""

    resource: Resource
    what: str
    objects: list[dict[str, Any]]
    at: datetime
    gap: dict[str, Any] | None = None
    problem: str = ""


@dataclass
class Pending:
    """What was said and is not stored yet, as rows."""

    cluster: str
    cluster_from: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    notices: Look = field(default_factory=lambda: Look("kubernetes", datetime.now(UTC), ""))
    bad: list[dict[str, Any]] = field(default_factory=list)
    scopes: dict[tuple[str, datetime], Scope] = field(default_factory=dict)
    touched: dict[str, datetime] = field(default_factory=dict)
    gaps: list[dict[str, Any]] = field(default_factory=list)
    unchanged: int = 0
    uids: dict[tuple[str, str, str], str] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Objects that wait."""
        return len(self.rows) + len(self.notices.events) + len(self.bad)

    def add(self, told: Told) -> None:
        """Take what was said as rows; a change that changes nothing that is kept is counted only."""
        whole = told.what == "LIST"
        dump = Dump(told.objects, whole, told.at, "the answer itself", self.cluster, self.cluster_from,
                    (told.resource.kind,))  # fmt: skip
        if told.gap:
            self.gaps.append(told.gap)
        if told.resource.kind == "Event":
            if told.what != "DELETED":
                notices = read_events(dump)
                self.notices.events += notices.events
                self._aside(notices.bad, told)
            return
        self.uids |= uids_of(told.objects)
        rows, bad, scopes = observe(dump, skip=is_event, known=self.uids)
        self._aside(bad, told)
        if whole:
            self.scopes |= {(one.scope, told.at): one for one in scopes}
        else:
            self.touched |= {one.scope: told.at for one in scopes}
        for row in rows:
            content = same_content(row)
            if told.what == "DELETED":
                self.last.pop(row["resource_id"], None)
                self.rows.append(as_absent(row))
            elif not whole and self.last.get(row["resource_id"]) == content:
                self.unchanged += 1
            else:
                self.last[row["resource_id"]] = content
                self.rows.append(row)

    def _aside(self, bad: list[dict[str, Any]], told: Told) -> None:
        """Set unreadable objects aside by name: the rest of an object may hold what must not be kept."""
        for one in bad:
            about = told.objects[one["source_row"] - 1].get("metadata") or {}
            named = {key: about.get(key) for key in ("name", "namespace", "uid", "resourceVersion")}
            self.bad.append({**one, "raw": json.dumps({"kind": told.resource.kind, "metadata": named}, default=str)})

    def store(self, workspace: Workspace, actor: str | None) -> FileReport | None:
        """Append what waits as one batch; None where nothing does. What was stored waits no longer.

        Raises
        ------
        StoreBusy : somebody else writes for too long; everything still waits
        """
        if not self.count and not self.scopes and not self.gaps:
            return None
        name = f"kubernetes://{self.cluster}"
        with open_writer(workspace) as writer:
            known = leave_out_known(writer, self.notices)
            self.scopes |= {(scope, at): Scope(scope, False) for scope, at in self.touched.items()
                            if (scope, at) not in self.scopes}  # fmt: skip
            for number, one in enumerate((*self.rows, *self.notices.events, *self.bad), start=1):
                one["source_row"] = number
            ids = [one.get("snapshot_id") or one.get("event_id") or one["raw"] for one in
                   (*self.rows, *self.notices.events, *self.bad)]  # fmt: skip
            digest = hashlib.sha256(json.dumps([ids, self.gaps, sorted(map(str, self.scopes))]).encode())
            until = max((at for _, at in self.scopes), default=datetime.now(UTC))
            details = {"live": True, "cluster": f"{self.cluster} ({self.cluster_from})", "gaps": self.gaps,
                       "unchanged": self.unchanged, "notices_known_already": known,
                       "seen_until": until.isoformat()}  # fmt: skip
            with writer.batch(
                kind="ingest", format="kubernetes", source_file=name, source_hash=digest.hexdigest(), actor=actor,
                details={key: value for key, value in details.items() if value},
            ) as batch:  # fmt: skip
                self._insert(batch, name)
        report = FileReport(
            name, "kubernetes", STORED, _note(self.gaps), batch.rows_read, batch.rows_stored, batch.rows_quarantined,
            batch_id=batch.id,
        )  # fmt: skip
        self.rows, self.bad, self.scopes, self.gaps, self.unchanged = [], [], {}, [], 0
        self.touched = {}
        self.notices.events = []
        return report

    def _insert(self, batch: Batch, name: str) -> None:
        batch.rows_read = self.count
        if self.rows:
            batch.insert_arrow("resource_snapshot", pa.Table.from_pylist(self.rows, schema=SNAPSHOTS))
        if self.notices.events:
            batch.insert_arrow("platform_event", pa.Table.from_pylist(self.notices.events, schema=EVENTS))
        if self.bad:
            names = ("source_row", "column_name", "reason", "raw")
            columns: dict[str, list[Any]] = {column: [one[column] for one in self.bad] for column in names}
            batch.insert_arrow("quarantine", pa.table({"source_file": [name] * len(self.bad), **columns}))
        if self.scopes:
            batch.insert_arrow("observation_scope", pa.table({
                "source_system": ["kubernetes"] * len(self.scopes),
                "scope": [one.scope for one in self.scopes.values()],
                "observed_at": pa.array([at for _, at in self.scopes], pa.timestamp("us", tz="UTC")),
                "complete": [one.complete for one in self.scopes.values()],
            }))  # fmt: skip


def _note(gaps: list[dict[str, Any]]) -> str:
    return "; ".join(f"not watched from {gap['from']} to {gap['to']} ({gap['reason']})" for gap in gaps[:3])


class _Clock:
    """Times that never stand still nor go back, so that what was said later is later."""

    def __init__(self) -> None:
        self._lock, self._last = threading.Lock(), datetime.min.replace(tzinfo=UTC)

    def __call__(self) -> datetime:
        with self._lock:
            self._last = max(datetime.now(UTC), self._last + timedelta(microseconds=1))
            return self._last


def observe_cluster(
    workspace: Workspace,
    tell: Tell,
    *,
    context: str | None = None,
    cluster: str | None = None,
    follow: bool = False,
    stop: threading.Event | None = None,
    batch_seconds: float = BATCH_SECONDS,
    relist_seconds: float = RELIST_SECONDS,
    actor: str | None = None,
) -> None:
    """List a cluster into the store, and with ``follow`` watch it until ``stop`` is set.

    Parameters
    ----------
    tell : called with each batch that was stored, and with each kind that may not be read
    context : a context of the kubeconfig; the current one where None
    cluster : the cluster's name in the store; a label of its nodes or the kubeconfig says it where None

    Raises
    ------
    UsageError : the client is missing, or no cluster is known or named
    SourceRefused : the cluster cannot be reached, or nothing of it may be read
    """
    place, clock, end = Cluster(context, cluster), _Clock(), stop or threading.Event()
    name, known_from = _name(place)
    pending = Pending(name, known_from)
    versions: dict[Resource, str] = {}
    gap = _not_watched(workspace, name) if follow else None
    for resource in RESOURCES:
        at = clock()
        try:
            objects, versions[resource] = place.list_all(resource)
        except SourceRefused as error:
            tell(FileReport(f"kubernetes://{name}/{resource.kind}", "kubernetes", REFUSED, str(error)))
            continue
        except Away as error:
            raise SourceRefused(f"The cluster {name} cannot be reached: {error}") from error
        if gap:
            gap |= {"to": at.isoformat()}
        pending.add(Told(resource, "LIST", objects, at, gap))
        gap = None
    if not versions:
        raise SourceRefused(f"Nothing of the cluster {name} may be read with the credentials of this context.")
    _store(pending, workspace, actor, tell)
    if follow:
        said: queue.Queue[Told] = queue.Queue(BATCH_OBJECTS * 2)
        for resource, version in versions.items():
            watcher = _Watcher(place, resource, version, said, end, clock, relist_seconds)
            threading.Thread(target=watcher.run, name=f"watch {resource.kind}", daemon=True).start()
        _collect(pending, said, workspace, actor, tell, end, batch_seconds)


def _name(place: Cluster) -> tuple[str, str]:
    try:
        return place.find_name()
    except Away as error:
        raise SourceRefused(f"The cluster cannot be reached: {error}") from error


def _store(pending: Pending, workspace: Workspace, actor: str | None, tell: Tell) -> None:
    if (report := pending.store(workspace, actor)) is not None:
        tell(report)


def _collect(
    pending: Pending, said: queue.Queue[Told], workspace: Workspace, actor: str | None, tell: Tell,
    stop: threading.Event, batch_seconds: float,
) -> None:  # fmt: skip
    due = time.monotonic() + batch_seconds
    while True:
        ended = stop.is_set()
        try:
            told = said.get_nowait() if ended else said.get(timeout=min(0.2, batch_seconds))
            if told.problem:
                tell(FileReport(f"kubernetes://{pending.cluster}/{told.resource.kind}", "kubernetes", REFUSED,
                                told.problem))  # fmt: skip
            else:
                pending.add(told)
        except queue.Empty:
            if ended:
                break
        if time.monotonic() >= due or pending.count >= BATCH_OBJECTS:
            try:
                _store(pending, workspace, actor, tell)
            except StoreBusy as error:
                tell(
                    FileReport(f"kubernetes://{pending.cluster}", "kubernetes", REFUSED, f"{error} It is tried again.")
                )
            due = time.monotonic() + batch_seconds
    _store(pending, workspace, actor, tell)


@dataclass
class _Watcher:
    """One kind, watched: resumed where a connection broke off, listed anew where the cluster has forgotten."""

    cluster: Cluster
    resource: Resource
    version: str
    said: queue.Queue[Told]
    stop: threading.Event
    clock: _Clock
    relist_seconds: float
    reason: str = ""

    def run(self) -> None:
        """Watch until told to stop."""
        wait, listed = AGAIN_SECONDS, time.monotonic()
        heard = self.clock()
        while not self.stop.is_set():
            try:
                if not self.version:
                    heard, listed = self._list(heard), time.monotonic()
                for what, one in self.cluster.watch(self.resource, self.version):
                    heard, wait = self.clock(), AGAIN_SECONDS
                    self.version = str((one.get("metadata") or {}).get("resourceVersion") or self.version)
                    if what != "BOOKMARK":
                        self.said.put(Told(self.resource, what, [one], heard))
                    if self.stop.is_set():
                        return
                self.stop.wait(PAUSE_SECONDS)
                if time.monotonic() - listed >= self.relist_seconds:
                    self.version, self.reason = "", ""
            except Expired:
                self.version, self.reason = "", "410 Gone: the cluster no longer knew what had happened"
            except Away:
                self.stop.wait(wait)
                wait = min(wait * 2, AGAIN_AT_MOST)
            except SourceRefused as error:
                self.said.put(Told(self.resource, "", [], self.clock(), problem=str(error)))
                return

    def _list(self, heard: datetime) -> datetime:
        at = self.clock()
        objects, self.version = self.cluster.list_all(self.resource)
        gap = {"kind": self.resource.kind, "from": heard.isoformat(), "to": at.isoformat(), "reason": self.reason}
        self.said.put(Told(self.resource, "LIST", objects, at, gap if self.reason else None))
        return at


def _not_watched(workspace: Workspace, cluster: str) -> dict[str, Any] | None:
    """The time since this cluster was watched last, as a gap; None where it never was."""
    with open_writer(workspace) as writer:
        row = writer.connection.execute(
            "SELECT json_extract_string(details, '$.seen_until') FROM lake.ledger WHERE kind = 'ingest' "
            "AND source_file = ? ORDER BY entry DESC LIMIT 1", [f"kubernetes://{cluster}"]
        ).fetchone()  # fmt: skip
    return {"kind": "all", "from": row[0], "reason": "nobody watched"} if row and row[0] else None
