"""Unit economics: what one request, order, customer or tenant costs, and the margin where revenue is known."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
from ibis.expr.types import Table

from finops_kit.value.allocation import ratio
from finops_kit.value.lens import first_of_month


def metrics_by_month(business_metric: Table, by: Sequence[str] = ("service_id",)) -> Table:
    """Every business metric by month; a month's own row wins over its days, so nothing is counted twice.

    Rows of tenants are used only when ``tenant`` is asked for, and the rows of all tenants only when it is not.

    Returns
    -------
    one row per metric, month and ``by``: ``units`` (the metric's own unit)
    """
    rows = business_metric
    for name in ("service_id", "tenant"):
        named = rows[name].fill_null("") != ""
        rows = rows.filter(named if name in by else ~named)
    rows = rows.mutate(month=first_of_month(rows.period_start), monthly=rows.period_grain.lower() == "month")
    sums = rows.group_by(["metric", "month", *by]).agg(
        whole=rows["value"].sum(where=rows.monthly), days=rows["value"].sum(where=~rows.monthly)
    )
    return sums.select("metric", "month", *by, units=ibis.coalesce(sums.whole, sums.days))


def metric_by_month(business_metric: Table, metric: str, by: Sequence[str] = ("service_id",)) -> Table:
    """One business metric by month, as :func:`metrics_by_month` without the metric's name."""
    return metrics_by_month(business_metric.filter(business_metric.metric == metric), by).drop("metric")


def cost_per_unit(cost: Table, units: Table, by: Sequence[str], amount: str = "EffectiveCost") -> Table:
    """Cost over volume, for what has both.

    Returns
    -------
    one row per ``by``: ``amount``, ``units``, ``cost_per_unit`` (float, currency a unit)
    """
    joined = cost.join(units, list(by))
    return joined.mutate(cost_per_unit=ratio(joined[amount], joined.units))


def margin(cost: Table, revenue: Table, by: Sequence[str], amount: str = "EffectiveCost") -> Table:
    """Revenue less cost, for what has both.

    Returns
    -------
    one row per ``by``: ``amount``, ``revenue``, ``margin`` in the currency, ``margin_pct`` (0-100)
    """
    joined = cost.join(revenue.rename(revenue="units"), list(by))
    gross = joined.mutate(margin=joined.revenue.cast("decimal(38,24)") - joined[amount])
    return gross.mutate(margin_pct=100 * ratio(gross.margin, gross.revenue))
