"""Allocation: whose cost it is, with what nobody owns shown beside it. Allocated + unallocated = total."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add, and_

import ibis
from ibis.expr.types import BooleanValue, Table, Value

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


def tag_readiness(
    lens: Table, by: Sequence[str], amount: str = "EffectiveCost", required: Sequence[str] = REQUIRED_DIMENSIONS
) -> Table:
    """How ready for allocation each account or team is: the share of its cost that carries the required tags itself.

    Cost counts by its size, so that a credit is as much to be owned as a charge; what the CMDB knows does not count.

    Returns
    -------
    one row per ``by``: ``amount``; ``charges``; ``<tag>_pct`` (0-100) per required tag; ``readiness_pct``, their mean;
    ``complete_pct`` and ``complete_rows_pct``, the share of cost and of rows that carry all of them
    """
    cost = lens[amount].abs()
    whole = carries_all(lens, required)
    sums = lens.group_by(list(by)).agg(
        **{amount: lens[amount].sum().fill_null(0), "charges": lens.count(), "absolute": cost.sum().fill_null(0)},
        **{f"{name}_held": cost.sum(where=lens[f"tag_{name}"].notnull()).fill_null(0) for name in required},
        complete_held=cost.sum(where=whole).fill_null(0),
        complete_rows=whole.sum().fill_null(0),
    )
    pct = {f"{name}_pct": 100 * ratio(sums[f"{name}_held"], sums.absolute) for name in required}
    mean = sum(pct.values(), ibis.literal(0.0)) / len(pct)
    return sums.select(
        *by, amount, "charges", **pct, readiness_pct=mean, complete_pct=100 * ratio(sums.complete_held, sums.absolute),
        complete_rows_pct=100 * ratio(sums.complete_rows, sums.charges),
    )  # fmt: skip


def carries_all(lens: Table, required: Sequence[str] = REQUIRED_DIMENSIONS) -> BooleanValue:
    """Whether a charge carries every required tag itself."""
    return reduce(and_, [lens[f"tag_{name}"].notnull() for name in required])


def tags_to_add(lens: Table, required: Sequence[str] = REQUIRED_DIMENSIONS, amount: str = "EffectiveCost") -> Table:
    """What to tag first: resources, and accounts for charges that name no resource, that lack a required tag.

    Returns
    -------
    one row per provider, SubAccountId and ResourceId: ``amount`` and ``charges`` that lack one, ``missing`` (which, as
    text; ``all`` of them), ResourceName, and ``service_id`` and ``team`` as far as the CMDB or another tag knows them
    """
    rows = lens.filter(~carries_all(lens, required))
    sums = rows.group_by(["provider", "SubAccountId", "ResourceId"]).agg(
        **{amount: rows[amount].sum().fill_null(0), "charges": rows.count()},
        **{f"lacks_{name}": rows[f"tag_{name}"].isnull().any() for name in required},
        ResourceName=rows.ResourceName.max(), SubAccountName=rows.SubAccountName.max(),
        service_id=rows.service_id.max(), team=rows.team.max(),
    )  # fmt: skip
    texts = [ibis.ifelse(sums[f"lacks_{name}"], f", {name}", "") for name in required]
    lacks_all = reduce(and_, [sums[f"lacks_{name}"] for name in required])
    missing = ibis.ifelse(lacks_all, "all", reduce(add, texts).substr(2))
    return sums.mutate(missing=missing).drop(*(f"lacks_{name}" for name in required))


def conflicts(lens: Table, amount: str = "EffectiveCost") -> Table:
    """Tags that contradict each other, and what it touches.

    Returns
    -------
    one row per ``tag_conflict``: ``resources``, ``charges``, ``amount``
    """
    rows = lens.filter(lens.tag_conflict.notnull())
    return rows.group_by("tag_conflict").agg(
        **{amount: rows[amount].sum().fill_null(0)}, resources=rows.ResourceId.nunique(), charges=rows.count()
    )
