"""Open a file under a mapping that its user wrote, and know whether it was stored under this very mapping before."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from finops_kit.errors import SourceRefused
from finops_kit.ingest.recognise import Opened
from finops_kit.ingest.report import FileReport
from finops_kit.ingest.rows import Mode, append_rows
from finops_kit.ingest.scan import Scan
from finops_kit.normalize.mapping import Mapping, plan_mapping
from finops_kit.normalize.plan import Plan
from finops_kit.sources.files import Digest, SourceFile, inspect_file
from finops_kit.sources.formats import Format
from finops_kit.sources.layout import Layout, read_layouts
from finops_kit.sources.parquet import read_columns
from finops_kit.sources.workbook import open_workbook
from finops_kit.store import Writer


class MappedScan(Scan):
    """A scan whose bill may have one currency for all its rows, said by the mapping."""

    currency_of_all: str | None = None

    def open(self, plan: Plan, strict: bool = False) -> str:
        """As :meth:`Scan.open`; a constant is no column whose values the control could read."""
        return super().open(replace(plan, currency=None) if self.currency_of_all else plan, strict)

    def finish(self, plan: Plan) -> None:
        """As :meth:`Scan.finish`; the control sum gets the mapping's currency."""
        super().finish(plan)
        if self.currency_of_all and self.columns is None and self.control is not None:
            for totals in (self.control.kept, self.control.cut):
                if "" in totals:
                    totals[self.currency_of_all] = totals.pop("")


@dataclass
class OpenedMapped(Opened):
    """A file and the mapping it is read by."""

    mapping: Mapping | None = None

    def append(self, writer: Writer, mode: Mode, actor: str | None, details: dict[str, Any]) -> FileReport:
        """Append it as one batch; the ledger names the mapping and its hash."""
        assert self.mapping is not None
        plan = plan_mapping(self.mapping, self.scan.header, self.scan.types)
        said = {**details, "mapping": self.mapping.name, "mapping_file": self.mapping.file,
                "mapping_sha256": self.mapping.sha256}  # fmt: skip
        return append_rows(writer, self.scan, self.known, plan, mode, actor, said)


@contextmanager
def open_mapped(
    connection: duckdb.DuckDBPyConnection, path: Path, name: str, mapping: Mapping, spill: Path,
    hashed: Digest | None = None, encoding: str = "",
) -> Iterator[OpenedMapped]:  # fmt: skip
    """Look at a file as its mapping says, and hash it unless it was ``hashed`` before.

    Parameters
    ----------
    encoding : what a text without a byte order mark is written in, where the mapping does not say it

    Raises
    ------
    SourceRefused : it is no table, or lacks a column that the mapping names
    """
    said_by = "the mapping" if mapping.encoding else "--encoding"
    source = inspect_file(path, name, mapping.encoding or encoding, said_by)
    target = spill / f"{path.name}.{mapping.sha256[:12]}.csv"
    try:
        if source.kind == "workbook":
            source = _sheet_as_text(source, mapping, target)
        scan = MappedScan(connection, source, "")
        currency = mapping.columns["BillingCurrency"].constant
        scan.currency_of_all = currency.strip() if currency else None
        if source.kind == "parquet":
            scan.columns = read_columns(connection, source)
            mapping.check(scan.columns.names, name)
        elif source.kind == "json":
            raise SourceRefused(f"{name} is JSON; a mapping reads CSV, Parquet and workbooks.")
        else:
            scan.layout = _layout(source, mapping)
        scan.expected_digest = source.digest(hashed)
        known = Format("mapping", mapping.name, "charge", (), f"mapping {mapping.name}")
        yield OpenedMapped(known, scan, mapping=mapping)
    finally:
        target.unlink(missing_ok=True)


def _layout(source: SourceFile, mapping: Mapping) -> Layout:
    layouts = read_layouts(source)
    fits = next((layout for layout in layouts if not mapping.missing(layout.header)), None)
    if fits is None:
        mapping.check(layouts[0].header, source.name)
        raise SourceRefused(f"{source.name} does not fit the mapping {mapping.file}.")
    if not fits.has_rows:
        raise SourceRefused(f"{source.name} has a header but no rows. Export it again.")
    return fits


def _sheet_as_text(source: SourceFile, mapping: Mapping, target: Path) -> SourceFile:
    """One sheet of a workbook as CSV, the same bytes each time."""
    with open_workbook(source) as book:
        sheet = mapping.sheet or book.sheets[0]
        if sheet not in book.sheets:
            raise SourceRefused(f"{source.name} has no sheet {sheet!r}; it has {', '.join(book.sheets[:12])}.")
        target.parent.mkdir(parents=True, exist_ok=True)
        width = 0
        with target.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
            for _, values in book.rows(sheet):
                width = width or len(values)
                cells = [value or "" for value in values[:width]]
                writer.writerow(cells + [""] * (width - len(cells)))
    if not width:
        raise SourceRefused(f"{source.name}: sheet {sheet} is empty.")
    return inspect_file(target, f"{source.name}!{sheet}")


def seen_under(writer: Writer, digest: str, mapping: Mapping) -> dict[str, Any] | None:
    """The ledger entry that stored this content under this very mapping already, or None."""
    found = writer.connection.execute(
        "SELECT entry, batch_id, source_file, format, rows_read, rows_stored, rows_quarantined, control_totals, "
        "recorded_at FROM lake.ledger WHERE source_hash = ? AND kind = 'ingest' "
        "AND json_extract_string(details, '$.mapping_sha256') = ? ORDER BY entry LIMIT 1",
        [digest, mapping.sha256],
    )
    names = [column[0] for column in found.description]
    row = found.fetchone()
    return dict(zip(names, row, strict=True)) if row else None
