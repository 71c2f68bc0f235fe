"""Anomalies of daily cost: weekday pattern times recent level, residuals held against their own spread.

Nothing is learned from the future: every expectation of a day uses only the days before it.
"""

from __future__ import annotations

from collections.abc import Sequence

import ibis
from ibis.expr.types import Table

#: days of history a new series needs before anything is expected of it
WARM_UP_DAYS = 10
#: a residual this many robust standard deviations out is strange
THRESHOLD = 4.0
#: spread is never taken as smaller than this (log scale), so a flat series does not cry at a cent
SPREAD_FLOOR = 0.05
#: events this close are one event
MERGE_DAYS = 3
#: so many days at each end of a month follow the months before rather than the week
MONTH_EDGE_DAYS = 3


def daily_by(lens: Table, series: Sequence[str], amount: str = "EffectiveCost") -> Table:
    """Usage cost by day and series, every day present from a series' first to the newest day of all.

    Returns
    -------
    one row per series and charge_date: ``cost`` (float, currency of the lens; 0 where nothing was charged)
    """
    keys = list(series)
    usage = lens.filter((lens.ChargeCategory == "Usage") & (lens.ChargeClass != "Correction").fill_null(True))
    sums = usage.group_by([*keys, "charge_date"]).agg(cost=usage[amount].sum().cast("float64"))
    last = sums.agg(last_day=sums.charge_date.max())
    spans = sums.group_by(keys).agg(first_day=sums.charge_date.min()).cross_join(last)
    begin, end = spans.first_day.cast("timestamp"), spans.last_day.cast("timestamp") + ibis.interval(days=1)
    days = spans.select(*keys, charge_date=ibis.range(begin, end, ibis.interval(days=1)).unnest())
    days = days.mutate(charge_date=days.charge_date.cast("date"))
    dense = days.left_join(sums, [*keys, "charge_date"])
    return dense.select(*keys, charge_date=dense.charge_date, cost=dense.cost.fill_null(0.0))


def expectations(daily: Table, series: Sequence[str]) -> Table:
    """What each day should have cost, from the days before it, and how far out it was.

    Expected is the level of the week before (its median) times what this weekday was to its level in the last four
    weeks (median). The first and the last days of a month carry fees and closing runs: there the factor of the same
    place in the last two months counts, if it is higher. The residual is logarithmic; its spread is the median
    absolute residual of the six weeks before.

    Returns
    -------
    one row per series and charge_date: ``cost``, ``expected`` (floats; null while warming up), ``score``
    """
    keys = list(series)
    day = daily.charge_date
    following = day + ibis.interval(days=MONTH_EDGE_DAYS)
    edge = ibis.cases(
        (day.day() <= MONTH_EDGE_DAYS, day.day()),
        # days before the month's end, as negative numbers: -1 is its last day
        (following.month() != day.month(), following.day() - MONTH_EDGE_DAYS - 1),
        else_=0,
    )
    rows = daily.mutate(weekday=day.day_of_week.index(), edge=edge)
    line = {"group_by": keys, "order_by": rows.charge_date}
    rows = rows.mutate(
        history_days=rows.cost.count().over(ibis.window(preceding=(None, 1), **line)),
        level=rows.cost.median().over(ibis.window(preceding=(7, 1), **line)),
    )
    rows = rows.mutate(relative=ibis.ifelse(rows.level > 0, rows.cost / rows.level, ibis.null("float64")))
    same = ibis.window(group_by=[*keys, "weekday"], order_by=rows.charge_date, preceding=(4, 1))
    rows = rows.mutate(factor=rows.relative.median().over(same), usual=rows.cost.median().over(same))
    base = ibis.ifelse((rows.level > 0) & rows.factor.notnull(), rows.level * rows.factor, rows.usual)
    rows = rows.mutate(base=ibis.ifelse(rows.history_days >= WARM_UP_DAYS, base, ibis.null("float64")))
    rows = rows.mutate(lifted=ibis.ifelse(rows.base > 0, rows.cost / rows.base, ibis.null("float64")))
    place = ibis.window(group_by=[*keys, "edge"], order_by=rows.charge_date, preceding=(2, 1))
    rows = rows.mutate(lift=ibis.ifelse(rows.edge == 0, 1.0, rows.lifted.max().over(place).fill_null(1.0)))
    rows = rows.mutate(expected=rows.base * ibis.greatest(rows.lift, 1.0))
    rows = rows.mutate(residual=((rows.cost + 0.01) / (rows.expected + 0.01)).ln())
    before = ibis.window(group_by=keys, order_by=rows.charge_date, preceding=(42, 1))
    spread = rows.residual.abs().median().over(before) * 1.4826
    rows = rows.mutate(spread=ibis.greatest(spread.fill_null(SPREAD_FLOOR), SPREAD_FLOOR))
    return rows.mutate(score=rows.residual / rows.spread).select(*keys, "charge_date", "cost", "expected", "score")


