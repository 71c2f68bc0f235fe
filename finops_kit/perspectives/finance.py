"""P3 Finance: where the month lands and why, commitments, the books on premises, and whether the bill reconciles."""

from __future__ import annotations

from decimal import Decimal

import ibis

from finops_kit.perspectives.accrual_tables import (
    accrual_figure,
    completed_total,
    open_month_figures,
    open_month_tables,
    reconciliation_lines,
    reconciliation_steps,
)
from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.closing import changed_months, close_figure, closed_rows, closes_table, rates_not_used
from finops_kit.perspectives.cost import (
    LABELS,
    breakdown,
    budget_lines,
    budget_of_scope,
    budget_rows,
    burndown_table,
    forecast_table,
    next_forecast,
    over_budget,
    share,
    variance_steps,
)
from finops_kit.perspectives.hybrid import home_tables, migration_rows
from finops_kit.perspectives.leadership import accuracy_figure, budget_figure, forecast_figure
from finops_kit.perspectives.outlook import models_table, outlook_figure, range_words
from finops_kit.perspectives.page import page, total_figure
from finops_kit.perspectives.period import next_month
from finops_kit.perspectives.reading import Figure, NextStep, Reading, ResultTable
from finops_kit.perspectives.tables import Row, result
from finops_kit.perspectives.trust import deliveries_table, reconciliation_table
from finops_kit.perspectives.words import change, count, day_name, listed, money, month_name, percent
from finops_kit.value.commitment import commitment_coverage, commitment_use


def read(basis: Basis) -> Reading:
    """The finance page."""
    use = commitment_rows(basis)
    figures = (
        total_figure(basis),
        budget_figure(basis),
        forecast_figure(basis),
        open_month_figures(basis)[0],
        close_figure(basis),
        _reconciled_figure(basis),
        accrual_figure(basis),
        accuracy_figure(basis),
        outlook_figure(basis),
        *open_month_figures(basis)[1:],
        _utilisation_figure(use),
        _coverage_figure(basis),
        _double_run_figure(basis),
    )
    tables = (
        breakdown(basis, "service_id", "cost_by_service", "Cost by service", "Which service costs what?"),
        breakdown(basis, "cost_center", "cost_by_cost_center", "Cost by cost centre", "Who carries it?"),
        burndown_table(basis),
        budget_lines(basis),
        forecast_table(basis),
        models_table(basis),
        variance_steps(basis),
        *open_month_tables(basis),
        reconciliation_steps(basis),
        reconciliation_lines(basis),
        _commitments_table(basis, use),
        _coverage_table(basis),
        _adjustments(basis),
        deliveries_table(basis),
        reconciliation_table(basis),
        closes_table(basis),
        *home_tables(basis),
    )
    return page(
        basis, "finance", _answer(basis), figures, tables, "cost_by_service",
        (
            "The forecast is the model that would have erred least, tried month by month on what was known then; "
            "purchases, taxes and recurring fees are carried as they were. " + range_words(basis),
            "Accrued is never billed: it is made of states and prices known before the month's first bill, and of what "
            "has no state as it was billed before. Completed is billed so far, filled up as past months filled up.",
            *rates_not_used(basis),
        ),
        next_steps(basis),
    )  # fmt: skip


def next_steps(basis: Basis) -> list[NextStep]:
    """What finance is asked for: the close, what changed after one, the accrual, who is over budget, what runs idle."""
    steps = []
    closed = closed_rows(basis)
    if changed := changed_months(closed):
        names = listed([month_name(month) for month in changed])
        steps.append(NextStep(f"Decide on {names}: changed after the sign-off.", "closes"))
    if not basis.billed_until and not any(row["month"] == basis.start for row in closed):
        steps.append(NextStep(f"Check and sign off {month_name(basis.start)}.", "reconciliation",
                              f"finops close --period {basis.start:%Y-%m}"))  # fmt: skip
    accrued = open_month_figures(basis)[0]
    if accrued.key == "open_accrued" and isinstance(accrued.value, Decimal):
        name = accrued.title.partition(",")[0]
        steps.append(NextStep(f"Accrue {money(accrued.value, basis.currency)} for {name}.", "open_month"))
    over = over_budget(budget_rows(basis))
    if over:
        said = [f"{row['service_id']} ({money(row['difference'], basis.currency)} over)" for row in over[:2]]
        steps.append(NextStep(f"Ask the owners of {listed(said)} for the cause.", "budget_by_service"))
    if (idle := idle_commitments(basis)) > 0:
        steps.append(NextStep(f"Use or give back commitments of {money(idle, basis.currency)} a month.", "commitments"))
    return steps


