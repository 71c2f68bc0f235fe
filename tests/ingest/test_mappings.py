"""Mappings: a user's YAML says what a bill means; what is wrong with it is said by line and key."""

# ruff: noqa: E501

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import re
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from tests_ingest import ask, fingerprint

from finops_kit.errors import UsageError
from finops_kit.ingest import ingest_paths
from finops_kit.normalize.mapping import read_mapping

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "mappings.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"```yaml\n(.*?)```", PAGE, re.S)[1]
BILL = re.search(r"```csv\n(.*?)```", PAGE, re.S)[1]
#: every worked example of the page: name -> mapping, bill
EXAMPLES = {
    re.search(r"^name: (\S+)", mapping, re.M)[1]: (mapping, bill)
    for mapping, bill in zip(
        re.findall(r"```yaml\n(.*?)```", PAGE, re.S), re.findall(r"```csv\n(.*?)```", PAGE, re.S), strict=True
    )
}


def test_the_example_of_the_page_runs(store, write):
    mapping, bill = write("saas.yaml", EXAMPLE), write("bill.csv", BILL)
    one = ingest_paths(store, [bill], mapping=mapping).files[0]
    assert (one.status, one.format, one.control_totals) == ("stored", "mapping", {"EUR": Decimal("1300.49")})
    rows = ask(store, 'SELECT "ServiceName", "BilledCost", "EffectiveCost", "ProviderName", "BillingPeriodStart", '
                      '"ChargePeriodEnd", "BillingAccountId", source_system, "ConsumedQuantity", "Tags", "x_Columns" '
                      "FROM charge ORDER BY source_row")  # fmt: skip
    start, end = dt.datetime(2026, 9, 1, tzinfo=dt.UTC), dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
    fixed = (start, end, "saas-invoices", "saas-invoices")
    assert rows == [
        ("Desk (Pro)", Decimal("1200.50"), Decimal("1200.50"), "Tickets Inc", *fixed, Decimal(40),
         {"environment": "prod", "team": "core"}, {"Order": "PO-7"}),
        ("CI (Team)", Decimal("99.99"), Decimal("99.99"), "Builds GmbH", *fixed, None, {"environment": "prod"},
         {"Order": "PO-8"}),
    ]  # fmt: skip
    details = json.loads(ask(store, "SELECT details FROM ledger")[0][0])
    assert details["mapping_sha256"] == hashlib.sha256(EXAMPLE.encode()).hexdigest()


def test_ci_runs_and_telemetry_by_the_day(store, write):
    for name in ("ci-runs", "telemetry"):
        mapping, bill = EXAMPLES[name]
        one = ingest_paths(store, [write(f"{name}.csv", bill)], mapping=write(f"{name}.yaml", mapping)).files[0]
        assert (one.status, one.rows_stored) == ("stored", len(bill.splitlines()) - 1), one.reason
    assert ask(store, 'SELECT source_system, strftime("BillingPeriodStart", \'%Y-%m-%d\'), strftime("BillingPeriodEnd", \'%Y-%m-%d\'), '
                      'strftime(min("ChargePeriodStart"), \'%Y-%m-%d\'), strftime(max("ChargePeriodEnd"), \'%Y-%m-%d\'), '
                      'sum("BilledCost"), sum("ListCost"), sum("ConsumedQuantity"), max("BillingAccountId") '
                      "FROM charge GROUP BY ALL ORDER BY ALL") == [
        ("ci-runs", "2026-09-01", "2026-10-01", "2026-09-03", "2026-09-05", Decimal("8.121"), Decimal("9.321"),
         Decimal("1250.5"), "ci-runs"),
        ("telemetry", "2026-09-01", "2026-10-01", "2026-09-03", "2026-09-04", Decimal("1.250578"), Decimal("1.250578"),
         Decimal("3400012.5"), "house-eu"),
        ("telemetry", "2026-10-01", "2026-11-01", "2026-10-01", "2026-10-02", Decimal(1), Decimal(1), Decimal(10),
         "house-eu")]  # fmt: skip


def test_a_changed_mapping_reads_the_file_again_and_replaces_it(store, write):
    bill, first = write("bill.csv", BILL), write("a.yaml", EXAMPLE)
    assert ingest_paths(store, [bill], mapping=first).files[0].status == "stored"
    assert ingest_paths(store, [bill], mapping=first).files[0].status == "unchanged"
    second = write("b.yaml", EXAMPLE.replace("constant: Other", "constant: Developer Tools"))
    assert ingest_paths(store, [bill], mapping=second).files[0].status == "stored"
    assert ask(store, 'SELECT DISTINCT "ServiceCategory" FROM charge') == [("Developer Tools",)]
    assert ask(store, "SELECT count(*) FROM charge_history") == [(4,)]


