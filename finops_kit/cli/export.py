"""``finops export``: hand the data on."""

from __future__ import annotations

import click

from finops_kit.cli.common import Setting, as_of_option, finops_command, period_option, print_json

EPILOG = """\b
Examples:
  finops export focus --out focus.parquet                    every current charge, FOCUS 1.2
  finops export focus --out 2026-03.csv.gz --period 2026-03
  finops export focus --out old.parquet --focus-version 1.0 --as-of 42

\b
The sums of the file are read back and held against the store before it takes its name.
"""


@finops_command("export", epilog=EPILOG)
@click.argument("dataset", metavar="focus", type=click.Choice(["focus"]))
@click.option(
    "--out", required=True, metavar="FILE", help="A .parquet, .csv or .csv.gz file. One that is there is replaced."
)
@click.option("--focus-version", type=click.Choice(["1.2", "1.0"]), default="1.2", show_default=True,
              help="The FOCUS version whose columns are written.")  # fmt: skip
@period_option("Only the charges of one billing month.")
@as_of_option
def command(
    setting: Setting, dataset: str, out: str, focus_version: str, period: str | None, as_of: str | None
) -> None:
    """Write the current charges as a strict FOCUS data set.

    Exactly the columns of one FOCUS version, in its order: text as text, numbers as decimals, times in UTC, tags
    and price details as JSON text.
    """
    from finops_kit.cli.progress import Progress
    from finops_kit.cli.tables import plain_amount, size
    from finops_kit.store.export import export_focus

    with Progress(f"export {dataset}", setting) as tell:
        done = export_focus(setting.workspace, out, focus_version, as_of, period, progress=tell)
    if setting.json:
        print_json(done.as_dict())
        return
    click.echo(
        f"{done.path}: {done.rows:,} charges in FOCUS {done.focus_version}, {size(done.bytes)}, "
        f"store version {done.store_version}."
    )
    for currency, total in done.control_totals.items():
        click.echo(f"BilledCost {plain_amount(total)} {currency}, the same in the store and in the file.")
