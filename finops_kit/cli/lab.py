"""``finops lab``: JupyterLab on the notebooks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from finops_kit.cli.common import Setting, as_of_option, finops_command
from finops_kit.errors import UsageError
from finops_kit.settings import AS_OF_VARIABLE, WORKSPACE_VARIABLE, notebooks_folder

EPILOG = """\b
Examples:
  finops lab
  finops lab --port 8890 --no-browser

\b
The notebooks read the workspace; change `period` or `scope` in their parameters cell and run them.
Stop it with Ctrl-C twice.
"""

#: nothing is asked of the internet: no news, no look for updates, no extensions from a registry; and the question
#: whether one wants news is answered (``overrides.json``)
QUIET = (
    f"--LabApp.app_settings_dir={Path(__file__).parent / 'jupyter'}",
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
)


@finops_command("lab", epilog=EPILOG, reports=False)
@click.option("--port", type=click.IntRange(1, 65535), default=8888, show_default=True, help="Port on 127.0.0.1.")
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
@click.option("--allow-root", is_flag=True, help="Run it as root all the same, as in a container.")
@as_of_option
def command(setting: Setting, port: int, no_browser: bool, allow_root: bool, as_of: str | None) -> int:
    """Open JupyterLab on the six notebooks, on this machine only.

    The workspace is handed on, so the notebooks read the same store as the command line. Nothing is asked of the
    internet: no news, no updates.
    """
    if os.name == "posix" and os.geteuid() == 0 and not allow_root:
        raise UsageError(
            "You are root: whatever a notebook does would be done as root. Run it as another user, or say --allow-root."
        )
    folder = notebooks_folder()
    words = lab_words(folder, port, browser=not no_browser, allow_root=allow_root)
    environment = {**os.environ, WORKSPACE_VARIABLE: str(setting.workspace.root)}
    if as_of:
        from finops_kit.store import open_reader

        with open_reader(setting.workspace, as_of, views=False) as reader:
            environment[AS_OF_VARIABLE] = str(reader.version)
    click.echo(f"JupyterLab on {folder}, workspace {setting.workspace.root}", err=True)
    return subprocess.run(words, env=environment, check=False).returncode  # noqa: S603 - our own words


def lab_words(folder: Path, port: int, *, browser: bool = False, allow_root: bool = False) -> list[str]:
    """The command that starts JupyterLab on a folder of notebooks, on loopback, asking nothing of the internet."""
    words = [
        sys.executable, "-m", "jupyterlab", f"--notebook-dir={folder}", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}", *QUIET,
    ]  # fmt: skip
    return words + ["--no-browser"] * (not browser) + ["--allow-root"] * allow_root
