"""``finops trace``: from a figure back to its source lines."""

from __future__ import annotations

from typing import Any

import click

from finops_kit.cli.common import Setting, as_of_option, finops_command, period_option, print_json

EPILOG = """\b
Examples:
  finops trace                                    what can be traced
  finops trace effective_cost --period 2026-03
  finops trace effective_cost --filter service=payments --filter team=core
  finops trace finance.grand_total --period 2026-03   a figure of a page: perspective.figure
  finops trace unallocated_cost --limit 0 --json  all lines, for a program
  finops trace finance.grand_total --prove proof.zip   for a third party, who checks it without the store
"""


@finops_command("trace", epilog=EPILOG)
@click.argument("measure", metavar="[MEASURE|PERSPECTIVE.FIGURE]", required=False)
@period_option("The month. Default: the latest complete month with data.")
@as_of_option
@click.option("--scope", default="", metavar="WORD=MEMBER,...", help="The scope of the page, such as service=payments.")
@click.option("--currency", default="", metavar="CODE", help="The currency of the page. Default: the workspace's own.")
@click.option("--filter", "filters", multiple=True, metavar="WORD=MEMBER", help="Narrow it further; may be repeated.")
@click.option("--limit", type=click.IntRange(0), default=20, show_default=True, metavar="N",
              help="How many lines to print; 0 is all of them.")  # fmt: skip
@click.option("--prove", type=click.Path(dir_okay=False), metavar="OUT.zip",
              help="Write a proof of the figure for a third party, and the script that checks it.")  # fmt: skip
def command(
    setting: Setting, measure: str | None, period: str | None, as_of: str | None, scope: str, currency: str,
    filters: tuple[str, ...], limit: int, prove: str | None,
) -> None:  # fmt: skip
    """Go from a figure on a page to the charges, files and row numbers behind it.

    The lines add up to the figure exactly; how many are not printed is said. Without a measure it lists what can
    be traced.
    """
    if not measure:
        _list_measures(setting)
        return
    from finops_kit.cli.progress import Progress
    from finops_kit.store import open_reader

    with Progress("trace", setting) as tell, open_reader(setting.workspace, as_of) as reader:
        tell("finding the measure")
        name, chosen, figure = _resolve(setting, measure, period, reader.version, scope, currency)
        chosen |= _pairs(filters)
        tell("adding up the lines")
        from finops_kit.perspectives import trace_measure

        trace = trace_measure(reader, name, period or "", scope, currency, chosen, None if prove else limit or None)
        version, head = reader.version, reader.ledger_head
        expired = _expired(reader)
        if prove:
            tell("proving the lines")
            _prove(setting, reader, prove, trace, {
                "measure": name, "column": trace.measure.column, "period": trace.period, "scope": scope,
                "filters": chosen, "currency": trace.currency, "store_version": version,
            })  # fmt: skip
            return
    lines = trace.rows.to_pylist()
    if setting.json:
        from finops_kit.store.door import jsonable

        print_json({
            "measure": name, "title": trace.measure.title, "column": trace.measure.column, "filters": chosen,
            "period": period or "", "currency": trace.currency, "total": format(trace.total, "f"),
            "count": trace.count, "shown": len(lines), "unconverted": trace.unconverted, "store_version": version,
            "ledger_head": head, "figure": jsonable(figure.value) if figure else None, "expired": expired,
            "lines": jsonable(lines),
        })  # fmt: skip
        return
    _show(trace, lines, version)
    for told in expired:
        click.echo(told)


def _expired(reader: Any) -> list[str]:
    """What bills the version once had and has no longer, one sentence an act."""

    acts: dict[int, list[str]] = {}
    for act in reader.expired_since():
        if act["table"] == "charge":
            acts.setdefault(act["by"], []).append(act["batch_id"])
    return [
        f"The charges of {len(batches)} batches of this version have expired by ledger entry {entry} and are not "
        f"counted ({', '.join(batches[:3])}{' ...' if len(batches) > 3 else ''})."
        for entry, batches in acts.items()
    ]


