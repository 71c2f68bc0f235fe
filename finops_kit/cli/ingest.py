"""``finops ingest``: take files into the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from finops_kit.cli.common import Setting, finops_command, print_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from finops_kit.ingest import FileReport, IngestReport

EPILOG = """\b
Examples:
  finops ingest bill.csv                          what it is, is found out
  finops ingest bills/2026-*.parquet cmdb.csv     several at once
  finops ingest exports/                          every file in a folder
  finops ingest --format aws-cur cur.csv.gz       say it yourself
  finops ingest saas.csv --mapping saas.yaml      any other bill, by a mapping that you write (docs/mappings.md)
  finops ingest --encoding gb18030 bill.csv       a text that is not UTF-8; a byte order mark says it by itself
  finops ingest exports.tar.gz 'bills/**/*.csv'   archives and patterns
  finops ingest 's3://bills/cur/**/*.csv.gz'      object storage: s3://, az://, gs:// (docs/live.md)
  az graph query -q Resources | finops ingest -   what comes in on stdin
  finops ingest --json bill.csv                   the result for a program
  finops ingest --follow exports/                 take in what comes, until Ctrl-C

\b
Formats: focus-1.0 to focus-1.4, aws-cur, kubernetes (kubectl get ... -o json), rvtools, aws-inventory
  (describe-* JSON), azure-inventory, gcp-inventory, servicenow, inventory, cmdb, assets, budgets,
  metrics, contracts, exchange-rates, invoices, price-lists, tag-rules (docs/tags.md).

