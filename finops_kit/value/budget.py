"""Budgets: how much is spent, how fast, and against which straight line."""

from __future__ import annotations

from typing import TypeVar

import ibis
from ibis.expr.types import Table, Value

from finops_kit.value.allocation import ratio
from finops_kit.value.lens import first_of_month

Number = TypeVar("Number", float, Value)


def linear_share(elapsed_days: Number, period_days: Number) -> Number:
    """The part of a budget that an even pace would have used after so many days, 0-1.

    Example
    -------
    >>> linear_share(15.0, 30.0)
    0.5
    """
    return elapsed_days / period_days


def burn_rate(spent: Number, budget: Number, elapsed_days: Number, period_days: Number) -> Number:
    """Spend so far over what an even pace allows: 1 is on pace, 2 is twice as fast (M5).

    Example
    -------
    >>> burn_rate(500.0, 1000.0, 15.0, 30.0), burn_rate(900.0, 1000.0, 15.0, 30.0)
    (1.0, 1.8)
    """
    return spent / (budget * (elapsed_days / period_days))


def burn_state(spent: float, budget: float, elapsed_days: float, period_days: float) -> str:
    """What a burn asks for: ``page`` over 1.8 times the even pace or over budget, ``notice`` once half is used, or ``quiet``.

    Half of the budget used at half of the period is a notice; a burn of more than 80 % above the linear
    projection pages.

    Example
    -------
    >>> burn_state(500, 1000, 15, 30), burn_state(910, 1000, 15, 30), burn_state(100, 1000, 15, 30)
    ('notice', 'page', 'quiet')
    """  # noqa: E501
    pace = burn_rate(float(spent), float(budget), float(elapsed_days), float(period_days))
    if pace > 1.8 or spent > budget:
        return "page"
    if spent / budget >= 0.5 and pace >= 1.0:
        return "notice"
    return "quiet"


def budget_for(budget: Table, dimension: str, currency: str) -> Table:
    """The budgets of one dimension in one currency.

    Returns
    -------
    one row per month and member: ``budget`` in ``currency``
    """
    rows = budget.filter((budget.dimension == dimension) & (budget.currency == currency))
    rows = rows.mutate(month=first_of_month(rows.month), member=rows.member.fill_null("total"))
    return rows.group_by(["month", "member"]).agg(budget=rows.amount.sum())


def against_budget(actual: Table, budget: Table, amount: str = "EffectiveCost") -> Table:
    """Actual beside budget for every member of either; a member without a budget has none, which is not zero.

    Parameters
    ----------
    actual : month, member, ``amount``
    budget : month, member, budget

    Returns
    -------
    one row per month and member: ``amount``, ``budget`` (null where none), ``difference``, ``used_ratio`` (float)
    """
    both = actual.outer_join(budget, ["month", "member"])
    merged = both.select(
        month=ibis.coalesce(both.month, both.month_right),
        member=ibis.coalesce(both.member, both.member_right),
        **{amount: both[amount].fill_null(0)},
        budget=both.budget,
    )
    return merged.mutate(difference=merged[amount] - merged.budget, used_ratio=ratio(merged[amount], merged.budget))


def burndown(daily: Table, month_budget: Value, period_days: int, amount: str = "EffectiveCost") -> Table:
    """Spend so far by day beside the even pace of the budget.

    Parameters
    ----------
    daily : charge_date, ``amount``; one row a day of one month

    Returns
    -------
    one row per charge_date: ``amount``, ``spent`` (running sum), ``pace`` (budget x day / days), ``left``; currency
    """
    day = daily.charge_date.day()
    running = daily.mutate(
        spent=daily[amount].sum().over(ibis.cumulative_window(order_by=daily.charge_date)),
        pace=(month_budget.cast("decimal(38,12)") * day.cast("decimal(4,0)")).cast("float64") / period_days,
    )
    return running.mutate(left=month_budget - running.spent)
