"""Blocks that several pages share: who spends, the trend, the budget, the forecast, the difference to last month."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import ibis

from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.forecasting import forecast_lines
from finops_kit.perspectives.period import next_month
from finops_kit.perspectives.reading import ResultTable
from finops_kit.perspectives.tables import Row, result
from finops_kit.perspectives.words import change, count, day_name, listed, money, month_name, percent, signed
from finops_kit.value.budget import budget_for, burndown
from finops_kit.value.forecast import accuracy
from finops_kit.value.variance import between, price_volume_mix, sku_periods

LABELS = {
    "service_id": "Service", "team": "Team", "product": "Product", "tenant": "Tenant", "provider": "Provider",
    "business_unit": "Business unit", "cost_center": "Cost centre", "environment": "Environment",
    "EffectiveCost": "Effective cost", "before": "Month before", "difference": "Difference", "change_pct": "Change",
    "share_pct": "Share", "ServiceName": "Provider's service", "month": "Month", "BilledCost": "Billed cost",
    "budget": "Budget", "used_pct": "Used", "forecast": "Forecast", "low": "Low", "high": "High", "actual": "Actual",
    "charge_date": "Day", "why": "Why", "monthly_saving": "Saving a month", "yearly_saving": "Saving a year",
}  # fmt: skip


def share(part: Any, whole: Any) -> float | None:
    """Part over whole as a float; None where the whole is nothing.

    Example
    -------
    >>> share(1, 4), share(1, 0), share(None, 2)
    (0.25, None, None)
    """
    return None if part is None or not whole else float(part) / float(whole)


def unallocated_share(basis: Basis) -> tuple[float | None, str]:
    """Cost without an owner over total cost (M3), or why the quotient would say nothing.

    Credits are negative cost: where those that nobody owns outweigh the rest, a share of the total is no share.
    """
    orphan, total = basis.totals["unallocated"], basis.grand_total
    if total <= 0:
        return None, "There is no cost in the period to take a share of."
    if orphan < 0:
        amount = money(orphan, basis.currency)
        return None, f"Credits that no service owns outweigh the cost that no service owns ({amount})."
    return float(orphan) / float(total), ""


def breakdown(basis: Basis, dimension: str, key: str, title: str, question: str) -> ResultTable:
    """Cost of the period by one dimension beside the month before; its rows sum to the grand total.

    Charges without a member stand under ``unallocated``. The largest come first.
    """
    rows = breakdown_rows(basis, dimension)
    units = {
        "EffectiveCost": basis.currency, "before": basis.currency, "difference": basis.currency,
        "change_pct": "%", "share_pct": "%",
    }  # fmt: skip
    return result(
        key, title, question, rows, (dimension, "EffectiveCost", "share_pct", "before", "difference", "change_pct"),
        units=units, labels=LABELS, empty_because=no_charges(basis), measure="effective_cost", trace_by=(dimension,),
        answer=_largest_and_mover(basis, dimension, rows),
    )  # fmt: skip


def _largest_and_mover(basis: Basis, dimension: str, rows: list[Row]) -> str:
    """Who costs most, and who moved most against the month before."""
    if len(rows) < 2 or rows[0]["share_pct"] is None:
        return ""
    first = rows[0]
    said = f"{first[dimension]} costs most: {percent(first['share_pct'] / 100)} of the total"
    moved = max(rows, key=lambda row: abs(row["difference"] or Decimal(0)))
    if basis.previous_total is not None and not basis.billed_until and abs(moved["difference"] or Decimal(0)) >= 1:
        who = "it also" if moved is first else moved[dimension]
        said += f"; {who} moved most, by {signed(moved['difference'], basis.currency)}"
    return f"{said}."


def breakdown_rows(basis: Basis, dimension: str) -> list[Row]:
    """Cost of the period by one dimension, the largest first, ``unallocated`` among them."""
    found: list[Row] = basis.once(f"breakdown:{dimension}", lambda b: _breakdown(b, dimension))
    return found


def _breakdown(basis: Basis, dimension: str) -> list[Row]:
    both = between(basis.recent, [dimension], str(basis.before), str(basis.start)).rename(EffectiveCost="after")
    rows = basis.rows(both.order_by([both.EffectiveCost.desc(), dimension]))
    total = basis.grand_total
    for row in rows:
        row["share_pct"] = None if not total else 100 * float(row["EffectiveCost"]) / float(total)
    return rows


def no_charges(basis: Basis) -> str:
    """Why a cost table is empty."""
    where = f" in the scope {basis.scope}" if basis.scope else ""
    return f"The store holds no charges for {basis.start:%B %Y}{where} at this version."


def trend(basis: Basis) -> ResultTable:
    """Cost by month, as far back as the store goes, up to two years."""
    return result(
        "trend", "Cost by month", "How did it develop?", basis.monthly, ("month", "EffectiveCost", "BilledCost"),
        units={"EffectiveCost": basis.currency, "BilledCost": basis.currency}, labels=LABELS,
        empty_because=no_charges(basis), measure="effective_cost", trace_by=("month",), answer=_since_a_year(basis),
    )  # fmt: skip


def _since_a_year(basis: Basis) -> str:
    """The total against the same month a year ago, or against the first month known."""
    known = {row["month"]: row["EffectiveCost"] for row in basis.monthly}
    then = next_month(basis.start, -12)
    then = then if then in known else min(known, default=basis.start)
    if then >= basis.start or not known.get(then) or basis.billed_until:
        return ""
    moved = change(share(basis.grand_total - known[then], known[then]))
    now = f"{money(basis.grand_total, basis.currency)} in {month_name(basis.start)}"
    return f"{now}, {moved} {'as' if moved == 'the same' else 'than'} in {month_name(then)}."


def trend_by_provider(basis: Basis) -> ResultTable:
    """Cost by month and provider, data centres among them."""
    cube = basis.cube
    sums = cube.group_by(["month", "provider"]).agg(EffectiveCost=cube.EffectiveCost.sum().fill_null(0))
    known = breakdown_rows(basis, "provider")
    own = sum((row["EffectiveCost"] for row in known if row["provider"] in basis.on_premises), Decimal(0))
    house = share(own, basis.grand_total)
    return result(
        "trend_by_provider", "Cost by month and provider", "Where is it spent, on premises and in the cloud?",
        basis.rows(sums.order_by(["month", "provider"])), ("month", "provider", "EffectiveCost"),
        units={"EffectiveCost": basis.currency}, labels=LABELS, empty_because=no_charges(basis),
        measure="effective_cost", trace_by=("month", "provider"),
        answer=f"{percent(house)} of {month_name(basis.start)} is spent on premises." if own else _since_a_year(basis),
    )  # fmt: skip


# budget


def budget_of_scope(basis: Basis) -> tuple[dict[date, Decimal], str]:
    """The budget of the reading's scope by month, and why there is none where there is none."""
    found: tuple[dict[date, Decimal], str] = basis.once("budget", _budget_of_scope)
    return found


