"""The open month as billed, completed and accrued, side by side; and what was accrued of a month against its bill."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

import ibis
from ibis.expr.types import Table

from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.period import next_month
from finops_kit.perspectives.tables import Row
from finops_kit.value.accrual import accrue, with_items
from finops_kit.value.catalogue import by_the_hour, in_force
from finops_kit.value.completeness import as_delivered, complete, delivery_day, month_completeness
from finops_kit.value.lens import in_period, monthly_rates
from finops_kit.value.reconciliation import in_currency, reconcile
from finops_kit.value.units import unit_conversions

#: past months that a completeness is taken from
PAST_MONTHS = 3
_TIME = "timestamp('UTC', 6)"


class Accruals:
    """Accruals of a reading: of its period, and of the month that is open.

    Attributes
    ----------
    open_month : the month that bills do not reach the end of: the period itself, or the one after it; None where the
        bills reach the end of both
    """

    def __init__(self, basis: Basis) -> None:
        self.basis = basis
        self.open_month = self._find_open()

    def _find_open(self) -> date | None:
        reach = {item.month: item.last_day for item in self.basis.coverage}
        for month in (self.basis.start, self.basis.end):
            if month in reach and reach[month] < next_month(month) - timedelta(days=1):
                return month
        return None

    @cached_property
    def last_month(self) -> date:
        """The newest month that is looked at."""
        return self.open_month or self.basis.start

    @cached_property
    def items(self) -> Table:
        """Charges from three months before the period on, as price items; see :func:`with_items`."""
        basis = self.basis
        first = next_month(basis.start, -PAST_MONTHS)
        lens = in_period(basis.lens, str(first), str(next_month(self.last_month)))
        keys = basis.table("charge_key")
        keyed = lens.left_join(keys, lens.ResourceId == keys.charge_resource_id).drop("charge_resource_id")
        return basis.keep("accrual_items", with_items(keyed))

    @cached_property
    def states(self) -> Table:
        """What exists when: observed states, apart in time within a key, and what the asset register says stands."""
        basis = self.basis
        linked, run, keys = basis.table("link_state"), basis.table("live_run"), basis.table("resource_key")
        there = linked.join(run, [linked.resource_id == run.resource_id, linked.first_seen_at == run.first_seen_at])
        there = _states(there, present=True)
        gone = run.filter(run.presence == "absent")
        gone = _states(gone.join(keys, "resource_id"), present=False)
        states = basis.keep("accrual_states", there.union(gone).union(self._registered(there)))
        if basis.members:  # a resource of another scope must not look as if nobody had ever billed it
            states = states.semi_join(self.items, states.resource_key == self.items.resource)
        return states

    def _registered(self, observed: Table) -> Table:
        asset, keys = self.basis.table("asset"), self.basis.table("charge_key")
        rows = asset.filter(asset.acquired_on.notnull())
        rows = rows.join(keys, rows.resource_id == keys.charge_resource_id)
        rows = rows.anti_join(observed, "resource_key")
        stands_to = ibis.coalesce(rows.decommissioned_on, ibis.date("9999-12-31")).cast(_TIME)
        bought = rows.acquired_on.cast(_TIME)
        one = rows.mutate(place=ibis.row_number().over(group_by="resource_key", order_by="asset_id"), bought=bought,
                          stands_to=stands_to)  # fmt: skip
        one = one.filter(one.place == 0)
        return one.select(
            "resource_key", kind=ibis.literal("asset"), provider_name=one.data_centre,
            account_id=ibis.null("string"), storage_gib=ibis.null("decimal(38,18)"), power_state=ibis.null("string"),
            state_sku=ibis.null("string"), present=ibis.literal(True), valid_from=one.bought,
            observed_until=one.stands_to, valid_to=one.stands_to,
        )  # fmt: skip

    @cached_property
    def known_until(self) -> date:
        """The day that states and bills reach in the open month: what is accrued so far is accrued up to it."""
        month = self.last_month
        end = next_month(month)
        seen = self.basis.table("resource_snapshot")
        newest = self.basis.rows(seen.agg(newest=seen.observed_at.max()))[0]["newest"]
        days = [item.last_day + timedelta(days=1) for item in self.basis.coverage if item.month == month]
        if newest is not None:
            days.append(newest.date() + timedelta(days=1))
        return max(month, min(end, max(days, default=month)))

    def lines(self, month: date, until: date) -> Table:
        """The accrual of a month up to a day, in the reading's currency; a temporary table."""
        basis = self.basis
        made: Table = basis.once(f"accrual:{month}:{until}", lambda _: self._lines(month, until))
        return made

    def _lines(self, month: date, until: date) -> Table:
        basis = self.basis
        end = next_month(month)
        lines = accrue(self.items, self.states, str(month), str(end), str(until), self._hourly(month))
        rates = monthly_rates(basis.table("exchange_rate"), basis.currency)
        return basis.keep(f"accrual_{month:%Y%m}_{until:%Y%m%d}", in_currency(lines, rates, str(month), basis.currency))

    def _hourly(self, month: date) -> Table:
        """What the price list says of a month's hours, whatever unit of time it is written in."""
        offers = self.basis.table("price_list")
        said = self.basis.rows(offers.select("provider_name", "unit").distinct())
        units = {(row["provider_name"], unit) for row in said for unit in (row["unit"], "Hours")}
        return by_the_hour(in_force(offers, str(month)), unit_conversions(units))

    def billed(self, month: date) -> Table:
        """The bill of a month as price items."""
        return self.items.filter(self.items.month == ibis.date(str(month)))

    # completion

    @cached_property
    def deliveries(self) -> Table:
        """Lines of all deliveries of the last months, old ones too: by day, with the days they were current."""
        basis = self.basis
        first = str(next_month(self.last_month, -PAST_MONTHS))
        said = basis.table("delivery")
        said = said.filter((said.dataset == "charge") & (said.period_start.date() >= ibis.date(first)))
        ledger = basis.table("ledger").select("batch_id", "entry", "source_file", "recorded_at")
        said = said.join(ledger, "batch_id")
        known = as_delivered(
            said.mutate(known_on=delivery_day(said.source_file, said.recorded_at, said.period_start))
        ).select("batch_id", "source_system", "billing_account_id", "period_start", "known_on", "superseded_on")
        lines = basis.table("charge_history")
        lines = lines.filter((lines.BillingPeriodStart.date() >= ibis.date(first))
                             & (lines.ChargeClass != "Correction").fill_null(True))  # fmt: skip
        start = lines.ChargePeriodStart.date()
        lines = lines.select(
            "batch_id", "source_system",
            account=lines.BillingAccountId.fill_null(""), period=lines.BillingPeriodStart,
            provider=ibis.coalesce(lines.ServiceProviderName, lines.ProviderName, lines.source_system),
            ServiceName=lines.ServiceName.fill_null(""), charge_date=start,
            amount=ibis.coalesce(lines.EffectiveCost, lines.BilledCost),
            long=lines.ChargePeriodEnd > lines.ChargePeriodStart + ibis.interval(days=2),
        )  # fmt: skip
        joined = lines.join(
            known,
            [lines.batch_id == known.batch_id, lines.source_system == known.source_system,
             lines.account == known.billing_account_id, lines.period == known.period_start],
        )  # fmt: skip
        month = joined.period.date()
        # a line for the whole month is billed at its end, whatever its first day
        day = ibis.ifelse(joined.long, (month + ibis.interval(months=1) - ibis.interval(days=1)).cast("date"),
                          ibis.greatest(joined.charge_date, month))  # fmt: skip
        joined = joined.mutate(month=month, charge_date=day)
        sums = joined.group_by(["provider", "ServiceName", "month", "charge_date", "known_on", "superseded_on"])
        return basis.keep("delivered_lines", sums.agg(amount=joined.amount.sum().cast("float64")))

    def completed(self, by: tuple[str, ...]) -> list[Row]:
        """The open month by provider, or provider and service: billed, completed in two ways, accrued."""
        basis, month = self.basis, self.last_month
        lines = self.deliveries
        ours = lines.filter((lines.month == ibis.date(str(month))) & lines.superseded_on.isnull())
        ages = ours.group_by("provider").agg(age=ours.known_on.max().delta(ours.month.max(), unit="day"))
        share = month_completeness(lines, ages, str(month), by)
        bill = self.billed(month)
        bill = bill.filter(~bill.correction)
        reach = bill.filter(bill.to_s - bill.from_s <= 32 * 86_400)
        billed = bill.group_by(list(by)).agg(billed=bill.EffectiveCost.sum().fill_null(0))
        reached = reach.group_by("provider").agg(billed_until=reach.charge_date.max())
        whole = self.lines(month, next_month(month))
        prior = whole.group_by(list(by)).agg(
            expected=whole.accrued.sum().fill_null(0),
            from_state=whole.accrued.sum(where=whole.basis.isin(("state", "sku"))),
        )  # fmt: skip
        so_far = self.lines(month, self.known_until)
        till_now = so_far.group_by(list(by)).agg(accrued_so_far=so_far.accrued.sum().fill_null(0))
        rows = complete(billed, share, prior.select(*by, "expected"), by)
        for table, keys in ((till_now, list(by)), (prior.select(*by, "from_state"), list(by)), (reached, ["provider"])):
            rows = rows.left_join(table, keys)
            rows = rows.drop(*(name for name in rows.columns if name.endswith("_right")))
        found = basis.rows(rows.order_by([ibis.desc("expected"), *by]))
        for row in found:
            row["state_pct"] = _pct(row.pop("from_state"), row["expected"])
            row["completeness_pct"] = None if row["completeness"] is None else 100 * row["completeness"]
            row["accrued"] = row.pop("expected")
            row["chain_ladder_why"] = row.pop("why")
            for name in ("chain_ladder", "bornhuetter_ferguson"):
                row[name] = None if row[name] is None else Decimal(repr(round(row[name], 6)))
        return found

    # against the bill

    @cached_property
    def reconciled(self) -> Table:
        """Accrued against billed of the period, by price item; see :func:`reconcile`."""
        month = self.basis.start
        lines = self.lines(month, self.basis.end)
        lines = lines.filter(lines.accrued.notnull())
        return self.basis.keep("accrual_reconciled", reconcile(lines, self.billed(month)))


def accruals(basis: Basis) -> Accruals:
    """The accruals of a reading, made once."""
    found: Accruals = basis.once("accruals", Accruals)
    return found


def _states(rows: Table, present: bool) -> Table:
    return rows.select(
        "resource_key", "kind", "provider_name", "account_id", "storage_gib", "power_state",
        state_sku=rows.sku, present=ibis.literal(present), valid_from=rows.first_seen_at,
        observed_until=rows.last_seen_at, valid_to=rows.carried_to,
    )  # fmt: skip


def _pct(part: Any, whole: Any) -> float | None:
    return None if part is None or not whole else 100 * float(part) / float(whole)
