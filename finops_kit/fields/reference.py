"""The tables of reference data: of what a file says whole each time, the newest complete delivery is current."""

from __future__ import annotations

from finops_kit.fields.types import BATCH, COUNT, DAY, MONEY, QUANTITY, ROW, TEXT, Field, Table

ASSET = Table(
    "asset",
    "one row per asset of the on-premises register",
    (
        Field("asset_id", TEXT, "Unique id.", required=True),
        Field("asset_name", TEXT, "Display name."),
        Field("asset_class", TEXT, "server, storage, network, facility ..."),
        Field("data_centre", TEXT, "Where it stands."),
        Field("resource_id", TEXT, "resource_id of its observations and charges."),
        Field("service_id", TEXT, "Service it carries."),
        Field("owner_team", TEXT, "Team that answers for it."),
        Field("criticality", TEXT, "As the register says."),
        Field("acquired_on", DAY, "Start of depreciation."),
        Field("support_ends_on", DAY, "End of support."),
        Field("decommissioned_on", DAY, "Null while it runs."),
        Field("acquisition_cost", MONEY, "What it cost.", "currency"),
        Field("salvage_value", MONEY, "What remains at the end of its life.", "currency"),
        Field("life_months", COUNT, "Useful life.", "months"),
        Field("power_kw", QUANTITY, "Power drawn.", "kW"),
        Field("vcpu", QUANTITY, "Capacity.", "vCPU"),
        Field("memory_gib", QUANTITY, "Capacity.", "GiB"),
        Field("storage_gib", QUANTITY, "Capacity.", "GiB"),
        Field("currency", TEXT, "Currency of the amounts."),
        BATCH,
        ROW,
    ),
)

CMDB_ITEM = Table(
    "cmdb_item",
    "one row per configuration item and the time it was so",
    (
        Field("ci_id", TEXT, "Unique id.", required=True),
        Field("ci_name", TEXT, "Display name."),
        Field("ci_class", TEXT, "service, application, server, account, namespace ..."),
        Field("resource_id", TEXT, "resource_id, SubAccountId or namespace that it stands for."),
        Field("service_id", TEXT, "Service it belongs to."),
        Field("service_name", TEXT, "Display name of the service."),
        Field("product", TEXT, "Product of the service."),
        Field("team", TEXT, "Team that answers for it."),
        Field("cost_center", TEXT, "Cost centre, kept as text."),
        Field("business_unit", TEXT, "Business unit."),
        Field("environment", TEXT, "prod, test ..."),
        Field("criticality", TEXT, "As the CMDB says."),
        Field("valid_from", DAY, "First day it was so."),
        Field("valid_to", DAY, "First day it was no longer so; null while it is."),
        BATCH,
        ROW,
    ),
)

BUDGET = Table(
    "budget",
    "one row per month and owner",
    (
        Field("month", DAY, "First day of the month.", required=True),
        Field("dimension", TEXT, "What it is for: service_id, team, cost_center, total."),
        Field("member", TEXT, "Which one."),
        Field("amount", MONEY, "Budgeted EffectiveCost.", "currency", required=True),
        Field("currency", TEXT, "ISO 4217.", required=True),
        BATCH,
        ROW,
    ),
)

BUSINESS_METRIC = Table(
    "business_metric",
    "one row per day or month, metric and owner",
    (
        Field("period_start", DAY, "First day.", required=True),
        Field("period_grain", TEXT, "day or month."),
        Field("metric", TEXT, "requests, orders, customers, revenue, active_tenants ...", required=True),
        Field("service_id", TEXT, "Service; empty for the whole house."),
        Field("tenant", TEXT, "Tenant or customer; empty for all."),
        Field("value", QUANTITY, "The figure.", "unit", required=True),
        Field("unit", TEXT, "requests, EUR ..."),
        BATCH,
        ROW,
    ),
)

