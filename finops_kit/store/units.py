"""Quantities in the unit of their kind as views: what each unit text of the bills means, and charges beside it.

The meaning comes from the one table of units (:mod:`finops_kit.fields.units`), which the engine asks once for each
provider and text that the bills have; :func:`finops_kit.value.units.normalised` gives the same inside a reading.
"""

from __future__ import annotations

from typing import Any

import duckdb

from finops_kit.fields.units import multiplier, read_unit
from finops_kit.store.lake import LAKE

#: what the engine calls to have a text read; it stands in each reader's own memory
READ_UNIT = "read_unit"
_READING = "STRUCT(unit VARCHAR, whole BIGINT, fine BOOLEAN, why VARCHAR)"
#: thousand-millionths, exactly
_FINE = "0.000000001::DECIMAL(9,9)"


def _provider(of: str = "") -> str:
    """Whose words a charge's units are: as in the lens."""
    names = (f"nullif(trim({of}\"{name}\"), '')" for name in ("ServiceProviderName", "ProviderName"))
    return f"coalesce({', '.join(names)}, {of}source_system)"


def _factor(of: str) -> str:
    """How many of the normalised unit are one of the unit said; null where that is unknown."""
    return f"CASE WHEN {of}.fine THEN {of}.whole * {_FINE} ELSE {of}.whole END::DECIMAL(38,9)"


def _quantity(name: str, of: str) -> str:
    """A quantity by its factor, to the eighteenth decimal; null beyond 20 digits before the point.

    What stands before the ninth decimal and what stands after it are multiplied apart: no digit is lost on the way.
    """
    exact, upper = f'CAST(c."{name}" AS DECIMAL(38,18))', f'CAST(c."{name}" AS DECIMAL(38,9))'
    small = f"({upper} * {of}.whole * {_FINE}) + (CAST(({exact} - {upper}) * {of}.whole AS DECIMAL(38,9)) * {_FINE})"
    return f"CAST(CASE WHEN {of}.fine THEN TRY({small}) ELSE TRY({exact} * {of}.whole) END AS DECIMAL(38,18))"


def _columns(kind: str, of: str) -> str:
    quantity, why = f"{kind}Quantity", f"{of}.why"
    made, name = _quantity(quantity, of), kind.lower()
    return f"""
    {made} AS normalized_{name}_quantity,
    CASE WHEN {made} IS NOT NULL THEN {of}.unit END AS normalized_{name}_unit,
    {_factor(of)} AS {name}_unit_factor,
    CASE WHEN c."{quantity}" IS NULL THEN '' WHEN {of}.whole IS NULL THEN {why}
        WHEN {made} IS NULL THEN 'more than 20 digits in ' || {of}.unit ELSE '' END AS {name}_unit_why"""


#: one row per provider and unit text of any bill: the unit of its kind, the exact factor, and why it is unknown
UNIT_READING = f"""
    SELECT provider, unit, r.unit AS normalized_unit, {_factor("r")} AS unit_factor, r.why AS why
    FROM (SELECT provider, unit, {READ_UNIT}(unit, provider) AS r FROM (
        SELECT DISTINCT provider, unnest([coalesce("PricingUnit", ''), coalesce("ConsumedUnit", '')]) AS unit
        FROM (SELECT DISTINCT {_provider()} AS provider, "PricingUnit", "ConsumedUnit" FROM {LAKE}.charge)))
"""
#: current charges with both quantities in the units of their kinds; the two texts are looked up at once, because each
#: join carries every column that is asked for
CHARGE_IN_UNITS = f"""
    SELECT c.*, {_columns("Pricing", "u.p")}, {_columns("Consumed", "u.q")}
    FROM charge c LEFT JOIN (
        SELECT provider, pricing, consumed, {READ_UNIT}(pricing, provider) AS p, {READ_UNIT}(consumed, provider) AS q
        FROM (SELECT DISTINCT {_provider()} AS provider, coalesce("PricingUnit", '') AS pricing,
            coalesce("ConsumedUnit", '') AS consumed FROM {LAKE}.charge)
    ) u ON u.provider = {_provider("c.")} AND u.pricing = coalesce(c."PricingUnit", '')
        AND u.consumed = coalesce(c."ConsumedUnit", '')
"""


def let_read_units(connection: duckdb.DuckDBPyConnection) -> None:
    """Give a connection what the views of this module call; asked once for each text, never once for each charge."""
    connection.create_function(READ_UNIT, _read, ["VARCHAR", "VARCHAR"], _READING, null_handling="special")


def _read(text: str, provider: str) -> dict[str, Any]:
    reading = read_unit(text, provider)
    factor = None if reading.why else multiplier(reading.factor)
    whole, fine = factor or (None, None)
    return {"unit": reading.unit or None, "whole": whole, "fine": fine, "why": reading.why}
