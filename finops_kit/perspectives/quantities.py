"""Blocks about quantities: which units of the bills nobody knows, so that their quantities compare with nothing."""

from __future__ import annotations

from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.cost import LABELS, no_charges
from finops_kit.perspectives.reading import ResultTable
from finops_kit.perspectives.tables import result
from finops_kit.perspectives.words import count
from finops_kit.value.units import unit_readings, unknown_units


def unknown_units_table(basis: Basis) -> ResultTable:
    """Priced units of the period that the table of units does not have, counted: their quantities stay as billed."""
    now = basis.now
    said = basis.rows(now.filter(now.PricingQuantity.notnull()).select("provider", "PricingUnit").distinct())
    units = [(row["provider"], row["PricingUnit"]) for row in said]
    names = {row["PricingUnit"] for row in said}
    found = unknown_units(now, unit_readings(units))
    rows = basis.rows(found.order_by([found.EffectiveCost.desc(), "provider", "unit"]))
    return result(
        "unknown_units", "Units that are not known", "Which quantities compare with no other?", rows,
        ("provider", "unit", "charges", "EffectiveCost", "why"), units={"EffectiveCost": basis.currency},
        labels={**LABELS, "unit": "Unit as billed", "charges": "Charges", "why": "Reason"},
        empty_because=f"Every unit that the period is priced in is known, {len(names)} of them." if names
        else "No charge of the period is priced by a quantity." if basis.totals["charges"] else no_charges(basis),
        answer=f"{count(sum(row['charges'] for row in rows), 'charge')} in {count(len(rows), 'unit')} nobody knows.",
    )  # fmt: skip
