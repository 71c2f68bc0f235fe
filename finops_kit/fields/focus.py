"""The FOCUS columns, each declared once: type, unit, meaning, first and last version that has it.

Source: FinOps Open Cost and Usage Specification 1.0, 1.1, 1.2 and 1.3, Cost and Usage data set.
The store keeps the superset; :func:`focus_columns` says which of them a version has.
"""

from __future__ import annotations

from finops_kit.fields.types import MONEY, QUANTITY, TAGS, TEXT, TIME, Field

#: the versions whose column lists are known, oldest first
FOCUS_VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4")


def _text(name: str, meaning: str, since: str = "1.0", until: str = "", required: bool = False) -> Field:
    return Field(name, TEXT, meaning, "", since, until, required)


def _money(name: str, meaning: str, unit: str = "BillingCurrency", since: str = "1.0", required: bool = False) -> Field:
    return Field(name, MONEY, meaning, unit, since, "", required)


def _time(name: str, meaning: str) -> Field:
    return Field(name, TIME, meaning, "UTC", "1.0", "", True)


FOCUS_FIELDS: tuple[Field, ...] = (
    _text("AvailabilityZone", "Isolated area inside a region where the resource stands."),
    _money("BilledCost", "What the invoice says for this row, discounts included, no amortisation.", required=True),
    _text("BillingAccountId", "Account that the invoice goes to.", required=True),
    _text("BillingAccountName", "Display name of the billing account."),
    _text("BillingAccountType", "The provider's word for the kind of billing account.", "1.2"),
    _text("BillingCurrency", "ISO 4217 code of the currency billed in.", required=True),
    _time("BillingPeriodEnd", "End of the billing period, exclusive."),
    _time("BillingPeriodStart", "Start of the billing period, inclusive."),
    _text("CapacityReservationId", "Capacity reservation that the row belongs to.", "1.1"),
    _text("CapacityReservationStatus", "Used or Unused part of the capacity reservation.", "1.1"),
    _text("ChargeCategory", "Usage, Purchase, Tax, Credit or Adjustment.", required=True),
    _text("ChargeClass", "Correction where the row corrects an earlier, invoiced period; else null."),
    _text("ChargeDescription", "The provider's summary of the row."),
    _text("ChargeFrequency", "One-Time, Recurring or Usage-Based."),
    _time("ChargePeriodEnd", "End of the time that the charge is for, exclusive."),
    _time("ChargePeriodStart", "Start of the time that the charge is for, inclusive."),
    _text("CommitmentDiscountCategory", "Usage (units) or Spend (money) commitment."),
    _text("CommitmentDiscountId", "Commitment that the row belongs to."),
    _text("CommitmentDiscountName", "Display name of the commitment."),
    Field("CommitmentDiscountQuantity", QUANTITY, "Amount of the commitment.", "CommitmentDiscountUnit", "1.1"),
    _text("CommitmentDiscountStatus", "Used or Unused part of the commitment."),
    _text("CommitmentDiscountType", "The provider's word for the kind of commitment."),
    _text("CommitmentDiscountUnit", "Unit of CommitmentDiscountQuantity.", "1.1"),
    Field("ConsumedQuantity", QUANTITY, "Volume used of the metered SKU.", "ConsumedUnit", "1.0"),
    _text("ConsumedUnit", "Unit of ConsumedQuantity."),
    _money("ContractedCost", "ContractedUnitPrice times PricingQuantity: after negotiated discounts."),
    _money("ContractedUnitPrice", "Agreed price of one PricingUnit."),
    _money("EffectiveCost", "Amortised cost after all rates and discounts, with commitments spread over their use."),
    _text("InvoiceId", "Invoice that the row is on.", "1.2"),
    _text("InvoiceIssuerName", "Who issues the invoice."),
    _money("ListCost", "ListUnitPrice times PricingQuantity: before any discount."),
    _money("ListUnitPrice", "Published price of one PricingUnit."),
    _text("PricingCategory", "Standard, Dynamic, Committed or Other."),
    _text("PricingCurrency", "Currency (or virtual currency) that the price is in.", "1.2"),
    _money("PricingCurrencyContractedUnitPrice", "Agreed price in PricingCurrency.", "PricingCurrency", "1.2"),
    _money("PricingCurrencyEffectiveCost", "EffectiveCost in PricingCurrency.", "PricingCurrency", "1.2"),
    _money("PricingCurrencyListUnitPrice", "Published price in PricingCurrency.", "PricingCurrency", "1.2"),
    Field("PricingQuantity", QUANTITY, "Volume that the price was applied to.", "PricingUnit", "1.0"),
    _text("PricingUnit", "Unit of PricingQuantity."),
    _text("ProviderName", "Who makes the service available for purchase.", until="1.3"),
    _text("PublisherName", "Who made the service.", until="1.3"),
    _text("RegionId", "The provider's id of the region."),
    _text("RegionName", "Display name of the region."),
    _text("ResourceId", "The provider's id of the resource, kept as text."),
    _text("ResourceName", "Display name of the resource."),
    _text("ResourceType", "Kind of resource."),
    _text("ServiceCategory", "Highest level of the service's classification."),
    _text("ServiceName", "The offering that was bought."),
    _text("ServiceSubcategory", "Second level of the service's classification.", "1.1"),
    _text("SkuId", "The provider's id of the SKU."),
    _text("SkuMeter", "What the SKU measures.", "1.1"),
    _text("SkuPriceDetails", "Properties of the SKU price, JSON.", "1.1"),
    _text("SkuPriceId", "The provider's id of the SKU's price."),
    _text("SubAccountId", "Account, subscription or project below the billing account, kept as text."),
    _text("SubAccountName", "Display name of the sub-account."),
    _text("SubAccountType", "The provider's word for the kind of sub-account.", "1.2"),
    Field("Tags", TAGS, "Keys and values set on the resource.", "", "1.0"),
    _text("HostProviderName", "Whose infrastructure the resource stands on.", "1.3"),
    _text("ServiceProviderName", "Who makes the service available for purchase.", "1.3"),
    _text("AllocatedMethodId", "Split-cost method that made the row.", "1.3"),
    _text("AllocatedMethodDetails", "Inputs of the split, JSON.", "1.3"),
    _text("AllocatedResourceId", "Resource whose cost was split.", "1.3"),
    _text("AllocatedResourceName", "Display name of the resource whose cost was split.", "1.3"),
    Field("AllocatedTags", TAGS, "Tags of the resource whose cost was split.", "", "1.3"),
    _text("ContractApplied", "Contract commitments that applied to the row, JSON.", "1.3"),
)

FOCUS_BY_NAME: dict[str, Field] = {field.name: field for field in FOCUS_FIELDS}

#: the columns whose sums are controlled against the source
COST_COLUMNS = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")


def focus_columns(version: str) -> tuple[str, ...]:
    """The Cost and Usage columns of one FOCUS version, in the order of the store.

    Raises
    ------
    KeyError : the version is not one of ``FOCUS_VERSIONS``

    Example
    -------
    >>> len(focus_columns("1.0")), len(focus_columns("1.2")), len(focus_columns("1.3"))
    (43, 57, 65)
    """
    if version not in FOCUS_VERSIONS:
        raise KeyError(f"FOCUS {version!r} is not one of {', '.join(FOCUS_VERSIONS)}")
    return tuple(f.name for f in FOCUS_FIELDS if f.since <= version and (not f.until or version <= f.until))
