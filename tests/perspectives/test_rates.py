"""Exchange rates of a month: what is missing is named, what is signed off stays, what was billed stands beside."""

from __future__ import annotations

import shutil
from datetime import date
from decimal import Decimal

import pytest

from finops_kit.decide.close import REOPENED, SIGNED, AccountCheck, MonthCheck, record_act
from finops_kit.errors import RateMissing, UsageError
from finops_kit.ingest import ingest_paths
from finops_kit.perspectives.closing import closed_rows, rates_not_used
from finops_kit.perspectives.read import open_basis, read_basis
from finops_kit.settings import Workspace
from finops_kit.store import open_reader

BILL = """BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargeCategory,ChargePeriodStart,\
ChargePeriodEnd,BilledCost,EffectiveCost,ProviderName,ServiceName
1,CAD,2025-03-01T00:00:00Z,2025-04-01T00:00:00Z,Usage,2025-03-01T00:00:00Z,2025-03-02T00:00:00Z,100.5,100.5,AWS,Compute
1,EUR,2025-03-01T00:00:00Z,2025-04-01T00:00:00Z,Usage,2025-03-02T00:00:00Z,2025-03-03T00:00:00Z,3,3,AWS,Compute
1,CAD,2025-04-01T00:00:00Z,2025-05-01T00:00:00Z,Usage,2025-04-01T00:00:00Z,2025-04-02T00:00:00Z,10,10,AWS,Compute
"""
RATES = "SELECT strftime(month, '%m'), from_currency, rate, locked, newer_rate FROM exchange_rate ORDER BY month"


@pytest.fixture
def house(empty_store, tmp_path):
    store = Workspace(shutil.copytree(empty_store, tmp_path / "workspace"))

    def take(name, text):
        (tmp_path / name).write_text(text)
        return ingest_paths(store, [tmp_path / name]).files[0]

    assert take("bill.csv", BILL).rows_stored == 3
    return store, take


def rates(*lines):
    return "month,from_currency,to_currency,rate,rate_source\n" + "".join(f"{line},ECB\n" for line in lines)


def ask(store, statement):
    with open_reader(store) as reader:
        return reader.connection.execute(statement).fetchall()


def act_on_march(store, act, reason=""):
    """A sign-off or reopening of what the store holds now."""
    acts = [{"act": name} for (name,) in ask(store, "SELECT act FROM month_close ORDER BY acted_at")]
    with open_reader(store) as reader:
        version, head = reader.version, reader.ledger_head
    account = AccountCheck("AWS", "1", "CAD", Decimal("100.5"), Decimal("100.5"), None)
    check = MonthCheck(date(2025, 3, 1), version, head, "EUR", march(store), (account,), False)
    record_act(store, check, act, "B. Head", reason, acts)


def march(store):
    """The month's total in EUR."""
    return ask(store, """SELECT sum("reporting_EffectiveCost") FROM charge_in_currency
        WHERE "ChargePeriodStart" < '2025-04-01 00:00:00+00'""")[0][0]  # fmt: skip


def test_a_missing_rate_names_its_pair_and_month_everywhere(house):
    store, take = house
    take("rates.csv", rates("2025-04-01,CAD,EUR,0.7"))
    with open_basis(store.root, period="2025-03", currency="EUR") as basis, pytest.raises(RateMissing) as refused:
        read_basis(basis, "finance")
    assert "CAD to EUR for 2025-03 (1 charge worth CAD 100.50)" in str(refused.value)
    said = """SELECT "BilledCost", "reporting_BilledCost", reporting_currency, exchange_rate, rate_why
        FROM charge_in_currency ORDER BY "BilledCost" DESC"""
    assert ask(store, said) == [
        (Decimal("100.5"), None, "EUR", None, "no exchange rate is known from CAD to EUR for 2025-03"),
        (10, 7, "EUR", Decimal("0.7"), ""), (3, 3, "EUR", 1, ""),
    ]  # fmt: skip


def test_a_closed_month_keeps_its_rates_until_it_is_reopened(house):
    store, take = house
    take("march.csv", rates("2025-03-01,CAD,EUR,0.6"))
    assert march(store) == Decimal("63.3")
    act_on_march(store, SIGNED)
    take("april.csv", rates("2025-04-01,CAD,EUR,0.7"))  # March is not in this file, and not lost
    take("again.csv", rates("2025-03-01,EUR,CAD,1.25", "2025-03-01,CAD,EUR,0.8", "2025-04-01,CAD,EUR,0.9"))
    assert march(store) == Decimal("63.3")
    assert ask(store, RATES) == [
        ("03", "CAD", Decimal("0.6"), True, Decimal("0.8")), ("04", "CAD", Decimal("0.9"), False, None),
    ]  # fmt: skip
    with open_basis(store.root, period="2025-03", currency="EUR") as basis:
        assert "CAD to EUR stays 0.6; 0.8, delivered after its sign-off, is not used" in rates_not_used(basis)[0]
        lens = basis.rows(basis.lens.select("BilledCost", "EffectiveCost").order_by("BilledCost"))
    sums = 'SELECT "reporting_BilledCost", "reporting_EffectiveCost" FROM charge_in_currency ORDER BY 1'
    assert ask(store, sums) == [tuple(row.values()) for row in lens]
    act_on_march(store, SIGNED)  # signing once more takes no new rate either
    assert march(store) == Decimal("63.3")
    with pytest.raises(UsageError, match="Say why"):
        act_on_march(store, REOPENED)
    act_on_march(store, REOPENED, "0.6 was mistyped")
    assert march(store) == Decimal("83.4")
    with open_basis(store.root, period="2025-03", currency="EUR") as basis:
        assert (closed_rows(basis), rates_not_used(basis)) == ([], [])


def test_a_rate_of_a_day_waits_in_quarantine(house):
    store, take = house
    found = take("daily.csv", rates("2025-03-01,CAD,EUR,0.6", "2025-03-04,CAD,EUR,0.5"))
    assert (found.rows_stored, found.rows_quarantined) == (1, 1)
    assert ask(store, "SELECT column_name, reason FROM quarantine") == [
        ("month", "a rate holds for a month: write its first day")
    ]
