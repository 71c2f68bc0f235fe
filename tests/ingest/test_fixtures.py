"""Every file of third parties: taken in with the rows and sums of plain csv, json and decimal, or refused."""

from __future__ import annotations

import ast
import csv
import gzip
import json
import os
import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest
from tests_ingest import ask

from finops_kit.ingest import ingest_paths
from finops_kit.settings import Workspace
from finops_kit.store import create_store

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("FINOPS_FIXTURES") or ROOT.parent / "shared" / "fixtures")
FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file())

AZURE = ("azure-actual", "CostInBillingCurrency", "BillingCurrency", None)
CUR = ("aws-cur", "lineItem/UnblendedCost", "lineItem/CurrencyCode", None)
FOCUS = ("BilledCost", "BillingCurrency", None)
GCP = ("gcp-billing", "cost", "currency", "credits")
#: bill (as a pattern) -> format, column of the cost, of the currency, of the credits
BILLS = {
    r"focus_1.0/focus_sample.csv": ("focus-1.0", *FOCUS),
    r"validator_probe/(pass|bad)_1row(_str|_tsz?)?[.](csv|parquet)": ("focus-1.2", *FOCUS),
    r"aws_cur/.*[.]csv|nise/aws/September-2026-None.csv.gz": CUR,
    r"azure_ea/sample-anonymous-ea-export-dataset.csv|azure_headers/Enterprise.csv": (
        "azure-actual", "CostInBillingCurrency", "BillingCurrencyCode", None),
    r"azure_headers/EnterpriseCamel.csv": ("azure-actual", "costInBillingCurrency", "billingCurrency", None),
    r"azure_headers/PayAsYouGo.csv": ("azure-actual", "PreTaxCost", "Currency", None),
    r"finops_toolkit/azure_ea/EA_ActualCost_Small.csv": ("azure-actual", "Cost", "BillingCurrency", None),
    r"finops_toolkit/azure_ea/EA_AmortizedCost_Small.csv": ("azure-amortized", "Cost", "BillingCurrency", None),
    r"nise/azure/costreport_(53df794c|6cce14eb).*[.]csv": AZURE,
    r"nise/gcp/202609_.*[.]csv.gz": GCP,
}  # fmt: skip
#: inventory (as a pattern) -> format
OBSERVED = {
    r"k8s/.*[.]json": "kubernetes",
    r"rvtools/.*[.]xlsx": "rvtools",
}
#: file (as a pattern) -> what the refusal says; looked at first
REFUSED = {
    r"MANIFEST.md": "in no known format",
    r"azure_headers/BOM.csv": "PreTaxCost: mandatory, but empty",
    r"azure_headers/(MissingBrackets|Template|VirtualMachine).csv": "'BillingCurrency' is not in the header",
    r"finops_toolkit/azure_ea/EA_NoRows.csv|nise/aws/October-2026-None.csv.gz": "has a header but no rows",
    r"nise/azure/costreport_(42bb9097|47e307dc).*[.]csv": "has a header but no rows",
    r"aws_cur2/aws_cost_report.csv": "line_item_unblended_cost: mandatory, but empty",
    r"finops_toolkit/open_data/.*[.]csv": "in no known format",
    r"finops_toolkit/dataset_metadata/.*[.]json": "is JSON, but",
    r"nise/ocp/.*[.]csv.gz": "in no known format",
    r"k8s/.*[.]log|k8s/insights_operator/config/metrics": "in no known format",
    r"k8s/insights_operator/config/podnetworkconnectivitychecks.json": "is JSON, but",
}


def _of(table: dict, name: str):
    return next((value for pattern, value in table.items() if re.fullmatch(pattern, name)), None)


def rows_of(path: Path) -> list[dict[str, str]]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
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


def objects_of(path: Path) -> int:
    if path.suffix == ".xlsx":
        book = openpyxl.load_workbook(path, read_only=True)
        tabs = [list(book[tab].iter_rows(min_row=2, values_only=True)) for tab in ("vInfo", "vHost", "vDisk")]
        return sum(any(value is not None for value in row) for rows in tabs for row in rows)
    found = json.loads(path.read_text(encoding="utf-8"))
    return len(found["items"]) if "items" in found else 1


