"""Maturity, 0-100, from evidence in the store: each point says what it rests on and what the next step is.

What cannot be computed says why and counts neither way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: from these scores on a capability walks, and runs
WALK, RUN = 40, 75


@dataclass(frozen=True)
class Evidence:
    """One capability: its score and what the score rests on.

    ``score`` is None where it cannot be computed; ``evidence`` then says why.
    """

    capability: str
    score: int | None
    evidence: str
    next_step: str

    @property
    def level(self) -> str:
        """crawl, walk or run; empty where there is no score."""
        return "" if self.score is None else level(self.score)


def level(score: float) -> str:
    """The name of a score.

    Example
    -------
    >>> level(10), level(40), level(80)
    ('crawl', 'walk', 'run')
    """
    return "run" if score >= RUN else "walk" if score >= WALK else "crawl"


def overall(points: Sequence[Evidence]) -> int | None:
    """The mean of what could be scored; None where nothing could.

    Example
    -------
    >>> overall([Evidence("a", 80, "", ""), Evidence("b", None, "", ""), Evidence("c", 40, "", "")])
    60
    """
    known = [point.score for point in points if point.score is not None]
    return round(sum(known) / len(known)) if known else None


def ramp(value: float, worst: float, best: float) -> int:
    """A value as 0-100 between its worst and its best.

    Example
    -------
    >>> ramp(0.05, 0.5, 0.05), ramp(0.275, 0.5, 0.05), ramp(0.9, 0.5, 0.05)
    (100, 50, 0)
    """
    share = (value - worst) / (best - worst)
    return round(100 * min(max(share, 0.0), 1.0))


def _point(
    capability: str, value: float | None, worst: float, best: float, said: str, missing: str, next_step: str
) -> Evidence:
    if value is None:
        return Evidence(capability, None, missing, next_step)
    return Evidence(capability, ramp(value, worst, best), said, next_step)


def assess(
    *,
    unallocated_ratio: float | None,
    data_age_hours: float | None,
    budgeted_ratio: float | None,
    forecast_accuracy: float | None,
    commitment_coverage: float | None,
    anomalies_in_period: int | None,
    unit_metric_ratio: float | None,
) -> list[Evidence]:
    """Seven capabilities from what the store shows; a measurement that is None is not scored.

    Parameters
    ----------
    unallocated_ratio, budgeted_ratio, unit_metric_ratio : share of the period's cost, 0-1
    data_age_hours : age of the newest charge at the version read
    forecast_accuracy : M4, 0-1; commitment_coverage : 0-1
    anomalies_in_period : M6, spikes and drops found
    """
    number = unallocated_ratio
    return [
        _point(
            "Allocation", number, 0.5, 0.05,
            f"{100 * (number or 0):.1f} % of cost has no owner; the target is below 5 %",
            "There is no cost in this period to allocate",
            "Tag the largest untagged accounts, or name their owner in the CMDB",
        ),
        _point(
            "Freshness", data_age_hours, 24 * 14, 24 * 2,
            f"The newest charge was {(data_age_hours or 0) / 24:.1f} days old when it was read; the target is 2 days",
            "No charge has been delivered",
            "Deliver bills daily while the period is open",
        ),
        _point(
            "Budgets", budgeted_ratio, 0.0, 0.95,
            f"{100 * (budgeted_ratio or 0):.0f} % of cost lies with services that have a budget",
            "No budget has been delivered for this period; deliver one with `finops ingest budgets.csv`",
            "Give every service a budget for every month",
        ),
        _point(
            "Forecast", forecast_accuracy, 0.5, 0.9,
            f"The forecast made a month before was {100 * (forecast_accuracy or 0):.1f} % accurate; the target is 90 %",
            "There is no month before this one to have forecast it from",
            "Explain the largest miss and put known events into the forecast",
        ),
        _point(
            "Commitments", commitment_coverage, 0.0, 0.7,
            f"{100 * (commitment_coverage or 0):.0f} % of coverable compute runs under a commitment",
            "No compute in this period could be covered by a commitment",
            "Cover the steady part of on-demand compute",
        ),
        _point(
            "Anomalies", None if anomalies_in_period is None else float(anomalies_in_period), 10, 1,
            f"{anomalies_in_period} found in the period; the target is below 2",
            "There are fewer than ten days of history to hold a day against",
            "Name an owner and a cause for each",
        ),
        _point(
            "Unit economics", unit_metric_ratio, 0.0, 0.8,
            f"{100 * (unit_metric_ratio or 0):.0f} % of cost lies with services whose volume is known",
            "No business metric has been delivered for this period; deliver one with `finops ingest metrics.csv`",
            "Deliver requests, orders or customers of the remaining services",
        ),
    ]  # fmt: skip
