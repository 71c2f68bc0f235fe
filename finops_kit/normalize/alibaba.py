"""Alibaba Cloud's instance and billing item bills, by month or by day, to FOCUS 1.2, rule by rule.

Sources: Alibaba Cloud, "Detailed file format" of the bill subscription, "DescribeInstanceBill" (the columns, and how
amounts follow from each other) and "Fields in upgraded bills"; Alibaba's own FOCUS 1.0 export comes in as FOCUS.

PretaxGrossAmount is the list price; less InvoiceDiscount it is the agreed one; less coupons it is PretaxAmount, which
is billed. What pays the bill (cash coupons, prepaid cards, PaymentAmount) does not change it.

Days and months are those of UTC+8 and keep their names; times of the clock become UTC.
"""

from __future__ import annotations

from collections.abc import Sequence

from finops_kit.fields import MONEY, QUANTITY, TIME
from finops_kit.normalize.plan import Header, Plan
from finops_kit.sources.formats import ALIBABA_NEEDS
from finops_kit.sources.nested import whole_columns

_CLOCK = "'[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:]{5,8}'"
_TIME = f"""CASE WHEN regexp_full_match(trim({{}}), {_CLOCK}) THEN TRY_CAST(trim({{}}) || '+08' AS TIMESTAMPTZ)
    WHEN regexp_full_match(trim({{}}), '[0-9]{{4}}-[0-9]{{2}}') THEN TRY_CAST(trim({{}}) || '-01' AS TIMESTAMPTZ)
    WHEN regexp_full_match(trim({{}}), '[0-9]{{8}}') THEN TRY_CAST(try_strptime(trim({{}}), '%Y%m%d') AS TIMESTAMPTZ)
    WHEN regexp_full_match(trim({{}}), '[0-9]{{6}}')
    THEN TRY_CAST(try_strptime(trim({{}}) || '01', '%Y%m%d') AS TIMESTAMPTZ)
    ELSE TRY_CAST(trim({{}}) AS TIMESTAMPTZ) END"""
_READING = (
    f"CASE WHEN ({_TIME}) BETWEEN TIMESTAMPTZ '1970-01-02 00:00:00+00' AND TIMESTAMPTZ '2200-01-01 00:00:00+00' "
    f"THEN {_TIME} END"
)
_KINDS = {
    "PretaxAmount": MONEY, "PretaxGrossAmount": MONEY, "InvoiceDiscount": MONEY, "Usage": QUANTITY,
    "BillingCycle": TIME, "BillingDate": TIME, "UsageStartTime": TIME, "UsageEndTime": TIME,
}  # fmt: skip
_TEXTS = (
    "AccountID", "AccountName", "OwnerID", "Currency", "InstanceID", "NickName", "ProductName", "Zone", "UsageUnit",
    "BillingItem",
)  # fmt: skip
#: looked at, and kept in x_Columns as well
_LOOKED_AT = (
    "BillAccountID", "BillAccountName", "OwnerAccountName", "ProductCode", "ProductDetail", "CommodityCode",
    "BillingItemCode", "SubscriptionType", "Item", "Tag", "Region", "InstanceSpec", "PipCode",
)  # fmt: skip

#: product code -> (ServiceCategory, ServiceSubcategory)
SERVICES: dict[str, tuple[str, str]] = {
    "ecs": ("Compute", "Virtual Machines"),
    "yundisk": ("Storage", "Block Storage"),
    "disk": ("Storage", "Block Storage"),
    "snapshot": ("Storage", "Backup Storage"),
    "oss": ("Storage", "Object Storage"),
    "nas": ("Storage", "File Storage"),
    "csk": ("Compute", "Containers"),
    "eci": ("Compute", "Containers"),
    "fc": ("Compute", "Serverless Compute"),
    "slb": ("Networking", "Application Networking"),
    "alb": ("Networking", "Application Networking"),
    "eip": ("Networking", "Network Connectivity"),
    "cbwp": ("Networking", "Network Connectivity"),
    "nat_gw": ("Networking", "Network Infrastructure"),
    "vpn": ("Networking", "Network Connectivity"),
    "cdn": ("Networking", "Content Delivery"),
    "dns": ("Networking", "Network Routing"),
    "rds": ("Databases", "Relational Databases"),
    "polardb": ("Databases", "Relational Databases"),
    "kvstore": ("Databases", "Caching"),
    "redisa": ("Databases", "Caching"),
    "dds": ("Databases", "NoSQL Databases"),
    "ons": ("Integration", "Messaging"),
    "mns": ("Integration", "Messaging"),
    "odps": ("Analytics", "Data Processing"),
    "emr": ("Analytics", "Data Processing"),
    "sls": ("Management and Governance", "Observability"),
    "cms": ("Management and Governance", "Observability"),
    "kms": ("Security", "Secret Management"),
    "waf": ("Security", "Other (Security)"),
    "pai": ("AI and Machine Learning", "Machine Learning"),
}

