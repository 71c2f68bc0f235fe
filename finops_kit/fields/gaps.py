"""What each bill cannot say: FOCUS columns and rules that a source leaves open, declared once.

By ``source_system``. The page of sources and the data-quality page are written from it. A rule is named as FOCUS' rule
model 1.2 names it.
"""

# ruff: noqa: E501 - a table of sentences
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gap:
    """Something that a source cannot fill.

    Attributes
    ----------
    column : the FOCUS column
    why : in a sentence
    instead : what stands there
    rules : the rules of FOCUS' rule model that its rows may fail
    """

    column: str
    why: str
    instead: str
    rules: tuple[str, ...] = ()


GAPS: dict[str, tuple[Gap, ...]] = {
    "focus": (
        Gap("InvoiceId, PricingCurrency, SkuMeter, SkuPriceDetails, ...", "versions 1.0 and 1.1 do not have them",
            "null, or Microsoft's x_ column of that name"),
        Gap("InvoiceDetailId, CommitmentProgramEligibilityDetails", "new in 1.4, and not among the columns of the store",
            "kept in x_Columns, from where they are asked for by name: `x_Columns['InvoiceDetailId']` in `finops sql`; "
            "none of the versions that are exported (1.2, 1.0) has them"),
        Gap("ServiceName", "AWS' exports put one service (EC2) into two categories, Compute and Storage",
            "as it stands",
            ("ServiceName-C-000-M", "ServiceName-C-004-C", "ServiceName-C-005-C", "ServiceName-C-007-C",
             "ServiceName-C-008-C")),
        Gap("PricingUnit", "providers write units in words of their own: `GiB/Second-Months`, `Gigabyte Per Hour`",
            "as it stands", ("PricingUnit-C-000-M", "PricingUnit-C-003-O")),
        Gap("ContractedCost", "Oracle's exports and Alibaba's preview leave it empty",
            "null; in exports BilledCost, or ListCost where a commitment pays"),
    ),
    "aws-cur": (
        Gap("BillingAccountName, SubAccountName", "the legacy report has account ids only", "null"),
        Gap(
            "EffectiveCost of other purchases",
            "support, marketplace and one-time fees cover no later charge; the rule model asks for 0 on every Purchase",
            "BilledCost, so that no cost is lost",
            ("EffectiveCost-C-005-C",),
        ),
        Gap("CommitmentDiscountName", "the report has ARNs only", "null"),
        Gap("CapacityReservationId", "only 2.0 reports with capacity reservation data name them", "null; the status of "
            "what is only `Reserved` is null as well"),
        Gap("ContractedCost of savings plans", "negotiated prices stand in discount lines of their own", "BilledCost"),
        Gap("SkuPriceDetails", "product columns differ by service", "null; product/* is kept in x_Columns"),
    ),
    "azure": (
        Gap(
            "EffectiveCost of other purchases",
            "marketplace purchases and refunds of usage cover no later charge; the rule model asks for 0 on every "
            "Purchase",
            "the cost, so that none is lost",
            ("EffectiveCost-C-005-C",),
        ),
        Gap("EffectiveCost of covered usage", "actual costs have nothing on usage that a commitment covers; its cost "
            "is in the amortised data set alone",
            "the amortised cost, where that data set is delivered as well and says the same of everything else that "
            "day and subscription; else 0"),
        Gap("PricingUnit", "FOCUS has no unit for a block of a rate: `100 GB/Month`", "UnitOfMeasure",
            ("PricingUnit-C-000-M", "PricingUnit-C-003-O")),
        Gap("InvoiceIssuerName", "a partner bills the row, which FOCUS takes for a third party's invoice",
            "PartnerName", ("BilledCost-C-000-M", "BilledCost-C-005-C")),
        Gap("InvoiceId", "enterprise agreements have none in the file", "null"),
        Gap("SkuId, SkuPriceId", "enterprise agreements have no product id", "MeterId, PartNumber"),
        Gap("BillingCurrency", "files of custom templates without a currency", "the file is refused"),
        Gap("SkuPriceDetails", "AdditionalInfo is not in FOCUS' words", "null; kept in x_Columns"),
    ),
    "gcp": (
        Gap("EffectiveCost of commitments", "the fee of a commitment that works by credits is a row of usage, and credits "
            "take back what it covers: the sum is right, the spread over hours is not", "BilledCost"),
        Gap("CommitmentDiscountStatus of wholly unused fees", "a row of a fee without a credit looks like the fee of a "
            "commitment that works by credits", "null; unused parts of other fees are Unused"),
        Gap("InvoiceId", "the export has the invoice's month, not its number", "null"),
        Gap("ListUnitPrice, ContractedUnitPrice", "standard exports have no prices", "null"),
        Gap("SkuPriceId", "a price has no id of its own", "sku.id"),
        Gap("BillingAccountName", "not in the export", "null"),
        Gap("RegionName", "the export has the region's id only", "location.region"),
        Gap("ServiceName", "names of marketplace services carry signs beyond ASCII (`Red Hat(R)`)", "as it stands",
            ("ServiceName-C-000-M", "ServiceName-C-002-M")),
    ),
    "oci": (
        Gap("ListCost, ListUnitPrice", "the report has the rate that was paid, not the listed one", "BilledCost, null"),
        Gap("InvoiceId", "not in the report", "null"),
        Gap("ChargeCategory", "purchases, credits and taxes are not in the report", "Usage throughout"),
        Gap("ResourceName", "the report has OCIDs only", "null"),
        Gap("RegionName", "the report has the region's id only", "product/region"),
    ),
    "alibaba": (
        Gap("EffectiveCost of subscriptions", "an order is billed when it is placed; the bill does not spread it over "
            "its term", "BilledCost, so that no cost is lost", ("EffectiveCost-C-005-C",)),
        Gap("InvoiceId", "not in the bill", "null"),
        Gap("Tax, rounding down", "stand in the account's settlement, not on lines; the new version has lines of "
            "rounding, and the tax of the Chinese site within its prices", "not there"),
        Gap("ListUnitPrice, ContractedUnitPrice", "ListPrice is per ListPriceUnit, which is often not the unit of Usage",
            "null; ListPrice is kept in x_Columns"),
        Gap("CommitmentDiscountId", "what a savings plan or a resource package covers is a deduction without an id",
            "null"),
        Gap("BillingCycle, BillingDate", "named in UTC+8, with no time of day", "the same names in UTC"),
        Gap("BillingCurrency", "the oldest files of the Chinese site have none", "the file is refused"),
    ),
    "opencost": (
        Gap("BilledCost", "an allocation splits what the provider bills", "0; the data set is never part of charge"),
        Gap("BillingCurrency", "an answer does not name the currency of its prices",
            "USD, OpenCost's default, unless a `currency` stands beside `data`"),
        Gap("ListCost, ContractedCost, SKUs", "prices are those of nodes, split by use", "null"),
        Gap("BillingPeriod", "an answer has a window, not a month", "the window; the same window again replaces it"),
        Gap("SubAccountId, ResourceId, Tags of a summary", "its allocations have a name and no properties, not even "
            "their cluster", "null; the name is the ChargeDescription. A second summary of a window without a `cluster` "
            "beside `data` is refused, unless it has the first one's file name or `--newest` says it is the same cluster"),
    ),
}  # fmt: skip
GAPS["azure-amortized"] = GAPS["azure"]
