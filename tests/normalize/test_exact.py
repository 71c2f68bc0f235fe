"""Text to exact values, against Python's own decimals."""

from __future__ import annotations

from decimal import Context, Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_kit.fields import COUNT, DAY, FLAG, MONEY, QUANTITY, TIME
from finops_kit.normalize.exact import prepare, read_text

_CONNECTION = duckdb.connect()
_CONNECTION.execute("SET TimeZone = 'UTC'")
prepare(_CONNECTION)
_WIDE = Context(prec=500)


def read(kind, text):
    return _CONNECTION.execute(f"SELECT {read_text(kind, 't')} FROM (SELECT ?::VARCHAR AS t)", [text]).fetchone()[0]


@pytest.mark.parametrize(("kind", "whole", "decimals"), [(MONEY, 14, 24), (QUANTITY, 20, 18)])
@settings(deadline=None)
@given(
    digits=st.text("0123456789", min_size=1, max_size=45),
    point=st.integers(0, 45),
    sign=st.sampled_from(["", "-", "+"]),
    power=st.one_of(st.none(), st.integers(-60, 60)),
)
def test_numbers_are_cut_never_rounded(kind, whole, decimals, digits, point, sign, power):
    text = sign + digits[:point] + "." + digits[point:] + ("" if power is None else f"e{power}")
    meant = _WIDE.create_decimal(text)
    kept = meant.quantize(Decimal(1).scaleb(-decimals), rounding="ROUND_DOWN", context=_WIDE)
    found = read(kind, text)
    assert found == (kept if abs(kept) < Decimal(10) ** whole else None)


@settings(deadline=None)
@given(st.text(max_size=12))
def test_any_text_is_a_number_or_nothing(text):
    found = read(MONEY, text.replace("\0", ""))
    if found is not None:
        assert (
            Decimal(text.strip(" \t\n\r\f\v")).quantize(Decimal("1E-24"), rounding="ROUND_DOWN", context=_WIDE) == found
        )


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (DAY, "2026-09", "2026-09-01"), (DAY, "2026-09-03T10:00:00Z", "2026-09-03"), (DAY, "03.09.2026", None),
        (DAY, "2026-02-30", None), (COUNT, "60", "60"), (COUNT, "60.0", "60"), (COUNT, "60.5", None),
        (FLAG, "Yes", "True"), (FLAG, "0", "False"), (FLAG, "perhaps", None), (TIME, "infinity", None),
        (TIME, "epoch", None), (TIME, "9/3/2026", None), (TIME, "2026-09-03 25:00:00", None),
    ],
)  # fmt: skip
def test_days_counts_flags_times(kind, text, value):
    found = read(kind, text)
    assert (None if found is None else str(found)) == value
