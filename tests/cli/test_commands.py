"""The commands on a small bill: what goes in comes out, to the last cent."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path

import pytest


def as_json(result):
    return json.loads(result.stdout)


def test_init_says_what_it_did_and_does_no_harm_twice(finops, tmp_path: Path) -> None:
    made = as_json(finops("init", "--currency", "USD", "--json"))
    place = str(tmp_path / "workspace")
    assert made == {"workspace": place, "created": True, "added": [], "currency": "USD", "encrypted": False}
    assert as_json(finops("init", "--json"))["created"] is False
    again = finops("init", "--currency", "EUR")
    assert again.exit_code == 2 and "reports in USD" in again.stderr


def test_the_json_of_ingest_is_the_contract(finops, bill: Path) -> None:
    finops("init")
    done = finops("ingest", "--json", "--actor", "me", str(bill))
    assert done.exit_code == 0, done.output
    report = as_json(done)
    assert set(report) == {"files", "store_version"} and isinstance(report["store_version"], int)
    (file,) = report["files"]
    assert set(file) == {"path", "format", "status", "reason", "rows_read", "rows_stored", "rows_quarantined",
                         "control_totals", "batch_id", "counts"}  # fmt: skip
    assert file["path"] == str(bill) and file["format"] == "focus-1.0" and file["status"] == "stored"
    assert (file["rows_read"], file["rows_stored"], file["rows_quarantined"]) == (4, 4, 0)
    assert {c: Decimal(total) for c, total in file["control_totals"].items()} == {"EUR": Decimal(5)}
    assert isinstance(file["control_totals"]["EUR"], str) and file["batch_id"] and file["counts"] is True
    assert as_json(finops("sql", "--json", "FROM ledger SELECT actor")) == [{"actor": "me"}]


def test_the_same_file_again_adds_nothing_and_says_so(filled, bill: Path) -> None:
    before = as_json(filled("status", "--json"))
    again = filled("ingest", str(bill))
    assert again.exit_code == 0 and "unchanged" in again.stdout
    assert as_json(filled("status", "--json"))["store_version"] == before["store_version"]


def test_a_refused_file_is_said_and_the_others_are_stored(finops, bill: Path, tmp_path: Path) -> None:
    finops("init")
    (tmp_path / "empty.csv").touch()
    done = finops("ingest", "--json", str(tmp_path / "empty.csv"), str(bill))
    assert done.exit_code == 3
    assert [file["status"] for file in as_json(done)["files"]] == ["refused", "stored"]
    assert done.stderr.startswith("Error: ") and "empty" in done.stderr


def test_status_counts_current_and_older_deliveries(filled, write_bill, tmp_path: Path) -> None:

    filled("ingest", str(write_bill(tmp_path / "again.csv", 5, BilledCost="2")))
    status = as_json(filled("status", "--json"))
    (charges,) = [source for source in status["sources"] if source["dataset"] == "charge"]
    assert (charges["current"], charges["superseded"], charges["batches"], charges["rows"]) == (1, 1, 2, 9)
    assert status["ledger_entries"] == 2 and status["data_bytes"] > 0 and status["rows_stored"] == 9
    text = filled("status").stdout
    assert "Ledger        2 entries" in text and "charge" in text


def test_sql_prints_tables_json_and_csv(filled) -> None:
    ask = "SELECT ServiceName, sum(BilledCost) AS billed, Tags['team'] AS team FROM charge GROUP BY ALL"
    (row,) = as_json(filled("sql", "--json", ask))
    assert row["ServiceName"] == "Machines" and row["team"] == "core" and Decimal(row["billed"]) == 5
    table = filled("sql", ask)
    assert table.stdout.splitlines()[0].split() == ["ServiceName", "billed", "team"]
    assert table.stdout.splitlines()[2].split() == ["Machines", "5", "core"] and "1 row at store" in table.stderr
    rows = list(csv.DictReader(filled("sql", "--csv", ask).stdout.splitlines()))
    assert Decimal(rows[0]["billed"]) == 5
    assert as_json(filled("sql", "--json", "FROM charge WHERE false")) == []
    assert as_json(filled("sql", "-", "--json", input="SELECT 1 AS one")) == [{"one": 1}]
    cut = filled("sql", "FROM range(5)", "--max-rows", "2")
    assert cut.stdout.count("\n") == 4 and "More rows" in cut.stderr


@pytest.mark.parametrize(
    ("statement", "code"),
    [("DROP TABLE charge", 5), ("SELECT * FROM read_csv('/etc/passwd')", 5), ("SELEC", 2), ("FROM chrge", 2)],
)
def test_sql_refuses_with_its_exit_code(statement: str, code: int, filled) -> None:
    done = filled("sql", statement)
    assert done.exit_code == code and done.stdout == "" and done.stderr.count("\n") == 1


def test_as_of_is_what_was_known(filled, write_bill, tmp_path: Path) -> None:

    version = as_json(filled("status", "--json"))["store_version"]
    filled("ingest", str(write_bill(tmp_path / "again.csv", 2)))
    assert as_json(filled("sql", "--json", "FROM charge SELECT count(*) AS n")) == [{"n": 2}]
    then = filled("sql", "--json", "FROM charge SELECT count(*) AS n", "--as-of", str(version))
    assert as_json(then) == [{"n": 4}]
    assert filled("status", "--as-of", "9999").exit_code == 2
    assert filled("status", "--as-of", "someday").exit_code == 2


def test_export_writes_what_the_store_has(filled, tmp_path: Path) -> None:
    done = as_json(filled("export", "focus", "--out", str(tmp_path / "f.csv"), "--json"))
    assert done["rows"] == 4 and done["control_totals"] == {"EUR": "5"}
    rows = list(csv.DictReader((tmp_path / "f.csv").open()))
    assert sum(Decimal(row["BilledCost"]) for row in rows) == 5
    refused = filled("export", "focus", "--out", str(tmp_path))
    assert refused.exit_code == 2 and "is a folder" in refused.stderr


def test_verify_is_clean_and_then_names_the_file(filled, tmp_path: Path) -> None:
    clean = filled("verify")
    assert clean.exit_code == 0 and "Everything fits." in clean.stdout
    (file,) = (tmp_path / "workspace" / "lake" / "main" / "charge").glob("*.parquet")
    file.write_bytes(file.read_bytes()[::-1])
    bad = filled("verify", "--json")
    assert bad.exit_code == 8 and as_json(bad)["ok"] is False
    assert file.name in json.dumps(as_json(bad)["findings"]) and bad.stderr.startswith("Error: ")


def test_trace_lists_what_can_be_traced(finops) -> None:
    said = as_json(finops("trace", "--json"))
    assert "effective_cost" in [measure["name"] for measure in said["measures"]]
    assert "effective_cost" in finops("trace").stdout


def test_trace_adds_up_to_the_figure(filled) -> None:
    traced = as_json(filled("trace", "effective_cost", "--period", "2026-03", "--json", "--limit", "0"))
    assert Decimal(traced["total"]) == 5 and traced["count"] == 4 == len(traced["lines"])
    assert sum(Decimal(line["amount"]) for line in traced["lines"]) == Decimal(traced["total"])
    assert sorted(line["source_row"] for line in traced["lines"]) == [1, 2, 3, 4]
    text = filled("trace", "effective_cost", "--period", "2026-03", "--limit", "1").stdout
    assert "3 more lines" in text and "5 EUR" in text and "bill.csv" in text
    only = filled("trace", "effective_cost", "--period", "2026-03", "--filter", "ResourceId=vm-2", "--json")
    assert as_json(only)["count"] == 1
    assert filled("trace", "effective_cost", "--filter", "colour=red").exit_code == 2
    assert filled("trace", "effective_cost", "--filter", "colour").exit_code == 2
    page = as_json(filled("trace", "finance.grand_total", "--period", "2026-03", "--json"))
    assert Decimal(page["total"]) == 5 == Decimal(page["figure"])
    assert filled("trace", "finanse.total").exit_code == 2


def test_close_checks_a_month_signs_it_off_and_lists_it(filled) -> None:
    checked = json.loads(filled("close", "--period", "2026-03", "--json").stdout)
    assert (checked["open"], checked["grand_total"], checked["with_register"]) == (
        0,
        "5.000000000000000000000000",
        False,
    )
    wrong = filled("close", "--accept-difference", "why")
    assert wrong.exit_code == 2 and "needs --sign-off" in wrong.stderr
    signed = filled("close", "--period", "2026-03", "--sign-off", "B. Head")
    assert signed.exit_code == 0 and "signed off by B. Head at store version" in signed.stdout
    listed = filled("close", "--list")
    assert "1 month closed, none changed since." in listed.stdout and "unchanged" in listed.stdout
