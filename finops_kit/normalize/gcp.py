"""Google Cloud billing export, standard and detailed, to FOCUS 1.2, rule by rule.

Sources: Google Cloud, "Structure of Detailed data export" and "Structure of FOCUS data export" (cost, credits, cost
types, adjustment_info), and Google's FOCUS view for BigQuery, which maps one row to one row; FOCUS 1.2 for allowed
values.

A row's ``cost`` is before credits, after negotiated prices: ContractedCost. BilledCost is cost plus all its credits, of
every type, as Google's view has it, so the sum equals the invoice's and no row is split; ``x_Columns`` keeps the list.

Since 2025 spend-based commitments are prices of a consumption model instead of credits (Google Cloud, "Spend-based CUD
program improvements"): what one covers is a row of its own, whose ``cost`` is at the commitment's price already, so
ContractedCost is ``cost_at_effective_price_default``; its fee is offset by credits, and what stays of a fee that has
such a credit is what nobody used.
Credits come as a JSON array or as Python writes a list. The billing period is the invoice month, in UTC, whatever the
month of use; Google's view begins it at midnight in Los Angeles, which no month of another bill would ever match.
"""

from __future__ import annotations

from collections.abc import Sequence

from finops_kit.fields import MONEY, QUANTITY, TAGS, TIME
from finops_kit.normalize.exact import read_text
from finops_kit.normalize.plan import Header, Plan, Rule
from finops_kit.sources.formats import GCP_NEEDS
from finops_kit.sources.nested import flat_columns

_KINDS = {
    "cost": MONEY, "cost_at_list": MONEY, "price.effective_price": MONEY, "price.list_price": MONEY,
    "cost_at_effective_price_default": MONEY, "price.effective_price_default": MONEY,
    "usage.amount": QUANTITY, "usage.amount_in_pricing_units": QUANTITY, "labels": TAGS,
    "usage_start_time": TIME, "usage_end_time": TIME, "invoice.month": TIME,
}  # fmt: skip
_TAKEN_WHOLE = (
    "billing_account_id", "cost", "currency", "usage_start_time", "usage_end_time", "invoice.month", "project.id",
    "project.name", "service.description", "sku.id", "sku.description", "usage.amount", "usage.unit",
    "usage.amount_in_pricing_units", "usage.pricing_unit", "location.zone", "location.region",
)  # fmt: skip
_LOOKED_AT = (
    "cost_type", "credits", "cost_at_list", "price.effective_price", "price.list_price", "labels", "resource.name",
    "resource.global_name", "service.id", "invoice.publisher_type", "seller_name", "transaction_type",
    "adjustment_info.id",
    "adjustment_info.type", "adjustment_info.description", "adjustment_info.mode", "subscription.instance_id",
    "cost_at_effective_price_default", "price.effective_price_default", "consumption_model.description",
)  # fmt: skip

_READINGS = {
    "usage_start_time": read_text(TIME, "regexp_replace({}, ' UTC$', '+00')"),
    "usage_end_time": read_text(TIME, "regexp_replace({}, ' UTC$', '+00')"),
    "invoice.month": "CASE WHEN regexp_full_match(trim({}), '20[0-9]{4}') "
    "THEN TRY_CAST(try_strptime(trim({}) || '01', '%Y%m%d') AS TIMESTAMPTZ) END",
    "labels": """CASE WHEN {} IS NULL OR trim({}) = '[]' THEN MAP {} WHEN ltrim({}) LIKE '{%' THEN tags_map({})
        ELSE TRY(map_from_entries(from_json(
            CASE WHEN contains({}, '"') THEN {} ELSE replace({}, '''', '"') END,
            '[{"key": "VARCHAR", "value": "VARCHAR"}]'))) END""".replace("MAP {}", "MAP_FROM_ENTRIES([])"),
}  # fmt: skip

_CREDITS = "coalesce(\"credits\", '[]')"
_AMOUNT = r"""['"]amount['"]\s*:\s*['"]?([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)""".replace("'", "''")


def _of_credit(name: str) -> str:
    """All values of one text field of the credits."""
    pattern = rf"""['"]{name}['"]\s*:\s*['"]([^'"]*)['"]""".replace("'", "''")
    return f"regexp_extract_all({_CREDITS}, '{pattern}', 1)"


