"""``finops restore``: bring a backup back, whole or as it was at an earlier version."""

from __future__ import annotations

from pathlib import Path

import click

from finops_kit.cli.common import Setting, finops_command, print_json

EPILOG = """\b
Examples:
  finops restore /mnt/backup/finops                          a lost catalogue, or a whole lost workspace
  finops restore /mnt/backup/finops --workspace elsewhere
  finops restore /mnt/backup/finops --version 42 -w then     as the store was at version 42
  finops restore /mnt/backup/finops --catalog postgres://finops@db/new    its catalogue into PostgreSQL

\b
A store that is there is never written over. To read an older version no restore is needed: see --as-of.
"""


@finops_command("restore", epilog=EPILOG)
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--version", type=click.IntRange(0), metavar="N", help="As it was at this version. Default: all of it.")
@click.option("--catalog", default="", metavar="URL|env", help="An empty PostgreSQL database. Default: SQLite here.")
def command(setting: Setting, folder: Path, version: int | None, catalog: str) -> None:
    """Bring a backup back as the workspace's store, and verify it by its hashes."""
    from finops_kit.cli.progress import Progress
    from finops_kit.cli.tables import size
    from finops_kit.store.backup import restore

    with Progress("restore", setting) as tell:
        done = restore(folder, setting.workspace, version=version, catalogue=catalog, progress=tell)
    if setting.json:
        print_json(done.as_dict())
        return
    click.echo(
        f"{done.path}: store version {done.store_version}, {done.files:,} data files ({size(done.bytes)}), "
        f"{done.copied:,} of them brought back; verified, ledger head {done.ledger_head[:16]}."
    )
    if done.newer:
        click.echo(
            f"{done.newer:,} data files are newer than the backup and are not read: ingest their sources again "
            "(what the backup holds already adds nothing)."
        )
