"""Commitments: how much of what was bought is used, how much of the demand it covers, and what it saves."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
from ibis.expr.types import Table

from finops_kit.value.allocation import ratio


def hourly_commitment(demand: Table, committed: float, on_demand_price: float, committed_price: float) -> Table:
    """One level of commitment over an hourly demand.

    cost(K) = c K H + p sum max(D - K, 0); utilisation = sum min(D, K) / (K H); coverage = sum min(D, K) / sum D;
    effective savings rate = coverage x (1 - (c / p) / utilisation).

    Parameters
    ----------
    demand : one row an hour, column ``demand``

    Returns
    -------
    one row: ``cost``, ``on_demand_cost`` (the unit of the prices), ``utilisation``, ``coverage``, ``savings_rate``
    """
    used = ibis.least(demand.demand, committed).sum()
    hours = demand.count()
    sums = demand.agg(used=used, hours=hours, total=demand.demand.sum())
    over = sums.total - sums.used
    utilisation = sums.used / (sums.hours * committed)
    coverage = sums.used / sums.total
    return sums.select(
        cost=committed_price * committed * sums.hours + on_demand_price * over,
        on_demand_cost=on_demand_price * sums.total,
        utilisation=utilisation,
        coverage=coverage,
        savings_rate=coverage * (1 - (committed_price / on_demand_price) / utilisation),
    )


def commitment_use(lens: Table) -> Table:
    """Each commitment's cost that was used and that ran idle.

    Returns
    -------
    one row per provider and CommitmentDiscountId: ``used_cost``, ``unused_cost`` (EffectiveCost in the lens's
    currency), ``utilisation_pct`` (0-100)
    """
    rows = lens.filter(lens.CommitmentDiscountId.notnull() & (lens.ChargeCategory == "Usage"))
    sums = rows.group_by(["provider", "CommitmentDiscountId"]).agg(
        CommitmentDiscountName=rows.CommitmentDiscountName.max(),
        CommitmentDiscountType=rows.CommitmentDiscountType.max(),
        used_cost=rows.EffectiveCost.sum(where=(rows.CommitmentDiscountStatus != "Unused").fill_null(True)).fill_null(
            0
        ),
        unused_cost=rows.EffectiveCost.sum(where=rows.CommitmentDiscountStatus == "Unused").fill_null(0),
    )
    whole = sums.used_cost + sums.unused_cost
    return sums.mutate(utilisation_pct=100 * ratio(sums.used_cost, whole))


def commitment_coverage(lens: Table, by: Sequence[str] = ("provider",)) -> Table:
    """How much of the compute that a commitment could cover runs under one, at list price, and what that saves.

    Returns
    -------
    one row per ``by``: ``covered_list``, ``on_demand_list`` (ListCost), ``effective`` (EffectiveCost of both and of
    what ran idle), ``coverage_pct``, ``savings_rate_pct`` (effective savings rate; 0-100)
    """
    usage = lens.filter((lens.ChargeCategory == "Usage") & (lens.ChargeClass != "Correction").fill_null(True))
    under = usage.CommitmentDiscountId.notnull()
    open_ = (
        ~under & (usage.ServiceCategory == "Compute").fill_null(False)
        & (usage.PricingCategory == "Standard").fill_null(False)
    )  # fmt: skip
    listed = ibis.coalesce(usage.ListCost, usage.ContractedCost, usage.EffectiveCost)
    idle = (usage.CommitmentDiscountStatus == "Unused").fill_null(False)
    sums = usage.group_by(list(by)).agg(
        covered_list=listed.sum(where=under & ~idle).fill_null(0),
        on_demand_list=listed.sum(where=open_).fill_null(0),
        effective=usage.EffectiveCost.sum(where=under | open_).fill_null(0),
    )
    whole = sums.covered_list + sums.on_demand_list
    rows = sums.mutate(
        coverage_pct=100 * ratio(sums.covered_list, whole),
        savings_rate_pct=100 * (1 - ratio(sums.effective, whole)),
    )
    return rows.filter((rows.covered_list != 0) | (rows.on_demand_list != 0))
