"""Prices: what one unit of each SKU cost each month, against its list price and against the month before."""

from __future__ import annotations

import ibis
from ibis.expr.types import BooleanValue, Table, Value

from finops_kit.value.allocation import ratio
from finops_kit.value.units import times_factor

#: what names a price item
PRICE_ITEM = ("provider", "ServiceName", "sku", "PricingUnit", "BillingCurrency")


def _taken_back(lens: Table) -> BooleanValue:
    """Whether a line takes something back, as AWS' SavingsPlanNegation does: its quantity is on the covered line."""
    return (lens.native_BilledCost < 0).fill_null(False)


def purchases(lens: Table) -> Table:
    """The charges by which something was bought at a price of its own: usage of a SKU, no correction, no commitment.

    Lines that take a cost back are no purchase: they repeat the quantity of what they take back, at no price.

    Returns
    -------
    the lens's rows, with ``sku``: SkuPriceId, else SkuId
    """
    usage = lens.filter(
        (lens.ChargeCategory == "Usage")
        & (lens.ChargeClass != "Correction").fill_null(True)
        & lens.SkuId.fill_null(lens.SkuPriceId).notnull()
        & (lens.PricingQuantity > 0)
        & lens.CommitmentDiscountId.isnull()
        & ~_taken_back(lens)
    )
    return usage.mutate(sku=ibis.coalesce(usage.SkuPriceId, usage.SkuId))


def unit_sums(lens: Table) -> Table:
    """What was bought of each SKU by month, in the unit and currency billed in: no exchange rate in between.

    Returns
    -------
    one row per provider, ServiceName, ``sku`` (see :func:`purchases`), PricingUnit, BillingCurrency and month:
    ``quantity``, ``contracted``, ``listed`` (BillingCurrency), ``contracted_quantity`` and ``listed_quantity`` (of the
    charges that say such a cost), ``described`` (what the bills call it), ``EffectiveCost`` (lens's currency)
    """
    usage = purchases(lens)
    return usage.group_by([*PRICE_ITEM, "month"]).agg(
        quantity=usage.PricingQuantity.sum(),
        contracted=usage.native_ContractedCost.sum(),
        listed=usage.native_ListCost.sum(),
        contracted_quantity=usage.PricingQuantity.sum(where=usage.native_ContractedCost.notnull()),
        listed_quantity=usage.PricingQuantity.sum(where=usage.native_ListCost.notnull()),
        described=usage.ChargeDescription.max(),
        EffectiveCost=usage.EffectiveCost.sum().fill_null(0),
    )


def unit_prices(sums: Table, conversions: Table | None = None) -> Table:
    """Contracted and list price of a unit by SKU and month, whatever unit a month was billed in.

    A SKU billed by the hour in one month and by 100 hours in the next is one price item, in the unit billed last.

    Parameters
    ----------
    sums : see :func:`unit_sums`
    conversions : see :func:`finops_kit.value.units.unit_conversions`; without them a unit is only like itself

    Returns
    -------
    one row per provider, ServiceName, ``sku``, PricingUnit, BillingCurrency and month: ``quantity`` (PricingUnit),
    ``contracted_price``, ``list_price`` (floats, BillingCurrency a unit), ``described``, ``EffectiveCost`` (lens's
    currency)
    """
    if conversions is not None:
        sums = _in_one_unit(sums, conversions)
    return sums.mutate(
        contracted_price=ratio(sums.contracted, sums.contracted_quantity),
        list_price=ratio(sums.listed, sums.listed_quantity),
    ).drop("contracted", "listed", "contracted_quantity", "listed_quantity")


def _in_one_unit(sums: Table, conversions: Table) -> Table:
    kinds = conversions.select("said_provider", "said_unit", "comparable").distinct()
    rows = sums.left_join(kinds, [sums.provider == kinds.said_provider, sums.PricingUnit == kinds.said_unit])
    rows = rows.drop("said_provider", "said_unit").mutate(kind=ibis.coalesce(kinds.comparable, sums.PricingUnit))
    newest = ibis.window(
        group_by=["provider", "ServiceName", "sku", "BillingCurrency", "kind"],
        order_by=[ibis.desc("month"), "PricingUnit"],
    )
    rows = rows.mutate(shown=rows.PricingUnit.first().over(newest)).drop("comparable", "kind")
    rows = rows.left_join(
        conversions.drop("comparable"),
        [rows.provider == conversions.said_provider, rows.PricingUnit == conversions.said_unit,
         (rows.shown == conversions.shown_unit).fill_null(False)],
    )  # fmt: skip
    same = rows.per_shown.isnull() | (rows.per_shown == 1)

    def shown(quantity: Value) -> Value:
        rounded = (quantity.cast("float64") * rows.per_shown).cast("decimal(38,18)")
        exact = times_factor(quantity, rows.unit_factor, rows.unit_fine)
        return ibis.ifelse(same, quantity.cast("decimal(38,18)"), ibis.coalesce(exact, rounded))

    quantities = ("quantity", "contracted_quantity", "listed_quantity")
    rows = rows.mutate(PricingUnit=rows.shown, **{name: shown(rows[name]) for name in quantities})
    return rows.group_by([*PRICE_ITEM, "month"]).agg(
        contracted=rows.contracted.sum(), listed=rows.listed.sum(), EffectiveCost=rows.EffectiveCost.sum().fill_null(0),
        described=rows.described.max(),
        **{name: rows[name].sum() for name in quantities},
    )  # fmt: skip


