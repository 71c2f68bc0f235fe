"""Google Cloud's billing export: credits of every kind, cost types, and the three ways it is exported."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal as D
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests_ingest import ask

from finops_kit.ingest import ingest_paths

ROW: dict[str, Any] = {
    "billing_account_id": "01AB-02CD", "service": {"id": "6F81", "description": "Compute Engine"},
    "sku": {"id": "CF4E", "description": "N2 Core"}, "usage_start_time": "2026-08-31 23:00:00 UTC",
    "usage_end_time": "2026-09-01 00:00:00 UTC", "project": {"id": "shop-1", "name": "Shop"},
    "labels": [{"key": "team", "value": "core"}], "location": {"region": "europe-west3", "zone": "europe-west3-a"},
    "cost": 1.25, "currency": "EUR", "usage": {"amount": 3600, "unit": "seconds", "amount_in_pricing_units": 1,
                                               "pricing_unit": "hour"},
    "credits": [], "invoice": {"month": "202609"}, "cost_type": "regular", "cost_at_list": 1.5,
    "resource": {"name": "projects/shop-1/instances/vm-1"},
}  # fmt: skip
TRIAL = {"name": "Trial", "amount": -0.25, "full_name": None, "id": "t", "type": "PROMOTION"}


def line(**change: Any) -> str:
    return json.dumps({**ROW, **change})


def flat(found: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in found.items():
        out |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return out


def table(*rows: dict[str, Any], lists=json.dumps, points: str = ".") -> str:
    out = io.StringIO(newline="")
    names = list(flat(ROW))
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([name.replace(".", points) for name in names])
    for row in rows:
        values = flat({**ROW, **row})
        writer.writerow([lists(values[n]) if isinstance(values[n], list) else values[n] for n in names])
    return out.getvalue()


def test_a_row_is_stored_column_by_column(store, write):
    report = ingest_paths(store, [write("a.json", line(credits=[TRIAL]) + "\n")])
    assert (report.files[0].format, report.files[0].control_totals) == ("gcp-billing", {"EUR": D(1)})
    assert ask(store, 'SELECT "BilledCost", "EffectiveCost", "ContractedCost", "ListCost", "PricingQuantity", '
                      '"ConsumedQuantity", "PricingUnit", "ChargeCategory", "PricingCategory" FROM charge') == [
        (D(1), D(1), D("1.25"), D("1.5"), D(1), D(3600), "hour", "Usage", "Standard")]  # fmt: skip
    assert ask(store, 'SELECT "BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "Tags", "SubAccountId", '
                      '"ResourceName", "ServiceName", "ServiceCategory", source_system FROM charge') == [
        (datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 8, 31, 23, tzinfo=UTC),
         {"team": "core"}, "shop-1", "vm-1", "Compute Engine", "Compute", "gcp")]  # fmt: skip


@pytest.mark.parametrize("lists", [json.dumps, repr])
@pytest.mark.parametrize("points", [".", "_"])
def test_flattened_text_with_json_or_python_lists(store, write, lists, points):
    rows = [{"credits": [TRIAL, {**TRIAL, "amount": -2.32e-9}]}, {"labels": []}, {}]
    report = ingest_paths(store, [write("a.csv", table(*rows, lists=lists, points=points))]).files[0]
    assert report.control_totals == {"EUR": D("3.75") - D("0.25") - D("2.32E-9")}
    assert ask(store, 'SELECT "BilledCost", "Tags" FROM charge ORDER BY source_row') == [
        (D("0.99999999768"), {"team": "core"}), (D("1.25"), {}), (D("1.25"), {"team": "core"})]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "category", "kind"),
    [
        ({"cost_type": "tax", "cost": 0.19}, "Tax", None),
        ({"cost_type": "rounding_error", "cost": 0.000001}, "Adjustment", None),
        ({"cost_type": "adjustment", "cost": -3, "adjustment_info": {"id": "a-1", "type": "GENERAL_ADJUSTMENT"}},
         "Adjustment", "Correction"),
        ({"adjustment_info": {"id": None, "type": "USAGE_CORRECTION", "mode": "COMPLETE_NEGATION"}, "cost": -1},
         "Usage", "Correction"),
    ],
)  # fmt: skip
def test_every_cost_type(store, write, change, category, kind):
    ingest_paths(store, [write("a.json", line(**change) + "\n" + line() + "\n")])
    assert ask(store, 'SELECT "ChargeCategory", "ChargeClass", "BilledCost" FROM charge WHERE source_row = 1') == [
        (category, kind, D(str(change["cost"])))]  # fmt: skip


#: type of credit -> CommitmentDiscountCategory, CommitmentDiscountQuantity, CommitmentDiscountUnit
CREDITS: dict[str, tuple[str | None, D | None, str | None]] = {
    "COMMITTED_USAGE_DISCOUNT": ("Usage", D(1), "hour"),
    "COMMITTED_USAGE_DISCOUNT_DOLLAR_BASE": ("Spend", D("0.25"), "EUR"),
    "FEE_UTILIZATION_OFFSET": ("Spend", D(1), "EUR"),
    **dict.fromkeys(
        ("SUSTAINED_USAGE_DISCOUNT", "FREE_TIER", "RESELLER_MARGIN", "PROMOTION", "DISCOUNT", "SUBSCRIPTION_BENEFIT",
         "CREDIT_TYPE_UNSPECIFIED"), (None, None, None)),
}  # fmt: skip


def test_credits_by_type(store, write):
    """Google Cloud, "Structure of Detailed data export", ``credits.type``: each one lowers what is billed."""
    text = "\n".join(line(credits=[{**TRIAL, "type": kind}]) for kind in CREDITS)
    ingest_paths(store, [write("a.json", text + "\n")])
    assert ask(store, 'SELECT "CommitmentDiscountCategory", "CommitmentDiscountQuantity", "CommitmentDiscountUnit", '
                      '"BilledCost", "EffectiveCost", "ContractedCost", "ListCost", "PricingCategory" '
                      "FROM charge ORDER BY source_row") == [
        (*found, D(1), D(1), D("1.25"), D("1.5"), "Committed" if found[0] else "Standard")
        for found in CREDITS.values()]  # fmt: skip


def test_a_spend_commitment_as_the_price_of_a_consumption_model(store, write):
    """Google Cloud, "Spend-based CUD program improvements": an hour covered in part, and a fee used in part."""

    def row(cost: float, default: float, model: str, *credits: dict[str, Any], commitment: str | None = None) -> str:
        return line(cost=cost, cost_at_effective_price_default=default, cost_at_list=default + 0.01, credits=credits,
                    consumption_model={"id": "m", "description": model}, subscription={"instance_id": commitment},
                    price={"effective_price": 0.0157, "effective_price_default": 0.0218})  # fmt: skip

    offset = {"name": "offset", "amount": -0.046868, "type": "FEE_UTILIZATION_OFFSET"}
    rows = [row(0.109398, 0.109398, "Default"), row(0.05, 0.05, "Default", offset, commitment="subscriptions/1"),
            row(0.046868, 0.065095, "Compute Flexible CUDs 1 Year", commitment="subscriptions/1")]  # fmt: skip
    found = ingest_paths(store, [write("a.json", "\n".join(rows) + "\n")]).files[0]
    assert found.control_totals == {"EUR": D("0.159398")}
    assert ask(store, 'SELECT "BilledCost", "ContractedCost", "ContractedUnitPrice", "PricingCategory", '
                      '"CommitmentDiscountCategory", "CommitmentDiscountId", "CommitmentDiscountStatus", '
                      '"CommitmentDiscountQuantity" FROM charge ORDER BY source_row') == [
        (D("0.109398"), D("0.109398"), D("0.0218"), "Standard", None, None, None, None),
        (D("0.003132"), D("0.05"), D("0.0218"), "Committed", "Spend", "subscriptions/1", "Unused", D("0.003132")),
        (D("0.046868"), D("0.065095"), D("0.0218"), "Committed", "Spend", "subscriptions/1", "Used", D("0.046868")),
    ]  # fmt: skip


def test_parquet_with_records_and_lists(store, write):
    path = write("a.parquet", b"")
    tags = [{"key": "env", "value": "prod", "inherited": True, "namespace": "1"}]
    rows = [{**ROW, "credits": [TRIAL], "tags": tags, "system_labels": [{"key": "a", "value": "b"}] * 2},
            {**ROW, "credits": [TRIAL, TRIAL], "tags": [], "system_labels": []}]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), path)
    report = ingest_paths(store, [path]).files[0]
    assert (report.format, report.control_totals) == ("gcp-billing", {"EUR": D("1.75")})
    kept = ask(store, 'SELECT "x_Columns" FROM charge ORDER BY source_row')[0][0]
    assert json.loads(kept["tags"]) == tags and json.loads(kept["system_labels"]) == [{"key": "a", "value": "b"}] * 2
    assert ask(store, 'SELECT "Tags", "SubAccountName" FROM charge LIMIT 1') == [({"team": "core"}, "Shop")]


def test_what_google_sells_itself_is_googles_whichever_of_its_companies_sells_it(store, write):
    google, acme = "Google Cloud EMEA Limited", "Acme, Inc."
    lines = [line(seller_name=google, transaction_type="GOOGLE"), line(seller_name=google), line(),
             line(seller_name=acme, transaction_type="THIRD_PARTY_AGENCY"), line(seller_name=acme),
             line(seller_name="Googleplex Cafe"),
             line(invoice={"month": "202609", "publisher_type": "PARTNER"})]  # fmt: skip
    ingest_paths(store, [write("a.json", "\n".join(lines))])
    assert [name for name, in ask(store, 'SELECT "PublisherName" FROM charge ORDER BY source_row')] == [
        *["Google Cloud"] * 3, acme, acme, "Googleplex Cafe", "Compute Engine",
    ]  # fmt: skip


@pytest.mark.parametrize("indent", [None, 1])
def test_one_array_of_objects_as_bq_prints_it(store, write, indent):
    def texts(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: texts(one) for name, one in value.items()}
        return [texts(one) for one in value] if isinstance(value, list) else None if value is None else str(value)

    late = {**ROW, "seller_name": "Acme [EU], \\"}
    text = json.dumps([texts({**ROW, "credits": [TRIAL]}), late, 7], indent=indent)
    report = ingest_paths(store, [write("a.json", text)]).files[0]
    assert (report.format, report.rows_read, report.rows_stored, report.rows_quarantined) == ("gcp-billing", 3, 2, 1)
    assert report.control_totals == {"EUR": D("2.25")}
    assert ask(store, 'SELECT "BilledCost", "PublisherName", "Tags" FROM charge ORDER BY source_row') == [
        (D(1), "Google Cloud", {"team": "core"}), (D("1.25"), late["seller_name"], {"team": "core"})]  # fmt: skip
    cut = ingest_paths(store, [write("b.json", text[:-9])]).files[0]
    assert cut.status == "refused" and "array" in cut.reason


def test_parquet_with_lists_in_a_record_of_their_own_as_bigquery_writes_them(store, write):
    credit = pa.struct([("name", pa.string()), ("amount", pa.float64()), ("type", pa.string())])
    wrapped = pa.struct([("list", pa.list_(pa.struct([("element", credit)])))])
    flat_row = {name: value for name, value in ROW.items() if name != "credits"}
    columns = {name: pa.array([value, value]) for name, value in flat_row.items()}
    credits = [{"name": "a", "amount": amount, "type": "PROMOTION"} for amount in (-0.25, -0.05)]
    columns["credits"] = pa.array([{"list": [{"element": one} for one in credits]}, {"list": []}], wrapped)
    path = write("a.parquet", b"")
    pq.write_table(pa.table(columns), path)
    assert ingest_paths(store, [path]).files[0].control_totals == {"EUR": D("2.2")}
    assert ask(store, 'SELECT "BilledCost", "ContractedCost" FROM charge ORDER BY source_row') == [
        (D("0.95"), D("1.25")), (D("1.25"), D("1.25"))]  # fmt: skip


@pytest.mark.parametrize("credits", ["[{'amount': }]", "[{'name': 'x'}]", "oops", "[{'amount': 'much'}]"])
def test_credits_that_cannot_be_read_set_the_row_aside(store, write, credits):
    text = table({"credits": [1]}, {}).replace("[1]", f'"{credits}"')
    report = ingest_paths(store, [write("a.csv", text)]).files[0]
    assert (report.rows_stored, report.rows_quarantined, report.control_totals) == (1, 1, {"EUR": D("1.25")})
    assert ask(store, "SELECT column_name, reason FROM quarantine") == [
        ("credits", "the list of credits cannot be read")]  # fmt: skip


def test_lines_that_are_no_objects_and_fields_that_come_late_are_kept(store, write):
    text = "\n".join([line(), "{broken", line(cost=2.000000000000000000000001), line(), ""])
    report = ingest_paths(store, [write("a.json", text)]).files[0]
    assert (report.rows_read, report.rows_stored, report.rows_quarantined) == (4, 3, 1)
    assert ingest_paths(store, [write("b.json", text)]).files[0].status == "unchanged"


def test_numbers_keep_every_digit_they_are_written_with(store, write):
    text = line(cost=77).replace("77", "0.123456789012345678901234") + "\n"
    assert ingest_paths(store, [write("a.json", text)]).files[0].control_totals == {
        "EUR": D("0.123456789012345678901234")}  # fmt: skip
