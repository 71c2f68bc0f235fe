"""On-premises unit rates at practical capacity: idle capacity is shown as idle, never spread over the users."""

from __future__ import annotations

from typing import Any


def energy_per_kw_month(price_kwh: Any, hours: Any, pue: Any) -> Any:
    """Energy cost of one kW through a month, cooling included (PUE).

    Example
    -------
    >>> energy_per_kw_month(0.25, 730, 1.5)
    273.75
    """
    return price_kwh * hours * pue


def rate_per_kw(fixed: Any, capacity_kw: Any, energy: Any) -> Any:
    """Cost of one kW-month: fixed cost over practical capacity, plus energy.

    Example
    -------
    >>> rate_per_kw(90000, 100, 273.75), rate_per_kw(90000, 72, 273.75)
    (1173.75, 1523.75)
    """
    return fixed / capacity_kw + energy


def idle_capacity_cost(fixed: Any, capacity_kw: Any, used_kw: Any) -> Any:
    """Fixed cost of the capacity that nobody uses: its own line, not anybody's rate.

    Example
    -------
    >>> idle_capacity_cost(90000, 100, 72)
    25200.0
    """
    return fixed / capacity_kw * (capacity_kw - used_kw)


def rate_per_vcpu_hour(monthly: Any, power_kw: Any, kw_rate: Any, vcpu: Any, hours: Any, utilisation: Any) -> Any:
    """Cost of one vCPU-hour of a machine: its depreciation and its power over the hours it can sell.

    Example
    -------
    >>> round(rate_per_vcpu_hour(1800, 0.6, 1173.75, 128, 730, 0.9), 5)
    0.02978
    """
    return (monthly + power_kw * kw_rate) / (vcpu * hours * utilisation)
