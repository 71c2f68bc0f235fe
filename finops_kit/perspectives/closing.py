"""A month's files, store and invoices side by side for its close; and what has changed since a month was closed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import ibis
from ibis.expr.types import Table, Value

from finops_kit.decide.close import SIGNED, AccountCheck, MonthCheck, open_acts
from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.cost import LABELS
from finops_kit.perspectives.reading import Figure, ResultTable
from finops_kit.perspectives.tables import Row, result
from finops_kit.perspectives.trust import delivery_totals, reconciled_deliveries
from finops_kit.perspectives.words import count, listed, month_name
from finops_kit.store.held import held_rows
from finops_kit.value.settle import to_cents

#: charges listed for one difference
TOP_LINES = 5
Key = tuple[str, str, str]


def _period(month: date) -> Value:
    return ibis.literal(f"{month} 00:00:00+00:00").cast("timestamp('UTC')")


def _billed_totals(basis: Basis, months: Sequence[date]) -> list[Row]:
    """BilledCost of current charges by billing month, provider, billing account and currency."""
    charge = basis.table("charge")
    rows = charge.filter(charge.BillingPeriodStart.isin([_period(month) for month in months]))
    rows = rows.mutate(
        provider=ibis.coalesce(rows.ServiceProviderName, rows.ProviderName, rows.source_system),
        account=rows.BillingAccountId.fill_null(""), month=rows.BillingPeriodStart.date(),
    )  # fmt: skip
    sums = rows.group_by(["month", "source_system", "provider", "account", "BillingCurrency"])
    return basis.rows(sums.agg(stored=rows.BilledCost.sum(), charges=rows.count()).order_by(["provider", "account"]))


def check_month(basis: Basis) -> MonthCheck:
    """Hold the billing month of a reading against its files and its invoices, account by account.

    Returns
    -------
    every account of the month, with what is open about it and the lines behind, as far as they can be named
    """
    month = basis.start
    stored = _billed_totals(basis, [month])
    invoices = _invoices(basis, month)
    held = _quarantined(basis)
    files: dict[tuple[str, str, str], Decimal] = {}
    batches: dict[tuple[str, str], set[str]] = {}
    for row in reconciled_deliveries(basis):
        key = (row["source_system"], row["billing_account_id"], row["BillingCurrency"])
        files[key] = files.get(key, Decimal(0)) + row["file_total"]
        batches.setdefault(key[:2], set()).add(row["source_file"])
    accounts = []
    seen: set[Key] = set()
    for (system, account, currency), rows in _by_account(stored).items():
        provider = listed(sorted({row["provider"] for row in rows}))
        total = sum((row["stored"] for row in rows), Decimal(0))
        names = {row["provider"].casefold() for row in rows}
        own = [one for one in invoices if one["billing_account_id"] == account and one["currency"] == currency
               and one["provider_name"].casefold() in names]  # fmt: skip
        seen |= {(one["provider_name"], account, currency) for one in own}
        quarantined = [row for row in held if row["source_file"] in batches.get((system, account), set())]
        file_total = files.get((system, account, currency), Decimal(0))
        invoiced = sum((one["amount"] for one in own), Decimal(0)) if own else None
        open_ = invoiced is not None and to_cents(invoiced) != to_cents(total)
        lines = [_held_line(row) for row in quarantined]
        if open_:
            lines += _difference_lines(basis, system, account, currency, own, total - (invoiced or Decimal(0)))
        accounts.append(
            AccountCheck(provider, account, currency, file_total, total, invoiced, len(quarantined), bool(invoices),
                         tuple(lines))
        )  # fmt: skip
    for one in invoices:  # an invoice that no bill stands behind
        key = (one["provider_name"], one["billing_account_id"], one["currency"])
        if key not in seen:
            line = {"what": "no bill of this account is in the store", "where": one["invoice_id"],
                    "amount": one["amount"]}  # fmt: skip
            accounts.append(AccountCheck(*key, Decimal(0), Decimal(0), one["amount"], 0, True, (line,)))
    return MonthCheck(month, basis.reader.version, basis.reader.ledger_head, basis.currency, basis.grand_total,
                      tuple(accounts), bool(invoices))  # fmt: skip


def _by_account(stored: Sequence[Row]) -> dict[tuple[str, str, str], list[Row]]:
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in stored:
        found.setdefault((row["source_system"], row["account"], row["BillingCurrency"]), []).append(row)
    return found


def _invoices(basis: Basis, month: date) -> list[Row]:
    invoice = basis.table("invoice")
    return basis.rows(invoice.filter(invoice.month == ibis.date(str(month))).order_by("invoice_id"))


def _quarantined(basis: Basis) -> list[Row]:
    """Open quarantined rows of the month's current deliveries."""
    current = basis.table("current_delivery")
    current = current.filter((current.dataset == "charge") & (current.period_start == _period(basis.start)))
    batches = {row["batch_id"] for row in basis.rows(current.select("batch_id").distinct())}
    return [row for row in held_rows(basis.reader.connection) if row["batch_id"] in batches]


