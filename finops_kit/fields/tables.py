"""The tables of the store, column by column. All are insert-only; every row names its batch."""

from __future__ import annotations

from finops_kit.fields.focus import FOCUS_FIELDS
from finops_kit.fields.types import (
    CHANGES,
    COUNT,
    DAY,
    FLAG,
    MONEY,
    QUANTITY,
    TAGS,
    TEXT,
    TEXTS,
    TIME,
    Field,
    Table,
)

BATCH = Field("batch_id", TEXT, "The batch that brought the row; see the ledger.", required=True)
ROW = Field("source_row", COUNT, "Row in the source file: 1 is the first after the header.", required=True)

CHARGE = Table(
    "charge",
    "one row per line of a delivered bill, FOCUS columns",
    (
        *FOCUS_FIELDS,
        Field("x_Columns", TAGS, "Provider columns that FOCUS has no place for, as text."),
        Field("source_system", TEXT, "Where the bill came from: the format's family, such as focus or aws-cur."),
        BATCH,
        ROW,
    ),
)

RESOURCE_SNAPSHOT = Table(
    "resource_snapshot",
    "one observation of one resource by one source",
    (
        Field("snapshot_id", TEXT, "SHA-256 over what was observed, so the same observation has the same id."),
        Field("resource_id", TEXT, "The provider's id, kept as text.", required=True),
        Field("resource_name", TEXT, "Display name."),
        Field("source_system", TEXT, "Who observed it: kubernetes, cmdb, vsphere, aws ...", required=True),
        Field("source_sequence", TEXT, "The source's own sequence where it has one; equality only."),
        Field("observed_at", TIME, "When it was seen.", "UTC", required=True),
        Field("presence", TEXT, "present or absent.", required=True),
        Field("scope", TEXT, "What the observation looked at; the scope of its row in observation_scope."),
        Field("kind", TEXT, "node, pod, deployment, machine, disk, volume, database ...", required=True),
        Field("provider_name", TEXT, "ProviderName of the charges that this resource causes."),
        Field("region_id", TEXT, "Region or data centre."),
        Field("account_id", TEXT, "SubAccountId it belongs to."),
        Field("cluster", TEXT, "Kubernetes cluster."),
        Field("namespace", TEXT, "Kubernetes namespace."),
        Field("owner_id", TEXT, "resource_id of what it belongs to: replica set to deployment, volume to machine."),
        Field("power_state", TEXT, "running, stopped, attached, available, Pending ..."),
        Field("sku", TEXT, "Instance type, disk class."),
        Field("vcpu", QUANTITY, "Processors: capacity of a machine, request of a pod.", "vCPU"),
        Field("memory_gib", QUANTITY, "Memory: capacity of a machine, request of a pod.", "GiB"),
        Field("storage_gib", QUANTITY, "Storage.", "GiB"),
        Field("replicas", QUANTITY, "Replicas wanted.", "replicas"),
        Field("gpu", QUANTITY, "Graphics processors.", "GPU"),
        Field("usage_vcpu", QUANTITY, "Mean processors in use, where the source says so; a derivation.", "vCPU"),
        Field("tags", TAGS, "Labels or tags, keys as the source spells them."),
        Field("attributes", TEXT, "What else the source says, JSON."),
        BATCH,
        ROW,
    ),
)

PLATFORM_EVENT = Table(
    "platform_event",
    "one notice of the platform that something was scaled: a Kubernetes Event, an autoscaler's log line",
    (
        Field("event_id", TEXT, "SHA-256 over what was said, so the same notice has the same id."),
        Field("source_system", TEXT, "Who said it: kubernetes ...", required=True),
        Field("happened_at", TIME, "When it happened, as the platform says.", "UTC", required=True),
        Field("resource_id", TEXT, "resource_id of what it is about.", required=True),
        Field("cluster", TEXT, "Kubernetes cluster."),
        Field("namespace", TEXT, "Kubernetes namespace."),
        Field("reason", TEXT, "ScalingReplicaSet, SuccessfulRescale, TriggeredScaleUp ...", required=True),
        Field("message", TEXT, "The platform's sentence."),
        Field("reported_by", TEXT, "Component that said it: deployment-controller, cluster-autoscaler ..."),
        BATCH,
        ROW,
    ),
)

