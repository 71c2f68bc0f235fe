"""Alibaba Cloud's bills: amounts, kinds of charge, times of UTC+8, tags in both spellings."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal as D

from tests_ingest import ask

from finops_kit.ingest import ingest_paths

ROW = {
    "BillingCycle": "2026-09", "BillingDate": "2026-09-03", "AccountID": "0185", "AccountName": "house",
    "OwnerID": "0186", "SubscriptionType": "PayAsYouGo", "ProductCode": "ecs", "ProductName": "Elastic Compute Service",
    "ProductDetail": "ECS pay-as-you-go", "UsageStartTime": "2026-09-03 08:00:00",
    "UsageEndTime": "2026-09-03 09:00:00",
    "Item": "PayAsYouGoBill", "InstanceID": "i-1", "NickName": "web", "Tag": "key:team value:core; key:env value:a:b",
    "InstanceSpec": "ecs.g7.large", "Region": "Germany (Frankfurt)", "Zone": "eu-central-1a", "Usage": "1",
    "UsageUnit": "Hours", "BillingItemCode": "instance_type", "BillingItem": "Instance type",
    "PretaxGrossAmount": "0.12", "InvoiceDiscount": "0.02", "DeductedByCoupons": "0.01", "PretaxAmount": "0.09",
    "PaymentAmount": "0.09", "Currency": "USD",
}  # fmt: skip
LINES = [
    {},
    {"SubscriptionType": "Subscription", "Item": "SubscriptionOrder", "PretaxGrossAmount": "120",
     "InvoiceDiscount": "20", "DeductedByCoupons": "0", "PretaxAmount": "100", "UsageStartTime": "",
     "UsageEndTime": ""},
    {"Item": "Refund", "PretaxGrossAmount": "-12", "InvoiceDiscount": "-2", "PretaxAmount": "-10", "Usage": ""},
    {"Item": "Adjustment", "PretaxGrossAmount": "0", "InvoiceDiscount": "0", "PretaxAmount": "-1E-7", "Usage": ""},
]  # fmt: skip


def bill(*changes: dict[str, str], names=lambda name: name) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([names(name) for name in ROW])
    writer.writerows([{**ROW, **change}[name] for name in ROW] for change in changes)
    return out.getvalue()


def test_every_kind_of_line(store, write):
    found = ingest_paths(store, [write("a.csv", bill(*LINES))]).files[0]
    assert (found.format, found.status, found.control_totals) == ("alibaba-bill", "stored", {"USD": D("90.0899999")})
    assert ask(store, 'SELECT "ChargeCategory", "ChargeClass", "ChargeFrequency", "BilledCost", "EffectiveCost", '
                      '"ContractedCost", "ListCost" FROM charge ORDER BY source_row') == [
        ("Usage", None, "Usage-Based", D("0.09"), D("0.09"), D("0.1"), D("0.12")),
        ("Purchase", None, "One-Time", D(100), D(100), D(100), D(120)),
        ("Purchase", "Correction", "One-Time", D(-10), D(-10), D(-10), D(-12)),
        ("Adjustment", None, "One-Time", D("-1E-7"), D("-1E-7"), D(0), D(0))]  # fmt: skip


def test_a_line_is_stored_column_by_column(store, write):
    ingest_paths(store, [write("a.csv", bill({}, LINES[1]))])
    assert ask(store, 'SELECT "BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd" '
                      "FROM charge ORDER BY source_row") == [
        (datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 9, 3, 0, tzinfo=UTC),
         datetime(2026, 9, 3, 1, tzinfo=UTC)),
        (datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 9, 3, tzinfo=UTC),
         datetime(2026, 9, 4, tzinfo=UTC))]  # fmt: skip
    assert ask(store, 'SELECT "Tags", "BillingAccountId", "SubAccountId", "RegionId", "RegionName", "ServiceCategory", '
                      '"ResourceId", "PricingQuantity", "PricingUnit", "x_Columns"[\'DeductedByCoupons\'], '
                      "source_system FROM charge LIMIT 1") == [
        ({"team": "core", "env": "a:b"}, "0185", "0186", "eu-central-1", "Germany (Frankfurt)", "Compute", "i-1", D(1),
         "Hours", "0.01", "alibaba")]  # fmt: skip


def test_the_headings_of_the_console_and_plain_tags(store, write):
    def spaced(name: str) -> str:
        return "".join(f" {sign}" if sign.isupper() and i and not name[i - 1].isupper() else sign
                       for i, sign in enumerate(name))  # fmt: skip

    plain = {"Tag": "team:core;team:other;cost:x", "BillingCycle": "202609", "BillingDate": "20260903"}
    text = bill(plain, {"Tag": ""}, {"PretaxAmount": ""}, names=spaced)
    found = ingest_paths(store, [write("a.csv", text)]).files[0]
    assert (found.rows_stored, found.rows_quarantined) == (2, 1), found.reason
    assert ask(store, 'SELECT "Tags", "BilledCost" FROM charge ORDER BY source_row') == [
        ({"team": "core", "cost": "x"}, D("0.09")), ({}, D("0.09"))]  # fmt: skip


def test_its_own_focus_export_comes_in_as_focus(store, write):
    from tests_ingest import focus_text

    row = {"ProviderName": "Alibaba Cloud", "ContractedCost": "", "ChargeDescription": "", "ConsumedQuantity": "",
           "x_InstanceSpec": "ecs.g7.large"}  # fmt: skip
    found = ingest_paths(store, [write("a.csv", focus_text(row))]).files[0]
    assert (found.format, found.status) == ("focus-1.0", "stored")
