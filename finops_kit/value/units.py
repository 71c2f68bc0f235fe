"""Quantities in the unit of their kind, beside what the bill says: 10 of `100 Hours` are 3,600,000 `Seconds`.

The originals are never changed. Every factor is an exact fraction (:mod:`finops_kit.fields.units`), so a normalised
quantity is exact to the 18th decimal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import product

import ibis
import ibis.expr.datatypes as dt
import pyarrow as pa
from ibis.expr.types import DecimalValue, Table, Value

from finops_kit.fields.units import UnitReading, multiplier, read_unit

_READINGS = pa.schema([
    ("said_provider", pa.string()), ("said_unit", pa.string()), ("normalized_unit", pa.string()),
    ("unit_factor", pa.int64()), ("unit_fine", pa.bool_()), ("unit_why", pa.string()),
])  # fmt: skip
_CONVERSIONS = pa.schema([
    ("said_provider", pa.string()), ("said_unit", pa.string()), ("shown_unit", pa.string()),
    ("comparable", pa.string()), ("per_shown", pa.float64()), ("unit_factor", pa.int64()), ("unit_fine", pa.bool_()),
])  # fmt: skip


@ibis.udf.scalar.builtin(name="try", signature=((dt.Decimal(38, 18),), dt.Decimal(38, 18)))
def _attempt(quantity: Decimal) -> Decimal:  # type: ignore[empty-body]
    """DuckDB's TRY: null where the product has more digits than the column."""


def unit_readings(said: Iterable[tuple[str | None, str | None]]) -> Table:
    """What the units of a bill mean, provider by provider.

    Parameters
    ----------
    said : the distinct providers and unit texts of the charges

    Returns
    -------
    one row per provider and text: ``said_provider``, ``said_unit``, ``normalized_unit`` (null where the text is
    unknown), ``unit_factor`` (of ``normalized_unit``; thousand-millionths where ``unit_fine``), ``unit_why``
    """
    rows = []
    for provider, text in sorted({(provider or "", text or "") for provider, text in said}):
        reading = read_unit(text, provider)
        factor, fine = multiplier(reading.factor) or (0, False)
        rows.append((provider, text, reading.unit or None, factor, fine, reading.why))
    return _table(rows, _READINGS)


def unit_conversions(said: Iterable[tuple[str | None, str | None]]) -> Table:
    """Which units of a provider's bills are comparable, and how many of one are one of the other.

    Returns
    -------
    one row per provider and pair of texts that are of one kind, every text with itself among them: ``said_provider``,
    ``said_unit``, ``shown_unit``, ``comparable`` (the unit of their kind; the text itself where it is unknown),
    ``per_shown`` (float: how many ``shown_unit`` are one ``said_unit``), ``unit_factor`` and ``unit_fine``, the same
    exactly (null where it has no end, as from seconds to hours)
    """
    kinds: dict[tuple[str, str], list[UnitReading]] = {}
    for provider, text in sorted({(provider or "", text or "") for provider, text in said}):
        reading = read_unit(text, provider)
        if reading.text != text:  # blanks around it: the text is the key
            reading = UnitReading(text, reading.unit, reading.factor, reading.why)
        kinds.setdefault((provider, reading.unit or text), []).append(reading)
    rows = [
        (provider, one.text, other.text, kind, float(one.factor / other.factor),
         *(multiplier(one.factor / other.factor) or (None, None)))
        for (provider, kind), members in kinds.items()
        for one, other in product(members, members)
    ]  # fmt: skip
    return _table(rows, _CONVERSIONS)


def _table(rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return ibis.memtable(pa.table(dict(zip(schema.names, columns, strict=True)), schema=schema))


def normalised(charges: Table, readings: Table, quantity: str = "PricingQuantity", unit: str = "PricingUnit") -> Table:
    """Each charge with its quantity in the unit of its kind, the originals untouched.

    Parameters
    ----------
    charges : charges with ``provider``
    readings : see :func:`unit_readings`
    quantity, unit : the columns to read; ``ConsumedQuantity`` and ``ConsumedUnit`` otherwise

    Returns
    -------
    as given, with ``normalized_quantity`` (DECIMAL(38,18), exact), ``normalized_unit``, and ``normalized_why``: why
    both are null; empty where they are not, or where the charge has no quantity at all
    """
    rows = charges.mutate(_provider=charges.provider.fill_null(""), _unit=charges[unit].fill_null(""))
    rows = rows.left_join(readings, [rows._provider == readings.said_provider, rows._unit == readings.said_unit])
    made = times_factor(rows[quantity], rows.unit_factor, rows.unit_fine)
    known = rows.normalized_unit.notnull()
    too_large = ibis.literal("more than 20 digits in ") + rows.normalized_unit
    why = ibis.cases(
        (rows[quantity].isnull(), ""),
        (~known, ibis.coalesce(rows.unit_why, "the unit was not read")),
        (made.isnull(), too_large),
        else_="",
    )
    told = known & made.notnull()
    rows = rows.mutate(
        normalized_quantity=ibis.ifelse(told, made, ibis.null("decimal(38,18)")),
        normalized_unit=ibis.ifelse(told, rows.normalized_unit, ibis.null("string")),
        normalized_why=why,
    )
    return rows.drop("_provider", "_unit", "said_provider", "said_unit", "unit_factor", "unit_fine", "unit_why")


def times_factor(quantity: Value, factor: Value, fine: Value) -> DecimalValue:
    """A quantity by a whole factor, or by thousand-millionths of it; null beyond 20 digits before the point.

    What stands before the ninth decimal and what stands after it are multiplied apart, so that no digit is lost on the
    way.
    """
    exact = quantity.cast("decimal(38,18)")
    upper = exact.cast("decimal(38,9)")
    lower = exact - upper.cast("decimal(38,18)")
    fraction = ibis.literal(Decimal("1e-9"), "decimal(9,9)")
    small = (upper * factor) * fraction + ((lower * factor).cast("decimal(38,9)")) * fraction
    return ibis.ifelse(fine, _attempt(small), _attempt(exact * factor)).cast("decimal(38,18)")


def unknown_units(
    charges: Table, readings: Table, quantity: str = "PricingQuantity", unit: str = "PricingUnit"
) -> Table:
    """Charges whose quantity is in a unit that nobody knows, counted.

    Returns
    -------
    one row per provider and unit text: ``provider``, ``unit``, ``charges``, ``EffectiveCost``, ``why``
    """
    rows = normalised(charges, readings, quantity, unit)
    rows = rows.filter(rows.normalized_why != "")
    sums = rows.group_by(["provider", rows[unit].fill_null("").name("unit"), rows.normalized_why.name("why")])
    return sums.agg(charges=rows.count(), EffectiveCost=rows.EffectiveCost.sum().fill_null(0))
