"""Blocks about the data itself: its age, what was refused, what was delivered, what evidence it gives."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import ibis

from finops_kit.decide.maturity import Evidence, assess
from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.cost import period_accuracy, share, unallocated_share
from finops_kit.perspectives.operations import anomaly_count
from finops_kit.perspectives.reading import DataAge, ResultTable
from finops_kit.perspectives.tables import Row, result
from finops_kit.perspectives.words import count, month_name
from finops_kit.value.commitment import commitment_coverage

#: amounts by currency
Amounts = dict[str, Decimal]


def data_ages(basis: Basis) -> tuple[DataAge, ...]:
    """How old each source's newest data is, at the time of the version that is read."""
    found: tuple[DataAge, ...] = basis.once("ages", _data_ages)
    return found


def _data_ages(basis: Basis) -> tuple[DataAge, ...]:
    ledger = basis.table("ledger").select("batch_id", "recorded_at")
    charge = basis.table("charge")
    short = charge.ChargePeriodEnd <= charge.ChargePeriodStart + ibis.interval(days=32)
    until = ibis.ifelse(short, charge.ChargePeriodEnd, charge.ChargePeriodStart)
    charge = charge.select("source_system", "batch_id", until=until)
    seen = basis.table("resource_snapshot")
    seen = seen.select("source_system", "batch_id", until=seen.observed_at)
    per_batch = [table.group_by(["source_system", "batch_id"]).agg(until=table.until.max()) for table in (charge, seen)]
    both = per_batch[0].mutate(what=ibis.literal("bills")).union(per_batch[1].mutate(what=ibis.literal("state")))
    known = both.join(ledger, "batch_id")
    sums = known.group_by(["what", "source_system"]).agg(until=known.until.max(), recorded_at=known.recorded_at.max())
    ages = []
    for row in basis.rows(sums.order_by(["what", "source_system"])):
        until_, recorded = _utc(row["until"]), _utc(row["recorded_at"])
        age = None if until_ is None else max((basis.reader.version_time - until_) / timedelta(hours=1), 0.0)
        ages.append(DataAge(f"{row['source_system']} ({row['what']})", until_, recorded, age))
    return tuple(ages)


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)


def bill_age_hours(basis: Basis) -> float | None:
    """The age of the newest charge; None without bills."""
    ages = [age.age_hours for age in data_ages(basis) if age.source_system.endswith("(bills)")]
    return min((age for age in ages if age is not None), default=None)


def quarantine_table(basis: Basis) -> ResultTable:
    """Rows that could not be stored, by file and reason."""
    held = basis.table("quarantine")
    sums = held.group_by(["source_file", "column_name", "reason"]).agg(rows=held.count())
    rows = basis.rows(sums.order_by([sums.rows.desc(), "source_file", "reason"]).limit(200))
    return result(
        "quarantine", "Quarantined rows", "What was delivered and could not be stored?", rows,
        ("source_file", "column_name", "reason", "rows"), units={"rows": "rows"},
        labels={"source_file": "File", "column_name": "Column", "reason": "Reason", "rows": "Rows"},
        empty_because="Every delivered row was stored.", answer=_held_words(rows),
    )  # fmt: skip


def _held_words(rows: list[Row]) -> str:
    held, files = sum(row["rows"] for row in rows), len({row["source_file"] for row in rows})
    stay = "is" if held == 1 else "are"
    return f"{count(held, 'row')} of {count(files, 'file')} {stay} in no figure until delivered again, mended."


def deliveries_table(basis: Basis) -> ResultTable:
    """Deliveries of the period's bills: what came, and whether the newest says something else than the one before."""
    rows = delivery_totals(basis)
    return result(
        "deliveries", "Deliveries and restatements", "How often was a billing period delivered, and did it change?",
        rows,
        ("source_system", "billing_account_id", "billing_month", "deliveries", "BillingCurrency", "first_total",
         "previous_total", "current_total", "restated_by"),
        units={"deliveries": "deliveries"},
        labels={"source_system": "Source", "billing_account_id": "Billing account", "billing_month": "Billing month",
                "deliveries": "Deliveries", "BillingCurrency": "Currency", "first_total": "First total",
                "previous_total": "Total before", "current_total": "Current total", "restated_by": "Last change"},
        empty_because="No bill has been delivered.", answer=_restated_words(basis, rows),
    )  # fmt: skip


def _restated_words(basis: Basis, rows: list[Row]) -> str:
    """How many of the period's bills changed after they had first come."""
    mine = [row for row in rows if row["billing_month"] == basis.start]
    changed = [row for row in mine if row["restated_by"]]
    if not changed:
        return f"No bill of {month_name(basis.start)} changed after it had first come."
    bills = f"{len(changed)} of {count(len(mine), 'bill')} of {month_name(basis.start)}"
    return f"{bills} changed after {'it' if len(changed) == 1 else 'they'} had first come."


