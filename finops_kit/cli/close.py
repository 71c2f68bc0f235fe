"""``finops close``: hold a month against its files and invoices, and sign it off."""

from __future__ import annotations

from typing import Any

import click

from finops_kit.cli.common import Setting, as_of_option, finops_command, period_option, print_json

EPILOG = """\b
Examples:
  finops close --period 2026-08                          does the pipeline equal files and invoices?
  finops close --period 2026-08 --prepare 'A. Clerk'     record that somebody prepared it
  finops close --period 2026-08 --sign-off 'B. Head'
  finops close --period 2026-08 --sign-off 'B. Head' --accept-difference 'credit note 4711 follows in September'
  finops close --period 2026-08 --reopen 'B. Head' --because 'the rate of August was mistyped'
  finops close --list                                    what is closed, and what changed since

\b
Invoices come from a register, a CSV with invoice_id, provider_name, billing_account_id, month, amount, currency:
`finops ingest invoices.csv`. With `four_eyes = true` in workspace.toml the one who signs must not be the one who
prepared. Exit code 8: something is open, or a sign-off was refused.
"""


@finops_command("close", epilog=EPILOG)
@period_option("The billing month. Default: the latest complete one.")
@as_of_option
@click.option("--prepare", metavar="NAME", help="Record who prepared the month, over these totals.")
@click.option("--sign-off", "sign", metavar="NAME", help="Sign the month off; refused while differences are open.")
@click.option("--accept-difference", "reason", default="", metavar="REASON", help="Sign off all the same, saying why.")
@click.option("--reopen", metavar="NAME", help="Open a signed-off month again, so that it takes newer exchange rates.")
@click.option("--because", default="", metavar="REASON", help="Why a month is reopened.")
@click.option("--list", "show", is_flag=True, help="List the signed-off months and what changed since.")
def command(
    setting: Setting, period: str | None, as_of: str | None, prepare: str | None, sign: str | None, reason: str,
    reopen: str | None, because: str, show: bool,
) -> int:  # fmt: skip
    """Close a month: pipeline total = invoice total per provider and account, signed by a person.

    A difference is listed with its lines. A sign-off is a record that nothing overwrites: who, when, at which store
    version, over which totals, with which differences accepted and why. A month changed by a later restatement is
    shown on the finance page, and may be signed off again. A closed month keeps the exchange rates known at its
    sign-off until it is reopened.
    """
    from finops_kit.decide.close import PREPARED, REOPENED, SIGNED
    from finops_kit.errors import UsageError

    if bool(prepare) + bool(sign) + bool(reopen) + show > 1:
        raise UsageError("Give one of --prepare, --sign-off, --reopen and --list.")
    if because and not reopen:
        raise UsageError("--because says why a month is reopened: it needs --reopen NAME.")
    if reason and not sign:
        raise UsageError("--accept-difference says why a month is signed off: it needs --sign-off NAME.")
    person = prepare or sign or reopen or ""
    if as_of and person:
        raise UsageError("A month is prepared, signed off and reopened as it is known now: leave --as-of away.")
    act = PREPARED if prepare else SIGNED if sign else REOPENED if reopen else ""
    return _list(setting, period, as_of) if show else _check(setting, period, as_of, act, person, reason or because)