_CATEGORY, _COMMITTED, _METERED, _COVERED = '" category"', '" committed"', '" metered"', '" covered"'
_UNUSED = "list_contains(\" types\", 'FEE_UTILIZATION_OFFSET')"
#: a price of a commitment; other models than the default one may come
_MODEL = "regexp_matches(\"consumption_model.description\", '(?i)cuds?\\b|commit')"

#: A row by its cost type; an adjustment stays one, whatever it adjusts. Google bills the fee of a commitment as usage
#: of a "Commitment" SKU, and so does its view.
CHARGE_CATEGORY = """CASE lower(coalesce("cost_type", 'regular'))
    WHEN 'regular' THEN 'Usage' WHEN 'tax' THEN 'Tax' ELSE 'Adjustment' END"""

_SELLER, _THIRD = '"seller_name"', "upper(\"invoice.publisher_type\") IS NOT DISTINCT FROM 'PARTNER'"
#: What Google sells itself is Google's, whichever of its companies sells it (Google's view looks at transaction_type);
#: else the seller.
PUBLISHER_NAME = f"""CASE WHEN upper("transaction_type") = 'GOOGLE'
        OR ("transaction_type" IS NULL AND regexp_matches({_SELLER}, '(?i)^google\\b') AND NOT {_THIRD})
    THEN 'Google Cloud'
    ELSE coalesce({_SELLER}, CASE WHEN {_THIRD} THEN "service.description" END, 'Google Cloud') END"""

_STEPS: tuple[dict[str, str], ...] = (
    {
        " category": CHARGE_CATEGORY,
        " amounts": f"regexp_extract_all({_CREDITS}, '{_AMOUNT}', 1)",
        " types": _of_credit("type"),
    },
    {
        " credit": f'coalesce(list_sum(list_transform(" amounts", lambda a: {read_text(MONEY, "a")})), '
        f"CAST(0 AS {MONEY}))",
        " covered": f"coalesce({_CATEGORY} = 'Usage' AND {_MODEL}, false)",
        " committed": f"CASE WHEN {_CATEGORY} = 'Usage' AND ({_UNUSED} OR {_MODEL}) THEN 'Spend' "
        "WHEN list_contains(\" types\", 'COMMITTED_USAGE_DISCOUNT_DOLLAR_BASE') THEN 'Spend' "
        "WHEN list_contains(\" types\", 'COMMITTED_USAGE_DISCOUNT') THEN 'Usage' END",
        " metered": f"{_CATEGORY} = 'Usage' AND \"usage.amount_in_pricing_units\" IS NOT NULL",
    },
)

#: service in lower case -> (ServiceCategory, ServiceSubcategory)
SERVICES: dict[str, tuple[str, str]] = {
    "compute engine": ("Compute", "Virtual Machines"),
    "kubernetes engine": ("Compute", "Containers"),
    "cloud run": ("Compute", "Serverless Compute"),
    "cloud run functions": ("Compute", "Serverless Compute"),
    "cloud functions": ("Compute", "Serverless Compute"),
    "artifact registry": ("Compute", "Containers"),
    "app engine": ("Web", "Application Platforms"),
    "cloud storage": ("Storage", "Object Storage"),
    "storage": ("Storage", "Object Storage"),
    "cloud filestore": ("Storage", "File Storage"),
    "backup and dr service": ("Storage", "Backup Storage"),
    "cloud sql": ("Databases", "Relational Databases"),
    "cloud spanner": ("Databases", "Relational Databases"),
    "alloydb": ("Databases", "Relational Databases"),
    "cloud bigtable": ("Databases", "NoSQL Databases"),
    "bigtable": ("Databases", "NoSQL Databases"),
    "cloud firestore": ("Databases", "NoSQL Databases"),
    "cloud memorystore for redis": ("Databases", "Caching"),
    "bigquery": ("Databases", "Data Warehouses"),
    "networking": ("Networking", "Network Infrastructure"),
    "cloud dns": ("Networking", "Network Routing"),
    "cloud cdn": ("Networking", "Content Delivery"),
    "cloud vpn": ("Networking", "Network Connectivity"),
    "cloud pub/sub": ("Integration", "Messaging"),
    "cloud dataflow": ("Analytics", "Data Processing"),
    "cloud dataproc": ("Analytics", "Data Processing"),
    "looker": ("Analytics", "Business Intelligence"),
    "vertex ai": ("AI and Machine Learning", "Machine Learning"),
    "gemini api": ("AI and Machine Learning", "Generative AI"),
    "cloud logging": ("Management and Governance", "Observability"),
    "cloud monitoring": ("Management and Governance", "Observability"),
    "stackdriver logging": ("Management and Governance", "Observability"),
    "support": ("Management and Governance", "Support"),
    "cloud key management service (kms)": ("Security", "Secret Management"),
    "secret manager": ("Security", "Secret Management"),
    "security command center": ("Security", "Security Posture Management"),
    "cloud armor": ("Security", "Other (Security)"),
    "identity platform": ("Identity", "Identity and Access Management"),
    "cloud build": ("Developer Tools", "Continuous Integration and Deployment"),
}


