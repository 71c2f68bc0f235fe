"""The estate's time: its months, its last open month, and the dates of everything planted."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta

from finops_kit.errors import UsageError

_EPOCH = date(1970, 1, 1).toordinal()


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - _EPOCH


def to_date(number: int) -> date:
    """The date of a day number."""
    return date.fromordinal(number + _EPOCH)


@dataclass(frozen=True)
class Calendar:
    """The months of the estate; the last one is still open.

    Example
    -------
    >>> time = make_calendar(18, "2026-09")
    >>> time.label(0), time.label(17), time.today.isoformat(), time.golive, time.decommissioned
    ('2025-04', '2026-09', '2026-09-24', 10, 14)
    """

    firsts: tuple[date, ...]

    @property
    def months(self) -> int:
        """Number of months, the open one included."""
        return len(self.firsts)

    @property
    def today(self) -> date:
        """The day of the last delivery."""
        return self.firsts[-1].replace(day=24)

    def label(self, index: int) -> str:
        """The month as YYYY-MM."""
        return self.firsts[index].strftime("%Y-%m")

    def following(self, index: int) -> date:
        """First day after the month."""
        return next_month(self.firsts[index])

    def start(self, index: int) -> int:
        """Day number of the month's first day."""
        return day_number(self.firsts[index])

    def days(self, index: int) -> int:
        """Days in the month."""
        return calendar.monthrange(self.firsts[index].year, self.firsts[index].month)[1]

    def back(self, count: int) -> int:
        """The index of the month ``count`` before the open one, never before the first."""
        return max(0, self.months - 1 - count)

    # -- what was planted, when ---------------------------------------------------------------------------
    @property
    def migration_starts(self) -> int:
        """Month in which the first workload of the migrating service runs in the cloud."""
        return round(3 * self.months / 18)

    @property
    def golive(self) -> int:
        """First month in which the cloud carries all of the migrating service."""
        return round(10 * self.months / 18)

    @property
    def decommissioned(self) -> int:
        """First month without the avoidable part of the old platform."""
        return round(14 * self.months / 18)

    @property
    def team_moves(self) -> int:
        """Month in which one service moves to another team."""
        return self.months // 2

    @property
    def restated(self) -> int:
        """The closed month that a provider restates later."""
        return self.back(6)

    @property
    def restated_on(self) -> date:
        """The day of the restating delivery."""
        return self.firsts[max(self.back(3), min(self.restated + 2, self.months - 1))].replace(day=17)

    @property
    def corrected(self) -> int:
        """The month whose bill carries corrections of the month before it."""
        return max(1, self.months - 5)

    @property
    def surge_days(self) -> tuple[date, ...]:
        """The three days (Friday to Sunday) of the promotion."""
        day = self.firsts[self.back(3)].replace(day=12)
        while day.weekday() != 4:
            day += timedelta(days=1)
        return tuple(day + timedelta(days=n) for n in range(3))

    @property
    def savings_plan_from(self) -> date:
        """Start of the savings plan."""
        return self.firsts[min(2, self.months - 1)]


def next_month(first: date) -> date:
    """First day of the month after the one that starts on ``first``."""
    return (first.replace(day=28) + timedelta(days=4)).replace(day=1)


def make_calendar(months: int, end: str) -> Calendar:
    """The months that end with ``end`` (YYYY-MM, still open).

    Raises
    ------
    UsageError : fewer than 3 months, more than 120, or an ``end`` that is no month
    """
    if not isinstance(months, int) or isinstance(months, bool) or not 3 <= months <= 120:
        raise UsageError(f"months is {months!r}; the demo estate needs a whole number from 3 to 120.")
    try:
        year, month = (int(part) for part in end.split("-"))
        last = date(year, month, 1)
    except (ValueError, AttributeError):
        raise UsageError(f"end is {end!r}; give the last, still open month as YYYY-MM.") from None
    firsts = [last]
    while len(firsts) < months:
        firsts.append((firsts[-1] - timedelta(days=1)).replace(day=1))
    return Calendar(tuple(reversed(firsts)))
