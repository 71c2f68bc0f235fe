"""Charges in the units of their kinds: the view says of every unit what the value function says, to the last digit."""

from __future__ import annotations

import csv
from decimal import Decimal

import duckdb
import ibis
import pytest

from finops_kit.fields.units import read_unit
from finops_kit.store.units import CHARGE_IN_UNITS, UNIT_READING, let_read_units
from finops_kit.value.units import normalised, unit_readings

QUANTITIES = (Decimal("1"), Decimal("-2.5"), Decimal("0.000000001234567891"), Decimal("123456789012345678.9"),
              Decimal("9" * 19), None)  # fmt: skip
OWN = ("Hrs", "GB-Mo", "GiB", "GiBy.h", "byte-seconds", "10K", "1M requests", "100 GB/Month", "OCPU Per Hour", "ms",
       "Wombats", "", None, " Hours ", "9" * 5000, "GB", "Gb")  # fmt: skip


@pytest.fixture
def bill(fixtures_folder):
    """Charges of three providers in every unit that Microsoft knows and in those of the others, as a lake has them."""
    with (fixtures_folder / "finops_toolkit/open_data/PricingUnits.csv").open(encoding="utf-8-sig") as text:
        units = {row["UnitOfMeasure"] for row in csv.DictReader(text)}
    rows = [
        (*((None, provider) if n % 3 else (provider, "other")), unit, QUANTITIES[n % 6], unit, QUANTITIES[-n % 6])
        for provider in ("AWS", "Microsoft", "Google Cloud")
        for n, unit in enumerate([*OWN * 6, *sorted(units)])
    ]  # fmt: skip
    connection = duckdb.connect()
    connection.execute("ATTACH ':memory:' AS lake")
    connection.execute("""CREATE TABLE lake.charge ("ServiceProviderName" VARCHAR, "ProviderName" VARCHAR,
        "PricingUnit" VARCHAR, "PricingQuantity" DECIMAL(38,18), "ConsumedUnit" VARCHAR,
        "ConsumedQuantity" DECIMAL(38,18), source_system VARCHAR DEFAULT 'focus-1.2', line INTEGER)""")
    connection.executemany("INSERT INTO lake.charge BY POSITION (\"ServiceProviderName\", \"ProviderName\", "
        "\"PricingUnit\", \"PricingQuantity\", \"ConsumedUnit\", \"ConsumedQuantity\", line) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)", [(*row, n) for n, row in enumerate(rows)])  # fmt: skip
    connection.execute("CREATE VIEW charge AS FROM lake.charge")
    let_read_units(connection)
    for name, select in (("unit_reading", UNIT_READING), ("charge_in_units", CHARGE_IN_UNITS)):
        connection.execute(f"CREATE VIEW {name} AS {select}")
    yield connection
    connection.close()


def test_view_and_value_function_agree_on_every_unit(bill):
    db = ibis.duckdb.from_connection(bill)
    seen = db.table("charge_in_units")
    charge = db.table("charge")
    charges = charge.mutate(provider=ibis.coalesce(charge.ServiceProviderName, charge.ProviderName))
    said = bill.execute('SELECT DISTINCT coalesce("ServiceProviderName", "ProviderName"), "PricingUnit" FROM charge')
    readings = unit_readings(said.fetchall())
    for kind in ("Pricing", "Consumed"):
        names = [f"normalized_{kind.lower()}_{part}" for part in ("quantity", "unit")] + [f"{kind.lower()}_unit_why"]
        made = normalised(charges, readings, f"{kind}Quantity", f"{kind}Unit").order_by("line")
        wanted = made.select("normalized_quantity", "normalized_unit", "normalized_why").to_pyarrow().to_pylist()
        found = seen.order_by("line").select(*names).to_pyarrow().to_pylist()
        assert len(found) > 1000 and [tuple(row.values()) for row in found] == [tuple(row.values()) for row in wanted]
    factors = bill.execute("SELECT provider, unit, normalized_unit, unit_factor, why FROM unit_reading").fetchall()
    assert len(factors) > 1000
    for provider, unit, name, factor, why in factors:
        reading = read_unit(unit, provider)
        assert (name or "", why) == (reading.unit, reading.why)
        assert factor == (None if why else Decimal(reading.factor.numerator) / reading.factor.denominator)


def test_what_one_charge_says(bill):
    """2.5 GiB-hours taken back, 1 of nobody knows what, and more hours than 20 digits of seconds."""
    bill.execute("""INSERT INTO lake.charge BY NAME SELECT 'X' AS "ProviderName", unit AS "PricingUnit",
        quantity AS "PricingQuantity" FROM (VALUES ('GiBy.h', -2.5), ('Wombats', 1), ('Hrs', 99999999999999999999))
        AS t(unit, quantity)""")
    told = bill.execute("""SELECT normalized_pricing_quantity, normalized_pricing_unit, pricing_unit_factor,
        pricing_unit_why FROM charge_in_units WHERE "ProviderName" = 'X' ORDER BY "PricingQuantity" """).fetchall()
    assert told == [
        (Decimal("-9663.676416"), "GB-Seconds", Decimal("3865.4705664"), ""),
        (None, None, None, "the unit 'Wombats' is not known"),
        (None, None, Decimal(3600), "more than 20 digits in Seconds"),
    ]
