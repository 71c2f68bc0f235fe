"""P5 Leadership: what is spent against the budget, what it brings, and what needs a decision."""

from __future__ import annotations

from decimal import Decimal

from finops_kit.decide.maturity import level, overall
from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.cost import (
    LABELS,
    breakdown,
    breakdown_rows,
    budget_of_scope,
    budget_rows,
    forecast_table,
    next_forecast,
    over_budget,
    period_accuracy,
    share,
    trend,
    trend_by_provider,
)
from finops_kit.perspectives.operations import (
    anomalies_table,
    recommendation_rows,
    savings,
    why_no_recommendations,
)
from finops_kit.perspectives.page import page, total_figure, unallocated_figure
from finops_kit.perspectives.period import next_month
from finops_kit.perspectives.reading import Figure, NextStep, Reading, ResultTable
from finops_kit.perspectives.tables import Row, result
from finops_kit.perspectives.trust import maturity_points, maturity_table, weakest_capability
from finops_kit.perspectives.units import revenue_total
from finops_kit.perspectives.words import change, count, day_name, listed, money, month_name, percent


def read(basis: Basis) -> Reading:
    """The leadership page."""
    figures = (
        total_figure(basis),
        budget_figure(basis),
        forecast_figure(basis),
        accuracy_figure(basis),
        _revenue_figure(basis),
        unallocated_figure(basis),
        _maturity_figure(basis),
        _savings_figure(basis),
    )
    tables = (
        breakdown(basis, "service_id", "cost_by_service", "Cost by service", "Which services cost most?"),
        _top_services(basis),
        breakdown(basis, "business_unit", "cost_by_business_unit", "Cost by business unit", "Who spends?"),
        trend(basis),
        trend_by_provider(basis),
        forecast_table(basis),
        maturity_table(basis),
        _savings_table(basis),
        anomalies_table(basis),
    )
    return page(basis, "leadership", _answer(basis), figures, tables, "cost_by_service", next_steps=_next_steps(basis))


def _next_steps(basis: Basis) -> list[NextStep]:
    """What the board is asked for: savings that nobody decided, services over budget, the weakest capability."""
    steps = []
    if teams := savings_by_team(basis):
        whole = money((savings(basis) or Decimal(0)) * 12, basis.currency)
        part = f": {money(teams[0]['yearly_saving'], basis.currency)} of it lie" if len(teams) > 1 else ", all of it"
        steps.append(
            NextStep(f"Have savings of {whole} a year decided{part} with {teams[0]['team']}.", "savings_by_team")
        )
    if over := over_budget(budget_rows(basis)):
        whole = money(sum((row["difference"] for row in over), Decimal(0)), basis.currency)
        names = listed([row["service_id"] for row in over[:2]])
        steps.append(NextStep(f"Ask finance about {count(len(over), 'service')} over budget by {whole}: {names} most.",
                              "cost_by_service"))  # fmt: skip
    if weakest := weakest_capability(basis):
        steps.append(NextStep(f"Fund the weakest capability, {weakest.capability.lower()} "
                              f"({weakest.score:.0f} of 100): {weakest.next_step.lower()}.", "maturity"))  # fmt: skip
    return steps


def budget_figure(basis: Basis) -> Figure:
    """How much of the month's budget is used (M5)."""
    months, why = budget_of_scope(basis)
    plan = months.get(basis.start)
    used = share(basis.grand_total, plan)
    if used is None or plan is None:
        return Figure("budget_used", "Budget used", None, "%", target="<= 100 %", why_missing=why)
    over = basis.grand_total - plan
    side = "over" if over > 0 else "under"
    said = f"{money(abs(over), basis.currency)} {side} the budget of {money(plan, basis.currency)}."
    return Figure(
        "budget_used", "Budget used", 100 * used, "%", said, "<= 100 %",
        "good" if used <= 1 else "watch" if used <= 1.05 else "bad",
    )  # fmt: skip


def forecast_figure(basis: Basis) -> Figure:
    """Where the month after the period will land."""
    row = next_forecast(basis)
    name = month_name(next_month(basis.start))
    if row is None:
        return Figure(
            "forecast", f"Forecast {name}", None, basis.currency, why_missing="There is no month to forecast from."
        )
    range_ = (
        f"between {money(row['low'], basis.currency)} and {money(row['high'], basis.currency)} in 8 of 10 months"
        if row["low"] is not None
        else "without a range: fewer than four past forecasts to learn an error from"
    )
    months, _ = budget_of_scope(basis)
    plan = months.get(next_month(basis.start))
    status = "plain" if not plan else "good" if row["forecast"] <= float(plan) else "watch"
    target = f"<= {money(plan, basis.currency)}, its budget" if plan else ""
    return Figure(
        "forecast", f"Forecast {name}", round(row["forecast"], 2), basis.currency,
        f"Day-count normalised; {range_}.", target, status,
    )  # fmt: skip


def accuracy_figure(basis: Basis) -> Figure:
    """How accurate last month's forecast of this month was (M4)."""
    hit = period_accuracy(basis)
    if hit is None:
        return Figure(
            "forecast_accuracy", "Forecast accuracy", None, "%", target="> 90 %",
            why_missing="There was no month before this one to forecast it from.",
        )  # fmt: skip
    return Figure(
        "forecast_accuracy", "Forecast accuracy", 100 * hit, "%",
        "This month against the forecast made a month before.",
        "> 90 %", "good" if hit > 0.9 else "watch" if hit > 0.8 else "bad",
    )  # fmt: skip


