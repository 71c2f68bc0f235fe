"""P2 Product: unit economics, allocation and showback, and whether it pays."""

from __future__ import annotations

from decimal import Decimal

from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.cost import LABELS, breakdown, share, trend, unallocated_share
from finops_kit.perspectives.page import page, total_figure, unallocated_figure
from finops_kit.perspectives.reading import Figure, NextStep, Reading, ResultTable
from finops_kit.perspectives.tables import Row, result
from finops_kit.perspectives.units import (
    REVENUE,
    dearer_units,
    margin_rows,
    margin_table,
    metric_names,
    revenue_total,
    tenant_rows,
    tenant_table,
    unit_rows,
    unit_table,
    why_no_units,
)
from finops_kit.perspectives.words import change, listed, money, month_name, percent
from finops_kit.value.lens import first_of_month
from finops_kit.value.unit_cost import cost_per_unit, metric_by_month

#: the units a page leads with, the most telling first
_LEADING = ("orders", "customers", "requests", "transactions")
#: more cost than this part without a tenant leaves a cost per tenant saying little
TENANTLESS = 0.5


def read(basis: Basis) -> Reading:
    """The product page."""
    figures = (
        total_figure(basis), *_unit_figures(basis), _tenant_figure(basis), _margin_figure(basis),
        unallocated_figure(basis),
    )  # fmt: skip
    tables = (
        unit_table(basis),
        _unit_trend(basis),
        breakdown(basis, "product", "cost_by_product", "Showback by product", "Which product causes what?"),
        breakdown(basis, "service_id", "cost_by_service", "Showback by service", "Which service costs what?"),
        breakdown(basis, "team", "cost_by_team", "Showback by team", "Which team answers for what?"),
        tenant_table(basis),
        margin_table(basis),
        trend(basis),
    )
    return page(
        basis, "product", _answer(basis), figures, tables, "cost_by_service",
        ("Unit costs hold the direct cost of a service, as owned on the bill; shared cost is not spread over units.",),
        _next_steps(basis),
    )  # fmt: skip


def _next_steps(basis: Basis) -> list[NextStep]:
    """What product is asked for: what earns less than it costs, units that became dearer, cost of no tenant."""
    steps = []
    losing = [row for row in margin_rows(basis) if row["margin"] < 0]
    if losing:
        said = [f"{row['service_id']} ({money(-row['margin'], basis.currency)})" for row in reversed(losing[-2:])]
        steps.append(NextStep(f"Decide on price or scope of what costs more than it earns: {listed(said)}.", "margins"))
    if dearer := dearer_units(basis):
        first = dearer[0]
        what = f"one of {first['service_id']}'s {first['metric']} costs {first['change_pct']:.1f} % more"
        steps.append(NextStep(f"Ask engineering why {what} than the month before.", "unit_costs"))
    tenants = tenant_rows(basis)
    nobody = sum((row["EffectiveCost"] for row in tenants if row["tenant"] == "unallocated"), Decimal(0))
    part = share(nobody, basis.grand_total)
    if len(tenants) > 1 and part is not None and part > TENANTLESS:
        steps.append(NextStep(f"Tag what tenants use: {percent(part, 0)} of the cost names no tenant.", "tenants"))
    return steps


def _leading(basis: Basis) -> list[str]:
    names = [name for name in metric_names(basis) if name != REVENUE]
    return sorted(names, key=lambda name: (_LEADING.index(name) if name in _LEADING else len(_LEADING), name))[:2]


def _unit_figures(basis: Basis) -> list[Figure]:
    figures = []
    for name in _leading(basis):
        rows = [row for row in unit_rows(basis) if row["metric"] == name]
        volume, cost = sum(row["units"] for row in rows), sum(row["EffectiveCost"] for row in rows)
        figures.append(
            Figure(
                f"cost_per_{name}", f"Cost per {name.rstrip('s')}", share(cost, volume),
                f"{basis.currency} per {name.rstrip('s')}",
                f"Direct cost of the services that count {name}, over {int(volume):,} {name}.",
                "0.01-0.10" if name == "requests" else "", why_missing="" if volume else why_no_units(basis),
            )
        )  # fmt: skip
    if not figures:
        figures.append(Figure("cost_per_unit", "Cost per unit", None, basis.currency, why_missing=why_no_units(basis)))
    return figures


