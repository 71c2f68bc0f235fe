"""Prove that the store is what was put into it: the ledger's chain, every data file, every count and sum.

Each check is recomputed from what lies on disk. What does not fit is named with the place, what was
expected and what was found. The chain finds edits, deletions, insertions and reordering; a rewrite of the
whole history is found only against a head that somebody else kept (``heads``, ``expected_head``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from finops_kit.errors import StoreError, StoreMissing, VersionUnknown
from finops_kit.settings import Workspace
from finops_kit.store.acts import acts_of
from finops_kit.store.catalogue import check_catalogue
from finops_kit.store.compact import check_merges
from finops_kit.store.finding import Finding
from finops_kit.store.heads import check_heads, heads_folder, read_heads
from finops_kit.store.proofs import chain, counts, data_files, history, orphans, read_entries
from finops_kit.store.reader import AsOf, open_reader

MEMORY_LIMIT = "1GB"


@dataclass
class VerifyReport:
    """What was checked, and what does not fit.

    Attributes
    ----------
    findings : what does not fit; empty where the store is sound
    expired : batches of a table that expired since by a recorded act; their entries are proven, their data is gone
    acts : the ledger entries by which they expired: entry, class, reason, actor, recorded_at, tables, batches, files,
        rows; a file that is missing without such an entry is a finding
    orphans : files in the data folder that no committed batch knows, such as a killed ingest leaves; harmless
    """

    store_version: int
    ledger_head: str
    entries: int = 0
    files: int = 0
    bytes: int = 0
    rows: int = 0
    heads: int = 0
    expired: int = 0
    acts: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether everything fits."""
        return not self.findings

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return {
            "ok": self.ok,
            "store_version": self.store_version,
            "ledger_head": self.ledger_head,
            "entries": self.entries,
            "files": self.files,
            "bytes": self.bytes,
            "rows": self.rows,
            "heads": self.heads,
            "expired": self.expired,
            "acts": self.acts,
            "findings": [finding.as_dict() for finding in self.findings],
            "orphans": self.orphans,
            "seconds": round(self.seconds, 3),
        }


def verify(
    workspace: Workspace,
    as_of: AsOf = None,
    progress: Callable[[str], None] | None = None,
    expected_head: str | None = None,
    heads: Sequence[str | Path] = (),
) -> VerifyReport:
    """Recompute everything that the ledger says of the store, and name what does not fit.

    Parameters
    ----------
    as_of : verify the store as it was at a version or a time; the newest where nothing is said
    expected_head : a ledger head (or its beginning) that somebody kept; it must be in the chain
    heads : signed heads that somebody kept, files or folders; those that the workspace keeps are always looked at

    Returns
    -------
    The report; it raises nothing for what does not fit, only where there is no store to look at.

    Raises
    ------
    StoreMissing, VersionUnknown : there is no such store, or no such version of it

    Example
    -------
    >>> import tempfile; from pathlib import Path; from finops_kit.store import create_store
    >>> place = Workspace(Path(tempfile.mkdtemp()) / "workspace")
    >>> _ = create_store(place)
    >>> report = verify(place)
    >>> report.ok, report.entries
    (True, 0)
    """
    began = time.monotonic()
    tell = progress or (lambda _: None)
    report = VerifyReport(store_version=0, ledger_head="")
    with ExitStack() as stack:
        try:
            reader = stack.enter_context(open_reader(workspace, as_of, memory_limit=MEMORY_LIMIT, views=False))
        except (StoreMissing, VersionUnknown):
            raise
        except StoreError as error:
            report.findings.append(Finding("store", str(workspace.root), "a store that opens", str(error)))
            return report
        report.store_version = reader.version
        expired: list[dict[str, Any]] = []
        tell("reading the ledger")
        entries, unreadable = read_entries(reader)
        report.findings += unreadable
        report.entries = len(entries)
        report.ledger_head = entries[-1]["entry_hash"] if entries else ""
        report.findings += chain(entries, expected_head)
        kept = read_heads([*heads, *([own] if (own := heads_folder(workspace)).is_dir() else [])])
        report.heads = len(kept)
        if not unreadable:
            seen = [pair for pair in kept if as_of is None or pair[1].store_version <= reader.version]
            report.findings += _all(lambda: check_heads(reader, entries, seen))
            report.findings += _all(lambda: history(reader, entries))
            report.findings += _all(lambda: check_catalogue(reader, entries))
        try:
            expired += reader.expired_since()
            report.acts = acts_of(expired)
            report.expired = len({(act["batch_id"], act["table"]) for act in expired})
            known, report.bytes, file_findings = data_files(reader, entries, tell, expired)
            report.files = len(known) - sum(len(act["files"]) for act in expired)
            report.findings += file_findings
            tell("counting rows and adding up")
            report.rows, count_findings = counts(reader, entries, expired)
            report.findings += count_findings
            report.findings += check_merges(reader, entries, expired)
        except duckdb.Error as error:
            report.findings.append(_unreadable(error))
        report.orphans = orphans(reader)
        gone = [file["path"] for act in expired for file in act["files"]]
        report.orphans += sorted(path for path in gone if (workspace.data / path).is_file())
    report.seconds = time.monotonic() - began
    return report


def _all(check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """All that one check finds; a catalogue that the engine cannot read any more is a finding, too."""
    found: list[Finding] = []
    try:
        found.extend(check())
    except duckdb.Error as error:
        found.append(_unreadable(error))
    return found


def _unreadable(error: duckdb.Error) -> Finding:
    return Finding("catalogue", "the store", "a catalogue that can be read", " ".join(str(error).split())[:200])
