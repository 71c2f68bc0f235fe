"""``finops serve``: show the published pages."""

from __future__ import annotations

import click

from finops_kit.cli.common import Setting, finops_command

EPILOG = """\b
Examples:
  finops serve                                    on this machine only, port 8866
  finops serve --port 9000
  finops serve --workspace /srv/finops/house

\b
Stop it with Ctrl-C. Pages are made by `finops report`; serving needs no store and computes nothing.
"""


@finops_command("serve", epilog=EPILOG, reports=False)
@click.option("--port", type=click.IntRange(1, 65535), default=8866, show_default=True, help="Port on 127.0.0.1.")
def command(setting: Setting, port: int) -> None:
    """Serve the published pages and the live dashboard on this machine.

    It listens on loopback only. Static pages need no kernel; the live dashboard reads published result tables.
    """
    from finops_kit.publish import serve

    serve(setting.workspace, port=port)
