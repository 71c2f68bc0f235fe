"""Allocation: whose cost it is, with what nobody owns shown beside it. Allocated + unallocated = total."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
from ibis.expr.types import Table, Value

from finops_kit.fields.tags import OWNER_DIMENSIONS, REQUIRED_DIMENSIONS
from finops_kit.value.lens import allocated_to


def ratio(part: Value, whole: Value) -> Value:
    """Part over whole as float64; null where the whole is nothing."""
    return ibis.ifelse(whole == 0, ibis.null("float64"), part.cast("float64") / whole.nullif(0).cast("float64"))


def total_by(lens: Table, dimensions: Sequence[str], amount: str = "EffectiveCost") -> Table:
    """Cost by member, conserving: charges without an owner stand under ``unallocated``.

    Returns
    -------
    one row per combination of ``dimensions``: ``amount`` in the lens's currency, ``charges`` (count).
    The amounts sum to the lens's total exactly.
    """
    keys = {name: allocated_to(lens, name) if name in OWNER_DIMENSIONS else lens[name] for name in dimensions}
    table = lens.mutate(**keys)
    return table.group_by(list(dimensions)).agg(**{amount: table[amount].sum().fill_null(0), "charges": table.count()})


def unallocated_ratio(lens: Table, dimension: str = "service_id", amount: str = "EffectiveCost") -> Table:
    """Cost without an owner over total cost (M3); the target is below 5 %.

    Returns
    -------
    one row: total, unallocated, allocated in the lens's currency; unallocated_ratio (float, 0-1; null without cost)
    """
    total = lens[amount].sum().fill_null(0)
    orphan = lens[amount].sum(where=lens[dimension].isnull()).fill_null(0)
    sums = lens.agg(total=total, unallocated=orphan)
    return sums.mutate(allocated=sums.total - sums.unallocated, unallocated_ratio=ratio(sums.unallocated, sums.total))


def tag_readiness(lens: Table, by: Sequence[str], amount: str = "EffectiveCost") -> Table:
    """How ready for allocation each account or team is: the share of its cost that carries each required tag itself.

    Returns
    -------
    one row per ``by``: ``amount``; ``<tag>_pct`` (0-100) per required tag; ``readiness_pct``, their mean
    """
    cost = lens[amount].abs()
    sums = lens.group_by(list(by)).agg(
        **{amount: lens[amount].sum().fill_null(0), "absolute": cost.sum().fill_null(0)},
        **{f"{name}_held": cost.sum(where=lens[f"tag_{name}"].notnull()).fill_null(0) for name in REQUIRED_DIMENSIONS},
    )
    pct = {f"{name}_pct": 100 * ratio(sums[f"{name}_held"], sums.absolute) for name in REQUIRED_DIMENSIONS}
    mean = sum(pct.values(), ibis.literal(0.0)) / len(pct)
    return sums.select(*by, amount, **pct, readiness_pct=mean)
