"""Files in, a report out: recognise each file, skip what was stored before, append the rest one batch a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from finops_kit.errors import FinopsError, SourceRefused
from finops_kit.ingest.recognise import open_source
from finops_kit.ingest.report import REFUSED, UNCHANGED, FileReport, IngestReport
from finops_kit.normalize.exact import prepare
from finops_kit.settings import Workspace
from finops_kit.sources.files import expand_path, group_reports, report_of
from finops_kit.sources.formats import find_format
from finops_kit.store import Writer, open_writer

Progress = Callable[[str], None]


@dataclass
class _Group:
    """The part files of one report, and which periods its earlier parts have delivered already."""

    delivered: set[tuple[str, Any]] = field(default_factory=set)
    continues: bool = False

    def mode(self, account: str, period: Any) -> str:
        """``append`` once an earlier part of the report delivered the same account and period."""
        key = (account, period)
        if self.continues or key in self.delivered:
            self.delivered.add(key)
            return "append"
        self.delivered.add(key)
        return "replace"


def ingest_paths(
    workspace: Workspace,
    paths: Sequence[str | Path],
    *,
    format: str | None = None,
    actor: str | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Take files in: each becomes one batch, is found unchanged, or is refused in one sentence.

    Parameters
    ----------
    paths : files, or directories that are walked
    format : one of ``finops_kit.sources.FORMATS``; detected from the content where None
    actor : who does it, for the ledger; the operating system's user where None
    progress : called with a line of text before each file

    Returns
    -------
    One report per file, in the order taken in, and the store's version after it.

    Raises
    ------
    UsageError : ``format`` is no format
    StoreMissing : the workspace has no store
    """
    if format is not None:
        find_format(format)
    report = IngestReport()
    with open_writer(workspace) as writer:
        prepare(writer.connection)
        writer.connection.execute(f"SET temp_directory = '{_quoted(workspace.root / 'spill')}'")
        for given in paths:
            try:
                found = expand_path(given)
            except SourceRefused as error:
                report.files.append(FileReport(str(given), status=REFUSED, reason=str(error)))
                continue
            walked = Path(given).expanduser().is_dir()
            reports = list(_ingest_files(writer, found, format, actor, progress, walked))
            if walked and all(one.status == REFUSED and not one.format for one in reports):
                reason = f"{given} holds no file in a known format ({len(reports)} looked at). {reports[0].reason}"
                reports = [FileReport(str(given), status=REFUSED, reason=reason)]
            report.files.extend(reports)
        report.store_version = writer.version()
    return report


def _ingest_files(
    writer: Writer, found: list[Path], format: str | None, actor: str | None, progress: Progress | None, walked: bool
) -> Iterable[FileReport]:
    for group in group_reports(found):
        yield from _ingest_group(writer, group, format, actor, progress, walked)


def _ingest_group(
    writer: Writer, paths: list[Path], format: str | None, actor: str | None, progress: Progress | None, walked: bool
) -> Iterable[FileReport]:
    group = _Group()
    again = len(paths) > 1 and _is_redelivered(writer, paths)
    for path in paths:
        if progress:
            progress(f"ingest {path}")
        one = FileReport(str(path), walked=walked)
        try:
            with open_source(writer.connection, path, format) as opened:
                one.format = opened.known.name
                with writer.exclusive():
                    seen = None if again else writer.seen(opened.scan.expected_digest)
                    if seen:
                        one = _unchanged(one, seen)
                        group.continues = True
                    else:
                        details = {"report": report[0], "part": report[1]} if (report := report_of(path)) else {}
                        one = opened.append(writer, group.mode, actor, details)
                        one.walked = walked
        except SourceRefused as error:
            one.status, one.reason = REFUSED, str(error)
        except FinopsError:
            raise
        except duckdb.Error as error:
            one.status = REFUSED
            one.reason = f"{path} could not be stored ({str(error).splitlines()[0][:200]}). The store is as it was."
        yield one


def _is_redelivered(writer: Writer, paths: list[Path]) -> bool:
    """Whether a report of several parts comes again with other content, so that its unchanged parts count again too.

    A part that was not stored yet, beside parts that were, is the rest of an ingest that was broken off.
    """
    changed = False
    for path in paths:
        try:
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError:
            return False
        if writer.seen(digest):
            continue
        row = writer.connection.execute(
            "SELECT count(*) FROM lake.ledger WHERE kind = 'ingest' AND source_file = ?", [str(path)]
        ).fetchone()
        changed = changed or bool(row and row[0])
    return changed


def _unchanged(one: FileReport, seen: dict[str, Any]) -> FileReport:
    one.status = UNCHANGED
    one.batch_id = seen["batch_id"]
    one.format = seen["format"] or one.format
    other = "" if seen["source_file"] == one.path else f" as {seen['source_file']}"
    when = f"{seen['recorded_at']:%Y-%m-%d %H:%M:%S} UTC"
    one.reason = f"the same content was stored before{other}: batch {seen['batch_id']} of {when}"
    return one


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