def delivery_totals(basis: Basis) -> list[Row]:
    """Per source, billing account, billing month up to the period and currency: totals of its first, previous and
    current delivery, and what the last one changed."""
    found: list[Row] = basis.once("deliveries", _deliveries)
    return found


def take_delivery(
    came: list[Amounts], waiting: Amounts, mode: str, said: Amounts, gone: Iterable[Amounts] = ()
) -> None:
    """Add what one file says of an account and period to the totals of its deliveries.

    Parameters
    ----------
    came : the total of each delivery that counted, oldest first; the last one grows no more
    waiting : the parts of a report that is not whole yet
    mode : see docs/deliveries.md
    said : the file's amounts by currency
    gone : those of the files that were added up and in whose place it comes

    Example
    -------
    >>> came, waiting = [], {}
    >>> for mode, amount in [("replace-part", 2), ("append-whole", 3), ("replace-late", 4), ("replace", 6)]:
    ...     take_delivery(came, waiting, mode, {"EUR": Decimal(amount)})
    >>> came
    [{'EUR': Decimal('5')}, {'EUR': Decimal('6')}]
    >>> for mode, amount in [("append-part", 1), ("append-whole", 2)]:  # the last one grows
    ...     take_delivery(came, waiting, mode, {"EUR": Decimal(amount)})
    >>> came[-1]
    {'EUR': Decimal('9')}
    >>> take_delivery(came, waiting, "instead b000001", {"EUR": Decimal(5)}, [{"EUR": Decimal(2)}])
    >>> came[-1]
    {'EUR': Decimal('12')}
    """
    if mode.endswith("-late") or mode == "replace-part":
        waiting.clear()
    if mode.endswith("-late"):
        return
    in_parts = mode.endswith(("-part", "-whole"))
    grows = came and (mode == "append" or mode.startswith("instead") or (mode == "append-part" and not waiting))
    before = came[-1] if grows else waiting if in_parts else {}
    total = {name: before.get(name, Decimal(0)) + said.get(name, Decimal(0)) for name in {**before, **said}}
    for other in gone:
        total |= {name: total.get(name, Decimal(0)) - amount for name, amount in other.items()}
    if in_parts:
        waiting.clear()
    if mode.endswith("-part"):
        waiting.update(total)
    else:
        came.append(total)


def _deliveries(basis: Basis) -> list[Row]:
    ledger = basis.table("ledger").select("batch_id", "entry")
    delivery = basis.table("delivery")
    bills = delivery.filter(
        (delivery.dataset == "charge") & (delivery.period_start.date() <= ibis.date(str(basis.start)))
    )
    joined = bills.join(ledger, "batch_id").order_by("entry")
    came: dict[tuple[str, str, date], list[Amounts]] = {}
    waiting: dict[tuple[str, str, date], Amounts] = {}
    brought: dict[tuple[str, str, date], dict[str, Amounts]] = {}
    for row in basis.rows(joined):
        key = (row["source_system"], row["billing_account_id"], row["period_start"].date())
        said = {currency: Decimal(amount) for currency, amount in json.loads(row["billed_cost"] or "{}").items()}
        batches = brought.setdefault(key, {})
        gone = [batches[one] for one in row["mode"].split()[1:] if one in batches]
        batches[row["batch_id"]] = said
        take_delivery(came.setdefault(key, []), waiting.setdefault(key, {}), row["mode"], said, gone)
    rows = []
    for (source, account, month), deliveries in came.items():
        for currency in sorted({name for one in deliveries for name in one}):
            totals = [one.get(currency, Decimal(0)) for one in deliveries]
            rows.append(
                {
                    "source_system": source, "billing_account_id": account, "billing_month": month,
                    "BillingCurrency": currency, "deliveries": len(totals), "first_total": totals[0],
                    "previous_total": totals[-2] if len(totals) > 1 else None, "current_total": totals[-1],
                    "restated_by": totals[-1] - totals[-2] if len(totals) > 1 else None,
                }
            )  # fmt: skip
    return sorted(
        rows, key=lambda row: (-row["billing_month"].toordinal(), row["source_system"], row["billing_account_id"])
    )


def maturity_points(basis: Basis) -> list[Evidence]:
    """The seven capabilities, scored from what the store shows for this period."""
    found: list[Evidence] = basis.once("maturity", _maturity)
    return found


def _maturity(basis: Basis) -> list[Evidence]:
    from finops_kit.perspectives.cost import budget_lines
    from finops_kit.perspectives.units import measured_services

    some = basis.totals["charges"] > 0
    total = basis.grand_total
    coverage = commitment_coverage(basis.now, by=("BillingCurrency",))
    covered = basis.rows(coverage)
    listed = sum((row["covered_list"] + row["on_demand_list"] for row in covered), Decimal(0))
    lines = budget_lines(basis).frame
    budgeted = None
    if len(lines):
        held = [cost for cost, plan in zip(lines["EffectiveCost"], lines["budget"], strict=True) if plan is not None]
        budgeted = share(sum(held, Decimal(0)), total)
    measured = measured_services(basis)
    spent = basis.once("spent_by_service", _spent_by_service)
    with_units = share(sum((spent.get(name, Decimal(0)) for name in measured), Decimal(0)), total) if measured else None
    return assess(
        unallocated_ratio=unallocated_share(basis)[0] if some else None,
        data_age_hours=bill_age_hours(basis),
        budgeted_ratio=budgeted,
        forecast_accuracy=period_accuracy(basis),
        commitment_coverage=share(sum((row["covered_list"] for row in covered), Decimal(0)), listed),
        anomalies_in_period=anomaly_count(basis) if some else None,
        unit_metric_ratio=with_units,
    )