def _budget_of_scope(basis: Basis) -> tuple[dict[date, Decimal], str]:
    budget = basis.table("budget")
    if not basis.members:
        totals = basis.rows(budget_for(budget, "total", basis.currency))
        if not totals:
            totals = basis.rows(budget_for(budget, "service_id", basis.currency))
    else:
        column, members = next(iter(basis.members.items()))
        if len(basis.members) > 1:
            return {}, "Budgets are kept for one dimension at a time; this scope narrows several."
        rows = budget_for(budget, column, basis.currency)
        totals = basis.rows(rows.filter(rows.member.isin(members)))
    by_month: dict[date, Decimal] = {}
    for row in totals:
        by_month[row["month"]] = by_month.get(row["month"], Decimal(0)) + row["budget"]
    if by_month:
        return by_month, f"No budget is known for {basis.start:%B %Y}."
    return {}, f"No budget in {basis.currency} has been delivered for this scope; deliver one with `finops ingest`."


def budget_rows(basis: Basis) -> list[Row]:
    """Budget and actual of every service in the period, the furthest over its budget first."""
    found: list[Row] = basis.once("budget_by_service", _budget_rows)
    return found


def _budget_rows(basis: Basis) -> list[Row]:
    budget = budget_for(basis.table("budget"), "service_id", basis.currency)
    known = {
        row["member"]: row["budget"] for row in basis.rows(budget.filter(budget.month == ibis.date(str(basis.start))))
    }
    rows: list[Row] = []
    for row in breakdown_rows(basis, "service_id"):
        plan = known.pop(row["service_id"], None)
        rows.append(
            {
                "service_id": row["service_id"], "EffectiveCost": row["EffectiveCost"], "budget": plan,
                "difference": None if plan is None else row["EffectiveCost"] - plan,
                "used_pct": None if not plan else 100 * float(row["EffectiveCost"]) / float(plan),
                "budget_why": "" if plan is not None else "no budget delivered",
            }
        )  # fmt: skip
    if not basis.members:
        rows += [
            {"service_id": name, "EffectiveCost": Decimal(0), "budget": plan, "difference": -plan, "used_pct": 0.0}
            for name, plan in sorted(known.items())
        ]
    return sorted(rows, key=lambda row: (row["difference"] is None, -(row["difference"] or 0), row["service_id"]))


