"""What a perspective hands on: figures, tables and words, all read at one version of the store.

A reading holds no connection and draws nothing. Notebooks show it, the runner publishes it and
keeps its tables as result files, and two readings can be held against each other to the cent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

import pandas as pd

#: the six perspectives, in the order of the pages
PERSPECTIVES = ("engineering", "product", "finance", "procurement", "leadership", "practitioner")


@dataclass(frozen=True)
class Figure:
    """One number of a page, with its unit, its target and the way back to its source lines.

    ``value`` is None where it cannot be computed; ``why_missing`` then says why in a sentence.
    ``measure`` and ``filters`` are what ``finops trace`` takes to list the charges behind it.
    ``status`` is ``good``, ``watch``, ``bad`` or ``plain`` and compares ``value`` with ``target``.
    """

    key: str
    title: str
    value: Decimal | float | int | str | None
    unit: str = ""
    meaning: str = ""
    target: str = ""
    status: str = "plain"
    why_missing: str = ""
    measure: str = ""
    filters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ResultTable:
    """One table of a page: a frame whose columns carry units, and what it answers.

    Money columns hold Decimal; ``units`` names the unit of every number column ("EUR", "%", "days", "vCPU").
    ``empty_because`` is shown instead of a frame without rows. ``measure`` is the measure that a row's
    money column can be traced by, with the columns in ``trace_by`` as filters. ``answer`` is what the rows say, in
    one sentence: a reader who reads no further knows it.
    """

    key: str
    title: str
    question: str
    frame: pd.DataFrame
    units: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    empty_because: str = ""
    measure: str = ""
    trace_by: tuple[str, ...] = ()
    answer: str = ""


@dataclass(frozen=True)
class NextStep:
    """What the page asks its reader to do next: a sentence, the command that does it, the table that it rests on.

    Nothing is done from a page; a person decides.
    """

    say: str
    table: str = ""
    command: str = ""


@dataclass(frozen=True)
class DataAge:
    """How old one source's newest data is: what it covers up to, and when the store learned it."""

    source_system: str
    covers_until: datetime | None
    recorded_at: datetime | None
    age_hours: float | None


@dataclass(frozen=True)
class Reading:
    """One perspective's reading of one period at one store version."""

    perspective: str
    title: str
    audience: str
    question: str
    answer: str
    owns: tuple[str, ...]
    does_not_own: tuple[str, ...]
    period_start: date
    period_end: date
    scope: str
    currency: str
    grand_total: Decimal
    store_version: int
    version_time: datetime
    ledger_head: str
    ages: tuple[DataAge, ...]
    figures: tuple[Figure, ...]
    tables: dict[str, ResultTable]
    caveats: tuple[str, ...] = ()
    next_steps: tuple[NextStep, ...] = ()
    ledger_size: int = 0
    ledger_root: str = ""
    ledger_signed_by: str = ""

    def figure(self, key: str) -> Figure:
        """One figure by its key.

        Raises
        ------
        KeyError : the reading has no such figure
        """
        for figure in self.figures:
            if figure.key == key:
                return figure
        raise KeyError(f"{self.perspective} has no figure {key!r}; it has {', '.join(f.key for f in self.figures)}")
