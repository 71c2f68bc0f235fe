"""The agreed discount: the price list or contract that is in force when the charge falls, by hand."""

from __future__ import annotations

from datetime import date

import pytest

from finops_kit.value.agreed import agreed_discounts


def used(day, listed, provider="AWS", sku="vm", **more):
    return {"day": day, "cost": listed, "ListCost": listed, "ContractedCost": listed, "ProviderName": provider,
            "SkuId": sku, **more}  # fmt: skip


def contract(number, provider, pct, since=None, until=None, currency="EUR"):
    return {"contract_id": number, "provider_name": provider, "discount_pct": pct, "starts_on": since,
            "ends_on": until, "currency": currency}  # fmt: skip


@pytest.fixture(scope="module")
def agreed(db, table, lens_of):
    """March: AWS moves from 5 % to 10 % on the 11th, Azure has two contracts at once, a price list knows one SKU."""
    half = date(2025, 3, 11)
    lens = lens_of([
        used(date(2025, 3, 10), 300), used(half, 100),
        used(half, 100, sku="odd", BillingCurrency="USD"),
        used(half, 60, "Azure"), used(half, 40, "Azure", "listed"), used(date(2025, 3, 12), 10, "Azure", "listed"),
        used(half, 7, "Colo"),
    ], rates=[{"month": date(2025, 3, 1), "from_currency": "USD", "to_currency": "EUR", "rate": 1}])  # fmt: skip
    contracts = table("contract", [
        contract("old", "AWS", 5, date(2024, 1, 1), half), contract("new", "AWS", 10, half),
        contract("ended", "AWS", 40, None, date(2025, 1, 1)), contract("dollars", "AWS", 20, None, None, "USD"),
        contract("frame", "Azure", 8), contract("plan", "Azure", 34), contract("no discount", "Azure", None),
    ])  # fmt: skip
    offer = {"provider_name": "Azure", "sku": "listed", "unit": "Hours", "currency": "EUR", "batch_id": "b",
             "source_row": 1, "list_price": 10}  # fmt: skip
    prices = table("price_list", [
        {**offer, "contracted_price": 9}, {**offer, "contracted_price": 7, "valid_from": half, "valid_to":
         date(2025, 3, 12), "unit": "100 Hours"},
    ])  # fmt: skip
    return {row["provider"]: row for row in db.to_pyarrow(agreed_discounts(lens, contracts, prices)).to_pylist()}


def test_each_day_has_the_contract_of_that_day_in_its_own_currency(agreed):
    # 300 at 5 %, 100 at 10 %, and 100 in dollars at 20 %: 15 + 10 + 20 = 45 of 500
    assert (agreed["AWS"]["agreed_pct"], agreed["AWS"]["agreed_share_pct"]) == pytest.approx((9, 100))
    assert (agreed["AWS"]["agreed_by"], agreed["AWS"]["undecided"]) == ("dollars, new, old", "")


def test_a_price_list_says_it_by_sku_and_contracts_at_once_are_not_guessed_between(agreed):
    # 40 at 30 %, 10 at 10 %: 13 of the 50 that an agreement is known for, of 110
    assert agreed["Azure"]["agreed_pct"] == pytest.approx(26)
    assert agreed["Azure"]["agreed_share_pct"] == pytest.approx(100 * 50 / 110)
    assert (agreed["Azure"]["agreed_by"], agreed["Azure"]["undecided"]) == ("price list", "frame, plan")


def test_without_an_agreement_there_is_no_figure(agreed):
    assert agreed["Colo"]["agreed_pct"] is None and agreed["Colo"]["agreed_share_pct"] == 0
