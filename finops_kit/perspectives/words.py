"""Numbers in sentences: rounded for people, with their unit; exact figures stand in the tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from finops_kit.value.settle import to_cents


def money(amount: Decimal | float | None, currency: str) -> str:
    """An amount as one says it: whole units from a thousand on, cents below.

    Example
    -------
    >>> money(Decimal("12345.678"), "EUR"), money(Decimal("9.5"), "EUR"), money(None, "EUR")
    ('EUR 12,346', 'EUR 9.50', 'nothing known')
    """
    if amount is None:
        return "nothing known"
    exact = amount if isinstance(amount, Decimal) else Decimal(repr(float(amount)))
    if abs(exact) >= 1000:
        return f"{currency} {exact.quantize(Decimal(1), rounding='ROUND_HALF_UP'):,}".replace("-", "−")
    return f"{currency} {to_cents(exact):,}".replace("-", "−")


def percent(ratio: float | None, digits: int = 1) -> str:
    """A ratio (0-1) in percent.

    Example
    -------
    >>> percent(0.0345), percent(None)
    ('3.5 %', 'unknown')
    """
    return "unknown" if ratio is None else f"{100 * ratio:.{digits}f} %"


def month_name(day: date) -> str:
    """A month by its name.

    Example
    -------
    >>> month_name(date(2025, 3, 1))
    'March 2025'
    """
    return f"{day:%B %Y}"


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun.

    Example
    -------
    >>> count(1, "disk"), count(2, "disk"), count(0, "anomaly", "anomalies")
    ('1 disk', '2 disks', 'no anomalies')
    """
    noun = one if number == 1 else (many or f"{one}s")
    return f"{number:,} {noun}" if number else f"no {noun}"


def listed(names: Sequence[str]) -> str:
    """Names in a row.

    Example
    -------
    >>> listed(["a", "b", "c"]), listed(["a"]), listed([])
    ('a, b and c', 'a', '')
    """
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def signed(amount: Decimal | float | None, currency: str) -> str:
    """A difference as one says it, with its sign.

    Example
    -------
    >>> signed(Decimal("-1234.5"), "EUR"), signed(Decimal(3), "EUR")
    ('−EUR 1,235', '+EUR 3.00')
    """
    if amount is None:
        return "nothing known"
    return f"{'−' if amount < 0 else '+'}{money(-amount if amount < 0 else amount, currency)}"


def signed_percent(points: float) -> str:
    """A change in per cent, with its sign.

    Example
    -------
    >>> signed_percent(-0.23), signed_percent(4)
    ('−0.2 %', '+4.0 %')
    """
    return f"{points:+.1f} %".replace("-", "−")


def day_name(day: date) -> str:
    """A day as one says it.

    Example
    -------
    >>> day_name(date(2026, 8, 5))
    '5 August 2026'
    """
    return f"{day.day} {day:%B %Y}"


def change(ratio: float | None) -> str:
    """A change against the month before, in words.

    Example
    -------
    >>> change(0.123), change(-0.05), change(0.0001), change(None)
    ('12.3 % more', '5.0 % less', 'the same', 'with nothing to compare')
    """
    if ratio is None:
        return "with nothing to compare"
    if abs(ratio) < 0.0005:
        return "the same"
    return f"{percent(abs(ratio))} {'more' if ratio > 0 else 'less'}"
