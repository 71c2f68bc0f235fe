"""The AWS report line type by line type, hand-computed, and its headers in both spellings."""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal

import pytest
from tests_ingest import ask

from finops_kit.ingest import ingest_paths

PLAN = "arn:aws:savingsplans::1:savingsplan/p"
RESERVED = "arn:aws:ec2:eu-central-1:1:reserved-instances/r"
LINE = {
    "identity/LineItemId": "x", "bill/PayerAccountId": "000111222333", "bill/BillingEntity": "AWS",
    "bill/InvoiceId": "EU1", "bill/InvoicingEntity": "Amazon Web Services EMEA SARL",
    "bill/BillingPeriodStartDate": "2026-09-01T00:00:00Z", "bill/BillingPeriodEndDate": "2026-10-01T00:00:00Z",
    "lineItem/UsageAccountId": "012345678901", "lineItem/LineItemType": "Usage",
    "lineItem/UsageStartDate": "2026-09-05T00:00:00Z", "lineItem/UsageEndDate": "2026-09-05T01:00:00Z",
    "lineItem/ProductCode": "AmazonEC2", "lineItem/UsageType": "EUC1-BoxUsage:m5.large",
    "lineItem/ResourceId": "i-0abc", "lineItem/UsageAmount": "1", "lineItem/CurrencyCode": "USD",
    "lineItem/UnblendedRate": "0.115", "lineItem/UnblendedCost": "0.115", "lineItem/LineItemDescription": "an hour",
    "product/ProductName": "Amazon Elastic Compute Cloud", "product/productFamily": "Compute Instance",
    "product/region": "eu-central-1", "product/location": "EU (Frankfurt)", "product/sku": "S1",
    "pricing/RateCode": "S1.R", "pricing/unit": "Hrs", "pricing/publicOnDemandCost": "0.12",
    "pricing/publicOnDemandRate": "0.12", "savingsPlan/SavingsPlanARN": "", "savingsPlan/SavingsPlanEffectiveCost": "",
    "savingsPlan/TotalCommitmentToDate": "", "savingsPlan/UsedCommitment": "", "reservation/ReservationARN": "",
    "reservation/EffectiveCost": "", "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod": "",
    "reservation/UnusedRecurringFee": "", "resourceTags/user:team": "core", "resourceTags/aws:createdBy": "cfn",
}  # fmt: skip


def cur_text(*changes: dict[str, str], underscores: bool = False) -> str:
    def spelled(name: str) -> str:
        if not underscores:
            return name
        name = name.replace("resourceTags/user:", "resource_tags_user_").replace(
            "resourceTags/aws:", "resource_tags_aws_"
        )
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).replace("/", "_").lower()

    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([spelled(name) for name in LINE])
    for change in changes:
        writer.writerow([{**LINE, **change}[name] for name in LINE])
    return out.getvalue()


def of_type(kind: str, cost: str, **more: str) -> dict[str, str]:
    return {"lineItem/LineItemType": kind, "lineItem/UnblendedCost": cost, **more}


CASES = [
    # line, category, frequency, pricing category, billed, effective, list, contracted, status
    ({}, "Usage", "Usage-Based", "Standard", "0.115", "0.115", "0.12", "0.115", None),
    ({"lineItem/UsageType": "EUC1-SpotUsage:m5"},
     "Usage", "Usage-Based", "Dynamic", "0.115", "0.115", "0.12", "0.115", None),
    # zero: AWS knows no public price of it (spot, the marketplace); nothing is listed at nothing but what is free
    ({"lineItem/UsageType": "EUC1-SpotUsage:m5", "pricing/publicOnDemandCost": "0.0"},
     "Usage", "Usage-Based", "Dynamic", "0.115", "0.115", "0.115", "0.115", None),
    ({"lineItem/UnblendedCost": "0", "pricing/publicOnDemandCost": "0.0"},
     "Usage", "Usage-Based", "Standard", "0", "0", "0", "0", None),
    (of_type("SavingsPlanCoveredUsage", "0.115", **{"savingsPlan/SavingsPlanARN": PLAN,
                                                    "savingsPlan/SavingsPlanEffectiveCost": "0.07"}),
     "Usage", "Usage-Based", "Committed", "0.115", "0.07", "0.12", "0.115", "Used"),
    (of_type("SavingsPlanNegation", "-0.115", **{"savingsPlan/SavingsPlanARN": PLAN, "lineItem/ResourceId": ""}),
     "Usage", "Usage-Based", "Standard", "-0.115", "0", "0", "0", None),
    (of_type("SavingsPlanRecurringFee", "0.10", **{"savingsPlan/SavingsPlanARN": PLAN, "pricing/publicOnDemandCost": "",
             "savingsPlan/TotalCommitmentToDate": "0.10", "savingsPlan/UsedCommitment": "0.07"}),
     "Usage", "Recurring", "Committed", "0.1", "0.03", "0.1", "0.1", "Unused"),
    (of_type("SavingsPlanRecurringFee", "0.10", **{"savingsPlan/SavingsPlanARN": PLAN, "pricing/publicOnDemandCost": "",
             "savingsPlan/TotalCommitmentToDate": "0.10", "savingsPlan/UsedCommitment": "0.10"}),
     "Purchase", "Recurring", "Standard", "0.1", "0", "0.1", "0.1", None),
    (of_type("SavingsPlanUpfrontFee", "1000", **{"savingsPlan/SavingsPlanARN": PLAN, "pricing/publicOnDemandCost": ""}),
     "Purchase", "One-Time", "Standard", "1000", "0", "1000", "1000", None),
    (of_type("DiscountedUsage", "0", **{"reservation/ReservationARN": RESERVED, "reservation/EffectiveCost": "0.08"}),
     "Usage", "Usage-Based", "Committed", "0", "0.08", "0.12", "0.12", "Used"),
    (of_type("RIFee", "50", **{"reservation/ReservationARN": RESERVED, "pricing/publicOnDemandCost": "0",
             "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod": "2.5", "reservation/UnusedRecurringFee": "1.25"}),
     "Usage", "Recurring", "Committed", "50", "3.75", "50", "50", "Unused"),
    (of_type("Fee", "300", **{"reservation/ReservationARN": RESERVED, "pricing/publicOnDemandCost": ""}),
     "Purchase", "One-Time", "Standard", "300", "0", "300", "300", None),
    (of_type("Fee", "29", **{"pricing/publicOnDemandCost": ""}),
     "Purchase", "One-Time", "Standard", "29", "29", "29", "29", None),
    (of_type("Tax", "1.9E1", **{"pricing/publicOnDemandCost": "0.0"}),
     "Tax", "One-Time", None, "19", "19", "19", "19", None),
    (of_type("Credit", "-5"), "Credit", "One-Time", None, "-5", "-5", "-5", "-5", None),
    (of_type("Refund", "-7"), "Adjustment", "One-Time", None, "-7", "-7", "-7", "-7", None),
    (of_type("EdpDiscount", "-2"), "Adjustment", "One-Time", None, "-2", "-2", "0", "-2", None),
]  # fmt: skip


