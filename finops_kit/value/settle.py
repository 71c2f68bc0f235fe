"""Cents that add up: rounding for a page by largest remainder, so that the parts sum to the total shown."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

CENT = Decimal("0.01")


def to_cents(amount: Decimal) -> Decimal:
    """An amount rounded to the cent, half away from zero, as a page writes it.

    Example
    -------
    >>> to_cents(Decimal("10.005")), to_cents(Decimal("10.0049"))
    (Decimal('10.01'), Decimal('10.00'))
    """
    return amount.quantize(CENT, rounding="ROUND_HALF_UP")


def settle(parts: Sequence[Decimal], total: Decimal | None = None) -> list[Decimal]:
    """Parts rounded to the cent so that they sum to the rounded total.

    Each part is first rounded down; the missing cents go to the greatest remainders, ties to the earlier part.

    Parameters
    ----------
    parts : exact amounts
    total : what they should sum to; default their own exact sum. It must be within a cent a part of it.

    Example
    -------
    >>> settle([Decimal("0.005"), Decimal("0.005"), Decimal("0.99")])
    [Decimal('0.01'), Decimal('0.00'), Decimal('0.99')]
    """
    exact = sum(parts, Decimal(0))
    target = to_cents(exact if total is None else total)
    floors = [part.quantize(CENT, rounding="ROUND_FLOOR") for part in parts]
    missing = int((target - sum(floors, Decimal(0))) / CENT)
    order = sorted(range(len(parts)), key=lambda place: (floors[place] - parts[place], place))
    if not 0 <= missing <= len(parts):
        raise ArithmeticError(f"the parts sum to {exact}, which cannot be settled to {target}")
    for place in order[:missing]:
        floors[place] += CENT
    return floors


def split(amount: Decimal, weights: Sequence[Decimal | int]) -> list[Decimal]:
    """An amount in cents shared out by weights, nothing lost: even, fixed or proportional shares.

    Raises
    ------
    ZeroDivisionError : the weights sum to nothing

    Example
    -------
    >>> split(Decimal("100.00"), [1, 1, 1])
    [Decimal('33.34'), Decimal('33.33'), Decimal('33.33')]
    """
    whole = sum((Decimal(weight) for weight in weights), Decimal(0))
    if whole == 0:
        raise ZeroDivisionError("the weights sum to nothing, so there is no share to split by")
    return settle([amount * Decimal(weight) / whole for weight in weights], amount)
