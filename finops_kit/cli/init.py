"""``finops init``: make an empty store."""

from __future__ import annotations

import click

from finops_kit.cli.common import Setting, finops_command, print_json

EPILOG = """\b
Examples:
  finops init                                     in data/workspace, pages in EUR
  finops init --currency USD
  finops init --workspace /srv/finops/house

\b
Next: finops ingest YOUR-BILL.csv
"""


@finops_command("init", epilog=EPILOG)
@click.option("--currency", metavar="CODE", help="ISO 4217 code that pages report in. Default: EUR.")
def command(setting: Setting, currency: str | None) -> None:
    """Make an empty store in the workspace.

    A store that is there already is left exactly as it is; running it twice does no harm.
    """
    from finops_kit.errors import UsageError
    from finops_kit.store import create_store
    from finops_kit.store.schema import read_settings

    workspace = setting.workspace
    made = create_store(workspace, currency)
    kept = read_settings(workspace).currency
    if currency and kept != currency:
        raise UsageError(
            f"The store in {workspace.root} reports in {kept} and was left so. "
            "Use another --workspace for another currency."
        )
    if setting.json:
        print_json({"workspace": str(workspace.root), "created": made, "currency": kept})
        return
    click.echo(f"{'Made' if made else 'There is already'} a store in {workspace.root} (pages in {kept}).")
    click.echo("Next: finops ingest YOUR-BILL.csv, or finops demo to see a whole house first.")
