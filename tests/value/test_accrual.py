"""Accrual from states and prices, by hand; and four parts of a difference that always sum to it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import ibis
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finops_kit.value.accrual import ITEM, accrue, with_items
from finops_kit.value.catalogue import by_the_hour, in_force
from finops_kit.value.completeness import (
    as_delivered,
    complete,
    completeness_at,
    delivery_day,
    lag_completeness,
    month_completeness,
)
from finops_kit.value.reconciliation import PARTS, in_currency, reconcile
from finops_kit.value.units import unit_conversions

START, END = "2025-03-01", "2025-04-01"


def days(first: date, until: date):
    return [first + timedelta(days=n) for n in range((until - first).days)]


def state(key, since, until, sku="m1", kind="machine", power="running", present=True, seen=None, gib=None):
    at = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (since, seen or until, until)]
    return {
        "resource_key": key, "kind": kind, "provider_name": "AWS", "account_id": "1", "state_sku": sku,
        "storage_gib": gib, "power_state": power, "present": present, "valid_from": at[0], "observed_until": at[1],
        "valid_to": at[2],
    }  # fmt: skip


@pytest.fixture(scope="module")
def accrued(db, lens_of):
    """The accrual of a month from bills and states, as rows by resource and basis."""
    columns = ("resource_key", "kind", "provider_name", "account_id", "state_sku", "power_state")

    def make(bills, states, until=END, price_list=None, start=START, end=END, rates=()):
        lens = lens_of(bills, rates=rates)
        frame = pd.DataFrame(states or [state("none", "2020-01-01", "2020-01-02")])
        frame["storage_gib"] = frame["storage_gib"].astype("float64")
        memory = ibis.memtable(frame)
        types = dict.fromkeys(columns, "string") | {"present": "boolean"}
        types |= dict.fromkeys(("valid_from", "observed_until", "valid_to"), "timestamp('UTC')")
        lines = accrue(
            with_items(lens.mutate(resource_key=lens.ResourceId)), memory.cast(types), start, end, until, price_list
        )
        return db.to_pyarrow(lines).to_pylist()

    return make


def machine(key, first, until, hours=24, price="2", sku="hour", **more):
    return [
        {"day": day, "cost": str(Decimal(price) * hours), "ResourceId": key, "PricingQuantity": hours,
         "PricingUnit": "Hours", "SkuPriceId": sku, "SubAccountId": "1", "ServiceName": "Compute", **more}
        for day in days(first, until)
    ]  # fmt: skip


FEBRUARY = (date(2025, 2, 1), date(2025, 3, 1))


def test_a_state_is_hours_times_the_price_that_the_last_bill_said(accrued):
    (line,) = accrued(machine("vm", *FEBRUARY), [state("vm", "2025-01-01", "2025-03-11T12:00", seen="2025-03-06")])
    assert (line["basis"], line["quantity"], line["unit_price"]) == ("state", 252.0, 2.0)  # ten days and a half
    assert line["native_accrued"] == 504 and line["provider"] == "AWS"
    assert line["carried_share"] == pytest.approx(132 / 252)  # beyond the last observation


def test_up_to_a_day_only_what_stood_by_then_counts(accrued):
    (line,) = accrued(machine("vm", *FEBRUARY), [state("vm", "2025-01-01", "2025-06-01")], until="2025-03-05")
    assert line["native_accrued"] == 4 * 48


def test_a_machine_that_is_off_accrues_nothing_and_one_that_is_gone_is_no_run_rate(accrued):
    bills = machine("off", *FEBRUARY) + machine("gone", *FEBRUARY)
    states = [
        state("off", "2025-01-01", "2025-03-01"), state("off", "2025-03-01", "2025-04-01", power="stopped"),
        state("gone", "2025-01-01", "2025-03-01"), state("gone", "2025-03-01", "2025-04-01", present=False),
    ]  # fmt: skip
    assert sum(line["native_accrued"] for line in accrued(bills, states)) == 0


def test_what_was_never_billed_costs_what_its_sku_costs_and_a_resized_machine_its_new_one(accrued):
    bills = machine("vm", *FEBRUARY) + machine("big", *FEBRUARY, price="8", sku="hour-big")
    states = [
        state("vm", "2025-01-01", "2025-03-01"), state("vm", "2025-03-01", "2025-04-01", sku="m8"),
        state("big", "2025-01-01", "2025-04-01", sku="m8"), state("new", "2025-03-31", "2025-04-01"),
        state("odd", "2025-03-31", "2025-04-01", sku="m9"),
    ]  # fmt: skip
    lines = {line["resource"]: line for line in accrued(bills, states)}
    assert (lines["new"]["basis"], lines["new"]["native_accrued"], lines["new"]["sku"]) == ("sku", 48, "hour")
    assert lines["odd"]["basis"] == "unknown" and lines["odd"]["native_accrued"] is None
    assert "m9" in lines["odd"]["why"]  # a row says that no price is known; it is never zero
    assert lines["big"]["native_accrued"] == 31 * 24 * 8


def test_a_price_list_prices_what_no_bill_does_in_whatever_unit_of_time(db, table, accrued):
    listed = {"provider_name": "AWS", "currency": "EUR", "service_name": "Compute", "batch_id": "b", "source_row": 1}
    offers = table("price_list", [
        {**listed, "sku": "m9", "unit": "100 Hours", "list_price": 300}, {**listed, "sku": "m9", "unit": "GB",
         "list_price": 7}, {**listed, "sku": "m8", "unit": "Hrs", "list_price": 2},
    ])  # fmt: skip
    conversions = unit_conversions(("AWS", unit) for unit in ("100 Hours", "GB", "Hrs", "Hours"))
    offers = by_the_hour(in_force(offers, START), conversions)
    assert {row["sku"]: row["unit_price"] for row in db.to_pyarrow(offers).to_pylist()} == {"m9": 3, "m8": 2}
    states = [state("vm", "2025-01-01", "2025-04-01"), state("odd", "2025-03-31", "2025-04-01", sku="m9")]
    lines = {line["resource"]: line for line in accrued(machine("vm", *FEBRUARY), states, price_list=offers)}
    assert (lines["odd"]["basis"], lines["odd"]["native_accrued"]) == ("sku", 72)


def test_a_disk_that_is_new_costs_by_its_size(accrued):
    bills = machine("d1", *FEBRUARY, hours=10, price="1", PricingUnit="GB")
    states = [
        state("d1", "2025-01-01", "2025-04-01", sku="gp3", kind="disk", power="attached", gib=100),
        state("d2", "2025-03-30", "2025-04-01", sku="gp3", kind="disk", power="available", gib=50),
    ]
    lines = {line["resource"]: line for line in accrued(bills, states)}
    assert lines["d2"]["native_accrued"] == 10  # half the size, two days


def test_without_a_state_the_weekday_pattern_is_carried_and_one_wild_day_is_not(accrued):
    bills = [
        {"day": day, "cost": "500" if day.day == 12 else "10" if day.weekday() < 5 else "4", "PricingQuantity": 1,
         "PricingUnit": "GB", "SkuPriceId": "gb", "ServiceName": "Network"}
        for day in days(*FEBRUARY)
    ]  # fmt: skip
    (line,) = accrued(bills, [])
    assert line["basis"] == "run rate"
    assert line["native_accrued"] == 21 * 10 + 10 * 4  # March 2025 has 21 weekdays; 12 February counts as usual


def test_a_fixed_amount_a_month_stays_it_whatever_the_days_of_the_month(accrued):
    bills = []
    for first, until, rate in ((date(2025, 1, 1), date(2025, 2, 1), "28"), (*FEBRUARY, "31")):
        bills += machine("rack", first, until, hours=1, price=rate, PricingUnit="Days")
    (line,) = accrued(bills, [])
    assert line["native_accrued"] == pytest.approx(Decimal(868), abs=Decimal("1e-6"))  # 31 x 28, not 31 x 31


def test_calendar_items_stand_as_they_were_and_what_was_once_is_not_repeated(accrued):
    def once(day, cost, name, **more):
        return {"day": day, "cost": cost, "ServiceName": name, "ChargeDescription": name, **more}

    bills = machine("vm", *FEBRUARY)
    bills += [
        once(date(2025, 2, 1), "300", "Support", ChargeCategory="Usage"),
        once(date(2025, 2, 3), "70", "Purchase", ChargeCategory="Purchase", ChargeFrequency="One-Time"),
        once(date(2025, 1, 3), "-50", "Credit", ChargeCategory="Credit", ChargeFrequency="One-Time"),
        once(date(2025, 2, 3), "-50", "Credit", ChargeCategory="Credit", ChargeFrequency="One-Time"),
        once(date(2025, 2, 9), "-9", "Correction", ChargeClass="Correction"),
    ]
    lines = {line["ServiceName"]: line for line in accrued(bills, [state("vm", "2025-01-01", "2025-04-01")])}
    assert {name: line["native_accrued"] for name, line in lines.items() if line["basis"] == "calendar"} == {
        "Support": 300, "Credit": -50,
    }  # fmt: skip
    assert lines["Support"]["unit_price"] is None and lines["Support"]["why"] == "as in 2025-02"


def test_a_provider_whose_last_bill_is_late_is_accrued_from_the_month_before(accrued):
    bills = machine("vm", date(2025, 1, 1), date(2025, 2, 1)) + machine("x", *FEBRUARY, ProviderName="Azure")
    lines = accrued(bills, [state("vm", "2025-01-01", "2025-04-01")])
    assert {line["provider"]: line["native_accrued"] for line in lines} == {"AWS": 31 * 48, "Azure": 31 * 48}


def test_an_accrual_in_dollars_takes_the_newest_rate_known_for_the_month(db, table):
    from finops_kit.value.lens import monthly_rates

    rates = [{"month": date(2025, m, 1), "from_currency": "USD", "to_currency": "EUR", "rate": r}
             for m, r in ((1, "0.8"), (2, "0.9"), (4, "0.1"))]  # fmt: skip
    lines = ibis.memtable({"BillingCurrency": ["USD", "EUR", "NOK"], "native_accrued": [Decimal(10)] * 3})
    lines = lines.mutate(native_accrued=lines.native_accrued.cast("decimal(38,24)"))
    found = in_currency(lines, monthly_rates(table("exchange_rate", rates), "EUR"), START, "EUR")
    assert {row["BillingCurrency"]: row["accrued"] for row in db.to_pyarrow(found).to_pylist()} == {
        "USD": 9, "EUR": 10, "NOK": None,
    }  # fmt: skip


# accrued against billed


def item(sku, quantity, amount, basis="state"):
    row = dict.fromkeys(ITEM, "x") | {
        "sku": sku,
        "quantity": quantity,
        "basis": basis,
        "ResourceId": "r",
        "ResourceName": "R",
    }
    return row | {"accrued": amount, "EffectiveCost": amount}


def reconciled(db, accrued, billed):
    tables = []
    for rows in (accrued, billed):
        rows = rows or [item("nothing", None, None)]
        found = ibis.memtable(pd.DataFrame(rows).astype({"quantity": "float64"}))
        found = found.mutate(**{name: found[name].cast("decimal(38,24)") for name in ("accrued", "EffectiveCost")})
        tables.append(found.filter(found.sku != "nothing"))
    return db.to_pyarrow(reconcile(*tables)).to_pylist()


def test_the_four_parts_by_hand(db):
    accrual = [item("both", 10, Decimal(100)), item("gone", 1, Decimal(7)), item("fee", None, Decimal(30))]
    bill = [item("both", 12, Decimal(132)), item("new", 1, Decimal(5)), item("fee", None, Decimal(31))]
    rows = {row["sku"]: row for row in reconciled(db, accrual, bill)}
    assert [rows["both"][part] for part in PARTS] == [12, 20, 0, 0]  # (11 - 10) x 12 and 10 x (12 - 10)
    assert [rows["gone"][part] for part in PARTS] == [0, 0, -7, 0]
    assert [rows["new"][part] for part in PARTS] == [0, 0, 0, 5]
    assert [rows["fee"][part] for part in PARTS] == [1, 0, 0, 0]


def test_quantities_worlds_apart_say_nothing_of_a_price(db):
    (row,) = reconciled(db, [item("a", 1e-6, Decimal(300))], [item("a", 362.0, Decimal(1))])
    assert [row[part] for part in PARTS] == [0, -299, 0, 0]


_AMOUNT = st.decimals(Decimal("-1e7"), Decimal("1e7"), places=12, allow_nan=False, allow_infinity=False)
_SIDE = st.lists(st.tuples(st.sampled_from("abcde"), st.one_of(st.none(), st.floats(1e-6, 1e9)), _AMOUNT), max_size=8)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(accrual=_SIDE, bill=_SIDE)
def test_the_four_parts_always_sum_to_the_whole_difference(db, accrual, bill):
    rows = reconciled(db, [item(*line) for line in accrual], [item(*line) for line in bill])
    for row in rows:
        assert sum(row[part] for part in PARTS) == row["difference"] == row["billed"] - row["accrued"]
    assert sum(row["billed"] for row in rows) == sum(line[2] for line in bill)
    assert sum(row["accrued"] for row in rows) == sum(line[2] for line in accrual)


# completeness


def lines_table(rows):
    names = ("provider", "ServiceName", "month", "charge_date", "amount", "known_on", "superseded_on")
    table = ibis.memtable(pd.DataFrame(rows, columns=names))
    return table.cast({**dict.fromkeys(("month", "charge_date", "known_on", "superseded_on"), "date"),
                       "amount": "float64"})  # fmt: skip


def test_completeness_at_an_age(db):
    observed = ibis.memtable({"provider": ["p"] * 2, "month": [1, 2], "age_days": [9, 9], "amount": [60.0, 90.0]})
    final = ibis.memtable({"provider": ["p"] * 2, "month": [1, 2], "final_amount": [100.0, 100.0]})
    assert db.to_pyarrow(completeness_at(observed, final)).to_pylist()[0]["completeness"] == 0.75


def test_a_delivery_of_that_age_says_how_complete_a_month_was(db):
    month, due = date(2025, 2, 1), date(2025, 3, 5)
    rows = [("p", "s", month, day, 1.0, date(2025, 2, 11), due) for day in days(month, date(2025, 2, 8))]
    rows += [("p", "s", month, day, 1.0, due, None) for day in days(*FEBRUARY)]
    ages = ibis.memtable({"provider": ["p"], "age": [10]})
    found = db.to_pyarrow(month_completeness(lines_table(rows), ages, START)).to_pylist()[0]
    assert (found["completeness"], found["from_deliveries"]) == (0.25, 1)  # 7 of 28 days, though 10 had passed


def test_without_one_the_days_that_had_passed_say_it_each_with_its_lag(db):
    month, due = date(2025, 1, 1), date(2025, 2, 5)
    every = days(month, date(2025, 2, 1))
    # on 1 February the last day of January was half there
    rows = [("p", "s", month, day, 0.5 if day.day == 31 else 1.0, date(2025, 2, 1), due) for day in every]
    rows += [("p", "s", month, day, 1.0, due, None) for day in every]
    table = lines_table(rows)
    lag = {row["lag"]: row["known_share"] for row in db.to_pyarrow(lag_completeness(table, "2025-02-01")).to_pylist()}
    assert (lag[1], lag[2]) == (0.5, 1.0)
    ages = ibis.memtable({"provider": ["p"], "age": [10]})
    found = db.to_pyarrow(month_completeness(table, ages, START)).to_pylist()[0]  # March has 31 days as well
    assert found["completeness"] == pytest.approx(9.5 / 31) and found["from_deliveries"] == 0


def test_an_open_month_completed_both_ways(db):
    billed = ibis.memtable({"provider": ["p", "new"], "billed": [Decimal(60), Decimal(5)]})
    share = ibis.memtable({"provider": ["p", "late"], "completeness": [0.75, 0.01]})
    prior = ibis.memtable({"provider": ["p", "late"], "expected": [Decimal(100), Decimal(40)]})
    rows = {row["provider"]: row for row in db.to_pyarrow(complete(billed, share, prior, ["provider"])).to_pylist()}
    assert (rows["p"]["chain_ladder"], rows["p"]["bornhuetter_ferguson"]) == (80.0, 85.0)
    assert rows["late"]["chain_ladder"] is None and rows["late"]["bornhuetter_ferguson"] == pytest.approx(39.6)
    assert rows["new"]["chain_ladder"] is None and "no completeness is known" in rows["new"]["why"]


def test_which_delivery_was_current_when(db):
    rows = pd.DataFrame({
        "batch_id": ["a", "b", "c"], "entry": [1, 2, 5], "source_system": "s", "billing_account_id": "1",
        "period_start": date(2025, 2, 1), "mode": ["replace", "append", "replace"],
        "known_on": [date(2025, 2, 3), date(2025, 2, 9), date(2025, 3, 1)],
    })  # fmt: skip
    table = ibis.memtable(rows).cast({"known_on": "date", "period_start": "date"})
    found = {row["batch_id"]: row["superseded_on"] for row in db.to_pyarrow(as_delivered(table)).to_pylist()}
    assert found == {"a": date(2025, 3, 1), "b": date(2025, 3, 1), "c": None}
    # of files that add up one that comes again supersedes the one that it names, and none else
    rows = pd.DataFrame({
        "batch_id": list("abcd"), "entry": range(1, 5), "source_system": "s", "billing_account_id": "1",
        "period_start": date(2025, 2, 1), "mode": ["append", "append", "instead a", "instead c"],
        "known_on": [date(2025, 3, day) for day in range(1, 5)],
    })  # fmt: skip
    table = ibis.memtable(rows).cast({"known_on": "date", "period_start": "date"})
    found = {row["batch_id"]: row["superseded_on"] for row in db.to_pyarrow(as_delivered(table)).to_pylist()}
    assert found == {"a": date(2025, 3, 3), "b": None, "c": date(2025, 3, 4), "d": None}
    # what waits for other parts, or came late, supersedes nothing; a report in parts does once it is whole
    modes = ["replace", "replace-part", "append-late", "replace-part", "append-whole", "replace-part"]
    rows = pd.DataFrame({
        "batch_id": list("abcdef"), "entry": range(1, 7), "source_system": "s", "billing_account_id": "1",
        "period_start": date(2025, 2, 1), "mode": modes, "known_on": [date(2025, 3, day) for day in range(1, 7)],
    })  # fmt: skip
    table = ibis.memtable(rows).cast({"known_on": "date", "period_start": "date"})
    found = {row["batch_id"]: row["superseded_on"] for row in db.to_pyarrow(as_delivered(table)).to_pylist()}
    assert found == {"a": date(2025, 3, 4), "d": None, "e": None}


@pytest.mark.parametrize(
    ("path", "day"),
    [
        ("aws/2025-02-24/report.csv.gz", "2025-02-24"),
        ("exports/20250201-20250228/202502240512/part_0.parquet", "2025-02-24"),
        ("cur/20250224T060102Z/cur-00001.csv.gz", "2025-02-24"),
        ("bill-2025-02-24.csv", "2025-03-09"),  # a file's own name says its period as often as its day
        ("2025-02-01/bill.csv", "2025-03-09"),  # the period's first day is no day of delivery
        ("2031-02-24/bill.csv", "2025-03-09"),  # nor is one that is yet to come
    ],
)
def test_the_day_of_a_delivery(db, path, day):
    learned = ibis.timestamp("2025-03-09 10:00:00")
    found = delivery_day(ibis.literal(path), learned, ibis.timestamp("2025-02-01"))
    assert str(db.execute(found))[:10] == day
