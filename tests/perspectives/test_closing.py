"""The monthly close: files, store and invoices side by side; who signed, and what changed since."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from finops_kit.decide.close import PREPARED, SIGNED, AccountCheck, MonthCheck, judge, record_act
from finops_kit.errors import UsageError, VerificationFailed
from finops_kit.ingest import ingest_paths
from finops_kit.perspectives.closing import check_month, close_acts, close_figure, closed_rows, closes_table
from finops_kit.perspectives.read import open_basis
from finops_kit.settings import Workspace
from finops_kit.store import create_store
from finops_kit.store.configuration import read_settings

HEADER = (
    "BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargeCategory,ChargeDescription,"
    "ChargePeriodStart,ChargePeriodEnd,BilledCost,EffectiveCost,ProviderName,ServiceName,InvoiceId\n"
)
MONTH = "2025-03-01T00:00:00Z,2025-04-01T00:00:00Z"


def bill(path: Path, *lines: tuple[str, str, str]) -> Path:
    """A FOCUS file of March: account, what, amount."""
    rows = [
        f"{account},EUR,{MONTH},Usage,{what},{MONTH},{amount},{amount},AWS,Compute,INV-{account}\n"
        for account, what, amount in lines
    ]
    path.write_text(HEADER + "".join(rows))
    return path


@pytest.fixture(scope="module")
def closing(tmp_path_factory):
    """A store with one bill of two accounts; a row of one of them cannot be read."""
    folder = tmp_path_factory.mktemp("closing")
    store = Workspace(folder / "workspace")
    create_store(store)
    first = bill(folder / "march.csv", ("1", "machines", "100.005"), ("1", "credit", "-7.25"), ("2", "disks", "40.10"),
                 ("2", "disks", "n/a"))  # fmt: skip
    assert [one.status for one in ingest_paths(store, [first]).files] == ["stored"]
    return store


def checked(store):
    with open_basis(store.root, period="2025-03") as basis:
        return check_month(basis)


def by_account(check):
    return {account.billing_account_id: account for account in check.accounts}


def test_an_account_agrees_to_the_cent_or_says_why():
    def one(stored, files, invoiced=None, **more):
        told = [None if amount is None else Decimal(amount) for amount in (files, stored, invoiced)]
        return AccountCheck("AWS", "1", "EUR", *told, **more).reasons

    assert one("5.001", "5.001", "5.00") == () == one("5", "5")
    assert one("5", "6") == ("the store has EUR 1.00 less than the files",)
    assert one("5", "5", "4.99") == ("the pipeline has EUR 0.01 more than the invoice",)
    assert one("5", "5", quarantined=1) == ("1 row of its files could not be stored",)
    assert one("5", "5", expects_invoice=True) == ("the register has no invoice of this account",)


def test_closing_a_month_from_first_check_to_restatement(closing, tmp_path):
    check = checked(closing)
    found = by_account(check)
    assert found["1"].stored == Decimal("92.755") == found["1"].files and found["1"].difference == 0
    (line,) = found["2"].lines  # the row that could not be stored is named
    assert line["where"].endswith("march.csv row 4") and "n/a" in line["what"]
    with pytest.raises(VerificationFailed, match="1: 1 row of its files could not be stored"):
        record_act(closing, check, SIGNED, "B. Head", "", [])
    with pytest.raises(UsageError, match="Name who"):
        record_act(closing, check, SIGNED, " ", "why", [])

    register = tmp_path / "invoices.csv"
    register.write_text(
        "invoice_id,provider_name,billing_account_id,month,amount,currency\n"
        "INV-1,AWS,1,2025-03,100.00,EUR\nINV-2,aws,2,2025-03,40.10,EUR\nINV-9,Azure,9,2025-03,12.00,EUR\n"
    )
    assert [one.format for one in ingest_paths(closing, [register]).files] == ["invoices"]
    check = checked(closing)
    found = by_account(check)
    assert found["1"].difference == Decimal("-7.245") and found["2"].difference == 0
    assert "a line of this very amount: credit" in [line["what"] for line in found["1"].lines]
    assert found["9"].difference == -12 and "no bill of this account" in found["9"].lines[0]["what"]

    recorded = record_act(closing, check, SIGNED, "B. Head", "credit note follows", [])
    assert recorded["differences"] == 3
    with open_basis(closing.root, period="2025-03") as basis:
        (act,) = close_acts(basis)
        assert {row["state"] for row in closed_rows(basis)} == {"unchanged"}
    assert (act["person"], act["reason"], act["store_version"]) == (
        "B. Head",
        "credit note follows",
        check.store_version,
    )
    assert act["grand_total"] == Decimal("132.855") and json.loads(act["totals"])[0]["stored"].startswith("92.755")

    again = bill(
        tmp_path / "march.csv", ("1", "machines", "100.005"), ("1", "credit", "-7.25"), ("2", "disks", "41.35")
    )
    ingest_paths(closing, [again])
    with open_basis(closing.root, period="2025-03") as basis:
        table, figure = closes_table(basis), close_figure(basis)
        (line,) = by_account(check_month(basis))["2"].lines
    rows = {row["billing_account_id"]: row for row in table.frame.to_dict("records")}
    assert (rows["2"]["changed"], rows["2"]["state"]) == (Decimal("1.25"), "restated since")
    assert (rows["1"]["changed"], rows["1"]["state"]) == (0, "unchanged")
    assert "changed since: March 2025" in figure.meaning and figure.value == "by B. Head"
    assert line["what"].startswith("the invoice is the delivery before") and line["amount"] == Decimal("1.25")


def test_four_eyes_and_open_differences():
    def month(stored, files="5"):
        account = AccountCheck("AWS", "1", "EUR", Decimal(files), Decimal(stored), None)
        return MonthCheck(date(2025, 3, 1), 7, "head", "EUR", Decimal(stored), (account,), False)

    good, bad = month("5"), month("4")
    prepared = {"act": PREPARED, "person": "A. Clerk", "totals": good.totals(), "store_version": 7}
    judge(good, SIGNED, "A. Clerk", "", [], False)
    judge(good, SIGNED, "B. Head", "", [prepared], True)
    judge(bad, PREPARED, "A. Clerk", "", [], True)
    judge(bad, SIGNED, "B. Head", "a reason", [], False)
    refusals = [
        ((bad, SIGNED, "B. Head", " ", [], False), "EUR 1.00 less than the files"),
        ((good, SIGNED, "B. Head", "", [], True), "nobody has prepared it"),
        ((good, SIGNED, "a. clerk ", "", [prepared], True), "four eyes"),
        ((month("6", "6"), SIGNED, "B. Head", "", [prepared], True), "changed since A. Clerk prepared it"),
    ]
    for words, said in refusals:
        with pytest.raises(VerificationFailed, match=said):
            judge(*words)


def test_a_workspace_can_ask_for_four_eyes(tmp_path):
    place = Workspace(tmp_path)
    assert not read_settings(place).four_eyes
    place.settings_file.write_text("four_eyes = true\n")
    assert read_settings(place).four_eyes
