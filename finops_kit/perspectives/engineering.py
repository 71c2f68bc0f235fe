"""P1 Engineering: the exact resources to fix, priced from the bill, what changed, and where capacity is idle."""

from __future__ import annotations

from decimal import Decimal

from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.cost import LABELS, breakdown, no_charges, share
from finops_kit.perspectives.operations import (
    anomalies_table,
    anomaly_count,
    anomaly_rows,
    cluster_table,
    recommendation_rows,
    recommendations_table,
    savings,
    scaling_table,
    spike_words,
    top_resources,
    why_no_recommendations,
)
from finops_kit.perspectives.page import page, total_figure, unallocated_figure
from finops_kit.perspectives.reading import Figure, NextStep, Reading, ResultTable
from finops_kit.perspectives.tables import result
from finops_kit.perspectives.words import count, day_name, money, month_name
from finops_kit.value.allocation import total_by

#: more of a cluster than this, in per cent, should be asked for by somebody
IDLE_PCT = 30


def read(basis: Basis) -> Reading:
    """The engineering page."""
    found = recommendation_rows(basis)
    saving = savings(basis)
    spikes = anomaly_count(basis)
    idle, why_idle = _idle_share(basis)
    figures = (
        total_figure(basis),
        Figure(
            "savings", "Savings to take", saving, basis.currency, "A month, from disks and machines nobody needs.",
            why_missing="" if saving is not None else why_no_recommendations(basis),
            status="plain" if not found else "watch",
        ),
        Figure(
            "resources_to_fix", "Resources to fix", len(found) if saving is not None else None, "",
            "Each with the command that acts on it; nothing is executed from here.",
            why_missing="" if saving is not None else why_no_recommendations(basis),
        ),
        Figure(
            "anomalies", "Spikes", spikes, "", "Days out of their pattern, merged into events.", "< 2",
            "plain" if spikes is None else "good" if spikes < 2 else "watch" if spikes < 4 else "bad",
            why_missing="" if spikes is not None else "There are fewer than ten days of history.",
        ),
        Figure(
            "cluster_idle", "Cluster capacity nobody asked for", idle, "%", "Processors and memory, by requests.",
            f"< {IDLE_PCT} %",
            "plain" if idle is None else "good" if idle < IDLE_PCT else "watch" if idle < 60 else "bad", why_idle,
        ),
        unallocated_figure(basis),
    )  # fmt: skip
    tables = (
        recommendations_table(basis),
        breakdown(basis, "service_id", "cost_by_service", "Cost by service", "Which service costs what?"),
        top_resources(basis),
        _by_provider_service(basis),
        _by_namespace(basis),
        anomalies_table(basis),
        cluster_table(basis),
        scaling_table(basis),
    )
    return page(
        basis, "engineering", _answer(basis), figures, tables, "cost_by_service", next_steps=_next_steps(basis, idle)
    )


def _next_steps(basis: Basis, idle: float | None) -> list[NextStep]:
    """What engineering is asked for: the dearest waste, the cause of a spike, capacity that nobody asked for."""
    steps = [
        NextStep(f"{row['what']} {row['resource_name'] or row['resource_id']} of {row['team'] or 'nobody'}: "
                 f"{money(row['monthly_saving'], basis.currency)} a month.", "recommendations", row["command"] or "")
        for row in recommendation_rows(basis)[:2]
    ]  # fmt: skip
    spikes = [row for row in anomaly_rows(basis) if row["direction"] == "spike"]
    if spikes:
        steps.append(NextStep(f"Find the cause: {spike_words(basis, spikes[0])}", "anomalies"))
    if idle is not None and idle >= IDLE_PCT:
        steps.append(NextStep(f"Take nodes out of the clusters: {idle:.0f} % of their capacity nobody asked for.",
                              "kubernetes"))  # fmt: skip
    return steps


def _answer(basis: Basis) -> str:
    found = recommendation_rows(basis)
    words = []
    if found:
        saving = sum((row["monthly_saving"] for row in found), Decimal(0))
        disks = sum(row["what"] == "Delete orphaned disk" for row in found)
        kinds = " and ".join(
            text
            for text, number in (
                (count(disks, "orphaned disk"), disks),
                (count(len(found) - disks, "idle machine"), len(found) - disks),
            )
            if number
        )
        first = found[0]
        name, part = first["resource_name"] or first["resource_id"], money(first["monthly_saving"], basis.currency)
        most = f"; the largest is {name} with {part}" if len(found) > 1 else f": {name}"
        words.append(f"Removing {kinds} saves {money(saving, basis.currency)} a month{most}.")
    else:
        words.append(
            f"{month_name(basis.start)} cost {money(basis.grand_total, basis.currency)}. "
            + why_no_recommendations(basis)
        )
    spikes = [row for row in anomaly_rows(basis) if row["direction"] == "spike"]
    if spikes:
        top = spikes[0]
        root = f", driven by {top['root_resource']}" if top["root_resource"] else ""
        words.append(
            f"Look first at {top['service_id']} on {top['provider']} from {day_name(top['starts_on'])}: "
            f"{money(top['impact'], basis.currency)} above its pattern{root}."
        )
    return " ".join(words)


def _idle_share(basis: Basis) -> tuple[float | None, str]:
    frame = cluster_table(basis)
    rows = frame.frame
    if not len(rows):
        return None, frame.empty_because
    idle = rows[rows["namespace"] == "idle"]
    parts = [(v + m) / 2 for v, m in zip(idle["vcpu_share_pct"], idle["memory_share_pct"], strict=True)]
    return (sum(parts) / len(parts), "") if parts else (None, "No cluster has an idle share.")


def _by_provider_service(basis: Basis) -> ResultTable:
    now = basis.now
    sums = total_by(now, ["provider", "ServiceName"])
    rows = basis.rows(sums.order_by([sums.EffectiveCost.desc(), "provider", "ServiceName"]))
    for row in rows:
        part = share(row["EffectiveCost"], basis.grand_total)
        row["share_pct"] = None if part is None else 100 * part
    return result(
        "cost_by_provider_service", "Cost by provider and offering", "What is bought where?", rows,
        ("provider", "ServiceName", "EffectiveCost", "share_pct", "charges"),
        units={"EffectiveCost": basis.currency, "share_pct": "%"}, labels={**LABELS, "charges": "Charges"},
        empty_because=no_charges(basis), measure="effective_cost", trace_by=("provider", "ServiceName"),
        answer=f"{rows[0]['ServiceName']} of {rows[0]['provider']} is the dearest of {count(len(rows), 'offering')}: "
        f"{money(rows[0]['EffectiveCost'], basis.currency)}." if rows else "",
    )  # fmt: skip


def _by_namespace(basis: Basis) -> ResultTable:
    rows = basis.rows(total_by(basis.now, ["namespace"]).order_by("namespace"))
    rows = sorted(rows, key=lambda row: -row["EffectiveCost"])
    some = any(row["namespace"] != "unallocated" for row in rows)
    for row in rows:
        row["namespace"] = "outside any namespace" if row["namespace"] == "unallocated" else row["namespace"]
    return result(
        "cost_by_namespace", "Cost by namespace, as tagged on the bill", "Which namespace is billed what?",
        rows if some else [], ("namespace", "EffectiveCost", "charges"), units={"EffectiveCost": basis.currency},
        labels={"namespace": "Namespace", "EffectiveCost": "Effective cost", "charges": "Charges"},
        empty_because="No charge of the period carries a namespace; the cluster table shares out the nodes instead.",
    )  # fmt: skip
