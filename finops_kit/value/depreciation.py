"""Depreciation, straight line: what an asset costs a month and what it is still worth in the books.

The functions are arithmetic: they take Decimal, float or Ibis columns alike.
"""

from __future__ import annotations

from typing import Any

import ibis
from ibis.expr.types import Table

from finops_kit.value.lens import first_of_month


def straight_line(acquisition_cost: Any, salvage_value: Any, life_months: Any) -> Any:
    """Depreciation a month: cost less salvage over the life.

    Example
    -------
    >>> from decimal import Decimal
    >>> straight_line(Decimal(120000), Decimal(12000), 60)
    Decimal('1800')
    """
    return (acquisition_cost - salvage_value) / life_months


def net_book_value(acquisition_cost: Any, monthly: Any, months: Any) -> Any:
    """What stands in the books after so many months.

    Example
    -------
    >>> from decimal import Decimal
    >>> net_book_value(Decimal(120000), Decimal(1800), 18)
    Decimal('87600')
    """
    return acquisition_cost - monthly * months


def asset_books(asset: Table, month: str) -> Table:
    """The register in one month: what each asset depreciates and its net book value at the month's end.

    An asset depreciates from the month it was acquired in, for its life, until it is decommissioned.

    Parameters
    ----------
    month : first day of the month, ISO

    Returns
    -------
    one row per asset acquired by then: ``depreciation`` of the month, ``net_book_value``, ``age_months``,
    ``retired``; amounts in the asset's currency, decimals
    """
    at = ibis.date(month)
    rows = asset.filter((asset.acquired_on < at + ibis.interval(months=1)) & (asset.life_months > 0))
    begun = first_of_month(rows.acquired_on)
    age = (at.year() - begun.year()) * 12 + at.month() - begun.month() + 1
    rows = rows.mutate(age_months=age, retired=(rows.decommissioned_on <= at).fill_null(False))
    counted = ibis.least(rows.age_months, rows.life_months)
    base = rows.acquisition_cost.cast("decimal(18,6)") - rows.salvage_value.fill_null(0).cast("decimal(18,6)")
    # by whole months first, one division last: the last month ends on the salvage value exactly
    spread = (base * counted.cast("decimal(6,0)")).cast("float64") / rows.life_months
    monthly = base.cast("float64") / rows.life_months
    running = (rows.age_months <= rows.life_months) & ~rows.retired
    return rows.mutate(
        depreciation=ibis.ifelse(running, monthly, 0.0).round(6).cast("decimal(24,6)"),
        net_book_value=ibis.ifelse(
            rows.retired, 0.0, rows.acquisition_cost.cast("float64") - spread
        ).round(6).cast("decimal(24,6)"),
    )  # fmt: skip