def idle_commitments(basis: Basis) -> Decimal:
    """What the period's commitments cost without being used."""
    return sum((row["unused_cost"] for row in commitment_rows(basis)), Decimal(0))


def commitment_rows(basis: Basis) -> list[Row]:
    """Each commitment's used and unused cost in the period."""
    found: list[Row] = basis.once(
        "commitments",
        lambda b: b.rows(commitment_use(b.now).order_by([ibis.desc("unused_cost"), "CommitmentDiscountId"])),
    )
    return found


def _utilisation_figure(use: list[Row]) -> Figure:
    used = sum((row["used_cost"] for row in use), Decimal(0))
    idle = sum((row["unused_cost"] for row in use), Decimal(0))
    ratio = share(used, used + idle)
    return Figure(
        "commitment_utilisation", "Commitment utilisation", None if ratio is None else 100 * ratio, "%",
        "What was bought and is used.", "> 95 %",
        "plain" if ratio is None else "good" if ratio > 0.95 else "watch" if ratio > 0.8 else "bad",
        "" if ratio is not None else "No charge of the period belongs to a commitment.",
    )  # fmt: skip


def _coverage(basis: Basis) -> list[Row]:
    found: list[Row] = basis.once(
        "coverage", lambda b: b.rows(commitment_coverage(b.now).order_by([ibis.desc("on_demand_list"), "provider"]))
    )
    return found


def _coverage_figure(basis: Basis) -> Figure:
    rows = _coverage(basis)
    covered = sum((row["covered_list"] for row in rows), Decimal(0))
    ratio = share(covered, covered + _on_demand(basis))
    return Figure(
        "commitment_coverage", "Commitment coverage", None if ratio is None else 100 * ratio, "%",
        "Compute under a commitment, at list price.", "70-80 %",
        "plain" if ratio is None else "good" if ratio >= 0.7 else "watch",
        "" if ratio is not None else "No compute of the period could be covered by a commitment.",
    )  # fmt: skip


def _reconciled_figure(basis: Basis) -> Figure:
    table = reconciliation_table(basis)
    if not len(table.frame):
        return Figure("reconciled", "Reconciled to the bill", None, "", why_missing=table.empty_because)
    off = [row for row in table.frame["difference"] if row != 0]
    return Figure(
        "reconciled", "Reconciled to the bill",
        "yes, exactly" if not off else f"no: {len(off)} of {len(table.frame)} differ",
        "", f"{len(table.frame)} current deliveries of the billing month, file against store.", "no difference",
        "good" if not off else "bad",
    )  # fmt: skip


def _double_run_figure(basis: Basis) -> Figure:
    rows = migration_rows(basis)
    if not rows:
        return Figure(
            "double_run", "Double run so far", None, basis.currency,
            why_missing="No service is seen moving from a data centre to the cloud.",
        )  # fmt: skip
    names = sorted({row["service_id"] for row in rows})
    total = sum((row["double_run"] for row in rows), Decimal(0))
    return Figure(
        "double_run", "Double run so far", total, basis.currency,
        f"On-premises cost of {', '.join(names)} since the cloud went live.", status="watch",
    )  # fmt: skip


def _answer(basis: Basis) -> str:
    moved = share(basis.grand_total - (basis.previous_total or Decimal(0)), basis.previous_total)
    months, _ = budget_of_scope(basis)
    plan = months.get(basis.start)
    words = [f"{month_name(basis.start)} came to {money(basis.grand_total, basis.currency)}"]
    if basis.billed_until:
        words[0] += f" up to {day_name(basis.billed_until)}"
        if plan:
            words[0] += f", {percent(share(basis.grand_total, plan))} of its budget of {money(plan, basis.currency)}"
    elif plan:
        over = basis.grand_total - plan
        side = "over" if over > 0 else "under"
        words[0] += f", {money(abs(over), basis.currency)} {side} the budget of {money(plan, basis.currency)}"
    elif moved is not None:
        words[0] += f", {change(moved)}{' than' if abs(moved) >= 0.0005 else ' as'} the month before"
    words[0] += "."
    ahead = None if basis.billed_until else next_forecast(basis)  # a part of a month foretells no whole one
    if ahead:
        text = f"{month_name(next_month(basis.start))} will land at about {money(ahead['forecast'], basis.currency)}"
        if ahead["low"] is not None:
            text += f" ({money(ahead['low'], basis.currency)} to {money(ahead['high'], basis.currency)})"
        next_plan = months.get(next_month(basis.start))
        if next_plan:
            gap = ahead["forecast"] - float(next_plan)
            text += f", {money(abs(gap), basis.currency)} {'over' if gap > 0 else 'under'} its budget"
        words.append(text + ".")
        completed = completed_total(basis, next_month(basis.start))
        if completed is not None:
            words.append(f"Its bills so far come to {money(completed, basis.currency)} when completed.")
    if (idle := idle_commitments(basis)) > 0:
        words.append(f"Commitments worth {money(idle, basis.currency)} ran idle.")
    return " ".join(words)