def test_rows_that_cannot_be_read_are_quarantined_and_the_total_ties(store, write):
    bad = BILL + "2026-13,X,Y,Z,1,5,,\n2026-09,X,Y,Z,1,many,,\n2026-09,,Y,Z,1,7.5,,\n"
    one = ingest_paths(store, [write("bill.csv", bad)], mapping=write("m.yaml", EXAMPLE)).files[0]
    assert (one.rows_read, one.rows_stored, one.rows_quarantined) == (5, 2, 3)
    assert ask(store, "SELECT source_row, column_name FROM quarantine ORDER BY 1") == [
        (3, "Month"),
        (4, "Amount"),
        (5, "Vendor"),
    ]


def test_a_sheet_of_a_workbook(store, write):
    book = openpyxl.Workbook()
    book.active.title = "Cover"
    sheet = book.create_sheet("Invoice")
    for row in (["Month", "Vendor", "Product", "Plan", "Seats", "Amount", "Team"], [dt.date(2026, 9, 1), "T", "D", "P", 4, 0.1],
                [dt.date(2026, 9, 1), "T", "D", "P", 4, 1200.56]):  # fmt: skip
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    path = write("bill.xlsx", out.getvalue())
    mapping = write("m.yaml", EXAMPLE.replace("# sheet: Invoice", "sheet: Invoice"))
    one = ingest_paths(store, [path], mapping=mapping).files[0]
    assert (one.path, one.status, one.control_totals) == (f"{path}!Invoice", "stored", {"EUR": Decimal("1200.66")})
    assert ingest_paths(store, [path], mapping=mapping).files[0].status == "unchanged"
    missing = ingest_paths(
        store, [path], mapping=write("n.yaml", EXAMPLE.replace("# sheet: Invoice", "sheet: Nope"))
    ).files[0]
    assert "no sheet 'Nope'" in missing.reason


WRONG = {
    "unknown key": (EXAMPLE.replace("tags:", "labels:"), r"line 12, labels: is no key"),
    "no FOCUS column": (EXAMPLE.replace("  ServiceCategory", "  ServiceCategroy"), r"line 10, .*Did you mean ServiceCategory"),
    "missing": (EXAMPLE.replace("  ProviderName: Vendor\n", ""), r"line 5, columns.ProviderName: is missing"),
    "two kinds": (EXAMPLE.replace("{constant: EUR}", "{constant: EUR, column: x}"), r"line 6, .*exactly one"),
    "an expression": (EXAMPLE.replace("{constant: EUR}", "{sql: 1+1}"), r"line 6, .*exactly one"),
    "open brace": (EXAMPLE.replace("({Plan})", "({Plan)"), r"line 9, .*braces"),
    "twice": (EXAMPLE.replace("tags:", "name: b\ntags:"), r"line 12, name: stands here twice"),
    "a list": ("- 1\n- 2\n", r"line 1, mapping: keys with values"), "nothing": ("", r"line 1"),
    "no yaml": ("a: [1\nb: }", r"line 2: no readable YAML"), "a bad name": (EXAMPLE.replace("saas-invoices ", "'; DROP' "), r"line 2, name"),
    "an object": (EXAMPLE.replace("{constant: EUR}", "!!python/object/apply:os.system [x]"), r"line 6"),
    "a constant cost": (EXAMPLE.replace("BilledCost: Amount", "BilledCost: {constant: 1}"), r"must be a column"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_by_line_and_key(write, case):
    text, expected = WRONG[case]
    with pytest.raises(UsageError, match=expected):
        read_mapping(write("m.yaml", text))


def test_a_column_that_the_file_lacks(store, write):
    before = fingerprint(store)
    one = ingest_paths(
        store, [write("b.csv", BILL.replace("Seats", "Chairs"))], mapping=write("m.yaml", EXAMPLE)
    ).files[0]
    assert one.status == "refused" and "'Seats'" in one.reason and "line 11" in one.reason
    assert fingerprint(store) == before


def test_text_of_a_mapping_is_never_sql(store, write):
    evil = "x'); DROP TABLE lake.charge; --"
    mapping = EXAMPLE.replace("{constant: Other}", json.dumps({"constant": evil})).replace(
        "environment:", json.dumps(evil) + ":"
    )
    one = ingest_paths(store, [write("b.csv", BILL)], mapping=write("m.yaml", mapping)).files[0]
    assert one.status == "stored"
    assert ask(store, 'SELECT DISTINCT "ServiceCategory" FROM charge') == [(evil,)]
