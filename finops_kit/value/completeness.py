"""Completeness of a period that is still being billed, and two ways to complete it."""

from __future__ import annotations

from typing import Any

from ibis.expr.types import Table

from finops_kit.value.allocation import ratio


def chain_ladder(observed: Any, completeness: Any) -> Any:
    """The final amount if this period fills up as past ones did.

    Example
    -------
    >>> chain_ladder(60, 0.75)
    80.0
    """
    return observed / completeness


def bornhuetter_ferguson(observed: Any, completeness: Any, prior: Any) -> Any:
    """The final amount as what is seen plus the missing share of what was expected.

    Example
    -------
    >>> bornhuetter_ferguson(60, 0.75, 100)
    85.0
    """
    return observed + (1 - completeness) * prior


def completeness_at(observed: Table, final: Table) -> Table:
    """How complete past periods were at each age.

    Parameters
    ----------
    observed : provider, month, age_days, amount known at that age
    final : provider, month, final_amount

    Returns
    -------
    one row per provider and age_days: ``completeness`` = sum observed / sum final (float, 0-1)
    """
    both = observed.join(final, ["provider", "month"])
    sums = both.group_by(["provider", "age_days"]).agg(seen=both.amount.sum(), whole=both.final_amount.sum())
    return sums.mutate(completeness=ratio(sums.seen, sums.whole)).drop("seen", "whole")
