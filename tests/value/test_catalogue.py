"""The price catalogue: new SKUs and prices that moved, by hand."""

from __future__ import annotations

from datetime import date

import pytest

from finops_kit.value.catalogue import catalogue_changes, in_force, price_history, with_day, with_drift_in
from finops_kit.value.lens import monthly_rates
from finops_kit.value.prices import day_prices, unit_prices, unit_sums, usage_peaks
from finops_kit.value.units import unit_conversions


def _row(month, sku, contracted, listed, quantity=10):
    return {
        "day": date(2025, month, 5), "cost": contracted * quantity, "SkuId": sku, "SkuPriceId": sku,
        "PricingUnit": "Hour", "PricingQuantity": quantity, "ContractedCost": contracted * quantity,
        "ListCost": listed * quantity,
    }  # fmt: skip


@pytest.fixture(scope="module")
def prices(lens_of):
    return unit_prices(unit_sums(lens_of([
        _row(1, "gone and back", 1, 1), _row(3, "gone and back", 1, 1),
        *(_row(month, "steady", 2, 3) for month in (1, 2, 3)),
        _row(2, "dearer", 2, 4), _row(3, "dearer", 3, 4),
        _row(2, "listed", 2, 4), _row(3, "listed", 2, 5),
        _row(3, "new", 7, 7),
        _row(2, "a hair", 100, 100), _row(3, "a hair", 100.1, 100.1),
    ])))  # fmt: skip


def test_what_is_new_or_another_price(db, prices):
    found = {row["sku"]: row for row in db.to_pyarrow(catalogue_changes(prices, "2025-03-01")).to_pylist()}
    assert {sku: row["change"] for sku, row in found.items()} == {
        "gone and back": "returned", "dearer": "negotiated price", "listed": "list price", "new": "new"
    }  # fmt: skip
    assert found["dearer"]["drift_pct"] == pytest.approx(50)
    assert (found["listed"]["list_before"], found["listed"]["list_price"]) == pytest.approx((4, 5))
    assert found["new"]["last_month"] is None


def test_a_charge_without_a_list_price_makes_nobody_elses_cheaper(db, lens_of):
    """10 hours at 2, listed at 4; of 10 more one bill says no list cost, and a third no contracted one."""
    rows = [_row(2, "s", 2, 4), _row(3, "s", 2, 4), {**_row(3, "s", 2, 4), "ListCost": None},
            {**_row(3, "s", 2, 4), "ContractedCost": None}]  # fmt: skip
    prices = unit_prices(unit_sums(lens_of(rows)))
    told = [tuple(row[name] for name in ("quantity", "contracted_price", "list_price"))
            for row in db.to_pyarrow(prices.order_by("month")).to_pylist()]  # fmt: skip
    assert told == [(10, 2, 4), (30, 2, 4)]
    assert db.to_pyarrow(catalogue_changes(prices, "2025-03-01")).num_rows == 0


def test_a_price_that_moves_within_a_month_is_one_change_of_its_day(db, lens_of):
    """2 an hour until 14 February, 3 from the 15th on; March at 3 throughout. Another SKU comes on 20 March."""

    def day(month, number, sku, price):
        return {**_row(month, sku, price, price), "day": date(2025, month, number), "ChargeDescription": f"{sku} hours"}

    lens = lens_of([day(1, 9, "m", 2), *(day(2, n, "m", 2 if n < 15 else 3) for n in range(1, 29)),
                    day(3, 1, "m", 3), day(3, 9, "m", 3), day(3, 20, "n", 1)])  # fmt: skip
    prices = unit_prices(unit_sums(lens))

    def told(month):
        changes = with_day(catalogue_changes(prices, month), day_prices(lens), month)
        rows = db.to_pyarrow(changes).to_pylist()
        return [(row["sku"], row["change"], str(row["since"])[:10], row["described"], row["drift_pct"],
                 row["drift_cost"]) for row in rows]  # fmt: skip

    assert db.to_pyarrow(catalogue_changes(prices, "2025-03-01")).num_rows == 2
    assert told("2025-02-01") == [("m", "negotiated price", "2025-02-15", "m hours", 50, 140)]
    assert told("2025-03-01") == [("n", "new", "2025-03-20", "n hours", None, None)]


