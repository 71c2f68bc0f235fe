"""AWS: the legacy Cost and Usage Report, one CSV.gz per delivery, in US dollars.

It has what real ones have: line item ids that repeat (unique only with the time interval), covered usage with a
negation row beside it, a savings plan that is not fully used, tax rows that span the month under a one-day
interval, fees, credits, and small costs in scientific notation.
"""

from __future__ import annotations

import numpy as np

from finops_kit.demo.bill import Bill, is_tagged, stamp, usage_of
from finops_kit.demo.estate import ACCOUNT, ACCOUNTS, AWS, AWS_PAYER, REGION, tags_of
from finops_kit.demo.fleet import Fleet, digest, node_counts
from finops_kit.demo.months import day_number
from finops_kit.demo.prices import SKUS, micros
from finops_kit.demo.writer import COST_SCALE, PRICE_SCALE, QUANTITY_SCALE, Lines, spell

TAGS = ("business_unit", "cost_center", "environment", "service_id", "team", "tenant")
COLUMNS: tuple[str, ...] = (
    "identity/LineItemId", "identity/TimeInterval", "bill/InvoiceId", "bill/InvoicingEntity", "bill/BillingEntity",
    "bill/BillType", "bill/PayerAccountId", "bill/BillingPeriodStartDate", "bill/BillingPeriodEndDate",
    "lineItem/UsageAccountId", "lineItem/LineItemType", "lineItem/UsageStartDate", "lineItem/UsageEndDate",
    "lineItem/ProductCode", "lineItem/UsageType", "lineItem/Operation", "lineItem/AvailabilityZone",
    "lineItem/ResourceId", "lineItem/UsageAmount", "lineItem/CurrencyCode", "lineItem/UnblendedRate",
    "lineItem/UnblendedCost", "lineItem/BlendedRate", "lineItem/BlendedCost", "lineItem/LineItemDescription",
    "lineItem/TaxType", "lineItem/LegalEntity", "product/ProductName", "product/instanceType", "product/location",
    "product/memory", "product/productFamily", "product/region", "product/servicecode", "product/sku", "product/vcpu",
    "pricing/RateCode", "pricing/RateId", "pricing/currency", "pricing/publicOnDemandCost",
    "pricing/publicOnDemandRate", "pricing/term", "pricing/unit", "savingsPlan/TotalCommitmentToDate",
    "savingsPlan/SavingsPlanARN", "savingsPlan/SavingsPlanRate", "savingsPlan/UsedCommitment",
    "savingsPlan/SavingsPlanEffectiveCost", "savingsPlan/RecurringCommitmentForBillingPeriod",
    *(f"resourceTags/user:{tag}" for tag in TAGS),
)  # fmt: skip
_ISSUER = "Amazon Web Services EMEA SARL"
_PLAN = f"arn:aws:savingsplans::{AWS_PAYER}:savingsplan/7d1f3c52-64b0-4f0e-9f5b-2a7c0e9b4411"
#: costs below a hundred-thousandth are written like 2.3E-6
EXPONENT_BELOW = 100_000
#: savings plan rate, percent of the negotiated on-demand rate
PLAN_PERCENT = 66
SUPPORT_RATE, VAT_PERCENT, CREDIT = "0.030000", 19, 2_500


def committed_resources(fleet: Fleet) -> np.ndarray:
    """Per resource, whether the savings plan covers it: fixed machines, and nodes that office hours always need."""
    base, extra = node_counts(fleet.scale)
    covered = base + extra * 25 // 100
    return np.array([r.component.committed and r.slot < covered for r in fleet.resources])


