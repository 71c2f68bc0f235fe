"""Every line type of the AWS Cost and Usage Report, by hand from AWS' data dictionary, and version 2.0."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal as D

import pyarrow as pa
import pyarrow.parquet as pq
from tests_ingest import ask

from finops_kit.ingest import ingest_paths

ARN = "arn:aws:ec2:eu-central-1:1:reserved-instances/r-1"
PLAN = "arn:aws:savingsplans::1:savingsplan/s-1"
ROW = {
    "bill/PayerAccountId": "001", "bill/BillingPeriodStartDate": "2026-09-01T00:00:00Z",
    "bill/BillingPeriodEndDate": "2026-10-01T00:00:00Z", "bill/BillingEntity": "AWS", "lineItem/UsageAccountId": "002",
    "lineItem/LineItemType": "Usage", "lineItem/UsageStartDate": "2026-09-03T00:00:00Z",
    "lineItem/UsageEndDate": "2026-09-03T01:00:00Z", "lineItem/ProductCode": "AmazonEC2",
    "lineItem/UsageType": "BoxUsage", "lineItem/UsageAmount": "1", "lineItem/CurrencyCode": "USD",
    "lineItem/UnblendedRate": "0.1", "lineItem/UnblendedCost": "0.1", 
    "lineItem/LegalEntity": "Amazon Web Services, Inc.",
    "pricing/publicOnDemandCost": "0.12", "pricing/publicOnDemandRate": "0.12", "pricing/unit": "Hrs",
    "reservation/ReservationARN": "", "reservation/EffectiveCost": "", "reservation/UnusedRecurringFee": "",
    "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod": "", "savingsPlan/SavingsPlanARN": "",
    "savingsPlan/SavingsPlanEffectiveCost": "", "savingsPlan/TotalCommitmentToDate": "",
    "savingsPlan/UsedCommitment": "",
}  # fmt: skip
KIND, COST = "lineItem/LineItemType", "lineItem/UnblendedCost"
NONE = {"pricing/publicOnDemandCost": "", "pricing/publicOnDemandRate": ""}

#: change to the row -> ChargeCategory, ChargeClass, ChargeFrequency, PricingCategory, status, BilledCost, EffectiveCost
LINES = [
    ({}, "Usage", None, "Usage-Based", "Standard", None, "0.1", "0.1"),
    ({"lineItem/UsageType": "EUC1-SpotUsage:m5"}, "Usage", None, "Usage-Based", "Dynamic", None, "0.1", "0.1"),
    ({KIND: "DiscountedUsage", COST: "0", "reservation/ReservationARN": ARN, "reservation/EffectiveCost": "0.06"},
     "Usage", None, "Usage-Based", "Committed", "Used", "0", "0.06"),
    ({KIND: "RIFee", COST: "43.2", "reservation/ReservationARN": ARN, **NONE},
     "Purchase", None, "Recurring", "Standard", None, "43.2", "0"),
    ({KIND: "RIFee", COST: "43.2", "reservation/ReservationARN": ARN, "reservation/UnusedRecurringFee": "4.3",
      "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod": "0.7", **NONE},
     "Usage", None, "Usage-Based", "Committed", "Unused", "43.2", "5"),
    ({KIND: "Fee", COST: "500", "reservation/ReservationARN": ARN, **NONE},
     "Purchase", None, "One-Time", "Standard", None, "500", "0"),
    ({KIND: "SavingsPlanCoveredUsage", COST: "0.1", "savingsPlan/SavingsPlanARN": PLAN,
      "savingsPlan/SavingsPlanEffectiveCost": "0.07"},
     "Usage", None, "Usage-Based", "Committed", "Used", "0.1", "0.07"),
    ({KIND: "SavingsPlanNegation", COST: "-0.1", "savingsPlan/SavingsPlanARN": PLAN, **NONE},
     "Usage", None, "Usage-Based", "Standard", None, "-0.1", "0"),
    ({KIND: "SavingsPlanRecurringFee", COST: "0.5", "savingsPlan/SavingsPlanARN": PLAN,
      "savingsPlan/TotalCommitmentToDate": "0.5", "savingsPlan/UsedCommitment": "0.5", **NONE},
     "Purchase", None, "Recurring", "Standard", None, "0.5", "0"),
    ({KIND: "SavingsPlanRecurringFee", COST: "0.5", "savingsPlan/SavingsPlanARN": PLAN,
      "savingsPlan/TotalCommitmentToDate": "0.5", "savingsPlan/UsedCommitment": "0.3", **NONE},
     "Usage", None, "Usage-Based", "Committed", "Unused", "0.5", "0.2"),
    ({KIND: "SavingsPlanUpfrontFee", COST: "4380", "savingsPlan/SavingsPlanARN": PLAN, **NONE},
     "Purchase", None, "One-Time", "Standard", None, "4380", "0"),
    ({KIND: "Tax", COST: "1.9", **NONE}, "Tax", None, "One-Time", None, None, "1.9", "1.9"),
    ({KIND: "Credit", COST: "-10", **NONE}, "Credit", None, "One-Time", None, None, "-10", "-10"),
    ({KIND: "Refund", COST: "-3", **NONE}, "Adjustment", "Correction", "One-Time", None, None, "-3", "-3"),
    ({KIND: "BundledDiscount", COST: "-0.02", **NONE}, "Adjustment", None, "One-Time", None, None, "-0.02", "-0.02"),
    ({KIND: "EdpDiscount", COST: "-0.009", **NONE}, "Adjustment", None, "One-Time", None, None, "-0.009", "-0.009"),
    ({KIND: "PrivateRateDiscount", COST: "-0.01", **NONE},
     "Adjustment", None, "One-Time", None, None, "-0.01", "-0.01"),
    ({KIND: "RiVolumeDiscount", COST: "-5", **NONE}, "Adjustment", None, "One-Time", None, None, "-5", "-5"),
    ({KIND: "Discount", COST: "-0.5", **NONE}, "Adjustment", None, "One-Time", None, None, "-0.5", "-0.5"),
    ({KIND: "Fee", COST: "100", "lineItem/ProductCode": "AWSSupportBusiness", **NONE},
     "Purchase", None, "One-Time", "Standard", None, "100", "100"),
    ({KIND: "FlatRateSubscription", COST: "40", "lineItem/ProductCode": "Kiro", **NONE},
     "Purchase", None, "Recurring", "Standard", None, "40", "40"),
    ({KIND: "SppDiscount", COST: "-1", **NONE}, "Adjustment", None, "One-Time", None, None, "-1", "-1"),
    ({KIND: "Fee", COST: "250", "lineItem/ProductCode": "abc123", "bill/BillingEntity": "AWS Marketplace",
      "lineItem/LegalEntity": "Acme", **NONE}, "Purchase", None, "One-Time", "Standard", None, "250", "250"),
]  # fmt: skip


def report(*rows: dict[str, str]) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def test_every_line_type(store, write):
    found = ingest_paths(store, [write("a.csv", report(*({**ROW, **line[0]} for line in LINES)))]).files[0]
    assert (found.format, found.control_totals) == ("aws-cur", {"USD": sum(D(line[6]) for line in LINES)})
    rows = ask(store, 'SELECT "ChargeCategory", "ChargeClass", "ChargeFrequency", "PricingCategory", '
                      '"CommitmentDiscountStatus", "BilledCost", "EffectiveCost" FROM charge '
                      "ORDER BY source_row")  # fmt: skip
    assert rows == [(*line[1:6], D(line[6]), D(line[7])) for line in LINES]
    # list cost stands on what is used, once; contracted cost is before commitments
    assert ask(store, 'SELECT "ListCost", "ContractedCost" FROM charge ORDER BY source_row LIMIT 9') == [
        (D("0.12"), D("0.1")), (D("0.12"), D("0.1")), (D("0.12"), D("0.12")), (D("43.2"), D("43.2")),
        (D("43.2"), D("43.2")), (D(500), D(500)), (D("0.12"), D("0.1")), (D(0), D(0)),
        (D("0.5"), D("0.5"))]  # fmt: skip
    assert ask(store, 'SELECT "PublisherName", "ServiceCategory" FROM charge WHERE "BilledCost" IN (100, 250) '
                      "ORDER BY 1") == [("AWS", "Management and Governance"), ("Acme", "Other")]  # fmt: skip


def second(row: dict[str, str] = ROW, **change: str) -> dict[str, str]:
    """A row under the headers of version 2.0."""
    flat = {name.replace("/", "_"): value for name, value in row.items()}
    names = {old: "".join(f"_{c.lower()}" if c.isupper() else c for c in old).replace("__", "_") for old in flat}
    return {**{names[name]: value for name, value in flat.items()}, **change}


def test_version_2_with_maps_and_net_costs(store, write):
    maps = {"product": '{"product_name": "Amazon Elastic Compute Cloud", "region_code": "eu-central-1", '
                       '"product_family": "Compute Instance"}',
            "resource_tags": '{"user_team": "core", "aws_created_by": "x", "user_ owner": "me"}',
            "discount": '{"edp_discount": -0.01}', "cost_category": "{}"}  # fmt: skip
    text = report(second(**maps, line_item_net_unblended_cost="0.09"), second(**maps, line_item_net_unblended_cost=""))
    found = ingest_paths(store, [write("a.csv", text)]).files[0]
    assert (found.format, found.control_totals) == ("aws-cur-2.0", {"USD": D("0.19")})
    assert ask(store, 'SELECT "BilledCost", "ListCost", "Tags", "RegionId", "ServiceName" FROM charge '
                      "ORDER BY source_row LIMIT 1") == [
        (D("0.09"), D("0.12"), {"team": "core", "aws:created_by": "x", "owner": "me"}, "eu-central-1",
         "Amazon Elastic Compute Cloud")]  # fmt: skip
    kept = ask(store, 'SELECT "x_Columns" FROM charge ORDER BY source_row')[0][0]
    assert json.loads(kept["discount"]) == {"edp_discount": -0.01}
    assert kept["line_item_unblended_cost"] == "0.1"


def test_version_2_as_parquet_with_real_maps(store, write):
    path = write("a.parquet", b"")
    rows = {name: pa.array([value]) for name, value in second().items()}
    kind = pa.map_(pa.string(), pa.string())
    rows["product"] = pa.array([[("region", "eu-west-1")]], kind)
    rows["resource_tags"] = pa.array([[("user_team", "core")]], kind)
    rows["line_item_unblended_cost"] = pa.array([0.1])
    pq.write_table(pa.table(rows), path)
    assert ingest_paths(store, [path]).files[0].format == "aws-cur-2.0"
    assert ask(store, 'SELECT "BilledCost", "Tags", "RegionId" FROM charge') == [
        (D("0.1"), {"team": "core"}, "eu-west-1")]  # fmt: skip


def test_discounts_count_once_in_what_commitments_cost(store, write):
    """A tenth off everything: by lines of discounts beside net columns, and in version 2.0 by columns alone."""
    plan = {"savingsPlan/SavingsPlanARN": PLAN, **NONE}
    hour = [
        {KIND: "SavingsPlanCoveredUsage", COST: "0.1", "savingsPlan/SavingsPlanEffectiveCost": "0.07",
         "lineItem/NetUnblendedCost": "0.09", "savingsPlan/NetSavingsPlanEffectiveCost": "0.063", **plan},
        {KIND: "SavingsPlanNegation", COST: "-0.1", "lineItem/NetUnblendedCost": "-0.09", **plan},
        {KIND: "SavingsPlanRecurringFee", COST: "0.1", "lineItem/NetUnblendedCost": "0.09",
         "savingsPlan/TotalCommitmentToDate": "0.1", "savingsPlan/UsedCommitment": "0.07", **plan},
        {KIND: "DiscountedUsage", COST: "0", "lineItem/NetUnblendedCost": "0", "reservation/ReservationARN": ARN,
         "reservation/EffectiveCost": "0.06", "reservation/NetEffectiveCost": "0.054"},
        {KIND: "RIFee", COST: "0.08", "lineItem/NetUnblendedCost": "0.072", "reservation/ReservationARN": ARN,
         "reservation/UnusedRecurringFee": "0.02", "reservation/NetUnusedRecurringFee": "0.018", **NONE},
    ]  # fmt: skip
    net = ("lineItem/NetUnblendedCost", "savingsPlan/NetSavingsPlanEffectiveCost", "reservation/NetEffectiveCost",
           "reservation/NetUnusedRecurringFee")  # fmt: skip
    lines = [{**ROW, **dict.fromkeys(net, ""), **line} for line in hour]
    discount = {**lines[0], **plan, KIND: "EdpDiscount", COST: "-0.018", "lineItem/NetUnblendedCost": "0"}
    totals = 'SELECT sum("BilledCost"), sum("EffectiveCost") FROM charge'
    ingest_paths(store, [write("a.csv", report(*lines, discount))])
    assert ask(store, totals) == [(D("0.162"), D("0.162"))]
    ingest_paths(store, [write("b.csv", report(*(second(line, discount="{}") for line in lines)))])
    assert ask(store, totals) == [(D("0.162"), D("0.162"))]
    assert ask(store, 'SELECT "EffectiveCost" FROM charge ORDER BY source_row') == [
        (D(amount),) for amount in ("0.063", "0", "0.027", "0.054", "0.018")]  # fmt: skip


def test_version_2_by_chosen_columns(store, write):
    """The map ``tags`` alone, capacity reservations, and net costs without the discounts that they are net of."""
    tags = {"resourceTags/user:CostCenter": "42", "resourceTags/aws:createdBy": "cfn", "accountTag/unit": "retail"}
    held = "arn:aws:ec2:eu-central-1:2:capacity-reservation/cr-1"
    reserved = {"capacity_reservation_capacity_reservation_arn": held,
                "capacity_reservation_capacity_reservation_status": "Unused"}  # fmt: skip
    line = {name: second()[name] for name in (
        "bill_payer_account_id", "bill_billing_period_start_date", "bill_billing_period_end_date",
        "line_item_line_item_type", "line_item_usage_start_date", "line_item_usage_end_date",
        "line_item_currency_code", "line_item_unblended_cost")}  # fmt: skip
    both = {"tags": json.dumps(tags), "resource_tags": '{"user_cost_center": "42"}'}
    text = report({**line, **both, **reserved, "line_item_net_unblended_cost": "0.09"})
    found = ingest_paths(store, [write("a.csv", text)]).files[0]
    assert (found.format, found.control_totals) == ("aws-cur-2.0", {"USD": D("0.1")})
    assert "export discount_total_discount" in found.reason
    ((kept, id, status, rest),) = ask(store, 'SELECT "Tags", "CapacityReservationId", "CapacityReservationStatus", '
                                             '"x_Columns" FROM charge')  # fmt: skip
    assert (kept, id, status) == ({"CostCenter": "42", "aws:createdBy": "cfn", "accountTag/unit": "retail"}, held,
                                  "Unused")  # fmt: skip
    assert json.loads(rest["resource_tags"]) == {"user_cost_center": "42"} and "tags" not in rest


def test_both_versions_of_a_report_replace_each_other(store, write):
    ingest_paths(store, [write("a.csv", report(ROW, ROW)), write("b.csv", report(second(product="{}")))])
    assert ask(store, 'SELECT count(*), sum("BilledCost") FROM charge') == [(1, D("0.1"))]


def test_a_report_whose_costs_are_missing_is_refused(store, write):
    found = ingest_paths(store, [write("a.csv", report(second(product="{}", line_item_unblended_cost="")))]).files[0]
    assert found.status == "refused" and "line_item_unblended_cost" in found.reason
