"""What a check of the store finds: one thing that does not fit, where, what was expected and what is there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that does not fit: the check, the place, what was expected and what was found.

    Example
    -------
    >>> str(Finding("data file", "budget/a.parquet", "SHA-256 aa11", "bb22"))
    'data file: budget/a.parquet: expected SHA-256 aa11, found bb22'
    """

    check: str
    where: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.check}: {self.where}: expected {self.expected}, found {self.found}"

    def as_dict(self) -> dict[str, str]:
        """The same as JSON can hold it."""
        return {"check": self.check, "where": self.where, "expected": self.expected, "found": self.found}
