"""Plain text for people: aligned tables, amounts with thin groups, sizes and ages in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any


def text_table(headers: Sequence[str], rows: Iterable[Sequence[Any]], widest: int = 60) -> str:
    """Columns aligned with two blanks between: numbers to the right, the rest to the left.

    Example
    -------
    >>> print(text_table(["service", "rows"], [["shop", 1200], ["search", 7]]))
    service  rows
    -------  ----
    shop     1200
    search      7
    """
    listed = [list(row) for row in rows]
    cells = [[_cell(value, widest) for value in row] for row in listed]
    right = [_is_number_column([row[i] for row in listed]) for i in range(len(headers))]
    widths = [max([len(header)] + [len(row[i]) for row in cells]) for i, header in enumerate(headers)]

    def line(parts: Sequence[str]) -> str:
        aligned = (p.rjust(w) if r else p.ljust(w) for p, w, r in zip(parts, widths, right, strict=True))
        return "  ".join(aligned).rstrip()

    return "\n".join([line(headers), line(["-" * width for width in widths]), *(line(row) for row in cells)])


def _is_number_column(values: Sequence[Any]) -> bool:
    present = [value for value in values if value is not None]
    return bool(present) and all(isinstance(v, (int, float, Decimal)) and not isinstance(v, bool) for v in present)


def _cell(value: Any, widest: int) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return plain_amount(value)
    text = "".join(c if c.isprintable() else " " for c in str(value))
    return text if len(text) <= widest else text[: widest - 1] + "…"


def tail(path: str, widest: int = 48) -> str:
    """The end of a path, which tells files apart.

    Example
    -------
    >>> tail("/srv/exports/2026/03/bill.csv", 18)
    '…/2026/03/bill.csv'
    """
    return path if len(path) <= widest else "…" + path[len(path) - widest + 1 :]


def plain_amount(value: Decimal) -> str:
    """A decimal without trailing zeros, never with an exponent.

    Example
    -------
    >>> plain_amount(Decimal("1500.500000")), plain_amount(Decimal("1E-9"))
    ('1500.5', '0.000000001')
    """
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(amounts: dict[str, Decimal]) -> str:
    """Amounts per currency in one cell, to the cent and grouped; exact ones are in the JSON.

    Example
    -------
    >>> money({"EUR": Decimal("1234567.891"), "USD": Decimal("2")})
    '1,234,567.89 EUR, 2.00 USD'
    """
    return ", ".join(f"{amount:,.2f} {currency}".strip() for currency, amount in sorted(amounts.items()))


def size(count: int) -> str:
    """Bytes in the unit that reads best.

    Example
    -------
    >>> size(999), size(1_500_000)
    ('999 B', '1.5 MB')
    """
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def age(moment: datetime | None, now: datetime | None = None) -> str:
    """How long ago, in the unit that reads best.

    Example
    -------
    >>> age(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 3, 1, tzinfo=UTC))
    '2 days ago'
    """
    if moment is None:
        return ""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    if seconds < 0:
        return f"until {moment:%Y-%m-%d}"
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"