def _spent_by_service(basis: Basis) -> dict[str, Decimal]:
    now = basis.now
    sums = now.group_by("service_id").agg(EffectiveCost=now.EffectiveCost.sum().fill_null(0))
    return {row["service_id"]: row["EffectiveCost"] for row in basis.rows(sums)}


def maturity_table(basis: Basis) -> ResultTable:
    """Each capability with its score, its evidence and the next step."""
    rows = [
        {"capability": p.capability, "score": p.score, "level": p.level, "evidence": p.evidence,
         "next_step": p.next_step, "score_why": "" if p.score is not None else "not scored"}
        for p in maturity_points(basis)
    ]  # fmt: skip
    return result(
        "maturity", "Maturity from evidence", "How far is the practice, and what is the next step?", rows,
        ("capability", "score", "level", "evidence", "next_step"), units={"score": "of 100"},
        labels={"capability": "Capability", "score": "Score", "level": "Level", "evidence": "Evidence",
                "next_step": "Next step"},
        answer=f"Weakest: {weakest.capability}, {weakest.score:.0f} of 100. {weakest.next_step}."
        if (weakest := weakest_capability(basis)) else "",
    )  # fmt: skip


def weakest_capability(basis: Basis) -> Evidence | None:
    """The capability with the lowest score that is no full one."""
    scored = [point for point in maturity_points(basis) if point.score is not None and point.score < 100]
    return min(scored, key=lambda point: point.score or 0, default=None)


def reconciled_deliveries(basis: Basis) -> list[Row]:
    """Per current delivery of the billing month: ``file_total`` and ``stored_total`` of BilledCost, exact."""
    found: list[Row] = basis.once("reconciliation", _reconciled)
    return found


def _reconciled(basis: Basis) -> list[Row]:
    charge = basis.table("charge")
    month = ibis.literal(f"{basis.start} 00:00:00+00:00").cast("timestamp('UTC')")
    rows = charge.filter(charge.BillingPeriodStart == month)
    rows = rows.mutate(account=rows.BillingAccountId.fill_null(""))
    stored = rows.group_by(["source_system", "account", "batch_id", "BillingCurrency"])
    sums = {
        (r["batch_id"], r["account"], r["BillingCurrency"]): r
        for r in basis.rows(stored.agg(stored_total=rows.BilledCost.sum(), rows=rows.count()))
    }
    delivery = basis.table("delivery")
    current = basis.table("current_delivery").select("batch_id").distinct()
    ledger = basis.table("ledger").select("batch_id", "source_file")
    said = delivery.filter((delivery.dataset == "charge") & (delivery.period_start == month))
    said = said.semi_join(current, "batch_id").join(ledger, "batch_id")
    out: list[Row] = []
    for row in basis.rows(said.order_by(["source_system", "billing_account_id", "source_file"])):
        for currency, amount in json.loads(row["billed_cost"] or "{}").items():
            held = sums.get((row["batch_id"], row["billing_account_id"], currency))
            if held is None:  # superseded by a newer delivery of the same account and month
                continue
            out.append(
                {
                    "source_file": row["source_file"], "source_system": row["source_system"],
                    "billing_account_id": row["billing_account_id"], "BillingCurrency": currency, "rows": held["rows"],
                    "file_total": Decimal(amount), "stored_total": held["stored_total"],
                    "difference": held["stored_total"] - Decimal(amount),
                }
            )  # fmt: skip
    return out


def reconciliation_table(basis: Basis) -> ResultTable:
    """Per current delivery of the billing month: what the file said and what the store holds, to the last decimal."""
    out = reconciled_deliveries(basis)
    return result(
        "reconciliation", "Reconciliation to the bill", "Does the store hold what the bills say?", out,
        ("source_file", "source_system", "billing_account_id", "BillingCurrency", "rows", "file_total", "stored_total",
         "difference"),
        units={"rows": "rows"},
        labels={"source_file": "File", "source_system": "Source", "billing_account_id": "Billing account",
                "BillingCurrency": "Currency", "rows": "Rows", "file_total": "BilledCost in the file",
                "stored_total": "BilledCost in the store", "difference": "Difference"},
        empty_because=f"No bill for the billing month {basis.start:%B %Y} is current in the store.",
        answer=f"All {len(out)} deliveries tie to the last decimal." if not (off := sum(
            row["difference"] != 0 for row in out)) else f"{off} of {len(out)} deliveries differ from their file.",
    )  # fmt: skip
