"""``finops diff``: why the figures of one version are not those of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from finops_kit.cli.common import Setting, finops_command, period_option, print_json

if TYPE_CHECKING:
    from finops_kit.perspectives.difference import Difference

EPILOG = """\b
Examples:
  finops diff --from 42                           what was learned since version 42
  finops diff --from 2026-03-31 --to 2026-04-30   between two days
  finops diff --from 42 --to 57 --period 2026-03 --by service
  finops diff --from 42 --json                    every batch, file and row number behind each class

\b
Classes: new_delivery (a billing period that was not delivered before), new_usage (time after what the earlier delivery
covered), late (time that it had covered), restated (another amount for the same line), withdrawn (no longer there),
correction (ChargeClass Correction). They add up to the difference of the totals to the last digit, or the command
fails. Changed owners and exchange rates move amounts without changing what was billed: they are told apart.
"""


@finops_command("diff", epilog=EPILOG)
@click.option("--from", "since", required=True, metavar="VERSION|TIME", help="The earlier store version or time.")
@click.option("--to", "until", metavar="VERSION|TIME", help="The later one. Default: the newest version.")
@period_option("Only charges of one month, as pages have it: by where the charge period starts.")
@click.option("--by", default="", metavar="WORD",
              help="Break the classes down: service, provider, account, region, category, month, source.")  # fmt: skip
@click.option("--top", type=click.IntRange(0), default=5, show_default=True, metavar="N",
              help="How many of the largest lines each class names.")  # fmt: skip
def command(setting: Setting, since: str, until: str | None, period: str | None, by: str, top: int) -> None:
    """Explain what changed between two versions of what the store knows, by amount, to the last digit."""
    from finops_kit.cli.progress import Progress
    from finops_kit.perspectives import explain_difference
    from finops_kit.store import open_reader

    with (
        Progress("diff", setting) as tell,
        open_reader(setting.workspace, since) as earlier,
        open_reader(setting.workspace, until) as later,
    ):
        tell(f"comparing version {earlier.version} with version {later.version}")
        found = explain_difference(earlier, later, period or "", by, top)
    if setting.json:
        from finops_kit.store.door import jsonable

        print_json(jsonable(found.as_dict()))
        return
    _show(found)


def _show(found: Difference) -> None:
    from finops_kit.cli.tables import text_table
    from finops_kit.value.difference import AMOUNTS

    for word, side in (("From", found.since), ("to", found.until)):
        click.echo(f"{word:<4} version {side['version']} of {side['version_time']:%Y-%m-%d %H:%M:%S} UTC, "
                   f"ledger {side['ledger_head'][:16]}")  # fmt: skip
    rows = [[name, total["currency"], *(total[name][when] for when in ("before", "after", "difference"))]
            for total in found.totals for name in AMOUNTS]  # fmt: skip
    click.echo("\n" + text_table(["total", "", "before", "after", "difference"], rows))
    rows = [[one["class"], one["currency"], *(one[name] for name in AMOUNTS), one["lines"], len(one["batches"])]
            for one in found.classes]  # fmt: skip
    if rows:
        click.echo("\n" + text_table(["why", "", *AMOUNTS, "lines", "batches"], rows))
    else:
        click.echo("\nNo charge came, changed or went.")
    for one in found.classes:
        _show_class(one, found.by)
    _show_owners(found)
    _show_rest(found)


def _show_class(one: dict[str, Any], by: str) -> None:
    from finops_kit.cli.tables import tail, text_table
    from finops_kit.value.difference import AMOUNTS

    click.echo(f"\n{one['class']} {one['currency']}: {one['meaning']}")
    if one["members"]:
        rows = [[m["member"], *(m[name] for name in AMOUNTS), m["lines"]] for m in one["members"][:20]]
        click.echo(text_table([by, *AMOUNTS, "lines"], rows, widest=48))
    rows = [["+" if b["side"] > 0 else "-", b["batch_id"], tail(b["source_file"], 56),
             *(b[name] for name in AMOUNTS), b["lines"]] for b in one["batches"][:10]]  # fmt: skip
    click.echo(text_table(["", "batch", "file", *AMOUNTS, "lines"], rows))
    if len(one["batches"]) > len(rows):
        click.echo(f"... and {len(one['batches']) - len(rows)} more batches; --json names all.")
    rows = [[tail(line["source_file"], 40), line["source_row"], f"{line['ChargePeriodStart']:%Y-%m-%d}",
             line["ServiceName"], line["ResourceId"], *(line[name] for name in AMOUNTS)]
            for line in one["top_lines"]]  # fmt: skip
    click.echo(text_table(["largest lines: file", "row", "date", "service", "resource", *AMOUNTS], rows, widest=40))


def _show_owners(found: Difference) -> None:
    from finops_kit.cli.tables import text_table

    if not found.owners:
        return
    rows = [[o["dimension"], o["owner_before"] or "(nobody)", o["owner_after"] or "(nobody)", o["BillingCurrency"],
             o["EffectiveCost"], o["lines"]] for o in found.owners[:20]]  # fmt: skip
    click.echo("\nThe same charges, another owner: rules or the CMDB changed")
    click.echo(text_table(["dimension", "from", "to", "", "EffectiveCost", "lines"], rows))
    if len(found.owners) > len(rows):
        click.echo(f"... and {len(found.owners) - len(rows)} more; --json names all.")


def _show_rest(found: Difference) -> None:
    from finops_kit.cli.tables import tail, text_table
    from finops_kit.value.difference import AMOUNTS

    if found.reference:
        rows = [[one["table"], one["rows_come"], one["rows_gone"],
                 ", ".join(tail(file["source_file"], 40) for file in one["files"][:3])]
                for one in found.reference]  # fmt: skip
        click.echo("\nReference data\n" + text_table(["table", "rows come", "rows gone", "files"], rows, widest=80))
    told = found.reporting
    rows = [[name, told[name]["before"], told[name]["rates"],
             sum(one[name] for one in told["classes"].values()), told[name]["after"]] for name in AMOUNTS]  # fmt: skip
    click.echo(f"\nIn {told['currency']}: before + new rates + the classes above at the later rates = after")
    click.echo(text_table(["", "before", "new rates", "classes", "after"], rows))
    lacking = told["unconverted"]
    if lacking["before"] or lacking["after"]:
        click.echo(f"Lines without a rate count as nothing: {lacking['before']:,} before, {lacking['after']:,} after.")