def test_what_takes_a_covered_cost_back_is_no_purchase_at_nothing(db, lens_of):
    """10 hours at 2 beside a savings plan that takes 30 covered hours back: 2 an hour, and 40 hours used."""
    used = {"ConsumedUnit": "Hrs", "PricingUnit": "Hrs", "ListCost": 0}
    taken_back = {**_row(3, "s", 0, 0, 30), "cost": -60, **used, "ConsumedQuantity": 30}
    covered = {**_row(3, "s", 2, 2, 30), **used, "ConsumedQuantity": 30, "CommitmentDiscountId": "sp"}
    lens = lens_of([{**_row(3, "s", 2, 2), **used, "ConsumedQuantity": 10}, covered, taken_back])
    (row,) = db.to_pyarrow(unit_prices(unit_sums(lens))).to_pylist()
    assert (row["quantity"], row["contracted_price"]) == (10, 2)
    (peak,) = db.to_pyarrow(usage_peaks(lens, unit_conversions([("AWS", "Hrs")]))).to_pylist()
    assert peak["peak_daily"] == 40


def test_of_tiers_the_highest_price_is_what_nobody_may_be_billed_above(db, table, prices):
    """A list with 2.5, 3 and 2.8 an hour: 3 billed is within it, and its lowest is told."""
    offers = table("price_list", [
        {"provider_name": "AWS", "sku": "dearer", "unit": "Hour", "currency": "EUR", "contracted_price": price,
         "batch_id": "b", "source_row": place} for place, price in enumerate(("2.5", "3", "2.8"))
    ])  # fmt: skip
    history = price_history(prices, in_force(offers, "2025-03-01"), "2025-03-01")
    (row,) = [one for one in db.to_pyarrow(history).to_pylist() if one["sku"] == "dearer"]
    assert (row["offered_price"], row["lowest_offer"], row["above_offer_pct"]) == (3, 2.5, 0)


def test_nothing_is_new_in_the_first_month(db, prices):
    assert db.to_pyarrow(catalogue_changes(prices, "2025-01-01")).num_rows == 0


def test_each_price_over_time_against_the_price_list_that_holds(db, table, prices):
    def offer(sku, price, since, until=None, listed=None):
        return {
            "provider_name": "AWS", "sku": sku, "unit": "Hour", "currency": "EUR", "contracted_price": price,
            "list_price": listed, "valid_from": since, "valid_to": until, "batch_id": "b", "source_row": 1,
        }  # fmt: skip

    offers = table("price_list", [
        offer("dearer", 2, date(2024, 1, 1)), offer("dearer", "2.5", date(2025, 3, 1)),
        offer("dearer", 9, date(2025, 4, 1)), offer("steady", 1, date(2024, 1, 1), date(2025, 3, 1)),
        offer("listed", None, None, None, 2),
    ])  # fmt: skip
    history = price_history(prices, in_force(offers, "2025-03-01"), "2025-03-01")
    rows = {row["sku"]: row for row in db.to_pyarrow(history).to_pylist()}
    assert set(rows) == {"gone and back", "steady", "dearer", "listed", "new", "a hair"}
    dearer = rows["dearer"]
    assert (dearer["first_price"], dearer["changes"], str(dearer["first_month"])[:10]) == (2, 1, "2025-02-01")
    assert (dearer["moved_pct"], dearer["offered_price"], dearer["above_offer_pct"]) == pytest.approx((50, 2.5, 20))
    assert rows["steady"]["offered_price"] is None and rows["steady"]["changes"] == 0
    assert rows["listed"]["above_offer_pct"] == 0


