"""Units: what real bills write, what Microsoft's own look-up says of them, and quantities to the last decimal."""

from __future__ import annotations

import csv
import gzip
import io
from decimal import Decimal
from fractions import Fraction

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_kit.demo.prices import SKUS
from finops_kit.fields.units import read_unit
from finops_kit.value.units import normalised, unit_conversions, unit_readings, unknown_units

GIB = Fraction(2**30, 10**9)
#: the columns that name a unit of quantity, in the bills of all providers
UNIT_COLUMNS = ("pricing/unit", "UnitOfMeasure", "unitOfMeasure", "usage.unit", "usage.pricing_unit", "PricingUnit",
                "ConsumedUnit")  # fmt: skip
#: texts of Azure's look-up that no table can read: prose, or two numbers
ODD = {
    "1 1 Hour", "1 Concurrent DVC", "1 Content Hours", "1 Cubic Meter/Month", "1 por mes", "10000 1,000s", "10000s",
    "CallingMinutes", "Text", "Unassigned", "per Privacy Subject Rights Request", "print job",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "provider", "unit", "factor"),
    [
        ("Hrs", "AWS", "Seconds", 3600), ("seconds", "Google Cloud", "Seconds", 1), ("minutes", "", "Seconds", 60),
        ("GB", "AWS", "GB", 1), ("GB-Mo", "AWS", "GB-Months", GIB), ("GB Months", "Oracle", "GB-Months", 1),
        ("gibibyte month", "Google Cloud", "GB-Months", GIB), ("GiBy.h", "", "GB-Seconds", 3600 * GIB),
        ("byte-seconds", "Google Cloud", "GB-Seconds", Fraction(1, 10**9)), ("TB", "", "GB", 1000),
        ("10K", "Microsoft", "Units", 10**4), ("1M requests", "", "Requests", 10**6), ("1 Million", "", "Units", 10**6),
        ("100 GB/Month", "Microsoft", "GB/Month", 100), ("1 Gb", "Microsoft", "GB", 1), ("Gb", "Cogent", "Gb", 1),
        ("1/10 Days", "Microsoft", "Units/10 Days", 1), ("OCPU Per Hour", "Oracle", "OCPUs/Hour", 1),
        ("GiB/Second-Months", "AWS", "GB/Second-Months", GIB), ("LCU-Hrs", "AWS", "LCU-Seconds", 3600),
        ("1 Daily User", "Microsoft", "Users/Day", 1), ("Years", "", "Months", 12),
        ("10,000 Tokens", "", "Tokens", 10**4),
    ],
)  # fmt: skip
def test_what_a_text_means(text, provider, unit, factor):
    reading = read_unit(text, provider)
    assert (reading.unit, reading.factor, reading.why) == (unit, factor, "")


def test_a_month_is_no_number_of_hours_and_a_period_is_never_converted():
    units = ("GB-Months", "GB-Hours", "GB/Day", "GB/Hour")
    assert len({read_unit(text).unit for text in units}) == len(units)


@pytest.mark.parametrize("text", ["Wombats", "0 Hours", "GB/Request", "Hours-Hours", "K", "12", "/Month", None, " "])
def test_what_is_unknown_says_so(text):
    reading = read_unit(text)
    known = {"12": "Units", "/Month": "Units/Month"}
    assert reading.unit == known.get(text, "")
    assert bool(reading.why) == (text not in known)


def test_every_unit_of_the_real_bills_is_known(fixtures_folder):
    found = {}
    for path in sorted(fixtures_folder.rglob("*.csv*")):
        if "open_data" in path.parts or "ocp" in path.parts:
            continue
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        places = [n for n, name in enumerate(next(rows)) if name in UNIT_COLUMNS]
        for row in rows if places else ():
            found.update({row[n]: path.name for n in places if n < len(row) and row[n] not in ("", "NULL")})
    assert len(found) > 40
    assert {text: name for text, name in found.items() if read_unit(text).why} == {}
    assert {sku.unit for sku in SKUS.values() if read_unit(sku.unit).why} == set()


