"""``finops backup``: copy the store, verified, while others go on writing."""

from __future__ import annotations

from pathlib import Path

import click

from finops_kit.cli.common import Setting, finops_command, print_json

EPILOG = """\b
Examples:
  finops backup /mnt/backup/finops              again into the same folder: copies only what is new
  finops backup --link snapshot                 hard links: quick and small, but on the same disk
  finops verify --workspace /mnt/backup/finops  a backup is itself a workspace

\b
The signing key is not in it: keep that apart. Of an encrypted store the backup's catalogue is the secret.
Bring it back with finops restore.
"""


@finops_command("backup", epilog=EPILOG)
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--link", is_flag=True, help="Hard-link data files instead of copying them.")
def command(setting: Setting, folder: Path, link: bool) -> None:
    """Copy the catalogue and every data file, consistent at one version, and verify the copy by its hashes.

    A catalogue in PostgreSQL becomes SQLite in the backup: it can be read, verified and restored without a database.
    """
    from finops_kit.cli.progress import Progress
    from finops_kit.cli.tables import size
    from finops_kit.store.backup import backup

    with Progress("backup", setting) as tell:
        made = backup(setting.workspace, folder, link=link, progress=tell)
    if setting.json:
        print_json(made.as_dict())
        return
    click.echo(
        f"{made.path}: store version {made.store_version}, {made.files:,} data files ({size(made.bytes)}), "
        f"{made.copied:,} of them new; verified, ledger head {made.ledger_head[:16]}."
    )
