"""The worked numbers of the definitions; each is true and stands here once."""

from datetime import date
from decimal import Decimal

import ibis
import pytest

from finops_kit.value.budget import burn_state
from finops_kit.value.commitment import hourly_commitment
from finops_kit.value.completeness import bornhuetter_ferguson, chain_ladder
from finops_kit.value.depreciation import asset_books, net_book_value, straight_line
from finops_kit.value.forecast import accuracy, run_rate
from finops_kit.value.onprem import energy_per_kw_month, idle_capacity_cost, rate_per_kw, rate_per_vcpu_hour
from finops_kit.value.remanence import double_run, remanence, remanence_coefficient, stranded, structural_and_late
from finops_kit.value.variance import price_volume_mix


def test_completing_a_partial_period():
    assert chain_ladder(Decimal(60), Decimal("0.75")) == 80
    assert bornhuetter_ferguson(Decimal(60), Decimal("0.75"), Decimal(100)) == 85


def test_straight_line_and_net_book_value():
    monthly = straight_line(Decimal(120000), Decimal(12000), 60)
    assert monthly == 1800 and net_book_value(Decimal(120000), monthly, 18) == 87600


def test_the_register_in_a_month(db, table):
    asset = {"asset_id": "a", "acquired_on": date(2024, 1, 15), "acquisition_cost": 120000, "salvage_value": 12000,
             "life_months": 60, "currency": "EUR"}  # fmt: skip
    register = table("asset", [asset, {**asset, "asset_id": "gone", "decommissioned_on": date(2025, 1, 31)}])
    rows = {r["asset_id"]: r for r in db.to_pyarrow(asset_books(register, "2025-06-01")).to_pylist()}
    assert rows["a"]["depreciation"] == 1800 and rows["a"]["net_book_value"] == 87600 and rows["a"]["age_months"] == 18
    assert rows["gone"]["retired"] and rows["gone"]["depreciation"] == 0
    last = db.to_pyarrow(asset_books(register, "2031-01-01")).to_pylist()[0]
    assert last["net_book_value"] == 12000 and last["depreciation"] == 0


def test_unit_rate_at_practical_capacity():
    energy = energy_per_kw_month(Decimal("0.25"), 730, Decimal("1.5"))
    assert energy == Decimal("273.75")
    rate = rate_per_kw(Decimal(90000), 100, energy)
    assert rate == Decimal("1173.75") and rate_per_kw(Decimal(90000), 72, energy) == Decimal("1523.75")
    idle = idle_capacity_cost(Decimal(90000), 100, 72)
    assert idle == 25200 and 72 * rate + idle == 109710


def test_vcpu_hour():
    rate = rate_per_vcpu_hour(Decimal(1800), Decimal("0.6"), Decimal("1173.75"), 128, 730, Decimal("0.9"))
    assert rate.quantize(Decimal("0.00001")) == Decimal("0.02978")


def test_remanence_stranded_double_run():
    figures = (Decimal(100000), Decimal(100), Decimal(92000), Decimal(60))
    assert remanence(*figures) == 32000 and remanence_coefficient(*figures) == Decimal("0.8")
    assert structural_and_late(*map(int, figures), 70000, 300) == (28000, 4000)
    assert stranded(87600, 20000, 6000) == 73600 and double_run(4, 4000) == 16000


def test_price_volume_mix(db):
    rows = [("x", 1000, 100, 1320, 120), ("y", 1000, 50, 570, 30)]
    table = ibis.memtable(
        {"unit": ["h"] * 2, "cost0": [Decimal(r[1]) for r in rows], "quantity0": [Decimal(r[2]) for r in rows],
         "cost1": [Decimal(r[3]) for r in rows], "quantity1": [Decimal(r[4]) for r in rows]},
        schema={"unit": "string", "cost0": "decimal(38,24)", "quantity0": "decimal(38,18)",
                "cost1": "decimal(38,24)", "quantity1": "decimal(38,18)"},
    )  # fmt: skip
    one = db.to_pyarrow(price_volume_mix(table)).to_pylist()[0]
    assert (one["price"], one["volume"], one["mix"], one["total"]) == (90, 0, -200, -110)


def test_price_volume_mix_is_exact_where_quotients_are_not(db):
    table = ibis.memtable(
        {"unit": ["h"] * 3, "cost0": [Decimal(1), Decimal("0.333333"), Decimal(5)],
         "quantity0": [Decimal(3), Decimal(7), Decimal(1)], "cost1": [Decimal("1.1"), Decimal("0.77"), Decimal(0)],
         "quantity1": [Decimal(11), Decimal(13), Decimal(0)]},
        schema={"unit": "string", "cost0": "decimal(38,24)", "quantity0": "decimal(38,18)",
                "cost1": "decimal(38,24)", "quantity1": "decimal(38,18)"},
    )  # fmt: skip
    one = db.to_pyarrow(price_volume_mix(table)).to_pylist()[0]
    assert one["total"] == Decimal("1.87") - Decimal("6.333333") and one["left"] == -5


def test_forecast_is_day_count_normalised_and_its_accuracy():
    assert run_rate(3100, 31, 28) == 2800
    assert accuracy(100.0, 92.0) == pytest.approx(0.92)


def test_burn_rate_rules():
    assert [burn_state(s, 1000, 15, 30) for s in (100, 500, 910, 1001)] == ["quiet", "notice", "page", "page"]


def test_commitment_levels_cost_the_same_between_five_and_eight(db):
    demand = ibis.memtable({"demand": [2.0, 2, 3, 5, 8, 8, 9, 10, 10, 10]})
    at = {k: db.to_pyarrow(hourly_commitment(demand, k, 1.0, 0.6)).to_pylist()[0] for k in range(1, 11)}
    assert all(at[k]["cost"] == pytest.approx(55) for k in (5, 6, 7, 8))
    assert min(row["cost"] for row in at.values()) == pytest.approx(55) and at[5]["on_demand_cost"] == 67
    five = at[5]
    assert [round(five[k], 4) for k in ("utilisation", "coverage", "savings_rate")] == [0.84, 0.6269, 0.1791]
