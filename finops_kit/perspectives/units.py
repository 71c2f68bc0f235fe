"""Blocks about units: what one request, order, customer or tenant costs, and what it earns."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ibis

from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.cost import LABELS, share
from finops_kit.perspectives.reading import ResultTable
from finops_kit.perspectives.tables import Row, result
from finops_kit.perspectives.words import count, listed, money, percent
from finops_kit.value.lens import first_of_month
from finops_kit.value.unit_cost import cost_per_unit, margin, metric_by_month, metrics_by_month

#: revenue is what a unit earns, not a unit
REVENUE = "revenue"
#: a unit that costs this much more than the month before is told, in per cent
DEARER_PCT = 5
#: how the volumes of a migrating service are named: what runs on premises, and what runs in the cloud
HOMES = ("_legacy", "_cloud")


def metric_names(basis: Basis) -> list[str]:
    """The business metrics known for the period."""
    found: list[str] = basis.once("metrics", _metric_names)
    return found


def _metric_names(basis: Basis) -> list[str]:
    metric = basis.table("business_metric")
    rows = metric.filter(first_of_month(metric.period_start) == ibis.date(str(basis.start)))
    names = (row["metric"] for row in basis.rows(rows.select("metric").distinct()))
    # a volume split between two homes is a part of the volume, and belongs to the migration
    return sorted(name for name in names if not name.endswith(HOMES))


def measured_services(basis: Basis) -> set[str]:
    """The services whose volume is known in the period."""
    metric = basis.table("business_metric")
    rows = metric.filter(
        (first_of_month(metric.period_start) == ibis.date(str(basis.start)))
        & (metric.metric != REVENUE)
        & (metric.service_id.fill_null("") != "")
    )
    return {row["service_id"] for row in basis.rows(rows.select("service_id").distinct())}


def _cost(basis: Basis, by: str) -> Any:
    recent = basis.recent
    return recent.group_by(["month", by]).agg(EffectiveCost=recent.EffectiveCost.sum().fill_null(0))


def unit_rows(basis: Basis) -> list[Row]:
    """Cost per unit of every metric of every service, this month and the month before."""
    found: list[Row] = basis.once("unit_rows", _unit_rows)
    return found


def _unit_rows(basis: Basis) -> list[Row]:
    names = [name for name in metric_names(basis) if name != REVENUE]
    if not names:
        return []
    metric = basis.table("business_metric")
    units = metrics_by_month(metric.filter(metric.metric.isin(names)))
    both = basis.rows(cost_per_unit(_cost(basis, "service_id"), units, ["month", "service_id"]))
    before = {(row["service_id"], row["metric"]): row["cost_per_unit"] for row in both if row["month"] == basis.before}
    rows = [row for row in both if row["month"] == basis.start]
    for row in rows:
        old, new = before.get((row["service_id"], row["metric"])), row["cost_per_unit"]
        row["cost_per_unit_before"] = old
        row["change_pct"] = 100 * (new / old - 1) if old and new is not None else None
    return sorted(rows, key=lambda row: (-row["EffectiveCost"], row["service_id"], row["metric"]))


def why_no_units(basis: Basis) -> str:
    """Why no unit cost can be computed."""
    if not metric_names(basis):
        return f"No business metric is known for {basis.start:%B %Y}; deliver requests, orders or customers as CSV."
    return "No service of this scope has both cost and a known volume."


def unit_table(basis: Basis) -> ResultTable:
    """Cost per unit by service and metric, what became dearest first."""
    rows = sorted(unit_rows(basis), key=lambda row: -(row["change_pct"] or 0.0))
    return result(
        "unit_costs", "Unit costs", "What does one unit cost, and is it getting cheaper?", rows,
        ("service_id", "metric", "EffectiveCost", "units", "cost_per_unit", "cost_per_unit_before", "change_pct"),
        units={"EffectiveCost": basis.currency, "cost_per_unit": f"{basis.currency} per unit",
               "cost_per_unit_before": f"{basis.currency} per unit", "change_pct": "%"},
        labels={**LABELS, "metric": "Unit", "units": "Volume", "cost_per_unit": "Cost per unit",
                "cost_per_unit_before": "Month before"},
        empty_because=why_no_units(basis), measure="effective_cost", trace_by=("service_id",),
        answer=_dearer_words(basis),
    )  # fmt: skip


def dearer_units(basis: Basis) -> list[Row]:
    """The units that cost noticeably more than the month before, the steepest rise first."""
    dearer = [row for row in unit_rows(basis) if (row["change_pct"] or 0.0) >= DEARER_PCT]
    return sorted(dearer, key=lambda row: (-row["change_pct"], row["service_id"], row["metric"]))


def _dearer_words(basis: Basis) -> str:
    dearer = dearer_units(basis)
    if not dearer:
        return f"No unit became dearer by {DEARER_PCT} % or more."
    names = listed(sorted({row["service_id"] for row in dearer}))
    return f"Dearer by {DEARER_PCT} % or more than the month before: {names}, by up to {dearer[0]['change_pct']:.1f} %."


def _in_currency(basis: Basis) -> Any:
    """The metrics whose money, if they are money, is in the reading's currency."""
    metric = basis.table("business_metric")
    other = (
        (metric.metric == REVENUE) & metric.unit.fill_null("").re_search("^[A-Z]{3}$") & (metric.unit != basis.currency)
    )
    return metric.filter(~other.fill_null(False))


