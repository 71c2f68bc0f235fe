"""Completeness of a period that is still being billed, and two ways to complete it.

How complete a month is at an age is taken from what past months showed at that age: from a delivery that was made
then, where one is known; else from the days that had passed, each as complete as days of its lag were in the early
deliveries of past months.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis
from ibis.expr.types import Table, Value

from finops_kit.value.allocation import ratio
from finops_kit.value.forecast import days_in

#: a day this many days back is as complete as it will be, where no early delivery says otherwise
LAGS = 31
#: below this completeness the chain-ladder multiplies noise
LEAST_COMPLETE = 0.05


def chain_ladder(observed: Any, completeness: Any) -> Any:
    """The final amount if this period fills up as past ones did.

    Example
    -------
    >>> chain_ladder(60, 0.75)
    80.0
    """
    return observed / completeness


def bornhuetter_ferguson(observed: Any, completeness: Any, prior: Any) -> Any:
    """The final amount as what is seen plus the missing share of what was expected.

    Example
    -------
    >>> bornhuetter_ferguson(60, 0.75, 100)
    85.0
    """
    return observed + (1 - completeness) * prior


def completeness_at(observed: Table, final: Table) -> Table:
    """How complete past periods were at each age.

    Parameters
    ----------
    observed : provider, month, age_days, amount known at that age
    final : provider, month, final_amount

    Returns
    -------
    one row per provider and age_days: ``completeness`` = sum observed / sum final (float, 0-1)
    """
    both = observed.join(final, ["provider", "month"])
    sums = both.group_by(["provider", "age_days"]).agg(seen=both.amount.sum(), whole=both.final_amount.sum())
    return sums.mutate(completeness=ratio(sums.seen, sums.whole)).drop("seen", "whole")


def delivery_day(source_file: Value, recorded_at: Value, period_start: Value) -> Value:
    """The day a bill was delivered: what the file's folder says, else when the store learned it.

    Providers name the folder of a delivery by its time (``2026-09-24/``, ``20260924T060102Z/``, ``202609240601/``). A
    day before the period begins, or after the store learned it, is no delivery's, and is not believed.
    """
    pattern = r"^(?:.*/)?(20[0-9]{2})-?([01][0-9])-?([0-3][0-9])(?:T?[0-9]{4,6}Z?)?/[^/]*$"
    path = source_file.re_replace(r"!.*$", "")
    parts = [path.re_extract(pattern, group) for group in (1, 2, 3)]
    said = (parts[0] + "-" + parts[1] + "-" + parts[2]).try_cast("date")
    learned = recorded_at.date()
    return ibis.ifelse((said > period_start.date()) & (said <= learned), said, learned)


def as_delivered(deliveries: Table) -> Table:
    """From when until when each delivery of a bill was the current one.

    Parameters
    ----------
    deliveries : batch_id, entry, source_system, billing_account_id, period_start, mode, known_on

    Returns
    -------
    as given, with ``superseded_on``: the day of the next delivery that replaces it; null for what is current
    """
    keys = ["source_system", "billing_account_id", "period_start"]
    begins = deliveries["mode"].isin(["replace", "replace-part"])
    upto = ibis.window(group_by=keys, order_by="entry", preceding=None, following=0)
    deliveries = deliveries.mutate(begun=ibis.ifelse(begins, deliveries.entry, ibis.null("int64")).max().over(upto))
    whole = ibis.ifelse(deliveries["mode"] == "append-whole", deliveries.entry, ibis.null("int64")).max()
    deliveries = deliveries.mutate(whole=whole.over(ibis.window(group_by=[*keys, "begun"])))
    # what came late, and the parts of a report that is not whole, were never current and superseded nothing
    waits = deliveries["mode"].endswith("-part") & ~(deliveries.whole > deliveries.entry).fill_null(False)
    deliveries = deliveries.filter(~deliveries["mode"].endswith("-late") & ~waits).drop("begun", "whole")
    later = ibis.window(group_by=keys, order_by="entry", following=(1, None))
    begins = deliveries["mode"].isin(["replace", "replace-part"])
    replacing = ibis.ifelse(begins, deliveries.known_on, ibis.null("date"))
    deliveries = deliveries.mutate(superseded_on=replacing.min().over(later))
    # one of several files that add up was taken out by one that names it
    named = deliveries.filter(deliveries["mode"].startswith("instead ")).select(*keys, "mode", "known_on")
    named = named.mutate(batch_id=named["mode"].split(" ").unnest())
    named = named.group_by([*keys, "batch_id"]).agg(taken_on=named.known_on.min())
    joined = deliveries.left_join(named, [*keys, "batch_id"]).select(deliveries, "taken_on")
    first = ibis.ifelse(joined.taken_on < joined.superseded_on, joined.taken_on, joined.superseded_on)
    return joined.mutate(superseded_on=ibis.coalesce(first, joined.superseded_on, joined.taken_on)).drop("taken_on")


def lag_completeness(lines: Table, month: str) -> Table:
    """How much of a day's final cost was known so many days later, in deliveries of past months that were replaced.

    Parameters
    ----------
    lines : provider, month, charge_date, amount (float), known_on, superseded_on

    Returns
    -------
    one row per provider and ``lag`` (days): ``known_share`` (float, at most 1)
    """
    past = lines.filter(lines.month < ibis.date(month))
    keys = ["provider", "month", "charge_date"]
    final = past.filter(past.superseded_on.isnull())
    final = final.group_by(keys).agg(final=final.amount.sum())
    early = past.filter(past.superseded_on.notnull()).mutate(lag=past.known_on.delta(past.charge_date, unit="day"))
    early = early.filter((early.lag >= 0) & (early.lag <= LAGS))
    early = early.group_by([*keys, "lag"]).agg(seen=early.amount.sum())
    both = early.join(final, keys)
    sums = both.group_by(["provider", "lag"]).agg(seen=both.seen.sum(), whole=both.final.sum())
    return sums.select("provider", "lag", known_share=ibis.least(ratio(sums.seen, sums.whole), 1.0))


def month_completeness(lines: Table, ages: Table, month: str, by: Sequence[str] = ("provider", "ServiceName")) -> Table:
    """The completeness of an open month, from the past months in ``lines``.

    Parameters
    ----------
    lines : ``by``, month, charge_date, amount (float), known_on, superseded_on
    ages : provider, ``age`` in days since the month's first day of the delivery that is current in the open month

    Returns
    -------
    one row per ``by``: ``completeness`` (float; sum of what past months showed at that age over the sum of what they
    came to), ``months`` that it is taken from, ``from_deliveries`` of them known by a delivery of that very age
    """
    keys = list(by)
    past = lines.filter(lines.month < ibis.date(month)).join(ages, "provider")
    shown = past.mutate(known_age=past.known_on.delta(past.month, unit="day"),
                        gone_age=past.superseded_on.delta(past.month, unit="day"))  # fmt: skip
    shown = shown.filter((shown.known_age <= shown.age) & (shown.gone_age > shown.age).fill_null(True))
    told = shown.select("provider", "month").distinct().mutate(told=ibis.literal(True))
    seen = shown.group_by([*keys, "month"]).agg(seen=shown.amount.sum())
    final = past.filter(past.superseded_on.isnull())
    lag = lag_completeness(lines, month)
    # months differ in days: the same part of the month is compared, not the same day of it
    length, target = days_in(final.month), days_in(ibis.literal(month).cast("date"))
    passed = final.age * length.cast("float64") / target - final.charge_date.delta(final.month, unit="day")
    days = final.mutate(passed=passed, lag=passed.ceil().cast("int64"))
    days = days.filter(days.passed > 0).left_join(lag, ["provider", "lag"])
    days = days.mutate(part=days.amount * days.known_share.fill_null(1.0) * ibis.least(days.passed, 1.0))
    days = days.group_by([*keys, "month"]).agg(part=days.part.sum())
    whole = final.group_by([*keys, "month"]).agg(whole=final.amount.sum())
    rows = whole.left_join(seen, [*keys, "month"]).drop(*(f"{name}_right" for name in [*keys, "month"]))
    rows = rows.left_join(days, [*keys, "month"]).drop(*(f"{name}_right" for name in [*keys, "month"]))
    rows = rows.left_join(told, ["provider", "month"])
    told_ = rows.told.fill_null(False)
    observed = ibis.ifelse(told_, rows.seen.fill_null(0.0), rows.part.fill_null(0.0))
    rows = rows.mutate(observed=observed, by_delivery=told_)
    sums = rows.group_by(keys).agg(
        observed=rows.observed.sum(), final=rows.whole.sum(), months=rows.month.nunique(),
        from_deliveries=rows.month.nunique(where=rows.by_delivery),
    )  # fmt: skip
    share = ratio(sums.observed, sums.final)
    return sums.select(*keys, "months", "from_deliveries", completeness=ibis.least(ibis.greatest(share, 0.0), 1.0))


def complete(billed: Table, completeness: Table, prior: Table, by: Sequence[str]) -> Table:
    """An open month completed in both ways, for every member of any of the three.

    Parameters
    ----------
    billed : ``by``, ``billed`` so far (exact)
    completeness : see :func:`month_completeness`
    prior : ``by``, ``expected``: what was expected of the month without its bills (exact)

    Returns
    -------
    one row per ``by``: ``billed``, ``completeness``, ``chain_ladder`` (float; null where nothing like it was billed
    before, or too little of it by now), ``bornhuetter_ferguson`` (float; null without an expectation), ``why``
    """
    keys = list(by)
    members = billed.select(*keys).union(prior.select(*keys), distinct=True)
    rows = members
    for table in (billed, completeness, prior):
        rows = rows.left_join(table, keys)
        rows = rows.drop(*(name for name in rows.columns if name.endswith("_right")))
    seen = rows.billed.fill_null(0).cast("float64")
    enough = (rows.completeness >= LEAST_COMPLETE).fill_null(False)
    nothing = ibis.null("float64")
    share = rows.completeness
    return rows.select(
        *keys,
        billed=rows.billed.fill_null(0),
        completeness=share,
        expected=rows.expected,
        chain_ladder=ibis.ifelse(enough, chain_ladder(seen, share.nullif(0.0)), nothing),
        bornhuetter_ferguson=bornhuetter_ferguson(seen, share, rows.expected.cast("float64")),
        why=ibis.cases(
            (share.isnull(), "no past month has it, so no completeness is known"),
            (~enough, "past months had shown nearly nothing of it by this day"),
            else_="",
        ),
    )
