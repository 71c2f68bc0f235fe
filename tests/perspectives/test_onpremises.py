"""On-premises unit rates and stranded cost, from a register alone: the worked numbers of the definitions."""

from __future__ import annotations

import importlib.util
from decimal import Decimal
from pathlib import Path

import pytest

from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.onpremises import stranded_rows, unit_rate_rows
from finops_kit.settings import Workspace
from finops_kit.store import create_store, open_reader, open_writer

_spec = importlib.util.spec_from_file_location("house_maker", Path(__file__).with_name("conftest.py"))
house_maker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(house_maker)

#: a room of 100 kW at 90,000 a month, machines that draw 72 kW, one server of 128 vCPU at 1,800 a month
ASSETS = """
    SELECT *, 'EUR' AS currency, 60 AS life_months, DATE '2023-10-01' AS acquired_on FROM (VALUES
        ('A-1', 'server', 'Hall 1', 'srv-1', 'ledger', 120000, 12000, 0.6, 128, NULL, NULL::DATE),
        ('A-2', 'facility', 'Hall 1', NULL, NULL, 5400000, 0, 100, NULL, NULL, NULL),
        ('A-3', 'storage', 'Hall 1', NULL, NULL, 60000, 0, 71.4, NULL, 1000, NULL),
        ('A-4', 'facility', 'Hall 2', NULL, NULL, 60000, 0, NULL, NULL, NULL, NULL),
        ('A-5', 'server', 'Hall 2', 'srv-5', 'web', 60000, NULL, NULL, 10, NULL, NULL),
        ('A-6', 'network', 'Hall 2', NULL, NULL, 60000, 0, 1, NULL, NULL, NULL),
        ('A-7', 'server', 'Hall 2', 'srv-7', 'web', 120000, 20000, NULL, 10, NULL, DATE '2025-03-01'))
    x(asset_id, asset_class, data_centre, resource_id, service_id, acquisition_cost, salvage_value, power_kw, vcpu,
      storage_gib, decommissioned_on)
"""
METRICS = """
    SELECT DATE '2025-01-01' AS period_start, 'month' AS period_grain, * FROM (VALUES
        ('energy_price_kwh', 0.25, 'EUR'), ('pue', 1.5, '')) x(metric, value, unit)
"""
SEEN = """
    SELECT 's' || day AS snapshot_id, 'srv-1' AS resource_id, 'inventory' AS source_system, 'present' AS presence,
        day::TIMESTAMPTZ AS observed_at, 'machine' AS kind, 128 AS vcpu, used AS usage_vcpu, 1 AS source_row
    FROM (VALUES (DATE '2025-03-01', 60), (DATE '2025-03-15', 68), (DATE '2025-04-15', 128)) x(day, used)
"""


@pytest.fixture(scope="module")
def basis(tmp_path_factory):
    store = Workspace(Path(tmp_path_factory.mktemp("halls")) / "workspace")
    create_store(store)
    house_maker.add_reference(store, "asset", ASSETS)
    house_maker.add_reference(store, "business_metric", METRICS)
    with open_writer(store) as writer, writer.batch(kind="ingest", format="inventory", source_file="i.csv") as batch:
        batch.rows_read = batch.insert("resource_snapshot", SEEN)
    with open_reader(store) as reader:
        yield Basis(reader, "2025-03", currency="EUR")


def rates_of(basis, centre):
    return {row["asset_class"]: row for row in unit_rate_rows(basis) if row["data_centre"] == centre}


def test_a_kilowatt_costs_its_share_of_practical_capacity_and_its_energy(basis):
    room = rates_of(basis, "Hall 1")["facility"]
    assert room["rate"] == 1173.75 and room["idle"] == 25200 and room["whole"] == 109710
    assert room["used"] + room["idle"] == room["whole"] and room["idle_pct"] == pytest.approx(28) and not room["why"]


def test_a_processor_hour_costs_its_machine_and_its_power(basis):
    server = rates_of(basis, "Hall 1")["server"]
    assert server["rate"] == pytest.approx(0.02978, abs=5e-6) and not server["why"]
    assert server["whole"] == 1800 + Decimal("0.6") * Decimal("1173.75")
    # 64 of 115.2 vCPU that can be sold
    assert server["idle_pct"] == pytest.approx(100 * (1 - 64 / 115.2)) and server["used_quantity"] == 64 * 730
    assert abs(server["used"] + server["idle"] - server["whole"]) < Decimal("1e-15")


def test_what_cannot_be_computed_says_why(basis):
    one, two = rates_of(basis, "Hall 1"), rates_of(basis, "Hall 2")
    assert "no source says what is used" in one["storage"]["why"] and one["storage"]["rate"] > 0
    assert two["facility"].get("rate") is None and "power_kw" in two["facility"]["why"]
    assert "without its share of the room" in two["server"]["why"] and two["server"]["rate"] == pytest.approx(
        1000 / (10 * 730 * 0.9))  # fmt: skip
    assert two["network"].get("rate") is None and "neither processors" in two["network"]["why"]


def test_stranded_is_what_the_books_hold_when_a_machine_goes_less_its_resale(basis):
    rows = {row["asset_name"] or row["data_centre"] + row["went"]: row for row in stranded_rows(basis, {"ledger"})}
    still, gone = rows["Hall 1runs; if it went now"], rows["Hall 22025-03-01"]
    assert (still["net_book_value"], still["stranded"]) == (87600, 75600)
    # 17 whole months of 60: 120,000 - 17 x 100,000 / 60
    assert abs(gone["net_book_value"] - Decimal("91666.67")) < Decimal("0.01")
    assert abs(gone["stranded"] - Decimal("71666.67")) < Decimal("0.01") and len(rows) == 2
