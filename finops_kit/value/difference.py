"""What changed between two versions of knowledge, line by line, so that the parts add up to the whole difference.

A store only adds: each line of a bill belongs to a delivery that is current at a version or is not. So the
difference of two totals is the lines whose delivery became current less those whose delivery ceased to be. Lines
that say the same on both sides fall out; the rest is named by why it is there.
"""

from __future__ import annotations

import ibis
from ibis.expr.types import Table

from finops_kit.fields import LINE_KEY, MONEY

#: why an amount is there now that was not, or was and is not, in the order in which they are told
CLASSES = {
    "new_delivery": "a billing period that was not delivered before",
    "new_usage": "lines for time after what the earlier delivery covered",
    "late": "lines for time that the earlier delivery had covered already",
    "restated": "lines that a newer delivery bills at another amount",
    "withdrawn": "lines that a newer delivery no longer has",
    "correction": "lines of ChargeClass Correction: they concern earlier, invoiced periods",
}
#: what a delivery is of; FOCUS spelling as in charge
SCOPE = ("source_system", "BillingAccountId", "BillingPeriodStart")
#: the amounts that are explained
AMOUNTS = ("BilledCost", "EffectiveCost")


#: what is kept of a line besides its key and amounts, to find it again
_PLACE = ("batch_id", "source_row", "source_file", "recorded_at", "ResourceName")


def lines_of(history: Table, deliveries: Table) -> Table:
    """The lines of charges that some deliveries brought.

    Parameters
    ----------
    history : charge_history
    deliveries : batch_id, source_system, billing_account_id, period_start of deliveries of charges

    Returns
    -------
    one row per line; EffectiveCost falls back to BilledCost where the bill has none, as pages have it
    """
    bare = history.select(
        "source_system",
        "BillingPeriodStart",
        *LINE_KEY,
        *_PLACE,
        BillingAccountId=history.BillingAccountId.fill_null(""),
        provider=ibis.coalesce(history.ServiceProviderName, history.ProviderName, history.source_system),
        BilledCost=history.BilledCost.fill_null(0).cast(MONEY),
        EffectiveCost=ibis.coalesce(history.EffectiveCost, history.BilledCost, 0).cast(MONEY),
    )
    return bare.semi_join(
        deliveries,
        [
            bare.batch_id == deliveries.batch_id,
            bare.source_system == deliveries.source_system,
            bare.BillingPeriodStart == deliveries.period_start,
            bare.BillingAccountId == deliveries.billing_account_id,
        ],
    )


def reach(lines: Table) -> Table:
    """Where the newest usage of each delivered period begins; of all lines where it has no usage.

    Returns
    -------
    one row per SCOPE: ``covered_to``
    """
    usage = lines.ChargePeriodStart.max(where=lines.ChargeCategory == "Usage")
    return lines.group_by(list(SCOPE)).agg(covered_to=ibis.coalesce(usage, lines.ChargePeriodStart.max()))


def changed_lines(gone: Table, come: Table, covered: Table) -> Table:
    """The lines that make the difference, signed, each with its class.

    Parameters
    ----------
    gone : lines whose delivery is current at the earlier version alone
    come : lines whose delivery is current at the later version alone
    covered : one row per SCOPE that the earlier version has, see :func:`reach`

    Returns
    -------
    one row per line of both: its columns, ``side`` (1 come, -1 gone), ``reason``: one of ``CLASSES``, or
    ``unchanged`` where lines of the same key add up to the same on both sides. Amounts carry the side's sign.
    """
    sides = [
        lines.mutate(side=ibis.literal(sign), **{name: (lines[name] * sign).cast(MONEY) for name in AMOUNTS})
        for lines, sign in ((come, 1), (gone, -1))
    ]
    both = sides[0].union(sides[1])
    keys = [*SCOPE, *LINE_KEY]
    grouped = both.group_by(keys).agg(
        before=(both.side == -1).sum(), after=(both.side == 1).sum(), **{f"sum_{n}": both[n].sum() for n in AMOUNTS}
    )
    same = (grouped.before > 0) & (grouped.after > 0)
    for name in AMOUNTS:
        same = same & (grouped[f"sum_{name}"] == 0)
    grouped = grouped.mutate(same=same)
    known = covered.rename("c_{name}")
    named = grouped.left_join(known, [grouped[name].identical_to(known[f"c_{name}"]) for name in SCOPE])
    reason = ibis.cases(
        (named.same, "unchanged"),
        ((named.ChargeClass == "Correction").fill_null(False), "correction"),
        (named.after == 0, "withdrawn"),
        (named.before > 0, "restated"),
        (named.c_source_system.isnull(), "new_delivery"),
        (named.ChargePeriodStart > named.c_covered_to, "new_usage"),
        else_="late",
    )
    reasons = named.select(**{f"k_{name}": named[name] for name in keys}, reason=reason)
    return both.inner_join(reasons, [both[name].identical_to(reasons[f"k_{name}"]) for name in keys]).select(
        *both.columns, "reason"
    )


def moved_owners(lines: Table, before: Table, after: Table, dimension: str) -> Table:
    """What the same charges cost whom, where the owner at one version is not the owner at the other.

    Parameters
    ----------
    lines : charges that are current at both versions
    before, after : batch_id, source_row and the owners that each version names
    dimension : the owner that is compared

    Returns
    -------
    one row per owner before and after (null: nobody) and BillingCurrency: BilledCost, EffectiveCost, lines
    """
    old = before.select("batch_id", "source_row", owner_before=before[dimension])
    new = after.select("batch_id", "source_row", owner_after=after[dimension])
    keys = ["batch_id", "source_row"]
    joined = lines.select(*keys, "BillingCurrency", *AMOUNTS).inner_join(old, keys).inner_join(new, keys)
    moved = joined.filter(~joined.owner_before.identical_to(joined.owner_after))
    return moved.group_by(["owner_before", "owner_after", "BillingCurrency"]).agg(
        lines=moved.count(), **{name: moved[name].sum() for name in AMOUNTS}
    )
