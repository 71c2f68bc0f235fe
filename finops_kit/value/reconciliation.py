"""Reconciliation: accrued against billed, line by line, in four parts that sum to the whole difference exactly."""

from __future__ import annotations

import ibis
from ibis.expr.types import Table

from finops_kit.value.accrual import ITEM

#: the four parts, in the order in which a page tells them
PARTS = ("price", "quantity", "not_billed", "not_observed")
#: quantities so many times apart are not of one thing, and a price from them would mean nothing
THOUSANDFOLD = 1000.0
#: amounts from here on do not fit DECIMAL(38,24)
_LARGEST = 1e13
_ZERO = ibis.literal(0).cast("decimal(38,24)")


def reconcile(accrued: Table, billed: Table) -> Table:
    """What was accrued beside what was billed, by price item of a resource.

    With P and Q as accrued and p and q as billed: quantity is P x (q - Q), price is (p - P) x q and computed as the
    rest, so that nothing is lost to rounding. What is accrued and not on the bill is ``not_billed`` (negative), what
    is on the bill and was not accrued is ``not_observed``. Without a quantity on either side all of it is price; with
    quantities a thousand times apart all of it is quantity.

    Parameters
    ----------
    accrued : ``ITEM``, ``quantity`` (float, null where unpriced), ``accrued`` (exact), ``basis``
    billed : ``ITEM``, ``quantity`` (float), ``EffectiveCost`` (exact), ``ResourceId``, ``ResourceName``

    Returns
    -------
    one row per item: ``accrued``, ``billed``, ``difference`` = billed - accrued, the four ``PARTS`` (exact, they sum to
    it), ``accrued_quantity``, ``billed_quantity``, ``basis``, ``ResourceId``; the currency of the amounts
    """
    keys = list(ITEM)
    a = accrued.group_by(keys).agg(
        accrued=accrued.accrued.sum().fill_null(0), accrued_quantity=accrued.quantity.sum(), basis=accrued.basis.min(),
    )  # fmt: skip
    b = billed.group_by(keys).agg(
        billed=billed.EffectiveCost.sum().fill_null(0), billed_quantity=billed.quantity.sum(),
        ResourceId=billed.ResourceId.max(), ResourceName=billed.ResourceName.max(),
    )  # fmt: skip
    both = a.outer_join(b, keys)
    rows = both.select(
        **{name: ibis.coalesce(both[name], both[f"{name}_right"]) for name in keys},
        in_accrual=both[keys[0]].notnull(), on_bill=both[f"{keys[0]}_right"].notnull(),
        accrued=both.accrued.fill_null(_ZERO), billed=both.billed.fill_null(_ZERO),
        accrued_quantity=both.accrued_quantity, billed_quantity=both.billed_quantity, basis=both.basis,
        ResourceId=ibis.coalesce(both.ResourceId, both.resource, both.resource_right), ResourceName=both.ResourceName,
    )  # fmt: skip
    matched = rows.in_accrual & rows.on_bill
    priced = (matched & (rows.accrued_quantity > 0) & (rows.billed_quantity > 0)).fill_null(False)
    growth = rows.billed_quantity / rows.accrued_quantity.nullif(0.0) - 1
    product = rows.accrued.cast("float64") * growth
    told = priced & (growth.abs() < THOUSANDFOLD) & (product.abs() < _LARGEST)
    moved = ibis.ifelse(told, product, 0.0).round(9).cast("decimal(38,9)").cast("decimal(38,24)")
    difference = rows.billed - rows.accrued
    quantity = ibis.ifelse(told, moved, ibis.ifelse(priced, difference, _ZERO))
    rows = rows.mutate(difference=difference, quantity=quantity)
    return rows.mutate(
        price=ibis.ifelse(matched, rows["difference"] - rows.quantity, _ZERO),
        not_billed=ibis.ifelse(~rows.on_bill, -rows.accrued, _ZERO),
        not_observed=ibis.ifelse(~rows.in_accrual, rows.billed, _ZERO),
    ).select(
        *keys, "ResourceId", "ResourceName", "basis", "accrued", "billed", "difference", *PARTS, "accrued_quantity",
        "billed_quantity",
    )  # fmt: skip


def in_currency(lines: Table, rates: Table, month: str, currency: str) -> Table:
    """Accrual lines in the reporting currency, at the month's rate or, until that is known, the last one before.

    Parameters
    ----------
    lines : see :func:`finops_kit.value.accrual.accrue`
    rates : rate_month, rate_from, rate; see :func:`finops_kit.value.lens.monthly_rates`

    Returns
    -------
    as given, with ``accrued`` in ``currency``: null where no price or no rate is known
    """
    from finops_kit.value.lens import convert

    known = rates.filter(rates.rate_month <= ibis.date(month))
    newest = known.group_by("rate_from").agg(rate=known.rate.argmax(known.rate_month))
    priced = lines.left_join(newest, lines.BillingCurrency == newest.rate_from).drop("rate_from")
    same = priced.BillingCurrency == currency
    return priced.mutate(accrued=convert(priced.native_accrued, priced.rate, same)).drop("rate")
