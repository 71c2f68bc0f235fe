"""Quarantine: what waits is listed, exported and brought in again; nothing is deleted, nothing counts twice."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from tests_ingest import ask, focus_text
from tests_ingest import fingerprint as look

from finops_kit.errors import UsageError
from finops_kit.ingest import ingest_paths
from finops_kit.ingest.replay import replay, write_raw
from finops_kit.store import open_reader
from finops_kit.store.held import held_groups, held_rows

MAPPING = """version: 1
name: saas
columns:
  BilledCost: Amount
  BillingCurrency: {constant: EUR}
  BillingPeriodStart: Month
  ProviderName: Vendor
  ServiceName: Product
"""
BILL = "Month,Vendor,Product,Amount,Net\n2026-09,A,x,1.5,1.5\n2026-09,A,y,many,2.5\n2026-13,A,z,4,4\n"


def held(store, **options):
    with open_reader(store) as reader:
        return held_rows(reader.connection, **options)


def test_rows_come_in_after_the_mapping_is_corrected(store, write):
    bill = write("bill.csv", BILL)
    batch = ingest_paths(store, [bill], mapping=write("m.yaml", MAPPING)).files[0].batch_id
    with open_reader(store) as reader:
        groups = held_groups(reader.connection)
    assert [(one["column_name"], one["rows"], one["first_row"]) for one in groups] == [
        ("Amount", 1, 2),
        ("Month", 1, 3),
    ]
    corrected = write("m2.yaml", MAPPING.replace("BilledCost: Amount", "BilledCost: Net"))
    one = replay(store, batch, mapping=corrected)
    assert (one.status, one.rows_read, one.rows_stored, one.rows_quarantined) == ("stored", 2, 1, 1)
    # the first row's delivery stands, the replayed row adds to it
    assert ask(store, 'SELECT sum("BilledCost"), count(*) FROM charge') == [(Decimal("4.0"), 2)]
    assert [(row["batch_id"], row["column_name"]) for row in held(store)] == [(one.batch_id, "Month")]
    assert len(held(store, everything=True)) == 3
    assert ask(store, "SELECT count(*) FROM quarantine") == [(3,)]
    with pytest.raises(UsageError, match="no open row"):
        replay(store, batch, mapping=corrected)


def test_a_replay_that_stores_nothing_changes_nothing(store, write):
    text = focus_text({}, {"BilledCost": "x"})
    batch = ingest_paths(store, [write("bill.csv", text)]).files[0].batch_id
    before = look(store)
    assert replay(store, batch).status == "refused"
    assert look(store) == before
    assert len(held(store)) == 1


def test_rows_of_a_delivery_that_was_replaced_do_not_come_back(store, write):
    batch = ingest_paths(store, [write("a.csv", focus_text({}, {"BilledCost": "x"}))]).files[0].batch_id
    ingest_paths(store, [write("b.csv", focus_text({}, {"BilledCost": "7"}))])
    with pytest.raises(UsageError, match="replaced"):
        replay(store, batch)


def test_export_holds_the_raw_row_beside_its_reason(store, write):
    batch = ingest_paths(store, [write("bill.csv", BILL)], mapping=write("m.yaml", MAPPING)).files[0].batch_id
    out = io.StringIO()
    write_raw(held(store, batch=batch), out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [(row["quarantine_row"], row["quarantine_column"], row["Product"], row["Amount"]) for row in rows] == [
        ("2", "Amount", "y", "many"), ("3", "Month", "z", "4")
    ]  # fmt: skip


def test_an_inventory_is_not_replayed_in_part(store, write):
    text = "resource_id,kind,observed_at\na,machine,2026-09-01\nb,machine,never\n"
    batch = ingest_paths(store, [write("i.csv", text)]).files[0].batch_id
    with pytest.raises(UsageError, match="ingest it whole"):
        replay(store, batch)


def test_a_file_taken_in_whole_under_a_corrected_mapping_closes_its_rows(store, write):
    bill = write("bill.csv", BILL)
    first = ingest_paths(store, [bill], mapping=write("m.yaml", MAPPING)).files[0]
    corrected = write("m2.yaml", MAPPING.replace("BilledCost: Amount", "BilledCost: Net"))
    again = ingest_paths(store, [bill], mapping=corrected).files[0]
    assert (again.rows_read, again.rows_stored, again.rows_quarantined) == (3, 2, 1)
    assert [(row["batch_id"], row["column_name"]) for row in held(store)] == [(again.batch_id, "Month")]
    assert ask(store, 'SELECT sum("BilledCost"), count(*) FROM charge') == [(Decimal("4.0"), 2)]
    with pytest.raises(UsageError, match="replaced"):
        replay(store, first.batch_id, mapping=corrected)


def test_rows_of_a_delivery_that_was_replaced_no_longer_wait(store, write):
    ingest_paths(store, [write("a.csv", focus_text({}, {"BilledCost": "x"}))])
    assert len(held(store)) == 1
    ingest_paths(store, [write("b.csv", focus_text({}, {"BilledCost": "7"}))])
    assert held(store) == [] and len(held(store, everything=True)) == 1


def test_the_same_row_is_replayed_from_each_delivery_that_lacked_it(store, write):
    mapping, corrected = write("m.yaml", MAPPING), write("m2.yaml", MAPPING.replace("Amount", "Net"))
    for text, total in ((BILL, "4.0"), (BILL + "2026-09,A,w,8,8\n", "12.0")):
        batch = ingest_paths(store, [write("bill.csv", text)], mapping=mapping).files[0].batch_id
        assert replay(store, batch, mapping=corrected).rows_stored == 1
        assert ask(store, 'SELECT sum("BilledCost") FROM charge') == [(Decimal(total),)]
    # and the row that still waits comes in by a third mapping, once
    (last,) = held(store)
    third = write("m3.yaml", MAPPING.replace("BillingPeriodStart: Month", 'BillingPeriodStart: {constant: "2026-08"}'))
    assert replay(store, last["batch_id"], mapping=third).status == "stored"
    assert held(store) == [] and ask(store, 'SELECT sum("BilledCost") FROM charge') == [(Decimal("16.0"),)]


def test_rows_of_a_period_that_was_delivered_again_do_not_add_to_it(store, write):
    text = BILL.replace("2026-13,A,z,4,4", "2026-08,A,z,4,4")
    batch = ingest_paths(store, [write("both.csv", text)], mapping=write("m.yaml", MAPPING)).files[0].batch_id
    newer = "Month,Vendor,Product,Amount,Net\n2026-09,A,y,2.5,2.5\n2026-09,A,x,1.5,1.5\n"
    ingest_paths(store, [write("september.csv", newer)], mapping=write("m.yaml", MAPPING))
    assert len(held(store)) == 1, "its other period still counts"
    one = replay(store, batch, mapping=write("m2.yaml", MAPPING.replace("Amount", "Net")))
    assert one.status == "stored" and "does not count: it brings rows of a bill, in whose place" in one.reason
    assert ask(store, 'SELECT sum("BilledCost") FROM charge') == [(Decimal("8.0"),)] and held(store) == []
