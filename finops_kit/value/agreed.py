"""What was agreed to be taken off list price, by the price list or the contract that is in force when a charge falls.

A price list says it SKU by SKU and comes first. A contract says it for a provider and the currency it is made in; where
several run on one day with different discounts, nothing says which of them a charge belongs to, and none is taken.
"""

from __future__ import annotations

import ibis
from ibis.expr.types import Table, Value


def agreed_discounts(lens: Table, contract: Table, price_list: Table) -> Table:
    """The discount that was agreed for the usage of a period, weighted by its list price, by provider.

    Parameters
    ----------
    lens : charges of the period
    contract, price_list : the registers as delivered

    Returns
    -------
    one row per provider with list-priced usage: ``agreed_pct`` (0-100, of the usage that an agreement is known for;
    null where there is none), ``agreed_share_pct`` (how much of the list price that is), ``agreed_by`` (``price list``
    and the ids of the contracts, comma between), ``undecided`` (ids of contracts that run at once with different
    discounts)
    """
    usage = lens.filter(
        (lens.ChargeCategory == "Usage") & lens.ListCost.notnull() & lens.ContractedCost.notnull() & (lens.ListCost > 0)
    )
    usage = usage.mutate(sku=ibis.coalesce(usage.SkuPriceId, usage.SkuId, ""))
    daily = usage.group_by(["provider", "BillingCurrency", "sku", "charge_date"]).agg(listed=usage.ListCost.sum())
    offers = _offers(daily, price_list)
    rows = daily.left_join(offers, ["provider", "BillingCurrency", "sku", "charge_date"]).select(
        *(daily[name] for name in daily.columns), offers.offer_pct
    )
    running = _running(daily, contract)
    rows = rows.left_join(running, ["provider", "BillingCurrency", "charge_date"]).select(
        *(rows[name] for name in rows.columns), running.contract_pct, running.ids, running.decided
    )
    decided = rows.decided.fill_null(False)
    by_contract = rows.offer_pct.isnull() & decided
    rows = rows.mutate(
        pct=ibis.coalesce(rows.offer_pct, ibis.ifelse(decided, rows.contract_pct, ibis.null("float64"))),
        by=ibis.cases((rows.offer_pct.notnull(), "price list"), (by_contract, rows.ids)),
        open=ibis.ifelse(rows.offer_pct.isnull() & ~decided, rows.ids, ibis.null("string")),
    )
    listed = rows.listed.cast("float64")
    sums = rows.group_by("provider").agg(
        known=listed.sum(where=rows.pct.notnull()),
        taken=(listed * rows.pct).sum(),
        whole=listed.sum(),
        agreed_by=_texts(rows.by),
        undecided=_texts(rows.open),
    )
    return sums.select(
        "provider", agreed_pct=sums.taken / sums.known.nullif(0),
        agreed_share_pct=100 * sums.known.fill_null(0.0) / sums.whole, agreed_by=sums.agreed_by.fill_null(""),
        undecided=sums.undecided.fill_null(""),
    )  # fmt: skip


def _texts(column: Value) -> Value:
    return column.collect(distinct=True).sort().join(", ").nullif("")


def _offers(daily: Table, price_list: Table) -> Table:
    """What the price list takes off each SKU on each day: of several lines the one that began last."""
    offers = price_list.filter(
        (price_list.list_price > 0) & price_list.contracted_price.notnull() & price_list.list_price.notnull()
    )
    offers = offers.select(
        offer_provider="provider_name", offer_sku="sku", offer_currency="currency", since="valid_from",
        until="valid_to", batch="batch_id", row="source_row",
        offer_pct=100 * (1 - offers.contracted_price.cast("float64") / offers.list_price.cast("float64")),
    )  # fmt: skip
    found = daily.join(
        offers,
        [daily.provider == offers.offer_provider, daily.sku == offers.offer_sku,
         daily.BillingCurrency == offers.offer_currency,
         (offers.since.isnull() | (offers.since <= daily.charge_date)),
         (offers.until.isnull() | (offers.until > daily.charge_date))],
    )  # fmt: skip
    place = ibis.row_number().over(
        group_by=["provider", "BillingCurrency", "sku", "charge_date"],
        order_by=[ibis.desc(found.since.fill_null(ibis.date("0001-01-01"))), ibis.desc("batch"), "row"],
    )
    found = found.mutate(place=place)
    return found.filter(found.place == 0).select("provider", "BillingCurrency", "sku", "charge_date", "offer_pct")


def _running(daily: Table, contract: Table) -> Table:
    """The contracts with a discount that run on each day in the currency of the bill, and whether they agree."""
    days = daily.select("provider", "BillingCurrency", "charge_date").distinct()
    known = contract.filter(contract.discount_pct.notnull())
    known = known.select("contract_id", "starts_on", "ends_on", "currency", "provider_name", "discount_pct")
    found = days.join(
        known,
        [days.provider == known.provider_name,
         (known.currency.isnull() | (known.currency == days.BillingCurrency)),
         (known.starts_on.isnull() | (known.starts_on <= days.charge_date)),
         (known.ends_on.isnull() | (known.ends_on > days.charge_date))],
    )  # fmt: skip
    sums = found.group_by(["provider", "BillingCurrency", "charge_date"]).agg(
        contract_pct=found.discount_pct.max().cast("float64"), ids=_texts(found.contract_id),
        discounts=found.discount_pct.nunique(),
    )  # fmt: skip
    return sums.mutate(decided=sums.discounts == 1).drop("discounts")