def _service(place: int) -> str:
    cases = " ".join(f"WHEN '{name}' THEN '{pair[place]}'" for name, pair in SERVICES.items())
    return f"CASE lower(\"service.description\") {cases} ELSE '{('Other', 'Other (Other)')[place]}' END"


def plan_gcp(header: Sequence[str], types: Sequence[str] | None = None) -> Plan:
    """The plan of one file of the billing export: flattened CSV, JSON lines, or Parquet with records and lists.

    Example
    -------
    >>> plan = plan_gcp(["cost", "service.description", "credits"])
    >>> plan.cost.raw, plan.remark
    ('c0', 'BilledCost is cost plus credits')
    """
    columns = Header(flat_columns(header, types))
    inputs = columns.inputs((*_KINDS, *_TAKEN_WHOLE, *_LOOKED_AT), _KINDS, GCP_NEEDS, _READINGS)
    extras = columns.rest({inputs[name].raw for name in _TAKEN_WHOLE})
    readable = (
        f"trim({_CREDITS}) LIKE '[%]' AND len(\" amounts\") = "
        f"length({_CREDITS}) - length(replace({_CREDITS}, '{{', '')) AND \" credit\" IS NOT NULL "
        f'AND len(list_filter(" amounts", lambda a: ({read_text(MONEY, "a")}) IS NULL)) = 0'
    )
    return Plan(
        "charge", "gcp", tuple(inputs.values()), _outputs(), extras, steps=_STEPS,
        rules=(Rule("credits", f"NOT coalesce({readable}, false)", "the list of credits cannot be read"),),
        cost=inputs["cost"], currency=inputs["currency"], credits=inputs["credits"],
        remark="BilledCost is cost plus credits" if "credits" in columns.places else "",
    )  # fmt: skip


