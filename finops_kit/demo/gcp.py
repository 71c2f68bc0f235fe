"""Google Cloud: FOCUS 1.2, CSV.gz, in euros, with a committed use discount and one month that is restated later."""

from __future__ import annotations

import numpy as np

from finops_kit.demo.bill import Bill
from finops_kit.demo.estate import ACCOUNT, GCP, REGION
from finops_kit.demo.fleet import Fleet
from finops_kit.demo.focus import Extra, Issuer, Month, Text, make_bill, month_bounds, plain_extra, sku_ids
from finops_kit.demo.prices import SKUS
from finops_kit.demo.writer import COST_SCALE, PRICE_SCALE, spell
from finops_kit.fields import focus_columns

COLUMNS: tuple[str, ...] = focus_columns("1.2")
#: price under the commitment, percent of list
CUD_PERCENT = 63
#: what the restatement takes off the warehouse's queries, percent
RESTATED_PERCENT = 12
RESTATED_SKU = "bq"
_CUD_NAME = "cud-n2-frankfurt-1y"


def _more(fleet: Fleet, number: int | None) -> Text:
    machine = number is not None and SKUS[fleet.resources[number].component.sku].machine[0]
    return {"AvailabilityZone": f"europe-west3-{'abc'[(number or 0) % 3]}"} if machine else {}


ISSUER = Issuer(GCP, "Nordbank IT Services", "Invoiced Billing Account", "Project", "GC",
                _more)  # fmt: skip


def make_gcp_bill(fleet: Fleet, index: int, today: int, restated: bool = False) -> Bill:
    """The export of one month; ``restated`` is the later delivery with the lower price of the warehouse's queries."""
    start, end, over = month_bounds(fleet, index, today)
    month = Month()
    month.covered = np.array([r.component.committed for r in fleet.resources])
    month.covered_price = fleet.list_price * CUD_PERCENT // 100
    cud = f"//compute.googleapis.com/projects/nordbank-data-prod/regions/europe-west3/commitments/{_CUD_NAME}"
    month.commitment = {
        "CommitmentDiscountCategory": "Usage", "CommitmentDiscountId": cud, "CommitmentDiscountName": _CUD_NAME,
        "CommitmentDiscountType": "Committed Use Discount", "CommitmentDiscountUnit": "Hours",
    }  # fmt: skip
    if restated:
        price = fleet.unit_price.copy()
        hit = np.array([r.component.sku == RESTATED_SKU for r in fleet.resources])
        price[hit] = price[hit] * (100 - RESTATED_PERCENT) // 100
        month.unit_price = price
    month.extras += _commitment_rows(fleet, month, start, min(end, today))
    if over:
        credit = -1_800 * 10**COST_SCALE
        texts = plain_extra("Credit", "Spend-based promotion", "One-Time", "nordbank-data-prod", ISSUER)
        month.extras.append(Extra(texts, credit, credit, credit, credit, 0, start, end, "data-platform",
                                  blank=("PricingQuantity", "ConsumedQuantity")))  # fmt: skip
    bill = make_bill(fleet, index, today, ISSUER, month)
    count = len(bill.lines.texts["ProviderName"])
    for name in COLUMNS:
        if name not in bill.lines.texts and name not in bill.lines.figures and name not in bill.lines.periods:
            bill.lines.texts[name] = [None] * count
    return bill


def _commitment_rows(fleet: Fleet, month: Month, start: int, until: int) -> list[Extra]:
    """A purchase and an unused row a day: one machine in eight of what is committed stands unused."""
    assert month.covered is not None and month.covered_price is not None
    machines = int(month.covered.sum())
    spare = max(1, machines // 8)
    price = int(month.covered_price[np.flatnonzero(month.covered)[0]])
    sku, (region, region_name) = SKUS["n2-32"], REGION[GCP]
    held = ACCOUNT["nordbank-data-prod"]
    common: Text = {
        **month.commitment, "PricingCategory": "Committed", "PricingUnit": "Hours", "ServiceCategory": sku.category,
        "ServiceSubcategory": sku.subcategory, "ServiceName": sku.service, "PublisherName": GCP, "RegionId": region,
        "RegionName": region_name, "SubAccountId": held.account_id, "SubAccountName": held.name,
        "SubAccountType": "Project", "SkuMeter": "Commitment N2 Frankfurt 1 Year", **sku_ids(ISSUER, "cud-n2"),
        "ListUnitPrice": spell(price, PRICE_SCALE), "ContractedUnitPrice": spell(price, PRICE_SCALE),
        "PricingCurrencyListUnitPrice": spell(price, PRICE_SCALE),
        "PricingCurrencyContractedUnitPrice": spell(price, PRICE_SCALE),
    }  # fmt: skip
    bought = {**common, "ChargeCategory": "Purchase", "ChargeFrequency": "Recurring",
              "ChargeDescription": "Commitment N2 Frankfurt, one year"}  # fmt: skip
    idle = {**common, "ChargeCategory": "Usage", "ChargeFrequency": "Usage-Based", "CommitmentDiscountStatus": "Unused",
            "ChargeDescription": "Unused commitment N2 Frankfurt"}  # fmt: skip
    rows = []
    for day in range(start, until):
        whole, left = (machines + spare) * 240_000, spare * 240_000
        paid, unused = whole * price, left * price
        rows.append(Extra(dict(bought), paid, 0, paid, paid, whole, day, day + 1, "data-platform", commitment=whole,
                          blank=("ConsumedQuantity",)))  # fmt: skip
        rows.append(Extra(dict(idle), 0, unused, unused, unused, left, day, day + 1, "data-platform", commitment=left,
                          blank=("ConsumedQuantity",)))  # fmt: skip
    return rows
