"""What a check of the store finds: one thing that does not fit, where, what was expected and what is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One thing that does not fit.

    Attributes
    ----------
    kind : what sort of thing: chain, entry, file, catalogue, head, truncated, forked ...
    where : the entry, file or table concerned
    message : one sentence that says what is wrong there
    expected : what should be there ("" where the message says it all)
    found : what is there

    Example
    -------
    >>> str(Finding("file", "budget/a.parquet", "the data file was changed", "aa11", "bb22"))
    'budget/a.parquet: the data file was changed (expected aa11, found bb22)'
    """

    kind: str
    where: str
    message: str
    expected: str = ""
    found: str = ""

    def __str__(self) -> str:
        against = f" (expected {self.expected}, found {self.found or 'nothing'})" if self.expected else ""
        return f"{self.where}: {self.message}{against}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "kind": self.kind,
            "where": self.where,
            "message": self.message,
            "expected": self.expected,
            "found": self.found,
        }
