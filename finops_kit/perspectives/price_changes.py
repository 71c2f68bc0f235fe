"""What is new in the price catalogue and whose price moved, each with its accounts and the lines that say so (F7).

The changes are those of the procurement page; here they stand by themselves, over one month or several.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import ibis
import pyarrow as pa
from ibis.expr.types import Table

from finops_kit.errors import UsageError
from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.cost import no_charges
from finops_kit.perspectives.period import next_month
from finops_kit.perspectives.price_tables import change_rows
from finops_kit.perspectives.read import refuse_missing_rates
from finops_kit.perspectives.tables import Row
from finops_kit.perspectives.words import month_name
from finops_kit.store import Reader
from finops_kit.value.prices import purchases

#: what is asked for -> the changes that it means
KINDS = {"new": ("new", "returned"), "changed": ("negotiated price", "list price")}
#: what names a price item whatever unit its lines were billed in
_ITEM = ("provider", "ServiceName", "sku", "BillingCurrency")
Item = tuple[Any, ...]


@dataclass(frozen=True)
class PriceChanges:
    """New SKUs and prices that moved.

    Attributes
    ----------
    currency : of ``cost`` and ``effect``
    months : the months looked at, ``YYYY-MM``
    rows : one per change, the newest month first and in it the dearest: ``month``, ``change`` (``new``, ``returned``,
        ``negotiated price``, ``list price``), ``since`` (its day; None where the bills do not say it), ``provider``,
        ``service``, ``sku``, ``described``, ``unit``, ``billing_currency``, ``price_before`` and ``price_now``
        (billing_currency a unit; of a list price that one), ``moved_pct``, ``last_month`` billed before, ``quantity``
        and ``cost`` of the month (EffectiveCost), ``effect``: what the moved price changed in the month, ``accounts``
        (``account``, ``name``, ``cost``, ``lines``; the dearest first), ``lines`` (how many bill it), ``source_lines``
    notes : what cannot be told of a month, in a sentence each
    """

    currency: str
    months: list[str]
    rows: list[Row]
    notes: list[str]


def read_price_changes(
    reader: Reader, period: str = "", since: date | None = None, scope: str = "", currency: str = "",
    kinds: Sequence[str] = tuple(KINDS), lines: int = 1,
) -> PriceChanges:  # fmt: skip
    """What is new or has another price in a month, or in all months from a day on.

    Parameters
    ----------
    period : ``YYYY-MM``, the only or the last month; empty for the latest complete month with charges
    since : changes from this day on; what has no day is told of every month that it may be in
    kinds : of :data:`KINDS`
    lines : so many source lines of each change, the first ones from its day on

    Raises
    ------
    UsageError : the period or the scope is not understood, or the day lies after the period
    RateMissing : a charge of a month has no rate into the currency
    """
    last = Basis(reader, period, scope, currency)
    wanted = {change for kind in kinds for change in KINDS[kind]}
    found: list[Row] = []
    notes: list[str] = []
    months = [last.start]
    if since is not None:
        if since >= last.end:
            raise UsageError(f"{since} lies after {last.start:%Y-%m}. Name a later --period, or an earlier day.")
        while months[0] > since:
            months.insert(0, next_month(months[0], -1))
    known = min((one.month for one in last.coverage), default=None)
    for month in months:
        basis = last if month == last.start else Basis(reader, f"{month:%Y-%m}", scope, last.currency)
        refuse_missing_rates(basis)
        if not basis.totals["charges"]:
            notes.append(no_charges(basis))
        elif month == known:
            told = "is the first month known, so nothing in it can be told to be new or to have moved."
            notes.append(f"{month_name(month)} {told}")
        rows = [dict(row) for row in change_rows(basis) if row["change"] in wanted and _from(row, since)]
        found = [*_told(basis, rows, lines), *found]
    return PriceChanges(last.currency, [f"{month:%Y-%m}" for month in months], found, notes)


def _from(row: Row, since: date | None) -> bool:
    return since is None or row["since"] is None or _day(row["since"]) >= since


def _day(value: Any) -> date:
    return value.date() if hasattr(value, "date") else value


def _told(basis: Basis, rows: list[Row], lines: int) -> Iterator[Row]:
    items = {_item(row): row["since"] for row in rows}
    bought = _bought(basis, items) if rows else None
    accounts = {} if bought is None else _accounts(basis, bought)
    first = {} if bought is None or not lines else _first_lines(basis, bought, lines)
    for row in rows:
        listed = row["change"] == "list price"
        before, now = (row["list_before" if listed else "contracted_before"],
                       row["list_price" if listed else "contracted_price"])  # fmt: skip
        touched = accounts.get(_item(row), [])
        yield {
            "month": f"{basis.start:%Y-%m}", "change": row["change"],
            "since": _day(row["since"]) if row["since"] is not None else None, "provider": row["provider"],
            "service": row["ServiceName"], "sku": row["sku"], "described": row["described"],
            "unit": row["PricingUnit"], "billing_currency": row["BillingCurrency"], "price_before": before,
            "price_now": now, "moved_pct": 100 * (now - before) / before if listed else row["drift_pct"],
            "last_month": f"{row['last_month']:%Y-%m}" if row["last_month"] is not None else None,
            "quantity": row["quantity"], "cost": row["EffectiveCost"],
            "effect": row["drift_reported"] if row["change"] == "negotiated price" else None,
            "accounts": touched, "lines": sum(one["lines"] for one in touched),
            "source_lines": first.get(_item(row), []),
        }  # fmt: skip


def _item(row: Row) -> Item:
    return tuple(row[name] for name in _ITEM)


def _bought(basis: Basis, items: dict[Item, Any]) -> Table:
    """The month's lines of some price items, each with ``began``: the day from which on they are looked at."""
    named = {f"item_{name}": pa.array([item[place] for item in items], pa.string()) for place, name in enumerate(_ITEM)}
    began = [_day(day) if day is not None else basis.start for day in items.values()]
    wanted = ibis.memtable(pa.table({**named, "began": pa.array(began, pa.date32())}))
    lines = purchases(basis.now)
    return lines.join(wanted, [lines[name].identical_to(wanted[f"item_{name}"]) for name in _ITEM])


