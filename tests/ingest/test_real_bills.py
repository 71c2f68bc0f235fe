"""Real exports of third parties: rows and sums equal to the file's, taken from it by plain csv and decimal."""

from __future__ import annotations

import csv
import gzip
import io
from collections import defaultdict
from decimal import Decimal

import pytest
from tests_ingest import ask

from finops_kit.ingest import ingest_paths

BILLS = [
    ("focus_1.0/focus_sample.csv", "focus-1.0", "BilledCost", "BillingCurrency", "BillingPeriodStart"),
    ("aws_cur/sample-anonymous-aws-export-dataset.csv", "aws-cur", "lineItem/UnblendedCost", "lineItem/CurrencyCode",
     "bill/BillingPeriodStartDate"),
    ("nise/aws/September-2026-None.csv.gz", "aws-cur", "lineItem/UnblendedCost", "lineItem/CurrencyCode",
     "bill/BillingPeriodStartDate"),
    ("validator_probe/pass_1row.csv", "focus-1.2", "BilledCost", "BillingCurrency", "BillingPeriodStart"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "known", "cost", "currency", "period"), BILLS)
def test_rows_and_sums_are_those_of_the_file(store, fixtures_folder, name, known, cost, currency, period):
    path = fixtures_folder / name
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows, totals = 0, defaultdict(Decimal)
    for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")):
        rows += 1
        totals[row[currency], row[period][:7]] += Decimal(row[cost])
    report = ingest_paths(store, [path]).files[0]
    assert (report.format, report.rows_read, report.rows_stored, report.rows_quarantined) == (known, rows, rows, 0)
    stored = ask(store, 'SELECT "BillingCurrency", strftime("BillingPeriodStart", \'%Y-%m\'), sum("BilledCost") '
                        "FROM charge GROUP BY ALL")  # fmt: skip
    assert {(one, month): total for one, month, total in stored} == dict(totals)
    again = ingest_paths(store, [path])
    assert again.files[0].status == "unchanged"
    assert ask(store, "SELECT count(*) FROM charge_history") == [(rows,)]


@pytest.mark.parametrize("name", ["pass_1row_str", "pass_1row_ts", "pass_1row_tsz"])
def test_parquet_probes_say_the_same_as_the_text(store, fixtures_folder, name):
    folder = fixtures_folder / "validator_probe"
    ingest_paths(store, [folder / "pass_1row.csv", folder / f"{name}.parquet"])
    columns = "* EXCLUDE (batch_id, recorded_at, source_file)"
    assert ask(store, f"SELECT count(DISTINCT t) FROM (SELECT {columns} FROM charge_history) t") == [(1,)]


def test_a_header_only_report_beside_a_full_one(store, fixtures_folder):
    report = ingest_paths(store, [fixtures_folder / "nise" / "aws"])
    by_name = {one.path.rsplit("/", 1)[1]: one for one in report.files}
    assert by_name["October-2026-None.csv.gz"].status == "refused"
    assert "has a header but no rows" in by_name["October-2026-None.csv.gz"].reason
    assert by_name["September-2026-None.csv.gz"].status == "stored"


def test_the_odd_things_of_the_focus_sample(store, fixtures_folder):
    ingest_paths(store, [fixtures_folder / "focus_1.0" / "focus_sample.csv"])
    row = ask(store, """SELECT count(*) FILTER ("ResourceId" IS NULL), count(*) FILTER ("ChargeClass" IS NULL),
        count(*) FILTER ("BilledCost" <> 0 AND "EffectiveCost" = 0), count(*) FILTER (length("BillingAccountId") = 13),
        count(*) FILTER ("x_Columns"['Id'] IS NOT NULL),
        count(*) FILTER (len(list_filter(map_keys("Tags"), lambda k: k <> trim(k))) > 0) FROM charge""")[0]  # fmt: skip
    assert row[0] == 75 and row[2] == 610 and row[3] == 942 and row[4] == 1000 and row[5] == 0
