"""``finops serve``: show the published pages."""

from __future__ import annotations

from pathlib import Path

import click

from finops_kit.cli.common import Setting, finops_command

EPILOG = """\b
Examples:
  finops serve                                    on this machine only, port 8866
  finops serve --port 9000 --open
  finops serve --token-file /run/secrets/finops --no-live
  finops serve --workspace /srv/finops/house

\b
Stop it with Ctrl-C. Pages are made by `finops report`; serving needs no store and computes nothing.
"""


@finops_command("serve", epilog=EPILOG, reports=False)
@click.option("--port", type=click.IntRange(1, 65535), default=8866, show_default=True, help="Port on 127.0.0.1.")
@click.option("--token-file", type=click.Path(exists=True, dir_okay=False), metavar="FILE",
              help="Ask readers for the token in this file. Default: FINOPS_TOKEN, else none.")  # fmt: skip
@click.option("--open", "open_browser", is_flag=True, help="Open a browser on the overview.")
@click.option("--no-live", is_flag=True, help="Published pages only: no dashboard, no kernel.")
def command(setting: Setting, port: int, token_file: str | None, open_browser: bool, no_live: bool) -> None:
    """Serve the published pages and the live dashboard on this machine.

    It listens on loopback only. Static pages need no kernel; the live dashboard reads published result tables.
    """
    from finops_kit.publish import serve

    token = _token(Path(token_file)) if token_file else None
    serve(setting.workspace, port=port, open_browser=open_browser, live=not no_live, token=token)


def _token(path: Path) -> str:
    """The token in a file; never on the command line, which every user of the machine can read."""
    from finops_kit.errors import UsageError

    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The token file {path} cannot be read: {error}.") from error
    if len(token) < 16 or not token.isprintable() or " " in token:
        raise UsageError(f"{path} holds no token: write one line of 16 characters or more, without blanks.")
    return token
