"""The lens: charges with their owners and in one currency, from which every perspective reads.

All six pages see the same charges through the same expression, which is why their totals agree.
A charge belongs to the month in which its charge period starts (UTC). Tags say who owns it; where a
tag is missing the CMDB says it, as it stood on the day of the charge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis
from ibis.expr.types import BooleanValue, StringColumn, Table, Value

from finops_kit.fields import COST_COLUMNS, MONEY
from finops_kit.value.tags import OWNER_DIMENSIONS, REQUIRED_DIMENSIONS

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

#: owners that the CMDB can name when a tag does not
_CMDB_OWNERS = ("service_id", "team", "environment", "cost_center", "business_unit", "product")
_FAR = ibis.date("9999-12-31")
_NOTHING = ("", "null", "none", "n/a", "na", "-", "untagged", "unknown")


def clean(value: Value) -> Value:
    """Text without blanks around it; null where it says nothing.

    Example
    -------
    >>> import ibis
    >>> ibis.duckdb.connect().execute(clean(ibis.literal("  payments ")))
    'payments'
    """
    text = value.strip()
    return ibis.ifelse(text.lower().isin(_NOTHING), ibis.null("string"), text)


def first_of_month(day: Value) -> Value:
    """The first day of a day's month, a date.

    Example
    -------
    >>> import ibis
    >>> str(ibis.duckdb.connect().to_pyarrow(first_of_month(ibis.date("2025-03-17"))))
    '2025-03-01'
    """
    return ibis.date(day.year(), day.month(), 1)


def tag_value(tags: Value, spellings: Sequence[str]) -> Value:
    """The first of several spellings of a tag that says something; null where none does.

    Parameters
    ----------
    tags : map of tag keys and values, keys as the provider spells them
    spellings : the keys to look under, the preferred one first (see :func:`finops_kit.value.tags.tag_spellings`)
    """
    found = [clean(tags.get(key)) for key in spellings]
    return ibis.coalesce(*found) if found else ibis.null("string")


def dated_owners(cmdb: Table) -> Table:
    """Who owned what when, one owner per item and day.

    Where two rows claim the same item from the same day the one with the greater ``ci_id`` stands, and a
    later row ends an earlier one: a charge can never be owned twice.

    Returns
    -------
    one row per resource_id and stretch of days ``[owned_from, owned_to)``: service_id, team, environment,
    cost_center, business_unit, product
    """
    items = cmdb.filter(clean(cmdb.resource_id).notnull()).mutate(
        owned_key=clean(cmdb.resource_id), owned_from=cmdb.valid_from.fill_null(ibis.date("0001-01-01"))
    )
    return _without_overlap(items)


def dated_services(cmdb: Table) -> Table:
    """Who answered for a service when: the CMDB's items of class service, one per service and day.

    Returns
    -------
    one row per service_id (``owned_key``) and stretch of days ``[owned_from, owned_to)``
    """
    rows = cmdb.filter(clean(cmdb.service_id).notnull() & cmdb.ci_class.lower().isin(("service", "application")))
    return _without_overlap(
        rows.mutate(owned_key=clean(rows.service_id), owned_from=rows.valid_from.fill_null(ibis.date("0001-01-01")))
    )


def _without_overlap(items: Table) -> Table:
    one = items.mutate(
        place=ibis.row_number().over(
            group_by=[items.owned_key, items.owned_from], order_by=[items.ci_id.desc(), items.team.desc()]
        )
    )
    one = one.filter(one.place == 0)
    following = one.owned_from.lead().over(group_by=one.owned_key, order_by=one.owned_from)
    ends = ibis.least(one.valid_to.fill_null(_FAR), following.fill_null(_FAR))
    owners = {name: clean(one[name]) for name in _CMDB_OWNERS}
    return one.select(owned_key=one.owned_key, owned_from=one.owned_from, owned_to=ends, **owners)


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
    charge: Table, cmdb: Table, exchange_rate: Table, spellings: Mapping[str, Sequence[str]], currency: str
) -> Table:
    """Charges with owners and reporting-currency amounts; nothing is dropped.

    Parameters
    ----------
    charge : FOCUS charges (current deliveries, or history)
    cmdb : configuration items with their effective dates
    exchange_rate : monthly rates
    spellings : tag keys per owner dimension, see :func:`finops_kit.value.tags.tag_spellings`
    currency : the reporting currency, ISO 4217

    Returns
    -------
    one row per charge: what identifies it, ``charge_date`` and ``month`` (UTC), ``provider``, the owner dimensions
    (null where nobody owns it), ``tag_<dimension>`` as the tag itself said, the four FOCUS amounts in ``currency``
    (null where ``converted`` is false: no rate for that month) and ``native_<amount>`` in BillingCurrency.
    EffectiveCost falls back to BilledCost where the bill has none (``effective_missing``).
    """
    start = charge.ChargePeriodStart.date()
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
        **{f"tag_{name}": tag_value(charge.Tags, spellings.get(name, ())) for name in OWNER_DIMENSIONS},
    )
    owned = _with_owners(base, cmdb)
    rates = monthly_rates(exchange_rate, currency)
    priced = owned.left_join(rates, [owned.month == rates.rate_month, owned.BillingCurrency == rates.rate_from]).drop(
        "rate_month", "rate_from"
    )
    same = priced.BillingCurrency == currency
    return priced.mutate(
        converted=same | priced.rate.notnull(),
        **{name: convert(priced[f"native_{name}"], priced.rate, same) for name in COST_COLUMNS},
    )


def _with_owners(base: Table, cmdb: Table) -> Table:
    items = dated_owners(cmdb)
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
    service = ibis.coalesce(table.tag_service_id, table.r_service_id, table.a_service_id)
    table = table.mutate(service_id=service)
    answers = dated_services(cmdb).rename("s_{name}")
    table = table.left_join(
        answers,
        [
            table.service_id == answers.s_owned_key,
            table.charge_date >= answers.s_owned_from,
            table.charge_date < answers.s_owned_to,
        ],
    )
    owners = {}
    for name in OWNER_DIMENSIONS:
        if name == "service_id":
            continue
        sources = [table[f"tag_{name}"]]
        if name in _CMDB_OWNERS:
            sources += [table[f"r_{name}"], table[f"a_{name}"], table[f"s_{name}"]]
        owners[name] = ibis.coalesce(*sources)
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


def missing_tags(lens: Table) -> Value:
    """How many of the required tags a charge lacks, as tagged (the CMDB's help not counted)."""
    missing = [lens[f"tag_{name}"].isnull().cast("int64") for name in REQUIRED_DIMENSIONS]
    total = missing[0]
    for one in missing[1:]:
        total = total + one
    return total
