"""Which month and which currency a reading is about, when nobody says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from finops_kit.errors import UsageError
from finops_kit.value.months import next_month as next_month


def month_start(period: str) -> date:
    """The first day of a month written ``YYYY-MM``.

    Raises
    ------
    UsageError : it is not a month

    Example
    -------
    >>> month_start("2025-03")
    datetime.date(2025, 3, 1)
    """
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", period.strip()):
        raise UsageError(f"The period {period!r} is not a month. Write it as YYYY-MM, such as 2025-03.")
    year, month = period.strip().split("-")
    return date(int(year), int(month), 1)


@dataclass(frozen=True)
class Coverage:
    """How far the charges of one month reach."""

    month: date
    charges: int
    last_day: date


def latest_complete(months: Sequence[Coverage]) -> tuple[date | None, date | None]:
    """The latest month that is billed to its last day, and an open month after it, if there is one.

    Where no month is complete the latest one is taken.

    Example
    -------
    >>> done, half = Coverage(date(2025, 2, 1), 9, date(2025, 2, 28)), Coverage(date(2025, 3, 1), 3, date(2025, 3, 9))
    >>> latest_complete([done, half])
    (datetime.date(2025, 2, 1), datetime.date(2025, 3, 1))
    """
    ordered = sorted(months, key=lambda item: item.month)
    if not ordered:
        return None, None
    newest = ordered[-1].month
    for item in reversed(ordered):
        if item.last_day >= next_month(item.month) - timedelta(days=1):
            return item.month, newest if newest > item.month else None
    return newest, None


def choose_currency(asked: str, reporting: str, billed: Sequence[dict[str, Any]], convertible: set[str]) -> str:
    """The currency of a reading: what is asked for, else the workspace's if the bills lead to it, else theirs.

    Parameters
    ----------
    billed : rows of BillingCurrency and charges
    convertible : currencies that a rate leads from into the reporting currency

    Example
    -------
    >>> choose_currency("", "EUR", [{"BillingCurrency": "USD", "charges": 5}], set())
    'USD'
    >>> choose_currency("", "EUR", [{"BillingCurrency": "USD", "charges": 5}], {"USD"})
    'EUR'
    """
    if asked.strip():
        code = asked.strip().upper()
        if not re.fullmatch(r"[A-Z]{3}", code):
            raise UsageError(f"The currency {asked!r} is not an ISO 4217 code such as EUR.")
        return code
    currencies = {row["BillingCurrency"] for row in billed}
    if not currencies or reporting in currencies or currencies & convertible:
        return reporting
    return max(billed, key=lambda row: (row["charges"], row["BillingCurrency"]))["BillingCurrency"]
