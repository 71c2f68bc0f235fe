"""``finops compact``: merge the small files of many batches, by a recorded act that keeps every old one."""

from __future__ import annotations

import click

from finops_kit.cli.common import Setting, finops_command, print_json

EPILOG = """\b
Examples:
  finops compact                          what would be merged; nothing is done
  finops compact --no-dry-run             once a week, say, where many small files come in

\b
Figures stay the same at every version: the old files stay where they are, earlier versions read them, and finops
verify still holds each against its ledger entry, and the rows of the new ones against theirs.
"""


@finops_command("compact", epilog=EPILOG)
@click.option("--dry-run/--no-dry-run", default=True, show_default=True, help="Only say what would be merged.")
@click.option("--fewest", type=click.IntRange(min=2), default=16, show_default=True, metavar="N",
              help="Leave a table and year alone that has fewer small files than this.")  # fmt: skip
@click.option("--actor", metavar="NAME", help="Who does it, for the ledger. Default: the user.")
def command(setting: Setting, dry_run: bool, fewest: int, actor: str | None) -> None:
    """Write the rows of many small files once more in few, so that questions open few files."""
    from finops_kit.cli.tables import size, text_table
    from finops_kit.store.compact import compact

    done = compact(setting.workspace, actor=actor, dry_run=dry_run, fewest=fewest)
    if setting.json:
        print_json(done)
        return
    if not done["merged"]:
        click.echo(f"Nothing to merge: no table has {fewest} small files of one year.")
        return
    rows = [[m["table"], m["year"], m["batches"], m["files"], size(m["bytes"]), m["rows"]] for m in done["merged"]]
    click.echo(text_table(["table", "year", "batches", "files", "size", "rows"], rows))
    if done["entry"] is None:
        click.echo("Nothing was done; --no-dry-run merges.")
    else:
        click.echo(f"Merged by ledger entry {done['entry']}. The old files stay, for earlier versions and the proof.")
