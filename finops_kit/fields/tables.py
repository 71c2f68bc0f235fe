"""The tables of the store, column by column: bills and the ledger here, what is observed and reference data beside it.

All are insert-only; every row names its batch.
"""

from __future__ import annotations

from finops_kit.fields.focus import FOCUS_FIELDS
from finops_kit.fields.observed import (
    DERIVATION,
    OBSERVATION_SCOPE,
    PLATFORM_EVENT,
    RESOURCE_SNAPSHOT,
    STATE_RUN,
    USAGE_SAMPLE,
)
from finops_kit.fields.reference import REFERENCE_TABLES
from finops_kit.fields.types import BATCH, COUNT, DAY, MONEY, ROW, TAGS, TEXT, TIME, Field, Table

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

#: what makes two lines of two deliveries the same line: nothing that finalisation changes
LINE_KEY = (
    "BillingCurrency", "ChargeClass", "ChargeCategory", "ChargePeriodStart", "ChargePeriodEnd", "ResourceId", "SkuId",
    "SkuPriceId", "SubAccountId", "ServiceName", "RegionId", "ChargeDescription",
)  # fmt: skip

DELIVERY = Table(
    "delivery",
    "one row per batch and billing account and period that it delivers",
    (
        Field("source_system", TEXT, "The bill's source."),
        Field("billing_account_id", TEXT, "BillingAccountId; empty for data that is no bill."),
        Field("period_start", TIME, "BillingPeriodStart; null for data that has no period.", "UTC"),
        Field("dataset", TEXT, "charge, or the reference table it fills."),
        Field("mode", TEXT, "replace, append, instead BATCH, or of a part or a late one: docs/deliveries.md."),
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

MONTH_CLOSE = Table(
    "month_close",
    "one row per act of a monthly close: a person prepared a month, signed it off, or reopened it",
    (
        Field("act", TEXT, "prepared, signed off or reopened."),
        Field("month", DAY, "First day of the billing month."),
        Field("person", TEXT, "Who."),
        Field("acted_at", TIME, "When.", "UTC"),
        Field("store_version", COUNT, "The version whose figures were looked at."),
        Field("ledger_head", TEXT, "entry_hash of the ledger's head at that version."),
        Field("grand_total", MONEY, "EffectiveCost of the month as the pages showed it.", "currency"),
        Field("currency", TEXT, "Currency of grand_total."),
        Field("totals", TEXT, "BilledCost by account: files, store, invoice, what was open; JSON."),
        Field("differences", COUNT, "Accounts that did not agree."),
        Field("reason", TEXT, "Why differences were accepted, or the month reopened."),
        BATCH,
    ),
)

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
