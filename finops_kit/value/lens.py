"""The lens: charges with their owners and in one currency, from which every perspective reads.

All six pages see the same charges through the same expression, which is why their totals agree.
A charge belongs to the month in which its charge period starts (UTC). Tags say who owns it; where a
tag is missing the CMDB says it, as it stood on the day of the charge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import add, or_

import ibis
from ibis.expr.types import BooleanValue, StringColumn, Table, Value

from finops_kit.fields import COST_COLUMNS, MONEY
from finops_kit.fields.tags import OWNER_DIMENSIONS
from finops_kit.value.cmdb import CMDB_OWNERS, clean
from finops_kit.value.tags import TagReading

#: what stands where nobody owns a charge; shown like any other member, never left out
UNALLOCATED = "unallocated"

#: what the lens keeps of a charge besides owners and amounts
_KEPT = (
    "source_system", "batch_id", "source_row", "ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodStart",
    "BillingAccountId", "BillingCurrency", "SubAccountId", "SubAccountName", "ResourceId", "ResourceName",
    "ResourceType", "RegionId", "ServiceName", "ServiceCategory", "ChargeCategory", "ChargeClass",
    "ChargeDescription", "ChargeFrequency", "PricingCategory", "SkuId", "SkuPriceId", "PricingQuantity",
    "PricingUnit", "ConsumedQuantity", "ConsumedUnit", "CommitmentDiscountId", "CommitmentDiscountName",
    "CommitmentDiscountStatus", "CommitmentDiscountType", "InvoiceId",
)  # fmt: skip


def first_of_month(day: Value) -> Value:
    """The first day of a day's month, a date.

    Example
    -------
    >>> import ibis
    >>> str(ibis.duckdb.connect().to_pyarrow(first_of_month(ibis.date("2025-03-17"))))
    '2025-03-01'
    """
    return ibis.date(day.year(), day.month(), 1)


def tag_value(tags: Value, day: Value, readings: Sequence[TagReading]) -> Value:
    """What the tags say of a dimension on a day, governed; null where they say nothing.

    Parameters
    ----------
    tags : map of tag keys and values, keys as the provider spells them
    day : the day of the charge
    readings : how the dimension is read, see :func:`finops_kit.value.tags.tag_readings`
    """

    def read(reading: TagReading) -> Value:
        found = [clean(tags.get(key)) for key in reading.keys]
        return _governed(ibis.coalesce(*found), reading) if found else ibis.null("string")

    return _by_day(day, readings, read)


def governed_value(value: Value, day: Value, readings: Sequence[TagReading]) -> Value:
    """A value in the one spelling that rules give it on a day."""
    if not any(one.values or one.case != "keep" for one in readings):
        return value
    return _by_day(day, readings, lambda reading: _governed(value, reading))


def tag_conflict(tags: Value, day: Value, dimension: str, readings: Sequence[TagReading]) -> Value:
    """Two spellings of one tag that say two things: which value stands, and who says what; null where all agree."""

    def read(reading: TagReading) -> Value:
        if len(reading.keys) < 2:
            return ibis.null("string")
        said = [clean(tags.get(key)) for key in reading.keys]
        values = [_governed(one, reading) for one in said]
        stands = ibis.coalesce(*values)
        differs = [(one != stands).fill_null(False) for one in values[1:]]
        texts = [
            ibis.ifelse(one.isnull(), "", ibis.literal(f", {key.strip()}=") + one.fill_null(""))
            for key, one in zip(reading.keys, said, strict=True)
        ]
        text = stands.fill_null("") + " stands:" + reduce(add, texts).substr(1)
        return ibis.ifelse(reduce(or_, differs), ibis.literal(f"{dimension} ") + text, ibis.null("string"))

    return _by_day(day, readings, read)


def _by_day(day: Value, readings: Sequence[TagReading], read: Callable[[TagReading], Value]) -> Value:
    if not readings:
        return ibis.null("string")
    value = read(readings[-1])
    for one in reversed(readings[:-1]):
        value = ibis.ifelse(day < ibis.date(str(one.ends)), read(one), value)
    return value


def _governed(value: Value, reading: TagReading) -> Value:
    shaped = value.lower() if reading.case == "lower" else value.upper() if reading.case == "upper" else value
    if not reading.values:
        return shaped
    plain = value.lower()
    return ibis.cases(*((plain.isin(spellings), name) for name, spellings in reading.values), else_=shaped)


def monthly_rates(exchange_rate: Table, currency: str) -> Table:
    """The rate of each month into one currency; a pair known only the other way round is inverted.

    Returns
    -------
    one row per rate_month and from_currency: ``rate``, DECIMAL(18,8), units of ``currency`` for one of from_currency
    """
    direct = exchange_rate.filter(
        (exchange_rate.to_currency == currency) & (exchange_rate.from_currency != currency) & (exchange_rate.rate > 0)
    )
    direct = direct.select(
        rate_month=first_of_month(direct.month),
        rate_from=direct.from_currency,
        rate=direct.rate.cast("decimal(18,8)"),
        turned=ibis.literal(0),
    )
    inverse = exchange_rate.filter(
        (exchange_rate.from_currency == currency) & (exchange_rate.to_currency != currency) & (exchange_rate.rate > 0)
    )
    inverse = inverse.select(
        rate_month=first_of_month(inverse.month),
        rate_from=inverse.to_currency,
        rate=(1.0 / inverse.rate.cast("float64")).cast("decimal(18,8)"),
        turned=ibis.literal(1),
    )
    both = direct.union(inverse)
    best = both.mutate(
        place=ibis.row_number().over(group_by=[both.rate_month, both.rate_from], order_by=[both.turned, both.rate])
    )
    return best.filter(best.place == 0).select("rate_month", "rate_from", "rate")


def convert(amount: Value, rate: Value, same_currency: BooleanValue) -> Value:
    """An amount in the reporting currency: unchanged where it is billed in it, null where no rate is known.

    An amount that is converted is taken at 12 decimals and a rate at 8, so the product fits 38 digits.
    """
    product = (amount.cast("decimal(38,12)") * rate.cast("decimal(18,8)")).cast(MONEY)
    return ibis.ifelse(same_currency, amount, product)


def charge_lens(
    charge: Table,
    owners: Table,
    services: Table,
    exchange_rate: Table,
    readings: Mapping[str, Sequence[TagReading]],
    currency: str,
) -> Table:
    """Charges with owners and reporting-currency amounts; nothing is dropped.

    Parameters
    ----------
    charge : FOCUS charges (current deliveries, or history)
    owners, services : who owned what and answered for which service when, see :mod:`finops_kit.value.cmdb`
    exchange_rate : monthly rates
    readings : how tags are read, see :func:`finops_kit.value.tags.tag_readings`
    currency : the reporting currency, ISO 4217

    Returns
    -------
    one row per charge: what identifies it, ``charge_date`` and ``month`` (UTC), ``provider``, the owner dimensions
    (null where nobody owns it), ``tag_<dimension>`` as the tag itself said, ``tag_conflict`` (which spellings of one
    tag contradict each other, null where none do), the four FOCUS amounts in ``currency``
    (null where ``converted`` is false: no rate for that month) and ``native_<amount>`` in BillingCurrency.
    EffectiveCost falls back to BilledCost where the bill has none (``effective_missing``).
    """
    start = charge.ChargePeriodStart.date()
    said = {name: readings.get(name, ()) for name in OWNER_DIMENSIONS}
    several = [name for name in OWNER_DIMENSIONS if any(len(one.keys) > 1 for one in said[name])]
    conflicts = [tag_conflict(charge.Tags, start, name, said[name]) for name in several]
    base = charge.select(
        *_KEPT,
        charge_date=start,
        month=first_of_month(start),
        provider=ibis.coalesce(clean(charge.ServiceProviderName), clean(charge.ProviderName), charge.source_system),
        effective_missing=charge.EffectiveCost.isnull(),
        native_BilledCost=charge.BilledCost,
        native_EffectiveCost=ibis.coalesce(charge.EffectiveCost, charge.BilledCost),
        native_ListCost=charge.ListCost,
        native_ContractedCost=charge.ContractedCost,
        tag_conflict=_joined(conflicts),
        **{f"tag_{name}": tag_value(charge.Tags, start, said[name]) for name in OWNER_DIMENSIONS},
    )
    owned = _with_owners(base, owners, services, said)
    rates = monthly_rates(exchange_rate, currency)
    priced = owned.left_join(rates, [owned.month == rates.rate_month, owned.BillingCurrency == rates.rate_from]).drop(
        "rate_month", "rate_from"
    )
    same = priced.BillingCurrency == currency
    return priced.mutate(
        converted=same | priced.rate.notnull(),
        **{name: convert(priced[f"native_{name}"], priced.rate, same) for name in COST_COLUMNS},
    )


def _joined(conflicts: Sequence[Value]) -> Value:
    """The conflicts of a charge in one text; null where it has none."""
    if not conflicts:
        return ibis.null("string")
    texts = [ibis.ifelse(one.isnull(), "", ibis.literal("; ") + one.fill_null("")) for one in conflicts]
    return reduce(add, texts).substr(2).nullif("")


def _with_owners(base: Table, items: Table, services: Table, readings: Mapping[str, Sequence[TagReading]]) -> Table:
    table = base
    for key, prefix in (("ResourceId", "r_"), ("SubAccountId", "a_")):
        side = items.rename(f"{prefix}{{name}}")
        table = table.left_join(
            side,
            [
                table[key] == side[f"{prefix}owned_key"],
                table.charge_date >= side[f"{prefix}owned_from"],
                table.charge_date < side[f"{prefix}owned_to"],
            ],
        )

    def owner(name: str, *sides: str) -> Value:
        known = ibis.coalesce(*(table[f"{side}_{name}"] for side in sides))
        return ibis.coalesce(table[f"tag_{name}"], governed_value(known, table.charge_date, readings[name]))

    table = table.mutate(service_id=owner("service_id", "r", "a"))
    answers = services.rename("s_{name}")
    table = table.left_join(
        answers,
        [
            table.service_id == answers.s_owned_key,
            table.charge_date >= answers.s_owned_from,
            table.charge_date < answers.s_owned_to,
        ],
    )
    owners = {
        name: owner(name, "r", "a", "s") if name in CMDB_OWNERS else table[f"tag_{name}"]
        for name in OWNER_DIMENSIONS
        if name != "service_id"
    }
    drops = [column for column in table.columns if column[:2] in ("r_", "a_", "s_")]
    return table.mutate(**owners).drop(*drops)


def in_period(charge: Table, first: str, after: str) -> Table:
    """Charges whose charge period starts in ``[first, after)``, days as ISO text, UTC."""
    start = charge.ChargePeriodStart
    return charge.filter((start >= _midnight(first)) & (start < _midnight(after)))


def _midnight(day: str) -> Value:
    return ibis.literal(f"{day} 00:00:00+00:00").cast("timestamp('UTC')")


def not_converted(lens: Table) -> Table:
    """Charges that have no rate into the reporting currency, so that a page can say what its total lacks.

    Returns
    -------
    one row per BillingCurrency and month: charges, native EffectiveCost in BillingCurrency
    """
    rows = lens.filter(~lens.converted)
    return rows.group_by(["BillingCurrency", "month"]).agg(
        charges=rows.count(), native_EffectiveCost=rows.native_EffectiveCost.sum()
    )


def allocated_to(lens: Table, dimension: str) -> StringColumn:
    """The member of a dimension that a charge belongs to; ``unallocated`` where there is none."""
    return lens[dimension].fill_null(UNALLOCATED)
