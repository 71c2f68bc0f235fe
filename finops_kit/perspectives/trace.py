"""From a figure back to its charges: the file, its hash and the row number of every line behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import ibis
import pyarrow as pa

from finops_kit.errors import UsageError
from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.measures import Measure, find_measure
from finops_kit.store import Reader
from finops_kit.value.scope import SCOPE_COLUMNS, within


@dataclass(frozen=True)
class Trace:
    """The charges behind a figure.

    Attributes
    ----------
    rows : one row per charge: source_file, source_row, source_hash, batch_id, recorded_at, what was charged,
        ``native_amount`` in BillingCurrency and ``amount`` in ``currency``; at most ``limit`` of ``count``
    total : the exact sum of ``amount`` over all ``count`` charges: the figure
    period : the month it is of
    """

    measure: Measure
    currency: str
    rows: pa.Table
    count: int
    total: Decimal
    unconverted: int
    period: str = ""


def parse_filters(filters: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Filters as lens columns and members.

    Raises
    ------
    UsageError : a word that no charge is known by
    """
    wanted: dict[str, tuple[str, ...]] = {}
    for word, member in filters.items():
        if word not in SCOPE_COLUMNS:
            raise UsageError(
                f"A trace cannot be filtered by {word!r}. The words are {', '.join(sorted(SCOPE_COLUMNS))}."
            )
        wanted[SCOPE_COLUMNS[word]] = (member,)
    return wanted


def trace_measure(
    reader: Reader,
    measure: str,
    period: str = "",
    scope: str = "",
    currency: str = "",
    filters: Mapping[str, str] | None = None,
    limit: int | None = None,
) -> Trace:
    """List the charges that a figure sums, at the reader's store version.

    Parameters
    ----------
    measure : a name of ``MEASURES``
    filters : further members, such as ``{"service": "payments"}``; ``unallocated`` means charges without one
    limit : how many rows to fetch; all of them otherwise. ``count`` and ``total`` are always of all.

    Raises
    ------
    UsageError : the measure, the period, the scope or a filter is not known
    """
    chosen = find_measure(measure)
    members = parse_filters(filters or {})
    basis = Basis(reader, period, scope, currency)
    lens = within(basis.now, members).filter(chosen.predicate)
    sums = basis.rows(
        lens.agg(
            total=lens[chosen.column].sum().fill_null(0),
            count=lens.count(),
            unconverted=(~lens.converted).sum().fill_null(0),
        )
    )[0]
    ledger = reader.table("ledger").select("batch_id", "source_file", "source_hash", "recorded_at")
    rows = lens.left_join(ledger, "batch_id").drop("batch_id_right")
    listed = rows.select(
        "source_file", "source_row", "source_hash", "batch_id", "recorded_at", "charge_date", "provider",
        "BillingAccountId", "SubAccountId", "ServiceName", "ResourceId", "ChargeCategory", "ChargeDescription",
        "service_id", "team", "BillingCurrency",
        native_amount=rows[f"native_{chosen.column}"],
        amount=rows[chosen.column],
    ).order_by([ibis.desc("amount"), "source_file", "source_row"])  # fmt: skip
    if limit is not None:
        listed = listed.limit(limit)
    return Trace(
        chosen,
        basis.currency,
        reader.backend.to_pyarrow(listed),
        sums["count"],
        sums["total"],
        sums["unconverted"],
        f"{basis.start:%Y-%m}",
    )