def test_a_rent_by_the_day_has_not_moved_though_its_day_costs_more(db, lens_of):
    def rented(month, days, cost):
        return {"day": date(2025, month, 1), "cost": cost, "SkuId": "rack", "PricingUnit": "Days",
                "PricingQuantity": days, "ContractedCost": cost, "ListCost": cost}  # fmt: skip

    prices = unit_prices(unit_sums(lens_of([rented(1, 31, 8680), rented(2, 28, 8680), rented(3, 31, 8990)])))
    assert db.to_pyarrow(catalogue_changes(prices, "2025-02-01")).num_rows == 0
    (row,) = db.to_pyarrow(catalogue_changes(prices, "2025-03-01")).to_pylist()
    assert row["change"] == "negotiated price"


def test_another_unit_is_no_other_price(db, table, lens_of):
    """10 hours at 2 are one of `10 Hours` at 20, and a terabyte at 90 is a thousand GB at 0.09."""

    def bought(month, sku, unit, quantity, cost):
        return {"day": date(2025, month, 5), "cost": cost, "SkuId": sku, "PricingUnit": unit,
                "PricingQuantity": quantity, "ContractedCost": cost, "ListCost": cost}  # fmt: skip

    sums = unit_sums(lens_of([
        bought(1, "vm", "Hours", 720, 1440), bought(2, "vm", "10 Hours", "67.2", 1344),
        bought(1, "net", "TB", 2, 180), bought(2, "net", "GB", 1000, 90), bought(2, "net", "TB", 1, 99),
        bought(1, "odd", "Wombats", 1, 5), bought(2, "odd", "Herds", 1, 50),
    ]))  # fmt: skip
    units = ("Hours", "10 Hours", "TB", "GB", "Wombats", "Herds", "100 Hours")
    conversions = unit_conversions(("AWS", unit) for unit in units)
    prices = unit_prices(sums, conversions)
    found = {row["sku"]: row for row in db.to_pyarrow(catalogue_changes(prices, "2025-02-01")).to_pylist()}
    assert set(found) == {"net", "odd"}
    assert (found["net"]["PricingUnit"], found["net"]["quantity"]) == ("GB", 2000)
    told = [found["net"][name] for name in ("contracted_before", "contracted_price", "drift_pct", "drift_cost")]
    assert told == pytest.approx([0.09, 0.0945, 5, 9])
    assert (found["odd"]["PricingUnit"], found["odd"]["change"]) == ("Herds", "new")

    offer = {"provider_name": "AWS", "sku": "vm", "unit": "100 Hours", "currency": "EUR", "contracted_price": 160,
             "batch_id": "b", "source_row": 1}  # fmt: skip
    offers = in_force(table("price_list", [offer]), "2025-02-01")
    history = price_history(prices, offers, "2025-02-01", conversions=conversions)
    (vm,) = [row for row in db.to_pyarrow(history).to_pylist() if row["sku"] == "vm"]
    assert (vm["contracted_price"], vm["offered_price"], vm["above_offer_pct"]) == pytest.approx((20, 16, 25))


def test_what_risen_prices_cost_is_added_up_in_one_currency(db, table, lens_of):
    rows = [
        {"day": date(2025, month, 5), "cost": cost, "SkuId": sku, "PricingUnit": "Hours", "PricingQuantity": 10,
         "ContractedCost": cost, "ListCost": cost, "BillingCurrency": currency}
        for sku, currency, month, cost in (("eur", "EUR", 1, 10), ("eur", "EUR", 2, 30), ("usd", "USD", 1, 10),
                                           ("usd", "USD", 2, 110), ("chf", "CHF", 1, 1), ("chf", "CHF", 2, 2))
    ]  # fmt: skip
    rates = table("exchange_rate", [
        {"month": date(2025, month, 1), "from_currency": "USD", "to_currency": "EUR", "rate": rate}
        for month, rate in ((1, 7), (2, "0.9"))
    ])  # fmt: skip
    changes = catalogue_changes(unit_prices(unit_sums(lens_of(rows))), "2025-02-01")
    told = with_drift_in(changes, monthly_rates(rates, "EUR"), "2025-02-01", "EUR")
    found = {row["sku"]: row["drift_reported"] for row in db.to_pyarrow(told).to_pylist()}
    assert found == {"eur": 20, "usd": pytest.approx(90), "chf": None}  # 20 more euros, and 0.9 of 100 more dollars
