"""The price catalogue: what each SKU costs a unit, which SKUs are new, and whose price is another than before."""

from __future__ import annotations

from typing import Any

import ibis
from ibis.expr.types import BooleanValue, Table

from finops_kit.value.accrual import FIXED_WITHIN
from finops_kit.value.forecast import days_in
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
    ``contracted_price``, ``list_price`` (BillingCurrency a unit), ``drift_pct`` of the contracted price and
    ``drift_cost``, that change x the month's quantity (float, BillingCurrency), ``quantity``, ``EffectiveCost``. A
    price item whose both prices moved stands under ``negotiated price``. A rent, the same amount for months of
    different length, has not moved. In the first month of the store nothing is new, for nothing is known before it.
    """
    line = ibis.window(group_by=list(PRICE_ITEM), order_by=prices.month)
    rows = prices.mutate(
        last_month=prices.month.lag().over(line),
        contracted_before=prices.contracted_price.lag().over(line),
        list_before=prices.list_price.lag().over(line),
        first_month=prices.month.min().over(ibis.window()),
        rent=_is_rent(prices, line),
    )
    this = ibis.date(month)
    rows = rows.filter((rows.month == this) & (rows.first_month < this))
    moved = ibis.ifelse(rows.rent, 0.0, rows.contracted_price - rows.contracted_before)
    rows = rows.mutate(
        drift_pct=100 * moved / rows.contracted_before.nullif(0),
        drift_cost=moved * rows.quantity.cast("float64"),
        list_pct=ibis.ifelse(rows.rent, 0.0, 100 * (rows.list_price - rows.list_before) / rows.list_before.nullif(0)),
    )
    change = ibis.cases(
        (rows.last_month.isnull(), "new"),
        ((rows.drift_pct.abs() >= floor_pct).fill_null(False), "negotiated price"),
        ((rows.list_pct.abs() >= floor_pct).fill_null(False), "list price"),
        (rows.last_month < this - ibis.interval(months=1), "returned"),
    )
    rows = rows.mutate(change=change)
    return rows.filter(rows.change.notnull()).drop("first_month", "list_pct", "rent")


def with_day(changes: Table, days: Table, month: str, floor_pct: float = 0.5) -> Table:
    """On which day of the month a SKU came or its price moved; without those whose price moved in the month before.

    A price that moves on the 16th makes two months' means differ from the months before them. It is one change, of the
    day on which it came: what costs all month what it cost on the last day before is no change of this month.

    Parameters
    ----------
    changes : see :func:`catalogue_changes`
    days : see :func:`finops_kit.value.prices.day_prices`, of the month and the one before
    floor_pct : as there

    Returns
    -------
    as given, with ``since``: the first day of the month that is billed, or is billed at a price other than the last day
    before the month; null where that day is not known. Of a price that moved within the month ``contracted_price`` and
    ``drift_pct`` are those of its last day, for the month's mean is a price that nobody was billed.
    """
    first = ibis.date(month)
    before = days.filter(days.day < first)
    before = before.group_by(list(PRICE_ITEM)).agg(closing=before.contracted_price.argmax(before.day))
    this = days.filter(days.day >= first).left_join(before, list(PRICE_ITEM))
    this = this.select(*PRICE_ITEM, "day", "contracted_price", "closing")
    other = (100 * (this.contracted_price - this.closing).abs() >= floor_pct * this.closing.abs()).fill_null(False)
    found = this.group_by(list(PRICE_ITEM)).agg(
        billed_on=this.day.min(), moved_on=this.day.min(where=other), closing=this.closing.max(),
        last_price=this.contracted_price.argmax(this.day),
    )  # fmt: skip
    rows = changes.left_join(found, list(PRICE_ITEM))
    rows = rows.select(*changes.columns, "billed_on", "moved_on", "closing", "last_price")
    priced = rows.change == "negotiated price"
    rows = rows.filter(~(priced & rows.closing.notnull() & rows.moved_on.isnull()))
    came = rows.change.isin(["new", "returned"])
    since = ibis.ifelse(came, rows.billed_on, ibis.ifelse(priced, rows.moved_on, None))
    within = (priced & (rows.moved_on > rows.billed_on)).fill_null(False)
    drift = 100 * (rows.last_price - rows.contracted_before) / rows.contracted_before.nullif(0)
    return rows.mutate(
        since=since,
        contracted_price=ibis.ifelse(within, rows.last_price, rows.contracted_price),
        drift_pct=ibis.ifelse(within, drift, rows.drift_pct),
    ).drop("billed_on", "moved_on", "closing", "last_price")


def with_drift_in(changes: Table, rates: Table, month: str, currency: str) -> Table:
    """What changed prices cost in the month, in one currency: only then can it be added up.

    Parameters
    ----------
    changes : see :func:`catalogue_changes`
    rates : see :func:`finops_kit.value.lens.monthly_rates`

    Returns
    -------
    as given, with ``drift_reported`` (float, ``currency``; null where no rate is known)
    """
    of_month = rates.filter(rates.rate_month == ibis.date(month)).select("rate_from", "rate")
    rows = changes.left_join(of_month, changes.BillingCurrency == of_month.rate_from)
    rate = ibis.ifelse(rows.BillingCurrency == currency, 1.0, rows.rate.cast("float64"))
    return rows.mutate(drift_reported=rows.drift_cost * rate).drop("rate_from", "rate")


def _is_rent(prices: Table, line: Any) -> BooleanValue:
    """Whether a unit's price moved only as the days of the month did: a fixed amount a month, charged by the day."""
    days = days_in(prices.month)
    month, before = prices.contracted_price * days, (prices.contracted_price * days).lag().over(line)
    same = (month - before).abs() <= FIXED_WITHIN * month.abs()
    return (same & (days != days.lag().over(line))).fill_null(False)