def margin_rows(basis: Basis) -> list[Row]:
    """Revenue less cost by service, where revenue is known."""
    found: list[Row] = basis.once("margins", _margin_rows)
    return found


def _margin_rows(basis: Basis) -> list[Row]:
    revenue = metric_by_month(_in_currency(basis), REVENUE)
    joined = margin(_cost(basis, "service_id"), revenue, ["month", "service_id"])
    rows = basis.rows(joined.filter(joined.month == ibis.date(str(basis.start))))
    return sorted(rows, key=lambda row: (-row["margin"], row["service_id"]))


def margin_table(basis: Basis) -> ResultTable:
    """Margin by service, the lowest first."""
    return result(
        "margins", "Margin where revenue is known", "Does it pay?", margin_rows(basis)[::-1],
        ("service_id", "revenue", "EffectiveCost", "margin", "margin_pct"),
        units={"revenue": basis.currency, "EffectiveCost": basis.currency, "margin": basis.currency, "margin_pct": "%"},
        labels={**LABELS, "revenue": "Revenue", "margin": "Margin after technology cost", "margin_pct": "Margin rate"},
        empty_because=f"No revenue by service is known for {basis.start:%B %Y}.", measure="effective_cost",
        trace_by=("service_id",), answer=_losing_words(basis),
    )  # fmt: skip


def _losing_words(basis: Basis) -> str:
    rows = margin_rows(basis)
    losing = [row["service_id"] for row in reversed(rows) if row["margin"] < 0]
    if not losing:
        return "Every service with a revenue earns more than it costs."
    verbs = "costs more than it earns" if len(losing) == 1 else "cost more than they earn"
    return f"{listed(losing)} {verbs}."


def revenue_total(basis: Basis) -> Decimal | None:
    """Revenue of the period and scope: of the whole house where it is delivered as such, else of its services."""
    found: Decimal | None = basis.once("revenue", _revenue_total)
    return found


def _revenue_total(basis: Basis) -> Decimal | None:
    if not basis.members:
        whole = metric_by_month(_in_currency(basis), REVENUE, by=())
        rows = basis.rows(whole.filter(whole.month == ibis.date(str(basis.start))))
        if rows:
            return rows[0]["units"]
    margins = margin_rows(basis)
    return sum((row["revenue"] for row in margins), Decimal(0)) if margins else None


def tenant_rows(basis: Basis) -> list[Row]:
    """Cost by tenant as charged, with the tenant's volume where it is known; the rest is not tenant-specific."""
    found: list[Row] = basis.once("tenants", _tenant_rows)
    return found


def _tenant_rows(basis: Basis) -> list[Row]:
    now = basis.now
    sums = now.group_by("tenant").agg(EffectiveCost=now.EffectiveCost.sum().fill_null(0))
    rows = basis.rows(sums.order_by([sums.EffectiveCost.desc(), "tenant"]))
    volumes: dict[str, dict[str, Decimal]] = {}
    known = metrics_by_month(_in_currency(basis), by=("tenant",))
    for row in basis.rows(known.filter(known.month == ibis.date(str(basis.start)))):
        volumes.setdefault(row["tenant"], {})[row["metric"]] = row["units"]
    for row in rows:
        known_of = volumes.get(row["tenant"] or "", {})
        row["revenue"] = known_of.get(REVENUE)
        row["metric"], row["units"] = next(
            ((name, value) for name, value in sorted(known_of.items()) if name != REVENUE), (None, None)
        )
        row["cost_per_unit"] = float(row["EffectiveCost"]) / float(row["units"]) if row["units"] else None
        row["margin"] = None if row["revenue"] is None else row["revenue"] - row["EffectiveCost"]
        row["tenant"] = row["tenant"] or "unallocated"
    return rows


def tenant_table(basis: Basis) -> ResultTable:
    """Cost by tenant; its rows sum to the grand total."""
    rows = tenant_rows(basis)
    some = any(row["tenant"] != "unallocated" for row in rows)
    return result(
        "tenants", "Cost by tenant", "Which customer costs what?", rows if some else [],
        ("tenant", "EffectiveCost", "metric", "units", "cost_per_unit", "revenue", "margin"),
        units={"EffectiveCost": basis.currency, "revenue": basis.currency, "margin": basis.currency,
               "cost_per_unit": f"{basis.currency} per unit"},
        labels={**LABELS, "metric": "Unit", "units": "Volume", "cost_per_unit": "Cost per unit", "revenue": "Revenue",
                "margin": "Margin"},
        empty_because="No charge of the period names a tenant (tag `tenant`).", measure="effective_cost",
        trace_by=("tenant",), answer=_tenant_words(basis, rows),
    )  # fmt: skip


def _tenant_words(basis: Basis, rows: list[Row]) -> str:
    """How much of the cost names a tenant, and whose is the largest part of it."""
    named = [row for row in rows if row["tenant"] != "unallocated"]
    if not named or basis.grand_total <= 0:
        return ""
    part = share(sum((row["EffectiveCost"] for row in named), Decimal(0)), basis.grand_total)
    first = f"{named[0]['tenant']} costs most, {money(named[0]['EffectiveCost'], basis.currency)}"
    return f"{percent(part)} of the cost names one of {count(len(named), 'tenant')}; {first}."
