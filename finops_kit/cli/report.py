"""``finops report``: run and publish the perspectives."""

from __future__ import annotations

import click

from finops_kit.cli.common import Setting, as_of_option, finops_command, period_option, print_json

EPILOG = """\b
Examples:
  finops report all                               the six perspectives, latest complete month
  finops report finance leadership --period 2026-03
  finops report all --as-of 2026-03-31            as it was known then: the same figures again
  finops report product --scope service=payments
  finops report all --json

\b
Perspectives: engineering, product, finance, procurement, leadership, practitioner.
Exit codes: 6 grand totals do not agree, 7 a page failed. Nothing of a failed run is published.
"""


@finops_command("report", epilog=EPILOG)
@click.argument("perspectives", metavar="[PERSPECTIVE...|all]", nargs=-1)
@period_option("The month that the pages are for. Default: the latest complete month with data.")
@as_of_option
@click.option("--scope", default="", metavar="WORD=MEMBER,...", help="Only a part, such as service=payments,team=core.")
@click.option("--currency", default="", metavar="CODE", help="Another currency to report in. Default: the workspace's.")
def command(
    setting: Setting, perspectives: tuple[str, ...], period: str | None, as_of: str | None, scope: str, currency: str
) -> None:
    """Run perspectives at one store version and publish their pages.

    Every notebook of a run reads the same version; their grand totals must agree to the cent, or nothing is
    published and the last good pages stay.
    """
    from finops_kit.cli.progress import Progress
    from finops_kit.publish import run_reports

    chosen = _names(perspectives)
    with Progress("report", setting) as tell:
        run = run_reports(
            setting.workspace, chosen, period=period, as_of=as_of, scope=scope, currency=currency, progress=tell
        )
    if setting.json:
        print_json(run.as_dict())
        return
    from finops_kit.cli.tables import text_table

    rows = [[page.perspective, f"{page.grand_total:,.2f} {page.currency}", round(page.seconds, 1), page.path]
            for page in run.pages]  # fmt: skip
    click.echo(text_table(["perspective", "grand total", "seconds", "page"], rows, widest=110))
    click.echo(f"Run {run.run_id} at store version {run.version}. Look: finops serve, or open {_index(setting)}")


def _index(setting: Setting) -> str:
    return str(setting.workspace.reports / "index.html")


def _names(given: tuple[str, ...]) -> tuple[str, ...]:
    """The perspectives that are meant, in the order of the pages."""
    import difflib

    from finops_kit.errors import UsageError
    from finops_kit.perspectives.reading import PERSPECTIVES

    for name in given:
        if name != "all" and name not in PERSPECTIVES:
            close = difflib.get_close_matches(name, [*PERSPECTIVES, "all"], n=1)
            hint = f"Did you mean {close[0]}?" if close else f"There are {', '.join(PERSPECTIVES)}, and all."
            raise UsageError(f"There is no perspective {name!r}. {hint}")
    if not given or "all" in given:
        return PERSPECTIVES
    return tuple(name for name in PERSPECTIVES if name in given)
