"""``finops verify``: prove that the store is what was put into it."""

from __future__ import annotations

import click

from finops_kit.cli.common import Setting, as_of_option, finops_command, print_json

EPILOG = """\b
Examples:
  finops verify
  finops verify --json
  finops verify --as-of 42
  finops verify --expect-head 1f0c93aa          a ledger head that you kept elsewhere

\b
The chain finds edits, deletions, insertions and reordering. A rewrite of the whole history is found only
against a head that somebody else kept: note the one printed here. Exit codes: 0 sound, 8 something does not fit.
"""


@finops_command("verify", epilog=EPILOG)
@as_of_option
@click.option("--expect-head", metavar="HASH", help="A ledger head, or its beginning, that must be in the chain.")
@click.option("--head", "heads", multiple=True, type=click.Path(exists=True), metavar="FILE",
              help="A signed head that was kept elsewhere, a file or a folder of them; may be repeated.")  # fmt: skip
def command(setting: Setting, as_of: str | None, expect_head: str | None, heads: tuple[str, ...]) -> int:
    """Recompute the ledger's chain, every data file's hash, every count and every sum.

    What does not fit is named: the file or the entry, what was expected, what was found. Leftover files of a
    killed ingest are listed; they belong to no batch and do no harm.
    """
    from finops_kit.cli.progress import Progress
    from finops_kit.cli.tables import size
    from finops_kit.errors import VerificationFailed
    from finops_kit.store.verify import verify

    with Progress("verify", setting) as tell:
        report = verify(setting.workspace, as_of, progress=tell, expected_head=expect_head, heads=heads)
    if setting.json:
        print_json(report.as_dict())
    else:
        click.echo(
            f"Store version {report.store_version}: {report.entries:,} ledger entries, {report.files:,} data files "
            f"({size(report.bytes)}), {report.rows:,} rows, checked in {report.seconds:.1f} s."
        )
        click.echo(f"Ledger head {report.ledger_head or '(empty)'}")
        if report.expired:
            click.echo("What expired by a recorded act is gone; that it was there is proven:")
            for act in report.acts:
                click.echo(
                    f"  ledger entry {act['entry']}: class {act['class']}, by {act['actor']} on "
                    f"{act['recorded_at'][:16].replace('T', ' ')} UTC ({act['reason']}): {act['batches']:,} batches, "
                    f"{act['files']:,} files, {act['rows']:,} rows of {', '.join(act['tables'])}"
                )
        if report.orphans:
            click.echo(
                f"{len(report.orphans)} file(s) belong to no batch (leftovers of a killed ingest or expiry, or one "
                "at work); they are never read:"
            )
            for name in report.orphans[:20]:
                click.echo(f"  {name}")
        click.echo("Everything fits." if report.ok else f"{len(report.findings)} thing(s) do not fit:")
        for finding in report.findings:
            click.echo(f"  {finding}")
    if not report.ok:
        click.echo(f"Error: the store is not what the ledger says: {report.findings[0]}", err=True)
        return VerificationFailed.exit_code
    return 0
