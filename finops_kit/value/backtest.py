"""Monthly forecasts chosen by what they would have got right, with ranges made of their own past errors.

Four simple models of spend per day are tried at every past month with what was known then (rolling origin). At each
origin the model with the least error so far makes the forecast, so the choice itself is tested. A range is
split-conformal: the procedure's own past relative errors, step by step, of which the ceil((n + 1) x coverage)-th
smallest is taken on both sides; it holds the stated coverage where errors come in no particular order. A sum of months
has a range of its own, from the errors of such sums; ranges of single months are never added.

Amounts are floats here: a forecast is no booking. Source: Hyndman and Athanasopoulos, Forecasting: Principles and
Practice, sections 5.10 (rolling origin), 5.8 (MASE); Assimakopoulos and Nikolopoulos 2000 (theta); Lei et al. 2018.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from finops_kit.value.months import days_of, next_month

#: the part of past errors that a range covers
COVERAGE = 0.8
#: the fewest past errors that make a range of that coverage: ceil((n + 1) x 0.8) <= n
ERRORS_FOR_RANGE = 4
#: a model is chosen only after so many forecasts of its own, and if it is better than the simplest by this part
SCORES_TO_CHOOSE, BETTER_BY = 4, 0.05
YEAR = 12


def _last(rates: Sequence[float], steps: int) -> float | None:
    return rates[-1]


def _year_ago(rates: Sequence[float], steps: int) -> float | None:
    place = len(rates) - YEAR + (steps - 1) % YEAR
    return rates[place] if place >= 0 else None


def _drift(rates: Sequence[float], steps: int) -> float | None:
    if len(rates) < 3:
        return None
    return rates[-1] + steps * (rates[-1] - rates[0]) / (len(rates) - 1)


def _theta(rates: Sequence[float], steps: int) -> float | None:
    """Exponential smoothing with half the slope of the trend line: a trend that is believed in by half."""
    size = len(rates)
    if size < 4:
        return None
    mean_x, mean_y = (size - 1) / 2, sum(rates) / size
    slope = sum((x - mean_x) * (y - mean_y) for x, y in enumerate(rates)) / sum((x - mean_x) ** 2 for x in range(size))
    alpha, level = _smooth(rates)
    return level + slope / 2 * (steps - 1 + (1 - (1 - alpha) ** size) / alpha)


def _smooth(rates: Sequence[float]) -> tuple[float, float]:
    """The smoothing (tenths) with the least squared error one month ahead, and the level that it ends at."""

    def run(alpha: float) -> tuple[float, float]:
        level, wrong = rates[0], 0.0
        for rate in rates[1:]:
            wrong += (rate - level) ** 2
            level += alpha * (rate - level)
        return wrong, level

    alpha = min((step / 10 for step in range(1, 11)), key=lambda step: run(step)[0])
    return alpha, run(alpha)[1]


MODELS: dict[str, Callable[[Sequence[float], int], float | None]] = {
    "last month": _last, "same month last year": _year_ago, "drift": _drift, "theta": _theta,
}  # fmt: skip


@dataclass(frozen=True)
class Month:
    """A month as it was: usage that goes by the day, and calendar items, that do not."""

    month: date
    usage: float
    calendar: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.usage + self.calendar


@dataclass(frozen=True)
class Step:
    """One forecast: for ``month``, made when ``origin`` was the last month known, by ``model``.

    ``low`` and ``high`` are None while too few errors of this step are known; ``actual`` is None for a month ahead.
    """

    month: date
    origin: date
    model: str
    forecast: float
    actual: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Score:
    """How a model did one month ahead: ``wape`` (sum of absolute errors over the sum of actuals) and ``mase`` (mean
    absolute error over the mean change from month to month: below 1 is better than saying "as last month")."""

    model: str
    forecasts: int
    wape: float | None
    mase: float | None
    chosen: bool


@dataclass(frozen=True)
class Forecast:
    """What was forecast for each past month, what is for those ahead, and how good the models were.

    Attributes
    ----------
    past : each past month, as it was forecast one month before
    ahead : the months ahead
    scores : the models, and ``as chosen``: the procedure that chose among them
    held : in how many of ``ranged`` past months the actual lay within the range given one month before
    total, total_low, total_high : the sum of the months asked for together, with a range of its own
    why_no_range : why the next month has none; empty where it has one
    """

    past: tuple[Step, ...]
    ahead: tuple[Step, ...]
    scores: tuple[Score, ...]
    held: int
    ranged: int
    total: float
    total_low: float | None
    total_high: float | None
    why_no_range: str


def forecast(history: Sequence[Month], horizon: int = 1, together: int | None = None) -> Forecast | None:
    """Forecast the months after the last one, and tell how such forecasts would have done before.

    Parameters
    ----------
    history : months in order; those before a gap are left out
    horizon : how many months ahead
    together : how many of them ``total`` is of; all where it is not given

    Returns
    -------
    None without history
    """
    months = _unbroken(history)
    if not months:
        return None
    known = len(months)
    rates = [one.usage / days_of(one.month) for one in months]
    errors: dict[str, list[tuple[float, float]]] = {name: [] for name in MODELS}
    made: list[list[Step]] = []
    chosen = next(iter(MODELS))
    for origin in range(known):
        if origin:  # the month has come: every model is told how it did
            for name in MODELS:
                said = _month_ahead(name, months, rates, origin, 1)
                if said is not None:
                    errors[name].append((abs(months[origin].total - said), abs(months[origin].total)))
        chosen = _choose(errors)
        steps = []
        for step in range(1, horizon + 1):
            value = _month_ahead(chosen, months, rates, origin + 1, step)
            if value is None:
                value = _month_ahead("last month", months, rates, origin + 1, step) or 0.0
            place = origin + step
            actual = months[place].total if place < known else None
            steps.append(Step(next_month(months[origin].month, step), months[origin].month, chosen, value, actual))
        made.append(steps)
    past = [_ranged(steps[0], _errors(made[: place + 1], 1)) for place, steps in enumerate(made[:-1])]
    ahead = tuple(_ranged(step, _errors(made, place)) for place, step in enumerate(made[-1], start=1))
    size = horizon if together is None else together
    total = sum(step.forecast for step in ahead[:size])
    low, high = _range(total, _sum_errors([steps[:size] for steps in made]))
    ranged = [step for step in past if step.low is not None and step.high is not None]
    held = sum(step.low <= (step.actual or 0.0) <= step.high for step in ranged)  # type: ignore[operator]
    few = len(_errors(made, 1))
    why = "" if ahead[0].low is not None else (
        f"only {few} past forecast{'' if few == 1 else 's'} to learn an error from, {ERRORS_FOR_RANGE} are needed"
    )  # fmt: skip
    return Forecast(tuple(past), ahead, _scores(months, errors, past, chosen), held, len(ranged), total, low, high, why)


def _unbroken(history: Sequence[Month]) -> list[Month]:
    months: list[Month] = []
    for one in history:
        if months and one.month != next_month(months[-1].month):
            months = []
        months.append(one)
    return months


def _month_ahead(model: str, months: Sequence[Month], rates: Sequence[float], known: int, steps: int) -> float | None:
    """A model's amount ``steps`` after the first ``known`` months: its rate over the month's days, calendar items as in
    the last of them."""
    rate = MODELS[model](rates[:known], steps)
    if rate is None:
        return None
    if min(rates[:known]) >= 0:
        rate = max(rate, 0.0)
    last = months[known - 1]
    return rate * days_of(next_month(last.month, steps)) + last.calendar


def _wape(errors: Sequence[tuple[float, float]]) -> float:
    whole = sum(actual for _, actual in errors)
    return sum(wrong for wrong, _ in errors) / whole if whole else math.inf


def _choose(errors: dict[str, list[tuple[float, float]]]) -> str:
    """The model with the least error so far, over the months that it and the simplest have both forecast."""
    simplest, *others = MODELS
    best, best_ratio = simplest, 1 - BETTER_BY
    for name in others:
        own = errors[name]
        if len(own) < SCORES_TO_CHOOSE:
            continue
        base = _wape(errors[simplest][-len(own):])  # fmt: skip
        ratio = _wape(own) / base if base else math.inf
        if ratio < best_ratio:
            best, best_ratio = name, ratio
    return best


def _errors(made: Sequence[Sequence[Step]], step: int) -> list[float]:
    """Relative errors of the forecasts ``step`` months ahead whose month is known by the last origin."""
    known = len(made)
    return [
        abs((one.actual or 0.0) - one.forecast) / abs(one.forecast)
        for place, steps in enumerate(made)
        if place + step < known and (one := steps[step - 1]).actual is not None and one.forecast
    ]


def _sum_errors(made: Sequence[Sequence[Step]]) -> list[float]:
    found = []
    for steps in made:
        said = sum(step.forecast for step in steps)
        if all(step.actual is not None for step in steps) and said:
            found.append(abs(sum(step.actual or 0.0 for step in steps) - said) / abs(said))
    return found


def _range(forecast: float, errors: Sequence[float]) -> tuple[float | None, float | None]:
    """The forecast less and plus the conformal quantile of past relative errors; none where they are too few.

    Example
    -------
    >>> _range(100.0, [0.01, 0.02, 0.03]), _range(100.0, [0.25, 0.5, 0.125, 0.75, 0.0])
    ((None, None), (25.0, 175.0))
    """
    place = math.ceil((len(errors) + 1) * COVERAGE)
    if len(errors) < ERRORS_FOR_RANGE or place > len(errors):
        return None, None
    wide = sorted(errors)[place - 1] * abs(forecast)
    return forecast - wide, forecast + wide


def _ranged(step: Step, errors: Sequence[float]) -> Step:
    low, high = _range(step.forecast, errors)
    return Step(step.month, step.origin, step.model, step.forecast, step.actual, low, high)


def _scores(
    months: Sequence[Month], errors: dict[str, list[tuple[float, float]]], past: Sequence[Step], chosen: str
) -> tuple[Score, ...]:
    moves = [abs(one.total - before.total) for before, one in pairwise(months)]
    usual = sum(moves) / len(moves) if moves else 0.0
    own = [(abs((step.actual or 0.0) - step.forecast), abs(step.actual or 0.0)) for step in past]
    rows = []
    for name, found in [*errors.items(), ("as chosen", own)]:
        wape = _wape(found) if found else None
        mean = sum(wrong for wrong, _ in found) / len(found) if found else None
        mase = mean / usual if mean is not None and usual else None
        rows.append(Score(name, len(found), None if wape == math.inf else wape, mase, name == chosen))
    return tuple(rows)
