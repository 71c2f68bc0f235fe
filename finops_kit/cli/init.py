"""``finops init``: make an empty store."""

from __future__ import annotations

import click

from finops_kit.cli.common import Setting, finops_command, print_json

EPILOG = """\b
Examples:
  finops init                                     in data/workspace, pages in EUR
  finops init --currency USD
  finops init --workspace /srv/finops/house
  finops init --encrypt                           data files encrypted; the keys lie in the catalogue
  finops init --catalog postgres://finops@db/finops    for a team; `env` takes it from FINOPS_CATALOG

\b
Next: finops ingest YOUR-BILL.csv
"""


@finops_command("init", epilog=EPILOG)
@click.option("--currency", metavar="CODE", help="ISO 4217 code that pages report in. Default: EUR.")
@click.option("--encrypt", is_flag=True, help="Encrypt the data files; whoever has the catalogue can read them.")
@click.option("--catalog", default="", metavar="URL|env", help="A catalogue in PostgreSQL. Default: SQLite here.")
def command(setting: Setting, currency: str | None, encrypt: bool, catalog: str) -> None:
    """Make an empty store in the workspace.

    A store that is there already is left as it is; running it twice does no harm. One that an earlier version
    of finops made gets the tables and columns that it lacks, empty, with a ledger entry that says so.
    """
    from finops_kit.errors import UsageError
    from finops_kit.store import create_store, open_writer
    from finops_kit.store.schema import read_settings

    workspace = setting.workspace
    made = create_store(workspace, currency, encrypt=encrypt, catalogue=catalog)
    kept = read_settings(workspace).currency
    if currency and kept != currency:
        raise UsageError(
            f"The store in {workspace.root} reports in {kept} and was left so. "
            "Use another --workspace for another currency."
        )
    added: list[str] = []
    if not made:
        with open_writer(workspace) as writer:
            added = writer.added
    if setting.json:
        print_json({"workspace": str(workspace.root), "created": made, "added": added, "currency": kept,
                    "encrypted": read_settings(workspace).encrypted})  # fmt: skip
        return
    click.echo(f"{'Made' if made else 'There is already'} a store in {workspace.root} (pages in {kept}).")
    if added:
        click.echo(f"It was of an earlier version of finops; added, as the ledger says: {', '.join(added)}.")
    click.echo("Next: finops ingest YOUR-BILL.csv, or finops demo to see a whole house first.")
