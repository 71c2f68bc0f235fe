"""``finops demo``: a whole example house, from nothing to six published pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from finops_kit.cli.common import Setting, finops_command, print_json

EPILOG = """\b
Examples:
  finops demo                                     files, store, six pages; again: only what changed
  finops demo --out /tmp/estate --seed 11         only the files, in a folder of your choice
  finops demo --months 24 --scale 10              a bigger house: about a million charges
  finops demo --no-ingest                         only the files, beside the workspace
"""


@finops_command("demo", epilog=EPILOG)
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed, the same files.")
@click.option("--months", type=click.IntRange(1, 120), default=18, show_default=True, help="Months of history.")
@click.option("--scale", type=click.FloatRange(0.01, 1000), default=1.0, show_default=True,
              help="How big the house is: 1 gives about 100,000 charges.")  # fmt: skip
@click.option("--out", metavar="DIR", help="Only make the files, in this folder.")
@click.option("--no-ingest", is_flag=True, help="Only make the files, beside the workspace.")
def command(setting: Setting, seed: int, months: int, scale: float, out: str | None, no_ingest: bool) -> int:
    """Make the example house: two data centres, three clouds, twelve services, and what goes wrong in them.

    It writes native files as providers deliver them, takes them into the store, runs the six perspectives and
    publishes their pages. What was planted in the data is in truth.json beside the files.
    """
    from finops_kit.cli.estate import ensure_estate
    from finops_kit.cli.progress import Progress

    folder = Path(out).expanduser().resolve() if out else setting.workspace.root.parent / "demo"
    with Progress("demo", setting) as tell:
        made, files = ensure_estate(folder, seed, months, scale, tell)
    result: dict[str, Any] = {"folder": str(folder), "generated": made, "files": len(files)}
    if not setting.json:
        click.echo(f"{'Made' if made else 'Found'} {len(files)} files in {folder}.")
    if out or no_ingest:
        if setting.json:
            print_json(result)
        else:
            click.echo(f"Next: finops ingest {folder}")
        return 0
    return _take_in_and_publish(setting, folder, files, result)


def _take_in_and_publish(setting: Setting, folder: Path, files: list[Path], result: dict[str, Any]) -> int:
    from finops_kit.cli.ingest import tell_refusals
    from finops_kit.cli.progress import Progress
    from finops_kit.ingest import ingest_paths
    from finops_kit.perspectives.reading import PERSPECTIVES
    from finops_kit.publish import run_reports
    from finops_kit.store import create_store
    from finops_kit.store.keys import ensure_key

    workspace = setting.workspace
    create_store(workspace)
    ensure_key(workspace)  # so that its pages carry a signed head, as those of a house would
    with Progress("", setting) as tell:
        report = ingest_paths(workspace, [str(file) for file in files], progress=tell)
    counted = {s: sum(file.status == s for file in report.files) for s in ("stored", "unchanged", "refused")}
    rows = sum(file.rows_stored for file in report.files if file.status == "stored")
    if not setting.json:
        said = ", ".join(f"{count} {status}" for status, count in counted.items() if count)
        click.echo(f"Took them in: {said}; {rows:,} new rows, store version {report.store_version}.")
    tell_refusals(report)
    with Progress("report", setting) as tell:
        run = run_reports(workspace, PERSPECTIVES, progress=tell)
    result["ingest"] = {**counted, "rows_stored": rows, "store_version": report.store_version}
    result["report"] = run.as_dict()
    if setting.json:
        print_json(result)
    else:
        total = next((f"{page.grand_total:,.2f} {page.currency}" for page in run.pages), "")
        click.echo(f"Published {len(run.pages)} pages that agree on {total}.")
        click.echo("")
        click.echo(f"Look at:  {workspace.reports / 'index.html'}")
        click.echo("Serve it: make serve, or finops serve (http://127.0.0.1:8866)")
        click.echo('Ask it:   finops sql "FROM charge SELECT ServiceName, sum(EffectiveCost) GROUP BY 1"')
        click.echo("Trace it: finops trace leadership.grand_total        Prove it: finops verify")
        click.echo("Your own: finops --workspace data/house init, then finops --workspace data/house ingest BILL.csv")
    return 3 if counted["refused"] else 0
