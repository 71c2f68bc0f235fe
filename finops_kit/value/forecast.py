"""Forecast, day-count normalised: a month is not a thirty-first longer than it is.

Usage is carried as a rate per day, calendar items (purchases, support, taxes, recurring fees) as they stood
last month, and corrections of earlier months are left out. The range is what past months' errors were.
"""

from __future__ import annotations

import ibis
from ibis.expr.types import Table, Value

#: the part of past errors that the range covers
RANGE_LOW, RANGE_HIGH = 0.1, 0.9
#: the fewest past months whose errors make a range
MONTHS_FOR_RANGE = 4


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


def forecast_months(streams: Table, amount: str = "EffectiveCost") -> Table:
    """Each month beside the forecast made for it one month before, and the month after the last one.

    Parameters
    ----------
    streams : see :func:`monthly_streams`; consecutive months

    Returns
    -------
    one row per month: ``actual`` (without corrections; null for the month ahead), ``forecast`` (float; null for the
    first), ``error`` = actual / forecast - 1
    """
    known = streams.select(
        "month", actual=streams.usage + streams.calendar, usage=streams.usage, calendar=streams.calendar
    )
    ahead = known.agg(month=known.month.max() + ibis.interval(months=1)).filter(lambda t: t.month.notnull())
    ahead = ahead.select(
        month=ahead.month.cast("date"),
        actual=ibis.null("decimal(38,24)"),
        usage=ibis.null("decimal(38,24)"),
        calendar=ibis.null("decimal(38,24)"),
    )
    rows = known.mutate(month=known.month.cast("date")).union(ahead)
    window = ibis.window(order_by=rows.month)
    before = rows.month.lag().over(window)
    rate = rows.usage.lag().over(window).cast("float64") / days_in(before).cast("float64")
    rows = rows.mutate(
        forecast=rate * days_in(rows.month).cast("float64") + rows.calendar.lag().over(window).cast("float64")
    )
    error = ibis.ifelse(rows.forecast > 0, rows.actual.cast("float64") / rows.forecast - 1, ibis.null("float64"))
    return rows.mutate(error=error).select("month", "actual", "forecast", "error")


def with_range(months: Table) -> Table:
    """The forecast with the range that past errors make: their 10 % and 90 % quantiles, before each month.

    Returns
    -------
    as given, with ``low`` and ``high`` (null while fewer than ``MONTHS_FOR_RANGE`` errors are known)
    """
    past = ibis.window(order_by=months.month, preceding=(None, 1))
    known = months.error.count().over(past)
    enough = known >= MONTHS_FOR_RANGE
    low = months.error.quantile(RANGE_LOW).over(past)
    high = months.error.quantile(RANGE_HIGH).over(past)
    zero = ibis.literal(0.0)
    return months.mutate(
        low=ibis.ifelse(enough, months.forecast * (1 + ibis.least(low, zero)), ibis.null("float64")),
        high=ibis.ifelse(enough, months.forecast * (1 + ibis.greatest(high, zero)), ibis.null("float64")),
    )


def accuracy(actual: float, forecast: float) -> float | None:
    """Forecast accuracy M4 = 1 - |actual - forecast| / actual; None where there was nothing to forecast.

    Example
    -------
    >>> accuracy(100.0, 92.0), accuracy(0.0, 5.0)
    (0.92, None)
    """
    return None if actual == 0 else 1 - abs(actual - forecast) / actual
