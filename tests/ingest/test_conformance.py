"""Every billing source against the FinOps Foundation's own validator: no rule fails but those that are declared.

Long (a quarter of a minute a source): ``FINOPS_LONG_TESTS=1``. The validator is run by the script
``focus_conformance``, which is found at ``$FINOPS_CONFORMANCE`` or at ``../shared/checks`` beside the checkout.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import test_alibaba as alibaba
import test_aws_lines as aws
import test_azure as azure
import test_gcp as gcp
import test_oci as oci
from test_mappings import EXAMPLES
from tests_ingest import focus_text

from finops_kit.fields import focus_columns
from finops_kit.ingest import ingest_paths
from finops_kit.normalize.gaps import allowed_rules
from finops_kit.store.export import export_focus

ROOT = Path(__file__).resolve().parents[2]
CHECK = Path(os.environ.get("FINOPS_CONFORMANCE") or ROOT.parent / "shared" / "checks" / "focus_conformance")

pytestmark = [
    pytest.mark.skipif(not os.environ.get("FINOPS_LONG_TESTS"), reason="long; set FINOPS_LONG_TESTS=1 to run it"),
    pytest.mark.skipif(not CHECK.is_file(), reason=f"no validator script at {CHECK}; set FINOPS_CONFORMANCE"),
]

FILES = [
    "focus_1.0/focus_sample.csv", "validator_probe/pass_1row.csv", "aws_cur/sample-anonymous-aws-export-dataset.csv",
    "nise/aws/September-2026-None.csv.gz", "azure_ea/sample-anonymous-ea-export-dataset.csv",
    "azure_headers/Enterprise.csv", "azure_headers/EnterpriseCamel.csv", "azure_headers/PayAsYouGo.csv",
    "finops_toolkit/azure_ea/EA_ActualCost_Small.csv", "nise/azure/costreport_53df794c-80a6-4853-9589-2ca2785c274d.csv",
    "nise/azure/costreport_6cce14eb-723e-4db6-ba68-c8bccc57444c.csv",
    "nise/gcp/202609_2a3404f6-e0ec-48d9-b019-fa1430f728c4_2026-09-01_2026-09-30.csv.gz",
    "nise/gcp/202609_a06d8c75-6378-4ccb-a169-2991155d6509_2026-09-01_2026-09-30.csv.gz",
]  # fmt: skip
_CREDIT = {**gcp.TRIAL, "type": "COMMITTED_USAGE_DISCOUNT"}
_AZURE = [
    {}, azure.FEE, azure.COVERED, {**azure.FEE, "ChargeType": "Refund", "CostInBillingCurrency": "-30"},
    {"ChargeType": "RoundingAdjustment", "Frequency": "", "CostInBillingCurrency": "0.000001"},
    {"ChargeType": "Tax", "CostInBillingCurrency": "1.9", "Frequency": "OneTime"},
    {"ChargeType": "Credit", "CostInBillingCurrency": "-7", "Frequency": "OneTime"},
    {**azure.FEE, "PricingModel": "SavingsPlan", "benefitId": azure.PLAN},
]  # fmt: skip


def _of_version(version: str) -> str:
    """A row of one FOCUS version as its providers write it: the columns of that version and no other."""
    probe = {"ChargeDescription": "x", "ChargeFrequency": "Usage-Based", "ContractedCost": "1.5", "ListCost": "2",
             "InvoiceIssuerName": "Nordcloud", "PublisherName": "Nordcloud", "ServiceCategory": "Compute",
             "ServiceProviderName": "Nordcloud", "HostProviderName": "Nordcloud", "PricingCategory": "Standard",
             "PricingQuantity": "1", "PricingUnit": "Hours", "ConsumedQuantity": "1", "ConsumedUnit": "Hours",
             "SkuId": "s", "SkuPriceId": "p", "BillingAccountName": "House", "BillingAccountType": "Account",
             "ServiceSubcategory": "Virtual Machines", "PricingCurrency": "EUR"}  # fmt: skip
    return focus_text(probe, header=list(focus_columns(version)))


MADE = {
    "aws-cur": lambda: aws.report(*({**aws.ROW, **line[0]} for line in aws.LINES)),
    "aws-cur-2.0": lambda: aws.report(*(aws.second({**aws.ROW, **line[0]}, product="{}") for line in aws.LINES)),
    "azure-actual": lambda: azure.bill(*_AZURE),
    "gcp-billing": lambda: "\n".join([
        gcp.line(), gcp.line(credits=[_CREDIT]), gcp.line(cost_type="tax", cost=0.19),
        gcp.line(cost_type="adjustment", cost=-3, adjustment_info={"id": "a", "type": "GENERAL_ADJUSTMENT"}),
        gcp.line(cost_type="rounding_error", cost=0.000001)]),
    "alibaba-bill": lambda: alibaba.bill(*alibaba.LINES),
    "oci-cost": lambda: oci.report({}, {"lineItem/isCorrection": "true", "cost/myCost": "-1E-9"}),
    **{f"focus-{version}": lambda version=version: _of_version(version) for version in ("1.1", "1.3", "1.4")},
}  # fmt: skip


def failing(path: Path, allowed: tuple[str, ...]) -> str:
    """What the validator finds beyond the allowed; empty where it is content."""
    done = subprocess.run(
        [sys.executable, str(CHECK), str(path), "--allow", *allowed], capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr[-2000:]
    return done.stdout if done.returncode else ""


@pytest.mark.parametrize("name", FILES)
def test_a_real_bill(store, fixtures_folder, tmp_path, name):
    found = ingest_paths(store, [fixtures_folder / name]).files[0]
    assert found.status == "stored"
    path = export_focus(store, tmp_path / "out.parquet").path
    assert not failing(path, allowed_rules(found.format))


@pytest.mark.parametrize("name", MADE)
def test_a_bill_of_every_line(store, write, tmp_path, name):
    found = ingest_paths(store, [write("bill.json" if name == "gcp-billing" else "bill.csv", MADE[name]())]).files[0]
    assert (found.format, found.status) == (name, "stored"), found.reason
    path = export_focus(store, tmp_path / "out.parquet").path
    assert not failing(path, allowed_rules(name))


def test_azure_costs_invoiced_and_spread(store, write, tmp_path):
    both = [write("a.csv", azure.bill(azure.FEE, azure.COVERED, {})),
            write("b.csv", azure.bill(azure.USED, azure.UNUSED, {}))]  # fmt: skip
    ingest_paths(store, both)
    path = export_focus(store, tmp_path / "out.parquet").path
    assert not failing(path, allowed_rules("azure-amortized"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_bill_under_a_mapping(store, write, tmp_path, name):
    mapping, bill = EXAMPLES[name]
    assert ingest_paths(store, [write("b.csv", bill)], mapping=write("m.yaml", mapping)).files[0].status == "stored"
    path = export_focus(store, tmp_path / "out.parquet").path
    assert not failing(path, ())
