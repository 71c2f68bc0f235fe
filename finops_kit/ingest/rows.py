"""Append one file of rows - a bill or a reference table - as one batch, good rows and bad.

First every row is taken as good, in one streaming statement that stops at the first one that is not. Only
then is the file read again to sort good from bad, in a new batch: a good file, which is the rule, pays nothing.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from finops_kit.errors import ReconciliationFailed, SourceRefused
from finops_kit.ingest.deliveries import Delivery, in_words, lost_accounts, refuse_unnamed
from finops_kit.ingest.late import settle
from finops_kit.ingest.report import STORED, FileReport
from finops_kit.ingest.scan import Scan, add_totals
from finops_kit.normalize.plan import REPEATED_KEY, UNREADABLE, Plan
from finops_kit.normalize.reference import scope_sql
from finops_kit.sources.control import EXACT, read_amount, read_credits, split_amount
from finops_kit.sources.formats import Format
from finops_kit.store import Batch, Writer
from finops_kit.store.ledger import plain
from finops_kit.store.rowgroups import fit_row_groups

#: which delivery mode a file's rows get, asked per (billing account, period)
Mode = Delivery


def append_rows(
    writer: Writer, scan: Scan, known: Format, plan: Plan, mode: Mode, actor: str | None, details: dict[str, Any]
) -> FileReport:
    """Append the rows of one file as one batch.

    Returns
    -------
    What became of the file. On any refusal the store is as it was.

    Raises
    ------
    SourceRefused : the file cannot be read, or not one of its rows can be stored
    """
    try:
        return _append(writer, scan, known, plan, mode, actor, details, careful=False)
    except duckdb.Error as error:
        odd = isinstance(error, duckdb.ConversionException) or UNREADABLE in str(error) or REPEATED_KEY in str(error)
        if not (odd or scan.uneven):
            raise scan.refusal(error) or error from error
    try:
        return _append(writer, scan, known, plan, mode, actor, details, careful=True)
    except duckdb.Error as error:
        raise scan.refusal(error) or error from error


def _append(
    writer: Writer, scan: Scan, known: Format, plan: Plan, mode: Mode, actor: str | None, details: dict[str, Any],
    careful: bool,
) -> FileReport:  # fmt: skip
    source = scan.source
    with writer.batch(
        kind="ingest", format=known.name, source_file=source.name, source_hash=scan.expected_digest,
        source_bytes=source.size, details=details, actor=actor,
    ) as batch:  # fmt: skip
        try:
            fit_row_groups(batch.connection)
            sql = scan.open(plan, strict=not careful)
            rows = plan.careful_sql(sql) if careful else plan.strict_sql(sql)
            # of a bill's file only the lake reads; observations are derived from their own file, whole
            columns = plan.columns if plan.table == "charge" else None
            stored = batch.insert(plan.table, rows, columns=columns, wide=plan.wide)
        finally:
            scan.close()
        scan.finish(plan)
        batch.source_hash = scan.expected_digest
        batch.rows_read = scan.rows_read
        held = _Held()
        reasons = _quarantine_bad_values(batch, scan, plan, held) if careful else []
        reasons += _quarantine_rejects(batch, scan)
        if stored == 0:
            raise SourceRefused(_nothing_usable(scan, reasons))
        if plan.unused:
            batch.details["columns_not_used"] = list(plan.unused)
        if plan.table == "resource_snapshot":
            _say_scope(batch, scan, plan)
        elif plan.table == "charge":
            _deliver_bill(writer, batch, scan, plan, mode, held)
        else:
            _deliver_reference(batch, plan, known, mode, stored)
    note = ""
    if batch.rows_quarantined:
        note = f"{batch.rows_quarantined} of {batch.rows_read} rows were quarantined: {reasons[0]}"
    note_of_parts = ""
    if mode.waits and plan.table == "charge":
        named = in_words(mode.lacks)
        said = f"part {named} of its report has" if len(mode.lacks) == 1 else f"parts {named} of its report have"
        note_of_parts = f"counts once {said} come" if named else ""
        note_of_parts = "waits for the part that was refused" if mode.broken else note_of_parts
    why = next(iter(mode.late.values()), "")
    note_of_late = f"does not count: it brings {why}" if why else ""
    again = "--adds --newest" if mode.adding else "--newest"
    note_of_late += f" ({again} takes it all the same)" if why and not mode.adds else ""
    lost = ", ".join(f"{account} in {period:%Y-%m}" for account, period in mode.lost)
    note_of_lost = f"it no longer bills {lost}, as it did before; what it said of that counts on" if lost else ""
    note_of_days = "".join(
        f"of {account or 'the bill'} it has no use {days}, which the bill before it had and which counts no more "
        f"(finops ingest --adds adds files that hold some days each)"
        for (account, _), days in list(mode.days_lost.items())[:1]
    )
    notes = (note, plan.remark, note_of_parts, note_of_late, mode.instead, note_of_lost, note_of_days)
    note = "; ".join(part for part in notes if part)
    return FileReport(
        source.name, known.name, STORED, note, batch.rows_read, batch.rows_stored, batch.rows_quarantined,
        dict(batch.control_totals), batch.id,
    )  # fmt: skip


class _Held:
    """Readable amounts in quarantined rows: kept at the stored scale, and what the scale cuts off."""

    def __init__(self) -> None:
        self.kept: dict[str, Decimal] = {}
        self.cut: dict[str, Decimal] = {}

    def add(self, cost: str | None, currency: str | None, credits: str | None = None) -> None:
        amount, taken = read_amount(cost), read_credits(credits)
        if amount is None or taken is None:
            return
        for one in (amount, *taken):
            kept, cut = split_amount(one)
            add_totals(self.kept, currency, kept)
            add_totals(self.cut, currency, cut)


def _quarantine_bad_values(batch: Batch, scan: Scan, plan: Plan, held: _Held) -> list[str]:
    """Append the rows with an unreadable or missing value; returns the first reasons."""
    connection = scan.connection
    try:
        sql = scan.open(plan)
        connection.execute(f"CREATE OR REPLACE TEMP TABLE bad_rows AS {plan.quarantine_sql(sql, scan.headers())}")
    finally:
        scan.close()
    scan.finish(plan)
    for texts in connection.execute("SELECT cost_text, currency_text, credits_text FROM bad_rows").fetchall():
        held.add(*texts)
    batch.insert(
        "quarantine", "SELECT ? AS source_file, source_row, column_name, reason, raw FROM bad_rows", [scan.source.name]
    )
    first = connection.execute(
        "SELECT 'row ' || source_row || ', ' || column_name || ': ' || reason FROM bad_rows ORDER BY source_row LIMIT 1"
    ).fetchall()
    connection.execute("DROP TABLE bad_rows")
    return [row[0] for row in first]


def _quarantine_rejects(batch: Batch, scan: Scan) -> list[str]:
    rejects = scan.rejects
    if not rejects:
        return []
    batch.insert_arrow("quarantine", pa.table({
        "source_file": pa.array([scan.source.name] * len(rejects), pa.string()),
        "source_row": pa.array([reject.source_row for reject in rejects], pa.int64()),
        "column_name": pa.array([None] * len(rejects), pa.string()),
        "reason": pa.array([reject.reason for reject in rejects], pa.string()),
        "raw": pa.array([reject.raw for reject in rejects], pa.string()),
    }))  # fmt: skip
    return [f"row {rejects[0].source_row}: {rejects[0].reason}"]


def _nothing_usable(scan: Scan, reasons: list[str]) -> str:
    if scan.rows_read == 0:
        return f"{scan.source.name} has a header but no rows. Export it again, or wait until its period has begun."
    why = f" ({reasons[0]})" if reasons else ""
    return (
        f"{scan.source.name}: not one of its {scan.rows_read:,} rows can be stored{why}. "
        f"Export it again, or name its format with --format."
    )


def _deliver_bill(writer: Writer, batch: Batch, scan: Scan, plan: Plan, mode: Mode, held: _Held) -> None:
    """Say which periods the batch delivers, and hold what was stored against the file's own sum."""
    rows = writer.connection.execute(
        'SELECT coalesce("BillingAccountId", \'\'), "BillingPeriodStart", "BillingCurrency", count(*), '
        f'sum("BilledCost"), sum("{plan.controlled}") '
        "FROM lake.charge WHERE batch_id = ? GROUP BY ALL ORDER BY ALL",
        [batch.id],
    ).fetchall()
    periods: dict[tuple[str, Any], list[Any]] = {}
    checked: dict[str, Decimal] = {}
    for account, period, currency, count, total, controlled in rows:
        add_totals(batch.control_totals, currency, total)
        add_totals(checked, currency, controlled)
        entry = periods.setdefault((account, period), [0, {}])
        entry[0] += count
        add_totals(entry[1], currency, total)
    _check_control(batch, scan, plan, held, checked)
    if not (mode.newest or mode.adds or mode.adding):
        refuse_unnamed(writer, plan.dataset, plan.source_system, scan.source.name, periods)
    modes = dict.fromkeys(periods, "append")
    if not plan.appends:
        modes = settle(writer, mode, plan.dataset, plan.source_system, batch.id, list(periods))
    if mode.late:
        batch.details["late"] = {f"{account} {period:%Y-%m-%d}": why for (account, period), why in mode.late.items()}
    added = mode.adds or mode.adding or mode.instead or plan.appends
    if not (mode.late or mode.waits or added or scan.source.name == "stdin"):
        report = batch.details.get("report", "") if len(mode.batches) > 1 else ""
        covered = {*modes, *mode.delivered}
        names = (scan.source.name, report)
        moved, mode.lost = lost_accounts(writer, mode.batches, *names, plan.dataset, covered)
        modes |= dict.fromkeys(moved, "replace")
    for pair in modes:
        periods.setdefault(pair, [0, {}])
    batch.insert_arrow("delivery", pa.table({
        "source_system": [plan.source_system] * len(periods),
        "billing_account_id": [account for account, _ in periods],
        "period_start": pa.array([period for _, period in periods], pa.timestamp("us", tz="UTC")),
        "dataset": [plan.dataset] * len(periods),
        "mode": [modes[pair] for pair in periods],
        "rows": [count for count, _ in periods.values()],
        "billed_cost": [json.dumps({c: plain(t) for c, t in sorted(totals.items())}) for _, totals in periods.values()],
    }))  # fmt: skip


