"""What was planted and what it adds up to, in exact integers; written as truth.json, which only tests read."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from finops_kit.demo.bill import Bill
from finops_kit.demo.estate import ACCOUNTS, CURRENCY
from finops_kit.demo.months import Calendar
from finops_kit.demo.writer import COST_SCALE, spell

#: decimals of the exchange rates
RATE_SCALE = 4

#: euros for a dollar, ten-thousandths, month after month and round again
_RATES = (8916, 8868, 8679, 8561, 8590, 8523, 8597, 8650, 8537, 8489, 8461, 8552, 8601, 8544, 8493, 8458, 8521, 8570)


def euro_rate(index: int) -> int:
    """Euros for a US dollar in a month, ten-thousandths.

    Example
    -------
    >>> euro_rate(0)
    8916
    """
    return _RATES[index % len(_RATES)]


def money(value: int) -> str:
    """A cost as text with all its decimals."""
    return spell(value, COST_SCALE)


def euros(value: int) -> str:
    """A cost in euros times ``10**RATE_SCALE`` as text with all its decimals."""
    return spell(value, COST_SCALE + RATE_SCALE)


@dataclass
class Totals:
    """Sums of one delivery or month."""

    rows: int = 0
    billed: int = 0
    effective: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The sums as text."""
        return {"rows": self.rows, "billed": money(self.billed), "effective": money(self.effective)}


@dataclass
class Truth:
    """Collects the truth while the estate is written."""

    time: Calendar
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    current: dict[tuple[str, int], Totals] = field(default_factory=dict)
    untagged: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    ownerless: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    effective_eur: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    by_service: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    by_resource: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    late: list[dict[str, Any]] = field(default_factory=list)
    restated: dict[str, Any] = field(default_factory=dict)
    invoices: list[dict[str, Any]] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)
    _counted: dict[tuple[str, int], list[tuple[dict[Any, int], Any, int]]] = field(default_factory=dict)

    def delivered(self, path: str, format: str, rows: int, bill: Bill | None = None, mask: np.ndarray | None = None,
                  **more: Any) -> Totals:  # fmt: skip
        """Note one file; for a bill also its sums."""
        entry: dict[str, Any] = {"format": format, "rows": rows, **more}
        totals = Totals(rows)
        if bill is not None and mask is not None:
            totals = Totals(rows, int(bill.billed[mask].sum()), int(bill.effective[mask].sum()))
            entry |= {"provider": bill.provider, "month": self.time.label(bill.index),
                      "currency": CURRENCY[bill.provider], "billed": money(totals.billed),
                      "effective": money(totals.effective)}  # fmt: skip
        self.files[path] = entry
        return totals

    def make_current(self, bill: Bill, mask: np.ndarray, totals: Totals, watched: dict[int, str]) -> None:
        """Count a delivery as the current one of its provider and month; a later one takes its place."""
        key = (bill.provider, bill.index)
        for table, name, value in self._counted.pop(key, []):
            table[name] -= value
        self.current[key] = totals
        rate = euro_rate(bill.index) if CURRENCY[bill.provider] == "USD" else 10**RATE_SCALE
        counted: list[tuple[dict[Any, int], Any, int]] = []

        def count(table: dict[Any, int], name: Any, value: int) -> None:
            table[name] += value
            counted.append((table, name, value))

        kind, effective = bill.lines.kind[mask], bill.effective[mask]
        per_kind = np.zeros(len(bill.service), dtype=np.int64)
        np.add.at(per_kind, kind, effective)
        count(self.effective_eur, bill.index, totals.effective * rate)
        known = {a.account_id: a.service_id for a in ACCOUNTS}
        held = bill.lines.texts.get("SubAccountId") or bill.lines.texts["lineItem/UsageAccountId"]
        for number in np.flatnonzero(per_kind):
            value = int(per_kind[number]) * rate
            count(self.by_service, (bill.service[number], bill.index), value)
            if not bill.tagged[number]:
                count(self.untagged, bill.index, value)
                if not known.get(str(held[number])):
                    count(self.ownerless, bill.index, value)
            if int(number) in watched:
                count(self.by_resource, (watched[int(number)], bill.index), int(per_kind[number]))
        self._counted[key] = counted

    def months_of(self, table: dict[int, int]) -> dict[str, str]:
        """A table by month as euros."""
        return {self.time.label(index): euros(table.get(index, 0)) for index in range(self.time.months)}

    def as_dict(self) -> dict[str, Any]:
        """All of it, ready to be written."""
        totals: dict[str, Any] = {}
        for (provider, index), value in sorted(self.current.items()):
            entry = totals.setdefault(provider, {"currency": CURRENCY[provider], "months": {}})
            entry["months"][self.time.label(index)] = value.as_dict()
        services: dict[str, dict[str, str]] = {}
        for (service, index), spent in sorted(self.by_service.items()):
            services.setdefault(service or "unassigned", {})[self.time.label(index)] = euros(spent)
        ratio = {
            self.time.label(index): {
                "untagged_eur": euros(self.untagged.get(index, 0)),
                "without_owner_eur": euros(self.ownerless.get(index, 0)),
                "effective_eur": euros(total),
                "untagged_pct": round(100 * self.untagged.get(index, 0) / total, 4) if total else None,
                "without_owner_pct": round(100 * self.ownerless.get(index, 0) / total, 4) if total else None,
            }
            for index, total in sorted(self.effective_eur.items())
        }
        charges = [f for f in self.files.values() if "billed" in f]
        return {
            "currency": "EUR",
            "months": [self.time.label(n) for n in range(self.time.months)],
            "open_month": self.time.label(self.time.months - 1),
            "latest_closed_month": self.time.label(self.time.months - 2),
            "today": self.time.today.isoformat(),
            "rows": {
                "charges_current": sum(t.rows for t in self.current.values()),
                "charges_delivered": sum(f["rows"] for f in charges),
                "all_files": sum(f["rows"] for f in self.files.values()),
                "files": len(self.files),
            },
            "totals": totals,
            "effective_eur_by_service": services,
            "untagged": ratio,
            "late_lines": self.late,
            "restated": self.restated,
            **self.more,
            "files": dict(sorted(self.files.items())),
        }
