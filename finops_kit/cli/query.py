"""``finops sql``: one read-only question to the store."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from finops_kit.cli.common import Setting, as_of_option, finops_command

if TYPE_CHECKING:
    from finops_kit.store.door import Answer

EPILOG = """\b
Examples:
  finops sql "FROM charge SELECT ServiceName, sum(EffectiveCost) AS cost GROUP BY 1 ORDER BY 2 DESC LIMIT 10"
  finops sql "SELECT Tags['team'] AS team, sum(BilledCost) FROM charge GROUP BY ALL" --json
  finops sql "FROM charge" --as-of 2026-03-31 --csv > march.csv
  finops sql - < question.sql
  finops sql "SHOW TABLES"        finops sql "DESCRIBE charge"

\b
Tables: charge (current deliveries, FOCUS column names), charge_history (all deliveries, with recorded_at,
  batch_id, source_file, source_row), charge_in_units (charge with its quantities in GB, Seconds, Requests ...),
  unit_reading (what each unit of the bills means), charge_in_currency (charge in the workspace's currency too),
  resource_snapshot, state_interval, scaling_event, quarantine, ledger, delivery, and the reference tables
  (SHOW TABLES lists all).
"""


@finops_command("sql", epilog=EPILOG)
@click.argument("statement", metavar='"SELECT ..."|-')
@as_of_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV on stdout.")
@click.option("--max-rows", type=click.IntRange(0), metavar="N",
              help="Stop after N rows; 0: no limit. Default: 1000 for a table, no limit for JSON, CSV.")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(0.1, 3600), default=60, show_default=True, metavar="SECONDS",
              help="How long the statement may run.")  # fmt: skip
@click.option("--memory", default="1GB", show_default=True, metavar="SIZE", help="How much memory it may use.")
def command(
    setting: Setting, statement: str, as_of: str | None, as_csv: bool, max_rows: int | None, timeout: float, memory: str
) -> None:
    """Ask the store one question in SQL (DuckDB's dialect), read-only.

    One SELECT (also WITH, VALUES, FROM, DESCRIBE, SUMMARIZE, EXPLAIN) over the store's tables at one version.
    Anything that writes, attaches, copies, installs, sets, calls or reads files is refused. Decimals are exact:
    in JSON they are text. `-` reads the statement from standard input.
    """
    from finops_kit.errors import UsageError
    from finops_kit.store.door import bounded_process, run_sql, statement_under_way

    if as_csv and setting.json:
        raise UsageError("--csv and --json were both given; choose one.")
    text = _read_standard_input() if statement == "-" else statement
    as_table = not (as_csv or setting.json)
    limit = (1000 if as_table else None) if max_rows is None else (max_rows or None)
    try:
        with (
            leaving_on_interrupt(),
            bounded_process(memory),
            run_sql(setting.workspace, text, as_of, timeout, memory, limit) as answer,
        ):
            _print(answer, setting, as_csv)
    finally:
        setting.leave_at_once = statement_under_way()


@contextlib.contextmanager
def leaving_on_interrupt() -> Iterator[None]:
    """End the process at Ctrl-C, at once: a read leaves nothing to tidy up, and an engine at work may not listen."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(*_: object) -> None:
        os.write(2, b"Interrupted.\n")
        os._exit(130)

    before = signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _read_standard_input() -> str:
    from finops_kit.errors import UsageError

    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError("Standard input is no UTF-8 text.") from error


def _print(answer: Answer, setting: Setting, as_csv: bool) -> None:
    if setting.json:
        _print_json(answer)
    elif as_csv:
        _print_csv(answer)
    else:
        _print_table(answer)
    if answer.truncated:
        click.echo("More rows were not shown; --max-rows 0 shows all.", err=True)


def _print_json(answer: Answer) -> None:
    """A list of objects, one a line, as they come."""
    import json

    separator = "[\n"
    for record in answer.records():
        sys.stdout.write(separator + json.dumps(record, ensure_ascii=False))
        separator = ",\n"
    sys.stdout.write("[]\n" if separator == "[\n" else "\n]\n")


def _print_csv(answer: Answer) -> None:
    import csv
    import json

    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(answer.columns)
    for record in answer.records():
        values = (record[name] for name in answer.columns)
        out.writerow([json.dumps(v, ensure_ascii=False) if isinstance(v, (dict, list)) else v for v in values])


def _print_table(answer: Answer) -> None:
    from decimal import Decimal

    from finops_kit.cli.tables import text_table
    from finops_kit.store.door import jsonable

    rows = [[v if isinstance(v, (int, float, Decimal)) else jsonable(v) for v in row] for row in answer]
    click.echo(text_table(answer.columns, rows, widest=80))
    click.echo(f"{len(rows)} row{'s' * (len(rows) != 1)} at store version {answer.version}.", err=True)
