"""What procurement reads of the price catalogue: what is new, what moved, and each SKU's price over time."""

from __future__ import annotations

from decimal import Decimal

import ibis
from ibis.expr.types import Table

from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.cost import LABELS, no_charges, share
from finops_kit.perspectives.period import next_month
from finops_kit.perspectives.reading import Figure, ResultTable
from finops_kit.perspectives.tables import Row, result
from finops_kit.perspectives.words import count, money, month_name, signed_percent
from finops_kit.value.catalogue import catalogue_changes, in_force, price_history, with_day, with_drift_in
from finops_kit.value.lens import first_of_month, in_period, monthly_rates
from finops_kit.value.prices import PRICE_ITEM, day_prices, unit_prices, unit_sums
from finops_kit.value.units import unit_conversions

#: how far back prices are followed
HISTORY_MONTHS = 12
#: cost of new SKUs above this part of the month asks for a look at the price model
NEW_WATCH = 0.05
_PRICE_LABELS = {
    **LABELS, "sku": "SKU", "PricingUnit": "Unit", "BillingCurrency": "Currency", "change": "Change",
    "last_month": "Last billed", "contracted_before": "Price before", "contracted_price": "Price now",
    "drift_pct": "Moved", "drift_cost": "Effect in the month",
    "list_before": "List before", "list_price": "List now", "quantity": "Quantity",
    "first_month": "Known since", "first_price": "Price then", "moved_pct": "Moved since", "changes": "Times it moved",
    "offered_price": "Price list", "above_offer_pct": "Above price list", "lowest_offer": "Lowest tier",
    "since": "Since", "described": "What it is",
}  # fmt: skip


def _prices(basis: Basis) -> Table:
    """Unit prices by month, in the currency billed in; of the whole house straight from its charges."""
    made: Table = basis.once("unit_prices", _make_prices)
    return made


def _make_prices(basis: Basis) -> Table:
    return basis.keep("unit_price_months", unit_prices(_sums(basis), _conversions(basis)))


def _sums(basis: Basis) -> Table:
    """What was bought of each SKU by month, a temporary table."""
    made: Table = basis.once("unit_sums", _make_sums)
    return made


def _make_sums(basis: Basis) -> Table:
    if basis.members:
        rows = basis.recent
    else:
        charge = in_period(basis.table("charge"), str(next_month(basis.start, 1 - HISTORY_MONTHS)), str(basis.end))
        rows = charge.select(
            "ChargeCategory", "ChargeClass", "SkuId", "SkuPriceId", "PricingQuantity", "PricingUnit",
            "CommitmentDiscountId", "ServiceName", "BillingCurrency", "ChargeDescription",
            provider=ibis.coalesce(charge.ServiceProviderName, charge.ProviderName, charge.source_system),
            month=first_of_month(charge.ChargePeriodStart.date()),
            native_BilledCost=charge.BilledCost, native_ContractedCost=charge.ContractedCost,
            native_ListCost=charge.ListCost,
            EffectiveCost=ibis.coalesce(charge.EffectiveCost, charge.BilledCost),
        )  # fmt: skip
    return basis.keep("unit_sum_months", unit_sums(rows))


def _conversions(basis: Basis) -> Table:
    """Which units of the bills and of the price list are comparable, and how."""
    made: Table = basis.once("unit_conversions", _make_conversions)
    return made


def _make_conversions(basis: Basis) -> Table:
    billed, offered = _sums(basis), basis.table("price_list")
    both = billed.select("provider", unit="PricingUnit").union(
        offered.select(provider="provider_name", unit="unit"), distinct=True
    )
    return basis.keep("unit_conversions", unit_conversions((row["provider"], row["unit"]) for row in basis.rows(both)))


def _in_reporting_currency(basis: Basis, rows: list[Row]) -> list[Row]:
    """The rows with the month's EffectiveCost in the page's currency, the dearest first."""
    known = basis.once("price_item_costs", _item_costs)
    for row in rows:
        row["EffectiveCost"] = known.get(tuple(row[name] for name in PRICE_ITEM))
    return sorted(rows, key=lambda row: (-(row["EffectiveCost"] or Decimal(0)), str(row["provider"]), row["sku"]))


def _item_costs(basis: Basis) -> dict[tuple[str, ...], Decimal]:
    found = basis.rows(unit_prices(unit_sums(basis.now), _conversions(basis)))
    return {tuple(row[name] for name in PRICE_ITEM): row["EffectiveCost"] for row in found}


def _changes(basis: Basis) -> Table:
    recent = basis.recent
    days = day_prices(recent.filter(recent.month >= ibis.date(str(basis.before))), _conversions(basis))
    found = with_day(catalogue_changes(_prices(basis), str(basis.start)), days, str(basis.start))
    rates = monthly_rates(basis.table("exchange_rate"), basis.currency)
    return with_drift_in(found, rates, str(basis.start), basis.currency)


