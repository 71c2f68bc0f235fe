"""P6 FinOps practitioner: whether the whole is in order, what is open, and what the cadence asks for."""

from __future__ import annotations

from decimal import Decimal

from finops_kit.decide.maturity import level, overall
from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.cost import LABELS, breakdown, budget_of_scope, share, trend, unallocated_share
from finops_kit.perspectives.finance import commitment_rows
from finops_kit.perspectives.leadership import accuracy_figure
from finops_kit.perspectives.operations import (
    anomalies_table,
    anomaly_count,
    recommendation_rows,
    recommendations_table,
    savings,
)
from finops_kit.perspectives.page import page, total_figure, unallocated_figure
from finops_kit.perspectives.quantities import unknown_units_table
from finops_kit.perspectives.reading import Figure, NextStep, Reading, ResultTable
from finops_kit.perspectives.sources import gaps_table
from finops_kit.perspectives.tables import Row, result
from finops_kit.perspectives.tagging import readiness_table, tag_conflicts_table, tagged_figure, tags_to_fix_table
from finops_kit.perspectives.trust import (
    bill_age_hours,
    data_ages,
    deliveries_table,
    maturity_points,
    maturity_table,
    quarantine_table,
    reconciliation_table,
)
from finops_kit.perspectives.words import count, listed, money, percent

#: bills older than this are late
LATE_HOURS = 48


def read(basis: Basis) -> Reading:
    """The practitioner page."""
    points = maturity_points(basis)
    score = overall(points)
    held = int(quarantine_table(basis).frame["rows"].sum()) if len(quarantine_table(basis).frame) else 0
    age = bill_age_hours(basis)
    spikes = anomaly_count(basis)
    figures = (
        total_figure(basis),
        unallocated_figure(basis),
        tagged_figure(basis),
        Figure(
            "bill_age", "Age of the newest charge", None if age is None else round(age / 24, 1), "days",
            "At the time of the store version that is read.", "< 2 days",
            "plain" if age is None else "good" if age <= LATE_HOURS else "watch" if age <= 24 * 7 else "bad",
            "" if age is not None else "No bill has been delivered.",
        ),
        Figure(
            "quarantined", "Rows in quarantine", held, "rows", "Delivered and kept, but in no figure.", "0",
            "good" if held == 0 else "watch",
        ),
        accuracy_figure(basis),
        Figure(
            "anomalies", "Spikes", spikes, "", "Found in the period.", "< 2",
            "plain" if spikes is None else "good" if spikes < 2 else "watch" if spikes < 4 else "bad",
            "" if spikes is not None else "There are fewer than ten days of history.",
        ),
        Figure(
            "open_recommendations", "Open recommendations", len(recommendation_rows(basis)), "",
            f"Worth {money(savings(basis) or Decimal(0), basis.currency)} a month.",
        ),
        Figure(
            "maturity", "Maturity", score, "of 100",
            "" if score is None else f"{level(score).capitalize()}, from evidence.", ">= 75",
            "plain" if score is None else "good" if score >= 75 else "watch" if score >= 40 else "bad",
            "" if score is not None else "Nothing in the store can be scored yet.",
        ),
    )  # fmt: skip
    tables = (
        breakdown(basis, "service_id", "cost_by_service", "Cost by service", "Is every cost owned?"),
        trend(basis),
        readiness_table(basis, "SubAccountId"),
        readiness_table(basis, "team"),
        tags_to_fix_table(basis),
        tag_conflicts_table(basis),
        anomalies_table(basis),
        _freshness_table(basis),
        quarantine_table(basis),
        deliveries_table(basis),
        reconciliation_table(basis),
        gaps_table(basis),
        unknown_units_table(basis),
        recommendations_table(basis),
        maturity_table(basis),
        _cadence_table(basis),
    )
    return page(
        basis, "practitioner", _answer(basis, held), figures, tables, "cost_by_service",
        next_steps=_next_steps(basis, held, age),
    )  # fmt: skip


def _next_steps(basis: Basis, held: int, age: float | None) -> list[NextStep]:
    """What the practice is asked for: late bills, refused rows, the first tag to add, what waits for an owner."""
    steps = []
    if age is not None and age > LATE_HOURS:
        steps.append(NextStep(f"Ask for bills: the newest charge is {age / 24:.0f} days old.", "freshness"))
    if held:
        steps.append(NextStep(f"Have {count(held, 'refused row')} mended and delivered again.", "quarantine"))
    fix = tags_to_fix_table(basis).frame
    if len(fix):
        first = fix.iloc[0]
        steps.append(NextStep(f"Tag {first['what']}: {money(first['EffectiveCost'], basis.currency)} lack "
                              f"required tags ({first['missing']}).", "tags_to_fix"))  # fmt: skip
    if waiting := recommendation_rows(basis):
        worth = money(savings(basis), basis.currency)
        steps.append(NextStep(f"Hand {count(len(waiting), 'recommendation')} worth {worth} a month to their owners.",
                              "recommendations"))  # fmt: skip
    return steps


