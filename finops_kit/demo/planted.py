"""Note what was planted: waste, anomalies, the surge, the migration, the team's move."""

from __future__ import annotations

from typing import Any

from finops_kit.demo import kubernetes
from finops_kit.demo.estate import (
    AZURE,
    CURRENCY,
    FRANKFURT,
    MIGRATING_SERVICE,
    MOVES_TO,
    MOVING_SERVICE,
    PLANNED_MIGRATIONS,
    PROVIDERS,
    REGION,
    SERVICE,
    Tenant,
)  # fmt: skip
from finops_kit.demo.fleet import SURGE_PERCENT, SURGE_SERVICES, Fleet, moved_share, node_counts, planted_anomalies
from finops_kit.demo.months import Calendar
from finops_kit.demo.snapshots import orphaned_since, true_states
from finops_kit.demo.truth import Truth, money


def note(time: Calendar, seed: int, scale: float, tenants: tuple[Tenant, ...], fleets: dict[str, Fleet],
         truth: Truth) -> None:  # fmt: skip
    """Add everything planted to the truth."""
    truth.more |= {
        "services": [service.service_id for service in SERVICE.values()],
        "tenants": [tenant.tenant_id for tenant in tenants],
        "orphaned_disks": _waste(time, fleets, truth, "orphan"),
        "idle_machines": _waste(time, fleets, truth, "idle"),
        "anomalies": _anomalies(time, fleets),
        "surge": {
            "what": "Savings promotion: online and mobile banking",
            "days": [day.isoformat() for day in time.surge_days], "percent_of_normal": list(SURGE_PERCENT),
            "services": list(SURGE_SERVICES), "cluster": kubernetes.CLUSTER,
            "nodes_base": node_counts(scale)[0], "nodes_peak": sum(node_counts(scale)),
        },
        "migration": _migration(time, fleets, truth),
        "planned_migrations": [{"service_id": s, "to": where} for s, where in PLANNED_MIGRATIONS],
        "team_move": {"service_id": MOVING_SERVICE, "from": SERVICE[MOVING_SERVICE].team, "to": MOVES_TO,
                      "on": time.firsts[time.team_moves].isoformat()},
        "corrections": _corrections(time, fleets),
        "states": true_states(time, scale, fleets),
        "regions": {provider: REGION[provider][0] for provider in PROVIDERS},
    }  # fmt: skip
    truth.more.setdefault("quarantine", [])


def _waste(time: Calendar, fleets: dict[str, Fleet], truth: Truth, kind: str) -> list[dict[str, Any]]:
    rows = []
    for provider, fleet in fleets.items():
        for resource in fleet.resources:
            if resource.component.planted != kind:
                continue
            monthly = {time.label(n): money(truth.by_resource[(resource.resource_id, n)]) for n in range(time.months)
                       if (resource.resource_id, n) in truth.by_resource}  # fmt: skip
            row: dict[str, Any] = {
                "resource_id": resource.resource_id, "name": resource.name, "provider": provider,
                "service_id": resource.component.service_id, "currency": CURRENCY[provider],
                "effective_by_month": monthly,
            }  # fmt: skip
            if kind == "orphan":
                row["since"] = orphaned_since(time, resource).isoformat()
            rows.append(row)
    return rows


def _anomalies(time: Calendar, fleets: dict[str, Fleet]) -> list[dict[str, Any]]:
    rows = []
    for anomaly in planted_anomalies(time):
        fleet = next(f for f in fleets.values() if anomaly in f.anomalies)
        number = fleet.named(anomaly.component)
        resource, normal = fleet.resources[number], fleet.normal[anomaly.name]
        price = int(fleet.unit_price[number])
        actual = normal * anomaly.percent // 100
        rows.append({
            "provider": fleet.provider, "service_id": resource.component.service_id,
            "resource_id": resource.resource_id,
            "day": time.firsts[anomaly.month].replace(day=anomaly.day).isoformat(),
            "currency": CURRENCY[fleet.provider],
            "normal": money(normal * price), "actual": money(actual * price),
            "excess": money((actual - normal) * price),
            "story": anomaly.story,
        })  # fmt: skip
    return rows


def _migration(time: Calendar, fleets: dict[str, Fleet], truth: Truth) -> dict[str, Any]:
    """The old platform's cost by month, what of it was avoidable, and the double run."""
    fleet = fleets[FRANKFURT]
    members = [r for r in fleet.resources if r.component.service_id == MIGRATING_SERVICE]
    months, run = {}, 0
    for index in range(time.months):
        cost = {r.resource_id: truth.by_resource.get((r.resource_id, index), 0) for r in members}
        avoidable = sum(v for r, v in zip(members, cost.values(), strict=True) if r.component.ends == "decommissioned")
        legacy, moved = sum(cost.values()), moved_share(time, index)
        double = time.golive <= index < time.decommissioned
        run += avoidable if double else 0
        months[time.label(index)] = {
            "legacy_effective": money(legacy), "avoidable": money(avoidable), "volume_legacy_pct": (1000 - moved) / 10,
            "double_run": double,
        }  # fmt: skip
    return {
        "service_id": MIGRATING_SERVICE, "from": FRANKFURT, "to": AZURE, "currency": "EUR",
        "starts": time.label(time.migration_starts), "golive": time.label(time.golive),
        "decommissioned": time.label(time.decommissioned), "months": months,
        "double_run_months": [time.label(n) for n in range(time.golive, time.decommissioned)],
        "double_run": money(run),
    }  # fmt: skip


def _corrections(time: Calendar, fleets: dict[str, Fleet]) -> dict[str, Any]:
    from finops_kit.demo.azure import corrections

    if time.corrected >= time.months - 1:
        return {"rows": 0}
    rows = corrections(fleets[AZURE], time.corrected)
    return {
        "provider": AZURE, "rows": len(rows), "billing_month": time.label(time.corrected),
        "concerns_month": time.label(time.corrected - 1), "billed": money(sum(r.billed for r in rows)),
    }  # fmt: skip
