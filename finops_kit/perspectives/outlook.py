"""The outlook: where the calendar year will land against its budget, and what the forecast is worth."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.cost import LABELS, budget_of_scope, no_charges
from finops_kit.perspectives.forecasting import made_forecast, year_ahead
from finops_kit.perspectives.reading import Figure, ResultTable
from finops_kit.perspectives.tables import Row, result
from finops_kit.perspectives.words import count, money, month_name, percent
from finops_kit.value.backtest import Forecast, Score


def outlook_figure(basis: Basis) -> Figure:
    """What the calendar year will have cost: its months so far and the months forecast, with the range of their sum."""
    made = made_forecast(basis)
    year, months = year_ahead(basis)
    name = f"Year {year}, expected"
    if made is None:
        return Figure("year_outlook", name, None, basis.currency, why_missing=no_charges(basis))
    past = [row for row in basis.monthly if row["month"].year == year and row["month"] <= basis.start]
    expected = 12 - months
    if len(past) < expected:
        missing = f"{len(past)} of the {expected} months of {year} up to {month_name(basis.start)} are in the store"
        return Figure("year_outlook", name, None, basis.currency, why_missing=f"Only {missing}.")
    spent = sum((row["EffectiveCost"] for row in past), Decimal(0))
    value = float(spent) + made.total
    said = f"{money(spent, basis.currency)} so far and {money(made.total, basis.currency)} in {count(months, 'month')}"
    if made.total_low is not None and made.total_high is not None:
        low, high = float(spent) + made.total_low, float(spent) + made.total_high
        said += f"; in 8 of 10 cases between {money(low, basis.currency)} and {money(high, basis.currency)}"
    else:
        said += f"; without a range, for too few past sums of {count(months, 'month')} are known"
    plans, _ = budget_of_scope(basis)
    of_year = [plans[month] for month in (date(year, place, 1) for place in range(1, 13)) if month in plans]
    target, status = "", "plain"
    if len(of_year) == 12:
        plan = sum(of_year, Decimal(0))
        target = f"<= {money(plan, basis.currency)}, its budget"
        status = "good" if value <= float(plan) else "watch"
    elif of_year:
        said += f"; its budget is known for {count(len(of_year), 'month')} only"
    return Figure("year_outlook", name, round(value, 2), basis.currency, f"{said}.", target, status)


def models_table(basis: Basis) -> ResultTable:
    """What each model would have got wrong one month ahead, and what the forecasts as made did."""
    made = made_forecast(basis)
    rows: list[Row] = [
        {"model": score.model, "forecasts": score.forecasts, "mase": score.mase, "use": _use(score),
         "wape_pct": None if score.wape is None else 100 * score.wape, "wape_pct_why": _too_short(score.model)}
        for score in (made.scores if made else ())
    ]  # fmt: skip
    return result(
        "forecast_models", "What the forecast is worth", "How wrong would each model have been, a month ahead?", rows,
        ("model", "forecasts", "wape_pct", "mase", "use", "wape_pct_why"), units={"wape_pct": "%"},
        labels={**LABELS, "model": "Model", "forecasts": "Months forecast", "wape_pct": "Error (WAPE)", "use": "Use",
                "mase": "Against month-to-month moves (MASE)"},
        empty_because=no_charges(basis), answer=_worth_words(made),
    )  # fmt: skip


def _worth_words(made: Forecast | None) -> str:
    """Which model is used, and how wrong the forecasts were that were made so far."""
    if made is None:
        return ""
    used = next(score.model for score in made.scores if score.chosen)
    own = made.scores[-1]
    if own.wape is None:
        return f"The months ahead are forecast by “{used}”; no forecast is old enough to be judged."
    said = f"The months ahead are forecast by “{used}”; the {count(own.forecasts, 'forecast')} made so far"
    return f"{said} missed by {percent(own.wape)} of the cost."


def _use(score: Score) -> str:
    if score.model == "as chosen":
        return "the forecasts as they were made"
    return "used for the months ahead" if score.chosen else ""


def _too_short(model: str) -> str:
    needs = {"same month last year": 13, "drift": 4, "theta": 5}.get(model, 2)
    return f"needs {needs} months of history"


def range_words(basis: Basis) -> str:
    """How the ranges have held, in a sentence; empty without a forecast."""
    made = made_forecast(basis)
    if made is None:
        return ""
    if made.why_no_range:
        return f"There is no range yet: {made.why_no_range}."
    if not made.ranged:
        return "The ranges cover 80 % by their construction; none is old enough to be held against what came."
    held = f"{made.held} of {count(made.ranged, 'past month')} came to lie in theirs"
    return f"Ranges are made from past errors to hold in 8 of 10 cases; {held}."
