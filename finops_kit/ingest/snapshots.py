"""Append one Kubernetes dump as one batch of observations."""

from __future__ import annotations

from typing import Any

from finops_kit.ingest.observed import SNAPSHOTS, append_look
from finops_kit.ingest.report import FileReport
from finops_kit.normalize.kubernetes import observe
from finops_kit.normalize.kubernetes_events import is_event, read_events
from finops_kit.normalize.observations import Look
from finops_kit.sources.files import SourceFile
from finops_kit.sources.formats import Format
from finops_kit.sources.kubernetes import read_dump
from finops_kit.store import Writer

__all__ = ["SNAPSHOTS", "append_dump"]


def append_dump(
    writer: Writer, source: SourceFile, known: Format, expected: str, actor: str | None, details: dict[str, Any]
) -> FileReport:
    """Append the objects of one dump.

    Raises
    ------
    SourceRefused : it cannot be read, or not one of its objects can be taken in
    """
    dump, digest = read_dump(source)
    rows, bad, scopes = observe(dump, skip=is_event)
    notices = read_events(dump)
    look = Look(
        "kubernetes", dump.observed_at, dump.observed_from,
        rows=rows, events=notices.events, bad=[*bad, *notices.bad], scopes=list(scopes),
    )  # fmt: skip
    said = {**details, "cluster": f"{dump.cluster} ({dump.cluster_from})"}
    return append_look(writer, source, known, look, (digest, expected), actor, said, f"cluster {dump.cluster}")