CONTRACT = Table(
    "contract",
    "one row per contract with a provider",
    (
        Field("contract_id", TEXT, "Unique id.", required=True),
        Field("provider_name", TEXT, "ProviderName of its charges."),
        Field("contract_name", TEXT, "Display name."),
        Field("starts_on", DAY, ""),
        Field("ends_on", DAY, "First day after it."),
        Field("notice_days", COUNT, "Notice to give before the end.", "days"),
        Field("annual_commitment", MONEY, "Committed spend a year.", "currency"),
        Field("discount_pct", QUANTITY, "Negotiated discount on list price.", "%"),
        Field("currency", TEXT, "ISO 4217."),
        BATCH,
        ROW,
    ),
)

EXCHANGE_RATE = Table(
    "exchange_rate",
    "one row per month and pair",
    (
        Field("month", DAY, "First day of the month it holds for.", required=True),
        Field("from_currency", TEXT, "ISO 4217.", required=True),
        Field("to_currency", TEXT, "ISO 4217.", required=True),
        Field("rate", QUANTITY, "to_currency for one from_currency.", "", required=True),
        Field("rate_source", TEXT, "Who published it."),
        BATCH,
        ROW,
    ),
)

TAG_RULE = Table(
    "tag_rule",
    "one row per rule about tags, as a rule file says it",
    (
        Field("kind", TEXT, "key, value, case, prefix or required.", required=True),
        Field("dimension", TEXT, "The governed tag: service_id, team ...; empty for a prefix.", required=True),
        Field("spelling", TEXT, "What is spelled otherwise: a key, a value, a prefix; empty for case and required."),
        Field("meaning", TEXT, "value: the governed value; key: read or ignore; case: lower, upper or keep; "
              "prefix: keep or drop; required: yes."),
        Field("valid_from", DAY, "First day of charges that it holds for; null for all before valid_to."),
        Field("valid_to", DAY, "First day that it no longer holds for; null while it does."),
        Field("place", COUNT, "Place in the file, from 1: of two rules the earlier one stands."),
        Field("reason", TEXT, "Why, as the file says."),
        BATCH,
        ROW,
    ),
)  # fmt: skip

INVOICE = Table(
    "invoice",
    "one row per invoice of the register: what a provider asks to be paid",
    (
        Field("invoice_id", TEXT, "Its number; InvoiceId of the charges that it is for.", required=True),
        Field("provider_name", TEXT, "ProviderName of its charges.", required=True),
        Field("billing_account_id", TEXT, "BillingAccountId of its charges, kept as text.", required=True),
        Field("month", DAY, "First day of the billing month.", required=True),
        Field("amount", MONEY, "What it asks for.", "currency", required=True),
        Field("currency", TEXT, "ISO 4217.", required=True),
        Field("issued_on", DAY, "Date of the invoice."),
        BATCH,
        ROW,
    ),
)

PRICE_LIST = Table(
    "price_list",
    "one row per SKU of a provider's price list and the time it holds",
    (
        Field("provider_name", TEXT, "ProviderName of its charges.", required=True),
        Field("sku", TEXT, "SkuPriceId or SkuId of the bill, or the SKU that an inventory names.", required=True),
        Field("service_name", TEXT, "ServiceName of its charges."),
        Field("unit", TEXT, "PricingUnit.", required=True),
        Field("currency", TEXT, "ISO 4217.", required=True),
        Field("list_price", MONEY, "Public price of a unit.", "currency"),
        Field("contracted_price", MONEY, "Negotiated price of a unit.", "currency"),
        Field("valid_from", DAY, "First day it holds; open where empty."),
        Field("valid_to", DAY, "First day it no longer holds; open where empty."),
        BATCH,
        ROW,
    ),
)

#: reference data: the newest complete delivery of a file's kind is current
REFERENCE_TABLES = (ASSET, CMDB_ITEM, BUDGET, BUSINESS_METRIC, CONTRACT, EXCHANGE_RATE, TAG_RULE, INVOICE, PRICE_LIST)
