"""FOCUS rows, for every provider that delivers FOCUS: usage, commitments, purchases, credits, taxes, corrections.

Every row keeps the rules of FOCUS 1.2: ListCost and ContractedCost are price times quantity to the last decimal,
taxes have no SKU, a commitment's used and unused rows add up to what was paid for it, corrections say so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from finops_kit.demo.bill import Bill, is_tagged, stamp, usage_of
from finops_kit.demo.estate import ACCOUNT, BILLING_ACCOUNT, CURRENCY, REGION, tags_of
from finops_kit.demo.fleet import Fleet, digest
from finops_kit.demo.months import day_number
from finops_kit.demo.prices import SKUS
from finops_kit.demo.writer import COST_SCALE, PRICE_SCALE, QUANTITY_SCALE, Lines, spell

Text = dict[str, "str | None"]


@dataclass(frozen=True)
class Issuer:
    """Who sends the bill, and the provider's own words for its accounts."""

    provider: str
    billing_account_name: str
    billing_account_type: str
    sub_account_type: str
    sku_prefix: str
    #: added to every row, from a function of resource number (or None for rows without a resource)
    more: Callable[[Fleet, int | None], Text] = lambda fleet, number: {}
    extra_tags: Callable[[Fleet, int], dict[str, str]] = lambda fleet, number: {}


@dataclass
class Extra:
    """A row without usage behind it: its texts, month or day, quantity and amounts (scaled integers)."""

    texts: Text
    billed: int
    effective: int
    listed: int
    contracted: int
    quantity: int = 0
    first: int = 0
    until: int = 0
    service_id: str = ""
    tagged: bool = False
    commitment: int = 0
    blank: tuple[str, ...] = ()
    ready: int = 0


@dataclass
class Month:
    """What a provider adds to the usage rows of a month."""

    extras: list[Extra] = field(default_factory=list)
    #: per resource: negotiated price of the month in millionths (a restated month has its own)
    unit_price: np.ndarray | None = None
    list_price: np.ndarray | None = None
    #: per resource, whether a commitment covers it, and the price under it
    covered: np.ndarray | None = None
    covered_price: np.ndarray | None = None
    commitment: Text = field(default_factory=dict)


COSTS = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")


def make_bill(fleet: Fleet, index: int, today: int, issuer: Issuer, month: Month) -> Bill:
    """The FOCUS rows of one provider and month: usage by day and resource, then the extra rows."""
    start, days = fleet.time.start(index), fleet.time.days(index)
    usage = usage_of(fleet, index, today)
    count = len(fleet.resources)
    price = fleet.unit_price if month.unit_price is None else month.unit_price
    list_price = fleet.list_price if month.list_price is None else month.list_price
    covered = np.zeros(count, dtype=bool) if month.covered is None else month.covered
    tagged = is_tagged(fleet, index)
    kinds = [_usage_texts(fleet, n, issuer, index, bool(tagged[n]), list_price, price) for n in range(count)]
    for n in np.flatnonzero(covered):
        kinds[n] |= month.commitment | {"PricingCategory": "Committed", "CommitmentDiscountStatus": "Used"}
    kinds += [extra.texts for extra in month.extras]
    for texts in kinds:
        texts |= _issuer_texts(issuer, index, start, start + days)
    names = sorted({name for texts in kinds for name in texts})
    columns = {name: [texts.get(name) for texts in kinds] for name in names}

    resource, quantity = usage.resource, usage.quantity
    contracted, listed = quantity * price[resource], quantity * list_price[resource]
    on_plan = covered[resource]
    effective = contracted.copy()
    if month.covered_price is not None:
        effective = np.where(on_plan, quantity * month.covered_price[resource], contracted)
    figures = {
        "BilledCost": np.where(on_plan, 0, contracted), "EffectiveCost": effective, "ListCost": listed,
        "ContractedCost": contracted, "PricingQuantity": quantity, "ConsumedQuantity": quantity,
        "CommitmentDiscountQuantity": np.where(on_plan, quantity, 0),
    }  # fmt: skip
    spans = [(start + d, start + d + 1) for d in range(days)]
    spans += [(extra.first, extra.until) for extra in month.extras]
    extras = month.extras

    def joined(name: str, values: list[int]) -> np.ndarray:
        return np.concatenate([figures[name], np.array(values, dtype=np.int64)])

    all_figures = {
        "BilledCost": (joined("BilledCost", [e.billed for e in extras]), COST_SCALE),
        "EffectiveCost": (joined("EffectiveCost", [e.effective for e in extras]), COST_SCALE),
        "ListCost": (joined("ListCost", [e.listed for e in extras]), COST_SCALE),
        "ContractedCost": (joined("ContractedCost", [e.contracted for e in extras]), COST_SCALE),
        "PricingQuantity": (joined("PricingQuantity", [e.quantity for e in extras]), QUANTITY_SCALE),
        "ConsumedQuantity": (joined("ConsumedQuantity", [e.quantity for e in extras]), QUANTITY_SCALE),
        "CommitmentDiscountQuantity": (
            joined("CommitmentDiscountQuantity", [e.commitment for e in extras]), QUANTITY_SCALE),
    }  # fmt: skip
    all_figures["PricingCurrencyEffectiveCost"] = all_figures["EffectiveCost"]
    blank = {
        name: np.array([False] * count + [name in e.blank for e in extras])
        for name in ("PricingQuantity", "ConsumedQuantity")
    }
    blank["CommitmentDiscountQuantity"] = ~np.array([*covered, *(bool(e.commitment) for e in extras)], dtype=bool)
    lines = Lines(
        columns,
        {"ChargePeriodStart": [stamp(a) for a, _ in spans], "ChargePeriodEnd": [stamp(b) for _, b in spans]},
        np.concatenate([resource, np.arange(count, count + len(extras), dtype=np.int32)]),
        np.concatenate([usage.day, np.arange(days, days + len(extras), dtype=np.int32)]),
        all_figures,
        blank,
    )
    return Bill(
        fleet.provider, index, lines,
        np.concatenate([usage.ready, np.array([e.ready or e.until for e in extras], dtype=np.int64)]),
        np.concatenate([usage.late, np.zeros(len(extras), dtype=bool)]),
        [r.component.service_id for r in fleet.resources] + [e.service_id for e in extras],
        np.array([*tagged, *(e.tagged for e in extras)], dtype=bool),
        all_figures["BilledCost"][0], all_figures["EffectiveCost"][0],
        {"ChargePeriodStart": np.array([a for a, _ in spans]), "ChargePeriodEnd": np.array([b for _, b in spans])},
    )  # fmt: skip