\b
Exit codes: 0 nothing was refused, 3 a file was refused (the others are stored). In a folder, a file of no known
format is passed over with a sentence and refuses nothing.
"""


#: of more refusals than these only the number is said
REFUSALS_SHOWN = 20


@finops_command("ingest", epilog=EPILOG)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--format", "format_name", metavar="NAME", help="The format, where it should not be found out.")
@click.option("--mapping", metavar="FILE", help="A YAML file that says what the columns mean.")
@click.option("--encoding", metavar="NAME", help="What texts without a byte order mark are written in: gb18030 ...")
@click.option("--actor", metavar="NAME", help="Who takes them in, for the ledger. Default: the user who runs this.")
@click.option("--newest", is_flag=True, help="Take a bill as the newest of its periods even where it looks older.")
@click.option("--adds", is_flag=True, help="Add files to their periods, in place of nothing: each holds some days.")
@click.option("--follow", "watching", is_flag=True, help="Watch folders and take in what comes, until stopped.")
@click.option("--interval", type=float, default=5.0, show_default=True, metavar="SECONDS",
              help="With --follow: the time between two looks.")  # fmt: skip
def command(
    setting: Setting, paths: tuple[str, ...], format_name: str | None, mapping: str | None, encoding: str | None,
    actor: str | None, newest: bool, adds: bool, watching: bool, interval: float,
) -> int:  # fmt: skip
    """Take bills, inventories and business figures into the store.

    Each file is one batch: stored whole with its ledger entry, or refused with a sentence and the store as it
    was. Rows that cannot be stored go to quarantine with their reason. A file seen before adds nothing. A newer
    delivery of a billing period becomes the current one; the older stays. A draft that comes after its final
    bill, or less of a month after more of it, is stored and never counts; --newest takes it all the same. Files that
    each hold some days of a period take each other's place; --adds adds them up. One of those that comes again,
    corrected, takes its own place; where that cannot be told it is refused, and --adds --newest decides it.
    """
    from finops_kit.cli.progress import Progress
    from finops_kit.ingest import ingest_paths

    _check_format(format_name)
    if watching and (newest or adds):
        given = "--newest" if newest else "--adds"
        raise click.UsageError(f"{given} takes files that are named; --follow takes what comes. Give one of them.")
    if watching:
        return _follow(setting, paths, format_name, mapping, encoding, actor, interval)
    with Progress("", setting) as tell:
        report = ingest_paths(
            setting.workspace,
            list(paths),
            format=format_name,
            mapping=mapping,
            encoding=encoding,
            actor=actor,
            newest=newest,
            adding=adds,
            progress=tell,
        )
    return conclude(setting, report)


def conclude(setting: Setting, report: IngestReport) -> int:
    """Show what became of all files, for people or as JSON; the exit code."""
    if setting.json:
        print_json(report.as_dict())
    else:
        show(report)
    tell_refusals(report)
    return 3 if report.refused else 0


def teller(setting: Setting, refused: list[str]) -> Callable[[FileReport], None]:
    """What says each file or batch as it comes: a line each, or a JSON object a line; refusals are kept as well."""
    import json

    def tell(one: FileReport) -> None:
        if one.status == "refused":
            refused.append(one.reason)
        if setting.json:
            click.echo(json.dumps(one.as_dict(), ensure_ascii=False))
        elif one.status == "refused":
            click.echo(f"{'Error' if one.format or not one.walked else 'Passed over'}: {one.reason}", err=True)
        else:
            rows = f"{one.rows_stored:,} rows stored, {one.rows_quarantined:,} quarantined"
            said = "; ".join(part for part in (rows if one.status == "stored" else "", one.reason) if part)
            click.echo(f"{one.status}  {one.path}  {said}")

    return tell


def _follow(
    setting: Setting, paths: tuple[str, ...], format_name: str | None, mapping: str | None, encoding: str | None,
    actor: str | None, interval: float,
) -> int:  # fmt: skip
    """Watch until a signal; the file under way is finished, a second signal breaks it off."""
    from finops_kit.cli.common import until_signal
    from finops_kit.ingest.follow import follow

    with until_signal() as stop:
        if not setting.quiet:
            click.echo(f"Watching {', '.join(paths)}; Ctrl-C stops.", err=True)
        said = {"format": format_name, "mapping": mapping, "encoding": encoding, "actor": actor}
        follow(setting.workspace, paths, teller(setting, []), stop, interval=interval, **said)
    return 0


def _check_format(name: str | None) -> None:
    if not name:
        return
    import difflib

    from finops_kit.errors import UsageError
    from finops_kit.sources import FORMATS

    if name not in FORMATS:
        close = difflib.get_close_matches(name, list(FORMATS), n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise UsageError(f"There is no format {name!r}.{hint} The formats are {', '.join(FORMATS)}.")


def show(report: IngestReport) -> None:
    """The result for people: one line a file, then the sum."""
    from finops_kit.cli.tables import money, tail, text_table

    rows = [
        [tail(str(file.path), 80), file.format or "", file.status, file.rows_read, file.rows_stored,
         file.rows_quarantined, money(file.control_totals)]
        for file in report.files
        if file.status != "refused"
    ]  # fmt: skip
    if rows:
        headers = ["file", "format", "status", "read", "stored", "quarantined", "BilledCost"]
        click.echo(text_table(headers, rows, widest=100))
    statuses = [file.status for file in report.files]
    counted = ", ".join(f"{statuses.count(s)} {s}" for s in ("stored", "unchanged", "refused") if s in statuses)
    click.echo(f"{counted}; the store is at version {report.store_version}.")
    told = [file for file in report.files if file.status == "stored" and file.reason]
    out = [file for file in report.files if file.status == "unchanged" and file.counts is False]
    told += out if len(out) == 1 else []
    for file in told[:REFUSALS_SHOWN]:
        click.echo(f"{tail(str(file.path), 80)}: {file.reason}.")
    if len(told) > REFUSALS_SHOWN:
        click.echo(f"{len(told) - REFUSALS_SHOWN} more files have a remark; --json says it of all.")
    if len(out) > 1:
        click.echo(f"{len(out)} files that were stored before do not count now: finops status --deliveries says why.")
    if any(file.rows_quarantined for file in report.files):
        click.echo("Quarantined rows: finops quarantine")


def tell_refusals(report: IngestReport) -> None:
    """Every refused file in a sentence on stderr; of very many the first."""
    refused = [file for file in report.files if file.status == "refused"]
    for file in refused[:REFUSALS_SHOWN]:
        click.echo(f"{'Error' if file in report.refused else 'Passed over'}: {file.reason}", err=True)
    if len(refused) > REFUSALS_SHOWN:
        click.echo(f"Error: {len(refused) - REFUSALS_SHOWN} more files were refused; --json lists all.", err=True)