def _accounts(basis: Basis, bought: Table) -> dict[Item, list[Row]]:
    """Which accounts buy each price item, for how much in the month and in how many lines, the dearest first."""
    out: dict[Item, list[Row]] = {}
    account = ibis.coalesce(bought.SubAccountId, bought.BillingAccountId)
    sums = bought.group_by(*_ITEM, account=account).agg(
        name=bought.SubAccountName.max(), cost=bought.EffectiveCost.sum().fill_null(0), lines=bought.count()
    )
    for one in basis.rows(sums.order_by([ibis.desc("cost"), "account"])):
        out.setdefault(_item(one), []).append({name: one[name] for name in ("account", "name", "cost", "lines")})
    return out


def _first_lines(basis: Basis, bought: Table, count: int) -> dict[Item, list[Row]]:
    """The first lines of each price item from the day of its change on."""
    out: dict[Item, list[Row]] = {}
    lines = bought.filter(bought.charge_date >= bought.began)
    order = ["charge_date", "batch_id", "source_row"]
    lines = lines.mutate(place=ibis.row_number().over(group_by=list(_ITEM), order_by=order))
    lines = lines.filter(lines.place < count)
    ledger = basis.table("ledger").select("batch_id", "source_file")
    told = lines.left_join(ledger, "batch_id").select(
        *_ITEM, "place", "source_file", "source_row", "batch_id", day="charge_date", account="SubAccountId",
        resource="ResourceId", quantity="PricingQuantity", unit="PricingUnit", contracted_cost="native_ContractedCost",
        billed_cost="native_BilledCost",
    )  # fmt: skip
    for one in basis.rows(told.order_by("place")):
        out.setdefault(_item(one), []).append({k: v for k, v in one.items() if k not in (*_ITEM, "place")})
    return out