def day_prices(lens: Table, conversions: Table | None = None) -> Table:
    """Contracted price of a unit by SKU and day, so that a change in the middle of a month has its day.

    Returns
    -------
    one row per price item and ``day`` that says a price: ``contracted_price`` (float, BillingCurrency a unit)
    """
    days = unit_prices(unit_sums(lens.mutate(month=lens.charge_date)), conversions)
    days = days.filter(days.contracted_price.notnull())
    return days.select(*PRICE_ITEM, "contracted_price", day="month")


def negotiated(lens: Table) -> Table:
    """What the contracts take off the list price, by provider.

    Returns
    -------
    one row per provider: ``ListCost``, ``ContractedCost`` of the usage that has both, ``discount_pct`` (0-100)
    """
    usage = lens.filter(
        (lens.ChargeCategory == "Usage") & lens.ListCost.notnull() & lens.ContractedCost.notnull()
        & (lens.ListCost > 0)
    )  # fmt: skip
    sums = usage.group_by("provider").agg(ListCost=usage.ListCost.sum(), ContractedCost=usage.ContractedCost.sum())
    return sums.mutate(discount_pct=100 * (1 - ratio(sums.ContractedCost, sums.ListCost)))


def usage_peaks(lens: Table, conversions: Table) -> Table:
    """Daily volume of each service: its peak and its 95th percentile, which capacity is bought by.

    What is billed in several units of one kind, as GB and GiB or hours and seconds, is one volume.

    Parameters
    ----------
    conversions : see :func:`finops_kit.value.units.unit_conversions`

    Returns
    -------
    one row per provider, ServiceName and ``comparable`` (the unit of their kind; the text itself where that is
    unknown): ``ConsumedUnit`` (of these the one that most is spent in), ``mean_daily``, ``p95_daily``, ``peak_daily``
    (ConsumedUnit a day, floats), ``billed_in`` (all units of the bills), ``EffectiveCost``
    """
    rows = lens.filter(
        (lens.ChargeCategory == "Usage") & lens.ConsumedQuantity.notnull() & lens.ConsumedUnit.notnull()
        & ~_taken_back(lens)
    )  # fmt: skip
    offering = ["provider", "ServiceName"]
    billed = rows.group_by([*offering, "ConsumedUnit", "charge_date"]).agg(
        volume=rows.ConsumedQuantity.sum().cast("float64"), EffectiveCost=rows.EffectiveCost.sum().fill_null(0)
    )
    units = billed.group_by([*offering, "ConsumedUnit"]).agg(spent=billed.EffectiveCost.sum())
    kinds = conversions.select("said_provider", "said_unit", "comparable").distinct()
    units = units.left_join(kinds, [units.provider == kinds.said_provider, units.ConsumedUnit == kinds.said_unit])
    units = units.mutate(comparable=ibis.coalesce(units.comparable, units.ConsumedUnit))
    dearest = ibis.window(group_by=[*offering, "comparable"], order_by=[ibis.desc("spent"), "ConsumedUnit"])
    units = units.mutate(shown=units.ConsumedUnit.first().over(dearest))
    units = units.select(*offering, "ConsumedUnit", "comparable", "shown")
    told = billed.join(units, [*offering, "ConsumedUnit"])
    sizes = conversions.select("said_provider", "said_unit", "shown_unit", "per_shown")
    told = told.left_join(
        sizes,
        [told.provider == sizes.said_provider, told.ConsumedUnit == sizes.said_unit, told.shown == sizes.shown_unit],
    )
    keys = [*offering, "comparable", "shown"]
    daily = told.group_by([*keys, "charge_date"]).agg(
        volume=(told.volume * told.per_shown.fill_null(1.0)).sum(), EffectiveCost=told.EffectiveCost.sum()
    )
    found = daily.group_by(keys).agg(
        mean_daily=daily.volume.mean(), p95_daily=daily.volume.quantile(0.95), peak_daily=daily.volume.max(),
        EffectiveCost=daily.EffectiveCost.sum(),
    )  # fmt: skip
    named = units.group_by(keys).agg(billed_in=units.ConsumedUnit.group_concat(", ", order_by=units.ConsumedUnit))
    return found.join(named, keys).rename(ConsumedUnit="shown")
