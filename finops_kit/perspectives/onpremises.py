"""Blocks about the house's own machines: what a unit of them costs, what of it stands idle, what is lost by leaving."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import ibis

from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.cost import LABELS
from finops_kit.perspectives.reading import ResultTable
from finops_kit.perspectives.tables import Row, result
from finops_kit.perspectives.words import count, money
from finops_kit.value.depreciation import asset_books, net_book_value, straight_line
from finops_kit.value.onprem import energy_per_kw_month, idle_capacity_cost, rate_per_kw, rate_per_vcpu_hour
from finops_kit.value.remanence import stranded

#: hours of a month, so that a rate does not change with the calendar
HOURS = 730
#: what can be sold of what was bought: the rest is reserve, maintenance and loss
PRACTICAL = Decimal("0.9")
#: the business metrics, of the whole house, that say what a kilowatt costs
ENERGY_PRICE, PUE = "energy_price_kwh", "pue"
#: an asset's columns that a scope may name
_SCOPES = {"service_id": "service_id", "team": "owner_team", "provider": "data_centre"}


def assets_of_scope(basis: Basis) -> Any:
    """The asset register within the scope; None where assets are not known by what the scope names."""
    asset = basis.table("asset")
    for column, members in basis.members.items():
        if column not in _SCOPES:
            return None
        asset = asset.filter(asset[_SCOPES[column]].isin(members))
    return asset


def _running(basis: Basis) -> list[Row]:
    """The assets that ran in the period: what each cost, what it can do, and what of it was used on average.

    The cost is what the period's charges say of its resource; without any, its depreciation in the register.
    """
    asset = assets_of_scope(basis)
    if asset is None:
        return []
    books = asset_books(asset, str(basis.start))
    books = books.filter(~books.retired)
    now, seen = basis.now, basis.table("resource_snapshot")
    charged = now.filter(now.ResourceId.notnull()).group_by("ResourceId").agg(charged=now.EffectiveCost.sum())
    start, end = (ibis.literal(f"{day} 00:00:00+00:00").cast("timestamp('UTC')") for day in (basis.start, basis.end))
    seen = seen.filter((seen.observed_at >= start) & (seen.observed_at < end) & seen.usage_vcpu.notnull())
    used = seen.group_by("resource_id").agg(used_vcpu=seen.usage_vcpu.cast("float64").mean())
    rows = books.left_join(charged, books.resource_id == charged.ResourceId)
    rows = rows.left_join(
        used.rename(used_id="resource_id"), rows.resource_id == used.rename(used_id="resource_id").used_id
    )
    names = ("asset_id", "data_centre", "asset_class", "currency", "depreciation", "charged", "power_kw", "vcpu",
             "storage_gib", "used_vcpu")  # fmt: skip
    found = basis.rows(rows.select(*names).order_by("asset_id"))
    for row in found:
        own = row["depreciation"] if row["currency"] == basis.currency else None
        row["cost"] = row["charged"] if row["charged"] is not None else own
    return found


def unit_rate_rows(basis: Basis) -> list[Row]:
    """Each kind of machine in each data centre: rate at practical capacity, what was used, what stood idle.

    Used + idle is the whole cost; idle is nobody's rate. What cannot be computed says why.
    """
    found: list[Row] = basis.once("unit_rates", _unit_rates)
    return found


def _unit_rates(basis: Basis) -> list[Row]:
    by_class: dict[tuple[str, str], list[Row]] = {}
    centres: dict[str, list[Row]] = {}
    for row in _running(basis):
        centre, kind = row["data_centre"] or "", (row["asset_class"] or "").lower()
        by_class.setdefault((centre, kind), []).append(row)
        centres.setdefault(centre, []).append(row)
    energy, no_energy = _energy(basis)
    rates: dict[str, tuple[Decimal | None, str]] = {}
    rows: list[Row] = []
    # rooms first: what a kilowatt costs is part of what a processor costs
    for (centre, kind), assets in sorted(by_class.items(), key=lambda pair: (pair[0][0], pair[0][1] != "facility")):
        head: Row = {"data_centre": centre, "asset_class": kind, "assets": len(assets)}
        missing = [one["asset_id"] for one in assets if one["cost"] is None]
        if missing:
            rows.append({**head, "why": f"What {missing[0]} costs in {basis.currency} is not known."})
        elif kind == "facility":
            row = _room(assets, centres[centre], energy, no_energy)
            rates[centre] = (row.get("exact_rate"), row["why"])
            rows.append(head | row)
        else:
            rows.append(head | _machines(assets, *rates.get(centre, (None, "no room is in the register"))))
    return sorted(rows, key=lambda row: (row["data_centre"], row["asset_class"]))


def _energy(basis: Basis) -> tuple[Decimal | None, str]:
    """What a kilowatt through a month costs in energy, and else why it cannot be said."""
    metric = basis.table("business_metric")
    wanted = metric.filter(metric.metric.isin((ENERGY_PRICE, PUE)) & (metric.period_start < ibis.date(str(basis.end))))
    newest = wanted.group_by("metric").agg(
        value=wanted["value"].argmax(wanted.period_start), unit=wanted.unit.argmax(wanted.period_start)
    )
    known = {row["metric"]: row for row in basis.rows(newest)}
    lacks = [name for name in (ENERGY_PRICE, PUE) if name not in known]
    if lacks:
        return None, f"without energy: no business metric {' and '.join(lacks)} is known"
    unit = known[ENERGY_PRICE]["unit"] or basis.currency
    if unit != basis.currency:
        return None, f"without energy: its price is in {unit}"
    return energy_per_kw_month(known[ENERGY_PRICE]["value"], HOURS, known[PUE]["value"]), ""


def _room(rooms: list[Row], all_assets: list[Row], energy: Decimal | None, no_energy: str) -> Row:
    fixed = sum((one["cost"] for one in rooms), Decimal(0))
    capacity = sum((one["power_kw"] or Decimal(0) for one in rooms), Decimal(0))
    drawn = sum((one["power_kw"] or Decimal(0) for one in all_assets if one not in rooms), Decimal(0))
    row: Row = {"unit": "kW-month", "whole": fixed, "capacity": float(capacity) or None, "why": no_energy}
    if not capacity:
        why = "no room says in the register how much power it can take (power_kw)"
        return row | {"why": why}
    idle = max(idle_capacity_cost(fixed, capacity, drawn), Decimal(0))
    rate = rate_per_kw(fixed, capacity, energy or Decimal(0))
    used = fixed - idle + drawn * (energy or Decimal(0))
    return row | {
        "used_quantity": float(drawn), "rate": float(rate), "exact_rate": rate, "used": used, "idle": idle,
        "whole": used + idle, "idle_pct": 100 * float(1 - drawn / capacity) if drawn < capacity else 0.0,
    }  # fmt: skip


def _machines(assets: list[Row], kw_rate: Decimal | None, no_rate: str) -> Row:
    field, unit = next(
        ((name, unit) for name, unit in (("vcpu", "vCPU-hour"), ("storage_gib", "GiB-month"))
         if any(one[name] for one in assets)), ("", "")
    )  # fmt: skip
    cost = sum((one["cost"] for one in assets), Decimal(0))
    if not field:
        return {"whole": cost, "why": "the register says neither processors nor storage"}
    counted = [one for one in assets if one[field]]
    cost = sum((one["cost"] for one in counted), Decimal(0))
    power = sum((one["power_kw"] or Decimal(0) for one in counted), Decimal(0))
    size = sum((one[field] for one in counted), Decimal(0))
    hours = HOURS if field == "vcpu" else 1
    whole = cost + power * (kw_rate or Decimal(0))
    rate = rate_per_vcpu_hour(cost, power, kw_rate or Decimal(0), size, hours, PRACTICAL)
    row: Row = {"unit": unit, "whole": whole, "capacity": float(size * hours * PRACTICAL), "rate": float(rate)}
    why = (
        [f"{len(assets) - len(counted)} of them say no capacity and are left out"] if len(counted) < len(assets) else []
    )
    why += [f"without its share of the room: {no_rate}"] if kw_rate is None else [no_rate] if no_rate else []
    used = [one["used_vcpu"] for one in counted]
    if field != "vcpu" or any(one is None for one in used):
        unseen = "" if field != "vcpu" else f" of {sum(one is None for one in used)} of them"
        return row | {"why": "; ".join([*why, f"idle not known: no source says what is used{unseen}"])}
    busy = Decimal(repr(sum(used))) * hours
    held = min(busy * rate, whole)
    return row | {
        "used_quantity": float(busy), "used": held, "idle": whole - held,
        "idle_pct": 100 * float(1 - held / whole) if whole else None, "why": "; ".join(why),
    }  # fmt: skip


def unit_rates_table(basis: Basis) -> ResultTable:
    """What a unit of the house's own machines costs at practical capacity, with idle beside it."""
    amounts = ("whole", "used", "idle")
    idle = [row["idle"] for row in unit_rate_rows(basis) if row.get("idle") is not None]
    return result(
        "unit_rates", "On-premises unit rates at practical capacity",
        "What does a unit of our own machines cost, and what do we pay for nobody?", unit_rate_rows(basis),
        ("data_centre", "asset_class", "unit", "rate", *amounts, "idle_pct", "why", "assets", "capacity",
         "used_quantity"),
        units={**dict.fromkeys(amounts, basis.currency), "rate": f"{basis.currency} per unit", "idle_pct": "%"},
        labels={**LABELS, "data_centre": "Data centre", "asset_class": "Class", "assets": "Assets", "unit": "Unit",
                "rate": "Rate", "capacity": "Practical capacity", "used_quantity": "Used", "whole": "Whole cost",
                "used": "Cost of what is used", "idle": "Idle", "idle_pct": "Idle share", "why": "What is missing"},
        answer=f"{money(sum(idle, Decimal(0)), basis.currency)} of the month went into idle capacity, as far as known."
        if idle else "",
        empty_because="The asset register is empty, or does not know this scope; deliver it with `finops ingest`.",
    )  # fmt: skip


