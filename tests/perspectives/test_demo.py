"""The pages on the demo estate, held against what was planted there."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from finops_kit.perspectives import PERSPECTIVES, read_perspective, trace_measure
from finops_kit.settings import Workspace
from finops_kit.store import create_store, open_reader

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def estate(tmp_path_factory):
    from finops_kit.demo import generate
    from finops_kit.ingest import ingest_paths

    folder = Path(tmp_path_factory.mktemp("estate"))
    generate(folder / "files", months=5, scale=0.01)
    store = Workspace(folder / "workspace")
    create_store(store)
    rooms = ("aws", "azure", "gcp", "datacentre", "reference", "inventory")
    report = ingest_paths(store, [folder / "files" / room for room in rooms])
    assert not [one.reason for one in report.files if one.status == "refused"]
    return store, json.loads((folder / "files" / "truth.json").read_text())


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
