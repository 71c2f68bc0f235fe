"""The two data centres: the house's internal cost feed, FOCUS 1.3, CSV, in euros, one row per asset and day.

A machine, an array or a room costs a fixed amount a month; the feed spreads it over the days of the month, so a day
in February costs more than a day in March.
"""

from __future__ import annotations

from finops_kit.demo.bill import Bill, stamp
from finops_kit.demo.estate import BILLING_ACCOUNT, FRANKFURT, HOUSE, MUNICH
from finops_kit.demo.fleet import Fleet
from finops_kit.demo.focus import Issuer, Month, Text, make_bill
from finops_kit.demo.months import Calendar
from finops_kit.demo.writer import quote
from finops_kit.fields import focus_columns

#: Tags last, where the writer wants a constant text
COLUMNS: tuple[str, ...] = (*(name for name in focus_columns("1.3") if name != "Tags"), "Tags")


def _issuer(provider: str, prefix: str) -> Issuer:
    def more(fleet: Fleet, number: int | None) -> Text:
        return {"HostProviderName": provider, "ServiceProviderName": provider, "PricingCategory": "Standard"}

    return Issuer(provider, f"{HOUSE} - {provider}", "Internal Cost Pool", "Cost Pool", prefix, more)


ISSUERS = {FRANKFURT: _issuer(FRANKFURT, "FRA"), MUNICH: _issuer(MUNICH, "MUC")}


def make_centre_bill(fleet: Fleet, index: int, today: int) -> Bill:
    """The feed of one data centre and month."""
    price = fleet.monthly_price(index)
    bill = make_bill(fleet, index, today, ISSUERS[fleet.provider], Month(unit_price=price, list_price=price))
    count = len(bill.lines.texts["ProviderName"])
    for name in COLUMNS:
        if name not in bill.lines.texts and name not in bill.lines.figures and name not in bill.lines.periods:
            bill.lines.texts[name] = [None] * count
    return bill


def unreadable_rows(provider: str, time: Calendar, index: int) -> list[tuple[str, str]]:
    """Three rows that no reader can take: what is wrong, and the row as it stands in the file."""
    start = time.start(index)
    good = {
        "BilledCost": "12.5000000000", "BillingAccountId": BILLING_ACCOUNT[provider], "BillingCurrency": "EUR",
        "BillingPeriodStart": stamp(start), "BillingPeriodEnd": stamp(start + time.days(index)),
        "ChargeCategory": "Usage", "ChargeDescription": "Manual entry, network", "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": stamp(start + 3), "ChargePeriodEnd": stamp(start + 4), "EffectiveCost": "12.5000000000",
        "ListCost": "12.5000000000", "ContractedCost": "12.5000000000", "ProviderName": provider,
        "ServiceCategory": "Networking", "ServiceName": "Data Centre Network", "InvoiceIssuerName": provider,
    }  # fmt: skip
    bad = (
        ("BilledCost is no number", {"BilledCost": "n/a"}),
        ("ChargePeriodStart is no date", {"ChargePeriodStart": "2026-02-31T00:00:00Z"}),
        ("BilledCost is a remark", {"BilledCost": "see ticket INC0048213"}),
    )
    return [(why, ",".join(quote((good | change).get(name, "")) for name in COLUMNS)) for why, change in bad]
