"""Oracle Cloud cost reports to FOCUS 1.2, rule by rule.

Sources: Oracle, "Cost and Usage Reports" (the schema of cost reports); Oracle's own FOCUS reports for which ids it
takes for account and sub-account; FOCUS 1.2 for allowed values.

BilledCost is ``cost/myCost``, which includes the overage. ``cost/attributedCost`` spreads a cluster's cost over its
parts and would count it twice; it stays in ``x_Columns``. Oracle writes several files a day and no line twice, so each
file adds to its period instead of replacing it.
"""

from __future__ import annotations

from collections.abc import Sequence

from finops_kit.fields import MONEY, QUANTITY, TIME
from finops_kit.normalize.exact import read_text
from finops_kit.normalize.plan import Header, Plan
from finops_kit.sources.formats import OCI_NEEDS
from finops_kit.sources.nested import whole_columns

_KINDS = {
    "cost/myCost": MONEY, "cost/unitPrice": MONEY, "usage/billedQuantity": QUANTITY,
    "lineItem/intervalUsageStart": TIME, "lineItem/intervalUsageEnd": TIME,
}  # fmt: skip
#: Oracle writes times without seconds
_TIME = read_text(TIME, r"regexp_replace({}, '([T ][0-9]{2}:[0-9]{2})(Z?)$', '\1:00\2')")
_TEXTS = (
    "lineItem/tenantId", "product/service", "product/region", "product/availabilityDomain", "product/resourceId",
    "cost/subscriptionId", "cost/productSku", "product/Description", "cost/currencyCode", "cost/billingUnitReadable",
    "cost/skuUnitDescription",
)  # fmt: skip
#: looked at, and kept in x_Columns as well
_LOOKED_AT = ("lineItem/isCorrection",)

#: service in lower case -> (ServiceCategory, ServiceSubcategory)
SERVICES: dict[str, tuple[str, str]] = {
    "compute": ("Compute", "Virtual Machines"),
    "oke": ("Compute", "Containers"),
    "functions": ("Compute", "Serverless Compute"),
    "block_storage": ("Storage", "Block Storage"),
    "object_storage": ("Storage", "Object Storage"),
    "objectstore": ("Storage", "Object Storage"),
    "file_storage": ("Storage", "File Storage"),
    "network": ("Networking", "Network Infrastructure"),
    "load_balancer": ("Networking", "Application Networking"),
    "lbaas": ("Networking", "Application Networking"),
    "database": ("Databases", "Relational Databases"),
    "autonomous_database": ("Databases", "Relational Databases"),
    "mysql": ("Databases", "Relational Databases"),
    "logging": ("Management and Governance", "Observability"),
    "monitoring": ("Management and Governance", "Observability"),
    "kms": ("Security", "Secret Management"),
    "waf": ("Security", "Other (Security)"),
}


def _is_tag(name: str) -> bool:
    return name.lower().startswith("tags/")


def plan_oci(header: Sequence[str], types: Sequence[str] | None = None) -> Plan:
    """The plan of one cost report.

    Example
    -------
    >>> plan_oci(["cost/myCost", "tags/team"]).appends
    True
    """
    columns = Header(whole_columns(header, types))
    inputs = columns.inputs((*_KINDS, *_TEXTS, *_LOOKED_AT), _KINDS, OCI_NEEDS, {TIME: _TIME})
    rest = columns.rest({inputs[name].raw for name in (*_KINDS, *_TEXTS)})
    tags = {name[5:].strip(): text for name, text in rest if _is_tag(name)}
    pairs = ", ".join("{'k': '" + key.replace("'", "''") + f"', 'v': {text}}}" for key, text in tags.items())
    extras = tuple((name, text) for name, text in rest if not _is_tag(name))
    return Plan(
        "charge", "oci", tuple(inputs.values()), _outputs(pairs), extras, cost=inputs["cost/myCost"],
        currency=inputs["cost/currencyCode"], appends=True,
    )  # fmt: skip


def _category(place: int) -> str:
    cases = " ".join(f"WHEN '{name}' THEN '{pair[place]}'" for name, pair in SERVICES.items())
    return f"CASE lower(\"product/service\") {cases} ELSE '{('Other', 'Other (Other)')[place]}' END"


def _outputs(pairs: str) -> dict[str, str]:
    cost, quantity = '"cost/myCost"', '"usage/billedQuantity"'
    start = "date_trunc('month', \"lineItem/intervalUsageStart\")"
    unit = 'coalesce("cost/billingUnitReadable", "cost/skuUnitDescription", \'Units\')'
    return {
        "AvailabilityZone": '"product/availabilityDomain"',
        "BilledCost": cost,
        "BillingAccountId": 'coalesce("cost/subscriptionId", "lineItem/tenantId")',
        "BillingAccountType": "CASE WHEN \"cost/subscriptionId\" IS NULL THEN 'Tenancy' ELSE 'Subscription' END",
        "BillingCurrency": 'upper(trim("cost/currencyCode"))',
        "BillingPeriodStart": start,
        "BillingPeriodEnd": f"{start} + INTERVAL 1 MONTH",
        "ChargeCategory": "'Usage'",
        "ChargeClass": "CASE WHEN lower(\"lineItem/isCorrection\") = 'true' THEN 'Correction' END",
        "ChargeDescription": 'coalesce("product/Description", "product/service")',
        "ChargeFrequency": "'Usage-Based'",
        "ChargePeriodStart": '"lineItem/intervalUsageStart"',
        "ChargePeriodEnd": '"lineItem/intervalUsageEnd"',
        "ConsumedQuantity": quantity,
        "ConsumedUnit": f"CASE WHEN {quantity} IS NOT NULL THEN {unit} END",
        "ContractedCost": cost,
        "ContractedUnitPrice": '"cost/unitPrice"',
        "EffectiveCost": cost,
        "InvoiceIssuerName": "'Oracle'",
        "ListCost": cost,
        "PricingCategory": "'Standard'",
        "PricingCurrency": 'upper(trim("cost/currencyCode"))',
        "PricingQuantity": quantity,
        "PricingUnit": f"CASE WHEN {quantity} IS NOT NULL THEN {unit} END",
        "ProviderName": "'Oracle'",
        "PublisherName": "'Oracle'",
        "RegionId": '"product/region"',
        "RegionName": '"product/region"',
        "ResourceId": '"product/resourceId"',
        "ResourceType": 'CASE WHEN "product/resourceId" IS NOT NULL THEN coalesce(nullif(regexp_extract('
        "\"product/resourceId\", '^ocid[0-9]+[.]([^.]+)[.]', 1), ''), \"product/service\") END",
        "ServiceCategory": _category(0),
        "ServiceName": '"product/service"',
        "ServiceSubcategory": _category(1),
        "SkuId": '"cost/productSku"',
        "SkuMeter": '"product/Description"',
        "SkuPriceId": '"cost/productSku"',
        "SubAccountId": '"lineItem/tenantId"',
        "SubAccountType": "'Tenancy'",
        "Tags": f"map_from_entries(list_filter([{pairs}], lambda e: e.v IS NOT NULL))" if pairs else "MAP {}",
    }
