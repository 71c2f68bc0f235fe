"""``finops retention``: what is kept until when, what is due, what a hold keeps, and how what is due expires."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from finops_kit.cli.common import Setting, as_of_option, finops_command, print_json

EPILOG = """\b
Examples:
  finops retention
  finops retention --on 2037-01-01              what would be due on that day
  finops retention --json
  finops retention expire --class vouchers --before 2018-01-01            what would go; nothing is done
  finops retention expire --class vouchers --before 2018-01-01 --no-dry-run --reason "retention schedule 7"

\b
Years and legal holds stand in workspace.toml; docs/ledger.md says how. Expiry takes whole batches that are past their
years and under no hold. The ledger entry that says so comes first, the files go after it, and the proof stays.
"""


@finops_command("retention", epilog=EPILOG)
@click.argument("action", metavar="[expire]", required=False, type=click.Choice(["expire"]))
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="The day it is asked for. Default: today.")
@click.option("--class", "retention_class", metavar="NAME", help="expire: books, vouchers, letters or measurements.")
@click.option("--before", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY",
              help="expire: only what was recorded before this day.")  # fmt: skip
@click.option("--dry-run/--no-dry-run", default=True, show_default=True, help="expire: only say what would go.")
@click.option("--reason", default="", metavar="TEXT", help="expire: why, for the ledger.")
@click.option("--actor", metavar="NAME", help="expire: who does it, for the ledger. Default: the user.")
@as_of_option
def command(
    setting: Setting, action: str | None, on: datetime | None, retention_class: str | None, before: datetime | None,
    dry_run: bool, reason: str, actor: str | None, as_of: str | None,
) -> None:  # fmt: skip
    """List, by table and year of recording, until when data must be kept, what is due and held; let it expire."""
    from finops_kit.errors import UsageError

    if action == "expire":
        if not retention_class or before is None:
            raise UsageError("Say what expires: --class books, vouchers, letters or measurements, and --before DAY.")
        if as_of or (on and not dry_run):
            raise UsageError("Expiry is done now: it takes no --as-of, and --on only to look ahead.")
        _expire(setting, retention_class, before, on, dry_run, reason, actor)
        return
    _list(setting, on, as_of)


def _list(setting: Setting, on: datetime | None, as_of: str | None) -> None:
    from finops_kit.cli.tables import size, text_table
    from finops_kit.store import open_reader
    from finops_kit.store.retention import retention_report

    day = on.date() if on else datetime.now(UTC).date()
    with open_reader(setting.workspace, as_of, views=False) as reader:
        lines = retention_report(reader, day)
    if setting.json:
        print_json({"on": day.isoformat(), "lines": [line.as_dict() for line in lines]})
        return
    headers = ["table", "year", "batches", "size", "years", "kept until", "due", "held by", "never, because"]
    rows = [
        [line.table, line.year, line.batches, size(line.bytes), line.years, line.kept_until,
         "yes" if line.due else "", ", ".join(line.holds), line.stays]
        for line in lines
    ]  # fmt: skip
    click.echo(text_table(headers, rows))
    due = [line for line in lines if line.due]
    click.echo(f"On {day}: {len(due)} of {len(lines)} are due. This only lists; `finops retention expire` acts.")


def _expire(
    setting: Setting, retention_class: str, before: datetime, on: datetime | None, dry_run: bool, reason: str,
    actor: str | None,
) -> None:  # fmt: skip
    from finops_kit.cli.tables import size, text_table
    from finops_kit.store.expire import expire

    done = expire(
        setting.workspace, retention_class, before.date(), reason=reason, actor=actor, dry_run=dry_run,
        today=on.date() if on else None,
    )  # fmt: skip
    if setting.json:
        print_json(done.as_dict())
        return
    if done.batches:
        headers = ["batch", "table", "recorded", "kept until", "rows", "files"]
        rows = [[b["batch_id"], b["table"], b["recorded_on"], b["kept_until"], b["rows"], len(b["files"])]
                for b in done.batches]  # fmt: skip
        click.echo(text_table(headers, rows))
    for held in done.held:
        click.echo(f"Held by {held['hold']}: {held['table']} of {held['batch_id']} stays.")
    files = sum(len(batch["files"]) for batch in done.batches)
    if done.entry is not None:
        click.echo(f"Expired by ledger entry {done.entry}: {files} files, {size(done.bytes)}; {done.removed} removed.")
    elif dry_run:
        click.echo(f"{files} files, {size(done.bytes)} would go. Nothing was done; --no-dry-run with --reason acts.")
    else:
        click.echo(f"Nothing of the class {retention_class} is due before {before:%Y-%m-%d}.")
