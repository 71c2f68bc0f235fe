"""A number is written so that it cannot be misread; a blank is never a zero."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_kit.publish.numbers import format_number, format_value
from finops_kit.publish.specs import short


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (Decimal("1234567.895"), "EUR", "1,234,567.90"),
        (Decimal("-0.004"), "EUR", "−0.004"),
        (Decimal("0"), "EUR", "0.00"),
        (Decimal("0.00000123456"), "EUR per request", "0.000001235"),
        (float("nan"), "EUR", "—"),
        (12, "tenants", "12"),
        (99.96, "%", "100.0"),
        (0.5, "vCPU", "0.50"),
    ],
)
def test_written(value: object, unit: str, written: str) -> None:
    assert format_number(value, unit) == written


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=Decimal("0.10"), max_value=Decimal(10**15))
)
def test_money_loses_no_cent(amount: Decimal) -> None:
    assert Decimal(format_number(amount, "EUR").replace(",", "")) == amount


@given(st.floats(min_value=-1e12, max_value=1e12))
def test_short_stays_short(value: float) -> None:
    assert len(short(value)) <= 9


def test_a_value_carries_its_unit() -> None:
    assert format_value(Decimal("12"), "EUR per order") == "EUR 12.00 per order"
    assert format_value(None, "EUR") == "—"
