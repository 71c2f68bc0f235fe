"""Recommendations are rows: what, why, what it saves and the command. A decision is another row, by a person.

Nothing here executes anything.
"""

from __future__ import annotations

import ibis
from ibis.expr.types import Table

#: the columns of a recommendation, in order
COLUMNS = (
    "recommendation_id", "what", "resource_id", "resource_name", "provider_name", "region_id", "service_id", "team",
    "environment", "why", "monthly_saving", "yearly_saving", "command", "state",
)  # fmt: skip


def from_disks(disks: Table) -> Table:
    """Delete what no machine holds. Input: priced, commanded orphans, see :mod:`finops_kit.value.waste`.

    Returns
    -------
    one row per disk, columns ``COLUMNS``; savings in the currency the findings are priced in
    """
    size = ibis.ifelse(
        disks.storage_gib.notnull(), disks.storage_gib.round(0).cast("int64").cast("string") + " GiB, ", ""
    )
    why = size + "held by no machine for " + disks.idle_days.cast("string") + " days, still billed"
    return _rows(disks, "Delete orphaned disk", "disk", why)


def from_machines(machines: Table) -> Table:
    """Stop what does nothing. Input: priced, commanded idlers, see :mod:`finops_kit.value.waste`.

    Returns
    -------
    one row per machine, columns ``COLUMNS``
    """
    why = (
        "used at most "
        + machines.peak_use_pct.round(1).cast("string")
        + " % of its processors in "
        + machines.observations.cast("string")
        + " observations since "
        + machines.since.cast("string")
    )
    return _rows(machines, "Stop idle machine", "machine", why)


def _rows(found: Table, what: str, kind: str, why: ibis.Value) -> Table:
    rows = found.mutate(
        recommendation_id=ibis.literal(f"{kind}:") + found.resource_id,
        what=ibis.literal(what),
        why=why,
        yearly_saving=(found.monthly_saving.cast("decimal(24,6)") * ibis.literal(12).cast("decimal(2,0)")).cast(
            "decimal(38,24)"
        ),
        state=ibis.literal("open"),
    )
    return rows.select(*COLUMNS)


def all_recommendations(disks: Table, machines: Table) -> Table:
    """Every recommendation, the greatest saving first; ties by resource."""
    both = from_disks(disks).union(from_machines(machines))
    return both.order_by([both.monthly_saving.desc(), both.resource_id])
