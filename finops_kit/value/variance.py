"""Variance: why this month is not last month, in parts that sum to the whole difference exactly."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
from ibis.expr.types import Table

from finops_kit.value.lens import allocated_to


def price_volume_mix(periods: Table, group: str = "unit") -> Table:
    """Price, volume and mix per group of items that share a unit.

    Price is (P1 - P0) x Q1; volume is P0 x Q0 x (growth of the group's quantity); mix is the rest, so that the
    three sum to the difference exactly. Items of one period only have no price to compare: they are ``entered``
    or ``left``.

    Parameters
    ----------
    periods : one row per item: ``group``, ``cost0``, ``quantity0``, ``cost1``, ``quantity1`` (zero where absent)

    Returns
    -------
    one row per ``group``: price, volume, mix, entered, left, total; exact, currency of the costs
    """
    zero = ibis.literal(0).cast("decimal(38,24)")
    both = (periods.quantity0 > 0) & (periods.quantity1 > 0)
    rows = periods.mutate(
        both=both,
        # the change at last period's price, as a quotient kept to 24 decimals; the rest of the change is price
        q_cost=ibis.ifelse(both, _scaled(periods.cost0, periods.quantity1, periods.quantity0), zero),
    )
    sums = rows.group_by(group).agg(
        c0=rows.cost0.sum(where=rows.both).fill_null(0),
        c1=rows.cost1.sum(where=rows.both).fill_null(0),
        q0=rows.quantity0.sum(where=rows.both).fill_null(0),
        q1=rows.quantity1.sum(where=rows.both).fill_null(0),
        at_old_price=rows.q_cost.sum().fill_null(0),
        entered=rows.cost1.sum(where=~rows.both).fill_null(0),
        gone=rows.cost0.sum(where=~rows.both).fill_null(0),
    )
    price = sums.c1 - sums.at_old_price
    volume = ibis.ifelse(sums.q0 > 0, _scaled(sums.c0, sums.q1, sums.q0) - sums.c0, zero)
    parts = sums.select(
        group, price=price, volume=volume, mix=sums.c1 - sums.c0 - price - volume, entered=sums.entered, left=-sums.gone
    )
    return parts.mutate(total=parts.price + parts.volume + parts.mix + parts.entered + parts.left)


def _scaled(cost: ibis.Value, numerator: ibis.Value, denominator: ibis.Value) -> ibis.Value:
    """A cost at another quantity. A quotient has no last decimal: it is taken at 9 and the remainder is not lost.

    Whatever the quotient leaves over falls into the part computed as the rest, so the sum stays exact.
    """
    factor = numerator.cast("float64") / denominator.nullif(0).cast("float64")
    return (cost.cast("float64") * factor).round(9).cast("decimal(38,9)").cast("decimal(38,24)")


def between(lens: Table, by: Sequence[str], before: str, after: str, amount: str = "EffectiveCost") -> Table:
    """One month beside another, for every member of either; charges without a member stand under ``unallocated``.

    Parameters
    ----------
    before, after : first days of the months, ISO

    Returns
    -------
    one row per ``by``: ``before``, ``after``, ``difference`` in the lens's currency (exact), ``change_pct`` (float;
    null for what is new)
    """
    keys = list(by)
    first, second = lens.month == ibis.date(before), lens.month == ibis.date(after)
    rows = lens.filter(first | second)
    rows = rows.mutate(**{name: allocated_to(rows, name) for name in keys if rows[name].type().is_string()})
    sums = rows.group_by(keys).agg(
        before=rows[amount].sum(where=rows.month == ibis.date(before)).fill_null(0),
        after=rows[amount].sum(where=rows.month == ibis.date(after)).fill_null(0),
    )
    difference = sums.after - sums.before
    change = ibis.ifelse(
        sums.before > 0,
        100 * difference.cast("float64") / sums.before.nullif(0).cast("float64"),
        ibis.null("float64"),
    )
    return sums.mutate(difference=difference, change_pct=change)


def sku_periods(lens: Table, before: str, after: str) -> Table:
    """Usage by price item in two months, as :func:`price_volume_mix` takes it.

    Parameters
    ----------
    before, after : first days of the months, ISO

    Returns
    -------
    one row per item (service, SKU, region) and unit: cost0, quantity0, cost1, quantity1
    """
    rows = lens.filter(lens.month.isin([ibis.date(before), ibis.date(after)]))
    correction = (rows.ChargeClass == "Correction").fill_null(False)
    rows = rows.filter((rows.ChargeCategory == "Usage") & ~correction & rows.PricingQuantity.notnull())
    first = rows.month == ibis.date(before)
    keys = {
        "item": rows.provider + "/" + rows.ServiceName.fill_null("") + "/" + rows.SkuPriceId.fill_null(
            rows.SkuId.fill_null(rows.ChargeDescription.fill_null(""))) + "/" + rows.RegionId.fill_null(""),
        "unit": rows.PricingUnit.fill_null("no unit"),
    }  # fmt: skip
    table = rows.mutate(first=first, **keys)
    return table.group_by(["item", "unit"]).agg(
        cost0=table.EffectiveCost.sum(where=table.first).fill_null(0),
        quantity0=table.PricingQuantity.sum(where=table.first).fill_null(0),
        cost1=table.EffectiveCost.sum(where=~table.first).fill_null(0),
        quantity1=table.PricingQuantity.sum(where=~table.first).fill_null(0),
    )
