"""Append one Kubernetes dump as one batch of observations."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from finops_kit.errors import SourceRefused
from finops_kit.ingest.observed import EVENTS
from finops_kit.ingest.report import STORED, FileReport
from finops_kit.normalize.kubernetes import observe
from finops_kit.normalize.kubernetes_events import is_event, read_events
from finops_kit.sources.files import SourceFile
from finops_kit.sources.formats import Format
from finops_kit.sources.kubernetes import read_dump
from finops_kit.store import Writer

_QUANTITY = pa.decimal128(38, 18)
_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in (
            "snapshot_id", "resource_id", "resource_name", "source_system", "source_sequence", "presence", "scope",
            "kind", "provider_name", "region_id", "account_id", "cluster", "namespace", "owner_id", "power_state",
            "sku", "attributes")),
        *((name, _QUANTITY) for name in ("vcpu", "memory_gib", "storage_gib", "replicas", "gpu")),
        ("observed_at", pa.timestamp("us", tz="UTC")), ("tags", pa.map_(pa.string(), pa.string())),
        ("source_row", pa.int64()),
    ]
)  # fmt: skip


def append_dump(
    writer: Writer, source: SourceFile, known: Format, expected: str, actor: str | None, details: dict[str, Any]
) -> FileReport:
    """Append the objects of one dump.

    Raises
    ------
    SourceRefused : it cannot be read, or not one of its objects can be taken in
    """
    dump, digest = read_dump(source)
    source.check_unchanged()
    if digest != expected:
        raise SourceRefused(f"{source.name} was changed while it was read. Ingest it again when it is complete.")
    rows, bad, scopes = observe(dump, skip=is_event)
    notices = read_events(dump)
    bad += notices.bad
    if not rows and not notices.events:
        why = f" ({bad[0]['reason']})" if bad else ""
        raise SourceRefused(f"{source.name}: not one of its {len(dump.objects)} objects can be taken in{why}.")
    said = {**details, "cluster": f"{dump.cluster} ({dump.cluster_from})",
            "observed_at": f"{dump.observed_at.isoformat()} ({dump.observed_from})"}  # fmt: skip
    with writer.batch(
        kind="ingest", format=known.name, source_file=source.name, source_hash=digest, source_bytes=source.size,
        details=said, actor=actor,
    ) as batch:  # fmt: skip
        batch.rows_read = len(dump.objects)
        if rows:
            batch.insert_arrow("resource_snapshot", pa.Table.from_pylist(rows, schema=_SCHEMA))
        if notices.events:
            batch.insert_arrow("platform_event", pa.Table.from_pylist(notices.events, schema=EVENTS))
        if bad:
            names = ("source_row", "column_name", "reason", "raw")
            columns: dict[str, list[Any]] = {name: [one[name] for one in bad] for name in names}
            batch.insert_arrow("quarantine", pa.table({"source_file": [source.name] * len(bad), **columns}))
        batch.insert_arrow("observation_scope", pa.table({
            "source_system": ["kubernetes"] * len(scopes),
            "scope": [one.scope for one in scopes],
            "observed_at": pa.array([dump.observed_at] * len(scopes), pa.timestamp("us", tz="UTC")),
            "complete": [one.complete for one in scopes],
        }))  # fmt: skip
    note = f"observed {dump.observed_at:%Y-%m-%d %H:%M} UTC by {dump.observed_from}; cluster {dump.cluster}"
    if bad:
        note += f"; {len(bad)} of {len(dump.objects)} objects were quarantined: {bad[0]['reason']}"
    return FileReport(source.name, known.name, STORED, note, batch.rows_read, batch.rows_stored,
                      batch.rows_quarantined, {}, batch.id)  # fmt: skip