def hourly_commitment(fleet: Fleet) -> int:
    """The savings plan's commitment an hour in millionths of a dollar, fixed when it was bought.

    All fixed machines around the clock, and 16 hours a day of the nodes that only office hours need: what
    weekends leave unused is the plan's under-use.
    """
    base, _ = node_counts(fleet.scale)
    covered, total = committed_resources(fleet), 0
    for n in np.flatnonzero(covered):
        rate = int(fleet.unit_price[n]) * PLAN_PERCENT // 100
        total += rate * (16 if fleet.resources[n].slot >= base else 24)
    return -(-total // 24)


def make_bill(fleet: Fleet, index: int, today: int) -> Bill:
    """The report of one month."""
    time = fleet.time
    start, days = time.start(index), time.days(index)
    complete = start + days <= today
    usage = usage_of(fleet, index, today)
    count = len(fleet.resources)
    covered = committed_resources(fleet) & (start >= day_number(time.savings_plan_from))
    moved = index >= time.team_moves
    tagged = is_tagged(fleet, index)
    accounts = [a for a in ACCOUNTS if a.provider == AWS]

    # kinds: 0.. resources, then the negation of each, then fee, support, credit, tax per account
    fee, support, credit, tax = 2 * count, 2 * count + 1, 2 * count + 2, 2 * count + 3
    texts = _resource_texts(fleet, covered, tagged, moved, time.label(index))
    for name, value in {
        "bill/InvoiceId": f"EUINDE{int(digest('aws', index, fleet.seed)[:8], 16) % 10**8:08d}",
        "bill/InvoicingEntity": _ISSUER, "bill/BillingEntity": "AWS", "bill/BillType": "Anniversary",
        "bill/PayerAccountId": AWS_PAYER, "bill/BillingPeriodStartDate": stamp(start),
        "bill/BillingPeriodEndDate": stamp(start + days), "lineItem/CurrencyCode": "USD",
        "lineItem/LegalEntity": _ISSUER, "pricing/currency": "USD",
    }.items():  # fmt: skip
        texts[name] = [value] * (2 * count)
    _add_extra_kinds(texts, index, accounts, [a.account_id for a in accounts])

    periods = {
        "identity/TimeInterval": [f"{stamp(start + d)}/{stamp(start + d + 1)}" for d in range(days)] * 2,
        "lineItem/UsageStartDate": [stamp(start + d) for d in range(days)] + [stamp(start)] * days,
        "lineItem/UsageEndDate": [stamp(start + d + 1) for d in range(days)] + [stamp(start + days)] * days,
    }
    quantity, resource = usage.quantity, usage.resource
    cost = quantity * fleet.unit_price[resource]
    public = quantity * fleet.list_price[resource]
    is_covered = covered[resource]
    plan_rate = fleet.unit_price * PLAN_PERCENT // 100
    by_plan = np.where(is_covered, quantity * plan_rate[resource], 0)

    kind, period = [resource], [usage.day]
    columns: dict[str, list[np.ndarray]] = {
        "amount": [quantity], "cost": [cost], "public": [public], "plan": [by_plan],
        "total": [np.zeros_like(cost)], "used": [np.zeros_like(cost)], "ready": [usage.ready],
        "late": [usage.late.astype(np.int64)], "effective": [np.where(is_covered, by_plan, cost)],
    }  # fmt: skip

    def add(kinds: np.ndarray, at: np.ndarray, **values: np.ndarray) -> None:
        kind.append(kinds.astype(np.int32))
        period.append(at.astype(np.int32))
        for name, parts in columns.items():
            parts.append(values[name].astype(np.int64) if name in values else np.zeros(len(kinds), dtype=np.int64))

    only = np.flatnonzero(is_covered)
    add(resource[only] + count, usage.day[only], amount=quantity[only], cost=-cost[only], public=-public[only],
        ready=usage.ready[only], late=usage.late[only])  # fmt: skip
    if covered.any():
        known = np.arange(min(days, max(0, today - start)))
        used = np.zeros(days, dtype=np.int64)
        np.add.at(used, usage.day, by_plan)
        paid = np.full(len(known), hourly_commitment(fleet) * 240_000, dtype=np.int64)
        add(np.full(len(known), fee), known, amount=np.full(len(known), 240_000), cost=paid, total=paid,
            used=used[known], effective=paid - used[known], ready=start + known + 1)  # fmt: skip
    if complete:
        base = int(cost.sum()) // 10**COST_SCALE
        spent = np.array([base * 10**QUANTITY_SCALE])
        help_cost = int(spent[0]) * micros(SUPPORT_RATE)
        vat = help_cost * VAT_PERCENT // 100
        one, ready = np.ones(1, dtype=np.int64) * 10**QUANTITY_SCALE, np.array([start + days])
        at = np.array([days])
        paid = np.array([help_cost])
        add(np.array([support]), at, amount=spent, cost=paid, public=paid, effective=paid, ready=ready)
        if index < 12:
            given = np.array([-CREDIT * 10**COST_SCALE])
            add(np.array([credit]), at, amount=one, cost=given, effective=given, ready=ready)
        taxes = np.array([vat if a.account_id == AWS_PAYER else 0 for a in accounts])
        add(np.arange(tax, tax + len(accounts)), np.full(len(accounts), days), amount=np.repeat(one, len(accounts)),
            cost=taxes, effective=taxes, ready=np.repeat(ready, len(accounts)))  # fmt: skip
    flat = {name: np.concatenate(parts) for name, parts in columns.items()}
    kinds = np.concatenate(kind)
    total = len(texts["lineItem/LineItemType"])
    types = np.array(texts["lineItem/LineItemType"])
    is_usage = np.isin(types, ["Usage", "SavingsPlanCoveredUsage"])
    lines = Lines(
        texts, periods, kinds, np.concatenate(period),
        {
            "lineItem/UsageAmount": (flat["amount"], QUANTITY_SCALE), "lineItem/UnblendedCost": (flat["cost"],
                COST_SCALE),
            "lineItem/BlendedCost": (flat["cost"], COST_SCALE), "pricing/publicOnDemandCost": (flat["public"],
                COST_SCALE),
            "savingsPlan/TotalCommitmentToDate": (flat["total"], COST_SCALE),
            "savingsPlan/UsedCommitment": (flat["used"], COST_SCALE),
            "savingsPlan/SavingsPlanEffectiveCost": (flat["plan"], COST_SCALE),
        },
        {
            "pricing/publicOnDemandCost": ~is_usage,
            "savingsPlan/TotalCommitmentToDate": types != "SavingsPlanRecurringFee",
            "savingsPlan/UsedCommitment": types != "SavingsPlanRecurringFee",
            "savingsPlan/SavingsPlanEffectiveCost": types != "SavingsPlanCoveredUsage",
        },
    )  # fmt: skip
    service = [r.component.service_id for r in fleet.resources] * 2
    service += ["platform", "platform", "fraud", *(a.service_id for a in accounts)]
    has_tag = np.zeros(total, dtype=bool)
    has_tag[:count] = tagged
    has_tag[count : 2 * count] = tagged
    return Bill(AWS, index, lines, flat["ready"], flat["late"] > 0, service, has_tag, flat["cost"], flat["effective"])


def _resource_texts(
    fleet: Fleet, covered: np.ndarray, tagged: np.ndarray, moved: bool, month: str
) -> dict[str, list[str | None]]:
    """The constant columns of usage and, after them, of negation rows."""
    rows: dict[str, list[str | None]] = {}
    zone, (region, location) = "abc", REGION[AWS]
    for negation in (False, True):
        for n, resource in enumerate(fleet.resources):
            part, sku = resource.component, SKUS[resource.component.sku]
            code = digest("sku", sku.code).upper()
            kind = "SavingsPlanNegation" if negation else "SavingsPlanCoveredUsage" if covered[n] else "Usage"
            rate = spell(int(fleet.unit_price[n]), PRICE_SCALE)
            tags = tags_of(part.service_id, part.environment, moved, resource.tenant) if tagged[n] else {}
            machine = sku.machine[0] > 0
            values = {
                "identity/LineItemId": digest("line", resource.key, negation) + digest(kind)[:20],
                "lineItem/UsageAccountId": ACCOUNT[part.account].account_id, "lineItem/LineItemType": kind,
                "lineItem/ProductCode": sku.product_code, "lineItem/UsageType": sku.code,
                "lineItem/Operation": sku.operation,
                "lineItem/AvailabilityZone": f"{region}{zone[n % 3]}" if machine else "",
                "lineItem/ResourceId": "" if negation else fleet.id_in(resource, month),
                "lineItem/UnblendedRate": ("-" if negation else "") + rate,
                "lineItem/BlendedRate": ("-" if negation else "") + rate,
                "lineItem/LineItemDescription":
                    f"SavingsPlanNegation used by AccountId : {ACCOUNT[part.account].account_id}"
                    f" and UsageSku : {code[:16]}"
                    if negation else f"${sku.price} per {sku.unit} {sku.service} ({sku.code})",
                "lineItem/TaxType": "", "product/ProductName": sku.service,
                "product/instanceType": sku.code.split(":")[-1] if machine else "", "product/location": location,
                "product/memory": f"{sku.machine[1]} GiB" if machine else "", "product/productFamily": sku.family,
                "product/region": region, "product/servicecode": sku.product_code, "product/sku": code[:16],
                "product/vcpu": str(sku.machine[0]) if machine else "",
                "pricing/RateCode": f"{code[:16]}.JRTCKXETXF.6YS6EN2CT7",
                "pricing/RateId": str(int(code[:9], 16)), "pricing/publicOnDemandRate": "" if negation else sku.price,
                "pricing/term": "OnDemand",
                "pricing/unit": sku.unit,
                "savingsPlan/SavingsPlanARN": _PLAN if kind == "SavingsPlanCoveredUsage" else "",
                "savingsPlan/SavingsPlanRate": spell(int(fleet.unit_price[n]) * PLAN_PERCENT // 100, PRICE_SCALE)
                    if kind == "SavingsPlanCoveredUsage" else "",
                "savingsPlan/RecurringCommitmentForBillingPeriod": "",
                **{f"resourceTags/user:{tag}": tags.get(tag, "") for tag in TAGS},
            }  # fmt: skip
            for name, value in values.items():
                rows.setdefault(name, []).append(value)
    return rows


def _add_extra_kinds(texts: dict[str, list[str | None]], index: int, accounts: list, taxed: list[str]) -> None:
    """Append the savings plan's fee, the support fee, a credit and one tax line an account."""
    common = {name: values[0] for name, values in texts.items() if name.startswith("bill/")}
    common |= {"lineItem/CurrencyCode": "USD", "lineItem/LegalEntity": _ISSUER, "pricing/currency": "USD"}
    extras = [
        {"lineItem/LineItemType": "SavingsPlanRecurringFee", "lineItem/ProductCode": "ComputeSavingsPlans",
         "lineItem/UsageType": "ComputeSP:3yrNoUpfront", "lineItem/ResourceId": _PLAN,
         "savingsPlan/SavingsPlanARN": _PLAN,
         "lineItem/LineItemDescription": "3 year No Upfront Compute Savings Plan", "lineItem/UsageAccountId": AWS_PAYER,
         "product/ProductName": "Savings Plans for AWS Compute usage", "pricing/unit": "Hrs"},
        {"lineItem/LineItemType": "Usage", "lineItem/ProductCode": "AWSSupportBusiness", "lineItem/UsageType": "Dollar",
         "lineItem/UnblendedRate": SUPPORT_RATE, "lineItem/BlendedRate": SUPPORT_RATE, "pricing/term": "OnDemand",
         "pricing/publicOnDemandRate": SUPPORT_RATE, "pricing/unit": "Dollar", "product/sku": "MR37TMYXYFSXFM3A",
         "product/servicecode": "AWSSupportBusiness", "product/productFamily": "AWS Support",
         "pricing/RateCode": "MR37TMYXYFSXFM3A.JRTCKXETXF.6YS6EN2CT7", "pricing/RateId": "81520011",
         "lineItem/LineItemDescription": "AWS Business Support", "lineItem/UsageAccountId": AWS_PAYER,
         "product/ProductName": "AWS Support (Business)"},
        {"lineItem/LineItemType": "Credit", "lineItem/ProductCode": "AmazonSageMaker", "lineItem/UsageType": "",
         "lineItem/LineItemDescription": "Migration Acceleration Program credit",
         "lineItem/UsageAccountId": ACCOUNT["nordbank-fraud-prod"].account_id,
         "product/ProductName": "Amazon SageMaker"},
        *({"lineItem/LineItemType": "Tax", "lineItem/ProductCode": "AWSSupportBusiness", "lineItem/TaxType": "VAT",
           "lineItem/LineItemDescription": "VAT for product code AWSSupportBusiness",
           "lineItem/UsageAccountId": account,
           "product/ProductName": "AWS Support (Business)"} for account in taxed),
    ]  # fmt: skip
    for number, extra in enumerate(extras):
        values = {**common, **extra, "identity/LineItemId": digest("extra", index, number) + digest(number)[:20]}
        for name, column in texts.items():
            column.append(values.get(name, ""))