def stranded_rows(basis: Basis, moving: set[str]) -> list[Row]:
    """What is lost where an asset goes before its life ends: those that went, and those of services that are moving.

    Stranded = book value when it goes - resale + what cannot be cancelled. Resale is the register's salvage value.

    Parameters
    ----------
    moving : the services that are on the way to the cloud; what still runs of them would go now
    """
    asset = assets_of_scope(basis)
    if asset is None:
        return []
    gone = asset.decommissioned_on.notnull() & (asset.decommissioned_on < ibis.date(str(basis.end)))
    rows = []
    for row in basis.rows(asset.filter(gone | asset.service_id.isin(sorted(moving))).order_by("asset_id")):
        left = row["decommissioned_on"] if row["decommissioned_on"] and row["decommissioned_on"] < basis.end else None
        at = left or basis.end
        bought, life = row["acquired_on"], row["life_months"]
        head = {name: row[name] for name in ("asset_name", "data_centre", "service_id", "currency")}
        head["went"] = f"{left:%Y-%m-%d}" if left else "runs; if it went now"
        if bought is None or not life or row["acquisition_cost"] is None:
            rows.append({**head, "why": "The register lacks when it was bought, for how much or how long it lives."})
            continue
        value = _book_value(row["acquisition_cost"], row["salvage_value"] or Decimal(0), bought, life, at)
        if value <= (row["salvage_value"] or Decimal(0)):
            continue  # written off: nothing is lost by its going
        resale = row["salvage_value"] or Decimal(0)
        why = "no resale value is in the register; " if row["salvage_value"] is None else ""
        why += "no contract names it, so nothing counts as not cancellable"
        rows.append({**head, "net_book_value": value, "resale": resale, "stranded": stranded(value, resale, Decimal(0)),
                     "why": why})  # fmt: skip
    return sorted(rows, key=lambda row: (-(row.get("stranded") or Decimal(0)), row["asset_name"] or ""))