@pytest.mark.parametrize("underscores", [False, True])
def test_every_line_type(store, write, underscores):
    path = write("cur", cur_text(*(case[0] for case in CASES), underscores=underscores))
    report = ingest_paths(store, [path]).files[0]
    assert (report.format, report.rows_quarantined) == ("aws-cur", 0)
    assert report.control_totals == {"USD": sum(Decimal(case[4]) for case in CASES)}
    rows = ask(store, 'SELECT "ChargeCategory", "ChargeFrequency", "PricingCategory", "BilledCost", "EffectiveCost", '
                      '"ListCost", "ContractedCost", "CommitmentDiscountStatus" FROM charge '
                      "ORDER BY source_row")  # fmt: skip
    for row, case in zip(rows, CASES, strict=True):
        expected = [*case[1:4], *(Decimal(amount) for amount in case[4:8]), case[8]]
        if case[8] == "Unused":
            expected[1] = "Usage-Based"
        assert list(row) == expected, case[0]


def test_the_amortised_total_of_a_savings_plan_is_its_fee(store, write):
    hour = {"savingsPlan/SavingsPlanARN": PLAN}
    lines = [of_type("SavingsPlanCoveredUsage", "0.115", **hour, **{"savingsPlan/SavingsPlanEffectiveCost": "0.07"}),
             of_type("SavingsPlanNegation", "-0.115", **hour),
             of_type("SavingsPlanRecurringFee", "0.10", **hour, **{"savingsPlan/TotalCommitmentToDate": "0.10",
                                                                   "savingsPlan/UsedCommitment": "0.07"})]  # fmt: skip
    ingest_paths(store, [write("cur.csv", cur_text(*lines))])
    assert ask(store, 'SELECT sum("BilledCost"), sum("EffectiveCost") FROM charge') == [
        (Decimal("0.1"), Decimal("0.1"))
    ]


def test_the_other_columns(store, write):
    ingest_paths(store, [write("cur.csv", cur_text({}))])
    row = ask(store, 'SELECT "BillingAccountId", "SubAccountId", "ResourceId", "ServiceName", "ServiceCategory", '
                     '"PricingUnit", "RegionId", "RegionName", "Tags", "InvoiceIssuerName", "InvoiceId", "SkuId", '
                     '"x_Columns"[\'lineItem/LineItemType\'], "x_Columns"[\'bill/InvoicingEntity\'] '
                     "FROM charge")[0]  # fmt: skip
    assert row == (
        "000111222333", "012345678901", "i-0abc", "Amazon Elastic Compute Cloud", "Compute", "Hours", "eu-central-1",
        "EU (Frankfurt)", {"team": "core", "aws:createdBy": "cfn"}, "AWS", "EU1", "S1", "Usage",
        "Amazon Web Services EMEA SARL",
    )  # fmt: skip


def test_a_fee_that_ends_in_its_last_second_and_a_disk(store, write):
    fee = {"lineItem/UsageEndDate": "2026-09-30T23:59:59Z", "product/productFamily": "Storage", "pricing/unit": "GB-Mo"}
    ingest_paths(store, [write("cur.csv", cur_text(fee))])
    row = ask(store, "SELECT strftime(\"ChargePeriodEnd\", '%Y-%m-%dT%H:%M:%S'), \"ServiceName\", \"ServiceCategory\", "
                     '"ServiceSubcategory", "PricingUnit" FROM charge')[0]  # fmt: skip
    assert row == ("2026-10-01T00:00:00", "Amazon Elastic Block Store", "Storage", "Block Storage", "GB-Months")
