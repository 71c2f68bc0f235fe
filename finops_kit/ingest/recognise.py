"""Which format a file is in, and the plan that takes it in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from finops_kit.errors import ColumnMissing, SourceRefused
from finops_kit.ingest.observed import OBSERVERS, append_observed
from finops_kit.ingest.report import FileReport
from finops_kit.ingest.rows import Mode, append_rows
from finops_kit.ingest.ruled import append_tag_rules
from finops_kit.ingest.scan import Scan
from finops_kit.ingest.snapshots import append_dump
from finops_kit.normalize.alibaba import plan_alibaba
from finops_kit.normalize.aws_cur import plan_aws_cur
from finops_kit.normalize.azure import plan_azure
from finops_kit.normalize.focus import plan_focus
from finops_kit.normalize.gcp import plan_gcp
from finops_kit.normalize.oci import plan_oci
from finops_kit.normalize.opencost import plan_opencost
from finops_kit.normalize.plan import Plan
from finops_kit.normalize.reference import plan_inventory, plan_reference
from finops_kit.normalize.rvtools import is_rvtools
from finops_kit.normalize.tag_rules import is_tag_rules
from finops_kit.sources.alibaba import is_answer, refuse_answer
from finops_kit.sources.allocations import read_allocation_layout
from finops_kit.sources.azure import ACTUAL, AMORTIZED, NUMBERS, data_set, find_columns
from finops_kit.sources.charset import encoded_by_header
from finops_kit.sources.commas import has_decimal_commas
from finops_kit.sources.documents import recognise_document
from finops_kit.sources.files import Digest, SourceFile, inspect_file
from finops_kit.sources.focus_schema import version_beside
from finops_kit.sources.formats import (
    FORMATS,
    Format,
    check_header,
    find_format,
    is_version_open,
    recognise_header,
    refuse_unknown,
)
from finops_kit.sources.jsonlines import read_layout
from finops_kit.sources.kubernetes import is_kubernetes
from finops_kit.sources.layout import Layout, read_layouts
from finops_kit.sources.nested import flat_columns
from finops_kit.sources.parquet import read_columns
from finops_kit.sources.workbook import open_workbook
from finops_kit.store import Writer

#: a text from this size on, in bytes, is read once and not twice where its content cannot have been stored before
LARGE = 16 << 20


@dataclass
class Opened:
    """A file whose format is known, ready to be appended."""

    known: Format
    scan: Scan
    remark: str = ""

    def append(self, writer: Writer, mode: Mode, actor: str | None, details: dict[str, Any]) -> FileReport:
        """Append it as one batch."""
        if self.known.name in OBSERVERS:
            return append_observed(writer, self.scan.source, self.known, self.scan.expected_digest, actor, details)
        if self.known.name == "tag-rules":
            return append_tag_rules(writer, self.scan.source, self.known, self.scan.expected_digest, actor, details)
        if self.known.name == "kubernetes":
            return append_dump(writer, self.scan.source, self.known, self.scan.expected_digest, actor, details)
        return append_rows(
            writer, self.scan, self.known, plan_of(self.known, self.scan, self.remark), mode, actor, details
        )


def plan_of(known: Format, scan: Scan, remark: str = "") -> Plan:
    """The plan by which a file of this format becomes rows."""
    if known.family == "focus":
        return plan_focus(scan.header, scan.types)
    if known.name in ("aws-cur", "aws-cur-2.0"):
        return plan_aws_cur(scan.header, scan.types)
    if known.name in (ACTUAL, AMORTIZED):
        return plan_azure(known.name, scan.header, scan.types, remark)
    if known.name == "gcp-billing":
        return plan_gcp(scan.header, scan.types)
    if known.name == "oci-cost":
        return plan_oci(scan.header, scan.types)
    if known.name == "alibaba-bill":
        return plan_alibaba(scan.header, scan.types)
    if known.name == "opencost":
        return plan_opencost(scan.header)
    if known.name == "inventory":
        return plan_inventory(known, scan.header, scan.types)
    return plan_reference(known, scan.header, scan.types)


@contextmanager
def open_source(
    connection: duckdb.DuckDBPyConnection, path: Path, format: str | None, name: str | None = None,
    hashed: Digest | None = None, later: bool = False, encoding: str = "",
) -> Iterator[Opened]:  # fmt: skip
    """Look at a file, name its format, hash it unless it was ``hashed`` before.

    Parameters
    ----------
    later : a large text may be hashed as it is read; its scan does not know the hash before
    encoding : what a text without a byte order mark is written in; where empty, its header may say it, else UTF-8

    Raises
    ------
    SourceRefused : it is no file, cannot be read, or is in no known format
    """
    source = encoded_by_header(inspect_file(path, name, encoding, "--encoding"))
    forced = find_format(format) if format else None
    scan = Scan(connection, source, "")
    if source.kind == "text" and (forced.name == "tag-rules" if forced else is_tag_rules(source.head)):
        known = FORMATS["tag-rules"]
    elif forced is not None and forced.name == "tag-rules":
        raise SourceRefused(f"{source.name} is {source.kind}; {forced.title} is expected. See docs/tags.md.")
    elif source.kind == "parquet":
        scan.columns = read_columns(connection, source)
        known = _known(forced, [column.name for column in flat_columns(scan.header, scan.types)], source)
        if scan.columns.rows == 0:
            raise SourceRefused(f"{source.name} has a header but no rows. Export it again.")
    elif source.kind == "workbook":
        known = _workbook(forced, source)
    elif source.kind == "json" and (bill := _json_bill(forced, source)):
        scan.layout, known = bill
    elif source.kind == "json" and (observer := _observer(forced, source)):
        known = observer
    elif source.kind == "json" and is_answer(source.head):
        raise refuse_answer(source.name)
    elif source.kind == "json":
        if (forced is not None and forced.name != "kubernetes") or (forced is None and not is_kubernetes(source)):
            expected = forced.title if forced else "a Kubernetes dump"
            raise SourceRefused(f"{source.name} is JSON, but {expected} is expected. Formats: {', '.join(FORMATS)}.")
        known = FORMATS["kubernetes"]
    elif forced is not None and (forced.name == "kubernetes" or forced.name in OBSERVERS):
        raise SourceRefused(f"{source.name} is text; {forced.title} is expected.")
    else:
        scan.layout, known = _layout(forced, source)
    if not (later and hashed is None and scan.layout is not None and source.size >= LARGE and source.kind == "text"):
        scan.expected_digest = source.digest(hashed)
    remark = ""
    if known.name in (ACTUAL, AMORTIZED):
        scan.layout = scan.layout and _with_commas(scan.layout, source)
        seen, remark = (known.name, "") if forced else data_set(scan.header, scan.text_rows(), source.name)
        known = FORMATS[seen]
    yield Opened(known, scan, remark)


def _with_commas(layout: Layout, source: SourceFile) -> Layout:
    """The layout of a localised bill of Azure, whose numbers may have a comma before the decimals."""
    places = find_columns(layout.header)
    numbers = tuple(sorted(places[name] for name in NUMBERS if name in places))
    return replace(layout, comma_columns=numbers) if has_decimal_commas(source, layout, numbers) else layout


def _json_bill(forced: Format | None, source: SourceFile) -> tuple[Layout, Format] | None:
    """The columns of a bill in JSON and its format; None where the file is something else."""
    wanted = forced.name if forced is not None else None
    if wanted in (None, "opencost") and (layout := read_allocation_layout(source)) is not None:
        return layout, FORMATS["opencost"]
    if (wanted not in (None, "gcp-billing", "alibaba-bill") and not str(wanted).startswith("focus-")) or (
        layout := read_layout(source)
    ) is None:
        return None
    if forced is not None:
        check_header(forced, layout.header, source.name)
        return layout, forced
    found = recognise_header(layout.header)
    return (layout, found) if found is not None and found.family in ("gcp", "focus", "alibaba") else None


def _observer(forced: Format | None, source: SourceFile) -> Format | None:
    """The inventory format of a JSON file; None where it is no inventory, or another format was asked for."""
    name = forced.name if forced else recognise_document(source)
    return FORMATS[name] if name in OBSERVERS and name != "rvtools" else None


def _workbook(forced: Format | None, source: SourceFile) -> Format:
    """The format of a workbook; an RVTools export is known by its tabs."""
    with open_workbook(source) as book:
        sheets = book.sheets
    if forced is not None and forced.name != "rvtools":
        raise SourceRefused(f"{source.name} is a workbook, but {forced.title} is expected. Save its sheet as CSV.")
    if not is_rvtools(sheets):
        raise SourceRefused(
            f"{source.name} is a workbook in no known format (its sheets are {', '.join(sheets[:6])}). "
            f"Say what its columns mean with --mapping, or save the sheet as CSV."
        )
    return FORMATS["rvtools"]


def _known(forced: Format | None, header: Sequence[str], source: SourceFile) -> Format:
    if forced is None:
        found = recognise_header(header)
        if found is None:
            raise refuse_unknown(header, source.name)
        said = version_beside(source.path, header) if found.family == "focus" and is_version_open(header) else ""
        return FORMATS[f"focus-{said}"] if said else found
    check_header(forced, header, source.name)
    return forced


def _layout(forced: Format | None, source: SourceFile) -> tuple[Layout, Format]:
    """The layout whose header makes sense, and the format it is."""
    layouts = read_layouts(source)
    first: SourceRefused | None = None
    for layout in layouts:
        try:
            known = _known(forced, layout.header, source)
        except ColumnMissing as error:
            first = first or error
            continue
        except SourceRefused as error:
            first = first or error
            continue
        if not layout.has_rows:
            raise SourceRefused(f"{source.name} has a header but no rows. Export it again.")
        return layout, known
    raise first or refuse_unknown(layouts[0].header, source.name)
