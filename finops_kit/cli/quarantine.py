"""``finops quarantine``: the rows that could not be stored, why, and how they come in after all."""

from __future__ import annotations

from pathlib import Path

import click

from finops_kit.cli.common import Setting, as_of_option, finops_command, print_json

EPILOG = """\b
Examples:
  finops quarantine                                   what waits, by batch, column and reason
  finops quarantine --rows --batch b000012-1a2b3c4d   the rows themselves
  finops quarantine --export rows.csv                 raw rows with batch, row and reason, as CSV
  finops quarantine --replay b000012-1a2b3c4d --mapping saas.yaml

\b
A replay is a new batch that names the rows it brings again. They add to the delivery that lacked them. What it stores
is no longer open; what still cannot be stored waits under the replay's batch. Rows are closed as well when their whole
file is taken in again under a corrected mapping, or a newer delivery takes their delivery's place. Nothing is deleted.
"""


@finops_command("quarantine", epilog=EPILOG)
@click.option("--batch", metavar="ID", default="", help="Only rows of this batch.")
@click.option("--file", "file_name", metavar="NAME", default="", help="Only rows of this file, as it was named.")
@click.option("--all", "everything", is_flag=True, help="Rows that no longer wait as well.")
@click.option("--rows", is_flag=True, help="Row by row, not counted by reason.")
@click.option("--export", "target", metavar="FILE", help="Write the raw rows to a new CSV file.")
@click.option("--replay", "replayed", metavar="ID", help="Take the open rows of this batch in again.")
@click.option("--mapping", metavar="FILE", help="With --replay: the corrected mapping.")
@click.option("--format", "format_name", metavar="NAME", help="With --replay: the format. Default: the batch's own.")
@click.option("--actor", metavar="NAME", help="With --replay: who does it, for the ledger.")
@as_of_option
def command(
    setting: Setting, batch: str, file_name: str, everything: bool, rows: bool, target: str | None,
    replayed: str | None, mapping: str | None, format_name: str | None, actor: str | None, as_of: str | None,
) -> int:  # fmt: skip
    """List, export and replay the rows that could not be stored."""
    if replayed:
        if as_of:
            from finops_kit.errors import UsageError

            raise UsageError("A replay brings rows in now; it takes no --as-of.")
        return _replay(setting, replayed, mapping, format_name, actor)
    from finops_kit.cli.tables import tail, text_table
    from finops_kit.store import open_reader
    from finops_kit.store.held import held_groups, held_rows

    with open_reader(setting.workspace, as_of) as reader:
        groups = [
            one for one in held_groups(reader.connection, everything)
            if batch in ("", one["batch_id"]) and file_name in ("", one["source_file"])
        ]  # fmt: skip
        found = held_rows(reader.connection, batch, file_name, everything) if rows or target else []
    if target:
        _export(found, Path(target))
    if setting.json:
        print_json({"quarantine": found if rows else groups, "exported": target})
    elif rows:
        shown = [
            [r["batch_id"], r["source_row"], r["column_name"] or "", r["reason"], tail(r["raw"], 60)] for r in found
        ]
        click.echo(text_table(["batch", "row", "column", "reason", "raw"], shown, widest=100))
    elif groups:
        shown = [
            [g["batch_id"], tail(g["source_file"], 60), g["column_name"] or "(the row)", g["reason"], g["first_row"],
             g["rows"], g["closed"]]
            for g in groups
        ]  # fmt: skip
        click.echo(text_table(["batch", "file", "column", "reason", "first row", "rows", "closed"], shown, widest=100))
        if any(g["rows"] > g["closed"] for g in groups):
            click.echo("With values: finops quarantine --rows. What is mended: finops quarantine --replay BATCH, with "
                       "--mapping FILE where a mapping read it.")  # fmt: skip
    else:
        click.echo("Nothing waits in quarantine.")
    if target and not setting.json:
        click.echo(f"{len(found)} raw rows written to {target}.")
    return 0


def _export(found: list[dict[str, object]], target: Path) -> None:
    from finops_kit.errors import UsageError
    from finops_kit.ingest.replay import write_raw

    try:
        with target.open("x", encoding="utf-8", newline="") as out:
            write_raw(found, out)
    except FileExistsError as error:
        raise UsageError(f"{target} exists already. Name a new file.") from error
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror or error}.") from error


def _replay(setting: Setting, batch: str, mapping: str | None, format_name: str | None, actor: str | None) -> int:
    from finops_kit.ingest.replay import replay

    one = replay(setting.workspace, batch, mapping=mapping, format=format_name, actor=actor)
    if setting.json:
        print_json(one.as_dict())
    elif one.status != "refused":
        click.echo(f"{one.status}: {one.rows_stored} of {one.rows_read} rows stored as batch {one.batch_id}, "
                   f"{one.rows_quarantined} still wait.")  # fmt: skip
    if one.status == "refused":
        click.echo(f"Error: {one.reason}", err=True)
    return 3 if one.status == "refused" else 0
