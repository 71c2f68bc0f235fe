"""Months as days: the first of another month, and how long one is."""

from __future__ import annotations

from datetime import date


def next_month(first: date, months: int = 1) -> date:
    """The first day of a later (or, below zero, earlier) month.

    Example
    -------
    >>> next_month(date(2025, 12, 1)), next_month(date(2025, 1, 1), -2)
    (datetime.date(2026, 1, 1), datetime.date(2024, 11, 1))
    """
    place = first.year * 12 + first.month - 1 + months
    return date(place // 12, place % 12 + 1, 1)


def days_of(month: date) -> int:
    """The days of a month.

    Example
    -------
    >>> days_of(date(2024, 2, 1))
    29
    """
    return (next_month(month) - month).days
