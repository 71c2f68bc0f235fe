"""Files in, a report out: recognise each file, skip what was stored before, append the rest one batch a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from finops_kit.errors import FinopsError, SourceRefused, UsageError
from finops_kit.ingest.counting import Counting, just_stored
from finops_kit.ingest.locations import Located, group_reports, locate
from finops_kit.ingest.mapped import open_mapped, seen_under
from finops_kit.ingest.parts import Parts
from finops_kit.ingest.recognise import Opened, open_source
from finops_kit.ingest.report import REFUSED, STORED, UNCHANGED, FileReport, IngestReport
from finops_kit.ingest.ruled import is_current
from finops_kit.normalize.exact import prepare
from finops_kit.normalize.mapping import Mapping, read_mapping
from finops_kit.settings import Workspace
from finops_kit.sources.encoding import UTF8, find_encoding
from finops_kit.sources.files import BY_MARK, Digest, SourceFile
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
    adding: bool = False,
    together: bool = True,
    encoding: str | None = None,
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
    adding : each file adds to its periods; it holds some days of them, and replaces nothing
    together : parts of a report that no manifest lists are the whole of it; if not, each is taken as one that comes
        alone
    mapping : a mapping that says what the columns of any bill mean; see docs/mappings.md
    encoding : what texts without a byte order mark are written in; where None, the mapping or a header that is known
        letter by letter may say it, else it is UTF-8
    actor : who does it, for the ledger; the operating system's user where None
    progress : called with a line of text before each file
    tell : called with what became of each file, as soon as that is known
    should_stop : asked before each file, or the parts of one report; what is left then is not in the report

    Returns
    -------
    One report per file, in the order taken in, and the store's version after it.

    Raises
    ------
    UsageError : ``format`` is no format, ``encoding`` is no encoding
    StoreMissing : the workspace has no store
    """
    if format is not None:
        find_format(format)
    said = read_mapping(mapping) if mapping is not None else None
    if said is not None and format is not None:
        raise UsageError("A mapping says the format itself: give --mapping or --format, not both.")
    if said is not None and said.encoding and encoding is not None:
        raise UsageError(f"{said.file} says the encoding itself: take `encoding` out of it, or leave --encoding out.")
    written = find_encoding(encoding) if encoding is not None else ""
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
        counting = Counting(writer)
        prepare(writer.connection)
        writer.connection.execute(f"SET temp_directory = '{_quoted(workspace.root / 'spill')}'")
        for group in group_reports([one for _, files, _ in found for one in files]):
            if should_stop is not None and should_stop():
                break
            for some in _passes(group, together, done):
                how = Parts(some, said.sha256 if said else "", replaying, newest, counting, adding)
                ingested = _ingest_group(writer, some, how, said or format, written, actor, progress)
                for one, outcome in zip(some, ingested, strict=True):
                    again = id(one) in done and outcome.status == UNCHANGED
                    done[id(one)] = outcome
                    if tell is not None and not again:
                        tell(outcome)
        version = writer.version()
        if any(one.batch_id for one in done.values()) and len(done) > 1:  # what came after it may have changed that
            for outcome in done.values():
                outcome.settle(counting.told(outcome.batch_id), counting.again(outcome.batch_id))
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


def _passes(group: list[Located], together: bool, done: dict[int, FileReport]) -> Iterator[list[Located]]:
    """What of a report is taken in at once: all of it, or part by part where it may not be whole.

    A part that was found unchanged is looked at once more when one after it was stored, which may need it.
    """
    packed = "!" in group[0].name  # what comes in one archive comes together
    whole = len(group) >= len(group[0].listed) if group[0].listed else together or packed
    if whole or len(group) == 1:
        yield group
        return
    yield from ([one] for one in group)
    if any(done[id(one)].status == STORED for one in group):
        yield from ([one] for one in group if done[id(one)].status == UNCHANGED)


