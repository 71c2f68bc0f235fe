"""Accrual: what a month costs before any bill of it, from observed states and the prices that earlier bills say.

Nothing of the month's own bills is used, so an accrual can be made minutes after an observation and held against the
bill later. Each line is a price item of one resource: an expected quantity and a known unit price, and the basis of
both. What has no state is no guess of a state: it is carried by the day or by the calendar, and says so.

=============  ==========================================================================================
basis          what the quantity is
=============  ==========================================================================================
``state``      hours in a present state x quantity an hour of that resource in its last billed month
``sku``        the same for a resource that was never billed: quantity an hour of others of its kind and SKU
``run rate``   no state is known: quantity a day by weekday over four weeks, days above twice the median cut
``calendar``   billed once or a few times a month (fees, support, tax, credits): as in the last billed month
``unknown``    a state of a billed kind that no bill and no price list names a price for: no amount
=============  ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence

import ibis
from ibis.expr.types import BooleanValue, Table, Value

from finops_kit.value.forecast import days_in

#: what an accrual line and a bill are compared by
ITEM = ("provider", "ServiceName", "SubAccountId", "resource", "sku", "PricingUnit", "BillingCurrency")
#: kinds that a provider bills by themselves
BILLED_KINDS = ("machine", "vm", "instance", "server", "disk", "database", "cache", "broker", "node")
#: kinds that cost nothing while they are off, and what a source says of one that is off
STOPPABLE = ("machine", "vm", "instance", "server", "node")
OFF = ("stopped", "stopping", "poweredoff", "off", "deallocated", "deallocating", "terminated", "suspended")
#: the days that a run rate is taken over
RUN_RATE_DAYS = 28
#: an item billed on fewer days of them is a calendar item
DAILY_FROM = 10
#: an item whose months differ by less than this part, though their days differ, is a fixed amount a month
FIXED_WITHIN = 0.0005
#: stands for the SKU of a correction of an earlier period, which nothing can accrue
CORRECTION = "correction of an earlier period"
_DAY = 86_400
_EXACT = "decimal(38,24)"


def with_items(charges: Table) -> Table:
    """Charges as price items: what they are compared by, the quantity that is priced, and epoch seconds.

    Parameters
    ----------
    charges : the lens with ``resource_key``, the canonical key of its resource

    Returns
    -------
    one row per charge: ``ITEM`` (empty text where the bill says nothing), service_id, ResourceId, ResourceName, month,
    charge_date, ``from_s``, ``to_s``, ``quantity`` (float; null where no cost goes with it), ``native`` (EffectiveCost
    in BillingCurrency), ``EffectiveCost`` (the lens's currency), ``once``, ``correction`` (of an earlier period)
    """
    rows = charges.mutate(correction=(charges.ChargeClass == "Correction").fill_null(False))
    counted = (rows.ChargeCategory == "Usage") & (rows.PricingQuantity > 0) & (rows.native_EffectiveCost > 0)
    counted = counted & ~rows.correction
    sku = ibis.coalesce(rows.SkuPriceId, rows.SkuId, rows.ChargeDescription, ibis.literal(""))
    return rows.select(
        "provider", "service_id", "month", "charge_date", "ResourceId", "ResourceName", "EffectiveCost", "correction",
        ServiceName=rows.ServiceName.fill_null(""),
        SubAccountId=rows.SubAccountId.fill_null(""),
        resource=ibis.coalesce(rows.resource_key, rows.ResourceId, ibis.literal("")),
        sku=ibis.ifelse(rows.correction, ibis.literal(CORRECTION), sku),
        PricingUnit=rows.PricingUnit.fill_null(""),
        BillingCurrency=rows.BillingCurrency,
        from_s=rows.ChargePeriodStart.epoch_seconds().cast("int64"),
        to_s=rows.ChargePeriodEnd.epoch_seconds().cast("int64"),
        quantity=ibis.ifelse(counted, rows.PricingQuantity.cast("float64"), ibis.null("float64")),
        native=rows.native_EffectiveCost,
        once=(rows.ChargeFrequency == "One-Time").fill_null(False),
    )  # fmt: skip


def reference_months(items: Table, start: str) -> Table:
    """The last month before ``start`` that each provider has billed to its end; where there is none, its last month.

    Returns
    -------
    one row per provider: ``ref_from``, ``ref_to`` (dates, end exclusive)
    """
    rows = items.filter((items.month < ibis.date(start)) & (items.to_s - items.from_s <= 32 * _DAY))
    reach = rows.group_by(["provider", "month"]).agg(last=rows.to_s.max())
    end = reach.month + ibis.interval(months=1)
    reach = reach.mutate(whole=reach.last >= end.cast("timestamp").epoch_seconds().cast("int64"), ends=end.cast("date"))
    best = reach.mutate(
        place=ibis.row_number().over(group_by="provider", order_by=[reach.whole.desc(), reach.month.desc()])
    )
    best = best.filter(best.place == 0)
    last_day = best["last"].as_timestamp("s").date()
    return best.select(
        "provider", ref_from=best.month, ref_to=ibis.ifelse(best.whole, best.ends, ibis.least(last_day, best.ends))
    )


def accrue(
    items: Table, states: Table, start: str, end: str, until: str, price_list: Table | None = None
) -> Table:  # fmt: skip
    """The accrual of ``[start, until)`` of the month ``[start, end)``, line by line.

    Parameters
    ----------
    items : see :func:`with_items`; those of the month itself are not looked at
    states : one row per resource_key and stretch ``[valid_from, valid_to)``: present, kind, provider, account_id,
        state_sku, storage_gib, power_state, ``observed_until`` (carried after it)
    start, end, until : ISO days
    price_list : prices of an hour, see :func:`finops_kit.value.catalogue.by_the_hour`; used where no bill says a price

    Returns
    -------
    one row per line: ``ITEM``, service_id, ``basis``, ``quantity`` (float, PricingUnit), ``unit_price`` (float,
    BillingCurrency a unit), ``native_accrued`` (BillingCurrency; null where no price is known), ``carried_share``
    (0-1: hours carried beyond the last observation), ``why``
    """
    reference = reference_months(items, start)
    known = items.filter((items.month < ibis.date(start)) & ~items.correction).join(reference, "provider")
    known = known.mutate(fixed=_is_fixed(known), factor=ibis.literal(1.0))
    spans = _in_seconds(states)
    clipped = _clip(spans, _second(start), _second(until))
    by_state = _state_lines(known, spans, clipped, start, end)
    rest = known.anti_join(by_state.select("resource").distinct(), "resource")
    gone = _gone(spans, clipped, _second(start), _second(until))
    rest = rest.filter(rest.resource.notin(gone.resource) | (rest.resource == ""))
    by_rate, by_calendar = _carried_lines(rest, start, end, until)
    lines = by_state.union(by_rate).union(by_calendar)
    seen = known.filter(known.resource != "").select("resource").distinct()
    new = clipped.filter(clipped.kind.isin(BILLED_KINDS) & (clipped.hours > 0)).anti_join(seen, "resource")
    return lines.union(_sku_lines(known, spans, new, price_list))


def _second(day: str) -> Value:
    return ibis.literal(day).cast("timestamp").epoch_seconds().cast("int64")


def _in_seconds(states: Table) -> Table:
    off = states.kind.isin(STOPPABLE) & states.power_state.lower().isin(OFF).fill_null(False)
    return states.select(
        resource=states.resource_key,
        kind=states.kind,
        state_provider=states.provider_name,
        account=states.account_id,
        state_sku=states.state_sku.fill_null(""),
        size=states.storage_gib.cast("float64"),
        present=states.present,
        off=off,
        from_s=states.valid_from.epoch_seconds().cast("int64"),
        seen_s=states.observed_until.epoch_seconds().cast("int64"),
        to_s=states.valid_to.epoch_seconds().cast("int64"),
    )


def _clip(spans: Table, first: Value, after: Value) -> Table:
    """Hours of each resource and SKU in a window: present, present and on, on beyond the last observation."""
    rows = spans.filter(spans.present & (spans.from_s < after) & (spans.to_s > first))
    begins, ends = ibis.greatest(rows.from_s, first), ibis.least(rows.to_s, after)
    hours = (ends - begins).cast("float64") / 3600
    unseen = ibis.greatest(ends - ibis.greatest(rows.seen_s, begins), 0).cast("float64") / 3600
    rows = rows.mutate(all_hours=hours, unseen_hours=unseen)
    return rows.group_by(["resource", "state_sku"]).agg(
        kind=rows.kind.max(),
        state_provider=rows.state_provider.max(),
        account=rows.account.max(),
        size=rows["size"].max(),
        present_hours=rows.all_hours.sum(),
        hours=rows.all_hours.sum(where=~rows.off).fill_null(0.0),
        unseen_hours=rows.unseen_hours.sum(where=~rows.off).fill_null(0.0),
    )


def _gone(spans: Table, clipped: Table, first: Value, after: Value) -> Table:
    """Resources that are known to be absent in the window and are present in no part of it."""
    rows = spans.filter(~spans.present & (spans.from_s < after) & (spans.to_s > first))
    return rows.select("resource").distinct().anti_join(clipped, "resource")


def _is_fixed(known: Table) -> BooleanValue:
    """Whether an item costs the same each month though its months differ in days: a rent, not a rate."""
    months = known.filter(known.charge_date >= known.ref_to - ibis.interval(months=3))
    sums = months.group_by([*ITEM, "month"]).agg(
        amount=months.native.sum(), per_day=months.charge_date.nunique(), length=days_in(months.month).max()
    )
    whole = sums.filter(sums.per_day == sums.length)
    spread = whole.group_by(list(ITEM)).agg(
        low=whole.amount.min().cast("float64"), high=whole.amount.max().cast("float64"),
        short=whole.length.min(), long=whole.length.max(),
    )  # fmt: skip
    spread = spread.filter(
        (spread.long > spread.short) & (spread.high - spread.low <= FIXED_WITHIN * spread.high.abs())
    )
    return _key(known).isin(_key(spread))


def _key(table: Table) -> Value:
    key = table[ITEM[0]].fill_null("")
    for name in ITEM[1:]:
        key = key + "\x1f" + table[name]
    return key


def _days_factor(rows: Table, start: str, end: str) -> Value:
    """What a fixed amount's price a day is in the target month, as a multiple of what it was."""
    target = (_second(end) - _second(start)).cast("float64") / _DAY
    length = rows.ref_to.delta(rows.ref_from, unit="day").cast("float64")
    return ibis.ifelse(rows.fixed, length / target, ibis.literal(1.0))


_LINE = (*ITEM, "service_id", "basis", "quantity", "unit_price", "native_accrued", "carried_share", "why")


def _line(
    rows: Table, quantity: Value, unit_price: Value, basis: str, why: Value, carried: Value,
    unpriced: Value | bool = False,
) -> Table:  # fmt: skip
    """Lines of one basis; what the bill names no quantity for has an amount and no unit price."""
    accrued = (quantity * unit_price).round(9).cast("decimal(38,9)").cast(_EXACT)
    nothing = ibis.null("float64")
    rows = rows.mutate(
        basis=ibis.literal(basis), quantity=ibis.ifelse(unpriced, nothing, quantity),
        unit_price=ibis.ifelse(unpriced, nothing, unit_price), native_accrued=accrued,
        carried_share=carried.cast("float64"), why=why,
    )  # fmt: skip
    return rows.select(*_LINE)


def _sums(rows: Table, by: Sequence[str]) -> Table:
    """Quantity and cost of items; where nothing is priced by quantity, one item is the quantity."""
    sums = rows.group_by(list(by)).agg(
        priced=rows.quantity.sum().fill_null(0.0),
        cost=rows.native.sum().cast("float64"),
        service_id=rows.service_id.argmax(rows.from_s),
        fixed=rows.fixed.any(),
        ref_from=rows.ref_from.max(),
        ref_to=rows.ref_to.max(),
    )
    return sums.mutate(unpriced=~(sums.priced > 0), priced=ibis.ifelse(sums.priced > 0, sums.priced, ibis.literal(1.0)))


def _state_charges(known: Table, spans: Table) -> Table:
    """Charges of the last billed month with the state that stood behind the middle of each."""
    rows = known.filter((known.charge_date >= known.ref_from) & (known.charge_date < known.ref_to))
    rows = rows.mutate(middle=(rows.from_s + rows.to_s) // 2)
    there = spans.filter(spans.present).select(
        state_resource="resource", state_sku="state_sku", kind="kind", state_from="from_s", state_to="to_s"
    )
    return rows.join(
        there,
        [rows.resource == there.state_resource, rows.middle >= there.state_from, rows.middle < there.state_to],
    )


def _state_lines(known: Table, spans: Table, clipped: Table, start: str, end: str) -> Table:
    sums = _sums(_state_charges(known, spans), [*ITEM, "state_sku"])
    sums = sums.mutate(first=sums.ref_from.cast("timestamp").epoch_seconds().cast("int64"),
                       after=sums.ref_to.cast("timestamp").epoch_seconds().cast("int64"))  # fmt: skip
    windows = sums.select("resource", "state_sku", "first", "after").distinct()
    past = windows.join(spans.filter(spans.present & ~spans.off).select("resource", "state_sku", "from_s", "to_s"),
                        ["resource", "state_sku"])  # fmt: skip
    overlap = ibis.greatest(ibis.least(past.to_s, past.after) - ibis.greatest(past.from_s, past["first"]), 0)
    past = past.mutate(overlap=overlap.cast("float64") / 3600)
    past = past.group_by(["resource", "state_sku", "first"]).agg(ref_hours=past.overlap.sum())
    rows = sums.join(past.filter(past.ref_hours > 0), ["resource", "state_sku", "first"])
    rows = rows.join(clipped.select("resource", "state_sku", "hours", "unseen_hours"), ["resource", "state_sku"])
    quantity = rows.priced / rows.ref_hours * rows.hours
    price = rows.cost / rows.priced * _days_factor(rows, start, end)
    carried = rows.unseen_hours / rows.hours.nullif(0.0)
    return _line(rows, quantity, price, "state", ibis.literal(""), carried, rows.unpriced)


def _carried_lines(rest: Table, start: str, end: str, until: str) -> tuple[Table, Table]:
    window = rest.filter(
        (rest.charge_date >= rest.ref_to - ibis.interval(days=RUN_RATE_DAYS)) & (rest.charge_date < rest.ref_to)
    )
    window = window.mutate(age=window.ref_to.delta(window.charge_date, unit="day"))
    by_item = window.group_by(list(ITEM)).agg(
        days=window.charge_date.nunique(), oldest=window.age.max(), newest=window.age.min()
    )
    # an item that began within the window counts from its first day; one that ended before the last days has ended
    daily = by_item.filter((by_item.days >= DAILY_FROM) | ((by_item.oldest < RUN_RATE_DAYS) & (by_item.newest <= 2)
                           & (2 * by_item.days > by_item.oldest) & (by_item.days > 2)))  # fmt: skip
    lasting = daily.filter(daily.newest <= 4)
    run = _run_rate(window.semi_join(lasting, list(ITEM)), lasting, start, end, until)
    month = rest.filter((rest.charge_date >= rest.ref_from) & (rest.charge_date < rest.ref_to))
    return run, _calendar(rest, month.anti_join(daily, list(ITEM)), start, end, until)


def _run_rate(window: Table, lasting: Table, start: str, end: str, until: str) -> Table:
    """Cost and quantity a day by weekday, days above twice the median of their weekday taken as the median."""
    sums = window.group_by([*ITEM, "age"]).agg(cost=window.native.sum().cast("float64"), priced=window.quantity.sum())
    ages = ibis.range(1, RUN_RATE_DAYS + 1).unnest().name("age").as_table()
    grid = lasting.select(*ITEM, "oldest").cross_join(ages)
    grid = grid.filter(grid.age <= grid.oldest).left_join(sums, [*ITEM, "age"])
    grid = grid.select(*ITEM, "age", cost=grid.cost.fill_null(0.0), priced=grid.priced.fill_null(0.0))
    grid = grid.mutate(weekday=grid.age % 7)
    per = ibis.window(group_by=[*ITEM, "weekday"])
    grid = grid.mutate(usual=grid.cost.median().over(per))
    cut = ibis.ifelse((grid.usual > 0) & (grid.cost > 2 * grid.usual), grid.usual / grid.cost, ibis.literal(1.0))
    grid = grid.mutate(cost=grid.cost * cut, priced=grid.priced * cut)
    rates = grid.group_by([*ITEM, "weekday"]).agg(cost=grid.cost.mean(), priced=grid.priced.mean())
    about = _sums(window, ITEM).select(*ITEM, "service_id", "fixed", "ref_from", "ref_to")
    rows = rates.join(about, list(ITEM))
    # days of the target whose distance from the reference's end falls on the weekday: age a stands for day -a
    first = ibis.literal(start).cast("date").delta(rows.ref_to, unit="day")
    after = ibis.literal(until).cast("date").delta(rows.ref_to, unit="day")
    hits = _count_mod(after, rows.weekday) - _count_mod(first, rows.weekday)
    rows = rows.mutate(cost=rows.cost * hits, priced=rows.priced * hits)
    sums = rows.group_by(list(ITEM)).agg(
        cost=rows.cost.sum(), priced=rows.priced.sum(), service_id=rows.service_id.max(), fixed=rows.fixed.any(),
        ref_from=rows.ref_from.max(), ref_to=rows.ref_to.max(),
    )  # fmt: skip
    quantity = ibis.ifelse(sums.priced > 0, sums.priced, ibis.literal(1.0))
    price = sums.cost / quantity * _days_factor(sums, start, end)
    why = ibis.ifelse(sums.resource == "", ibis.literal("the bill names no resource"),
                      ibis.literal("no state of the resource is known"))  # fmt: skip
    return _line(sums, quantity, price, "run rate", why, ibis.null("float64"), ~(sums.priced > 0))


def _count_mod(days: Value, weekday: Value) -> Value:
    """How many of the days 0 .. days-1 after the reference's end are ``-weekday`` modulo 7."""
    shift = (7 - weekday) % 7
    return ibis.greatest((days - shift + 6) // 7, 0)


def _calendar(rest: Table, month: Table, start: str, end: str, until: str) -> Table:
    """Fees, support, tax and credits as they were; what is billed once only where it stood in both last months."""
    target = (_second(end) - _second(start)).cast("float64") / _DAY
    elapsed = (_second(until) - _second(start)).cast("float64") / _DAY
    before = rest.filter((rest.charge_date < rest.ref_from)
                         & (rest.charge_date >= rest.ref_from - ibis.interval(months=1)))  # fmt: skip
    again = _key(month).isin(_key(before.select(*ITEM).distinct()))
    rows = month.filter(~month.once | again)
    long = rows.to_s - rows.from_s >= 27 * _DAY
    due = (rows.charge_date.delta(rows.ref_from, unit="day") < elapsed).cast("float64")
    # a bill made at the month's end for the whole month falls due with it, day by day
    share = ibis.ifelse(long, ibis.least(elapsed / target, 1.0), ibis.ifelse(elapsed >= target, 1.0, due))
    rows = rows.mutate(share=share)
    sums = rows.group_by(list(ITEM)).agg(
        cost=(rows.native.cast("float64") * rows.share).sum(), priced=(rows.quantity * rows.share).sum(),
        service_id=rows.service_id.argmax(rows.from_s), month_before=rows.month.max(),
    )  # fmt: skip
    sums = sums.filter(sums.cost != 0)
    unpriced = ~(sums.priced > 0).fill_null(False)
    quantity = ibis.ifelse(unpriced, ibis.literal(1.0), sums.priced)
    why = ibis.literal("as in ") + sums.month_before.strftime("%Y-%m")
    return _line(sums, quantity, sums.cost / quantity, "calendar", why, ibis.null("float64"), unpriced)


def _sku_lines(known: Table, spans: Table, new: Table, price_list: Table | None) -> Table:
    """Resources that were never billed: the price of their SKU, from other resources' bills or a price list."""
    item = ("provider", "ServiceName", "sku", "PricingUnit", "BillingCurrency")
    charges = _state_charges(known, spans)
    windows = charges.group_by(["resource", "state_sku", "kind"]).agg(
        first=charges.ref_from.max().cast("timestamp").epoch_seconds().cast("int64"),
        after=charges.ref_to.max().cast("timestamp").epoch_seconds().cast("int64"),
    )
    past = windows.join(spans.filter(spans.present & ~spans.off).select("resource", "state_sku", "from_s", "to_s",
                        "size"), ["resource", "state_sku"])  # fmt: skip
    overlap = ibis.greatest(ibis.least(past.to_s, past.after) - ibis.greatest(past.from_s, past["first"]), 0)
    past = past.mutate(amount=overlap.cast("float64") / 3600 * past["size"].fill_null(1.0))
    pool = past.group_by(["kind", "state_sku"]).agg(pool=past.amount.sum())
    priced = charges.group_by([*item, "kind", "state_sku"]).agg(
        priced=charges.quantity.sum().fill_null(0.0), cost=charges.native.sum().cast("float64"),
        usual_account=charges.SubAccountId.max(), service_id=charges.service_id.max(),
    )  # fmt: skip
    rates = priced.join(pool.filter(pool.pool > 0), ["kind", "state_sku"])
    rates = rates.filter((rates.priced > 0) & (rates.state_sku != ""))
    rates = rates.select(
        *item,
        "kind",
        "state_sku",
        "usual_account",
        "service_id",
        per_hour=rates.priced / rates.pool,
        price=rates.cost / rates.priced,
    )
    found = new.join(rates, ["kind", "state_sku"])
    found = found.mutate(SubAccountId=ibis.coalesce(found.account, found.usual_account, ibis.literal("")))
    amount = found.hours * found["size"].fill_null(1.0)
    why = ibis.literal("never billed: the price of other resources of its kind and SKU, ") + found.state_sku
    lines = _line(found, amount * found.per_hour, found.price, "sku", why, found.unseen_hours / found.hours)
    rest = new.anti_join(rates.select("kind", "state_sku").distinct(), ["kind", "state_sku"])
    if price_list is not None:
        offers = price_list.select(
            "provider", ServiceName=price_list.service.fill_null(""), sku=price_list.sku, PricingUnit=price_list.unit,
            BillingCurrency=price_list.currency, price=price_list.unit_price.cast("float64"),
        )  # fmt: skip
        listed = rest.join(offers, [rest.state_provider == offers.provider, rest.state_sku == offers.sku])
        listed = listed.mutate(SubAccountId=listed.account.fill_null(""), service_id=ibis.null("string"))
        said = ibis.literal("never billed: the price list's price for ") + listed.state_sku
        lines = lines.union(_line(listed, listed.hours, listed.price, "sku", said, listed.unseen_hours / listed.hours))
        rest = rest.anti_join(listed.select("resource").distinct(), "resource")
    rest = rest.mutate(
        provider=rest.state_provider.fill_null(""), ServiceName=ibis.literal(""),
        SubAccountId=rest.account.fill_null(""),
        sku=rest.state_sku, PricingUnit=ibis.literal("Hours"), BillingCurrency=ibis.literal(""),
        service_id=ibis.null("string"),
    )  # fmt: skip
    why = ibis.literal("no bill and no price list names a price for this ") + rest.kind + " " + rest.state_sku
    return lines.union(_line(rest, rest.hours, ibis.null("float64"), "unknown", why, rest.unseen_hours / rest.hours))