def test_blocks_are_those_of_microsofts_own_look_up(fixtures_folder):
    with (fixtures_folder / "finops_toolkit/open_data/PricingUnits.csv").open(encoding="utf-8-sig") as text:
        rows = [(row["UnitOfMeasure"], row["DistinctUnits"], int(row["PricingBlockSize"]))
                for row in csv.DictReader(text)]  # fmt: skip
    told = [(text, read_unit(text, "Microsoft"), read_unit(plain, "Microsoft"), size) for text, plain, size in rows]
    assert {text for text, one, _, _ in told if one.why} == ODD
    both = [(text, one.factor, plain.factor * size) for text, one, plain, size in told if not one.why and not plain.why]
    assert len(both) > 360
    assert [row for row in both if row[1] != row[2]] == []


def _charges(rows):
    return ibis.memtable(pa.table({
        "provider": [row[0] for row in rows], "PricingUnit": [row[1] for row in rows],
        "PricingQuantity": pa.array([row[2] for row in rows], pa.decimal128(38, 18)),
        "EffectiveCost": pa.array([Decimal(3)] * len(rows), pa.decimal128(38, 24)),
    }))  # fmt: skip


def test_a_quantity_beside_its_original_or_why_not(db):
    rows = [
        ("AWS", "Hrs", Decimal("-2.5"), "Seconds", Decimal(-9000)),
        ("AWS", "GB-Mo", Decimal("0.000000001"), "GB-Months", Decimal("0.000000001073741824")),
        ("Google Cloud", "byte-seconds", Decimal("123456789012345678"), "GB-Seconds", Decimal("123456789.012345678")),
        ("Microsoft", "10K", Decimal("0.0129"), "Units", Decimal(129)), ("AWS", "Hrs", None, None, None),
        ("AWS", "Wombats", Decimal(1), None, None), ("AWS", "Hrs", Decimal("9" * 20), None, None),
    ]  # fmt: skip
    charges, readings = _charges(rows), unit_readings((row[0], row[1]) for row in rows)
    found = db.to_pyarrow(normalised(charges, readings)).to_pylist()
    assert [row["PricingQuantity"] for row in found] == [row[2] for row in rows]
    assert [(row["normalized_unit"], row["normalized_quantity"]) for row in found] == [row[3:] for row in rows]
    reasons = ["", "", "", "", "", "the unit 'Wombats' is not known", "more than 20 digits in Seconds"]
    assert [row["normalized_why"] for row in found] == reasons
    open_ = db.to_pyarrow(unknown_units(charges, readings).order_by("unit")).to_pylist()
    assert [(row["unit"], row["charges"], row["EffectiveCost"]) for row in open_] == [("Hrs", 1, 3), ("Wombats", 1, 3)]


@settings(max_examples=4, deadline=None)
@given(st.lists(st.tuples(
    st.sampled_from(["Hrs", "GiB", "bytes", "TiB-Hours", "10K", "KiB"]),
    st.decimals(min_value=-(10**9), max_value=10**9, places=18, allow_nan=False)),
    min_size=30, max_size=60))  # fmt: skip
def test_no_digit_is_lost_before_the_eighteenth(db, rows):
    charges = _charges([("", text, quantity) for text, quantity in rows])
    found = db.to_pyarrow(normalised(charges, unit_readings(("", text) for text, _ in rows))).to_pylist()
    assert len(found) == len(rows)
    for row in found:
        exact = Fraction(row["PricingQuantity"]) * read_unit(row["PricingUnit"]).factor
        assert abs(Fraction(row["normalized_quantity"]) - exact) <= Fraction(1, 2 * 10**18)


def test_which_units_are_comparable_and_how(db):
    said = [("A", "Hours"), ("A", "100 Hours"), ("A", "s"), ("B", "Hours"), ("A", "odd")]
    rows = db.to_pyarrow(unit_conversions(said)).to_pylist()
    pairs = {(row["said_provider"], row["said_unit"], row["shown_unit"]): row for row in rows}
    assert len(pairs) == 9 + 1 + 1
    assert (pairs["A", "100 Hours", "Hours"]["unit_factor"], pairs["A", "Hours", "100 Hours"]["per_shown"]) == (
        100,
        0.01,
    )
    assert pairs["A", "s", "Hours"]["unit_factor"] is None and pairs["A", "odd", "odd"]["comparable"] == "odd"
