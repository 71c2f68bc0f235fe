"""``finops status``: what is in the store, and how old it is."""

from __future__ import annotations

import click

from finops_kit.cli.common import Setting, as_of_option, finops_command, print_json

EPILOG = """\b
Examples:
  finops status
  finops status --json
  finops status --deliveries                   which delivery of each bill is current, and why
  finops status --as-of 2026-03-31
"""


@finops_command("status", epilog=EPILOG)
@click.option("--deliveries", is_flag=True, help="Say of each account and period which delivery is current, and why.")
@as_of_option
def command(setting: Setting, as_of: str | None, deliveries: bool) -> None:
    """Say what the store holds: sources, deliveries, rows, quarantine, ages.

    `current` counts the deliveries that pages read, `older` those that a newer delivery of the same period
    replaced; they stay, and are what an earlier --as-of sees.
    """
    if deliveries:
        _deliveries(setting, as_of)
        return
    from finops_kit.cli.tables import age, size, text_table
    from finops_kit.store.door import jsonable
    from finops_kit.store.summary import summarize

    status = summarize(setting.workspace, as_of)
    if setting.json:
        print_json(jsonable(status.as_dict()))
        return
    click.echo(f"Workspace     {status.workspace}")
    click.echo(f"Store         version {status.store_version} of {status.version_time:%Y-%m-%d %H:%M:%S} UTC, "
               f"pages in {status.currency}")  # fmt: skip
    click.echo(f"Ledger        {status.ledger_entries:,} entries, head {status.ledger_head[:16]}")
    open_rows = _open_rows(setting, as_of) if status.rows_quarantined else 0
    waits = f", of which {open_rows:,} still wait" if status.rows_quarantined else ""
    click.echo(f"Rows          {status.rows_stored:,} stored, {status.rows_quarantined:,} quarantined{waits}")
    click.echo(f"On disk       {size(status.data_bytes)} in {status.data_files:,} data files, "
               f"catalogue {size(status.catalogue_bytes)}")  # fmt: skip
    last = f", last {age(status.last_report)}" if status.last_report else ""
    click.echo(f"Report runs   {status.report_runs:,}{last}")
    click.echo("")
    if not status.sources:
        click.echo("Nothing has been taken in yet. Next: finops ingest YOUR-BILL.csv, or finops demo.")
        return
    rows = [
        [s.dataset, s.source, s.current, s.superseded, s.batches, f"{s.rows:,}", s.quarantined,
         f"{s.covers_until:%Y-%m-%d %H:%M}" if s.covers_until else "", age(s.covers_until), age(s.recorded_at)]
        for s in status.sources
    ]  # fmt: skip
    headers = ["what", "source", "current", "older", "batches", "rows", "quarantined", "covers until", "age", "learned"]
    click.echo(text_table(headers, rows))
    _attention(setting, as_of)


def _open_rows(setting: Setting, as_of: str | None) -> int:
    from finops_kit.store import open_reader
    from finops_kit.store.held import held_groups

    with open_reader(setting.workspace, as_of) as reader:
        return sum(one["rows"] for one in held_groups(reader.connection))


def _attention(setting: Setting, as_of: str | None) -> None:
    """Say that bills wait or came late, where they do."""
    from finops_kit.store import open_reader
    from finops_kit.store.explain import count_attention

    with open_reader(setting.workspace, as_of) as reader:
        found = count_attention(reader.connection)
    said = [
        f"{found['waiting']:,} {'bill waits' if found['waiting'] == 1 else 'bills wait'} for parts of the report",
        f"{found['late']:,} came after a newer one and {'does' if found['late'] == 1 else 'do'} not count",
    ]
    told = " and ".join(one for one, name in zip(said, ("waiting", "late"), strict=True) if found[name])
    if told:
        click.echo(f"\n{told}: finops status --deliveries says which, since when, and what to do.")


def _deliveries(setting: Setting, as_of: str | None) -> None:
    from finops_kit.cli.tables import text_table
    from finops_kit.store import open_reader
    from finops_kit.store.explain import as_json, explain_deliveries

    with open_reader(setting.workspace, as_of) as reader:
        told = explain_deliveries(reader.connection)
    if setting.json:
        print_json({"deliveries": as_json(told)})
    elif told:
        rows = [[one.dataset, one.source, one.account, f"{one.period:%Y-%m}", f"{one.rows:,}", one.why] for one in told]
        click.echo(text_table(["what", "source", "account", "period", "rows", "why"], rows, widest=280))
        todo = [one for one in told if one.todo]
        if todo:
            click.echo("\nTo look at:")
        for one in todo:
            click.echo(f"  {one.dataset} {one.source} {one.account} {one.period:%Y-%m}: {one.todo}")
    else:
        click.echo("No bill has been taken in yet. Next: finops ingest YOUR-BILL.csv, or finops demo.")