def _check_control(batch: Batch, scan: Scan, plan: Plan, held: _Held, checked: dict[str, Decimal]) -> None:
    """Stored + quarantined must equal the file's own sum; what the stored scale cuts off is part of the control total
    and kept as a figure of its own."""
    control = scan.control
    if control is None:
        return
    for currency in sorted({*control.kept, *checked, *held.kept}):
        native = control.kept.get(currency, Decimal(0))
        stored = checked.get(currency, Decimal(0))
        aside = held.kept.get(currency, Decimal(0))
        if native != EXACT.add(stored, aside):
            raise ReconciliationFailed(
                f"{scan.source.name}: {plan.controlled} adds up to {plain(native)} {currency} in the file, but to "
                f"{plain(stored)} stored and {plain(aside)} quarantined. Nothing was stored."
            )
        cut = EXACT.subtract(control.cut.get(currency, Decimal(0)), held.cut.get(currency, Decimal(0)))
        if cut and plan.controlled == "BilledCost":
            batch.remainders[currency] = cut
            add_totals(batch.control_totals, currency, cut)


def _deliver_reference(batch: Batch, plan: Plan, known: Format, mode: Mode, stored: int) -> None:
    batch.insert(
        "delivery",
        "SELECT ? AS source_system, '' AS billing_account_id, ? AS dataset, ? AS mode, ?::BIGINT AS rows",
        [known.family, plan.table, mode.mode("", None).removesuffix("-part").removesuffix("-whole"), stored],
    )


def _say_scope(batch: Batch, scan: Scan, plan: Plan) -> None:
    """Say what an inventory looked at, so that what is missing from a complete one counts as absent."""
    try:
        batch.insert("observation_scope", scope_sql(plan, scan.open(plan)))
    finally:
        scan.close()
