"""The forecast of a reading: made once from the history of its scope, for the pages that show it."""

from __future__ import annotations

from datetime import date

from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.period import next_month
from finops_kit.perspectives.tables import Row
from finops_kit.value.backtest import Forecast, Month, forecast
from finops_kit.value.forecast import monthly_streams

#: the fewest months ahead that are forecast
MONTHS_AHEAD = 3


def year_ahead(basis: Basis) -> tuple[int, int]:
    """The calendar year that the month after the period is in, and how many of its months are still ahead."""
    first = next_month(basis.start)
    return first.year, 13 - first.month


def made_forecast(basis: Basis) -> Forecast | None:
    """The months after the period with their backtest; None without history."""
    found: Forecast | None = basis.once("made_forecast", _make)
    return found


def _streams(basis: Basis) -> list[Row]:
    found: list[Row] = basis.once(
        "monthly_streams", lambda b: b.rows(monthly_streams(b.cube).order_by("month")) if b.monthly else []
    )
    return found


def _make(basis: Basis) -> Forecast | None:
    months = [Month(row["month"], float(row["usage"]), float(row["calendar"])) for row in _streams(basis)]
    ahead = year_ahead(basis)[1]
    made = forecast(months, max(MONTHS_AHEAD, ahead), ahead)
    return made if months and months[-1].month == basis.start else None


def forecast_lines(basis: Basis) -> list[Row]:
    """Each month beside the forecast made for it one month before, then the months ahead.

    Returns
    -------
    one row per month: ``actual`` (without corrections; None for a month ahead), ``forecast``, ``low``, ``high``
    (floats; None where there is none) and ``model``
    """
    made = made_forecast(basis)
    steps = {step.month: step for step in (*made.past, *made.ahead)} if made else {}
    actual: dict[date, object] = {row["month"]: row["usage"] + row["calendar"] for row in _streams(basis)}
    rows: list[Row] = []
    for month in sorted({*actual, *steps}):
        step = steps.get(month)
        rows.append({
            "month": month, "actual": actual.get(month), "forecast": step.forecast if step else None,
            "low": step.low if step else None, "high": step.high if step else None,
            "model": step.model if step else None,
        })  # fmt: skip
    return rows