def _issuer_texts(issuer: Issuer, index: int, start: int, end: int) -> Text:
    currency = CURRENCY[issuer.provider]
    return {
        "BillingAccountId": BILLING_ACCOUNT[issuer.provider], "BillingAccountName": issuer.billing_account_name,
        "BillingAccountType": issuer.billing_account_type, "BillingCurrency": currency, "PricingCurrency": currency,
        "BillingPeriodStart": stamp(start), "BillingPeriodEnd": stamp(end),
        "InvoiceIssuerName": issuer.provider, "ProviderName": issuer.provider,
        "InvoiceId": f"{issuer.sku_prefix}-{stamp(start, '%Y%m')}-{digest(issuer.provider, start)[:6].upper()}",
    }  # fmt: skip


def _usage_texts(
    fleet: Fleet, number: int, issuer: Issuer, index: int, tagged: bool, list_price: np.ndarray, price: np.ndarray
) -> Text:
    resource = fleet.resources[number]
    part, sku = resource.component, SKUS[resource.component.sku]
    account = ACCOUNT[part.account]
    region, region_name = REGION[issuer.provider]
    tags = tags_of(part.service_id, part.environment, index >= fleet.time.team_moves, resource.tenant) if tagged else {}
    if tagged:
        tags |= issuer.extra_tags(fleet, number)
    texts: Text = {
        "AvailabilityZone": None, "CapacityReservationId": None, "CapacityReservationStatus": None,
        "ChargeCategory": "Usage", "ChargeClass": None,
        "ChargeDescription": f"{sku.service}: {sku.code}", "ChargeFrequency": "Usage-Based",
        "CommitmentDiscountCategory": None, "CommitmentDiscountId": None, "CommitmentDiscountName": None,
        "CommitmentDiscountStatus": None, "CommitmentDiscountType": None, "CommitmentDiscountUnit": None,
        "ConsumedUnit": sku.unit, "PricingUnit": sku.unit, "PricingCategory": "Standard",
        "ListUnitPrice": spell(int(list_price[number]), PRICE_SCALE),
        "ContractedUnitPrice": spell(int(price[number]), PRICE_SCALE),
        "PublisherName": issuer.provider, "RegionId": region, "RegionName": region_name,
        "ResourceId": resource.resource_id, "ResourceName": resource.name, "ResourceType": sku.resource_type,
        "ServiceCategory": sku.category, "ServiceName": sku.service, "ServiceSubcategory": sku.subcategory,
        "SkuMeter": sku.code, **sku_ids(issuer, part.sku, resource.key if not fleet.list_price[number] else ""),
        "SkuPriceDetails": json.dumps({"CoreCount": sku.machine[0], "MemorySize": sku.machine[1]})
            if sku.machine[0] else None,
        "SubAccountId": account.account_id, "SubAccountName": account.name, "SubAccountType": issuer.sub_account_type,
        "Tags": json.dumps(tags, ensure_ascii=False) if tags else None,
        **issuer.more(fleet, number),
    }  # fmt: skip
    texts["PricingCurrencyListUnitPrice"] = texts["ListUnitPrice"]
    texts["PricingCurrencyContractedUnitPrice"] = texts["ContractedUnitPrice"]
    return texts


def sku_ids(issuer: Issuer, sku: str, of: str = "") -> Text:
    """SkuId and SkuPriceId of an article; a price has one parent SKU only."""
    code = digest(issuer.provider, sku, of).upper()
    return {"SkuId": f"{issuer.sku_prefix}-{code[:12]}", "SkuPriceId": f"{issuer.sku_prefix}-{code[:12]}-{code[12:16]}"}


def plain_extra(
    category: str, description: str, frequency: str, account: str, issuer: Issuer, **more: str | None
) -> Text:
    """The texts of a row without SKU and resource (credit, tax), to be filled in by the caller."""
    held = ACCOUNT[account]
    return {
        "ChargeCategory": category, "ChargeDescription": description, "ChargeFrequency": frequency,
        "PublisherName": issuer.provider, "ServiceCategory": "Other", "ServiceSubcategory": "Other (Other)",
        "ServiceName": "Billing", "SubAccountId": held.account_id, "SubAccountName": held.name,
        "SubAccountType": issuer.sub_account_type, **more,
    }  # fmt: skip


def month_bounds(fleet: Fleet, index: int, today: int) -> tuple[int, int, bool]:
    """First day, day after the last, and whether the month is over."""
    start = fleet.time.start(index)
    end = start + fleet.time.days(index)
    return start, end, end <= today


def today_of(fleet: Fleet) -> int:
    """The day number of the estate's last delivery."""
    return day_number(fleet.time.today)
