"""Microsoft Azure: the FOCUS 1.0 cost export, Parquet, in euros, with the export's own x_ columns."""

from __future__ import annotations

import numpy as np

from finops_kit.demo.bill import Bill
from finops_kit.demo.estate import ACCOUNT, AZURE, REGION
from finops_kit.demo.fleet import Fleet
from finops_kit.demo.focus import Extra, Issuer, Month, Text, make_bill, month_bounds, plain_extra, sku_ids
from finops_kit.demo.prices import SKUS
from finops_kit.demo.writer import COST_SCALE, PRICE_SCALE, QUANTITY_SCALE, spell

COLUMNS: tuple[str, ...] = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingAccountType", "BillingCurrency",
    "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription",
    "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart", "CommitmentDiscountCategory",
    "CommitmentDiscountId", "CommitmentDiscountName", "CommitmentDiscountStatus", "CommitmentDiscountType",
    "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "ContractedUnitPrice", "EffectiveCost",
    "InvoiceIssuerName", "ListCost", "ListUnitPrice", "PricingCategory", "PricingQuantity", "PricingUnit",
    "ProviderName", "PublisherName", "RegionId", "RegionName", "ResourceId", "ResourceName", "ResourceType",
    "ServiceCategory", "ServiceName", "SkuId", "SkuPriceId", "SubAccountId", "SubAccountName", "SubAccountType", "Tags",
    "x_CostCenter", "x_InvoiceId", "x_PricingCurrency", "x_ResourceGroupName", "x_ServiceSubcategory",
    "x_SkuMeterName", "x_SkuMeterCategory", "x_SkuOfferId",
)  # fmt: skip
#: typed as decimals and timestamps in the export, though constant per kind of row
PRICES = ("ListUnitPrice", "ContractedUnitPrice")
PERIOD = ("BillingPeriodStart", "BillingPeriodEnd")


def _more(fleet: Fleet, number: int | None) -> Text:
    if number is None:
        return {}
    part = fleet.resources[number].component
    return {"x_ResourceGroupName": f"rg-{part.service_id}", "x_SkuOfferId": "MS-AZR-0017P",
            "x_SkuMeterName": SKUS[part.sku].code, "x_SkuMeterCategory": SKUS[part.sku].service}  # fmt: skip


def _extra_tags(fleet: Fleet, number: int) -> dict[str, str]:
    """A tag that somebody once typed with a blank before its key."""
    return {" owner": "cloud-team@nordbank.example"} if number % 5 == 0 else {}


ISSUER = Issuer(AZURE, "Nordbank IT Services GmbH", "Billing Profile",
                "Subscription", "MS", _more, _extra_tags)  # fmt: skip


def make_azure_bill(fleet: Fleet, index: int, today: int) -> Bill:
    """The export of one month: usage, the support fee, VAT on it, and corrections in the month that has them."""
    start, end, over = month_bounds(fleet, index, today)
    month = Month()
    account = "sub-connectivity"
    if over:
        price = 9_400 * 10**PRICE_SCALE
        amount = price * 10**QUANTITY_SCALE
        texts = plain_extra(
            "Usage", "Unified Support, monthly", "Recurring", account, ISSUER,
            ServiceCategory="Management and Governance", ServiceSubcategory="Support", ServiceName="Microsoft Support",
            PricingCategory="Standard", PricingUnit="Months", ConsumedUnit="Months", ListUnitPrice=spell(price,
                PRICE_SCALE),
            ContractedUnitPrice=spell(price, PRICE_SCALE), SkuMeter="Unified Support", **sku_ids(ISSUER, "support"),
        )  # fmt: skip
        month.extras.append(Extra(texts, amount, amount, amount, amount, 10**QUANTITY_SCALE, start, end, "platform"))
        tax = amount * 19 // 100
        month.extras.append(Extra(plain_extra("Tax", "VAT 19 % on support", "Recurring", account, ISSUER), tax, tax,
            tax,
                                  tax, 0, start, end, "platform", blank=("PricingQuantity",
                                      "ConsumedQuantity")))  # fmt: skip
        if index == fleet.time.corrected:
            month.extras += corrections(fleet, index)
    bill = make_bill(fleet, index, today, ISSUER, month)
    texts_of = bill.lines.texts
    texts_of["x_InvoiceId"] = texts_of["InvoiceId"]
    texts_of["x_PricingCurrency"] = texts_of["PricingCurrency"]
    texts_of["x_ServiceSubcategory"] = texts_of["ServiceSubcategory"]
    count = len(texts_of["BilledCost"]) if "BilledCost" in texts_of else len(texts_of["ProviderName"])
    for name in COLUMNS:
        if name not in texts_of and name not in bill.lines.figures and name not in bill.lines.periods:
            texts_of[name] = [None] * count
    return bill


def corrections(fleet: Fleet, index: int) -> list[Extra]:
    """Six rows that take back a day of the archive's storage and of a gateway, billed twice the month before."""
    before = fleet.time.start(index - 1)
    rows = []
    for number in (fleet.named("archive-cool"), fleet.named("hub-firewall")):
        resource = fleet.resources[number]
        sku = SKUS[resource.component.sku]
        region, region_name = REGION[AZURE]
        held = ACCOUNT[resource.component.account]
        for day in (8, 9, 10):
            quantity = -int(fleet.quantities(index - 1)[number, day])
            cost, listed = quantity * int(fleet.unit_price[number]), quantity * int(fleet.list_price[number])
            texts: Text = {
                "ChargeCategory": "Usage", "ChargeClass": "Correction", "ChargeFrequency": "Usage-Based",
                "ChargeDescription": f"Correction of usage billed twice: {sku.code}", "PricingCategory": "Standard",
                "PricingUnit": sku.unit, "ConsumedUnit": sku.unit, "PublisherName": AZURE, "RegionId": region,
                "RegionName": region_name, "ResourceId": resource.resource_id, "ResourceName": resource.name,
                "ResourceType": sku.resource_type, "ServiceCategory": sku.category, "ServiceName": sku.service,
                "ServiceSubcategory": sku.subcategory, "SkuMeter": sku.code, **sku_ids(ISSUER, resource.component.sku),
                "ListUnitPrice": spell(int(fleet.list_price[number]), PRICE_SCALE),
                "ContractedUnitPrice": spell(int(fleet.unit_price[number]), PRICE_SCALE),
                "SubAccountId": held.account_id, "SubAccountName": held.name, "SubAccountType": "Subscription",
                **_more(fleet, number),
            }  # fmt: skip
            rows.append(Extra(texts, cost, cost, listed, cost, quantity, before + day, before + day + 1,
                              resource.component.service_id, ready=fleet.time.start(index) + 9))  # fmt: skip
    return rows


def parquet_figures(bill: Bill) -> None:
    """Move the unit prices from text to decimals, as the export types them."""
    lines = bill.lines
    for name in PRICES:
        values = lines.texts.pop(name)
        per_kind = np.array([int(v.replace(".", "")) if v else 0 for v in values], dtype=np.int64)
        lines.figures[name] = (per_kind[lines.kind], PRICE_SCALE)
        lines.blank[name] = np.array([v is None for v in values])


__all__ = ["COLUMNS", "COST_SCALE", "ISSUER", "PERIOD", "corrections", "make_azure_bill", "parquet_figures"]
