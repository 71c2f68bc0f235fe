"""A live cluster into the store: whole lists, then what its watch says, in batches.

A list is a whole look at its kind; what the watch tells is appended as it comes, a deletion as ``absent``. Each batch
keeps how far every kind was heard, so that a watch which is started again goes on from there: what was stored is never
asked for again, and what was not is. Where sight was lost, the loss is stored with the list that ends it, and states
have a gap from then to that list.
"""

from __future__ import annotations

import hashlib
import json
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from finops_kit.errors import SourceRefused, StoreBusy
from finops_kit.ingest.live_aws import leave_out_known
from finops_kit.ingest.live_watch import RELIST_SECONDS, Clock, Gap, Position, Told, Watcher
from finops_kit.ingest.observed import EVENTS
from finops_kit.ingest.report import REFUSED, STORED, UNCHANGED, FileReport
from finops_kit.ingest.snapshots import SNAPSHOTS
from finops_kit.normalize.kubernetes import Scope, as_absent, kind_of, observe, same_content, uids_of
from finops_kit.normalize.kubernetes_events import is_event, read_events
from finops_kit.normalize.observations import Look
from finops_kit.settings import Workspace
from finops_kit.sources.kubernetes import Dump
from finops_kit.sources.kubernetes_live import RESOURCES, Away, Cluster
from finops_kit.store import Batch, open_reader, open_writer

#: what waits at most this long, and this many objects, make a batch
BATCH_SECONDS, BATCH_OBJECTS = 30.0, 2_000
#: seconds after which it is written down how far was heard, also where nothing happened
KEEP_SECONDS = 600.0

Tell = Callable[[FileReport], None]


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
    gaps: list[Gap] = field(default_factory=list)
    positions: dict[str, Position] = field(default_factory=dict)
    moved: bool = False
    changed: set[str] = field(default_factory=set)
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
        if told.position:
            self.positions[told.resource.kind], self.moved = told.position, True
        if told.gap:
            self.gaps.append(told.gap)
        if told.what == "BOOKMARK":
            return
        self.changed.add(told.resource.kind)
        if told.resource.kind == "Event":
            if told.what != "DELETED":
                notices = read_events(dump)
                self.notices.events += notices.events
                self._aside(notices.bad, told)
            return
        self.uids |= uids_of(told.objects)
        rows, bad, scopes = observe(dump, skip=is_event, known=self.uids)
        self._aside(bad, told)
        if told.gap:
            self.scopes |= {(one.scope, told.gap.lost_at): Scope(one.scope, None) for one in scopes}
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

    def store(self, workspace: Workspace, actor: str | None, whole: bool = False) -> FileReport | None:
        """Append what waits as one batch; None where nothing does. What was stored waits no longer.

        How far was heard is kept of the kinds that have something in the batch, so that both are stored or neither.

        Parameters
        ----------
        whole : keep it of every kind, also where nothing else waits

        Raises
        ------
        StoreBusy : somebody else writes for too long; everything still waits
        """
        if not self.count and not self.scopes and not self.gaps and not (whole and self.moved):
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
            gaps = [gap.as_dict() for gap in self.gaps]
            heard = {kind: position.as_text() for kind, position in self.positions.items()
                     if whole or kind in self.changed}  # fmt: skip
            digest = hashlib.sha256(json.dumps([ids, gaps, heard, sorted(map(str, self.scopes))]).encode())
            details = {"live": True, "cluster": f"{self.cluster} ({self.cluster_from})", "gaps": gaps,
                       "unchanged": self.unchanged, "notices_known_already": known,
                       "watch" if whole else "heard": heard}  # fmt: skip
            with writer.batch(
                kind="ingest", format="kubernetes", source_file=name, source_hash=digest.hexdigest(), actor=actor,
                details={key: value for key, value in details.items() if value},
            ) as batch:  # fmt: skip
                self._insert(batch, name)
        report = FileReport(
            name, "kubernetes", STORED, _note(self.gaps) or ("" if self.count else "nothing new"),
            batch.rows_read, batch.rows_stored, batch.rows_quarantined, batch_id=batch.id,
        )  # fmt: skip
        self.rows, self.bad, self.scopes, self.gaps, self.unchanged = [], [], {}, [], 0
        self.touched, self.changed = {}, set()
        self.moved = self.moved and not whole
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