def in_force(price_list: Table, day: str) -> Table:
    """The prices of a price list that hold on a day, one per SKU and unit.

    Returns
    -------
    one row per provider, sku, unit and currency: ``service``, ``list_price``, ``contracted_price``, ``unit_price`` (the
    contracted one where there is one; currency a unit), ``valid_from``, ``lowest_price``. Where several hold the one
    that began last stands. Where a list has several prices of one SKU from the same day on, they are tiers: the highest
    stands, because nobody may be billed more than that, and ``lowest_price`` is the lowest.
    """
    on = ibis.date(day)
    rows = price_list.filter(
        (price_list.valid_from.isnull() | (price_list.valid_from <= on))
        & (price_list.valid_to.isnull() | (price_list.valid_to > on))
    )
    began = rows.valid_from.fill_null(ibis.date("0001-01-01"))
    rows = rows.mutate(began=began, unit_price=ibis.coalesce(rows.contracted_price, rows.list_price))
    item = ["provider_name", "sku", "unit", "currency"]
    tier = ibis.window(group_by=[*item, "began", "batch_id"])
    rows = rows.mutate(lowest_price=rows.unit_price.min().over(tier))
    order = [ibis.desc(rows.began), ibis.desc("batch_id"), ibis.desc(rows.unit_price), "source_row"]
    rows = rows.mutate(place=ibis.row_number().over(group_by=item, order_by=order))
    return rows.filter(rows.place == 0).select(
        "sku", "unit", "currency", "list_price", "contracted_price", "valid_from", "unit_price", "lowest_price",
        provider="provider_name", service="service_name",
    )  # fmt: skip


def by_the_hour(offers: Table, conversions: Table) -> Table:
    """What is priced by a time, as the price of an hour: 90 for `100 Hours` are 0.90, 0.001 a second are 3.60.

    Parameters
    ----------
    offers : see :func:`in_force`
    conversions : see :func:`finops_kit.value.units.unit_conversions`, ``Hours`` of every provider among them

    Returns
    -------
    one row per provider, sku and currency: ``service``, ``unit`` (``Hours``), ``unit_price`` (float, currency an hour);
    where an hour has a price of its own, that one
    """
    hours = conversions.filter(conversions.shown_unit == "Hours")
    rows = offers.join(hours, [offers.provider == hours.said_provider, offers.unit == hours.said_unit])
    place = ibis.row_number().over(
        group_by=["provider", "sku", "currency"],
        order_by=[rows.unit != "Hours", ibis.desc(rows.valid_from.fill_null(ibis.date("0001-01-01"))), "unit"],
    )
    rows = rows.mutate(place=place)
    price = rows.unit_price.cast("float64") / rows.per_shown
    return rows.filter(rows.place == 0).select(
        "provider", "sku", "service", "currency", unit=ibis.literal("Hours"), unit_price=price
    )


