"""``finops lab``: JupyterLab on the notebooks."""

from __future__ import annotations

import os
import subprocess
import sys

import click

from finops_kit.cli.common import Setting, finops_command
from finops_kit.settings import WORKSPACE_VARIABLE, notebooks_folder

EPILOG = """\b
Examples:
  finops lab
  finops lab --port 8890 --no-browser

\b
The notebooks read the workspace; change `period` or `scope` in their parameters cell and run them.
Stop it with Ctrl-C twice.
"""


@finops_command("lab", epilog=EPILOG, reports=False)
@click.option("--port", type=click.IntRange(1, 65535), default=8888, show_default=True, help="Port on 127.0.0.1.")
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
def command(setting: Setting, port: int, no_browser: bool) -> int:
    """Open JupyterLab on the six notebooks, on this machine only.

    The workspace is handed on, so the notebooks read the same store as the command line.
    """
    folder = notebooks_folder()
    words = [
        sys.executable, "-m", "jupyterlab", f"--notebook-dir={folder}", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
    ]  # fmt: skip
    if no_browser:
        words.append("--no-browser")
    environment = {**os.environ, WORKSPACE_VARIABLE: str(setting.workspace.root)}
    click.echo(f"JupyterLab on {folder}, workspace {setting.workspace.root}", err=True)
    return subprocess.run(words, env=environment, check=False).returncode  # noqa: S603 - our own words
