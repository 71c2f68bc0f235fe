"""The measures that a figure can be traced by: one name, one amount column, one rule for which charges count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ibis
from ibis.expr.types import BooleanValue, Table

from finops_kit.errors import UsageError
from finops_kit.value.scope import SCOPE_COLUMNS


def _every(lens: Table) -> BooleanValue:
    return ibis.literal(True)


@dataclass(frozen=True)
class Measure:
    """An additive measure over charges.

    Attributes
    ----------
    column : the FOCUS amount that is summed, in the reporting currency
    predicate : which charges of the lens count
    dimensions : the words that a trace may filter by
    """

    name: str
    title: str
    column: str
    predicate: Callable[[Table], BooleanValue] = _every
    unit: str = "currency"
    dimensions: tuple[str, ...] = tuple(SCOPE_COLUMNS)


MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure("effective_cost", "Effective cost", "EffectiveCost"),
        Measure("billed_cost", "Billed cost", "BilledCost"),
        Measure("list_cost", "Cost at list price", "ListCost"),
        Measure("contracted_cost", "Cost at contracted price", "ContractedCost"),
        Measure("usage_cost", "Usage", "EffectiveCost", lambda lens: lens.ChargeCategory == "Usage"),
        Measure("purchase_cost", "Purchases, as billed", "BilledCost", lambda lens: lens.ChargeCategory == "Purchase"),
        Measure("tax_cost", "Tax", "EffectiveCost", lambda lens: lens.ChargeCategory == "Tax"),
        Measure("credit_cost", "Credits", "EffectiveCost", lambda lens: lens.ChargeCategory == "Credit"),
        Measure(
            "correction_cost",
            "Corrections of earlier periods",
            "EffectiveCost",
            lambda lens: (lens.ChargeClass == "Correction").fill_null(False),
        ),
        Measure(
            "unallocated_cost", "Cost that no service owns", "EffectiveCost", lambda lens: lens.service_id.isnull()
        ),
        Measure(
            "commitment_used_cost",
            "Commitments, the part that was used",
            "EffectiveCost",
            lambda lens: (
                lens.CommitmentDiscountId.notnull()
                & (lens.ChargeCategory == "Usage")
                & (lens.CommitmentDiscountStatus != "Unused").fill_null(True)
            ),
        ),
        Measure(
            "commitment_unused_cost",
            "Commitments, the part that ran idle",
            "EffectiveCost",
            lambda lens: (
                lens.CommitmentDiscountId.notnull()
                & (lens.ChargeCategory == "Usage")
                & (lens.CommitmentDiscountStatus == "Unused").fill_null(False)
            ),
        ),
        Measure(
            "late_cost",
            "Usage billed in a later period than it took place",
            "EffectiveCost",
            lambda lens: (
                (lens.BillingPeriodStart.date() > lens.month) & (lens.ChargeClass != "Correction").fill_null(True)
            ),
        ),
    )
}


def find_measure(name: str) -> Measure:
    """A measure by its name.

    Raises
    ------
    UsageError : there is no such measure

    Example
    -------
    >>> find_measure("effective_cost").column
    'EffectiveCost'
    """
    if name not in MEASURES:
        raise UsageError(f"There is no measure {name!r}. The measures are {', '.join(MEASURES)}.")
    return MEASURES[name]
