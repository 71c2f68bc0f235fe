"""The basis of a reading: the lens of one period and scope, computed once, and the history around it.

Two temporary tables hold it: the charges of the period and the two months before it, row by row, and a cube of
the history by day. Everything else on a page is a small aggregate of these, computed in DuckDB.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

import ibis
from ibis.expr.types import Table

from finops_kit.perspectives.period import Coverage, choose_currency, latest_complete, month_start, next_month
from finops_kit.store import Reader
from finops_kit.value.cmdb import as_it_stood, dated_owners, dated_services
from finops_kit.value.lens import charge_lens, in_period, monthly_rates
from finops_kit.value.scope import parse_scope, within
from finops_kit.value.tags import TagReading, TagRule, as_rules, required_dimensions, tag_readings

#: how much history stands behind a page
HISTORY_MONTHS = 24
#: the months held row by row: the period and those before it
RECENT_MONTHS = 3
#: the cube's dimensions besides the day
CUBE_DIMENSIONS = (
    "month", "provider", "service_id", "team", "environment", "cost_center", "business_unit", "product",
    "ServiceName", "ChargeCategory", "ChargeClass", "ChargeFrequency",
)  # fmt: skip

#: the tables that are small enough to be copied beside the lens
LOCAL = (
    "asset", "budget", "business_metric", "cmdb_item", "contract", "current_delivery", "delivery", "exchange_rate",
    "invoice", "ledger", "month_close", "price_list", "tag_rule",
)  # fmt: skip


class Basis:
    """What all perspectives of one period, scope, currency and store version share.

    Parameters
    ----------
    reader : pinned to one store version
    period : ``YYYY-MM``; empty for the latest complete month with charges
    scope : see :func:`finops_kit.value.scope.parse_scope`
    currency : ISO 4217; empty for the workspace's, where the bills lead to it
    """

    def __init__(self, reader: Reader, period: str = "", scope: str = "", currency: str = "") -> None:
        self.reader = reader
        self.scope = scope.strip()
        self.members: Mapping[str, tuple[str, ...]] = parse_scope(scope)
        self.caveats: list[str] = []
        self._blocks: dict[str, Any] = {}
        self._local: dict[str, Table] = {}
        self.open_month: date | None = None
        if period.strip():
            self.start = month_start(period)
        else:
            found, self.open_month = latest_complete(self.coverage)
            self.start = found or reader.version_time.date().replace(day=1)
        self.end = next_month(self.start)
        self.before = next_month(self.start, -1)
        self.currency = choose_currency(currency, reader.currency, self._billed, self.convertible)

    # what is asked of the store

    def rows(self, expression: Table) -> list[dict[str, Any]]:
        """A small table as rows, decimals as Decimal."""
        return self.reader.backend.to_pyarrow(expression).to_pylist()

    def keep(self, name: str, expression: Table) -> Table:
        """An expression computed once, as a temporary table of this connection."""
        return self.reader.backend.create_table(name, expression, temp=True, overwrite=True)

    def once(self, name: str, make: Any) -> Any:
        """A block that several perspectives share, computed at its first use."""
        if name not in self._blocks:
            self._blocks[name] = make(self)
        return self._blocks[name]

    def table(self, name: str) -> Table:
        """A table of the store; small ones are copied once, because pages ask for them many times."""
        if name not in LOCAL:
            return self.reader.table(name)
        if name not in self._local:
            self.reader.connection.execute(f"CREATE OR REPLACE TEMP TABLE local_{name} AS FROM memory.main.{name}")
            self._local[name] = self.reader.backend.table(f"local_{name}")
        return self._local[name]

    @cached_property
    def coverage(self) -> list[Coverage]:
        """The months that have charges, and how far each reaches."""
        charge = self.table("charge")
        start = charge.ChargePeriodStart.date()
        # a line that spans more than a month, such as a yearly fee, says nothing about how far usage is billed
        short = charge.ChargePeriodEnd <= charge.ChargePeriodStart + ibis.interval(days=32)
        last = (charge.ChargePeriodEnd - ibis.interval(seconds=1)).date()
        table = charge.select(month=ibis.date(start.year(), start.month(), 1), day=ibis.ifelse(short, last, start))
        found = table.group_by("month").agg(charges=table.count(), last_day=table.day.max())
        return [Coverage(row["month"], row["charges"], row["last_day"]) for row in self.rows(found)]

    @cached_property
    def _billed(self) -> list[dict[str, Any]]:
        charge = in_period(self.table("charge"), str(self.start), str(self.end))
        return self.rows(charge.group_by("BillingCurrency").agg(charges=charge.count()))

    @cached_property
    def convertible(self) -> set[str]:
        """The currencies that some rate leads from to the workspace's own."""
        rates = monthly_rates(self.table("exchange_rate"), self.reader.currency)
        return {row["rate_from"] for row in self.rows(rates.select("rate_from").distinct())}

    @cached_property
    def lens(self) -> Table:
        """Charges as this reading sees them: owners, one currency, scope. A view; nothing is computed yet."""
        stood = as_it_stood(
            self.table("cmdb_item"), self.table("cmdb_item_history"), self.table("delivery"), self.table("ledger")
        )
        cmdb = self.keep("cmdb_stood", stood)
        owners, services = self.keep("owners", dated_owners(cmdb)), self.keep("services", dated_services(cmdb))
        lens = charge_lens(
            self.table("charge"), owners, services, self.table("exchange_rate"), self._readings, self.currency
        )
        return self.reader.backend.create_view("lens", within(lens, self.members), overwrite=True)

    @cached_property
    def tag_rules(self) -> list[TagRule]:
        """The rules about tags that the version knows, in their order."""
        return as_rules(self.rows(self.table("tag_rule")))

    @cached_property
    def required_tags(self) -> tuple[str, ...]:
        """The tags that a charge of the period must carry."""
        return required_dimensions(self.tag_rules, self.start)

    @cached_property
    def _readings(self) -> dict[str, tuple[TagReading, ...]]:
        charge = self.table("charge")
        keys = charge.select(key=charge.Tags.keys().unnest()).distinct()
        return tag_readings((row["key"] for row in self.rows(keys)), self.tag_rules)

    # what everything else is computed from

    @cached_property
    def recent(self) -> Table:
        """Charges of the period and the two months before it, one row each."""
        first = next_month(self.start, 1 - RECENT_MONTHS)
        return self.keep("lens_recent", in_period(self.lens, str(first), str(self.end)))

    @cached_property
    def now(self) -> Table:
        """Charges of the period, one row each."""
        return self.recent.filter(self.recent.month == ibis.date(str(self.start)))

    @cached_property
    def cube(self) -> Table:
        """History by day and owner up to the period's end: amounts in the reading's currency.

        Returns
        -------
        one row per charge_date and ``CUBE_DIMENSIONS``: EffectiveCost, BilledCost, ListCost, charges
        """
        first = next_month(self.start, -HISTORY_MONTHS)
        lens = in_period(self.lens, str(first), str(self.end))
        sums = lens.group_by(["charge_date", *CUBE_DIMENSIONS]).agg(
            EffectiveCost=lens.EffectiveCost.sum(),
            BilledCost=lens.BilledCost.sum(),
            ListCost=lens.ListCost.sum(),
            charges=lens.count(),
        )
        return self.keep("lens_cube", sums)

    @cached_property
    def totals(self) -> dict[str, Any]:
        """The period in one row: the four amounts, charges, those not converted and those without EffectiveCost."""
        now = self.now
        return self.rows(
            now.agg(
                EffectiveCost=now.EffectiveCost.sum().fill_null(0),
                BilledCost=now.BilledCost.sum().fill_null(0),
                ListCost=now.ListCost.sum(),
                ContractedCost=now.ContractedCost.sum(),
                unallocated=now.EffectiveCost.sum(where=now.service_id.isnull()).fill_null(0),
                corrections=now.EffectiveCost.sum(where=now.ChargeClass == "Correction").fill_null(0),
                charges=now.count(),
                unconverted=(~now.converted).sum().fill_null(0),
                without_effective=now.effective_missing.sum().fill_null(0),
            )
        )[0]

    @property
    def grand_total(self) -> Decimal:
        """EffectiveCost of the period and scope, exact: the one total that every page carries."""
        return self.totals["EffectiveCost"]

    @property
    def days(self) -> int:
        """The days of the period."""
        return (self.end - self.start).days

    @property
    def last_day(self) -> date:
        """The last day of the period."""
        return self.end - timedelta(days=1)

    @cached_property
    def billed_until(self) -> date | None:
        """The day that the bills of the period reach while it is still being billed; None for a month that is whole.

        What is compared with it, or made of it, then is of a part of a month.
        """
        newest = max(self.coverage, key=lambda item: item.month, default=None)
        if newest is None or newest.month != self.start or newest.last_day >= self.last_day:
            return None
        return newest.last_day

    @cached_property
    def monthly(self) -> list[dict[str, Any]]:
        """Total by month, oldest first: month, EffectiveCost, BilledCost, charges."""
        cube = self.cube
        sums = cube.group_by("month").agg(
            EffectiveCost=cube.EffectiveCost.sum().fill_null(0),
            BilledCost=cube.BilledCost.sum().fill_null(0),
            charges=cube.charges.sum(),
        )
        return self.rows(sums.order_by("month"))

    @cached_property
    def previous_total(self) -> Decimal | None:
        """EffectiveCost of the month before; None where it has no charges."""
        return next((row["EffectiveCost"] for row in self.monthly if row["month"] == self.before), None)

    @cached_property
    def on_premises(self) -> list[str]:
        """The providers that are data centres of the house: those of the asset register, and those named so."""
        asset = self.table("asset")
        centres = {row["data_centre"] for row in self.rows(asset.select("data_centre").distinct())}
        cube = self.cube
        named = {row["provider"] for row in self.rows(cube.select("provider").distinct())}
        return sorted(name for name in named if name in centres or str(name).startswith("DC "))