def _note(gaps: list[Gap]) -> str:
    said = (f"{gap.kind} not seen from {gap.heard:%Y-%m-%d %H:%M:%S} to {gap.until:%Y-%m-%d %H:%M:%S} ({gap.reason})"
            for gap in gaps[:3])  # fmt: skip
    return "; ".join([*said, *([f"and {len(gaps) - 3} more kinds"] if len(gaps) > 3 else [])])


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
    place, end = Cluster(context, cluster), stop or threading.Event()
    name, known_from = _name(place)
    kept, uids = _kept(workspace, name) if follow else ({}, {})
    clock = Clock(max((one.heard for one in kept.values()), default=None))
    pending = Pending(name, known_from, positions=dict(kept), uids=uids)
    positions = {resource: kept[resource.kind] for resource in RESOURCES if resource.kind in kept}
    for resource in RESOURCES:
        if resource in positions:
            continue
        at = clock()
        try:
            objects, version = place.list_all(resource)
        except SourceRefused as error:
            tell(FileReport(f"kubernetes://{name}/{resource.kind}", "kubernetes", REFUSED, str(error)))
            continue
        except Away as error:
            raise SourceRefused(f"The cluster {name} cannot be reached: {error}") from error
        positions[resource] = Position(version, at, at)
        pending.add(Told(resource, "LIST", objects, at, positions[resource] if follow else None))
    if not positions:
        raise SourceRefused(f"Nothing of the cluster {name} may be read with the credentials of this context.")
    if kept:
        until = f"{max(one.heard for one in kept.values()):%Y-%m-%d %H:%M:%S} UTC"
        tell(FileReport(f"kubernetes://{name}", "kubernetes", UNCHANGED, f"the watch goes on from {until}"))
    _store(pending, workspace, actor, tell, whole=follow)
    if follow:
        said: queue.Queue[Told] = queue.Queue(BATCH_OBJECTS * 2)
        for resource, position in positions.items():
            watcher = Watcher(place, resource, position, said, end, clock, relist_seconds, resource.kind in kept)
            threading.Thread(target=watcher.run, name=f"watch {resource.kind}", daemon=True).start()
        try:
            _collect(pending, said, workspace, actor, tell, end, batch_seconds)
        finally:
            end.set()  # whatever ended it, nobody goes on to watch


def _name(place: Cluster) -> tuple[str, str]:
    try:
        return place.find_name()
    except Away as error:
        raise SourceRefused(f"The cluster cannot be reached: {error}") from error


def _store(pending: Pending, workspace: Workspace, actor: str | None, tell: Tell, whole: bool = False) -> None:
    if (report := pending.store(workspace, actor, whole)) is not None:
        tell(report)


def _collect(
    pending: Pending, said: queue.Queue[Told], workspace: Workspace, actor: str | None, tell: Tell,
    stop: threading.Event, batch_seconds: float,
) -> None:  # fmt: skip
    due, keep = time.monotonic() + batch_seconds, time.monotonic() + KEEP_SECONDS
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
                whole = time.monotonic() >= keep
                _store(pending, workspace, actor, tell, whole)
                keep = time.monotonic() + KEEP_SECONDS if whole else keep
            except StoreBusy as error:
                tell(
                    FileReport(f"kubernetes://{pending.cluster}", "kubernetes", REFUSED, f"{error} It is tried again.")
                )
            due = time.monotonic() + batch_seconds
    _store(pending, workspace, actor, tell, whole=True)


def _kept(workspace: Workspace, cluster: str) -> tuple[dict[str, Position], dict[tuple[str, str, str], str]]:
    """How far each kind was heard when this cluster was watched last, and the uids of what is there; else nothing.

    The uids are those that :func:`uids_of` gives of a list, which a watch that goes on has none of.
    """
    kinds = {kind_of(resource.kind): resource.kind for resource in RESOURCES if resource.kind != "Node"}
    with open_reader(workspace) as reader:
        kept = reader.connection.execute(
            """WITH mine AS (SELECT entry, json_extract(details, '$.watch') AS whole,
                   json_extract(details, '$.heard') AS heard FROM ledger WHERE kind = 'ingest' AND source_file = ?)
               SELECT coalesce(whole, heard) FROM mine
               WHERE entry >= (SELECT max(entry) FROM mine WHERE whole IS NOT NULL)
                   AND coalesce(whole, heard) IS NOT NULL ORDER BY entry""",
            [f"kubernetes://{cluster}"],
        ).fetchall()
        if not kept:
            return {}, {}
        there = reader.connection.execute(
            "SELECT kind, coalesce(namespace, ''), resource_name, resource_id FROM live_run "
            "WHERE next_from IS NULL AND presence = 'present' AND cluster = ?", [cluster]
        ).fetchall()  # fmt: skip
    positions = {kind: Position.from_text(text) for (one,) in kept for kind, text in json.loads(one).items()}
    return positions, {(kinds[kind], space, name): uid for kind, space, name, uid in there if kind in kinds}
