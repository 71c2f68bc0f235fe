"""Blocks about quantities: which units of the bills nobody knows, so that their quantities compare with nothing."""

from __future__ import annotations

from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.cost import LABELS, no_charges
from finops_kit.perspectives.reading import ResultTable
from finops_kit.perspectives.tables import Row, result
from finops_kit.perspectives.words import count
from finops_kit.value.units import unit_readings, unknown_units


def unknown_units_table(basis: Basis) -> ResultTable:
    """Units of the period that the table of units does not have, counted: their quantities stay as billed."""
    rows: list[Row] = []
    names: set[str] = set()
    for kind, said in (("priced in", "Pricing"), ("consumed in", "Consumed")):
        quantity, unit = f"{said}Quantity", f"{said}Unit"
        now = basis.now.filter(basis.now[quantity].notnull())
        if said == "Consumed":  # the same charge in the same unit is told once
            now = now.filter((now.PricingQuantity.isnull() | (now.ConsumedUnit != now.PricingUnit)).fill_null(True))
        units = [(row["provider"], row[unit]) for row in basis.rows(now.select("provider", unit).distinct())]
        names |= {text for _, text in units if text}
        found = unknown_units(now, unit_readings(units), quantity, unit)
        rows += [{**row, "kind": kind} for row in basis.rows(found)]
    rows.sort(key=lambda row: (-row["EffectiveCost"], row["provider"], row["unit"], row["kind"]))
    return result(
        "unknown_units", "Units that are not known", "Which quantities compare with no other?", rows,
        ("provider", "unit", "kind", "charges", "EffectiveCost", "why"), units={"EffectiveCost": basis.currency},
        labels={**LABELS, "unit": "Unit as billed", "kind": "What for", "charges": "Charges", "why": "Reason"},
        empty_because=f"Every unit of the period is known, {len(names)} of them." if names
        else "No charge of the period says a quantity." if basis.totals["charges"] else no_charges(basis),
        answer=f"{count(sum(row['charges'] for row in rows), 'charge')} in "
        f"{count(len({row['unit'] for row in rows}), 'unit')} nobody knows.",
    )  # fmt: skip