def _ingest_group(
    writer: Writer,
    located: list[Located],
    parts: Parts,
    format: Mapping | str | None,
    encoding: str,
    actor: str | None,
    progress: Progress | None,
) -> Iterator[FileReport]:
    """Take in a file, or the parts of one report.

    Parts come in between what other processes write, so what stands of earlier deliveries is looked at anew, under the
    lock, whenever another one has written.
    """
    for number, file in enumerate(located):
        if progress:
            progress(f"ingest {file.name}")
        one, brought = FileReport(file.name), False
        try:
            file.bring()
            brought = True
            alone = len(located) == 1 and not parts.replays
            with _open(writer, file, format, encoding, parts.hashed.get(file.path), alone) as opened:
                one.format = opened.known.name
                with writer.exclusive():
                    parts.look(writer, number)
                    if not opened.scan.expected_digest and writer.may_have(opened.scan.source.size):
                        opened.scan.hash_now()
                    digest = opened.scan.expected_digest
                    seen = _seen(writer, digest, format) if digest else None
                    back = opened.known.name == "tag-rules" and seen and not is_current(writer, seen["batch_id"])
                    about = parts.details(number) | _encoding(opened.scan.source)
                    if seen and "report" not in about:
                        back = back or _was_read_otherwise(writer, digest, opened.scan.source)
                    if seen and not back and parts.is_taken(writer, number, seen, digest):
                        one = _unchanged(one, seen, *parts.counts(seen["batch_id"]))
                    else:
                        again = {"again": seen["batch_id"]} if seen else {}
                        one = opened.append(writer, parts.delivery, actor, about | again)
                        one.counts = just_stored(opened.known.table, parts.delivery)
                        one.reason = "; ".join(part for part in (_read_as(opened.scan.source), one.reason) if part)
                        parts.wrote(writer)
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
        if one.status == REFUSED and parts.delivery.held:
            one.reason += " The parts of its report that came before wait."
        parts.delivery.broken = parts.delivery.broken or one.status == REFUSED
        if file.remark and one.status == STORED:
            one.reason = "; ".join(part for part in (one.reason, file.remark) if part)
        one.walked = file.walked and brought and not file.listed
        yield one


def _open(
    writer: Writer, file: Located, format: Mapping | str | None, encoding: str, hashed: Digest | None, alone: bool
) -> AbstractContextManager[Opened]:
    if isinstance(format, Mapping):
        spill = writer.workspace.root / "spill"
        return open_mapped(writer.connection, file.path, file.name, format, spill, hashed, encoding)
    return open_source(writer.connection, file.path, format, file.name, hashed, later=alone, encoding=encoding)


def _seen(writer: Writer, digest: str, format: Mapping | str | None) -> dict[str, Any] | None:
    return seen_under(writer, digest, format) if isinstance(format, Mapping) else writer.seen(digest)


def _encoding(source: SourceFile) -> dict[str, str]:
    """What the ledger says of a text that is not UTF-8."""
    if source.encoding == UTF8:
        return {}
    return {"encoding": source.encoding, "encoding_said_by": source.encoding_said_by}


def _read_as(source: SourceFile) -> str:
    """What a report says of a text that is not UTF-8, where its user did not say it."""
    if source.encoding == UTF8 or source.encoding_said_by == "--encoding":
        return ""
    return f"read as {source.encoding}, as {source.encoding_said_by} says"


def _was_read_otherwise(writer: Writer, digest: str, source: SourceFile) -> bool:
    """Whether a content was stored before, but as text in another encoding than the one that is said now."""
    if source.encoding_said_by in ("", BY_MARK):
        return False
    found = writer.connection.execute(
        "SELECT DISTINCT json_extract_string(details, '$.encoding') FROM lake.ledger "
        "WHERE source_hash = ? AND kind = 'ingest'",
        [digest],
    ).fetchall()
    known = {row[0] for row in found}
    return bool(known) and not known & {source.encoding, None}


def _unchanged(one: FileReport, seen: dict[str, Any], counts: bool | None, again: str) -> FileReport:
    """The report of a file that was stored before, and whether it counts now."""
    one.status = UNCHANGED
    one.batch_id = seen["batch_id"]
    one.format = seen["format"] or one.format
    other = "" if seen["source_file"] == one.path else f" as {seen['source_file']}"
    when = f"{seen['recorded_at']:%Y-%m-%d %H:%M:%S} UTC"
    one.reason = f"the same content was stored before{other}: batch {seen['batch_id']} of {when}"
    one.settle(counts, again)
    return one


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