def _answer(basis: Basis, held: int) -> str:
    ratio, why = unallocated_share(basis)
    total = money(basis.grand_total, basis.currency)
    verdict = "within" if ratio is not None and ratio < 0.05 else "above"
    words = [f"{percent(ratio)} of {total} has no owner, {verdict} the target of 5 %." if ratio is not None else why]
    waiting = []
    if recommendation_rows(basis):
        worth = money(savings(basis), basis.currency)
        waiting.append(f"{count(len(recommendation_rows(basis)), 'recommendation')} worth {worth} a month")
    if spikes := anomaly_count(basis):
        waiting.append(count(spikes, "spike"))
    words.append(
        f"Waiting for somebody: {listed(waiting)}."
        if waiting
        else "No recommendation and no spike waits for a decision."
    )
    if held:
        words.append(
            f"{count(held, 'delivered row')} could not be stored and wait{'s' if held == 1 else ''} in quarantine."
        )
    return " ".join(words)


def _freshness_table(basis: Basis) -> ResultTable:
    rows: list[Row] = [
        {"source_system": age.source_system, "covers_until": age.covers_until, "recorded_at": age.recorded_at,
         "age_days": None if age.age_hours is None else round(age.age_hours / 24, 1)}
        for age in data_ages(basis)
    ]  # fmt: skip
    known = [row for row in rows if row["age_days"] is not None]
    oldest = max(known, key=lambda row: row["age_days"], default=None)
    return result(
        "freshness", "Freshness by source", "How old is what we know?", rows,
        ("source_system", "covers_until", "recorded_at", "age_days"), units={"age_days": "days"},
        labels={"source_system": "Source", "covers_until": "Covers until", "recorded_at": "Known since",
                "age_days": "Age"},
        empty_because="Nothing has been delivered yet.",
        answer=f"{oldest['source_system']} is oldest, {oldest['age_days']:.0f} days." if oldest else "",
    )  # fmt: skip


def _cadence_table(basis: Basis) -> ResultTable:
    months, why = budget_of_scope(basis)
    plan = months.get(basis.start)
    used = share(basis.grand_total, plan)
    ratio, why_ratio = unallocated_share(basis)
    differs = [value for value in reconciliation_table(basis).frame.get("difference", []) if value != 0]
    idle = sum((row["unused_cost"] for row in commitment_rows(basis)), Decimal(0))
    spikes = anomaly_count(basis)
    steps: list[tuple[str, str, str, bool | None]] = [
        ("weekly", "Burn review", f"{percent(used)} of the budget used" if used is not None else why,
         None if used is None else used <= 1),
        ("weekly", "Anomalies explained", "too little history" if spikes is None else count(spikes, "spike"),
         None if spikes is None else spikes == 0),
        ("weekly", "Recommendations handed to their owners", count(len(recommendation_rows(basis)), "open one"),
         not recommendation_rows(basis)),
        ("monthly", "Bills reconciled", "every delivery ties" if not differs else f"{len(differs)} differ",
         not differs),
        ("monthly", "Unallocated below 5 %", why_ratio or percent(ratio), None if ratio is None else ratio < 0.05),
        ("monthly", "Forecast accuracy noted", str(accuracy_figure(basis).why_missing or "noted"),
         accuracy_figure(basis).value is not None or None),
        ("quarterly", "Commitments and contracts reviewed", f"{money(idle, basis.currency)} idle in the month",
         idle == 0),
    ]  # fmt: skip
    rows = [
        {"cadence": cadence, "step": step, "evidence": evidence,
         "done": "cannot be said" if done is None else "in order" if done else "to do"}
        for cadence, step, evidence, done in steps
    ]  # fmt: skip
    open_ = [step[:1].lower() + step[1:] for _, step, _, done in steps if done is False]
    return result(
        "cadence", "Cadence", "What do this week, this month and this quarter ask for?", rows,
        ("cadence", "step", "evidence", "done"),
        labels={**LABELS, "cadence": "Rhythm", "step": "Step", "evidence": "Evidence", "done": "State"},
        answer=f"{len(open_)} of {len(rows)} steps {'is' if len(open_) == 1 else 'are'} to do: {listed(open_)}."
        if open_ else "Every step is in order.",
    )  # fmt: skip