def anomalous_days(
    expected: Table, absolute_floor: float, relative_floor: float = 0.3, threshold: float = THRESHOLD
) -> Table:
    """The days that are strange enough and large enough to tell somebody about.

    Returns
    -------
    the rows of :func:`expectations` that pass, with ``impact`` = cost - expected
    """
    rows = expected.mutate(impact=expected.cost - expected.expected)
    return rows.filter(
        rows.expected.notnull()
        & (rows.score.abs() > threshold)
        & (rows.impact.abs() >= absolute_floor)
        & (rows.impact.abs() >= relative_floor * rows.expected)
    )


def events(days: Table, series: Sequence[str]) -> Table:
    """Strange days of one series and direction that lie within three days of each other, as one event.

    Returns
    -------
    one row per event: series, ``direction`` (spike or drop), ``starts_on``, ``ends_on`` (inclusive), ``days``,
    ``impact`` (float, currency: cost less expected over its strange days), ``factor`` (cost / expected)
    """
    keys = [*series, "direction"]
    rows = days.mutate(direction=ibis.ifelse(days.impact > 0, "spike", "drop"))
    line = ibis.window(group_by=keys, order_by=rows.charge_date)
    gap = rows.charge_date.delta(rows.charge_date.lag().over(line), unit="day")
    rows = rows.mutate(begins=(gap.isnull() | (gap > MERGE_DAYS)).cast("int64"))
    number = rows.begins.sum().over(ibis.cumulative_window(group_by=keys, order_by=rows.charge_date))
    rows = rows.mutate(event=number)
    sums = rows.group_by([*keys, "event"]).agg(
        starts_on=rows.charge_date.min(), ends_on=rows.charge_date.max(), days=rows.count(), impact=rows.impact.sum(),
        cost=rows.cost.sum(), expected=rows.expected.sum(),
    )  # fmt: skip
    factor = ibis.ifelse(sums.expected > 0, sums.cost / sums.expected, ibis.null("float64"))
    return sums.mutate(factor=factor).drop("event", "cost", "expected")


def root_resources(lens: Table, found: Table, series: Sequence[str], baseline_days: int = 28) -> Table:
    """The resource that moved most during each event, against its own daily mean of the four weeks before.

    Parameters
    ----------
    lens : charges that reach back over the baseline
    found : see :func:`events`

    Returns
    -------
    one row per event that has charges: series, starts_on, ``ResourceId``, ``ResourceName``, ``resource_impact`` (float)
    """
    keys = list(series)
    side = found.select(*[found[key].name(f"e_{key}") for key in keys], "starts_on", "ends_on", "direction")
    joined = lens.inner_join(
        side,
        [
            *[lens[key].fill_null("") == side[f"e_{key}"].fill_null("") for key in keys],
            lens.charge_date >= side.starts_on - ibis.interval(days=baseline_days),
            lens.charge_date <= side.ends_on,
        ],
    )
    inside = joined.charge_date >= joined.starts_on
    during = joined.ends_on.delta(joined.starts_on, unit="day") + 1
    cost = joined.EffectiveCost.cast("float64")
    joined = joined.mutate(
        moved=ibis.ifelse(inside, cost, -cost * during / float(baseline_days)),
        resource=joined.ResourceId.fill_null(joined.ServiceName),
    )
    sums = joined.group_by([*keys, "starts_on", "direction", "resource"]).agg(
        ResourceName=joined.ResourceName.max(), resource_impact=joined.moved.sum()
    )
    sign = ibis.ifelse(sums.direction == "spike", -1.0, 1.0)
    order = ibis.row_number().over(
        group_by=[*keys, "starts_on", "direction"], order_by=[sums.resource_impact * sign, sums.resource]
    )
    best = sums.mutate(place=order)
    return best.filter(best.place == 0).drop("place").rename(ResourceId="resource")
