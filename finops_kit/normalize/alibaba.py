"""Alibaba Cloud's instance and billing item bills, by month or by day, to FOCUS 1.2, rule by rule.

Sources: Alibaba Cloud, "Detailed file format" of the bill subscription, "DescribeInstanceBill" (the columns, and how
amounts follow from each other) and "Fields in upgraded bills" (fee types); Alibaba's own FOCUS 1.0 export comes in as
FOCUS. ``sources/alibaba.py`` says which columns these are in each version and language.

PretaxGrossAmount is the list price; less InvoiceDiscount it is the agreed one; less coupons it is PretaxAmount, which
is billed. What pays the bill (cash coupons, prepaid cards, PaymentAmount) does not change it. The new version has the
amount before tax on bills of the international site and the amount with tax in it on those of the Chinese site, where
list prices contain it too. What settlement rounds down stands on lines of its own in the new version, else nowhere.

Days and months are those of UTC+8 and keep their names; times of the clock become UTC.
"""

from __future__ import annotations

from collections.abc import Sequence

from finops_kit.fields import MONEY, QUANTITY, TIME
from finops_kit.normalize.plan import Header, Plan
from finops_kit.sources.alibaba import NEEDS, find_columns
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
    "UsageBeforeDeduction": QUANTITY,
    **dict.fromkeys(("BillingCycle", "BillingDate", "UsageStartTime", "UsageEndTime"), TIME),
}  # fmt: skip
_TEXTS = (
    "AccountID", "AccountName", "OwnerID", "Currency", "NickName", "ProductName", "Zone", "UsageUnit", "BillingItem",
)  # fmt: skip
#: looked at, and kept in x_Columns as well
_LOOKED_AT = (
    "BillAccountID", "BillAccountName", "OwnerAccountName", "ProductCode", "ProductDetail", "CommodityCode",
    "BillingItemCode", "SubscriptionType", "Item", "Tag", "Region", "RegionCode", "InstanceSpec", "PipCode",
    "ResourceID", "InstanceID",
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

_ITEM = "replace(lower(coalesce(\"Item\", '')), ' ', '')"
_BOUGHT = "subscription|订阅|预付|包年包月"
#: What Item says, in both languages: the old version's four types, the new one's fee types. Some are called after a
#: subscription they give back or cover. Where it says nothing known, the way of paying tells what was bought; rounding,
#: commissions and adjustments are Adjustment.
LINE_KIND = f"""CASE WHEN regexp_matches({_ITEM}, 'refund|退款|退订') THEN 'refund'
    WHEN regexp_matches({_ITEM}, 'adjust|round|commission|调账|抹零|佣金|保底|封顶') THEN 'adjustment'
    WHEN regexp_matches({_ITEM}, 'coverage|抵扣') THEN 'usage'
    WHEN regexp_matches({_ITEM}, '{_BOUGHT}') THEN 'order'
    WHEN regexp_matches({_ITEM}, 'payasyougo|按量|后付|free|免费') THEN 'usage'
    WHEN {_ITEM} <> '' AND "SubscriptionType" IS NULL THEN 'adjustment'
    WHEN regexp_matches(lower("SubscriptionType"), '{_BOUGHT}') THEN 'order' ELSE 'usage' END"""
#: A refund gives back an order.
CHARGE_CATEGORY = """CASE " kind" WHEN 'usage' THEN 'Usage' WHEN 'adjustment' THEN 'Adjustment' ELSE 'Purchase' END"""
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
    >>> plan_alibaba(["账期", "产品Code", "应付金额"]).cost.raw
    'c2'
    """
    columns = Header(whole_columns(header, types), find_columns(header))
    inputs = columns.inputs((*_KINDS, *_TEXTS, *_LOOKED_AT), _KINDS, NEEDS, {TIME: _READING})
    extras = columns.rest({inputs[name].raw for name in (*_KINDS, *_TEXTS)})
    steps: tuple[dict[str, str], ...] = (
        {" kind": LINE_KIND},
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
    region = (
        """coalesce("RegionCode", CASE WHEN regexp_full_match("Region", '[a-z]{2}-[a-z0-9-]+') THEN "Region" END, """
        "nullif(regexp_extract(\"Zone\", '^([a-z]{2}-[a-z]+(?:-[0-9]+)?)-?[a-z]$', 1), ''))"
    )
    used = f"({_CATEGORY} = 'Usage' AND \"Usage\" IS NOT NULL)"
    unit = "coalesce(\"UsageUnit\", 'Units')"
    resource = 'coalesce("ResourceID", "InstanceID")'
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
        "ChargeClass": "CASE WHEN \" kind\" = 'refund' THEN 'Correction' END",
        "ChargeDescription": 'coalesce("ProductDetail", "ProductName", "ProductCode")',
        "ChargeFrequency": f"CASE WHEN {_CATEGORY} = 'Usage' THEN 'Usage-Based' ELSE 'One-Time' END",
        "ChargePeriodStart": _START,
        "ChargePeriodEnd": _END,
        "ConsumedQuantity": f'CASE WHEN {used} THEN coalesce("UsageBeforeDeduction", "Usage") END',
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
        "ResourceId": resource,
        "ResourceName": '"NickName"',
        "ResourceType": f'CASE WHEN {resource} IS NOT NULL THEN coalesce("ProductDetail", "ProductCode") END',
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
