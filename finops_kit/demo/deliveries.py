"""When each provider delivers what: finals, preliminaries, daily partials of the open month, one restatement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from finops_kit.demo import aws, azure, datacentre, gcp
from finops_kit.demo.bill import Bill
from finops_kit.demo.estate import AWS, AZURE, FRANKFURT, GCP, MUNICH
from finops_kit.demo.fleet import Fleet
from finops_kit.demo.months import Calendar, day_number
from finops_kit.demo.truth import Truth, money
from finops_kit.demo.writer import CHUNK, write_csv, write_parquet

#: months before the open one that also had a preliminary delivery
PRELIMINARY_MONTHS = 2
#: days on which the open month is delivered, counted back from the last
OPEN_DAYS = {AWS: (4, 3, 2, 1, 0), AZURE: (4, 2, 0), GCP: (3, 1, 0), FRANKFURT: (0,), MUNICH: (0,)}
FORMAT = {AWS: "aws-cur", AZURE: "focus-1.0", GCP: "focus-1.2", FRANKFURT: "focus-1.3", MUNICH: "focus-1.3"}
_SOURCE = {AWS: "aws", AZURE: "azure", GCP: "gcp", FRANKFURT: "datacentre", MUNICH: "datacentre"}


@dataclass(frozen=True)
class Delivery:
    """One file of a provider: which month, on which day, and why."""

    provider: str
    index: int
    on: date
    reason: str

    def path(self, time: Calendar) -> str:
        """Folder by provider and delivery date, so that sorted paths are in the order of delivery."""
        first, after = time.firsts[self.index], time.following(self.index)
        month, last = first.strftime("%Y%m"), after - timedelta(days=1)
        name = {
            AWS: f"nordbank-cur-{first:%Y%m%d}-{after:%Y%m%d}-00001.csv.gz",
            AZURE: f"focus-cost_{first:%Y%m%d}-{last:%Y%m%d}_part_0_0001.snappy.parquet",
            GCP: f"focus_v1_2_01A2B3_{month}.csv.gz",
            FRANKFURT: f"dc-frankfurt_cost-feed_{first:%Y-%m}.csv",
            MUNICH: f"dc-munich_cost-feed_{first:%Y-%m}.csv",
        }[self.provider]
        return f"{_SOURCE[self.provider]}/{self.on:%Y-%m-%d}/{name}"


def schedule(provider: str, index: int, time: Calendar) -> list[Delivery]:
    """The deliveries of one provider's month, oldest first; a restatement is apart."""
    if index == time.months - 1:
        return [Delivery(provider, index, time.today - timedelta(days=n), "partial") for n in OPEN_DAYS[provider]]
    after = time.following(index)
    final = Delivery(provider, index, after.replace(day=5 if provider in (AWS, AZURE, GCP) else 6), "final")
    if provider in (AWS, AZURE, GCP) and index >= time.months - 1 - PRELIMINARY_MONTHS:
        return [Delivery(provider, index, after, "preliminary"), final]
    return [final]


def make_bill(fleet: Fleet, index: int) -> Bill:
    """The whole bill of a month as it is known at the end."""
    today = day_number(fleet.time.today)
    makers: dict[str, Callable[[Fleet, int, int], Bill]] = {
        AWS: aws.make_bill, AZURE: azure.make_azure_bill, GCP: gcp.make_gcp_bill,
        FRANKFURT: datacentre.make_centre_bill, MUNICH: datacentre.make_centre_bill,
    }  # fmt: skip
    return makers[fleet.provider](fleet, index, today)


def deliver(out: Path, fleet: Fleet, index: int, truth: Truth, watched: dict[int, str]) -> int:
    """Write every delivery of one provider's month; returns the rows written."""
    bill, time, written = make_bill(fleet, index), fleet.time, 0
    before: np.ndarray | None = None
    for delivery in schedule(fleet.provider, index, time):
        mask = bill.ready <= day_number(delivery.on)
        written += _write(out, delivery, bill, mask, truth, watched)
        if before is not None:
            arrived = mask & ~before & bill.late
            truth.late.append({
                "provider": fleet.provider, "month": time.label(index), "file": delivery.path(time),
                "rows": int(arrived.sum()), "billed": money(int(bill.billed[arrived].sum())),
                "effective": money(int(bill.effective[arrived].sum())),
            })  # fmt: skip
        before = mask
    if fleet.provider == GCP and index == time.restated:
        changed = gcp.make_gcp_bill(fleet, index, day_number(time.today), restated=True)
        delivery = Delivery(GCP, index, time.restated_on, "restated")
        old = truth.current[(GCP, index)]
        written += _write(out, delivery, changed, np.ones(len(changed.ready), dtype=bool), truth, watched)
        truth.restated = {
            "provider": GCP, "month": time.label(index), "delivered_on": delivery.on.isoformat(),
            "file": delivery.path(time), "before": old.as_dict(), "after": truth.current[(GCP, index)].as_dict(),
            "why": f"BigQuery analysis re-rated {gcp.RESTATED_PERCENT} % lower",
        }  # fmt: skip
    return written


def _write(out: Path, delivery: Delivery, bill: Bill, mask: np.ndarray, truth: Truth, watched: dict[int, str]) -> int:
    path = delivery.path(truth.time)
    lines = bill.lines.keep(mask)
    extra: list[str] = []
    if delivery.provider == AWS:
        if delivery.reason != "final":  # the invoice's number is known when the month is closed
            lines.texts = {**lines.texts, "bill/InvoiceId": [""] * len(bill.service)}
        write_csv(out / path, aws.COLUMNS, lines, exponent_below=aws.EXPONENT_BELOW)
    elif delivery.provider == AZURE:
        start, days = truth.time.start(bill.index), truth.time.days(bill.index)
        azure.parquet_figures(bill) if "ListUnitPrice" in bill.lines.texts else None
        lines = bill.lines.keep(mask)
        periods = len(bill.times["ChargePeriodStart"])
        times = bill.times | {
            "BillingPeriodStart": np.full(periods, start), "BillingPeriodEnd": np.full(periods, start + days),
        }  # fmt: skip
        write_parquet(out / path, azure.COLUMNS, lines, times)
    elif delivery.provider == GCP:
        write_csv(out / path, gcp.COLUMNS, lines)
    else:
        if bill.provider == MUNICH and bill.index == unreadable_month(truth.time):
            found = datacentre.unreadable_rows(bill.provider, truth.time, bill.index)
            extra = [row for _, row in found]
            first = min(len(lines), CHUNK) + 1
            truth.more["quarantine"] = [
                {"file": path, "row": first + n, "reason": why} for n, (why, _) in enumerate(found)
            ]
        write_csv(out / path, datacentre.COLUMNS, lines, extra=extra)
    totals = truth.delivered(path, FORMAT[delivery.provider], len(lines) + len(extra), bill, mask,
                             delivered_on=delivery.on.isoformat(), reason=delivery.reason,
                             quarantined=len(extra))  # fmt: skip
    totals.rows -= len(extra)
    if delivery.reason == "final":
        number = "bill/InvoiceId" if delivery.provider == AWS else "InvoiceId"
        truth.invoices.append({
            "provider": delivery.provider, "index": delivery.index, "issued_on": delivery.on, "billed": totals.billed,
            "invoice_id": next(text for text in lines.texts[number] if text),
        })  # fmt: skip
    truth.make_current(bill, mask, totals, watched)
    return len(lines)


def unreadable_month(time: Calendar) -> int:
    """The month whose Munich feed holds three rows that nobody can read."""
    return time.back(5)