def price_history(
    prices: Table, offers: Table, month: str, months: int = 12, conversions: Table | None = None
) -> Table:
    """List and negotiated price of each SKU over time, and what the price list of the month says it should be.

    Parameters
    ----------
    prices : see :func:`finops_kit.value.prices.unit_prices`
    offers : see :func:`in_force`
    month : first day of the newest month
    months : how far back
    conversions : see :func:`finops_kit.value.units.unit_conversions`; without them an offer is for its own unit only

    Returns
    -------
    one row per price item billed in the month: ``contracted_price``, ``list_price`` (floats, BillingCurrency a unit),
    ``first_price`` and ``first_month`` of the time looked at, ``changes`` (months in which the contracted price moved),
    ``moved_pct`` since ``first_month``, ``offered_price`` (null without a price list; of several tiers the highest) and
    ``lowest_offer`` (null where there is one price only), ``above_offer_pct``, ``quantity``, ``EffectiveCost``
    """
    since = ibis.date(month) - ibis.interval(months=months - 1)
    rows = prices.filter((prices.month <= ibis.date(month)) & (prices.month >= since))
    line = ibis.window(group_by=list(PRICE_ITEM), order_by=rows.month)
    before = rows.contracted_price.lag().over(line)
    moved = ((rows.contracted_price - before).abs() > FIXED_WITHIN * before.abs()).fill_null(False)
    rows = rows.mutate(moved=(moved & ~_is_rent(rows, line)).cast("int64"))
    whole = ibis.window(group_by=list(PRICE_ITEM))
    rows = rows.mutate(
        changes=rows.moved.sum().over(whole),
        first_month=rows.month.min().over(whole),
        first_price=rows.contracted_price.first().over(
            ibis.window(group_by=list(PRICE_ITEM), order_by=rows.month, preceding=None, following=None)
        ),
    )
    now = rows.filter(rows.month == ibis.date(month)).drop("moved")
    said = _offers_by_unit(offers, conversions)
    now = now.left_join(
        said,
        [now.provider == said.offer_provider, now.sku == said.offer_sku, now.PricingUnit == said.offer_unit,
         now.BillingCurrency == said.offer_currency],
    ).drop("offer_provider", "offer_sku", "offer_unit", "offer_currency")  # fmt: skip
    since_then = 100 * (now.contracted_price - now.first_price) / now.first_price.nullif(0)
    return now.mutate(
        moved_pct=ibis.ifelse(now.changes == 0, 0.0, since_then),
        above_offer_pct=100 * (now.contracted_price - now.offered_price) / now.offered_price.nullif(0),
    )


def _offers_by_unit(offers: Table, conversions: Table | None) -> Table:
    """The price list's price of a SKU in every unit that its own can be said in; its own unit's line comes first."""
    said = offers.mutate(shown_unit=offers.unit, per_shown=ibis.literal(1.0))
    if conversions is not None:
        others = conversions.filter(conversions.said_unit != conversions.shown_unit)
        others = others.select("said_provider", "said_unit", "shown_unit", "per_shown")
        others = offers.join(others, [offers.provider == others.said_provider, offers.unit == others.said_unit])
        said = said.union(others.drop("said_provider", "said_unit").select(*said.columns))
    place = ibis.row_number().over(
        group_by=["provider", "sku", "shown_unit", "currency"],
        order_by=[said.unit != said.shown_unit, ibis.desc(said.valid_from.fill_null(ibis.date("0001-01-01"))), "unit"],
    )
    said = said.mutate(place=place)
    return said.filter(said.place == 0).select(
        offer_provider="provider", offer_sku="sku", offer_unit="shown_unit", offer_currency="currency",
        offered_price=said.unit_price.cast("float64") / said.per_shown,
        lowest_offer=(said.lowest_price.nullif(said.unit_price)).cast("float64") / said.per_shown,
    )  # fmt: skip