def _outputs() -> dict[str, str]:
    """FOCUS column to SQL over the export's columns."""
    billed = '"cost" + " credit"'
    quantity, unit = '"usage.amount_in_pricing_units"', "coalesce(\"usage.pricing_unit\", 'Units')"
    commitment = (
        f"coalesce(\"subscription.instance_id\", nullif(list_extract({_of_credit('id')}, 1), ''), "
        f"nullif(list_extract({_of_credit('name')}, 1), ''), "
        f'CASE WHEN {_COVERED} THEN "consumption_model.description" ELSE "sku.id" END)'
    )
    resource = 'coalesce("resource.global_name", "resource.name")'
    return {
        "AvailabilityZone": '"location.zone"',
        "BilledCost": billed,
        "BillingAccountId": '"billing_account_id"',
        "BillingAccountType": "'Billing Account'",
        "BillingCurrency": 'upper(trim("currency"))',
        "BillingPeriodStart": '"invoice.month"',
        "BillingPeriodEnd": '"invoice.month" + INTERVAL 1 MONTH',
        "ChargeCategory": CHARGE_CATEGORY,
        "ChargeClass": 'CASE WHEN coalesce("adjustment_info.id", "adjustment_info.type", "adjustment_info.mode", '
        "\"adjustment_info.description\") IS NOT NULL THEN 'Correction' END",
        "ChargeDescription": 'coalesce("sku.description", "service.description")',
        "ChargeFrequency": f"CASE WHEN {_CATEGORY} = 'Usage' THEN 'Usage-Based' ELSE 'One-Time' END",
        "ChargePeriodStart": '"usage_start_time"',
        "ChargePeriodEnd": '"usage_end_time"',
        "CommitmentDiscountCategory": _COMMITTED,
        "CommitmentDiscountId": f"CASE WHEN {_COMMITTED} IS NOT NULL THEN {commitment} END",
        "CommitmentDiscountName": f'CASE WHEN {_COVERED} THEN "consumption_model.description" END',
        "CommitmentDiscountQuantity": f"CASE {_COMMITTED} WHEN 'Spend' THEN CAST(CASE WHEN {_COVERED} OR {_UNUSED} "
        f"THEN {billed} ELSE -\" credit\" END AS {QUANTITY}) WHEN 'Usage' THEN {quantity} END",
        "CommitmentDiscountStatus": f"CASE WHEN {_COMMITTED} IS NULL THEN NULL WHEN {_UNUSED} THEN 'Unused' "
        "ELSE 'Used' END",
        "CommitmentDiscountType": f"CASE {_COMMITTED} WHEN 'Spend' THEN 'COMMITTED_USAGE_DISCOUNT_DOLLAR_BASE' "
        "WHEN 'Usage' THEN 'COMMITTED_USAGE_DISCOUNT' END",
        "CommitmentDiscountUnit": f"CASE {_COMMITTED} WHEN 'Spend' THEN \"currency\" WHEN 'Usage' THEN {unit} END",
        "ConsumedQuantity": f"CASE WHEN {_CATEGORY} = 'Usage' THEN \"usage.amount\" END",
        "ConsumedUnit": f"CASE WHEN {_CATEGORY} = 'Usage' AND \"usage.amount\" IS NOT NULL "
        "THEN coalesce(\"usage.unit\", 'Units') END",
        "ContractedCost": 'coalesce("cost_at_effective_price_default", "cost")',
        "ContractedUnitPrice": f"CASE WHEN {_METERED} THEN "
        'coalesce("price.effective_price_default", "price.effective_price") END',
        "EffectiveCost": billed,
        "InvoiceIssuerName": "'Google Cloud'",
        "ListCost": 'coalesce("cost_at_list", "cost")',
        "ListUnitPrice": f'CASE WHEN {_METERED} THEN "price.list_price" END',
        "PricingCategory": f"CASE WHEN {_CATEGORY} <> 'Usage' THEN NULL WHEN {_COMMITTED} IS NOT NULL THEN 'Committed' "
        "WHEN regexp_matches(\"sku.description\", '(?i)^(spot|preemptible) ') THEN 'Dynamic' ELSE 'Standard' END",
        "PricingCurrency": 'upper(trim("currency"))',
        "PricingQuantity": f"CASE WHEN {_METERED} THEN {quantity} END",
        "PricingUnit": f"CASE WHEN {_METERED} THEN {unit} END",
        "ProviderName": "'Google Cloud'",
        "PublisherName": PUBLISHER_NAME,
        "RegionId": '"location.region"',
        "RegionName": '"location.region"',
        "ResourceId": resource,
        "ResourceName": 'nullif(regexp_extract(coalesce("resource.name", "resource.global_name"), '
        "'([^/]+)/?$', 1), '')",
        "ResourceType": f"CASE WHEN {resource} IS NOT NULL THEN coalesce(nullif(regexp_extract("
        f"{resource}, '([^/]+)/[^/]+/?$', 1), ''), \"service.description\") END",
        "ServiceCategory": _service(0),
        "ServiceName": '"service.description"',
        "ServiceSubcategory": _service(1),
        "SkuId": f'CASE WHEN {_METERED} THEN "sku.id" END',
        "SkuMeter": f'CASE WHEN {_METERED} THEN "sku.description" END',
        "SkuPriceId": f'CASE WHEN {_METERED} THEN "sku.id" END',
        "SubAccountId": '"project.id"',
        "SubAccountName": 'CASE WHEN "project.id" IS NOT NULL THEN "project.name" END',
        "SubAccountType": "CASE WHEN \"project.id\" IS NOT NULL THEN 'Project' END",
        "Tags": '"labels"',
    }