def _commitments_table(basis: Basis, use: list[Row]) -> ResultTable:
    return result(
        "commitments", "Commitments", "Which are used, and which run idle?", use,
        ("provider", "CommitmentDiscountId", "CommitmentDiscountName", "CommitmentDiscountType", "used_cost",
         "unused_cost", "utilisation_pct"),
        units={"used_cost": basis.currency, "unused_cost": basis.currency, "utilisation_pct": "%"},
        labels={**LABELS, "CommitmentDiscountId": "Commitment", "CommitmentDiscountName": "Name",
                "CommitmentDiscountType": "Kind", "used_cost": "Used", "unused_cost": "Idle",
                "utilisation_pct": "Utilisation"},
        empty_because="No charge of the period belongs to a commitment.", measure="commitment_unused_cost",
        trace_by=("CommitmentDiscountId",),
        answer=f"{money(idle_commitments(basis), basis.currency)} of {count(len(use), 'commitment')} ran idle."
        if idle_commitments(basis) > 0 else "Nothing of a commitment ran idle.",
    )  # fmt: skip


def _on_demand(basis: Basis) -> Decimal:
    return sum((row["on_demand_list"] for row in _coverage(basis)), Decimal(0))


def _coverage_table(basis: Basis) -> ResultTable:
    return result(
        "coverage", "Commitment coverage by provider", "How much compute still runs on demand?", _coverage(basis),
        ("provider", "covered_list", "on_demand_list", "coverage_pct", "savings_rate_pct"),
        units={"covered_list": basis.currency, "on_demand_list": basis.currency, "coverage_pct": "%",
               "savings_rate_pct": "%"},
        labels={**LABELS, "covered_list": "Covered, at list", "on_demand_list": "On demand, at list",
                "coverage_pct": "Coverage", "savings_rate_pct": "Effective savings rate"},
        empty_because="No compute of the period could be covered by a commitment.",
        answer=f"Compute of {money(_on_demand(basis), basis.currency)}, at list price, runs on demand.",
    )  # fmt: skip


def _adjustments(basis: Basis) -> ResultTable:
    now = basis.recent
    late = now.BillingPeriodStart.date() > now.month
    kind = ibis.cases(
        ((now.ChargeClass == "Correction").fill_null(False), "Correction of an earlier period"),
        (late.fill_null(False), "Late line: billed in a later month than it was used"),
        (now.ChargeCategory == "Credit", "Credit"),
        (now.ChargeCategory == "Tax", "Tax"),
        (now.ChargeCategory == "Adjustment", "Adjustment"),
        else_="",
    )
    rows = now.mutate(kind=kind)
    rows = rows.filter(rows.kind != "")
    sums = rows.group_by(["kind", "month", "provider"]).agg(
        billed_in=rows.BillingPeriodStart.max().date(), EffectiveCost=rows.EffectiveCost.sum().fill_null(0),
        charges=rows.count(),
    )  # fmt: skip
    found = basis.rows(sums.order_by(["kind", sums.month.desc(), "provider"]))
    mine = sum((row["EffectiveCost"] for row in found if row["month"] == basis.start), Decimal(0))
    return result(
        "adjustments", "Corrections, late lines, credits and taxes", "What moved the books besides usage?", found,
        ("kind", "month", "billed_in", "provider", "EffectiveCost", "charges"),
        units={"EffectiveCost": basis.currency},
        labels={**LABELS, "kind": "Kind", "billed_in": "Billed in", "charges": "Charges"},
        answer=f"{money(mine, basis.currency)} of {month_name(basis.start)} is no usage of that month."
        if mine else f"Nothing of {month_name(basis.start)} is a correction, late, a credit or a tax.",
        empty_because="There are no corrections, late lines, credits or taxes in the period and the two months before.",
    )  # fmt: skip
