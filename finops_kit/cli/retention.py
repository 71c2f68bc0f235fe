"""``finops retention``: what is kept until when, what is due, and which hold stands against it."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from finops_kit.cli.common import Setting, as_of_option, finops_command, print_json

EPILOG = """\b
Examples:
  finops retention
  finops retention --on 2037-01-01              what would be due on that day
  finops retention --json

\b
Years and legal holds stand in workspace.toml; docs/ledger.md says how. Nothing is deleted: the store only adds.
"""


@finops_command("retention", epilog=EPILOG)
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="The day it is asked for. Default: today.")
@as_of_option
def command(setting: Setting, on: datetime | None, as_of: str | None) -> None:
    """List, by table and year of recording, until when data must be kept, what is due and what is held."""
    from finops_kit.cli.tables import size, text_table
    from finops_kit.store import open_reader
    from finops_kit.store.retention import retention_report

    day = on.date() if on else datetime.now(UTC).date()
    with open_reader(setting.workspace, as_of, views=False) as reader:
        lines = retention_report(reader, day)
    if setting.json:
        print_json({"on": day.isoformat(), "lines": [line.as_dict() for line in lines]})
        return
    headers = ["table", "year", "batches", "size", "years", "kept until", "due", "held by"]
    rows = [
        [line.table, line.year, line.batches, size(line.bytes), line.years, line.kept_until,
         "yes" if line.due else "", ", ".join(line.holds)]
        for line in lines
    ]  # fmt: skip
    click.echo(text_table(headers, rows))
    due = [line for line in lines if line.due]
    click.echo(f"On {day}: {len(due)} of {len(lines)} are due. Nothing is deleted by this command or any other.")
