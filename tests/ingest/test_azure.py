"""Azure cost details: each kind of line by hand, both data sets, headers of all sorts."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, datetime
from decimal import Decimal as D

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests_ingest import ask

from finops_kit.ingest import ingest_paths
from finops_kit.store import open_reader

ORDER = "/providers/Microsoft.Capacity/reservationOrders/o-1/reservations/r-1"
PLAN = "/providers/Microsoft.BillingBenefits/savingsPlanOrders/o-2/savingsPlans/s-1"
ROW = {
    "BillingAccountId": "0098", "BillingAccountName": "House", "BillingPeriodStartDate": "09/01/2026",
    "BillingPeriodEndDate": "09/30/2026", "BillingProfileId": "0098", "SubscriptionId": "sub-1",
    "SubscriptionName": "Shop", "Date": "09/03/2026", "ProductName": "D2 v3", "MeterCategory": "Virtual Machines",
    "MeterId": "m-1", "MeterName": "D2 v3", "Quantity": "8", "EffectivePrice": "0.1", "UnitPrice": "0.1",
    "PayGPrice": "0.125", "CostInBillingCurrency": "0.8", "BillingCurrencyCode": "EUR", "UnitOfMeasure": "1 Hour",
    "ResourceLocation": "US East 2", "ConsumedService": "Microsoft.Compute",
    "ResourceId": "/subscriptions/sub-1/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm-1",
    "Tags": '"team": "core"', "ChargeType": "Usage", "Frequency": "UsageBased", "PricingModel": "OnDemand",
    "PublisherType": "Azure", "PublisherName": "", "ReservationId": "", "benefitId": "", "benefitName": "",
    "PartNumber": "AAA-1",
}  # fmt: skip
FEE = {"ChargeType": "Purchase", "PricingModel": "Reservation", "Frequency": "Recurring", "benefitId": ORDER,
       "CostInBillingCurrency": "30", "Quantity": "1", "UnitPrice": "30", "PayGPrice": "0"}  # fmt: skip
COVERED = {"PricingModel": "Reservation", "benefitId": ORDER, "CostInBillingCurrency": "0", "EffectivePrice": "0"}
USED = {**COVERED, "CostInBillingCurrency": "0.5", "EffectivePrice": "0.0625"}
UNUSED = {"ChargeType": "UnusedReservation", "PricingModel": "Reservation", "benefitId": ORDER, "UnitPrice": "0",
          "CostInBillingCurrency": "0.25", "PayGPrice": "0"}  # fmt: skip


def bill(*changes: dict[str, str], header: dict[str, str] | None = None) -> str:
    out = io.StringIO(newline="")
    names = list(dict.fromkeys([*ROW, *(name for change in changes for name in change)]))
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([(header or {}).get(name, name) for name in names])
    for change in changes:
        row = {**ROW, **change}
        writer.writerow([row.get(name, "") for name in names])
    return out.getvalue()


def one(store, columns: str, table: str = "charge"):
    rows = ask(store, f"SELECT {columns} FROM {table} ORDER BY source_row")
    assert len(rows) == 1
    return rows[0]


def test_usage_is_stored_column_by_column(store, write):
    report = ingest_paths(store, [write("a.csv", bill({}))])
    assert (report.files[0].format, report.files[0].control_totals) == ("azure-actual", {"EUR": D("0.8")})
    assert one(store, '"BilledCost", "EffectiveCost", "ContractedCost", "ListCost", "ListUnitPrice", '
                      '"PricingQuantity", "PricingUnit", "ChargeCategory", "ChargeFrequency", "PricingCategory"') == (
        D("0.8"), D("0.8"), D("0.8"), D(1), D("0.125"), D(8), "Hours", "Usage", "Usage-Based", "Standard")  # fmt: skip
    assert one(store, '"BillingAccountId", "SubAccountId", "RegionId", "RegionName", "ResourceName", "ResourceType", '
                      '"ServiceName", "ServiceCategory", "ServiceSubcategory", "Tags", "ProviderName", '
                      "source_system") == (
        "0098", "sub-1", "eastus2", "East US 2", "vm-1", "microsoft.compute/virtualmachines", "Virtual Machines",
        "Compute", "Virtual Machines", {"team": "core"}, "Microsoft", "azure")  # fmt: skip
    assert one(store, '"BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd"') == tuple(
        datetime(2026, month, day, tzinfo=UTC) for month, day in ((9, 1), (10, 1), (9, 3), (9, 4)))  # fmt: skip


@pytest.mark.parametrize(
    ("change", "category", "kind", "frequency", "effective"),
    [
        ({"ChargeType": "Purchase", "Frequency": "OneTime", "PublisherType": "Marketplace", "PublisherName": "Acme"},
         "Purchase", None, "One-Time", "0.8"),
        (FEE, "Purchase", None, "Recurring", "0"),
        ({**FEE, "ChargeType": "Refund", "CostInBillingCurrency": "-30"}, "Purchase", "Correction", "Recurring", "0"),
        ({"ChargeType": "Refund", "CostInBillingCurrency": "-4"}, "Purchase", "Correction", "One-Time", "-4"),
        ({"ChargeType": "RoundingAdjustment", "Frequency": "", "CostInBillingCurrency": "0.000001"},
         "Adjustment", None, "One-Time", "0.000001"),
        ({"ChargeType": "Credit", "CostInBillingCurrency": "-7", "Frequency": "OneTime"}, "Credit", None, "One-Time",
         "-7"),
        ({"ChargeType": "Tax", "CostInBillingCurrency": "1.9", "Frequency": "OneTime"}, "Tax", None, "One-Time", "1.9"),
    ],
)  # fmt: skip
def test_every_kind_of_charge(store, write, change, category, kind, frequency, effective):
    ingest_paths(store, [write("a.csv", bill(change))])
    billed = D({**ROW, **change}["CostInBillingCurrency"])
    assert one(store, '"ChargeCategory", "ChargeClass", "ChargeFrequency", "BilledCost", "EffectiveCost"') == (
        category, kind, frequency, billed, D(effective))  # fmt: skip


def test_actual_and_amortised_costs_of_a_period_are_never_added(store, write):
    actual = write("actual.csv", bill(FEE, COVERED, {}))
    amortised = write("amortised.csv", bill(USED, UNUSED, {}))
    reports = ingest_paths(store, [actual, amortised]).files
    assert [(one.format, one.status) for one in reports] == [("azure-actual", "stored"), ("azure-amortized", "stored")]
    assert "never added" in reports[1].reason and "amortised" in reports[1].reason
    assert ask(store, 'SELECT sum("BilledCost"), sum("EffectiveCost"), count(*) FROM charge') == [
        (D("30.8"), D("1.55"), 4)]  # fmt: skip
    assert ask(store, 'SELECT source_system, sum("BilledCost"), sum("EffectiveCost") FROM charge_history '
                      "GROUP BY ALL ORDER BY ALL") == [
        ("azure", D("30.8"), D("0.8")), ("azure-amortized", D("0.8"), D("1.55"))]  # fmt: skip
    assert ask(store, 'SELECT "ChargeCategory", "CommitmentDiscountStatus", "CommitmentDiscountId", '
                      '"CommitmentDiscountType", "PricingCategory", "BilledCost" FROM charge_history '
                      "WHERE source_system = 'azure-amortized' AND \"CommitmentDiscountId\" IS NOT NULL "
                      "ORDER BY source_row") == [
        ("Usage", "Used", ORDER, "Reservation", "Committed", D(0)),
        ("Usage", "Unused", ORDER, "Reservation", "Committed", D(0))]  # fmt: skip
    assert ask(store, "SELECT dataset, source_system FROM delivery ORDER BY ALL") == [
        ("charge", "azure"), ("charge_amortized", "azure-amortized")]  # fmt: skip


def _current(store, as_of=None):
    with open_reader(store, as_of) as reader:
        return reader.connection.execute(
            'SELECT source_system, "ChargeCategory", "CommitmentDiscountStatus", "BilledCost", "EffectiveCost" '
            "FROM charge ORDER BY ALL"
        ).fetchall()


OTHER_DAY = {"Date": "09/04/2026"}


def test_effective_cost_is_the_amortised_one_where_both_say_the_same(store, write):
    actual = write("actual.csv", bill(FEE, COVERED, {}, {**COVERED, **OTHER_DAY}, OTHER_DAY, {**FEE, **OTHER_DAY}))
    before = ingest_paths(store, [actual]).store_version
    alone = _current(store)
    assert sum(row[4] for row in alone) == D("1.6")
    # the second day's plain usage differs, so that day keeps what was invoiced
    newer = {**OTHER_DAY, "CostInBillingCurrency": "0.9"}
    amortised = write("amortised.csv", bill(USED, UNUSED, {}, {**USED, **OTHER_DAY}, newer))
    ingest_paths(store, [amortised])
    first = [("azure", "Purchase", None, D(30), D(0)), ("azure", "Purchase", None, D(30), D(0)),
             ("azure", "Usage", "Used", D(0), D(0)), ("azure", "Usage", None, D("0.8"), D("0.8")),
             ("azure", "Usage", None, D("0.8"), D("0.8")),
             ("azure-amortized", "Usage", "Unused", D(0), D("0.25")),
             ("azure-amortized", "Usage", "Used", D(0), D("0.5"))]  # fmt: skip
    assert _current(store) == first
    assert _current(store, before) == alone
    # a newer amortised delivery says the same of both days: each total is that of its file
    ingest_paths(store, [write("again.csv", bill(USED, UNUSED, {}, {**USED, **OTHER_DAY}, OTHER_DAY))])
    assert ask(store, 'SELECT sum("BilledCost"), sum("EffectiveCost"), count(*) FROM charge') == [
        (D("61.6"), D("2.85"), 7)]  # fmt: skip
    # the invoice of the period, restated: both are judged anew
    final = {"CostInBillingCurrency": "0.7", "InvoiceId": "G-1"}
    ingest_paths(store, [write("restated.csv", bill(FEE, COVERED, final))])
    assert {row[0] for row in _current(store)} == {"azure"}


def test_unused_commitments_of_both_kinds(store, write):
    plan = {**UNUSED, "ChargeType": "UnusedSavingsPlan", "PricingModel": "SavingsPlan", "benefitId": PLAN}
    ingest_paths(store, [write("amortised.csv", bill(UNUSED, plan))])
    assert ask(store, 'SELECT "ChargeCategory", "CommitmentDiscountStatus", "CommitmentDiscountType", '
                      '"CommitmentDiscountCategory", "BilledCost", "EffectiveCost", "ConsumedQuantity" '
                      "FROM charge_amortized ORDER BY source_row") == [
        ("Usage", "Unused", "Reservation", "Usage", D(0), D("0.25"), None),
        ("Usage", "Unused", "Savings Plan", "Spend", D(0), D("0.25"), None)]  # fmt: skip


def test_amortised_costs_alone_are_no_charges(store, write):
    ingest_paths(store, [write("amortised.csv", bill(USED, UNUSED, {}))])
    assert _current(store) == []
    other = {"BillingProfileId": "0099"}
    ingest_paths(store, [write("actual.csv", bill({**FEE, **other}, {**COVERED, **other}))])
    assert {row[0] for row in _current(store)} == {"azure"}


@pytest.mark.parametrize(
    ("rows", "found"),
    [([FEE, {}], "azure-actual"), ([COVERED], "azure-actual"), ([USED], "azure-amortized"),
     ([UNUSED], "azure-amortized"), ([{**USED, "CostInBillingCurrency": "5E-9"}], "azure-amortized"),
     ([{**COVERED, "CostInBillingCurrency": "0E-9"}], "azure-actual"), ([{}], "azure-actual")],
)  # fmt: skip
def test_the_data_set_is_seen_in_the_rows(store, write, rows, found):
    assert ingest_paths(store, [write("a.csv", bill(*rows))]).files[0].format == found


def test_rows_of_both_data_sets_are_refused_or_set_aside(store, write):
    path = write("a.csv", bill(FEE, UNUSED, {}))
    refused = ingest_paths(store, [path]).files[0]
    assert refused.status == "refused" and "--format azure-actual" in refused.reason
    taken = ingest_paths(store, [path], format="azure-actual").files[0]
    assert (taken.rows_stored, taken.rows_quarantined, taken.control_totals) == (2, 1, {"EUR": D("30.8")})


def test_a_purchase_whose_meter_is_unassigned_is_named_by_what_was_bought(store, write):
    ingest_paths(store, [write("a.csv", bill({**FEE, "MeterCategory": "Unassigned",
                                               "ProductOrderName": "Reserved VM Instance"}))])  # fmt: skip
    assert one(store, '"ServiceName", "x_Columns"[\'MeterCategory\']') == ("Reserved VM Instance", "Unassigned")


def test_a_savings_plan_is_a_commitment_to_spend(store, write):
    ingest_paths(store, [write("a.csv", bill({**FEE, "PricingModel": "SavingsPlan", "benefitId": PLAN,
                                               "CostInBillingCurrency": "2.5"}))])  # fmt: skip
    assert one(store, '"CommitmentDiscountCategory", "CommitmentDiscountType", "CommitmentDiscountQuantity", '
                      '"CommitmentDiscountUnit", "CommitmentDiscountStatus", "PricingCategory"') == (
        "Spend", "Savings Plan", D("2.5"), "EUR", None, "Standard")  # fmt: skip


def test_prices_in_another_currency_are_converted_at_the_rate_of_the_file(store, write):
    ingest_paths(store, [write("a.csv", bill({
        "BillingProfileId": "P-1", "pricingCurrency": "USD", "exchangeRatePricingToBilling": "0.9",
        "costInPricingCurrency": "0.88", "CostInBillingCurrency": "0.792", "UnitPrice": "0.11", "PayGPrice": "0.2",
        "paygCostInBillingCurrency": "1.44"}))])  # fmt: skip
    assert one(store, '"BillingAccountId", "BillingAccountType", "BilledCost", "ContractedUnitPrice", '
                      '"ContractedCost", "ListCost", "PricingCurrency", "PricingCurrencyEffectiveCost", '
                      '"PricingCurrencyContractedUnitPrice"') == (
        "P-1", "Billing Profile", D("0.792"), D("0.099"), D("0.792"), D("1.44"), "USD", D("0.88"),
        D("0.11"))  # fmt: skip


def test_a_list_cost_of_nothing_is_none(store, write):
    """Microsoft says no pay-as-you-go price of a commitment's purchase, of spot use and of the marketplace: it is 0."""
    ingest_paths(store, [write("a.csv", bill(
        {**FEE, "paygCostInBillingCurrency": "0"},
        {"PricingModel": "Spot", "PayGPrice": "0", "paygCostInBillingCurrency": "0.0"},
        {"PayGPrice": "0.2", "paygCostInBillingCurrency": "1.6"},
        {"CostInBillingCurrency": "0", "UnitPrice": "0", "EffectivePrice": "0", "PayGPrice": "0",
         "paygCostInBillingCurrency": "0"}))])  # fmt: skip
    # 1 x 30; 8 hours at 0.1; 8 hours at 0.2; what is free
    assert ask(store, 'SELECT "ListCost", "ContractedCost", "BilledCost" FROM charge ORDER BY source_row') == [
        (D(30), D(30), D(30)), (D("0.8"), D("0.8"), D("0.8")), (D("1.6"), D("0.8"), D("0.8")), (D(0), D(0), D(0)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "day", ["9/3/2026", "09/03/2026", "2026-09-03", "3.9.2026", "20260903", "2026-09-03T00:00:00Z"]
)
def test_days_as_azure_and_its_portals_write_them(store, write, day):
    ingest_paths(store, [write("a.csv", bill({"Date": day, "BillingPeriodStartDate": "",
                                               "BillingPeriodEndDate": ""}))])  # fmt: skip
    assert one(store, '"ChargePeriodStart", "BillingPeriodStart", "BillingPeriodEnd"') == (
        datetime(2026, 9, 3, tzinfo=UTC), datetime(2026, 9, 1, tzinfo=UTC),
        datetime(2026, 10, 1, tzinfo=UTC))  # fmt: skip


GERMAN = {"Date": "Datum", "CostInBillingCurrency": "Kosten (CostInBillingCurrency)", "BillingCurrencyCode": "Währung",
          "SubscriptionId": "Abonnement-GUID (SubscriptionGuid)", "Quantity": "Menge",
          "ResourceId": "Instanz-ID"}  # fmt: skip
CAMEL = {name: name[0].lower() + name[1:] for name in ROW}


@pytest.mark.parametrize("header", [GERMAN, CAMEL, {name: name.lower() for name in ROW}])
def test_headers_in_other_spellings(store, write, header):
    text = "\ufeff" + bill({}, header=header)
    ingest_paths(store, [write("a.csv.gz", gzip.compress(text.encode()))])
    assert one(store, '"BilledCost", "SubAccountId", "PricingQuantity", "BillingCurrency", "ResourceName"') == (
        D("0.8"), "sub-1", D(8), "EUR", "vm-1")  # fmt: skip


def _german(row: dict[str, str]) -> dict[str, str]:
    numbers = ("Quantity", "EffectivePrice", "UnitPrice", "PayGPrice", "CostInBillingCurrency")
    return {**row, **{name: {**ROW, **row}[name].replace(".", ",") for name in numbers}, "Date": "3.9.2026"}


def test_a_german_export_with_decimal_commas(store, write):
    rows = [_german({}), _german({"CostInBillingCurrency": "1E-9"}), _german({"CostInBillingCurrency": "12.250"}),
            {**_german({}), "CostInBillingCurrency": "1.234,56"}]  # fmt: skip
    text = bill(*rows, header=GERMAN)
    table = list(csv.reader(io.StringIO(text)))
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=";", lineterminator="\r\n").writerows(table)
    found = ingest_paths(store, [write("a.csv", "\ufeff" + out.getvalue())]).files[0]
    assert (found.status, found.rows_stored, found.control_totals) == (
        "stored", 4, {"EUR": D("0.8") + D("1E-9") + D("12.25") + D("1234.56")}), found.reason  # fmt: skip
    assert ask(store, 'SELECT "BilledCost", "ListUnitPrice", "PricingQuantity", "ChargePeriodStart" FROM charge '
                      "ORDER BY source_row LIMIT 1") == [
        (D("0.8"), D("0.125"), D(8), datetime(2026, 9, 3, tzinfo=UTC))]  # fmt: skip
    covered = bill(_german({**USED, "CostInBillingCurrency": "0.5"}), header=GERMAN)
    assert ingest_paths(store, [write("b.csv", covered)]).files[0].format == "azure-amortized"


