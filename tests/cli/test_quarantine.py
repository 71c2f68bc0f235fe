"""`finops quarantine` and what `finops status` says of rows that wait, and of deliveries."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest


@pytest.fixture
def waiting(finops, write_bill, tmp_path: Path):
    """A store in which one row of a bill waits; the batch that it waits under."""
    bill = write_bill(tmp_path / "waiting.csv", 2)
    bill.write_text(
        bill.read_text() + write_bill(tmp_path / "other.csv", 1, BilledCost="a lot").read_text().splitlines()[1]
    )
    finops("init")
    report = json.loads(finops("ingest", "--json", str(bill)).stdout)["files"][0]
    assert (report["rows_read"], report["rows_stored"], report["rows_quarantined"]) == (3, 2, 1)
    return report["batch_id"]


def test_what_waits_is_listed_exported_and_brought_in_again(finops, waiting, tmp_path: Path) -> None:
    listed = finops("quarantine").stdout
    assert waiting in listed and "BilledCost" in listed and "is not a number" in listed
    rows = finops("quarantine", "--rows", "--batch", waiting).stdout
    assert "'a lot' is not a number of at most 14 digits before the point" in rows
    assert "1 still wait" in finops("status").stdout

    out = tmp_path / "rows.csv"
    assert finops("quarantine", "--export", str(out)).exit_code == 0
    (raw,) = csv.DictReader(out.open(newline=""))
    assert (raw["quarantine_row"], raw["quarantine_column"], raw["BilledCost"]) == ("3", "BilledCost", "a lot")
    again = finops("quarantine", "--export", str(out))
    assert again.exit_code == 2 and "exists already" in again.stderr

    refused = finops("quarantine", "--replay", waiting)
    assert refused.exit_code == 3 and "can be stored" in refused.stderr
    mapping = tmp_path / "m.yaml"
    mapping.write_text(
        "version: 1\nname: corrected\ncolumns:\n  BilledCost: EffectiveCost\n  BillingCurrency: BillingCurrency\n"
        "  BillingAccountId: BillingAccountId\n"
        "  BillingPeriodStart: BillingPeriodStart\n  ProviderName: ProviderName\n  ServiceName: ServiceName\n"
    )
    done = finops("quarantine", "--replay", waiting, "--mapping", str(mapping), "--json")
    report = json.loads(done.stdout)
    assert (report["status"], report["rows_read"], report["rows_stored"]) == ("stored", 1, 1)
    assert "Nothing waits" in finops("quarantine").stdout
    assert "0 still wait" in finops("status").stdout
    assert json.loads(finops("quarantine", "--all", "--json").stdout)["quarantine"][0]["closed"] == 1
    assert "no open row" in finops("quarantine", "--replay", waiting).stderr


def test_status_says_which_delivery_is_current_and_why(finops, write_bill, bill: Path, tmp_path: Path) -> None:
    finops("init")
    finops("ingest", str(bill))
    (one,) = json.loads(finops("status", "--deliveries", "--json").stdout)["deliveries"]
    assert (one["source"], one["account"], one["rows"]) == ("focus", "001", 4) and "the only delivery" in one["why"]
    finops("ingest", str(write_bill(tmp_path / "final.csv", 5, BillingAccountName="I-1")))
    said = finops("status", "--deliveries").stdout
    assert "Current is final.csv, which came last" in said and "1 older file stays" in said
    for number, rows in ((1, 1), (2, 2)):
        write_bill(tmp_path / f"cur-0000{number}.csv", rows, BillingAccountId="002")
    finops("ingest", str(tmp_path / "cur-00001.csv"), str(tmp_path / "cur-00002.csv"))
    finops("ingest", str(write_bill(tmp_path / "cur-00001.csv", 3, BillingAccountId="002")))
    _, two = json.loads(finops("status", "--deliveries", "--json").stdout)["deliveries"]
    assert "the 2 parts of one report" in two["why"] and "cur-00001.csv waits since 20" in two["todo"]
    assert f"Next: finops ingest {tmp_path}/cur-00002.csv" in two["todo"]
    assert "1 bill waits for parts of the report: finops status --deliveries says which" in finops("status").stdout
    assert two["rows"] == 3
