"""Prices: what one unit of each SKU cost each month, against its list price and against the month before."""

from __future__ import annotations

import ibis
from ibis.expr.types import Table

from finops_kit.value.allocation import ratio

#: what names a price item
PRICE_ITEM = ("provider", "ServiceName", "sku", "PricingUnit", "BillingCurrency")


def unit_prices(lens: Table) -> Table:
    """Contracted and list price of a unit by SKU and month, in the currency billed in: no exchange rate in between.

    Returns
    -------
    one row per provider, ServiceName, ``sku`` (SkuPriceId, else SkuId), PricingUnit, BillingCurrency and month:
    ``quantity``, ``contracted_price``, ``list_price`` (floats, BillingCurrency a unit), ``EffectiveCost`` (lens's currency)
    """  # noqa: E501
    usage = lens.filter(
        (lens.ChargeCategory == "Usage")
        & (lens.ChargeClass != "Correction").fill_null(True)
        & lens.SkuId.fill_null(lens.SkuPriceId).notnull()
        & (lens.PricingQuantity > 0)
        & lens.CommitmentDiscountId.isnull()
    )
    usage = usage.mutate(sku=ibis.coalesce(usage.SkuPriceId, usage.SkuId))
    sums = usage.group_by([*PRICE_ITEM, "month"]).agg(
        quantity=usage.PricingQuantity.sum(),
        contracted=usage.native_ContractedCost.sum(),
        listed=usage.native_ListCost.sum(),
        EffectiveCost=usage.EffectiveCost.sum().fill_null(0),
    )
    return sums.mutate(
        contracted_price=ratio(sums.contracted, sums.quantity), list_price=ratio(sums.listed, sums.quantity)
    ).drop("contracted", "listed")


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


def usage_peaks(lens: Table) -> Table:
    """Daily volume of each service: its peak and its 95th percentile, which capacity is bought by.

    Returns
    -------
    one row per provider, ServiceName and ConsumedUnit: ``mean_daily``, ``p95_daily``, ``peak_daily`` (ConsumedUnit a
    day, floats), ``EffectiveCost``
    """
    rows = lens.filter((lens.ChargeCategory == "Usage") & lens.ConsumedQuantity.notnull() & lens.ConsumedUnit.notnull())
    keys = ["provider", "ServiceName", "ConsumedUnit"]
    daily = rows.group_by([*keys, "charge_date"]).agg(
        volume=rows.ConsumedQuantity.sum().cast("float64"), cost=rows.EffectiveCost.sum()
    )
    return daily.group_by(keys).agg(
        mean_daily=daily.volume.mean(),
        p95_daily=daily.volume.quantile(0.95),
        peak_daily=daily.volume.max(),
        EffectiveCost=daily.cost.sum().fill_null(0),
    )
