"""What a store holds, for ``finops status``: per source its deliveries, batches, rows and ages."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from finops_kit.fields import REFERENCE_TABLES, TABLES
from finops_kit.settings import Workspace
from finops_kit.store.reader import AsOf, open_reader


@dataclass(frozen=True)
class SourceStatus:
    """One source of charges, observations or reference data.

    ``covers_until`` is the end of the newest charge period, or the newest observation; ``recorded_at`` is when
    the store last learned something from it.
    """

    source: str
    dataset: str
    current: int
    superseded: int
    batches: int
    rows: int
    quarantined: int
    covers_until: datetime | None
    recorded_at: datetime | None


@dataclass(frozen=True)
class StoreStatus:
    """A whole store at one version. Sizes in bytes."""

    workspace: str
    store_version: int
    version_time: datetime
    currency: str
    ledger_entries: int
    ledger_head: str
    rows_stored: int
    rows_quarantined: int
    data_bytes: int
    data_files: int
    catalogue_bytes: int
    report_runs: int
    last_report: datetime | None
    sources: list[SourceStatus] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON can hold it; times in ISO 8601, UTC."""
        return asdict(self)


#: rows and reach of every batch, table by table; each name in braces is a table of the lake
_BATCH_ROWS = " UNION ALL ".join([
    "SELECT batch_id, source_system AS source, 'charge' AS dataset, count(*) AS rows, "
    'max("ChargePeriodEnd") AS covers_until FROM {charge} GROUP BY ALL',
    "SELECT batch_id, source_system, 'resource_snapshot', count(*), max(observed_at) "
    "FROM {resource_snapshot} GROUP BY ALL",
    *(
        f"SELECT t.batch_id, l.format, '{table.name}', count(*), NULL "
        f"FROM {{{table.name}}} t JOIN {{ledger}} l USING (batch_id) GROUP BY ALL"
        for table in REFERENCE_TABLES
    ),
])  # fmt: skip

_SOURCES = f"""
    WITH batch_rows AS ({_BATCH_ROWS}),
    deliveries AS (
        SELECT d.dataset, d.batch_id, count(*) AS deliveries, count(c.batch_id) AS current
        FROM delivery d LEFT JOIN current_delivery c ON c.batch_id = d.batch_id AND c.dataset = d.dataset
            AND c.source_system = d.source_system AND c.billing_account_id = d.billing_account_id
            AND c.period_start IS NOT DISTINCT FROM d.period_start
        GROUP BY ALL
    ), sources AS (
        SELECT source, dataset, batch_id, sum(rows) AS rows, max(covers_until) AS covers_until
        FROM batch_rows GROUP BY ALL
    )
    SELECT s.source, s.dataset, coalesce(sum(d.current), 0), coalesce(sum(d.deliveries - d.current), 0),
        count(DISTINCT s.batch_id), sum(s.rows), sum(l.rows_quarantined), max(s.covers_until), max(l.recorded_at)
    FROM sources s JOIN {{ledger}} l USING (batch_id)
    LEFT JOIN deliveries d ON d.batch_id = s.batch_id AND d.dataset = s.dataset
    GROUP BY ALL ORDER BY s.dataset, s.source
"""


def summarize(workspace: Workspace, as_of: AsOf = None) -> StoreStatus:
    """Say what a store holds at one version.

    Raises
    ------
    StoreMissing, VersionUnknown : there is no such store, or no such version of it

    Example
    -------
    >>> import tempfile; from pathlib import Path; from finops_kit.store import create_store
    >>> place = Workspace(Path(tempfile.mkdtemp()) / "workspace")
    >>> _ = create_store(place)
    >>> summarize(place).ledger_entries
    0
    """
    with open_reader(workspace, as_of) as reader:
        connection = reader.connection
        found = connection.execute(_SOURCES.format_map({name: reader.source(name) for name in TABLES})).fetchall()
        sources = [
            SourceStatus(source or "", dataset, int(now), int(old), batches, int(rows), int(held or 0), until, known)
            for source, dataset, now, old, batches, rows, held, until, known in found
        ]
        totals = connection.execute(
            "SELECT coalesce(sum(rows_stored), 0), coalesce(sum(rows_quarantined), 0) FROM ledger WHERE kind = 'ingest'"
        ).fetchone() or (0, 0)
        runs = connection.execute("SELECT count(DISTINCT run_id), max(finished_at) FROM report_run").fetchone()
        files = [path.stat().st_size for path in workspace.data.rglob("*.parquet") if path.is_file()]
        return StoreStatus(
            workspace=str(workspace.root),
            store_version=reader.version,
            version_time=reader.version_time,
            currency=reader.currency,
            ledger_entries=reader.ledger_entries,
            ledger_head=reader.ledger_head,
            rows_stored=int(totals[0]),
            rows_quarantined=int(totals[1]),
            data_bytes=sum(files),
            data_files=len(files),
            catalogue_bytes=workspace.catalogue.stat().st_size,
            report_runs=int(runs[0]) if runs else 0,
            last_report=runs[1] if runs else None,
            sources=sources,
        )
