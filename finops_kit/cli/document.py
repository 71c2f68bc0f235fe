"""``python -m finops_kit.cli.document``: the reference of all commands, as docs/cli.md has it."""

from __future__ import annotations

import re

import click

from finops_kit.cli.app import SECTIONS, app

HEADER = """\
# The command line

Made by `python -m finops_kit.cli.document > docs/cli.md` from the commands themselves; a test keeps it complete.

The workspace is the folder of one store: `--workspace DIR`, else `FINOPS_WORKSPACE`, else `data/workspace`.
`--workspace`, `--quiet` and `--debug` may stand before or after the command. Everything that reports takes `--json`.
Errors are one sentence on stderr (`Error: ...`); with `--json` an object `{"error": {"kind", "message", "exit_code"}}`
stands on stdout as well. The trace is shown with `--debug`; of something unexpected it is kept in `<workspace>/logs`.
Progress goes to stderr, after two seconds.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | something unexpected |
| 2 | wrong use: an option, a name, a statement that is no SQL, a version that never was |
| 3 | a file was refused; others are stored |
| 4 | the store is missing, busy or cannot be written |
| 5 | a statement was refused, or needed more time or memory than it may use |
| 6 | figures that must agree to the cent do not |
| 7 | a report failed; the last good page stays |
| 8 | verify found something that does not fit |
| 130 | interrupted (Ctrl-C) |

## `ingest --json`, a contract

`{"files": [{"path", "format", "status": "stored|unchanged|refused|waiting", "reason", "rows_read", "rows_stored",
"rows_quarantined", "control_totals": {"EUR": "123.45"}, "batch_id", "counts": true|false|null}], "store_version": n}`

`counts`, when the command ends: `false` where some of what the file delivers does not count, because it waits for other
parts of its report, came late, or something newer counts in its place; `finops status --deliveries` says which and what
to do. `null` where it was refused, or brings nothing that another file could replace (inventories, exchange rates, a
dump of the CMDB). With `--follow --json`, a line for each file, it is what was known when the file had been taken in.

## `sql`, what is let through

One `SELECT` (also `WITH`, `VALUES`, `FROM`, `PIVOT ... IN (...)`, `DESCRIBE`, `SUMMARIZE`, `SHOW TABLES`, `EXPLAIN`)
over the store's tables, all at one version. The statement is judged on the tree that DuckDB's own parser makes of it,
then run on a connection that is attached read-only and locked: no other file, no setting, no extension, nothing spilled
to disk, and a limit on time and memory. Tables may be named only as `SHOW TABLES` lists them; table functions are
`range`, `generate_series`, `unnest`, `repeat`, `repeat_row`, `json_each` and `json_tree`. In JSON decimals are text,
times are ISO 8601 in UTC, maps are objects, blobs are hex; a column name that repeats gets a number.

## `export focus`, its types

Text is `VARCHAR`, times are `TIMESTAMP WITH TIME ZONE` in UTC, `Tags` and `SkuPriceDetails` are JSON text, numbers are
`DECIMAL(38,12)`. A number column whose data need more than 12 decimals gets exactly as many as they need, so nothing is
cut off; it is not simply wider, because a reader that multiplies price and quantity has 38 digits for both together.

Where a bill says less, or says it otherwise, than the FOCUS version asks for, the export says it as FOCUS does, and the
store keeps what the bill said: a provider that a newer bill names otherwise stands under `ProviderName`; a missing
`ServiceSubcategory` is the provider's own (`x_ServiceSubcategory`) or `Other (<ServiceCategory>)`; a missing
`InvoiceId` is the provider's own (`x_InvoiceId`) or, while there is no invoice, the provisional statement of the
account's billing period (`provisional-<account>-<month>`); a commitment's fee whose row also carries its idle part
becomes two rows, the purchase and the unused usage. `BilledCost` and `EffectiveCost` add up to the store either way.
"""


def document() -> str:
    """The whole reference as Markdown."""
    parts = [HEADER]
    context = click.Context(app, info_name="finops", **app.context_settings)
    parts.append(_block("finops", app, context))
    for heading, names in SECTIONS:
        parts.append(f"## {heading}\n")
        for name in names:
            command = app.get_command(context, name)
            if command is not None:
                parts.append(_block(f"finops {name}", command, _context(command, name, context)))
    return "\n".join(parts).rstrip() + "\n"


def _context(command: click.Command, name: str, parent: click.Context) -> click.Context:
    """As an invocation makes it, with both names of the help option."""
    return click.Context(command, info_name=name, parent=parent, **command.context_settings)


def _block(title: str, command: click.Command, context: click.Context) -> str:
    """One command as its help says it."""
    context.max_content_width = context.terminal_width = 110
    text = re.sub(r"[ \t]+$", "", command.get_help(context), flags=re.MULTILINE)
    return f"{'#' * (2 if title == 'finops' else 3)} `{title}`\n\n```text\n{text}\n```\n"


if __name__ == "__main__":
    click.echo(document(), nl=False)