USAGE_SAMPLE = Table(
    "usage_sample",
    "one measured value of one resource at one time; a derivation, never a source of states",
    (
        Field("resource_id", TEXT, "resource_id of what was measured, where the source says it."),
        Field("resource_name", TEXT, "Its name otherwise: a pod, a node, a volume claim."),
        Field("cluster", TEXT, "Kubernetes cluster."),
        Field("namespace", TEXT, "Kubernetes namespace."),
        Field("metric", TEXT, "vcpu, memory_gib, or the source's own name.", required=True),
        Field("unit", TEXT, "Unit of the value."),
        Field("measured_at", TIME, "When.", "UTC", required=True),
        Field("value", QUANTITY, "The figure.", "unit", required=True),
        Field("measured_by", TEXT, "Who measured: prometheus ..."),
        BATCH,
        ROW,
    ),
)

OBSERVATION_SCOPE = Table(
    "observation_scope",
    "one row per batch of observations: what it looked at, and from when on nobody looked",
    (
        Field("source_system", TEXT, "Who observed."),
        Field("scope", TEXT, "What was looked at, such as cluster/kind."),
        Field("observed_at", TIME, "When.", "UTC"),
        Field(
            "complete", FLAG, "Whether what is missing here is absent (true) or unknown (false); null: no more seen."
        ),
        BATCH,
    ),
)

DELIVERY = Table(
    "delivery",
    "one row per batch and billing account and period that it delivers",
    (
        Field("source_system", TEXT, "The bill's source."),
        Field("billing_account_id", TEXT, "BillingAccountId; empty for data that is no bill."),
        Field("period_start", TIME, "BillingPeriodStart; null for data that has no period.", "UTC"),
        Field("dataset", TEXT, "charge, or the reference table it fills."),
        Field("mode", TEXT, "replace: newest is current; append: adds to the current one; see docs/deliveries.md."),
        Field("rows", COUNT, "Rows of this delivery."),
        Field("billed_cost", TEXT, "Sum of BilledCost per currency, JSON of decimals as text."),
        BATCH,
    ),
)

QUARANTINE = Table(
    "quarantine",
    "one row per source row that could not be stored",
    (
        Field("source_file", TEXT, "The file as it was named."),
        ROW,
        Field("column_name", TEXT, "The column at fault; null where the whole row is."),
        Field("reason", TEXT, "What is wrong and what was expected."),
        Field("raw", TEXT, "The row as it came."),
        BATCH,
    ),
)

LEDGER = Table(
    "ledger",
    "one entry per batch",
    (
        Field("entry", COUNT, "Place in the chain, from 1."),
        BATCH,
        Field("kind", TEXT, "ingest, report, compact ..."),
        Field("format", TEXT, "The source's format."),
        Field("source_file", TEXT, "The file as it was named."),
        Field("source_hash", TEXT, "SHA-256 of the source file."),
        Field("source_bytes", COUNT, "Its size.", "bytes"),
        Field("rows_read", COUNT, "Rows read; always stored + quarantined."),
        Field("rows_stored", COUNT, "Rows stored."),
        Field("rows_quarantined", COUNT, "Rows quarantined."),
        Field("control_totals", TEXT, "BilledCost per currency as the source says it: stored + remainder; JSON."),
        Field("remainders", TEXT, "What the stored scale cut off per currency, JSON; empty where nothing was."),
        Field("actor", TEXT, "Who ran it."),
        Field("started_at", TIME, "When the batch began.", "UTC"),
        Field("recorded_at", TIME, "When the store learned it: known time.", "UTC"),
        Field("kit_version", TEXT, "Version of this package."),
        Field("details", TEXT, "What else is known of the batch, JSON."),
        Field("data_files", TEXT, "Data files written, JSON: table, path, bytes, sha256."),
        Field("previous_hash", TEXT, "entry_hash of the entry before."),
        Field("entry_hash", TEXT, "SHA-256 over all the columns above."),
    ),
)

REPORT_RUN = Table(
    "report_run",
    "one row per perspective of a report run",
    (
        Field("run_id", TEXT, "The run; all its perspectives share it."),
        Field("perspective", TEXT, "engineering, product ..."),
        Field("store_version", COUNT, "The version that it read."),
        Field("ledger_head", TEXT, "entry_hash of the ledger's head at that version."),
        Field("parameters", TEXT, "JSON."),
        Field("code_version", TEXT, "Version of this package."),
        Field("grand_total", MONEY, "EffectiveCost that the page adds up to.", "currency"),
        Field("currency", TEXT, "Currency of grand_total."),
        Field("page_hash", TEXT, "SHA-256 of the page."),
        Field(
            "results_hash", TEXT, "SHA-256 over the result tables, words and figures; the same for the same reading."
        ),
        Field("started_at", TIME, "", "UTC"),
        Field("finished_at", TIME, "", "UTC"),
        Field("ledger_size", COUNT, "Ledger entries at that version, as the page prints them."),
        Field("ledger_root", TEXT, "Merkle root over them, as the page prints it."),
        Field("ledger_signed_by", TEXT, "Log id of the signed head of that root; empty where it was not signed."),
        BATCH,
    ),
)

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

