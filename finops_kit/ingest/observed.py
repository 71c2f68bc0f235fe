"""Append one export of an inventory as one batch: observations, notices of the platform, configuration items."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from finops_kit.errors import SourceRefused
from finops_kit.ingest.report import STORED, FileReport
from finops_kit.normalize.aws_inventory import observe_aws
from finops_kit.normalize.azure_inventory import observe_azure
from finops_kit.normalize.gcp_inventory import observe_gcp
from finops_kit.normalize.observations import Look
from finops_kit.normalize.rvtools import observe_rvtools
from finops_kit.normalize.servicenow import observe_servicenow
from finops_kit.normalize.usage import observe_usage
from finops_kit.sources.documents import Document, read_document, time_of
from finops_kit.sources.files import SourceFile
from finops_kit.sources.formats import Format
from finops_kit.sources.workbook import open_workbook
from finops_kit.store import Batch, Writer

#: format -> what reads its JSON
READERS: dict[str, Callable[[Document, str], Look]] = {
    "aws-inventory": observe_aws, "azure-inventory": observe_azure, "gcp-inventory": observe_gcp,
    "servicenow": observe_servicenow, "prometheus": observe_usage,
}  # fmt: skip
#: formats that this module appends
OBSERVERS = frozenset({*READERS, "rvtools"})

_TIME = pa.timestamp("us", tz="UTC")
_QUANTITY = pa.decimal128(38, 18)
SNAPSHOTS = pa.schema(
    [
        *((name, pa.string()) for name in (
            "snapshot_id", "resource_id", "resource_name", "source_system", "source_sequence", "presence", "scope",
            "kind", "provider_name", "region_id", "account_id", "cluster", "namespace", "owner_id", "power_state",
            "sku", "attributes")),
        *((name, _QUANTITY) for name in ("vcpu", "memory_gib", "storage_gib", "replicas", "gpu", "usage_vcpu")),
        ("observed_at", _TIME), ("tags", pa.map_(pa.string(), pa.string())), ("source_row", pa.int64()),
    ]
)  # fmt: skip
EVENTS = pa.schema(
    [
        *((name, pa.string()) for name in (
            "event_id", "source_system", "resource_id", "cluster", "namespace", "reason", "message", "reported_by")),
        ("happened_at", _TIME), ("source_row", pa.int64()),
    ]
)  # fmt: skip
_SAMPLES = pa.schema(
    [
        *((name, pa.string()) for name in (
            "resource_id", "resource_name", "cluster", "namespace", "metric", "unit", "measured_by")),
        ("measured_at", _TIME), ("value", _QUANTITY), ("source_row", pa.int64()),
    ]
)  # fmt: skip
_ITEMS = pa.schema(
    [
        *((name, pa.string()) for name in (
            "ci_id", "ci_name", "ci_class", "resource_id", "service_id", "service_name", "product", "team",
            "cost_center", "business_unit", "environment", "criticality")),
        ("valid_from", pa.date32()), ("valid_to", pa.date32()), ("source_row", pa.int64()),
    ]
)  # fmt: skip


def append_observed(
    writer: Writer, source: SourceFile, known: Format, expected: str, actor: str | None, details: dict[str, Any]
) -> FileReport:
    """Append what one export says.

    Raises
    ------
    SourceRefused : it cannot be read, or not one of its objects can be taken in
    """
    look, digest, more = _look(source, known, expected)
    return append_look(writer, source, known, look, (digest, expected), actor, {**details, **more})


def append_look(
    writer: Writer, source: SourceFile, known: Format, look: Look, digests: tuple[str, str], actor: str | None,
    details: dict[str, Any], remark: str = "",
) -> FileReport:  # fmt: skip
    """Append a look at an inventory as one batch.

    Parameters
    ----------
    digests : SHA-256 of what was read, and of the file when it was looked at
    remark : what the report says beside when and how it was observed

    Raises
    ------
    SourceRefused : the file was changed while it was read, or not one of its objects can be taken in
    """
    source.check_unchanged()
    if digests[0] != digests[1]:
        raise SourceRefused(f"{source.name} was changed while it was read. Ingest it again when it is complete.")
    if look.read == len(look.bad):
        why = f" ({look.bad[0]['reason']})" if look.bad else ""
        raise SourceRefused(f"{source.name}: not one of its {look.read} objects can be taken in{why}.")
    said = {**details, "observed_at": f"{look.observed_at.isoformat()} ({look.observed_from})"}
    with writer.batch(
        kind="ingest", format=known.name, source_file=source.name, source_hash=digests[0],
        source_bytes=source.size, details=said, actor=actor,
    ) as batch:  # fmt: skip
        insert_look(batch, look, source.name)
    notes = [f"observed {look.observed_at:%Y-%m-%d %H:%M} UTC by {look.observed_from}"]
    notes += [remark] if remark else []
    if look.bad:
        notes.append(f"{len(look.bad)} of {look.read} objects were quarantined: {look.bad[0]['reason']}")
    return FileReport(source.name, known.name, STORED, "; ".join(notes), batch.rows_read, batch.rows_stored,
                      batch.rows_quarantined, {}, batch.id)  # fmt: skip


def _look(source: SourceFile, known: Format, expected: str) -> tuple[Look, str, dict[str, Any]]:
    if known.name == "rvtools":
        at, known_from = time_of(source)
        with open_workbook(source) as book:
            look, unread = observe_rvtools(book, source.name, at, known_from)
        return look, source.digest(), {"tabs_not_read": unread} if unread else {}
    document, digest = read_document(source)
    if digest != expected:
        return Look("", document.observed_at, ""), digest, {}
    return READERS[known.name](document, source.name), digest, {}


def insert_look(batch: Batch, look: Look, source_name: str) -> None:
    """Put everything that an export says into a batch."""
    batch.rows_read += look.read
    if look.rows:
        batch.insert_arrow("resource_snapshot", pa.Table.from_pylist(look.rows, schema=SNAPSHOTS))
    if look.events:
        batch.insert_arrow("platform_event", pa.Table.from_pylist(look.events, schema=EVENTS))
    if look.samples:
        batch.insert_arrow("usage_sample", pa.Table.from_pylist(look.samples, schema=_SAMPLES))
    if look.items:
        batch.insert_arrow("cmdb_item", pa.Table.from_pylist(look.items, schema=_ITEMS))
        # an answer of the same classes replaces this one; answers of other tables stand beside it
        classes = "+".join(sorted({item["ci_class"] for item in look.items}))
        batch.insert_arrow("delivery", pa.table({
            "source_system": [f"{look.source_system}/{classes}"], "billing_account_id": [""],
            "dataset": ["cmdb_item"], "mode": ["replace"], "rows": [len(look.items)],
        }))  # fmt: skip
    insert_bad(batch, look.bad, source_name)
    if look.scopes:
        batch.insert_arrow("observation_scope", pa.table({
            "source_system": [look.source_system] * len(look.scopes),
            "scope": [one.scope for one in look.scopes],
            "observed_at": pa.array([look.observed_at] * len(look.scopes), _TIME),
            "complete": [one.complete for one in look.scopes],
        }))  # fmt: skip


def insert_bad(batch: Batch, bad: list[dict[str, Any]], source_name: str) -> None:
    """Put the objects that cannot be taken in into quarantine."""
    if bad:
        names = ("source_row", "column_name", "reason", "raw")
        columns: dict[str, list[Any]] = {name: [one[name] for one in bad] for name in names}
        batch.insert_arrow("quarantine", pa.table({"source_file": [source_name] * len(bad), **columns}))
