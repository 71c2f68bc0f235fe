"""Which format a file is in, and the plan that takes it in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from finops_kit.errors import ColumnMissing, SourceRefused
from finops_kit.ingest.report import FileReport
from finops_kit.ingest.rows import Mode, append_rows
from finops_kit.ingest.scan import Scan
from finops_kit.ingest.snapshots import append_dump
from finops_kit.normalize.aws_cur import plan_aws_cur
from finops_kit.normalize.focus import plan_focus
from finops_kit.normalize.plan import Plan
from finops_kit.normalize.reference import plan_inventory, plan_reference
from finops_kit.sources.files import SourceFile, inspect_file
from finops_kit.sources.formats import FORMATS, Format, check_header, find_format, recognise_header, refuse_unknown
from finops_kit.sources.kubernetes import is_kubernetes
from finops_kit.sources.layout import Layout, read_layouts
from finops_kit.sources.parquet import read_columns
from finops_kit.store import Writer


@dataclass
class Opened:
    """A file whose format is known, ready to be appended."""

    known: Format
    scan: Scan

    def append(self, writer: Writer, mode: Mode, actor: str | None, details: dict[str, Any]) -> FileReport:
        """Append it as one batch."""
        if self.known.name == "kubernetes":
            return append_dump(writer, self.scan.source, self.known, self.scan.expected_digest, actor, details)
        return append_rows(writer, self.scan, self.known, plan_of(self.known, self.scan), mode, actor, details)


def plan_of(known: Format, scan: Scan) -> Plan:
    """The plan by which a file of this format becomes rows."""
    if known.family == "focus":
        return plan_focus(scan.header, scan.types)
    if known.name == "aws-cur":
        return plan_aws_cur(scan.header, scan.types)
    if known.name == "inventory":
        return plan_inventory(known, scan.header, scan.types)
    return plan_reference(known, scan.header, scan.types)


@contextmanager
def open_source(connection: duckdb.DuckDBPyConnection, path: Path, format: str | None) -> Iterator[Opened]:
    """Look at a file, name its format, hash it.

    Raises
    ------
    SourceRefused : it is no file, cannot be read, or is in no known format
    """
    source = inspect_file(path)
    forced = find_format(format) if format else None
    scan = Scan(connection, source, "")
    if source.kind == "parquet":
        scan.columns = read_columns(connection, source)
        known = _known(forced, scan.columns.names, source)
        if scan.columns.rows == 0:
            raise SourceRefused(f"{source.name} has a header but no rows. Export it again.")
    elif source.kind == "json":
        if (forced is not None and forced.name != "kubernetes") or (forced is None and not is_kubernetes(source)):
            expected = forced.title if forced else "a Kubernetes dump"
            raise SourceRefused(f"{source.name} is JSON, but {expected} is expected. Formats: {', '.join(FORMATS)}.")
        known = FORMATS["kubernetes"]
    elif forced is not None and forced.name == "kubernetes":
        raise SourceRefused(f"{source.name} is no JSON; {forced.title} is expected.")
    else:
        scan.layout, known = _layout(forced, source)
    scan.expected_digest = source.digest()
    yield Opened(known, scan)


def _known(forced: Format | None, header: Sequence[str], source: SourceFile) -> Format:
    if forced is None:
        found = recognise_header(header)
        if found is None:
            raise refuse_unknown(header, source.name)
        return found
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