@pytest.fixture(scope="module")
def everything(tmp_path_factory, fixtures_folder):
    """All of them in one store, and what became of each."""
    workspace = Workspace(tmp_path_factory.mktemp("fixtures") / "workspace")
    create_store(workspace)
    reports = ingest_paths(workspace, [FOLDER / name for name in FILES]).files
    stored = {}
    for batch, currency, billed, effective, rows in ask(
        workspace, 'SELECT batch_id, "BillingCurrency", sum("BilledCost"), sum("EffectiveCost"), count(*) '
                   "FROM charge_history GROUP BY ALL"):  # fmt: skip
        stored.setdefault(batch, {})[currency] = (billed, effective, rows)
    return workspace, dict(zip(FILES, reports, strict=True)), stored


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_taken_in_or_refused(everything, name):
    _, reports, stored = everything
    report, path = reports[name], FOLDER / name
    if reason := _of(REFUSED, name):
        assert report.status == "refused" and reason in report.reason
        assert report.batch_id is None
        return
    if known := _of(OBSERVED, name):
        expected = objects_of(path)
        assert (report.format, report.status, report.rows_read, report.rows_stored, report.rows_quarantined) == (
            known, "stored", expected, expected, 0)  # fmt: skip
        return
    bill = _of(BILLS, name)
    assert bill, f"{name} is new here: say what should become of it"
    known, cost, currency, credits = bill
    totals: dict[str, Decimal] = defaultdict(Decimal)
    rows = rows_of(path)
    for row in rows:
        totals[row[currency]] += Decimal(row[cost]) + (credits_of(row[credits]) if credits else 0)
    assert (report.format, report.status, report.rows_read, report.rows_stored) == (
        known, "stored", len(rows), len(rows))  # fmt: skip
    found = stored[report.batch_id]
    kind = 1 if known == "azure-amortized" else 0
    assert {one: sums[kind] for one, sums in found.items()} == dict(totals)
    assert sum(sums[2] for sums in found.values()) == len(rows)
    if known != "azure-amortized":
        assert report.control_totals == dict(totals)


def test_taken_in_again_nothing_changes(everything):
    workspace, reports, _ = everything
    version = ask(workspace, "SELECT count(*) FROM ledger")
    some = [name for name in FILES if _of(BILLS, name) and not _of(REFUSED, name)]
    again = ingest_paths(workspace, [FOLDER / name for name in some]).files
    assert {report.status for report in again} == {"unchanged"}
    assert ask(workspace, "SELECT count(*) FROM ledger") == version
    assert any(reports[name].format == "azure-amortized" for name in some)
    assert ask(workspace, "SELECT count(*) FROM charge WHERE source_system = 'azure-amortized'") == [(0,)]


def test_an_invoice_month_is_the_billing_period(everything):
    workspace, reports, _ = everything
    name = next(name for name in FILES if name.startswith("nise/gcp/202609_2a34"))
    expected: dict[str, int] = defaultdict(int)
    for row in rows_of(FOLDER / name):
        expected[row["invoice.month"]] += 1
    months = ask(workspace, "SELECT strftime(\"BillingPeriodStart\", '%Y%m'), count(*) FROM charge_history "
                            f"WHERE batch_id = '{reports[name].batch_id}' GROUP BY ALL")  # fmt: skip
    assert dict(months) == dict(expected) and len(expected) == 2


def test_a_month_of_a_report_is_the_month_of_its_rows(everything):
    workspace, reports, _ = everything
    for name in FILES:
        if _of(BILLS, name) != CUR or _of(REFUSED, name):
            continue
        expected: dict[str, Decimal] = defaultdict(Decimal)
        for row in rows_of(FOLDER / name):
            expected[row["bill/BillingPeriodStartDate"][:7]] += Decimal(row["lineItem/UnblendedCost"])
        found = ask(workspace, 'SELECT strftime("BillingPeriodStart", \'%Y-%m\'), sum("BilledCost") '
                               f"FROM charge_history WHERE batch_id = '{reports[name].batch_id}' "
                               "GROUP BY ALL")  # fmt: skip
        assert dict(found) == dict(expected)


def test_parquet_probes_say_the_same_as_the_text(everything):
    workspace, reports, _ = everything
    batches = [report.batch_id for name, report in reports.items() if name.startswith("validator_probe/pass_")]
    assert len(batches) == 4
    rows = (f"SELECT * EXCLUDE (batch_id, recorded_at, source_file) FROM charge_history "
            f"WHERE batch_id IN ({', '.join(map(repr, batches))})")  # fmt: skip
    assert ask(workspace, f"SELECT count(DISTINCT t), count(*) FROM ({rows}) t") == [(1, 4)]


def test_the_odd_things_of_the_focus_sample(everything):
    workspace, reports, _ = everything
    row = ask(workspace, f"""SELECT count(*) FILTER ("ResourceId" IS NULL),
        count(*) FILTER ("BilledCost" <> 0 AND "EffectiveCost" = 0), count(*) FILTER (length("BillingAccountId") = 13),
        count(*) FILTER ("x_Columns"['Id'] IS NOT NULL),
        count(*) FILTER (len(list_filter(map_keys("Tags"), lambda k: k <> trim(k))) > 0)
        FROM charge_history WHERE batch_id = '{reports["focus_1.0/focus_sample.csv"].batch_id}'""")[0]  # fmt: skip
    assert row == (75, 610, 942, 1000, 0)


def test_the_events_of_the_cluster_dumps_are_kept(everything):
    assert ask(everything[0], "SELECT count(*) FROM platform_event") == [(2,)]
