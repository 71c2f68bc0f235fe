"""The pages on the demo estate, held against what was planted there."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from finops_kit.perspectives import PERSPECTIVES, read_perspective, trace_measure
from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.closing import check_month
from finops_kit.perspectives.operations import cluster_table
from finops_kit.perspectives.read import open_basis
from finops_kit.settings import Workspace
from finops_kit.store import create_store, open_reader
from finops_kit.value.settle import to_cents

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def estate(tmp_path_factory):
    from finops_kit.demo import generate
    from finops_kit.ingest import ingest_paths

    folder = Path(tmp_path_factory.mktemp("estate"))
    generate(folder / "files", months=5, scale=0.01)
    store = Workspace(folder / "workspace")
    create_store(store)
    truth = json.loads((folder / "files" / "truth.json").read_text())
    rooms = ("aws", "azure", "gcp", "datacentre", "inventory")
    files = sorted((folder / "files").glob("*/*/*"), key=lambda file: (file.parent.name, file))
    billed_from = f"{truth['open_month']}-01"  # the first bill of the closed month comes on the day after it
    before = [file for file in files if file.parts[-3] in rooms and file.parent.name < billed_from]
    after = [file for file in files if file.parts[-3] in rooms and file.parent.name >= billed_from]
    reports = [ingest_paths(store, some) for some in ([folder / "files" / "reference", *before], after)]
    assert not [one.reason for report in reports for one in report.files if one.status == "refused"]
    truth["version_before_the_bill"] = reports[0].store_version
    return store, truth


def of_period(estate, name):
    store, truth = estate
    return read_perspective(name, store.root, period=truth["latest_closed_month"])


def test_six_pages_carry_the_one_true_total(estate):
    _, truth = estate
    true = Decimal(truth["untagged"][truth["latest_closed_month"]]["effective_eur"])
    totals = {of_period(estate, name).grand_total for name in PERSPECTIVES}
    assert len(totals) == 1 and abs(totals.pop() - true) < Decimal("0.01")


def test_what_nobody_owns_is_as_planted(estate):
    _, truth = estate
    planted = Decimal(truth["untagged"][truth["latest_closed_month"]]["without_owner_eur"])
    store = estate[0]
    with open_reader(store) as reader:
        trace = trace_measure(reader, "unallocated_cost", truth["latest_closed_month"], limit=1)
    assert abs(trace.total - planted) < Decimal("0.01")


def test_every_planted_disk_and_machine_is_found_and_nothing_else(estate):
    _, truth = estate
    found = set(of_period(estate, "engineering").tables["recommendations"].frame["resource_id"].str.lower())
    planted = {one["resource_id"].lower() for one in truth["orphaned_disks"] + truth["idle_machines"]}
    assert found == planted


def test_the_planted_anomaly_of_the_month_is_found(estate):
    _, truth = estate
    frame = of_period(estate, "engineering").tables["anomalies"].frame
    month = truth["latest_closed_month"]
    for planted in (one for one in truth["anomalies"] if one["day"].startswith(month)):
        hits = frame[(frame["service_id"] == planted["service_id"]) & (frame["provider"] == planted["provider"])]
        assert planted["day"] in {str(day) for day in hits["starts_on"]}
        assert planted["resource_id"] in set(hits["root_id"])


def _accrued(estate, by, version):
    from finops_kit.perspectives.accruals import accruals

    store, truth = estate
    with open_basis(store.root, version, truth["latest_closed_month"]) as basis:
        made = accruals(basis)
        assert version is None or not basis.totals["charges"]  # not one line of the month's bill is known
        lines = made.lines(basis.start, basis.end)
        accrued = {tuple(row[name] for name in by): row["amount"] for row in basis.rows(
            lines.group_by(list(by)).agg(amount=lines.accrued.sum()))}  # fmt: skip
        bill = made.billed(basis.start)
        billed = basis.rows(bill.group_by(list(by)).agg(amount=bill.EffectiveCost.sum()))
    return accrued, {tuple(row[name] for name in by): row["amount"] for row in billed}


def test_what_was_accrued_before_any_bill_is_what_was_billed_later(estate):
    by = ("provider", "ServiceName")
    accrued, none = _accrued(estate, by, estate[1]["version_before_the_bill"])
    _, billed = _accrued(estate, by, None)
    assert not none
    assert abs(sum(accrued.values()) / sum(billed.values()) - 1) < Decimal("0.03")
    near = [abs(accrued.get(key, 0) - bill) <= abs(bill) / 10 for key, bill in billed.items()]
    assert sum(near) >= 0.9 * len(near)


def test_the_finance_page_shows_the_open_month_three_ways_and_explains_the_closed_one(estate):
    reading = of_period(estate, "finance")
    month = reading.tables["open_month"].frame
    assert not month.empty
    for column in ("billed", "chain_ladder", "bornhuetter_ferguson", "accrued_so_far", "accrued"):
        assert (month[column].astype(float) > 0).all(), column
    # the open month is billed for 23 of its 30 days, and nothing else is known of how it ends
    whole, billed = sum(month["chain_ladder"]), sum(month["billed"])
    assert Decimal("0.70") < billed / whole < Decimal("0.80")
    assert abs(sum(month["accrued"]) / whole - 1) < Decimal("0.05")
    steps = dict(
        zip(*(reading.tables["accrued_against_billed"].frame[name] for name in ("step", "amount")), strict=True)
    )
    *parts, bill = steps.values()
    assert sum(parts) == bill == reading.grand_total.quantize(Decimal("0.01"))
    frame = reading.tables["accrual_differences"].frame
    assert "identity-signins" in frame["ResourceId"].iloc[0]  # the planted anomaly of the month


def test_the_close_is_open_where_an_invoice_has_no_bill_and_nowhere_else(estate):
    store, truth = estate
    with open_basis(store.root, 0, truth["latest_closed_month"]) as basis:
        check = check_month(basis)
    (account,) = check.differences
    planted = truth["invoices"]
    assert (account.provider, account.difference.quantize(Decimal("0.01"))) == (planted["provider"], Decimal("-1250"))
    assert [line["what"] for line in account.lines] == [f"invoice {planted['invoice_id']}"]


def test_procurement_holds_bills_against_the_price_list_and_contract_in_force(estate):
    _, truth = estate
    reading = of_period(estate, "procurement")
    planted = truth["price_not_followed"]
    prices = reading.tables["price_history"].frame.set_index("sku")
    dearer = prices[prices["above_offer_pct"].astype(float) > 0.01]
    assert list(dearer.index) == [planted["sku"]]
    assert dearer["offered_price"].iloc[0] == pytest.approx(float(planted["agreed"]))
    assert prices["offered_price"].notna().sum() > 10
    agreed = reading.tables["negotiated"].frame.set_index("provider")
    assert "price list" in agreed.loc["AWS", "agreed_by"] and agreed.loc["AWS", "agreed_pct"] < 7
    assert agreed.loc["DC Munich", "agreed_by"] == "C-2020-0014"


def test_namespaces_and_idle_carry_what_the_nodes_were_billed(estate):
    """Last, for it adds the month's dumps of the cluster to the store."""
    from finops_kit.ingest import ingest_paths

    store, truth = estate
    month = truth["latest_closed_month"]
    dumps = sorted((store.root.parent / "files" / "kubernetes").glob(f"{month}-*/*"))
    assert dumps and not ingest_paths(store, dumps).refused
    with open_reader(store) as reader:
        basis = Basis(reader, month)
        table = cluster_table(basis).frame
        billed = reader.connection.execute(
            "SELECT sum(EffectiveCost) FROM lens_recent WHERE month = ?::DATE AND ResourceId IN "
            "(SELECT resource_id FROM resource_snapshot WHERE kind = 'node')", [basis.start]
        ).fetchone()[0]  # fmt: skip
    assert sum(table["EffectiveCost"]) == to_cents(billed)
    held = dict(zip(table["namespace"], table["EffectiveCost"], strict=True))
    assert held.pop("idle") > 0 and len(held) > 3 and all(cost > 0 for cost in held.values())