def _held_line(row: Row) -> Mapping[str, Any]:
    return {"what": f"quarantined: {row['column_name'] or 'row'}: {row['reason']}",
            "where": f"{row['source_file']} row {row['source_row']}", "amount": None}  # fmt: skip


def _difference_lines(
    basis: Basis, system: str, account: str, currency: str, own: Sequence[Row], gap: Decimal
) -> list[Mapping[str, Any]]:
    """What a difference to the invoices is made of: restatements, invoices that differ, lines of that very amount."""
    lines: list[Mapping[str, Any]] = []
    invoiced = sum((one["amount"] for one in own), Decimal(0))
    for row in delivery_totals(basis):
        mine = (row["source_system"], row["billing_account_id"], row["BillingCurrency"], row["billing_month"])
        before = row["previous_total"] if mine == (system, account, currency, basis.start) else None
        if before is not None and to_cents(before) == to_cents(invoiced):
            what = "the invoice is the delivery before; the newest restated it by"
            lines.append({"what": what, "where": f"{row['deliveries']} deliveries", "amount": row["restated_by"]})
    charge = _charges_of(basis, system, account, currency)
    number = charge.InvoiceId.fill_null("")
    sums = charge.group_by(invoice=number).agg(amount=charge.BilledCost.sum(), charges=charge.count())
    billed = {row["invoice"]: row for row in basis.rows(sums)}
    said = {one["invoice_id"]: one["amount"] for one in own}
    if len(billed) > 1 or set(billed) != set(said):
        for name in sorted({*billed, *said}):
            difference = billed.get(name, {}).get("amount", Decimal(0)) - said.get(name, Decimal(0))
            if to_cents(difference):
                known = "" if name in said else ", not in the register"
                what = f"invoice {name}{known}" if name else "charges that name no invoice"
                lines.append({"what": what, "where": count(billed.get(name, {}).get("charges", 0), "charge"),
                              "amount": difference})  # fmt: skip
    same = charge.filter(charge.BilledCost.round(2).abs() == ibis.literal(abs(to_cents(gap)), "decimal(38,24)"))
    same = same.order_by("source_row").limit(TOP_LINES)
    lines += [_charge_line(row, "a line of this very amount: ") for row in _with_file(basis, same)]
    if not lines:
        lines.append({"what": "no single line, invoice or restatement explains it; the largest lines:", "where": "",
                      "amount": None})  # fmt: skip
        top = charge.order_by([charge.BilledCost.abs().desc(), "source_row"]).limit(TOP_LINES)
        lines += [_charge_line(row) for row in _with_file(basis, top)]
    return lines


def _with_file(basis: Basis, charges: Table) -> list[Row]:
    rows = charges.join(basis.table("ledger").select("batch_id", "source_file"), "batch_id")
    rows = rows.select("source_file", "source_row", "ChargeDescription", "ServiceName", "BilledCost")
    return basis.rows(rows.order_by([rows.BilledCost.abs().desc(), "source_file", "source_row"]))


def _charge_line(row: Row, said: str = "") -> Mapping[str, Any]:
    return {"what": f"{said}{row['ChargeDescription'] or row['ServiceName']}",
            "where": f"{row['source_file']} row {row['source_row']}", "amount": row["BilledCost"]}  # fmt: skip


def _charges_of(basis: Basis, system: str, account: str, currency: str) -> Table:
    charge = basis.table("charge")
    return charge.filter(
        (charge.BillingPeriodStart == _period(basis.start)) & (charge.source_system == system)
        & (charge.BillingAccountId.fill_null("") == account) & (charge.BillingCurrency == currency)
    )  # fmt: skip


# what was closed


def close_acts(basis: Basis, month: date | None = None) -> list[Row]:
    """Who prepared, signed off and reopened which month, the oldest first."""
    acts = basis.table("month_close").join(basis.table("ledger").select("batch_id", "entry"), "batch_id")
    if month is not None:
        acts = acts.filter(acts.month == ibis.date(str(month)))
    return basis.rows(acts.order_by("entry"))


def closed_rows(basis: Basis) -> list[Row]:
    """Every account of every signed-off month: what was signed, what it is now, to the last digit.

    The newest sign-off of a month stands. Months up to the reading's period.
    """
    found: list[Row] = basis.once("closed_rows", _closed_rows)
    return found


