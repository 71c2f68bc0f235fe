"""Files in, a report out: recognise each file, skip what was stored before, append the rest one batch a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from finops_kit.errors import FinopsError, SourceRefused, UsageError
from finops_kit.ingest.deliveries import AlonePart, Delivery, take_from
from finops_kit.ingest.late import came_late
from finops_kit.ingest.locations import Located, group_reports, locate, report_name
from finops_kit.ingest.mapped import open_mapped, seen_under
from finops_kit.ingest.recognise import Opened, open_source
from finops_kit.ingest.report import REFUSED, UNCHANGED, FileReport, IngestReport
from finops_kit.ingest.ruled import is_current
from finops_kit.normalize.exact import prepare
from finops_kit.normalize.mapping import Mapping, read_mapping
from finops_kit.settings import Workspace
from finops_kit.sources.files import Digest
from finops_kit.sources.formats import find_format
from finops_kit.sources.objects import without_secrets
from finops_kit.store import Writer, open_writer

Progress = Callable[[str], None]


def ingest_paths(
    workspace: Workspace,
    paths: Sequence[str | Path | Located],
    *,
    format: str | None = None,
    mapping: str | Path | None = None,
    actor: str | None = None,
    progress: Progress | None = None,
    replaying: tuple[str, dict[str, Any]] | None = None,
    newest: bool = False,
    tell: Callable[[FileReport], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> IngestReport:
    """Take files in: each becomes one batch, is found unchanged, or is refused in one sentence.

    Parameters
    ----------
    paths : files, or directories that are walked; or what was located before
    format : one of ``finops_kit.sources.FORMATS``; detected from the content where None
    replaying : the name and the details of rows that are brought again; they add to the delivery that lacked them
    newest : take a bill as the newest of its periods even where it is older than the one that counts; see :mod:`.late`
    mapping : a mapping that says what the columns of any bill mean; see docs/mappings.md
    actor : who does it, for the ledger; the operating system's user where None
    progress : called with a line of text before each file
    tell : called with what became of each file, as soon as that is known
    should_stop : asked before each file, or the parts of one report; what is left then is not in the report

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
    said = read_mapping(mapping) if mapping is not None else None
    if said is not None and format is not None:
        raise UsageError("A mapping says the format itself: give --mapping or --format, not both.")
    found: list[tuple[str, list[Located], str]] = []
    done: dict[int, FileReport] = {}
    with ExitStack() as unpacked, open_writer(workspace) as writer:
        for given in paths:
            name = given.name if isinstance(given, Located) else without_secrets(str(given))
            try:
                located = unpacked.enter_context(locate(given, workspace.root / "spill"))
                found.append((name, [_renamed(one, replaying) for one in located], ""))
            except SourceRefused as error:
                found.append((name, [], str(error)))
                if tell is not None:
                    tell(FileReport(name, status=REFUSED, reason=str(error)))
        prepare(writer.connection)
        writer.connection.execute(f"SET temp_directory = '{_quoted(workspace.root / 'spill')}'")
        for group in group_reports([one for _, files, _ in found for one in files]):
            if should_stop is not None and should_stop():
                break
            ingested = _ingest_group(writer, group, said or format, actor, progress, replaying, newest)
            for one, outcome in zip(group, ingested, strict=True):
                done[id(one)] = outcome
                if tell is not None:
                    tell(outcome)
        version = writer.version()
    reports: list[FileReport] = []
    for name, files, refusal in found:
        if refusal:
            reports.append(FileReport(name, status=REFUSED, reason=refusal))
        else:
            reports.extend(_of_one_path(name, [done[id(one)] for one in files if id(one) in done]))
    return IngestReport(reports, version)


def _renamed(one: Located, replaying: tuple[str, dict[str, Any]] | None) -> Located:
    """The file itself, never shared between two PATHs, under the name of the rows that it brings again."""
    return replace(one, name=replaying[0] if replaying else one.name)


def _of_one_path(name: str, reports: list[FileReport]) -> list[FileReport]:
    """The reports of one PATH; a directory in which nothing is in a known format is refused as a whole."""
    if reports and all(one.walked and one.status == REFUSED and not one.format for one in reports):
        reason = f"{name} holds no file in a known format ({len(reports)} looked at). {reports[0].reason}"
        return [FileReport(name, status=REFUSED, reason=reason)]
    return reports