def _prove(setting: Setting, reader: Any, out: str, trace: Any, query: dict[str, Any]) -> None:
    from pathlib import Path

    from finops_kit.cli.tables import plain_amount
    from finops_kit.store.bundle import write_bundle
    from finops_kit.store.keys import ensure_key, key_path

    made = ensure_key(setting.workspace)
    told = write_bundle(
        reader, Path(out), title=trace.measure.title, total=trace.total, currency=trace.currency, query=query,
        charges=trace.rows.to_pylist(),
    )  # fmt: skip
    if setting.json:
        print_json({**told, "total": format(trace.total, "f"), "currency": trace.currency, "query": query})
        return
    if made:
        click.echo(f"Made the signing key {key_path(setting.workspace)}.")
    click.echo(
        f"{told['path']}: {trace.measure.title} {plain_amount(trace.total)} {trace.currency}, "
        f"{told['charges']:,} charges, {told['entries']:,} ledger entries, signed by log {told['log_id']}."
    )
    click.echo(f"Whoever gets it runs: unzip {out} verify_bundle.py && python3 verify_bundle.py {out}")


def _show(trace: Any, lines: list[dict[str, Any]], version: int) -> None:
    from finops_kit.cli.tables import plain_amount, tail, text_table

    headers = ["file", "row", "date", "service", "resource", "native", "", f"amount {trace.currency}"]
    rows = [
        [tail(line["source_file"]), line["source_row"], line["charge_date"], line["ServiceName"], line["ResourceId"],
         line["native_amount"], line["BillingCurrency"], line["amount"]]
        for line in lines
    ]  # fmt: skip
    click.echo(text_table(headers, rows, widest=48))
    hidden = trace.count - len(lines)
    if hidden:
        click.echo(f"... and {hidden:,} more lines that are not shown; --limit 0 shows all.")
    click.echo(
        f"{trace.measure.title}: {plain_amount(trace.total)} {trace.currency} "
        f"= sum of {trace.measure.column} over {trace.count:,} lines, store version {version}."
    )
    if trace.unconverted:
        click.echo(f"{trace.unconverted:,} lines have no exchange rate to {trace.currency} and count as nothing.")


def _pairs(filters: tuple[str, ...]) -> dict[str, str]:
    from finops_kit.errors import UsageError

    pairs = {}
    for text in filters:
        word, equals, member = text.partition("=")
        if not (word and equals):
            raise UsageError(f"{text!r} is not WORD=MEMBER, such as service=payments.")
        pairs[word.strip()] = member.strip()
    return pairs


def _resolve(
    setting: Setting, measure: str, period: str | None, version: int, scope: str, currency: str
) -> tuple[str, dict[str, str], Any]:
    """The measure and filters that are meant: a measure's own name, or a figure of a page."""
    import difflib

    from finops_kit.errors import UsageError
    from finops_kit.perspectives import MEASURES, PERSPECTIVES, read_perspective

    place, dot, key = measure.partition(".")
    if not dot:
        if measure not in MEASURES:
            close = difflib.get_close_matches(measure, list(MEASURES), n=1)
            hint = f"Did you mean {close[0]}?" if close else "`finops trace` lists them."
            raise UsageError(f"There is no measure {measure!r}. {hint}")
        return measure, {}, None
    if place not in PERSPECTIVES:
        close = difflib.get_close_matches(place, PERSPECTIVES, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"There are {', '.join(PERSPECTIVES)}."
        raise UsageError(f"There is no perspective {place!r}. {hint}")
    if key in MEASURES:
        return key, {}, None
    reading = read_perspective(place, str(setting.workspace.root), version, period or "", scope, currency)
    figures = {figure.key: figure for figure in reading.figures}
    if key not in figures:
        close = difflib.get_close_matches(key, list(figures), n=1)
        hint = f"Did you mean {close[0]}?" if close else f"It has {', '.join(figures)}."
        raise UsageError(f"{place} has no figure {key!r}. {hint}")
    figure = figures[key]
    if not figure.measure:
        raise UsageError(f"{figure.title!r} is computed from other figures and has no lines of its own to trace.")
    return figure.measure, dict(figure.filters), figure


def _list_measures(setting: Setting) -> None:
    from finops_kit.cli.tables import text_table
    from finops_kit.perspectives import MEASURES
    from finops_kit.value.scope import SCOPE_COLUMNS

    if setting.json:
        print_json({
            "measures": [{"name": m.name, "title": m.title, "column": m.column} for m in MEASURES.values()],
            "filters": sorted(SCOPE_COLUMNS),
        })  # fmt: skip
        return
    click.echo(text_table(["measure", "what it is", "sums"], [[m.name, m.title, m.column] for m in MEASURES.values()]))
    click.echo(f"\nFilters: {', '.join(sorted(SCOPE_COLUMNS))}")
    click.echo("A figure of a page is named perspective.figure, such as finance.grand_total.")
