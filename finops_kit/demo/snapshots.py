"""What observers saw: the cloud inventory, the vSphere inventory and the cluster."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np

from finops_kit.demo import kubernetes
from finops_kit.demo.bill import is_tagged
from finops_kit.demo.estate import ACCOUNT, AWS, AZURE, FRANKFURT, GCP, MUNICH, REGION, tags_of
from finops_kit.demo.fleet import Fleet, Resource, mix, nodes_wanted
from finops_kit.demo.months import Calendar, day_number, to_date
from finops_kit.demo.prices import SKUS
from finops_kit.demo.truth import Truth
from finops_kit.demo.writer import spell, write_rows

COLUMNS = ("resource_id", "resource_name", "kind", "provider_name", "region_id", "account_id", "power_state", "sku",
           "vcpu", "memory_gib", "storage_gib", "usage_vcpu", "owner_id", "tags", "observed_at",
           "complete")  # fmt: skip
#: weekly inventories in the last weeks, monthly before
WEEKS = 8
_KIND = {"Instance": "machine", "Microsoft.Compute/virtualMachines": "machine", "Server": "machine", "Volume": "disk",
         "Microsoft.Compute/disks": "disk", "DB Instance": "database", "Microsoft.Sql/managedInstances": "database",
         "Broker": "broker", "Cache Node": "cache", "Endpoint": "endpoint"}  # fmt: skip


def inventory_days(time: Calendar) -> list[date]:
    """The first of every month, and every Wednesday of the last weeks."""
    days = set(time.firsts)
    day = time.today - timedelta(days=(time.today.weekday() - 2) % 7 or 7)
    for week in range(WEEKS):
        if day - timedelta(weeks=week) >= time.firsts[0]:
            days.add(day - timedelta(weeks=week))
    return sorted(days)


def orphaned_since(time: Calendar, resource: Resource) -> date:
    """The day on which a planted orphan lost its machine: two to six months before the end."""
    return time.firsts[time.back(2 + len(resource.name) % 5)].replace(day=11)


def write(out: Path, time: Calendar, seed: int, scale: float, fleets: dict[str, Fleet], truth: Truth) -> None:
    """Write every inventory and every dump of the cluster."""
    places = {"cloud": (AWS, AZURE, GCP), "vsphere": (FRANKFURT, MUNICH)}
    for day in inventory_days(time):
        for name, providers in places.items():
            rows = [row for provider in providers for row in _inventory(fleets[provider], day)]
            path = f"inventory/{day:%Y-%m-%d}/{name}_inventory.csv"
            truth.delivered(path, "inventory", write_rows(out / path, COLUMNS, rows))
    for at in kubernetes.dump_times(time):
        whole, items = kubernetes.dump(fleets[AWS], at, seed)
        path = kubernetes.file_name(at)
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_bytes(kubernetes.serialise(whole))
        truth.delivered(path, "kubernetes", items)


def true_states(time: Calendar, scale: float, fleets: dict[str, Fleet]) -> dict[str, object]:
    """What was there at any time, whoever looked: the life and size of machines, disks and databases, and the cluster.

    Days begin at midnight UTC; ``to`` is the first day on which it was gone, empty where it outlives the estate.
    ``stopped`` is when its power is off, ``free_from`` the day from which a disk belongs to no machine.
    """
    resources, end = [], time.start(time.months - 1) + 31
    for provider, fleet in fleets.items():
        for resource in fleet.resources:
            part, sku = resource.component, SKUS[resource.component.sku]
            kind = _KIND.get(sku.resource_type, "")
            if not kind or resource.slot >= 0:
                continue
            vcpu, memory = sku.machine
            resources.append({
                "resource_id": resource.resource_id, "provider": provider, "kind": kind,
                "from": to_date(resource.born).isoformat(),
                "to": to_date(resource.dies).isoformat() if resource.dies < end else "",
                "sku": sku.code.split(":")[-1], "vcpu": vcpu, "memory_gib": memory, "storage_gib": part.size_gb,
                "stopped": "weekends" if part.rhythm == "office" else "",
                "free_from": orphaned_since(time, resource).isoformat() if part.planted == "orphan" else "",
            })  # fmt: skip
    days = range(time.start(0), end)
    hours = [(day, hour, nodes_wanted(time, day, hour, scale)) for day in days for hour in range(24)]
    steps = [(day, hour, nodes) for place, (day, hour, nodes) in enumerate(hours)
             if not place or hours[place - 1][2] != nodes]  # fmt: skip
    return {
        "resources": resources,
        "nodes": {
            "cluster": kubernetes.CLUSTER,
            "steps": [[_scaled_at(day, hour), nodes] for day, hour, nodes in steps],
        },
        "replicas_by_nodes": kubernetes.replicas_by_nodes({nodes for *_, nodes in steps}, scale),
    }  # fmt: skip


def _scaled_at(day: int, hour: int) -> str:
    """When the cluster took the size that it is billed at from an hour on."""
    whole = to_date(day)
    at = datetime(whole.year, whole.month, whole.day, hour) - kubernetes.SCALED_BEFORE
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _inventory(fleet: Fleet, day: date) -> list[list[object]]:
    """The machines, disks and databases that stand on a day; cluster nodes are seen by the cluster."""
    number = day_number(day)
    index = max(n for n, first in enumerate(fleet.time.firsts) if first <= day)
    tagged = is_tagged(fleet, index)
    noise = mix(fleet.keys ^ np.uint64(number * 7919))
    rows: list[list[object]] = []
    first_machine: dict[str, str] = {}
    for n, resource in enumerate(fleet.resources):
        part, sku = resource.component, SKUS[resource.component.sku]
        kind = _KIND.get(sku.resource_type, "")
        if not kind or not resource.seen(number):
            continue
        account = ACCOUNT[part.account].account_id
        if kind == "machine":
            first_machine.setdefault(account, resource.resource_id)
        if resource.slot >= 0:
            continue
        vcpu, memory = sku.machine
        owner, state, used = "", "running", ""
        if vcpu:
            spread = int(noise[n] % np.uint64(1000))
            permille = 12 + spread * 20 // 1000 if part.planted == "idle" else 260 + spread * 380 // 1000
            used = spell(vcpu * permille, 3)
        if part.rhythm == "office" and day.weekday() >= 5:
            state, used = "stopped", "0.000"
        if kind == "disk":
            free = part.planted == "orphan" and day >= orphaned_since(fleet.time, resource)
            owner, state = ("", "available") if free else (first_machine.get(account, ""), "attached")
        tags = tags_of(part.service_id, part.environment, index >= fleet.time.team_moves, resource.tenant)
        size = part.size_gb or ""
        rows.append([
            resource.resource_id, resource.name, kind, fleet.provider, REGION[fleet.provider][0], account, state,
            sku.code.split(":")[-1], vcpu or "", memory or "", size, used, owner,
            json.dumps(tags if tagged[n] else {}, ensure_ascii=False), f"{day:%Y-%m-%d}T06:00:00Z", "true",
        ])  # fmt: skip
    return rows