MONTH_CLOSE = Table(
    "month_close",
    "one row per act of a monthly close: a person prepared a month, or signed it off",
    (
        Field("act", TEXT, "prepared or signed off."),
        Field("month", DAY, "First day of the billing month."),
        Field("person", TEXT, "Who."),
        Field("acted_at", TIME, "When.", "UTC"),
        Field("store_version", COUNT, "The version whose figures were looked at."),
        Field("ledger_head", TEXT, "entry_hash of the ledger's head at that version."),
        Field("grand_total", MONEY, "EffectiveCost of the month as the pages showed it.", "currency"),
        Field("currency", TEXT, "Currency of grand_total."),
        Field("totals", TEXT, "BilledCost by account: files, store, invoice, what was open; JSON."),
        Field("differences", COUNT, "Accounts that did not agree."),
        Field("reason", TEXT, "Why differences were accepted."),
        BATCH,
    ),
)

STATE_RUN = Table(
    "state_run",
    "derived: one unbroken run of equal observations of a resource, as one derivation made it",
    (
        Field("resource_id", TEXT, "The resource.", required=True),
        Field("first_seen_at", TIME, "First observation of the run.", "UTC", required=True),
        Field("last_seen_at", TIME, "Last observation of the run.", "UTC", required=True),
        Field("carried_to", TIME, "Until when the state is carried on after that.", "UTC", required=True),
        Field("next_from", TIME, "First observation of the next run; null for the last.", "UTC"),
        Field("observations", COUNT, "Observations in the run."),
        Field("resource_name", TEXT, "Display name, as first seen in the run."),
        Field("source_system", TEXT, "Who saw it last."),
        Field("scope", TEXT, "What that look looked at."),
        *(RESOURCE_SNAPSHOT.field(name) for name in (
            "presence", "kind", "provider_name", "region_id", "account_id", "cluster", "namespace", "owner_id",
            "power_state", "sku", "vcpu", "memory_gib", "storage_gib", "replicas", "gpu", "usage_vcpu", "tags",
            "attributes")),
        Field("changes", CHANGES, "Capacity that changed between the last time it was known and this run."),
        Field("seen_in", TEXTS, "Every source and scope that ever saw it; on the last run only."),
        Field("lost", FLAG, "On the last run: a capacity was known once and is not now."),
        Field("replaces_from", TIME, "On one row per resource: what older segments say from here on no longer holds.",
              "UTC"),
        Field("segment", COUNT, "Ledger entry of the derivation that wrote the row."),
        BATCH,
    ),
)  # fmt: skip

DERIVATION = Table(
    "derivation",
    "one row per batch that derived runs: which segments of state_run are read from then on",
    (
        Field("segment", COUNT, "The segment that it wrote: its ledger entry."),
        Field("covers_from", COUNT, "Segments from this one on are merged into it and no longer read."),
        Field("rows", COUNT, "Rows of the segment."),
        Field("files", TEXT, "Its data files below the data folder, JSON; empty where they are encrypted."),
        Field("rule_version", TEXT, "Version of the rules that made it."),
        BATCH,
    ),
)

#: reference data: the newest complete delivery of a file's kind is current
REFERENCE_TABLES = (ASSET, CMDB_ITEM, BUDGET, BUSINESS_METRIC, CONTRACT, EXCHANGE_RATE, TAG_RULE, INVOICE, PRICE_LIST)

#: every table of the store
TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        CHARGE,
        RESOURCE_SNAPSHOT,
        PLATFORM_EVENT,
        USAGE_SAMPLE,
        OBSERVATION_SCOPE,
        DELIVERY,
        QUARANTINE,
        LEDGER,
        REPORT_RUN,
        MONTH_CLOSE,
        STATE_RUN,
        DERIVATION,
        *REFERENCE_TABLES,
    )
}
