"""Rows from the store become result tables: columns in order, units named, money settled to the cent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd

from finops_kit.errors import ReconciliationFailed
from finops_kit.perspectives.reading import ResultTable
from finops_kit.value.settle import settle, to_cents

Row = dict[str, Any]


def result(
    key: str,
    title: str,
    question: str,
    rows: Sequence[Row],
    columns: Sequence[str],
    *,
    units: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    empty_because: str = "",
    measure: str = "",
    trace_by: Sequence[str] = (),
    answer: str = "",
) -> ResultTable:
    """A result table from rows; a Decimal column is settled to cents so that its rows sum to its rounded sum.

    Parameters
    ----------
    columns : the columns in order; each row may lack one, which then is empty
    units : unit per column; money columns are those with a currency as their unit
    answer : what the rows say, in a sentence; left out where there are none
    """
    units = dict(units or {})
    data: dict[str, list[Any]] = {name: [row.get(name) for row in rows] for name in columns}
    for name, values in data.items():
        if len(units.get(name, "")) == 3 and any(isinstance(value, Decimal) for value in values):
            data[name] = _settled(values)
    frame = pd.DataFrame({name: pd.Series(values, dtype=_dtype(values)) for name, values in data.items()})
    return ResultTable(
        key, title, question, frame, units, dict(labels or {}), "" if rows else empty_because, measure, tuple(trace_by),
        answer if rows else "",
    )  # fmt: skip


def _dtype(values: Sequence[Any]) -> str:
    known = [value for value in values if value is not None]
    if known and len(known) == len(values) and all(type(value) is int for value in known):
        return "int64"
    if known and all(type(value) is float for value in known):
        return "float64"
    return "object"


def _settled(values: Sequence[Any]) -> list[Decimal | None]:
    known = [Decimal(value) for value in values if value is not None]
    cents = iter(settle(known))
    return [None if value is None else next(cents) for value in values]


def ensure_adds_up(perspective: str, table: ResultTable, column: str, grand_total: Decimal, currency: str) -> None:
    """Hold a page's breakdown against its grand total.

    Raises
    ------
    ReconciliationFailed : they differ by a cent or more; both are named
    """
    total = sum((value for value in table.frame[column] if value is not None), Decimal(0))
    if total != to_cents(grand_total):
        raise ReconciliationFailed(
            f"The {perspective} page does not add up: its table '{table.key}' sums to {currency} {total:,}, "
            f"but the grand total of the period is {currency} {to_cents(grand_total):,}. Nothing was published."
        )
