"""Forecasts, anomalies, prices, waste and clusters on series that can be checked by eye."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from finops_kit.value.anomaly import anomalous_days, daily_by, events, expectations, root_resources
from finops_kit.value.budget import against_budget, burndown
from finops_kit.value.catalogue import catalogue_changes
from finops_kit.value.commitment import commitment_coverage, commitment_use
from finops_kit.value.forecast import monthly_streams
from finops_kit.value.kubernetes import capacity_share, cluster_capacity, namespace_requests
from finops_kit.value.prices import negotiated, unit_prices, unit_sums, usage_peaks
from finops_kit.value.remanence import both_sides
from finops_kit.value.unit_cost import cost_per_unit, margin, metric_by_month
from finops_kit.value.units import unit_conversions
from finops_kit.value.variance import between
from finops_kit.value.waste import idle_machines, orphaned_disks, priced, with_command


def metric(name, value, day=1, grain="month", **more):
    return {"period_start": date(2025, 3, day), "period_grain": grain, "metric": name, "value": value,
            "service_id": "shop", **more}  # fmt: skip


def keep(db, expression, name):
    return db.create_table(name, db.to_pyarrow(expression), temp=True, overwrite=True)


def test_usage_calendar_items_and_corrections_are_streams_of_their_own(db, lens_of):
    rows = [{"cost": 100, "day": date(2025, 1, d)} for d in range(1, 32)]
    rows.append({"cost": 50, "day": date(2025, 1, 1), "ChargeCategory": "Purchase"})
    rows.append({"cost": -999, "day": date(2025, 1, 5), "ChargeClass": "Correction"})
    (month,) = db.to_pyarrow(monthly_streams(lens_of(rows))).to_pylist()
    assert [month[name] for name in ("usage", "calendar", "corrections", "EffectiveCost")] == [3100, 50, -999, 2151]


def spiky(lens_of, spike=400, on=70):
    rows = []
    for n in range(90):
        day = date(2025, 1, 1) + timedelta(days=n)
        weekend = 60 if day.weekday() >= 5 else 100
        rows.append({"cost": weekend + n % 3, "day": day, "ResourceId": "steady", "Tags": {"service_id": "shop"}})
        if n in (on, on + 1):
            rows.append({"cost": spike, "day": day, "ResourceId": "runaway", "Tags": {"service_id": "shop"}})
    return lens_of(rows)


def test_a_spike_is_found_once_with_its_root_resource(db, lens_of):
    lens = keep(db, spiky(lens_of), "spiky")
    found = keep(db, events(anomalous_days(
        expectations(daily_by(lens, ["service_id"]), ["service_id"]), 20), ["service_id"]), "found")  # fmt: skip
    rows = db.to_pyarrow(found).to_pylist()
    assert [(r["starts_on"], r["days"], r["direction"]) for r in rows] == [(date(2025, 3, 12), 2, "spike")]
    assert rows[0]["impact"] == pytest.approx(800, abs=20)
    root = db.to_pyarrow(root_resources(lens, found, ["service_id"])).to_pylist()
    assert root[0]["ResourceId"] == "runaway"


def test_the_future_changes_no_expectation(db, lens_of):
    def seen(spike):
        table = expectations(daily_by(keep(db, spiky(lens_of, spike), f"s{spike}"), ["service_id"]), ["service_id"])
        return [
            r for r in db.to_pyarrow(table.order_by("charge_date")).to_pylist() if r["charge_date"] < date(2025, 3, 12)
        ]

    assert seen(400) == seen(4000)


def test_a_new_service_is_given_ten_days(db, lens_of):
    lens = lens_of([{"cost": 10 if n < 6 else 1000, "day": date(2025, 1, 1 + n)} for n in range(9)])
    days = anomalous_days(expectations(daily_by(lens, ["service_id"]), ["service_id"]), 1)
    assert db.execute(days.count()) == 0


def test_budget_beside_actual_for_members_of_either(db, table, lens_of):
    import ibis

    actual = ibis.memtable(
        {"month": [date(2025, 3, 1)] * 2, "member": ["a", "b"], "EffectiveCost": [Decimal(90), Decimal(5)]}
    )
    budget = ibis.memtable(
        {"month": [date(2025, 3, 1)] * 2, "member": ["a", "c"], "budget": [Decimal(100), Decimal(7)]}
    )
    rows = {r["member"]: r for r in db.to_pyarrow(against_budget(actual, budget)).to_pylist()}
    assert rows["a"]["used_ratio"] == 0.9 and rows["b"]["budget"] is None and rows["c"]["EffectiveCost"] == 0


def test_burndown_runs_to_the_total(db):
    import ibis

    daily = ibis.memtable(
        {"charge_date": [date(2025, 4, 1), date(2025, 4, 2)], "EffectiveCost": [Decimal(10), Decimal(30)]}
    )
    rows = db.to_pyarrow(burndown(daily, ibis.literal(Decimal(300)), 30).order_by("charge_date")).to_pylist()
    assert [(r["spent"], r["pace"], r["left"]) for r in rows] == [(10, 10, 290), (40, 20, 260)]


def test_month_over_month_shows_what_came_and_went(db, lens_of):
    def row(month, service, cost):
        return {"day": date(2025, month, 3), "cost": cost, "Tags": {"service_id": service}}

    lens = lens_of([row(2, "a", 10), row(2, "b", 4), row(3, "a", 15), row(3, "c", 1), row(1, "a", 99), row(3, "", 2)])
    table = between(lens, ["service_id"], "2025-02-01", "2025-03-01")
    rows = {r["service_id"]: r for r in db.to_pyarrow(table).to_pylist()}
    assert rows["a"]["difference"] == 5 and rows["a"]["change_pct"] == 50
    assert rows["b"]["difference"] == -4 and rows["c"]["change_pct"] is None
    assert rows["unallocated"]["after"] == 2


def test_cost_per_order_and_margin(db, table, lens_of):
    rows = [
        metric("orders", 400),
        metric("orders", 7, 2, "day"),
        metric("orders", 5, tenant="t"),
        metric("revenue", 1000),
    ]
    metrics = table("business_metric", rows)
    lens = lens_of([{"cost": 200, "Tags": {"service_id": "shop"}}])
    cost = lens.group_by(["month", "service_id"]).agg(EffectiveCost=lens.EffectiveCost.sum())
    by = ["month", "service_id"]
    one = db.to_pyarrow(cost_per_unit(cost, metric_by_month(metrics, "orders"), by)).to_pylist()
    assert [(r["units"], r["cost_per_unit"]) for r in one] == [(400, 0.5)]
    gross = db.to_pyarrow(margin(cost, metric_by_month(metrics, "revenue"), by)).to_pylist()[0]
    assert gross["margin"] == 800 and gross["margin_pct"] == 80


def test_commitments_used_and_covering(db, lens_of):
    lens = lens_of([
        {"cost": 60, "ListCost": 100, "CommitmentDiscountId": "ri", "CommitmentDiscountStatus": "Used"},
        {"cost": 20, "CommitmentDiscountId": "ri", "CommitmentDiscountStatus": "Unused"},
        {"cost": 100, "ListCost": 100, "PricingCategory": "Standard"},
    ])  # fmt: skip
    use = db.to_pyarrow(commitment_use(lens)).to_pylist()[0]
    assert (use["used_cost"], use["unused_cost"], use["utilisation_pct"]) == (60, 20, 75)
    cover = db.to_pyarrow(commitment_coverage(lens)).to_pylist()[0]
    assert cover["coverage_pct"] == 50 and cover["savings_rate_pct"] == pytest.approx(10)


def test_price_drift_and_negotiated_discount(db, lens_of):
    def row(month, price, quantity=10):
        return {"day": date(2025, month, 3), "cost": price * quantity, "ContractedCost": price * quantity,
                "ListCost": 4 * quantity, "PricingQuantity": quantity, "PricingUnit": "h", "SkuId": "s",
                "ConsumedQuantity": quantity, "ConsumedUnit": "h"}  # fmt: skip

    lens = lens_of([row(1, 2), row(3, 3)])
    drift = db.to_pyarrow(catalogue_changes(unit_prices(unit_sums(lens)), "2025-03-01")).to_pylist()[0]
    told = ("contracted_before", "contracted_price", "drift_pct", "drift_cost")
    assert [drift[name] for name in told] == [2, 3, 50, 10]
    assert db.to_pyarrow(negotiated(lens)).to_pylist()[0]["discount_pct"] == pytest.approx(37.5)


def test_the_peak_is_of_one_volume_whatever_units_it_is_billed_in(db, lens_of):
    """Day 1: 2 GB and 1 GiB; day 2: 5 GB. 7200 s are 2 of the hours that are billed beside; wombats stay alone."""
    used = [(1, "2", "GB", 6), (1, "1", "GiB", 3), (2, "5", "GB", 9), (1, "3", "Hrs", 2), (1, "7200", "s", 1),
            (1, "4", "Wombats", 1)]  # fmt: skip
    lens = lens_of([{"day": date(2025, 3, day), "cost": cost, "ConsumedQuantity": quantity, "ConsumedUnit": unit}
                    for day, quantity, unit, cost in used])  # fmt: skip
    provider = db.to_pyarrow(lens.provider.name("p")).to_pylist()[0]
    conversions = unit_conversions((provider, unit) for _, _, unit, _ in used)
    rows = db.to_pyarrow(usage_peaks(lens, conversions).order_by("comparable")).to_pylist()
    assert [(r["comparable"], r["ConsumedUnit"], r["billed_in"], r["EffectiveCost"]) for r in rows] == [
        ("GB", "GB", "GB, GiB", 18), ("Seconds", "Hrs", "Hrs, s", 3), ("Wombats", "Wombats", "Wombats", 1),
    ]  # fmt: skip
    assert [r["peak_daily"] for r in rows] == pytest.approx([5, 5, 4])
    assert [r["mean_daily"] for r in rows] == pytest.approx([(2 + 1.073741824 + 5) / 2, 5, 4])


def seen(resource, day, **more):
    at = datetime(2025, 3, day, 12, tzinfo=UTC)
    return {"resource_id": resource, "resource_name": resource, "source_system": "inventory", "presence": "present",
            "observed_at": at, "provider_name": "AWS", "region_id": "eu-1", **more}  # fmt: skip


def test_orphans_and_idlers_are_priced_from_the_bill_with_a_quoted_command(db, table, lens_of):
    disk = {"kind": "disk", "power_state": "available"}
    held = {"kind": "disk", "power_state": "attached", "owner_id": "vm"}
    machine = {"kind": "machine", "power_state": "running", "vcpu": 4}
    snapshot = table("resource_snapshot", [
        seen("vol-1", 1, **disk), seen("vol-1", 28, **disk),
        seen("vol-2", 1, **held), seen("vol-2", 28, **disk),
        seen("vol-3", 1, **disk), seen("vol-3", 28, **disk),
        seen("i-'x", 2, **machine, usage_vcpu="0.1"), seen("i-'x", 28, **machine, usage_vcpu="0.05"),
        seen("i-2", 2, **machine, usage_vcpu="0.1"), seen("i-2", 28, **machine, usage_vcpu="3"),
        seen("i-3", 28, **machine, usage_vcpu="0.1"),
    ])  # fmt: skip
    lens = keep(db, lens_of([{"cost": 12, "ResourceId": "VOL-1"}, {"cost": 30, "ResourceId": "i-'x"}]), "bill")
    disks = db.to_pyarrow(with_command(priced(orphaned_disks(snapshot, date(2025, 4, 1)), lens), "disk")).to_pylist()
    assert [(r["resource_id"], r["monthly_saving"], r["idle_days"]) for r in disks] == [("vol-1", 12, 31)]
    assert "delete-volume --volume-id 'vol-1'" in disks[0]["command"]
    idle = db.to_pyarrow(with_command(priced(idle_machines(snapshot, date(2025, 4, 1)), lens), "machine")).to_pylist()
    assert [r["resource_id"] for r in idle] == ["i-'x"] and idle[0]["peak_use_pct"] == pytest.approx(2.5)
    assert r"'i-'\''x'" in idle[0]["command"]


def test_cluster_capacity_is_asked_for_or_idle(db, table):
    snapshot = table("resource_snapshot", [
        seen("n1", 1, kind="node", cluster="c", vcpu=8, memory_gib=32),
        seen("p1", 1, kind="pod", cluster="c", namespace="shop", vcpu=2, memory_gib=16, power_state="Running"),
        seen("p2", 1, kind="pod", cluster="c", namespace="shop", vcpu=2, memory_gib=0, power_state="Pending"),
        seen("n1", 9, kind="node", cluster="c", vcpu=8, memory_gib=32),
    ])  # fmt: skip
    shares = capacity_share(cluster_capacity(snapshot), namespace_requests(snapshot))
    rows = {r["namespace"]: r for r in db.to_pyarrow(shares).to_pylist()}
    assert (rows["shop"]["vcpu_share"], rows["shop"]["memory_share"], rows["shop"]["share"]) == (0.25, 0.5, 0.375)
    assert sum(r["share"] for r in rows.values()) == 1 and rows["idle"]["vcpu"] == 6


def test_both_homes_of_a_migrating_service(db):
    import ibis

    months = [date(2025, 1, 1), date(2025, 2, 1), date(2025, 2, 1)]
    costs = [Decimal(9), Decimal(8), Decimal(3)]
    monthly = ibis.memtable(
        {"service_id": ["s"] * 3, "month": months, "on_premises": [True, True, False], "EffectiveCost": costs}
    )
    rows = db.to_pyarrow(both_sides(monthly).order_by("month")).to_pylist()
    assert [(r["legacy"], r["cloud"], r["legacy_peak"]) for r in rows] == [(9, 0, 9), (8, 3, 9)]