def _check(setting: Setting, period: str | None, as_of: str | None, act: str, person: str, reason: str) -> int:
    from finops_kit.decide.close import SIGNED, record_act
    from finops_kit.errors import VerificationFailed
    from finops_kit.perspectives.closing import check_month, close_acts, rates_not_used
    from finops_kit.perspectives.read import open_basis

    with open_basis(setting.workspace.root, as_of, period=period or "") as basis:
        check = check_month(basis)
        acts, late = close_acts(basis, check.month), rates_not_used(basis, check.month)
    recorded = None
    if not setting.json:
        _show(check)
        for said in late:
            click.echo(said)
    if act:
        recorded = record_act(setting.workspace, check, act, person, reason, acts)
    if setting.json:
        print_json({
            "month": f"{check.month:%Y-%m}", "store_version": check.store_version, "ledger_head": check.ledger_head,
            "grand_total": format(check.grand_total, "f"), "currency": check.currency,
            "accounts": [account.as_dict() for account in check.accounts], "open": len(check.differences),
            "with_register": check.with_register, "recorded": recorded, "rates_not_used": late,
        })  # fmt: skip
    elif recorded:
        click.echo(f"{check.month:%Y-%m} {recorded['act']} by {recorded['person']} at store version "
                   f"{check.store_version}; it stands in the ledger.")  # fmt: skip
    return VerificationFailed.exit_code if check.differences and act != SIGNED else 0


def _show(check: Any) -> None:
    from finops_kit.cli.tables import text_table
    from finops_kit.value.settle import to_cents

    rows = [
        [one.provider, one.billing_account_id, one.currency, f"{one.files:,.2f}", f"{one.stored:,.2f}",
         "" if one.invoiced is None else f"{one.invoiced:,.2f}", f"{to_cents(one.difference) + 0:,}",
         "agrees" if not one.reasons else "open"]
        for one in check.accounts
    ]  # fmt: skip
    headers = ["provider", "account", "currency", "files", "store", "invoice", "difference", "state"]
    click.echo(text_table(headers, rows, widest=60))
    for one in check.differences:
        click.echo(f"{one.provider} {one.billing_account_id}: {'; '.join(one.reasons)}.")
        for line in one.lines:
            amount = "" if line["amount"] is None else f"  {one.currency} {line['amount']:,.2f}"
            click.echo(f"  {line['what']}{'  ' + line['where'] if line['where'] else ''}{amount}")
    if not check.with_register:
        click.echo("No invoice of the month is registered: the store was held against the files alone. "
                   "`finops ingest invoices.csv` adds the register.")  # fmt: skip
    agree = len(check.accounts) - len(check.differences)
    click.echo(f"{check.month:%Y-%m}: {agree} of {len(check.accounts)} accounts agree; the month's effective cost is "
               f"{check.currency} {check.grand_total:,.2f} at store version {check.store_version}.")  # fmt: skip


def _list(setting: Setting, period: str | None, as_of: str | None) -> int:
    from finops_kit.cli.tables import text_table
    from finops_kit.perspectives.closing import closed_rows, rates_not_used
    from finops_kit.perspectives.read import open_basis
    from finops_kit.perspectives.words import count
    from finops_kit.store.door import jsonable

    with open_basis(setting.workspace.root, as_of, period=period or "") as basis:
        rows, late = closed_rows(basis), rates_not_used(basis)
    rows = [row for row in rows if not period or f"{row['month']:%Y-%m}" == period]
    if setting.json:
        print_json(jsonable(rows))
        return 0
    if not rows:
        click.echo("No month is signed off yet; `finops close --period YYYY-MM` checks one.")
        return 0
    shown = [
        [f"{row['month']:%Y-%m}", row["provider"], row["billing_account_id"], row["BillingCurrency"],
         "" if row["closed"] is None else f"{row['closed']:,.2f}", f"{row['now']:,.2f}", f"{row['changed']:,.2f}",
         row["state"], row["signed_by"], f"{row['signed_at']:%Y-%m-%d %H:%M}", row["store_version"]]
        for row in rows
    ]  # fmt: skip
    headers = ["month", "provider", "account", "currency", "as closed", "now", "changed", "state", "signed off by",
               "at", "version"]  # fmt: skip
    click.echo(text_table(headers, shown, widest=40))
    changed = {row["month"] for row in rows if row["state"] != "unchanged"}
    months = len({row["month"] for row in rows})
    click.echo(f"{count(months, 'month')} closed, {len(changed) or 'none'} changed since.")
    for said in late:
        click.echo(said)
    return 0