#: What Item says; where a bill has none, a subscription is bought and all else is used. A refund gives back an order.
CHARGE_CATEGORY = """CASE replace(lower(coalesce("Item", '')), ' ', '')
    WHEN 'subscriptionorder' THEN 'Purchase' WHEN 'refund' THEN 'Purchase' WHEN 'payasyougobill' THEN 'Usage'
    WHEN '' THEN CASE WHEN lower("SubscriptionType") = 'subscription' THEN 'Purchase' ELSE 'Usage' END
    ELSE 'Adjustment' END"""
_CATEGORY, _METERED = '" category"', '" metered"'
_DAY = 'coalesce("BillingDate", "BillingCycle")'
_START = f'coalesce("UsageStartTime", {_DAY})'
_END = f"""CASE WHEN "UsageEndTime" > {_START} THEN "UsageEndTime"
    WHEN "BillingDate" IS NOT NULL THEN {_START} + INTERVAL 1 DAY ELSE "BillingCycle" + INTERVAL 1 MONTH END"""
#: `key:team value:core; key:env value:prod`, or `team:core;env:prod`
_PARTS = "list_filter(string_split(\"Tag\", ';'), lambda p: contains(p, ':'))"
_BARE = r"regexp_replace(trim(p), '^key:(.*?)\s+value:(.*)$', '\1:\2')"
_PAIRS = f"list_transform({_PARTS}, lambda p: {_BARE})"
_KEYS = f"list_transform({_PAIRS}, lambda p: trim(split_part(p, ':', 1)))"
TAGS_OF_TEXT = f"""CASE WHEN "Tag" IS NULL THEN MAP_FROM_ENTRIES([]) ELSE map(list_distinct({_KEYS}),
    list_transform(list_distinct({_KEYS}),
        lambda k: trim(substr(list_extract(list_filter({_PAIRS}, lambda p: trim(split_part(p, ':', 1)) = k), 1),
                              length(k) + 2)))) END"""


def plan_alibaba(header: Sequence[str], types: Sequence[str] | None = None) -> Plan:
    """The plan of one bill.

    Example
    -------
    >>> plan_alibaba(["Billing Cycle", "Pretax Amount", "Zone X"]).cost.raw
    'c1'
    """
    columns = Header(whole_columns(header, types))
    inputs = columns.inputs((*_KINDS, *_TEXTS, *_LOOKED_AT), _KINDS, ALIBABA_NEEDS, {TIME: _READING})
    extras = columns.rest({inputs[name].raw for name in (*_KINDS, *_TEXTS)})
    steps: tuple[dict[str, str], ...] = (
        {" category": CHARGE_CATEGORY},
        {" metered": f"{_CATEGORY} IN ('Usage', 'Purchase') AND \"Usage\" IS NOT NULL"},
    )
    return Plan(
        "charge", "alibaba", tuple(inputs.values()), _outputs(), extras, steps=steps, cost=inputs["PretaxAmount"],
        currency=inputs["Currency"],
    )  # fmt: skip


def _service(place: int) -> str:
    cases = " ".join(f"WHEN '{name}' THEN '{pair[place]}'" for name, pair in SERVICES.items())
    return f"CASE lower(\"ProductCode\") {cases} ELSE '{('Other', 'Other (Other)')[place]}' END"


