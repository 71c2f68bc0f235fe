"""Oracle Cloud cost reports: costs, corrections, tags, and files that add up to a period."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, datetime
from decimal import Decimal as D

from tests_ingest import ask

from finops_kit.ingest import ingest_paths

ROW = {
    "lineItem/referenceNo": "r-1", "lineItem/tenantId": "ocid1.tenancy.oc1..a", "lineItem/intervalUsageStart":
    "2026-09-03T05:00Z", "lineItem/intervalUsageEnd": "2026-09-03T06:00Z", "product/service": "COMPUTE",
    "product/compartmentName": "shop", "product/region": "eu-frankfurt-1",
    "product/resourceId": "ocid1.instance.oc1.eu-frankfurt-1.x", "usage/billedQuantity": "8",
    "cost/subscriptionId": "0020", "cost/productSku": "B92307", "product/Description": "Standard - E3 - Memory",
    "cost/unitPrice": "0.0015", "cost/myCost": "0.012", "cost/myCostOverage": "", "cost/currencyCode": "EUR",
    "cost/billingUnitReadable": "GB Hours", "cost/attributedCost": "0.012", "lineItem/isCorrection": "false",
    "tags/team": "core", "tags/Oracle-Tags.CreatedBy": "",
}  # fmt: skip


def report(*changes: dict[str, str]) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(ROW), lineterminator="\n")
    writer.writeheader()
    writer.writerows({**ROW, **change} for change in changes)
    return out.getvalue()


def test_a_line_is_stored_column_by_column(store, write):
    path = write(
        "0001.csv.gz", gzip.compress(report({}, {"lineItem/isCorrection": "true", "cost/myCost": "-1E-9"}).encode())
    )
    found = ingest_paths(store, [path]).files[0]
    assert (found.format, found.control_totals) == ("oci-cost", {"EUR": D("0.011999999")})
    assert ask(store, 'SELECT "BilledCost", "BillingAccountId", "SubAccountId", "BillingPeriodStart", '
                      '"ChargePeriodEnd", "ResourceType", "ServiceCategory", "Tags", "ChargeClass", "PricingUnit" '
                      "FROM charge ORDER BY source_row LIMIT 1") == [
        (D("0.012"), "0020", "ocid1.tenancy.oc1..a", datetime(2026, 9, 1, tzinfo=UTC),
         datetime(2026, 9, 3, 6, tzinfo=UTC), "instance", "Compute", {"team": "core"}, None, "GB Hours")]  # fmt: skip
    assert ask(store, 'SELECT "ChargeClass" FROM charge WHERE source_row = 2') == [("Correction",)]


def test_files_of_a_period_add_up_and_none_counts_twice(store, write):
    first, second = write("0001.csv", report({})), write("0002.csv", report({"lineItem/referenceNo": "r-2"}))
    for _ in range(2):
        ingest_paths(store, [first, second])
    assert ask(store, 'SELECT count(*), sum("BilledCost") FROM charge') == [(2, D("0.024"))]
