"""What changed between two versions of the store's knowledge, and by how much: every figure with its files.

A page that was published at one version and is published anew at another shows other figures. This says why:
each amount falls into one class, the classes add up to the whole difference to the last digit, and that is
checked against the totals of the two versions, which are computed apart.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Context, Decimal, localcontext
from functools import cached_property
from typing import Any

import ibis
from ibis.expr.types import Table

from finops_kit.errors import ReconciliationFailed, UsageError
from finops_kit.fields import REFERENCE_TABLES
from finops_kit.fields.tags import OWNER_DIMENSIONS
from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.period import month_start, next_month
from finops_kit.store import Reader
from finops_kit.value.difference import AMOUNTS, CLASSES, SCOPE, changed_lines, lines_of, moved_owners, reach
from finops_kit.value.lens import convert, first_of_month, in_period, monthly_rates

#: what the difference can be broken down by, and the column that it means
BY = {
    "service": "ServiceName", "provider": "provider", "account": "SubAccountId", "region": "RegionId",
    "category": "ChargeCategory", "month": "month", "source": "source_system",
}  # fmt: skip
#: reference data that decide who owns a charge
OWNER_RULES = ("cmdb_item", "tag_rule")
#: arithmetic for sums of 38 digits; Python's own 28 would cut them
EXACT = Context(prec=100)
#: how a line is shown
_SHOWN = (
    "source_file", "source_row", "batch_id", "ChargePeriodStart", "ServiceName", "SubAccountId", "ResourceId",
    "ChargeCategory", "ChargeDescription",
)  # fmt: skip

Row = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """Why the figures of one version are not those of another. Amounts are exact, per BillingCurrency.

    Attributes
    ----------
    since, until : the two versions: version, version_time, ledger_head
    period : the month of ChargePeriodStart that is looked at, or empty
    totals : per currency BilledCost and EffectiveCost before and after
    classes : per class and currency the signed amounts, the batches and files behind them, the largest lines
    deliveries : per delivered period which batches were replaced by which, and by how much that changed it
    owners : per dimension what the same charges cost whom before and after, where a rule changed
    reference : per reference table how many rows came and went, the files that brought them, the first of them
    reporting : the same difference in the workspace's currency, with what changed exchange rates did to it
    """

    since: Row
    until: Row
    period: str
    by: str
    totals: list[Row] = field(default_factory=list)
    classes: list[Row] = field(default_factory=list)
    deliveries: list[Row] = field(default_factory=list)
    owners: list[Row] = field(default_factory=list)
    reference: list[Row] = field(default_factory=list)
    reporting: Row = field(default_factory=dict)

    def as_dict(self) -> Row:
        """The same as a dict; see :func:`finops_kit.store.door.jsonable` for JSON."""
        return asdict(self)


def explain_difference(earlier: Reader, later: Reader, period: str = "", by: str = "", top: int = 5) -> Difference:
    """Explain the difference of two versions of one store.

    Parameters
    ----------
    earlier, later : readers of the same workspace, each pinned to its version
    period : ``YYYY-MM``: charges whose charge period starts in that month; all where nothing is said
    by : a word of ``BY`` to break the classes down by
    top : how many lines and rows each class names

    Raises
    ------
    UsageError : no such month, no such word, or the versions the wrong way round
    ReconciliationFailed : the classes do not add up to the difference of the totals
    """
    if by and by not in BY:
        raise UsageError(f"A difference cannot be broken down by {by!r}. The words are {', '.join(BY)}.")
    if earlier.version > later.version:
        raise UsageError(f"Version {earlier.version} is later than {later.version}: name the earlier one first.")
    with localcontext(EXACT):
        return _explain(_Compared(earlier, later, month_start(period) if period else None), period, by, top)


def _explain(compared: _Compared, period: str, by: str, top: int) -> Difference:
    reference = compared.reference(top)
    found = Difference(
        _version(compared.earlier),
        _version(compared.later),
        period,
        by,
        totals=compared.totals(),
        classes=compared.classes(BY.get(by, ""), top),
        deliveries=compared.deliveries(),
        owners=compared.owners() if any(one["table"] in OWNER_RULES for one in reference) else [],
        reference=reference,
        reporting=compared.reporting(),
    )
    _same_or_raise(found)
    return found


def _version(reader: Reader) -> Row:
    return {"version": reader.version, "version_time": reader.version_time, "ledger_head": reader.ledger_head}


def _same_or_raise(found: Difference) -> None:
    """The classes add up to the difference, per currency and amount, to the last digit."""
    for total in found.totals:
        for name in AMOUNTS:
            explained = sum((one[name] for one in found.classes if one["currency"] == total["currency"]), Decimal(0))
            if explained != total[name]["difference"]:
                raise ReconciliationFailed(
                    f"{name} in {total['currency'] or 'no currency'} changed by {total[name]['difference']} between "
                    f"versions {found.since['version']} and {found.until['version']}, but {explained} is explained. "
                    "`finops verify` says whether the store is whole."
                )


class _Compared:
    """Two versions side by side; what the earlier one knows is brought over into the later one's connection."""

    def __init__(self, earlier: Reader, later: Reader, month: date | None) -> None:
        self.earlier, self.later, self.month = earlier, later, month

    def rows(self, expression: Table) -> list[Row]:
        return list(self.later.backend.to_pyarrow(expression).to_pylist())

    def bring(self, name: str, expression: Table) -> Table:
        """What the earlier version says, as a temporary table beside the later one."""
        found = self.earlier.backend.to_pyarrow(expression)
        return self.later.backend.create_table(f"earlier_{name}", found, temp=True, overwrite=True)

    def within(self, lines: Table) -> Table:
        return in_period(lines, str(self.month), str(next_month(self.month))) if self.month else lines

    @cached_property
    def _deliveries(self) -> tuple[Table, Table]:
        """The deliveries of charges that are current at the earlier and at the later version."""
        return self.bring("delivery", _of_charges(self.earlier)), _of_charges(self.later)

    def lines(self, deliveries: Table) -> Table:
        return self.within(lines_of(self.later.table("charge_history"), deliveries))

    @cached_property
    def changed(self) -> Table:
        """The lines that make the difference, computed once."""
        before, after = self._deliveries
        gone, come = before.difference(after), after.difference(before)
        covered = reach(lines_of(self.later.table("charge_history"), before))
        lines = changed_lines(self.lines(gone), self.lines(come), covered)
        lines = lines.mutate(month=lines.ChargePeriodStart.strftime("%Y-%m"))
        return self.later.backend.create_table("changed_lines", lines, temp=True, overwrite=True)

    def totals(self) -> list[Row]:
        sums: dict[str, Row] = {}
        for when, reader in (("before", self.earlier), ("after", self.later)):
            charge = self.within(reader.table("charge"))
            effective = ibis.coalesce(charge.EffectiveCost, charge.BilledCost)
            found = charge.group_by(currency=charge.BillingCurrency.fill_null("")).agg(
                BilledCost=charge.BilledCost.sum().fill_null(0), EffectiveCost=effective.sum().fill_null(0)
            )
            for row in reader.backend.to_pyarrow(found).to_pylist():
                total = sums.setdefault(row["currency"], {
                    "currency": row["currency"], **{n: {"before": Decimal(0), "after": Decimal(0)} for n in AMOUNTS}
                })  # fmt: skip
                for name in AMOUNTS:
                    total[name][when] = row[name]
        for total in sums.values():
            for name in AMOUNTS:
                total[name]["difference"] = total[name]["after"] - total[name]["before"]
        return [sums[currency] for currency in sorted(sums)]

    def classes(self, column: str, top: int) -> list[Row]:
        lines = self.changed.filter(self.changed.reason != "unchanged")
        lines = lines.mutate(currency=lines.BillingCurrency.fill_null(""))
        batches = self.rows(_sums(lines, "reason", "currency", "batch_id", "source_file", "recorded_at", "side"))
        members = self.rows(_sums(lines.mutate(member=lines[column]), "reason", "currency", "member")) if column else []
        by_size = ibis.window(
            group_by=[lines.reason, lines.currency],
            order_by=[*(lines[name].abs().desc() for name in reversed(AMOUNTS)), lines.batch_id, lines.source_row],
        )
        placed = lines.mutate(place=ibis.row_number().over(by_size))
        largest = self.rows(placed.filter(placed.place < top).order_by("place"))
        told = []
        for one in self.rows(_sums(lines, "reason", "currency")):
            own = (one["reason"], one["currency"])
            told.append({
                "class": one["reason"], "meaning": CLASSES[one["reason"]], "currency": one["currency"],
                **{name: one[name] for name in AMOUNTS}, "lines": one["lines"],
                "batches": _own(batches, own, "recorded_at", "batch_id"),
                "top_lines": [{name: line[name] for name in (*_SHOWN, *AMOUNTS)} for line in largest
                              if (line["reason"], line["currency"]) == own],
                "members": sorted(_own(members, own), key=lambda m: (-abs(m["EffectiveCost"]), str(m["member"]))),
            })  # fmt: skip
        order = list(CLASSES)
        return sorted(told, key=lambda one: (one["currency"], order.index(one["class"])))

    def deliveries(self) -> list[Row]:
        """Which delivery of a period stands in the place of which, and what that changed."""
        before, after = self._deliveries
        changed = self.changed.mutate(currency=self.changed.BillingCurrency.fill_null(""))
        sums = self.rows(_sums(changed, *SCOPE, "currency"))
        names: dict[tuple[Any, ...], dict[str, list[str]]] = {}
        for word, one in (("was", before.difference(after)), ("is", after.difference(before))):
            files = one.left_join(self.later.table("ledger"), "batch_id").select(*one.columns, "source_file", "entry")
            for row in self.rows(files.order_by("entry")):
                key = (row["source_system"], row["billing_account_id"], row["period_start"])
                names.setdefault(key, {"was": [], "is": []})[word].append(f"{row['batch_id']} {row['source_file']}")
        told = []
        for row in sums:
            key = tuple(row[name] for name in SCOPE)
            told.append({**{name: row[name] for name in (*SCOPE, "currency", *AMOUNTS)}, **names.get(key, {})})
        return sorted(told, key=lambda one: (one["BillingPeriodStart"], one["source_system"], one["BillingAccountId"]))

    def owners(self) -> list[Row]:
        """What the charges that both versions have cost whom, where the owner changed."""
        before, after = self._deliveries
        names = list(OWNER_DIMENSIONS)
        sides = [Basis(reader).lens.select("batch_id", "source_row", "ChargePeriodStart", *names)
                 for reader in (self.earlier, self.later)]  # fmt: skip
        old = self.bring("owners", self.within(sides[0]))
        new = self.later.backend.create_table("later_owners", self.within(sides[1]), temp=True, overwrite=True)
        lines = self.later.backend.create_table(
            "same_lines", self.lines(before.intersect(after)), temp=True, overwrite=True
        )
        moved = []
        for name in names:
            for row in self.rows(moved_owners(lines, old, new, name)):
                moved.append({"dimension": name, **row})
        return sorted(moved, key=lambda one: (one["dimension"], -abs(one["EffectiveCost"]), str(one["owner_before"])))

    def reference(self, top: int) -> list[Row]:
        """Reference data whose current delivery is another one, and what that made of their rows."""
        told = []
        current = [{(row["dataset"], row["batch_id"]) for row in reader.backend.to_pyarrow(
            reader.table("current_delivery").select("dataset", "batch_id").distinct()).to_pylist()}
            for reader in (self.earlier, self.later)]  # fmt: skip
        for table in REFERENCE_TABLES:
            was, now = ({batch for dataset, batch in side if dataset == table.name} for side in current)
            if was == now:
                continue
            names = [field.name for field in table.fields if field.name not in ("batch_id", "source_row")]
            old = self.bring("reference", self.earlier.table(table.name).select(*names))
            new = self.later.table(table.name).select(*names)
            come, gone = (self.rows(a.difference(b, distinct=False)) for a, b in ((new, old), (old, new)))
            ledger = self.later.table("ledger")
            files = self.rows(ledger.filter(ledger.batch_id.isin(sorted(now - was) or [""])).select(
                "batch_id", "source_file", "recorded_at", "actor").order_by("batch_id"))  # fmt: skip
            told.append({
                "table": table.name, "rows_come": len(come), "rows_gone": len(gone), "files": files,
                "come": come[:top], "gone": gone[:top], **_amounts(come, gone),
            })  # fmt: skip
        return told

    def reporting(self) -> Row:
        """The difference in the workspace's currency: the classes at the later rates, and what new rates did."""
        currency = self.later.currency
        before, after = self._deliveries
        rates = {
            "before": self.bring("rates", monthly_rates(self.earlier.table("exchange_rate"), currency)),
            "after": monthly_rates(self.later.table("exchange_rate"), currency),
        }
        old, new = self.lines(before), self.lines(after)
        told: Row = {"currency": currency}
        sums = {
            "before": _converted(old, rates["before"], currency), "after": _converted(new, rates["after"], currency),
            "repriced": _converted(old, rates["after"], currency),
        }  # fmt: skip
        found = {name: self.rows(_total(lines))[0] for name, lines in sums.items()}
        told |= {name: {when: found[when][name] for when in ("before", "after")} for name in AMOUNTS}
        for name in AMOUNTS:
            told[name]["rates"] = found["repriced"][name] - found["before"][name]
        told["unconverted"] = {when: found[when]["unconverted"] for when in ("before", "after")}
        signed = _converted(self.changed, rates["after"], currency)
        told["classes"] = {row["reason"]: {name: row[name] for name in AMOUNTS}
                           for row in self.rows(_total(signed.group_by("reason")))
                           if row["reason"] != "unchanged" or any(row[name] for name in AMOUNTS)}  # fmt: skip
        for name in AMOUNTS:
            explained = told[name]["rates"] + sum((one[name] for one in told["classes"].values()), Decimal(0))
            told[name]["difference"] = told[name]["after"] - told[name]["before"]
            if explained != told[name]["difference"]:
                raise ReconciliationFailed(
                    f"{name} in {currency} changed by {told[name]['difference']}, but {explained} is explained."
                )
        return told


