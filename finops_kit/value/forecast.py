"""Forecast, day-count normalised: a month is not a thirty-first longer than it is.

Usage goes by a rate per day, calendar items (purchases, support, taxes, recurring fees) as they stood last month, and
corrections of earlier months are left out. The models and their errors are in :mod:`finops_kit.value.backtest`.
"""

from __future__ import annotations

import ibis
from ibis.expr.types import Table, Value


def days_in(month: Value) -> Value:
    """The days of a month, given its first day."""
    return (month + ibis.interval(months=1)).delta(month, unit="day")


def run_rate(amount: float, days: int, target_days: int) -> float:
    """The same spend a day over another month's days.

    Example
    -------
    >>> run_rate(3100, 31, 28)
    2800.0
    """
    return amount / days * target_days


def monthly_streams(lens: Table, amount: str = "EffectiveCost") -> Table:
    """What a forecast is made from: usage by day rate and calendar items apart, corrections beside them.

    Returns
    -------
    one row per month: ``usage``, ``calendar``, ``corrections``, ``amount`` (all of it), currency of the lens
    """
    correction = (lens.ChargeClass == "Correction").fill_null(False)
    daily = (lens.ChargeCategory == "Usage") & (lens.ChargeFrequency != "Recurring").fill_null(True)
    daily = daily.fill_null(True)
    value = lens[amount]
    return lens.group_by("month").agg(
        usage=value.sum(where=daily & ~correction).fill_null(0),
        calendar=value.sum(where=~daily & ~correction).fill_null(0),
        corrections=value.sum(where=correction).fill_null(0),
        **{amount: value.sum().fill_null(0)},
    )


def accuracy(actual: float, forecast: float) -> float | None:
    """Forecast accuracy M4 = 1 - |actual - forecast| / actual; None where there was nothing to forecast.

    Example
    -------
    >>> accuracy(100.0, 92.0), accuracy(0.0, 5.0)
    (0.92, None)
    """
    return None if actual == 0 else 1 - abs(actual - forecast) / actual