def budget_lines(basis: Basis) -> ResultTable:
    """Budget against actual by service in the period."""
    rows = budget_rows(basis)
    some = any(row["budget"] is not None for row in rows)
    return result(
        "budget_by_service", "Budget and actual by service", "Who is over budget?", rows if some else [],
        ("service_id", "EffectiveCost", "budget", "difference", "used_pct"),
        units={"EffectiveCost": basis.currency, "budget": basis.currency, "difference": basis.currency,
               "used_pct": "%"},
        labels=LABELS, empty_because=f"No budget by service in {basis.currency} is known for {basis.start:%B %Y}.",
        measure="effective_cost", trace_by=("service_id",), answer=_over_budget_words(basis, rows),
    )  # fmt: skip


def over_budget(rows: list[Row]) -> list[Row]:
    """The services that cost more than their budget, the furthest over first."""
    over = [row for row in rows if row["difference"] is not None and row["difference"] > 0]
    return sorted(over, key=lambda row: (-row["difference"], row["service_id"]))


def _over_budget_words(basis: Basis, rows: list[Row]) -> str:
    over, planned = over_budget(rows), sum(row["budget"] is not None for row in rows)
    if not over:
        return "Every service with a budget is within it" + (" so far." if basis.billed_until else ".")
    whole = money(sum((row["difference"] for row in over), Decimal(0)), basis.currency)
    worst = over[0]
    if len(over) == 1:
        return f"1 of {count(planned, 'service')} is over budget: {worst['service_id']}, by {whole}."
    return (
        f"{len(over)} of {planned} services are over budget, by {whole} together; {worst['service_id']} most, "
        f"by {money(worst['difference'], basis.currency)}."
    )


def burndown_table(basis: Basis) -> ResultTable:
    """Spend by day against the even pace of the month's budget."""
    months, why = budget_of_scope(basis)
    plan = months.get(basis.start)
    rows: list[Row] = []
    if plan:
        now = basis.now
        daily = now.group_by("charge_date").agg(EffectiveCost=now.EffectiveCost.sum().fill_null(0))
        rows = basis.rows(burndown(daily, ibis.literal(plan, "decimal(38,24)"), basis.days).order_by("charge_date"))
    return result(
        "burndown", "Budget burndown", "How fast is the month's budget used?", rows,
        ("charge_date", "EffectiveCost", "spent", "pace", "left"),
        units=dict.fromkeys(("EffectiveCost", "spent", "pace", "left"), basis.currency),
        labels={**LABELS, "spent": "Spent so far", "pace": "Even pace of the budget", "left": "Left"},
        empty_because=why or no_charges(basis),
        answer=f"{percent(share(basis.grand_total, plan))} of the budget of {money(plan, basis.currency)} is used by "
        f"{day_name(rows[-1]['charge_date'])}." if rows else "",
    )  # fmt: skip


# forecast


def forecast_rows(basis: Basis) -> list[Row]:
    """Each month beside the forecast made for it the month before, the month ahead last."""
    found: list[Row] = basis.once("forecast", _forecast_rows)
    return found


def _forecast_rows(basis: Basis) -> list[Row]:
    if not basis.monthly:
        return []
    rows = forecast_lines(basis)
    months, _ = budget_of_scope(basis)
    for row in rows:
        plan = months.get(row["month"])
        row["budget"] = plan
        hit = (
            None
            if row["actual"] is None or row["forecast"] is None
            else accuracy(float(row["actual"]), row["forecast"])
        )
        row["accuracy_pct"] = None if hit is None else 100 * hit
    return rows


