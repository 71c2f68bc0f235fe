"""``finops prices``: what is new in the price catalogue, and whose unit price moved."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from finops_kit.cli.common import Setting, as_of_option, finops_command, period_option, print_json

if TYPE_CHECKING:
    from finops_kit.perspectives.price_changes import PriceChanges

EPILOG = """\b
Examples:
  finops prices                                   of the latest complete month
  finops prices --new --period 2026-03            SKUs that no bill had before, or not the month before
  finops prices --changed --since 2026-01-01      every price that moved since then
  finops prices --changed --lines 5               with the first source lines at the new price
  finops prices --limit 0 --json                  all of it, for a program

\b
A change has a day where the bills say it: the first that bills the SKU, or bills it at another price than the last
day before. `cost` is the SKU's EffectiveCost of the month, `effect` what a moved price changed in it. The same changes
stand on the procurement page. Usage that a commitment covers, corrections and refunds say no price.
"""


@finops_command("prices", epilog=EPILOG)
@click.option("--new", "new", is_flag=True, help="Only SKUs that are new on the bills, or came back.")
@click.option("--changed", "changed", is_flag=True, help="Only unit prices that moved, negotiated or listed.")
@period_option("The month, or with --since the last one. Default: the latest complete month with data.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD",
              help="Every month from this day on, and only what changed then.")  # fmt: skip
@as_of_option
@click.option("--scope", default="", metavar="WORD=MEMBER,...", help="Only a part, such as service=payments,team=core.")
@click.option("--currency", default="", metavar="CODE", help="Another currency for cost and effect.")
@click.option("--lines", type=click.IntRange(0), default=1, show_default=True, metavar="N",
              help="How many source lines of each change to name.")  # fmt: skip
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True, metavar="N",
              help="How many changes to print; 0 is all of them.")  # fmt: skip
def command(
    setting: Setting, new: bool, changed: bool, period: str | None, since: datetime | None, as_of: str | None,
    scope: str, currency: str, lines: int, limit: int,
) -> None:  # fmt: skip
    """List new SKUs and unit prices that moved, with their day, their cost and the lines that say so."""
    from finops_kit.cli.progress import Progress
    from finops_kit.perspectives.price_changes import KINDS, read_price_changes
    from finops_kit.store import open_reader

    kinds = [kind for kind, wanted in (("new", new), ("changed", changed)) if wanted] or list(KINDS)
    with Progress("prices", setting) as tell, open_reader(setting.workspace, as_of) as reader:
        tell("comparing unit prices")
        day = since.date() if since else None
        found = read_price_changes(reader, period or "", day, scope, currency, kinds, lines)
        version = reader.version
    shown = found.rows[:limit] if limit else found.rows
    if setting.json:
        from finops_kit.store.door import jsonable

        print_json({
            "months": found.months, "since": f"{since:%Y-%m-%d}" if since else None, "currency": found.currency,
            "store_version": version, "count": len(found.rows), "shown": len(shown), "notes": found.notes,
            "changes": jsonable(shown),
        })  # fmt: skip
        return
    _show(found, shown, kinds)
    click.echo(f"Store version {version}.")


def _show(found: PriceChanges, shown: list[dict[str, Any]], kinds: list[str]) -> None:
    from finops_kit.cli.tables import tail, text_table

    span = found.months[0] if len(found.months) == 1 else f"{found.months[0]} to {found.months[-1]}"
    rows = [
        [one["change"], f"{one['since']:%Y-%m-%d}" if one["since"] else f"{one['month']} (day not known)",
         one["provider"], _accounts(one), one["sku"], one["described"], _price(one["price_before"]),
         _price(one["price_now"]),
         f"{one['billing_currency']} / {one['unit'] or 'unit'}",
         f"{one['moved_pct']:+.1f} %" if one["moved_pct"] is not None else "", _money(one["cost"]),
         _money(one["effect"])]
        for one in shown
    ]  # fmt: skip
    if rows:
        headers = ["change", "since", "provider", "account", "SKU", "what it is", "before", "now", "a unit", "moved",
                   f"cost {found.currency}", "effect"]  # fmt: skip
        click.echo(text_table(headers, rows, widest=40))
        for one in shown:
            for line in one["source_lines"]:
                click.echo(f"{one['sku']}: {tail(line['source_file'], 60)} row {line['source_row']}, {line['day']}, "
                           f"{_price(line['quantity'])} {line['unit'] or ''} for "
                           f"{_price(line['contracted_cost'])} {one['billing_currency']}")  # fmt: skip
    if len(found.rows) > len(shown):
        click.echo(f"... and {len(found.rows) - len(shown):,} more changes; --limit 0 shows all.")
    for note in found.notes:
        click.echo(note)
    click.echo(_sum(found, kinds, span))


def _sum(found: PriceChanges, kinds: list[str], span: str) -> str:
    """What all of it is worth, in a sentence."""
    from finops_kit.perspectives.price_changes import KINDS

    said = []
    for kind, singular, plural in (("new", "new SKU", "new SKUs"), ("changed", "price moved", "prices moved")):
        if kind not in kinds:
            continue
        rows = [one for one in found.rows if one["change"] in KINDS[kind]]
        money = sum(one["cost"] or 0 for one in rows)
        text = f"{len(rows)} {singular if len(rows) == 1 else plural}"
        if rows:
            text += f", with {_money(money)} {found.currency} of cost"
            effects = [one["effect"] for one in rows if one["effect"] is not None]
            text += f" ({sum(effects):+,.2f} by the price)" if effects else ""
        said.append(text)
    return f"{span}: {'; '.join(said)}."


def _accounts(one: dict[str, Any]) -> str:
    accounts = one["accounts"]
    named = [f"{a['account']} ({a['name']})" if a["name"] and a["name"] != a["account"] else str(a["account"])
             for a in accounts[:1]]  # fmt: skip
    return "".join(named) + (f" +{len(accounts) - 1}" if len(accounts) > 1 else "")


def _price(value: Any) -> str:
    from decimal import Decimal

    from finops_kit.cli.tables import plain_amount

    if value is None:
        return ""
    return plain_amount(value) if isinstance(value, Decimal) else f"{value:.8g}"


def _money(value: Any) -> str:
    return "" if value is None else f"{value:,.2f}"