def _ingest_group(
    writer: Writer,
    located: list[Located],
    format: Mapping | str | None,
    actor: str | None,
    progress: Progress | None,
    replaying: tuple[str, dict[str, Any]] | None,
    newest: bool,
) -> Iterator[FileReport]:
    group, alone = Delivery(adds=bool(replaying)), len(located) == 1
    if alone and not replaying and not located[0].report and (part := report_name(located[0])):
        group = AlonePart(writer, *part)
    group.newest = newest
    hashed: dict[Path, Digest] = {}
    stored = [] if alone else _stored_before(writer, located, format, hashed)
    last = max((i for i, batch_id in enumerate(stored) if batch_id is None), default=0)
    for batch_id in stored:
        if batch_id is not None:
            take_from(group, writer, batch_id)
    for number, file in enumerate(located):
        if progress:
            progress(f"ingest {file.name}")
        one, brought = FileReport(file.name), False
        if not alone:
            group.waits = number < last or group.broken
        try:
            file.bring()
            brought = True
            with _open(writer, file, format, hashed.get(file.path)) as opened:
                one.format = opened.known.name
                with writer.exclusive():
                    seen = _seen(writer, opened.scan.expected_digest, format)
                    if seen and not alone and stored[number] is None:
                        seen = None  # its report comes again with other content
                    if seen and opened.known.name == "tag-rules" and not is_current(writer, seen["batch_id"]):
                        seen = None  # rules that were taken back may come again
                    if seen and isinstance(group, AlonePart) and group.wants(seen["batch_id"]):
                        seen = None  # the delivery that waits lacks it
                    if seen and newest and came_late(writer, seen["batch_id"]):
                        seen = None  # it shall count now
                    if seen:
                        one = _unchanged(one, seen)
                    else:
                        details = _details(file, located) | (replaying[1] if replaying else {})
                        one = opened.append(writer, group, actor, details)
        except SourceRefused as error:
            one.status, one.reason = REFUSED, str(error)
        except FinopsError:
            raise
        except duckdb.Error as error:
            one.status = REFUSED
            why = str(error).splitlines()[0][:200]
            one.reason = f"{file.name} could not be stored ({why}). The store is as it was."
        finally:
            file.drop()
        group.broken = group.broken or one.status == REFUSED
        one.walked = file.walked and brought
        yield one


def _details(file: Located, located: list[Located]) -> dict[str, Any]:
    """What the ledger says of a part: its report, its number, and the numbers that came with it."""
    part = report_name(file)
    if part is None:
        return {}
    numbers = sorted(found[1] for one in located if (found := report_name(one)))
    return {"report": part[0], "part": part[1]} | ({"parts": numbers} if len(numbers) > 1 else {})


def _open(
    writer: Writer, file: Located, format: Mapping | str | None, hashed: Digest | None
) -> AbstractContextManager[Opened]:
    if isinstance(format, Mapping):
        return open_mapped(writer.connection, file.path, file.name, format, writer.workspace.root / "spill", hashed)
    return open_source(writer.connection, file.path, format, file.name, hashed)


def _seen(writer: Writer, digest: str, format: Mapping | str | None) -> dict[str, Any] | None:
    return seen_under(writer, digest, format) if isinstance(format, Mapping) else writer.seen(digest)


def _stored_before(
    writer: Writer, located: list[Located], format: Mapping | str | None, hashed: dict[Path, Digest]
) -> list[str | None]:
    """The batch that stored each part of a report already; None for those that are to be stored.

    What was hashed on the way is noted in ``hashed``, so that it is not hashed again when it is opened.

    Where a report comes again with other content its unchanged parts count again too. A part that was not stored yet,
    beside parts that were, is the rest of an ingest that was broken off, unless a file of that name was: then it is a
    new delivery, and storing its unchanged parts again is right, never too much.
    """
    stored: list[str | None] = []
    changed = False
    for one in located:
        stored.append(None)
        try:
            one.bring()
            hashed[one.path] = Digest.of(one.path)
        except (OSError, SourceRefused):
            continue
        if seen := _seen(writer, hashed[one.path].sha256, format):
            stored[-1] = seen["batch_id"]
            continue
        row = writer.connection.execute(
            "SELECT count(*) FROM lake.ledger WHERE kind = 'ingest' AND parse_filename(source_file) = ?",
            [one.path.name],
        ).fetchone()
        changed = changed or bool(row and row[0])
    return [None] * len(stored) if changed else stored


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
