"""What an ingest says when it is done: one line per file, and the store's version."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from finops_kit.store.ledger import plain

STORED, UNCHANGED, REFUSED, WAITING = "stored", "unchanged", "refused", "waiting"
#: what is said of a file that was stored before and counts no more
OUT = "; it does not count now: finops status --deliveries says why, {} takes it all the same"


@dataclass
class FileReport:
    """What became of one file.

    Attributes
    ----------
    status : ``stored``, ``unchanged`` (its content was stored before), ``refused``, or in a watch ``waiting`` (a
        manifest lists files that have not come)
    reason : why, in a sentence; empty where it was stored without a remark
    counts : whether all that it delivers counts, as far as is known; not where it waits for other parts, came late, or
        something newer counts in its place. None where it delivers nothing that another file could replace
    control_totals : sum of BilledCost per currency over the stored rows as the file says it, to its last decimal
    walked : the file was found in a directory, not named by the user
    """

    path: str
    format: str = ""
    status: str = REFUSED
    reason: str = ""
    rows_read: int = 0
    rows_stored: int = 0
    rows_quarantined: int = 0
    control_totals: dict[str, Decimal] = field(default_factory=dict)
    batch_id: str | None = None
    walked: bool = False
    counts: bool | None = None

    def settle(self, counts: bool | None, again: str = "--newest") -> None:
        """Keep whether it counts, and say it of a file that was stored before.

        Parameters
        ----------
        again : the options that let it count where it does not

        Example
        -------
        >>> one = FileReport("a.csv", "focus-1.0", "unchanged", "the same content was stored before")
        >>> one.settle(False)
        >>> one.counts, one.reason.endswith("--newest takes it all the same")
        (False, True)
        """
        if self.status == UNCHANGED and (self.counts is False) != (counts is False):
            self.reason = self.reason + OUT.format(again) if counts is False else self.reason.partition(OUT[:20])[0]
        self.counts = counts

    def as_dict(self) -> dict[str, Any]:
        """The file's part of the JSON contract; decimals as text."""
        return {
            "path": self.path,
            "format": self.format or None,
            "status": self.status,
            "reason": self.reason,
            "rows_read": self.rows_read,
            "rows_stored": self.rows_stored,
            "rows_quarantined": self.rows_quarantined,
            "control_totals": {key: plain(value) for key, value in sorted(self.control_totals.items())},
            "batch_id": self.batch_id,
            "counts": self.counts,
        }


@dataclass
class IngestReport:
    """What became of every file, and the store's version after it."""

    files: list[FileReport] = field(default_factory=list)
    store_version: int = 0

    @property
    def refused(self) -> list[FileReport]:
        """What was refused; a file of no known format that a walk came across was only passed over."""
        return [one for one in self.files if one.status == REFUSED and not (one.walked and not one.format)]

    def as_dict(self) -> dict[str, Any]:
        """The JSON contract of ``finops ingest --json``.

        Example
        -------
        >>> IngestReport([FileReport("a.csv", "budgets", "stored")], 3).as_dict()["store_version"]
        3
        """
        return {"files": [report.as_dict() for report in self.files], "store_version": self.store_version}
