"""The price catalogue: new SKUs and prices that moved, by hand."""

from __future__ import annotations

from datetime import date

import pytest

from finops_kit.value.catalogue import catalogue_changes, in_force, price_history
from finops_kit.value.prices import unit_prices


def _row(month, sku, contracted, listed, quantity=10):
    return {
        "day": date(2025, month, 5), "cost": contracted * quantity, "SkuId": sku, "SkuPriceId": sku,
        "PricingUnit": "Hour", "PricingQuantity": quantity, "ContractedCost": contracted * quantity,
        "ListCost": listed * quantity,
    }  # fmt: skip


@pytest.fixture(scope="module")
def prices(lens_of):
    return unit_prices(lens_of([
        _row(1, "gone and back", 1, 1), _row(3, "gone and back", 1, 1),
        *(_row(month, "steady", 2, 3) for month in (1, 2, 3)),
        _row(2, "dearer", 2, 4), _row(3, "dearer", 3, 4),
        _row(2, "listed", 2, 4), _row(3, "listed", 2, 5),
        _row(3, "new", 7, 7),
        _row(2, "a hair", 100, 100), _row(3, "a hair", 100.1, 100.1),
    ]))  # fmt: skip


def test_what_is_new_or_another_price(db, prices):
    found = {row["sku"]: row for row in db.to_pyarrow(catalogue_changes(prices, "2025-03-01")).to_pylist()}
    assert {sku: row["change"] for sku, row in found.items()} == {
        "gone and back": "returned", "dearer": "negotiated price", "listed": "list price", "new": "new"
    }  # fmt: skip
    assert found["dearer"]["drift_pct"] == pytest.approx(50)
    assert (found["listed"]["list_before"], found["listed"]["list_price"]) == pytest.approx((4, 5))
    assert found["new"]["last_month"] is None


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

    prices = unit_prices(lens_of([rented(1, 31, 8680), rented(2, 28, 8680), rented(3, 31, 8990)]))
    assert db.to_pyarrow(catalogue_changes(prices, "2025-02-01")).num_rows == 0
    (row,) = db.to_pyarrow(catalogue_changes(prices, "2025-03-01")).to_pylist()
    assert row["change"] == "negotiated price"
