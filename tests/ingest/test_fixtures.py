"""Every billing file of third parties: taken in with the rows and sums of plain csv and decimal, or refused."""

from __future__ import annotations

import ast
import csv
import gzip
import json
import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from tests_ingest import ask

from finops_kit.ingest import ingest_paths

EA, GCP = "azure_ea/sample-anonymous-ea-export-dataset.csv", "nise/gcp/202609_"
#: file -> format, column of the cost, of the currency, of the credits
TAKEN = {
    EA: ("azure-actual", "CostInBillingCurrency", "BillingCurrencyCode", None),
    "azure_headers/Enterprise.csv": ("azure-actual", "CostInBillingCurrency", "BillingCurrencyCode", None),
    "azure_headers/EnterpriseCamel.csv": ("azure-actual", "costInBillingCurrency", "billingCurrency", None),
    "azure_headers/PayAsYouGo.csv": ("azure-actual", "PreTaxCost", "Currency", None),
    "finops_toolkit/azure_ea/EA_ActualCost_Small.csv": ("azure-actual", "Cost", "BillingCurrency", None),
    "finops_toolkit/azure_ea/EA_AmortizedCost_Small.csv": ("azure-amortized", "Cost", "BillingCurrency", None),
    "nise/azure/costreport_53df794c-80a6-4853-9589-2ca2785c274d.csv": (
        "azure-actual", "CostInBillingCurrency", "BillingCurrency", None),
    "nise/azure/costreport_6cce14eb-723e-4db6-ba68-c8bccc57444c.csv": (
        "azure-actual", "CostInBillingCurrency", "BillingCurrency", None),
    f"{GCP}2a3404f6-e0ec-48d9-b019-fa1430f728c4_2026-09-01_2026-09-30.csv.gz": (
        "gcp-billing", "cost", "currency", "credits"),
    f"{GCP}a06d8c75-6378-4ccb-a169-2991155d6509_2026-09-01_2026-09-30.csv.gz": (
        "gcp-billing", "cost", "currency", "credits"),
}  # fmt: skip
#: file -> what the refusal says
REFUSED = {
    "azure_headers/BOM.csv": "PreTaxCost: mandatory, but empty",
    "azure_headers/MissingBrackets.csv": "'BillingCurrency' is not in the header",
    "azure_headers/Template.csv": "'BillingCurrency' is not in the header",
    "azure_headers/VirtualMachine.csv": "'BillingCurrency' is not in the header",
    "finops_toolkit/azure_ea/EA_NoRows.csv": "has a header but no rows",
    "nise/azure/costreport_42bb9097-0717-41b3-8a42-2f7cdcbbdba2.csv": "has a header but no rows",
    "nise/azure/costreport_47e307dc-541a-4f16-a017-57962b91f831.csv": "has a header but no rows",
    "aws_cur2/aws_cost_report.csv": "line_item_unblended_cost: mandatory, but empty",
}


def rows_of(path: Path) -> list[dict[str, str]]:
    if path.suffix == ".gz":
        with gzip.open(path, "rt", newline="", encoding="utf-8-sig") as stream:
            return list(csv.DictReader(stream))
    with path.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream))


def credits_of(text: str) -> Decimal:
    try:
        found = json.loads(text, parse_float=Decimal)
    except ValueError:
        found = ast.literal_eval(re.sub(r"('amount': )([-0-9.e]+)", r"\1'\2'", text))
    return sum((Decimal(one["amount"]) for one in found), Decimal(0))


@pytest.mark.parametrize("name", TAKEN)
def test_rows_and_sums_are_those_of_the_file(store, fixtures_folder, name):
    known, cost, currency, credits = TAKEN[name]
    totals: dict[str, Decimal] = defaultdict(Decimal)
    rows = rows_of(fixtures_folder / name)
    for row in rows:
        totals[row[currency]] += Decimal(row[cost]) + (credits_of(row[credits]) if credits else 0)
    report = ingest_paths(store, [fixtures_folder / name]).files[0]
    assert (report.format, report.status, report.rows_read, report.rows_stored) == (
        known, "stored", len(rows), len(rows))  # fmt: skip
    amortised = known == "azure-amortized"
    column = "EffectiveCost" if amortised else "BilledCost"
    stored = ask(store, f'SELECT "BillingCurrency", sum("{column}") FROM charge_history GROUP BY ALL')
    assert dict(stored) == dict(totals)
    assert ask(store, "SELECT count(*) FROM charge") == [(0 if amortised else len(rows),)]
    assert ingest_paths(store, [fixtures_folder / name]).files[0].status == "unchanged"
    assert ask(store, "SELECT count(*) FROM charge_history") == [(len(rows),)]


def test_what_cannot_be_added_up_is_refused(store, fixtures_folder):
    reports = ingest_paths(store, [fixtures_folder / name for name in REFUSED]).files
    for report, (name, reason) in zip(reports, REFUSED.items(), strict=True):
        assert (name, report.status) == (name, "refused") and reason in report.reason
    assert ask(store, "SELECT count(*) FROM charge_history") == [(0,)]


def test_every_bill_has_its_place_here(fixtures_folder):
    folders = ("azure_ea", "azure_headers", "finops_toolkit/azure_ea", "nise/azure", "nise/gcp", "aws_cur2")
    found = {
        path.relative_to(fixtures_folder).as_posix() for one in folders for path in (fixtures_folder / one).iterdir()
    }
    assert found == {*TAKEN, *REFUSED}


def test_an_invoice_month_is_the_billing_period(store, fixtures_folder):
    name = next(name for name in TAKEN if name.startswith(f"{GCP}2a34"))
    expected: dict[str, int] = defaultdict(int)
    for row in rows_of(fixtures_folder / name):
        expected[row["invoice.month"]] += 1
    ingest_paths(store, [fixtures_folder / name])
    months = ask(store, "SELECT strftime(\"BillingPeriodStart\", '%Y%m'), count(*) FROM charge GROUP BY ALL")
    assert dict(months) == dict(expected) and len(expected) == 2