def change_rows(basis: Basis) -> list[Row]:
    """New, returned and repriced SKUs of the month, the dearest first."""
    found: list[Row] = basis.once(
        "catalogue_changes",
        lambda b: _in_reporting_currency(b, b.rows(_changes(b))),
    )
    return found


def new_sku_figure(basis: Basis) -> Figure:
    """The share of the month's priced usage at SKUs that no bill had before (failure mode F7)."""
    costs = basis.once("price_item_costs", _item_costs)
    whole = sum(costs.values(), Decimal(0))
    new = [row for row in change_rows(basis) if row["change"] == "new"]
    cost = sum((row["EffectiveCost"] or Decimal(0) for row in new), Decimal(0))
    ratio = share(cost, whole)
    first = basis.rows(_prices(basis).agg(month=_prices(basis).month.min()))[0]["month"]
    why = "" if ratio is not None else "No charge of the month carries a SKU and a priced quantity."
    if first is not None and first >= basis.start:
        ratio, why = None, f"{month_name(basis.start)} is the first month known, so nothing can be told to be new."
    return Figure(
        "new_skus", "Cost at new SKUs", None if ratio is None else 100 * ratio, "%",
        f"{len(new)} of {count(len(costs), 'SKU')} were never billed before, worth {money(cost, basis.currency)}.",
        f"< {100 * NEW_WATCH:.0f} %", "plain" if ratio is None else "good" if ratio < NEW_WATCH else "watch", why,
    )  # fmt: skip


def changes_table(basis: Basis) -> ResultTable:
    """The month's changes of the price catalogue."""
    return result(
        "catalogue_changes", "New and repriced SKUs", "What is new on the bill, and whose price is another?",
        change_rows(basis)[:200],
        ("change", "since", "described", "provider", "ServiceName", "sku", "PricingUnit", "last_month",
         "contracted_before", "contracted_price", "drift_pct", "drift_cost", "list_before", "list_price",
         "EffectiveCost", "BillingCurrency"),
        units={"drift_pct": "%", "EffectiveCost": basis.currency}, labels=_PRICE_LABELS,
        answer=_change_words(change_rows(basis)),
        empty_because=f"No SKU is new in {month_name(basis.start)} and no unit price moved since it was last billed."
        if basis.totals["charges"] else no_charges(basis),
    )  # fmt: skip


def _change_words(rows: list[Row]) -> str:
    new = sum(row["change"] == "new" for row in rows)
    return f"{new} new on the bill, {len(rows) - new} that came back, went or cost another price."


def history_rows(basis: Basis) -> list[Row]:
    """Each price item of the month with its prices over a year and what the price list says, the dearest first."""
    found: list[Row] = basis.once("price_history", _history_rows)
    return found


def _history_rows(basis: Basis) -> list[Row]:
    offers = in_force(basis.table("price_list"), str(basis.start))
    prices = _prices(basis)
    rows = basis.rows(price_history(prices, offers, str(basis.start), HISTORY_MONTHS, _conversions(basis)))
    return _in_reporting_currency(basis, rows)


def above_list_rows(basis: Basis, by_pct: float) -> list[Row]:
    """Price items billed above the price list by so much or more, the dearest first."""
    return [row for row in history_rows(basis) if (row["above_offer_pct"] or 0) >= by_pct]


def history_table(basis: Basis) -> ResultTable:
    """List and negotiated price of every SKU over a year, against the price list where one is delivered."""
    rows = history_rows(basis)
    return result(
        "price_history", "Unit prices over twelve months", "What did we pay a unit, and what does the price list say?",
        rows[:300],
        ("described", "provider", "ServiceName", "sku", "PricingUnit", "list_price", "contracted_price", "first_month",
         "first_price", "moved_pct", "changes", "offered_price", "lowest_offer", "above_offer_pct", "EffectiveCost",
         "BillingCurrency"),
        units={"moved_pct": "%", "above_offer_pct": "%", "EffectiveCost": basis.currency}, labels=_PRICE_LABELS,
        answer=_moved_words(rows),
        empty_because=f"No charge of {month_name(basis.start)} carries a SKU and a priced quantity.",
    )  # fmt: skip


def _moved_words(rows: list[Row]) -> str:
    """How many prices moved over the year, and the one that moved most."""
    moved = [row for row in rows if row["moved_pct"]]
    if not moved:
        return f"None of {count(len(rows), 'unit price')} moved since it is known."
    most = max(moved, key=lambda row: abs(row["moved_pct"]))
    said = f"{len(moved)} of {count(len(rows), 'unit price')} moved"
    return f"{said}; {most['described'] or most['sku']} most, by {signed_percent(most['moved_pct'])}."