def forecast_table(basis: Basis) -> ResultTable:
    """Actual, forecast with its range, and budget by month."""
    units = dict.fromkeys(("actual", "forecast", "low", "high", "budget"), basis.currency)
    return result(
        "forecast", "Forecast, day-count normalised", "Where will next month land?", forecast_rows(basis),
        ("month", "actual", "forecast", "low", "high", "budget", "accuracy_pct", "model"),
        units={**units, "accuracy_pct": "%"}, labels={**LABELS, "accuracy_pct": "Accuracy", "model": "Model"},
        empty_because=no_charges(basis), answer=_forecast_words(basis),
    )  # fmt: skip


def _forecast_words(basis: Basis) -> str:
    ahead = next_forecast(basis)
    if ahead is None or basis.billed_until:
        return ""
    said = f"{month_name(ahead['month'])} will land at about {money(ahead['forecast'], basis.currency)}"
    if ahead["low"] is not None:
        said += f", in 8 of 10 months between {money(ahead['low'], basis.currency)} and "
        said += money(ahead["high"], basis.currency)
    return f"{said}."


def next_forecast(basis: Basis) -> Row | None:
    """The forecast of the month after the period; None without history."""
    ahead = next_month(basis.start)
    return next((row for row in forecast_rows(basis) if row["month"] == ahead and row["forecast"] is not None), None)


def period_accuracy(basis: Basis) -> float | None:
    """How accurate the forecast for this period was, made a month before (M4); None where there was none."""
    row = next((row for row in forecast_rows(basis) if row["month"] == basis.start), None)
    return None if row is None or row["accuracy_pct"] is None else row["accuracy_pct"] / 100


# difference to the month before


def variance_steps(basis: Basis) -> ResultTable:
    """From last month's total to this month's: price, volume, mix, what is new and gone, and all that has no price."""
    rows: list[Row] = []
    if basis.previous_total is not None and basis.totals["charges"]:
        parts = price_volume_mix(sku_periods(basis.recent, str(basis.before), str(basis.start)))
        sums = basis.rows(parts.agg(**{name: parts[name].sum().fill_null(0) for name in _STEPS}))[0]
        explained = sum((sums[name] for name in _STEPS), Decimal(0))
        whole = basis.grand_total - basis.previous_total
        steps = [(text, sums[name]) for name, text in _STEPS.items()]
        steps.append(("No unit price: fees, taxes, credits", whole - explained))
        rows = [{"step": f"{basis.before:%B %Y}", "amount": basis.previous_total, "total": True}]
        rows += [{"step": text, "amount": amount, "total": False} for text, amount in steps]
        rows.append({"step": f"{basis.start:%B %Y}", "amount": basis.grand_total, "total": True})
    return result(
        "variance", "Why this month is not last month", "Price, volume or mix?", rows, ("step", "amount", "total"),
        units={"amount": basis.currency}, labels={"step": "Step", "amount": "Amount", "total": "Is a total"},
        empty_because=f"There are no charges for {basis.before:%B %Y} to compare with.",
        answer=_variance_words(basis, rows),
    )  # fmt: skip


def _variance_words(basis: Basis, rows: list[Row]) -> str:
    """The whole difference, and the two steps that made most of it."""
    if not rows or basis.billed_until:
        return ""
    whole = rows[-1]["amount"] - rows[0]["amount"]
    steps = sorted(rows[1:-1], key=lambda row: -abs(row["amount"]))[:2]
    named = [f"{row['step'].partition(':')[0].lower()} {signed(row['amount'], basis.currency)}" for row in steps
             if abs(row["amount"]) >= 1]  # fmt: skip
    said = f"{signed(whole, basis.currency)} against {month_name(basis.before)}"
    return f"{said}: {listed(named)}." if named else f"{said}."


_STEPS = {
    "price": "Price: same units, another price",
    "volume": "Volume: more or fewer units",
    "mix": "Mix: other units than before",
    "entered": "New items",
    "left": "Items no longer used",
}