def _book_value(cost: Decimal, salvage: Decimal, bought: date, life_months: int, at: date) -> Decimal:
    """Net book value on a day by whole months, the month it was bought in and the one before the day included."""
    last = at - timedelta(days=1)
    months = max((last.year - bought.year) * 12 + last.month - bought.month + 1, 0)
    return net_book_value(cost, straight_line(cost, salvage, life_months), min(months, life_months))


def stranded_table(basis: Basis, moving: set[str]) -> ResultTable:
    """Assets that went early, or would, with what is lost by it."""
    rows = stranded_rows(basis, moving)
    single = {row["currency"] for row in rows}
    unit = next(iter(single)) if len(single) == 1 else ""
    amounts = ("net_book_value", "resale", "stranded")
    return result(
        "stranded", "Stranded cost", "What is lost where machines go before their life ends?", rows,
        ("asset_name", "data_centre", "service_id", "went", *amounts, "currency", "why"),
        units=dict.fromkeys(amounts, unit),
        labels={**LABELS, "asset_name": "Asset", "data_centre": "Data centre", "went": "Went",
                "net_book_value": "Net book value then", "resale": "Resale (salvage value)", "stranded": "Stranded",
                "currency": "Currency", "why": "What is missing"},
        answer=f"{money(sum((row.get('stranded') or Decimal(0) for row in rows), Decimal(0)), unit)} of book value is "
        f"lost on {count(len(rows), 'asset')} that left early or would." if unit else "",
        empty_because="No asset of the register went before its life ended, and no service is on the way to the cloud.",
    )  # fmt: skip
