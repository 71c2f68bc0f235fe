"""What a reader sees: per-connection views over the lake's tables at the version it is pinned to.

Views live in the reader's own memory and never in the lake: a view kept there would be versioned with
it and missing at an older version.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import duckdb

from finops_kit.errors import StoreError
from finops_kit.fields import REFERENCE_TABLES, TABLES
from finops_kit.store.amortised import AMORTISED, APART, CHARGE_WITH_AMORTISED, current_sql
from finops_kit.store.configuration import DEFAULT_CURRENCY
from finops_kit.store.derive.segments import Segment, live_run_sql, live_segments
from finops_kit.store.derive.states import STATE_VIEWS
from finops_kit.store.lacking import PAST
from finops_kit.store.lake import LAKE
from finops_kit.store.rates import EXCHANGE_RATE, charge_in_currency
from finops_kit.store.units import CHARGE_IN_UNITS, UNIT_READING, let_read_units

#: how the mode begins of a delivery that adds, and takes the place of the batches that it names
INSTEAD = "instead "
#: parts of a report wait until a later one says that it is whole; what came late never counts
DELIVERY_COUNTS = f"""
    SELECT *, counts AND entry >= coalesce(newest, 0) AS begun, coalesce(contains(named, batch_id), false) AS replaced
    FROM (
        SELECT *, max(CASE WHEN counts AND mode IN ('replace', 'replace-part') THEN entry END) OVER whole AS newest,
            string_agg(CASE WHEN counts AND mode LIKE '{INSTEAD}%' THEN mode END, ' ') OVER whole AS named
        FROM (
            SELECT d.*, l.entry, d.mode NOT LIKE '%-late' AND (d.mode NOT LIKE '%-part' OR l.entry < max(
                CASE WHEN d.mode = 'append-whole' THEN l.entry ELSE 0 END) OVER (
                PARTITION BY d.dataset, d.source_system, d.billing_account_id, d.period_start)) AS counts
            FROM {LAKE}.delivery d JOIN {LAKE}.ledger l USING (batch_id)
        )
        WINDOW whole AS (PARTITION BY dataset, source_system, billing_account_id, period_start)
    )
"""
CURRENT_DELIVERY = f"""
    SELECT batch_id, source_system, billing_account_id, period_start, dataset
    FROM ({DELIVERY_COUNTS}) WHERE begun AND NOT replaced
"""

_CHARGE_HISTORY = f"""
    SELECT c.*, l.recorded_at, l.source_file FROM {LAKE}.charge c JOIN {LAKE}.ledger l USING (batch_id)
"""


def view_definitions(
    live: Sequence[Segment] = (),
    data: Path | None = None,
    amortised: bool = False,
    currency: str = DEFAULT_CURRENCY,
) -> dict[str, str]:
    """Every name a reader may use and the SELECT behind it, in the order they are made.

    Parameters
    ----------
    live : the segments of derived runs that the reader's version reads
    data : the folder of the data files
    amortised : the version holds amortised costs, which say what the use of a commitment costs
    currency : what the workspace reports in
    """
    charge = CHARGE_WITH_AMORTISED if amortised else current_sql("charge")
    views = {"current_delivery": CURRENT_DELIVERY, "charge": charge, "charge_history": _CHARGE_HISTORY}
    views |= {"unit_reading": UNIT_READING, "charge_in_units": CHARGE_IN_UNITS}
    views |= {name: current_sql(name) for name in APART}
    for table in REFERENCE_TABLES:
        views[table.name] = (
            f"SELECT t.* FROM {LAKE}.{table.name} t SEMI JOIN current_delivery d "
            f"ON d.dataset = '{table.name}' AND d.batch_id = t.batch_id"
        )
        views[f"{table.name}_history"] = (
            f"SELECT t.*, l.recorded_at, l.source_file FROM {LAKE}.{table.name} t JOIN {LAKE}.ledger l USING (batch_id)"
        )
    views |= {"exchange_rate": EXCHANGE_RATE, "charge_in_currency": charge_in_currency(currency)}
    for name in TABLES:
        views.setdefault(name, f"SELECT * FROM {LAKE}.{name}")
    views["live_run"] = live_run_sql(live, data)
    views |= STATE_VIEWS
    return views


def create_views(
    connection: duckdb.DuckDBPyConnection,
    data: Path | None = None,
    past: frozenset[str] = frozenset(),
    currency: str = DEFAULT_CURRENCY,
) -> tuple[str, ...]:
    """Make the views in a connection that has the lake attached; returns their names.

    Parameters
    ----------
    past : tables that the version lacks in whole or in part; the views read what stands in for them
    currency : what the workspace reports in
    """
    instead = re.compile(rf"\b{LAKE}\.({'|'.join(past) or '-'})\b")
    try:
        live = () if "derivation" in past else live_segments(connection)
        views = view_definitions(live, data, "delivery" not in past and _has_amortised(connection), currency)
        let_read_units(connection)
        connection.execute("BEGIN")  # a transaction a view would ask the catalogue for its tables anew each time
        for name, select in views.items():
            select = instead.sub(rf"memory.{PAST}.\1", select)
            connection.execute(f"CREATE OR REPLACE VIEW memory.main.{name} AS {select}")
        connection.execute("COMMIT")
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise StoreError(
            f"The store lacks what this version of finops reads ({str(error).splitlines()[0]}). "
            "Another version made it, or somebody changed it: ingest its files into a new workspace, or restore it."
        ) from error
    return tuple(views)


def _has_amortised(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether any delivery brought amortised costs; files without are told by their statistics, and not opened."""
    found = connection.execute(f"SELECT 1 FROM {LAKE}.delivery WHERE dataset = '{AMORTISED}' LIMIT 1").fetchone()
    return found is not None