def _revenue_figure(basis: Basis) -> Figure:
    revenue = revenue_total(basis)
    ratio = share(basis.grand_total, revenue)
    return Figure(
        "cost_per_revenue", "Cost per revenue", None if ratio is None else 100 * ratio, "%",
        "" if ratio is None else f"Of {money(revenue, basis.currency)} revenue.",
        why_missing=""
        if ratio is not None
        else f"No revenue in {basis.currency} is known for {month_name(basis.start)}.",
    )  # fmt: skip


def _maturity_figure(basis: Basis) -> Figure:
    points = maturity_points(basis)
    score = overall(points)
    scored = sum(point.score is not None for point in points)
    if score is None:
        return Figure("maturity", "Maturity", None, "of 100", why_missing="Nothing in the store can be scored yet.")
    return Figure(
        "maturity", "Maturity", score, "of 100",
        f"{level(score).capitalize()}: from evidence for {scored} of {len(points)} capabilities.", ">= 75",
        "good" if score >= 75 else "watch" if score >= 40 else "bad",
    )  # fmt: skip


def _savings_figure(basis: Basis) -> Figure:
    saving = savings(basis)
    if saving is None:
        return Figure(
            "savings_year", "Savings identified", None, basis.currency, why_missing=why_no_recommendations(basis)
        )
    rate = share(saving, basis.grand_total)
    return Figure(
        "savings_year", "Savings identified, a year", saving * 12, basis.currency,
        f"{percent(rate)} of the month's cost, from {len(recommendation_rows(basis))} open recommendations.",
        "5-20 %",
    )  # fmt: skip


def _answer(basis: Basis) -> str:
    moved = share(basis.grand_total - (basis.previous_total or Decimal(0)), basis.previous_total)
    words = [f"We spent {money(basis.grand_total, basis.currency)} in {month_name(basis.start)}"]
    if basis.billed_until:
        words[0] += f" up to {day_name(basis.billed_until)}"
    elif moved is not None:
        words[0] += f", {change(moved)}{' than' if abs(moved) >= 0.0005 else ' as'} the month before"
    months, _ = budget_of_scope(basis)
    plan = months.get(basis.start)
    if plan and not basis.billed_until:
        over = basis.grand_total - plan
        join = "," if moved is None else " and"
        words[0] += f"{join} {money(abs(over), basis.currency)} {'over' if over > 0 else 'under'} budget"
    words[0] += "."
    ahead = None if basis.billed_until else next_forecast(basis)  # a part of a month foretells no whole one
    if ahead:
        words.append(
            f"{month_name(next_month(basis.start))} is forecast at {money(ahead['forecast'], basis.currency)}"
            + (f", at most {money(ahead['high'], basis.currency)}." if ahead["high"] is not None else ".")
        )
    saving = savings(basis)
    if saving:
        words.append(f"{money(saving * 12, basis.currency)} a year can be saved by decisions that are open.")
    return " ".join(words)


def _top_services(basis: Basis) -> ResultTable:
    rows = breakdown_rows(basis, "service_id")[:10]
    return result(
        "top_services", "Top 10 services", "Which ten cost most?", rows,
        ("service_id", "EffectiveCost", "share_pct", "difference", "change_pct"),
        units={"EffectiveCost": basis.currency, "difference": basis.currency, "share_pct": "%", "change_pct": "%"},
        labels=LABELS, empty_because="There are no charges.", measure="effective_cost", trace_by=("service_id",),
        answer=f"{percent(part)} of the total is spent on {count(len(rows), 'service')}." if rows and (
            part := share(sum((row["EffectiveCost"] for row in rows), Decimal(0)), basis.grand_total)) else "",
    )  # fmt: skip


def savings_by_team(basis: Basis) -> list[Row]:
    """What each team's open recommendations save, the largest first."""
    teams: dict[str, Row] = {}
    for row in recommendation_rows(basis):
        name = row["team"] or "unallocated"
        team = teams.setdefault(
            name, {"team": name, "recommendations": 0, "monthly_saving": Decimal(0), "yearly_saving": Decimal(0)}
        )
        team["recommendations"] += 1
        team["monthly_saving"] += row["monthly_saving"]
        team["yearly_saving"] += row["yearly_saving"]
    return sorted(teams.values(), key=lambda row: (-row["monthly_saving"], row["team"]))


def _savings_table(basis: Basis) -> ResultTable:
    rows = savings_by_team(basis)
    return result(
        "savings_by_team", "Savings identified by team", "Who can save how much?", rows,
        ("team", "recommendations", "monthly_saving", "yearly_saving"),
        units={"monthly_saving": basis.currency, "yearly_saving": basis.currency},
        labels={**LABELS, "recommendations": "Open recommendations"}, empty_because=why_no_recommendations(basis),
        answer=f"{rows[0]['team']} can save most, {money(rows[0]['yearly_saving'], basis.currency)} a year."
        if rows else "",
    )  # fmt: skip