def _outputs() -> dict[str, str]:
    """FOCUS column to SQL over the bill's columns."""
    region = "coalesce(CASE WHEN regexp_full_match(\"Region\", '[a-z]{2}-[a-z0-9-]+') THEN \"Region\" END, " \
        "nullif(regexp_extract(\"Zone\", '^([a-z]{2}-[a-z]+(?:-[0-9]+)?)-?[a-z]$', 1), ''))"  # fmt: skip
    used = f"({_CATEGORY} = 'Usage' AND \"Usage\" IS NOT NULL)"
    unit = "coalesce(\"UsageUnit\", 'Units')"
    sku = 'coalesce("BillingItemCode", "CommodityCode", "PipCode", "ProductCode")'
    return {
        "AvailabilityZone": '"Zone"',
        "BilledCost": '"PretaxAmount"',
        "BillingAccountId": 'coalesce("AccountID", "BillAccountID")',
        "BillingAccountName": 'coalesce("AccountName", "BillAccountName")',
        "BillingAccountType": "'Account'",
        "BillingCurrency": 'upper(trim("Currency"))',
        "BillingPeriodStart": "date_trunc('month', \"BillingCycle\")",
        "BillingPeriodEnd": "date_trunc('month', \"BillingCycle\") + INTERVAL 1 MONTH",
        "ChargeCategory": CHARGE_CATEGORY,
        "ChargeClass": "CASE WHEN lower(\"Item\") = 'refund' THEN 'Correction' END",
        "ChargeDescription": 'coalesce("ProductDetail", "ProductName", "ProductCode")',
        "ChargeFrequency": f"CASE WHEN {_CATEGORY} = 'Usage' THEN 'Usage-Based' ELSE 'One-Time' END",
        "ChargePeriodStart": _START,
        "ChargePeriodEnd": _END,
        "ConsumedQuantity": f'CASE WHEN {used} THEN "Usage" END',
        "ConsumedUnit": f"CASE WHEN {used} THEN {unit} END",
        "ContractedCost": 'coalesce("PretaxGrossAmount" - "InvoiceDiscount", "PretaxAmount")',
        "EffectiveCost": '"PretaxAmount"',
        "InvoiceIssuerName": "'Alibaba Cloud'",
        "ListCost": 'coalesce("PretaxGrossAmount", "PretaxAmount")',
        "PricingCategory": f"CASE WHEN {_CATEGORY} IN ('Usage', 'Purchase') THEN 'Standard' END",
        "PricingCurrency": 'upper(trim("Currency"))',
        "PricingQuantity": f'CASE WHEN {_METERED} THEN "Usage" END',
        "PricingUnit": f"CASE WHEN {_METERED} THEN {unit} END",
        "ProviderName": "'Alibaba Cloud'",
        "PublisherName": "'Alibaba Cloud'",
        "RegionId": region,
        "RegionName": f'CASE WHEN {region} IS NOT NULL THEN coalesce("Region", {region}) END',
        "ResourceId": '"InstanceID"',
        "ResourceName": '"NickName"',
        "ResourceType": 'CASE WHEN "InstanceID" IS NOT NULL THEN coalesce("ProductDetail", "ProductCode") END',
        "ServiceCategory": _service(0),
        "ServiceName": 'coalesce("ProductName", "ProductCode")',
        "ServiceSubcategory": _service(1),
        "SkuId": f"CASE WHEN {_METERED} THEN {sku} END",
        "SkuMeter": f'CASE WHEN {_METERED} THEN coalesce("BillingItem", "ProductDetail") END',
        "SkuPriceId": f"CASE WHEN {_METERED} THEN concat_ws('/', {sku}, \"InstanceSpec\") END",
        "SubAccountId": 'coalesce("OwnerID", "BillAccountID")',
        "SubAccountName": 'CASE WHEN coalesce("OwnerID", "BillAccountID") IS NOT NULL '
        'THEN coalesce("OwnerAccountName", "BillAccountName") END',
        "SubAccountType": 'CASE WHEN coalesce("OwnerID", "BillAccountID") IS NOT NULL THEN \'Account\' END',
        "Tags": TAGS_OF_TEXT,
    }