def _tenant_figure(basis: Basis) -> Figure:
    rows = [row for row in tenant_rows(basis) if row["tenant"] != "unallocated"]
    if not rows:
        return Figure(
            "tenants", "Cost per tenant", None, basis.currency,
            why_missing="No charge of the period names a tenant (tag `tenant`).",
        )  # fmt: skip
    mean = float(sum(row["EffectiveCost"] for row in rows)) / len(rows)
    top = rows[0]
    return Figure(
        "tenants", "Cost per tenant, on average", mean, f"{basis.currency} per tenant",
        f"{len(rows)} tenants are named on the bill; {top['tenant']} costs most with "
        f"{money(top['EffectiveCost'], basis.currency)}.",
    )  # fmt: skip


def _margin_figure(basis: Basis) -> Figure:
    revenue = revenue_total(basis)
    if not revenue:
        return Figure(
            "cost_per_revenue", "Technology cost of revenue", None, "%",
            why_missing=f"No revenue in {basis.currency} is known for {month_name(basis.start)}.",
        )  # fmt: skip
    return Figure(
        "cost_per_revenue", "Technology cost of revenue", 100 * float(basis.grand_total) / float(revenue), "%",
        f"{money(basis.grand_total, basis.currency)} on {money(revenue, basis.currency)} of revenue.",
    )  # fmt: skip


def _answer(basis: Basis) -> str:
    words = []
    for name in _leading(basis)[:1]:
        rows = [row for row in unit_rows(basis) if row["metric"] == name]
        if rows:
            top = rows[0]
            moved = None if top["change_pct"] is None else top["change_pct"] / 100
            compared = (
                ""
                if moved is None
                else f", {change(moved)} {'than' if abs(moved) >= 0.0005 else 'as'} the month before"
            )
            price = f"{basis.currency} {_unit_price(top['cost_per_unit'])}"
            words.append(f"One of {top['service_id']}'s {name} costs {price}{compared}.")
    if not words:
        words.append(why_no_units(basis))
    losing = [row for row in margin_rows(basis) if row["margin"] < 0]
    revenue = revenue_total(basis)
    if losing:
        worst = losing[-1]
        words.append(f"{worst['service_id']} loses {money(-worst['margin'], basis.currency)} on its revenue.")
    elif revenue:
        words.append(f"Technology takes {percent(share(basis.grand_total, revenue))} of revenue.")
    ratio, why = unallocated_share(basis)
    total = money(basis.grand_total, basis.currency)
    words.append(f"{percent(ratio)} of {total} belongs to no service yet." if ratio is not None else why)
    return " ".join(words)


def _unit_price(value: float | None) -> str:
    if value is None:
        return "an unknown amount"
    return f"{value:,.2f}" if value >= 0.1 else f"{value:.4g}"


def _unit_trend(basis: Basis) -> ResultTable:
    rows: list[Row] = []
    cube = basis.cube
    for name in _leading(basis)[:1]:
        cost = cube.group_by(["month", "service_id"]).agg(EffectiveCost=cube.EffectiveCost.sum().fill_null(0))
        metric = basis.table("business_metric")
        metric = metric.filter(first_of_month(metric.period_start) <= str(basis.start))
        joined = cost_per_unit(cost, metric_by_month(metric, name), ["month", "service_id"])
        sums = joined.group_by("month").agg(cost=joined.EffectiveCost.sum(), units=joined.units.sum())
        rows = [
            {"month": row["month"], "metric": name, "units": row["units"],
             "cost_per_unit": share(row["cost"], row["units"])}
            for row in basis.rows(sums.order_by("month"))
        ]  # fmt: skip
    return result(
        "unit_trend", "Cost per unit by month", "Is it getting cheaper?", rows,
        ("month", "metric", "units", "cost_per_unit"), units={"cost_per_unit": f"{basis.currency} per unit"},
        labels={**LABELS, "metric": "Unit", "units": "Volume", "cost_per_unit": "Cost per unit"},
        empty_because=why_no_units(basis), answer=_unit_words(basis, rows),
    )  # fmt: skip


def _unit_words(basis: Basis, rows: list[Row]) -> str:
    """What one unit costs, against a year ago or the first month known."""
    known = [row for row in rows if row["cost_per_unit"]]
    if not known:
        return ""
    now, then = known[-1], known[max(len(known) - 13, 0)]
    said = f"One of the {now['metric']} cost {basis.currency} {_unit_price(now['cost_per_unit'])} on average"
    if now is then:
        return f"{said}."
    moved = change(now["cost_per_unit"] / then["cost_per_unit"] - 1)
    return f"{said}, {moved} {'as' if moved == 'the same' else 'than'} in {month_name(then['month'])}."
