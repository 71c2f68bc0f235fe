"""What the command line's tests share: a small bill, a store that has taken it in, and a way to call `finops`."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from finops_kit.cli.app import app
from finops_kit.fields import focus_columns
from finops_kit.ingest import ingest_paths
from finops_kit.settings import Workspace
from finops_kit.store import create_store

Finops = Callable[..., Result]

LINE = {
    "BilledCost": "1.25", "BillingAccountId": "001", "BillingAccountName": "House", "BillingCurrency": "EUR",
    "BillingPeriodStart": "2026-03-01T00:00:00Z", "BillingPeriodEnd": "2026-04-01T00:00:00Z",
    "ChargeCategory": "Usage", "ChargeFrequency": "Usage-Based", "ChargePeriodStart": "2026-03-02T00:00:00Z",
    "ChargePeriodEnd": "2026-03-03T00:00:00Z", "ConsumedQuantity": "1", "ConsumedUnit": "Hours",
    "ContractedCost": "1.25", "ContractedUnitPrice": "1.25", "EffectiveCost": "1.25", "InvoiceIssuerName": "Cloud",
    "ListCost": "1.25", "ListUnitPrice": "1.25", "PricingCategory": "Standard", "PricingQuantity": "1",
    "PricingUnit": "Hours", "ProviderName": "Cloud", "PublisherName": "Cloud", "RegionId": "eu", "ResourceId": "vm-1",
    "ServiceCategory": "Compute", "ServiceName": "Machines", "SkuId": "s", "SkuPriceId": "s.p", "SubAccountId": "01",
    "Tags": '{"team": "core"}',
}  # fmt: skip


def make_bill(path: Path, rows: int = 4, **changes: str) -> Path:
    """A FOCUS 1.0 bill of equal lines, 1.25 EUR each."""
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, focus_columns("1.0"), restval="")
        writer.writeheader()
        for number in range(rows):
            writer.writerow({**LINE, "ResourceId": f"vm-{number}", **changes})
    return path


@pytest.fixture
def bill(tmp_path: Path) -> Path:
    """One bill: four lines, 5 EUR."""
    return make_bill(tmp_path / "bill.csv")


@pytest.fixture
def finops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Finops:
    """Call `finops` in this process, in a workspace of its own."""
    monkeypatch.setenv("FINOPS_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.chdir(tmp_path)

    def call(*words: str, **options: Any) -> Result:
        return CliRunner().invoke(app, ["--quiet", *words] if words else [], **options)

    return call


@pytest.fixture(scope="session")
def filled_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store with one bill taken in, to be copied."""
    folder = tmp_path_factory.mktemp("filled")
    place = Workspace(folder / "workspace")
    create_store(place)
    ingest_paths(place, [make_bill(folder / "bill.csv")])
    return place.root


@pytest.fixture
def filled(finops: Finops, bill: Path, filled_store: Path, tmp_path: Path) -> Finops:
    """The same with one bill taken in."""
    shutil.copytree(filled_store, tmp_path / "workspace")
    return finops


@pytest.fixture
def write_bill() -> Callable[..., Path]:
    """Write another bill: path, number of lines, columns that are otherwise."""
    return make_bill