def _of_charges(reader: Reader) -> Table:
    current = reader.table("current_delivery")
    return current.filter(current.dataset == "charge").select(
        "batch_id", "source_system", "billing_account_id", "period_start"
    )


def _sums(lines: Table, *by: str) -> Table:
    return lines.group_by(list(by)).agg(**{name: lines[name].sum() for name in AMOUNTS}, lines=lines.count())


def _own(rows: list[Row], own: tuple[str, str], *order: str) -> list[Row]:
    """The rows of one class and currency, without what says so."""
    mine = [{k: v for k, v in row.items() if k not in ("reason", "currency")}
            for row in rows if (row["reason"], row["currency"]) == own]  # fmt: skip
    return sorted(mine, key=lambda row: [(row[name] is None, row[name]) for name in order])


def _converted(lines: Table, rates: Table, currency: str) -> Table:
    """Lines with their amounts in one currency; null, and ``converted`` false, where no rate is known."""
    dated = lines.mutate(line_month=first_of_month(lines.ChargePeriodStart.date()))
    joined = dated.left_join(rates, [dated.line_month == rates.rate_month, dated.BillingCurrency == rates.rate_from])
    same = (joined.BillingCurrency == currency).fill_null(False)
    return joined.mutate(
        converted=same | joined.rate.notnull(), **{name: convert(joined[name], joined.rate, same) for name in AMOUNTS}
    )


def _total(lines: Any) -> Table:
    sums = {name: ibis._[name].sum().fill_null(0) for name in AMOUNTS}
    return lines.agg(**sums, unconverted=(~ibis._.converted).sum().fill_null(0))


def _amounts(come: list[Row], gone: list[Row]) -> Row:
    """By how much a table of amounts changed, per currency; nothing for other tables."""
    changed: dict[str, Decimal] = {}
    for rows, sign in ((come, 1), (gone, -1)):
        for row in rows:
            if isinstance(row.get("amount"), Decimal) and "currency" in row:
                changed[row["currency"]] = changed.get(row["currency"], Decimal(0)) + sign * row["amount"]
    return {"amount": changed} if changed else {}
