"""How a number is written: money with thousands separators, ratios with their sign, and a blank never as zero."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

#: what stands where there is no value; the reason stands beside it as text
MISSING = "—"
#: units of time, in which nobody needs more than one decimal
TIMES = ("days", "hours")
_CURRENCY = re.compile(r"^[A-Z]{3}(?![A-Za-z])")
_MONTH = re.compile(r"^\d{4}-\d{2}$")


def is_missing(value: Any) -> bool:
    """Whether there is no value: None, NaN, NaT or pandas' NA.

    Example
    -------
    >>> is_missing(float("nan")), is_missing(Decimal(0))
    (True, False)
    """
    if value is None:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    if isinstance(value, Decimal):
        return value.is_nan()
    return type(value).__name__ in {"NAType", "NaTType"}


def is_money(unit: str) -> bool:
    """Whether a unit is an amount of money or an amount per something.

    Example
    -------
    >>> is_money("EUR"), is_money("EUR per order"), is_money("vCPU")
    (True, True, False)
    """
    return bool(_CURRENCY.match(unit))


def _grouped(value: Decimal, places: int) -> str:
    rounded = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    if rounded == 0:
        rounded = abs(rounded)
    return f"{rounded:,f}".replace("-", "−")


def _significant(value: Decimal, digits: int) -> str:
    places = max(2, digits - 1 - value.adjusted())
    text = _grouped(value, min(places, 12))
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def format_number(value: Any, unit: str = "", digits: int | None = None) -> str:
    """One number in the digits its unit asks for, without the unit.

    Money keeps its cents; amounts below one cent keep four significant digits; percentages and times one decimal.

    Parameters
    ----------
    digits : decimals that it has in any case, as a column's numbers share theirs

    Example
    -------
    >>> format_number(Decimal("1234567.891"), "EUR"), format_number(Decimal("0.000123456"), "EUR per request")
    ('1,234,567.89', '0.0001235')
    >>> format_number(-12.345, "%"), format_number(40, "tenants"), format_number(None, "EUR")
    ('−12.3', '40', '—')
    >>> format_number(58.6, "days"), format_number(2, "", 2)
    ('58.6', '2.00')
    """
    if is_missing(value):
        return MISSING
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return str(value)
    if not number.is_finite():
        return MISSING
    if is_money(unit):
        small = number != 0 and abs(number) < Decimal("0.1")
        return _significant(number, 4) if small else _grouped(number, 2)
    if "%" in unit:
        return _grouped(number, 1)
    if digits is not None:
        return _grouped(number, digits)
    if number == number.to_integral_value():
        return _grouped(number, 0)
    if unit in TIMES:
        return _grouped(number, 1)
    return _significant(number, 4) if abs(number) < 1 else _grouped(number, 2)


def format_value(value: Any, unit: str = "") -> str:
    """One value with its unit, as a person writes it.

    Example
    -------
    >>> format_value(Decimal("1234.5"), "EUR"), format_value(4.25, "%"), format_value(3, "days")
    ('EUR 1,234.50', '4.3 %', '3 days')
    >>> format_value(Decimal("0.0042"), "EUR per order")
    'EUR 0.0042 per order'
    """
    if is_missing(value):
        return MISSING
    if isinstance(value, str) or not isinstance(value, (int, float, Decimal)) or isinstance(value, bool):
        return format_cell(value)
    text = format_number(value, unit)
    if is_money(unit):
        return f"{unit[:3]} {text}{unit[3:].rstrip()}"
    return f"{text} {unit}".strip()


def format_month(value: Any) -> str:
    """A month in words, from a date or ``YYYY-MM``.

    Example
    -------
    >>> format_month("2025-03"), format_month(date(2025, 12, 1))
    ('Mar 2025', 'Dec 2025')
    """
    if isinstance(value, str):
        value = date(int(value[:4]), int(value[5:7]), 1)
    return f"{value:%b %Y}"


def format_time(value: datetime) -> str:
    """A time to the minute, UTC.

    Example
    -------
    >>> format_time(datetime(2025, 3, 1, 8, 5))
    '2025-03-01 08:05 UTC'
    """
    return f"{value:%Y-%m-%d %H:%M} UTC"


def format_period(start: date, end: date) -> str:
    """A half-open period in words: a whole month by its name, else its first and last day.

    Example
    -------
    >>> format_period(date(2025, 3, 1), date(2025, 4, 1)), format_period(date(2025, 3, 1), date(2025, 3, 8))
    ('March 2025', '2025-03-01 to 2025-03-07')
    """
    following = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
    if start.day == 1 and end == following:
        return f"{start:%B %Y}"
    return f"{start:%Y-%m-%d} to {end - timedelta(days=1):%Y-%m-%d}"


def format_age(hours: float | None) -> str:
    """An age in the unit a person would use.

    Example
    -------
    >>> format_age(0.4), format_age(30), format_age(96), format_age(None)
    ('24 minutes', '30 hours', '4 days', 'unknown')
    """
    if hours is None or math.isnan(hours):
        return "unknown"
    if hours < 1:
        return f"{max(round(hours * 60), 0)} minutes"
    if hours < 48:
        return f"{round(hours)} hours"
    return f"{round(hours / 24)} days"


def format_cell(value: Any) -> str:
    """Anything that is not a number with a unit: times, days, months, yes and no, text.

    Example
    -------
    >>> format_cell(True), format_cell(date(2025, 3, 2)), format_cell("payments")
    ('yes', '2025-03-02', 'payments')
    """
    if is_missing(value):
        return MISSING
    if isinstance(value, bool) or type(value).__name__ == "bool_":
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}" if (value.hour, value.minute, value.second) == (0, 0, 0) else format_time(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (list, tuple, set)):
        return ", ".join(format_cell(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}={format_cell(item)}" for key, item in value.items())
    return str(value)


def is_month(value: Any) -> bool:
    """Whether a value is a month: ``YYYY-MM`` or the first day of one.

    Example
    -------
    >>> is_month("2025-03"), is_month(date(2025, 3, 1)), is_month(date(2025, 3, 2))
    (True, True, False)
    """
    if isinstance(value, str):
        return bool(_MONTH.match(value))
    if isinstance(value, datetime):
        return value.day == 1 and (value.hour, value.minute, value.second) == (0, 0, 0)
    return isinstance(value, date) and value.day == 1
