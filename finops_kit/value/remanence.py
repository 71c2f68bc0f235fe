"""Remanence: the cost that stays when the volume has left, and what a migration pays for twice."""

from __future__ import annotations

from typing import Any

import ibis
from ibis.expr.types import Table


def remanence(cost_before: Any, volume_before: Any, cost_after: Any, volume_after: Any) -> Any:
    """Cost that stayed: actual cost less what it would be had it left with the volume, C1 - C0 x q1 / q0.

    Example
    -------
    >>> remanence(100000, 100, 92000, 60)
    32000.0
    """
    return cost_after - cost_before * volume_after / volume_before


def remanence_coefficient(cost_before: Any, volume_before: Any, cost_after: Any, volume_after: Any) -> Any:
    """The part of the cost that should have left and stayed, 0-1.

    Example
    -------
    >>> remanence_coefficient(100000, 100, 92000, 60)
    0.8
    """
    should_leave = cost_before - cost_before * volume_after / volume_before
    return remanence(cost_before, volume_before, cost_after, volume_after) / should_leave


def structural_and_late(
    cost_before: Any, volume_before: Any, cost_after: Any, volume_after: Any, fixed: Any, variable: Any
) -> tuple[Any, Any]:
    """Remanence in two: what the plan curve (fixed + variable x volume) foresaw, and decommissioning that is late.

    Example
    -------
    >>> structural_and_late(100000, 100, 92000, 60, 70000, 300)
    (28000.0, 4000.0)
    """
    whole = remanence(cost_before, volume_before, cost_after, volume_after)
    planned = fixed + variable * volume_after
    late = cost_after - planned
    return whole - late, late * 1.0


def stranded(net_book_value: Any, resale: Any, not_cancellable: Any) -> Any:
    """Cost that is lost when an asset goes early: book value less resale plus what cannot be cancelled.

    Example
    -------
    >>> stranded(87600, 20000, 6000)
    73600
    """
    return net_book_value - resale + not_cancellable


def double_run(months: Any, avoidable_monthly: Any) -> Any:
    """Avoidable legacy cost between the cloud's go-live and the decommissioning.

    Example
    -------
    >>> double_run(4, 4000)
    16000
    """
    return months * avoidable_monthly


def both_sides(monthly: Table) -> Table:
    """Services that pay for two homes: on-premises and cloud cost by month, where both occur in some month.

    Parameters
    ----------
    monthly : service_id, month, on_premises (boolean), EffectiveCost

    Returns
    -------
    one row per service_id and month: ``legacy``, ``cloud`` and ``legacy_peak`` (greatest legacy month so far), currency
    """
    sums = monthly.group_by(["service_id", "month"]).agg(
        legacy=monthly.EffectiveCost.sum(where=monthly.on_premises).fill_null(0),
        cloud=monthly.EffectiveCost.sum(where=~monthly.on_premises).fill_null(0),
    )
    line = ibis.cumulative_window(group_by="service_id", order_by=sums.month)
    return sums.mutate(legacy_peak=sums.legacy.max().over(line))