def test_commas_and_points_before_decimals_in_one_file_are_refused(store, write):
    mixed = ingest_paths(store, [write("a.csv", bill(_german({}), {}))]).files[0]
    assert mixed.status == "refused" and "with a point" in mixed.reason
    # three digits behind a comma may be thousands: nothing is guessed, the row waits
    doubt = ingest_paths(store, [write("b.csv", bill({"CostInBillingCurrency": "1,234"}, {}))]).files[0]
    assert (doubt.rows_stored, doubt.rows_quarantined) == (1, 1)


def test_parquet_is_taken_in_like_text(store, write):
    path = write("a.parquet", b"")
    rows = {name: pa.array([value]) for name, value in ROW.items()}
    rows |= {"Date": pa.array([datetime(2026, 9, 3)], pa.timestamp("us")), "Quantity": pa.array([8.0]),
             "CostInBillingCurrency": pa.array([D("0.8")], pa.decimal128(28, 16))}  # fmt: skip
    pq.write_table(pa.table(rows), path)
    assert ingest_paths(store, [path]).files[0].status == "stored"
    assert one(store, '"BilledCost", "ListCost", "ChargePeriodStart"') == (
        D("0.8"), D(1), datetime(2026, 9, 3, tzinfo=UTC))  # fmt: skip


def test_twice_taken_in_adds_nothing_and_a_new_export_replaces(store, write):
    path = write("a.csv", bill({}, {}))
    ingest_paths(store, [path])
    assert ingest_paths(store, [path]).files[0].status == "unchanged"
    ingest_paths(store, [write("b.csv", bill({}, {}, {}))])
    assert ask(store, "SELECT count(*) FROM charge") == [(3,)]


def test_a_row_without_a_cost_is_set_aside(store, write):
    report = ingest_paths(store, [write("a.csv", bill({}, {"CostInBillingCurrency": ""}, {"Date": "31/31/2026"}))])
    assert (report.files[0].rows_read, report.files[0].rows_stored, report.files[0].rows_quarantined) == (3, 1, 2)
    assert ask(store, "SELECT column_name FROM quarantine ORDER BY source_row") == [
        ("CostInBillingCurrency",),
        ("Date",),
    ]
