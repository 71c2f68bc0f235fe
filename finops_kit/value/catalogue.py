"""The price catalogue: what each SKU costs a unit, which SKUs are new, and whose price is another than before."""

from __future__ import annotations

import ibis
from ibis.expr.types import Table

from finops_kit.value.prices import PRICE_ITEM


def catalogue_changes(prices: Table, month: str, floor_pct: float = 0.5) -> Table:
    """What is new or dearer or cheaper in the price catalogue of one month (failure mode F7).

    Parameters
    ----------
    prices : see :func:`finops_kit.value.prices.unit_prices`
    month : first day of the month, ``2026-09-01``
    floor_pct : a price that moved by less stays unnamed, in percent

    Returns
    -------
    one row per price item that changed: ``change`` (``new``: never billed before; ``returned``: billed before, but not
    the month before; ``negotiated price``; ``list price``), ``last_month``, ``contracted_before``, ``list_before``,
    ``contracted_price``, ``list_price`` (BillingCurrency a unit), ``drift_pct`` of the contracted price,
    ``quantity``, ``EffectiveCost``. A price item whose both prices moved stands under ``negotiated price``.
    In the first month of the store nothing is new, for nothing is known before it.
    """
    line = ibis.window(group_by=list(PRICE_ITEM), order_by=prices.month)
    rows = prices.mutate(
        last_month=prices.month.lag().over(line),
        contracted_before=prices.contracted_price.lag().over(line),
        list_before=prices.list_price.lag().over(line),
        first_month=prices.month.min().over(ibis.window()),
    )
    this = ibis.date(month)
    rows = rows.filter((rows.month == this) & (rows.first_month < this))
    rows = rows.mutate(
        drift_pct=100 * (rows.contracted_price - rows.contracted_before) / rows.contracted_before.nullif(0),
        list_pct=100 * (rows.list_price - rows.list_before) / rows.list_before.nullif(0),
    )
    change = ibis.cases(
        (rows.last_month.isnull(), "new"),
        ((rows.drift_pct.abs() >= floor_pct).fill_null(False), "negotiated price"),
        ((rows.list_pct.abs() >= floor_pct).fill_null(False), "list price"),
        (rows.last_month < this - ibis.interval(months=1), "returned"),
    )
    rows = rows.mutate(change=change)
    return rows.filter(rows.change.notnull()).drop("first_month", "list_pct")