def _closed_rows(basis: Basis) -> list[Row]:
    by_month: dict[date, list[Row]] = {}
    for act in close_acts(basis):
        by_month.setdefault(act["month"], []).append(act)
    signed = {month: dict(act) for month, acts in by_month.items() for act in open_acts(acts) if act["act"] == SIGNED}
    if not signed:
        return []
    now: dict[tuple[date, str, str], Decimal] = {}
    who: dict[tuple[date, str, str], set[str]] = {}
    for row in _billed_totals(basis, sorted(signed)):
        key = (row["month"], row["account"], row["BillingCurrency"])
        now[key] = now.get(key, Decimal(0)) + row["stored"]
        who.setdefault(key, set()).add(row["provider"])
    rows = []
    for month, act in sorted(signed.items(), reverse=True):
        told = {(month, one["billing_account_id"], one["currency"]): one for one in json.loads(act["totals"])}
        for key in sorted({*told, *(key for key in now if key[0] == month)}):
            closed = Decimal(told[key]["stored"]) if key in told else None
            current = now.get(key, Decimal(0))
            changed = current - (closed or Decimal(0))
            provider = told[key]["provider"] if key in told else listed(sorted(who.get(key, ())))
            rows.append(
                {
                    "month": month, "provider": provider, "billing_account_id": key[1], "BillingCurrency": key[2],
                    "signed_by": act["person"], "signed_at": act["acted_at"], "store_version": act["store_version"],
                    "closed": closed, "closed_why": "" if key in told else "not billed when the month was closed",
                    "now": current, "changed": changed, "reason": act["reason"],
                    "state": "unchanged" if not to_cents(changed) else "restated since",
                }
            )  # fmt: skip
    return rows


def closes_table(basis: Basis) -> ResultTable:
    """Each closed month: what was signed off, by whom, and whether a later restatement changed it."""
    rows = sorted(closed_rows(basis), key=lambda row: row["state"] == "unchanged")  # what changed comes first
    return result(
        "closes", "Closed months", "Was a month changed after it was signed off?", rows,
        ("month", "provider", "billing_account_id", "BillingCurrency", "closed", "now", "changed", "state", "signed_by",
         "signed_at", "store_version", "reason", "closed_why"),
        labels={**LABELS, "month": "Billing month", "billing_account_id": "Billing account",
                "BillingCurrency": "Currency", "closed": "Billed, as closed", "now": "Billed, now",
                "changed": "Changed since", "state": "State", "signed_by": "Signed off by", "signed_at": "Signed off",
                "store_version": "Store version", "reason": "Differences accepted because"},
        empty_because="No month is signed off yet; `finops close --period YYYY-MM` checks one.",
        answer=f"{listed([month_name(month) for month in changed])} changed after the sign-off."
        if (changed := changed_months(rows)) else "No closed month has changed since its sign-off.",
    )  # fmt: skip


def rates_not_used(basis: Basis, month: date | None = None) -> list[str]:
    """What was delivered of closed months' exchange rates after their sign-off, in words; the locked ones stay."""
    rates = basis.table("exchange_rate")
    late = rates.filter(rates.newer_rate.notnull())
    if month is not None:
        late = late.filter(late.month == ibis.date(str(month)))
    late = late.order_by([late.month.desc(), "from_currency", "to_currency"])
    return [
        f"{month_name(row['month'])} is closed: {row['from_currency']} to {row['to_currency']} stays "
        f"{row['rate'].normalize():f}; {row['newer_rate'].normalize():f}, delivered after its sign-off, is not used. "
        f"`finops close --period {row['month']:%Y-%m} --reopen NAME --because WHY` takes it."
        for row in basis.rows(late)
    ]


def changed_months(rows: Sequence[Row]) -> list[date]:
    """The closed months that are not what was signed off."""
    return sorted({row["month"] for row in rows if row["state"] != "unchanged"})


def close_figure(basis: Basis) -> Figure:
    """Whether the period is signed off, and how many closed months changed since."""
    rows = closed_rows(basis)
    if not rows:
        said = f"No month is signed off yet; `finops close --period {basis.start:%Y-%m}` checks this one."
        return Figure("closed", "Signed off", "not yet", "", said, status="watch")
    changed = changed_months(rows)
    this = next((row for row in rows if row["month"] == basis.start), None)
    words = f"{count(len({row['month'] for row in rows}), 'closed month')}; "
    words += f"changed since: {listed([month_name(month) for month in changed])}." if changed else "none changed since."
    return Figure(
        "closed", "Signed off", f"by {this['signed_by']}" if this else "not yet", "", words, "",
        "watch" if changed or not this else "good",
    )  # fmt: skip
