"""One provider's bill of one month: its lines, and what their delivery and their truth need."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from finops_kit.demo.fleet import Fleet
from finops_kit.demo.months import to_date
from finops_kit.demo.writer import Lines


@dataclass
class Bill:
    """The lines of one provider and month, before it is decided which delivery carries which.

    Attributes
    ----------
    lines : what is written
    ready : per line, the first day on whose morning the provider knows it (charge day + 1, later for late lines)
    late : per line, whether it comes later than its day's other lines
    service, tagged : per kind, the service it is for, and whether it carries the tag service_id
    billed, effective : per line, scaled by ``COST_SCALE``
    """

    provider: str
    index: int
    lines: Lines
    ready: np.ndarray
    late: np.ndarray
    service: list[str]
    tagged: np.ndarray
    billed: np.ndarray
    effective: np.ndarray
    times: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass
class Usage:
    """The used resources of a month: per line the resource, the day of the month, the quantity, when it is ready."""

    resource: np.ndarray
    day: np.ndarray
    quantity: np.ndarray
    ready: np.ndarray
    late: np.ndarray


def usage_of(fleet: Fleet, index: int, today: int) -> Usage:
    """The lines of a month, by day and then by resource; nothing from today on."""
    grid = fleet.quantities(index)
    start = fleet.time.start(index)
    numbers = np.arange(start, start + grid.shape[1])
    grid = grid[:, numbers < today]
    day, resource = np.nonzero(grid.T)
    delay = fleet.late_by(numbers)[resource, day]
    return Usage(
        resource.astype(np.int32), day.astype(np.int32), grid[resource, day], start + day + 1 + delay, delay > 0
    )


def stamp(number: int, style: str = "%Y-%m-%dT00:00:00Z") -> str:
    """A day number as midnight UTC.

    Example
    -------
    >>> stamp(0)
    '1970-01-01T00:00:00Z'
    """
    return to_date(number).strftime(style)


def is_tagged(fleet: Fleet, index: int) -> np.ndarray:
    """Per resource, whether it carries its tags in a month."""
    start = fleet.time.start(index)
    return np.array([start >= r.tagged_from for r in fleet.resources])
