"""AWS Cost and Usage Report, legacy and 2.0, to FOCUS 1.2, rule by rule.

Sources: AWS "Data dictionary" of the Cost and Usage Report (line item, pricing, reservation and savings plan
details); AWS "FOCUS 1.2 with AWS columns" for what each FOCUS column holds; the amortised cost query of the
AWS Well-Architected Labs (CUR query library, ``amortized_cost_by_charge_type.sql``) for EffectiveCost; FOCUS 1.2
for allowed values.

BilledCost is UnblendedCost on every line, so the sum equals the report's to the last decimal. That has a
consequence for savings plans: covered usage is billed at its on-demand price and taken back by a negation line.
Both are Usage here, so together they add nothing; AWS' own FOCUS export leaves the negation lines out and sets
the covered line's BilledCost to 0, which gives the same total.

Version 2.0 has the same columns with underscores, and maps (``product``, ``resource_tags``, ``discount``,
``cost_category``), as JSON text in CSV. Source: AWS Data Exports, "Cost and Usage Report 2.0 table dictionary". Where
it has the ``discount`` map, discounts have no lines of their own ("discount columns"), so a line is billed at its net
cost, if it has one. In a report with discount lines these are charges below zero, and the unblended costs add up. Of
its two maps of tags, ``tags`` holds what ``resource_tags`` does with the keys as they were set, and the tags of
accounts, users and principals behind ``accountTag/``, ``userAttribute/``, ``iamPrincipal/``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from finops_kit.fields import MONEY, QUANTITY, TIME
from finops_kit.normalize.aws_services import category_sql, name_sql
from finops_kit.normalize.plan import Header, Plan, Rule
from finops_kit.normalize.prices import times
from finops_kit.sources.formats import CUR_NEEDS, canonical
from finops_kit.sources.nested import whole_columns

#: columns that are read as numbers or times; every other one is text
_TYPED = {
    "lineItem/UnblendedCost": MONEY, "lineItem/UnblendedRate": MONEY, "lineItem/UsageAmount": QUANTITY,
    "lineItem/NormalizedUsageAmount": QUANTITY, "pricing/publicOnDemandCost": MONEY,
    "pricing/publicOnDemandRate": MONEY, "savingsPlan/SavingsPlanEffectiveCost": MONEY,
    "savingsPlan/TotalCommitmentToDate": MONEY, "savingsPlan/UsedCommitment": MONEY,
    "reservation/EffectiveCost": MONEY, "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod": MONEY,
    "reservation/UnusedRecurringFee": MONEY, "lineItem/UsageStartDate": TIME, "lineItem/UsageEndDate": TIME,
    "bill/BillingPeriodStartDate": TIME, "bill/BillingPeriodEndDate": TIME,
}  # fmt: skip
#: costs after discounts: looked at where discounts have no lines of their own, else every discount would count twice
_NET_COSTS = (
    "lineItem/NetUnblendedCost", "savingsPlan/NetSavingsPlanEffectiveCost", "reservation/NetEffectiveCost",
    "reservation/NetUnusedAmortizedUpfrontFeeForBillingPeriod", "reservation/NetUnusedRecurringFee",
    "savingsPlan/NetAmortizedUpfrontCommitmentForBillingPeriod",
)  # fmt: skip
_TYPED |= dict.fromkeys((*_NET_COSTS, "savingsPlan/AmortizedUpfrontCommitmentForBillingPeriod"), MONEY)
#: text columns that a FOCUS column takes over whole; they need no second place in x_Columns
_TAKEN_WHOLE = (
    "bill/InvoiceId", "bill/PayerAccountId", "lineItem/UsageAccountId", "lineItem/CurrencyCode",
    "lineItem/LineItemDescription", "lineItem/ResourceId", "lineItem/AvailabilityZone", "product/sku",
    "lineItem/UsageStartDate", "lineItem/UsageAmount", "bill/BillingPeriodStartDate",
    "bill/BillingPeriodEndDate",
)  # fmt: skip
#: text columns that the rules below look at, and that x_Columns keeps as well
_LOOKED_AT = (
    "lineItem/LineItemType", "lineItem/ProductCode", "lineItem/UsageType", "lineItem/LegalEntity",
    "bill/InvoicingEntity", "bill/BillingEntity", "product/ProductName", "product/servicename", "product/servicecode",
    "product/productFamily", "product/instanceType", "product/region", "product/regionCode", "product/location",
    "product/locationType", "pricing/RateCode", "pricing/RateId", "savingsPlan/SavingsPlanARN",
    "reservation/ReservationARN", "reservation/SubscriptionId", "pricing/unit", "bill/PayerAccountName",
    "lineItem/UsageAccountName", "capacityReservation/CapacityReservationArn",
    "capacityReservation/CapacityReservationStatus",
)  # fmt: skip
_TAG = re.compile(r"^(?:resourceTags/|resource_tags_)(?P<scope>user[:_]|aws[:_])?(?P<key>.+)$", re.IGNORECASE)


def plan_aws_cur(header: Sequence[str], types: Sequence[str] | None = None) -> Plan:
    """The plan of one CUR file, slash or underscore headers, with or without resource ids.

    Example
    -------
    >>> plan = plan_aws_cur(["line_item_unblended_cost", "product_vcpu"])
    >>> plan.cost.raw, [key for key, _ in plan.extras]
    ('c0', ['product_vcpu'])
    """
    columns = Header(whole_columns(header, types))
    places = columns.places
    product = columns.given("product").text if "product" in places else ""
    maps = [name for name in ("tags", "resourcetags") if name in places]
    given_tags = [columns.given(name).text for name in maps]
    net = bool({"discount", "discounttotaldiscount"} & places.keys()) and canonical(_NET_NAME) in places
    needs = [name for name in CUR_NEEDS if not (net and name == "lineItem/UnblendedCost")]
    inputs = columns.inputs((*_TYPED, *_TAKEN_WHOLE, *_LOOKED_AT), _TYPED, needs, {})
    if not net:
        inputs |= {name: replace(inputs[name], raw="") for name in _NET_COSTS}
    for name, given in inputs.items():
        if product and name.startswith("product/") and name != "product/sku":
            texts = [*([given.text] if given.raw else []), _of_map(product, name)]
            inputs[name] = replace(given, raw=f"coalesce({', '.join(texts)})", engine_type="TEXT")
    whole = {inputs[name].raw for name in (*_TAKEN_WHOLE, _NET_NAME if net else "lineItem/UnblendedCost")}
    extras, tags = [], []
    for column, (shown, text) in zip(columns.columns, columns.rest(()), strict=True):
        tag = _TAG.match(column.name)
        if maps and canonical(column.name) == maps[0]:
            continue
        if tag:
            scope = (tag["scope"] or "").lower().replace("_", ":")
            tags.append(((f"aws:{tag['key']}" if scope == "aws:" else tag["key"]).strip(), text))
        elif column.sql not in whole:
            extras.append((shown, text))
    return Plan(
        "charge", "aws-cur", tuple(inputs.values()), _outputs(tags, given_tags), tuple(extras),
        steps=({" billed": f"coalesce({_NET}, {_UNBLENDED})", " net share": _NET_SHARE}, {" unused cost": UNUSED_COST}),
        rules=(Rule(_NET_NAME, f"{_BILLED} IS NULL", "neither a net nor an unblended cost"),) if net else (),
        cost=inputs[_NET_NAME if net else "lineItem/UnblendedCost"],
        cost_else=inputs["lineItem/UnblendedCost"] if net else None, currency=inputs["lineItem/CurrencyCode"],
        remark=_NET_ALONE if maps and not net and canonical(_NET_NAME) in places else "",
    )  # fmt: skip


#: said of a 2.0 report of chosen columns; legacy reports always have lines of discounts beside net costs
_NET_ALONE = (
    "net costs without the column discount: BilledCost is the unblended cost, which leaves discounts out unless they "
    "have lines of their own; export discount_total_discount as well"
)
_TYPE = '"lineItem/LineItemType"'
_NET_NAME = "lineItem/NetUnblendedCost"
_NET, _UNBLENDED = f'"{_NET_NAME}"', '"lineItem/UnblendedCost"'
#: the net cost where discounts stand in a column of their own, else the unblended one
_BILLED = '" billed"'
_LIST = '"pricing/publicOnDemandCost"'
_PLAN_ID = '"savingsPlan/SavingsPlanARN"'
_RESERVATION = '"reservation/ReservationARN"'
_COVERED = f"{_TYPE} IN ('SavingsPlanCoveredUsage', 'DiscountedUsage')"
_COMMITMENT_FEE = (
    f"({_TYPE} IN ('SavingsPlanRecurringFee', 'SavingsPlanUpfrontFee', 'RIFee') "
    f"OR ({_TYPE} = 'Fee' AND {_RESERVATION} IS NOT NULL))"
)
_NET_PLAN = '"savingsPlan/NetSavingsPlanEffectiveCost", '
_NET_RESERVED = '"reservation/NetEffectiveCost", '
_NEGATION = f"{_TYPE} = 'SavingsPlanNegation'"
_ZERO = f"CAST(0 AS {MONEY})"

#: What discounts leave of a savings plan's hour: of its fee, or of its upfront part where there is no other.
_NET_SHARE = f"""CASE WHEN {_TYPE} = 'SavingsPlanRecurringFee' AND {_NET} IS NOT NULL THEN CAST(coalesce(
    {_NET}::DOUBLE / nullif({_UNBLENDED}, 0)::DOUBLE,
    "savingsPlan/NetAmortizedUpfrontCommitmentForBillingPeriod"::DOUBLE
        / nullif("savingsPlan/AmortizedUpfrontCommitmentForBillingPeriod", 0)::DOUBLE, 1) AS DECIMAL(19, 12)) END"""
_UNUSED_HOUR = '"savingsPlan/TotalCommitmentToDate" - "savingsPlan/UsedCommitment"'
#: What a recurring fee paid for and nobody used: the hour's commitment less its use, a reservation's unused fees; after
#: discounts where covered usage is (AWS has net columns for reservations, and the share is taken for savings plans).
UNUSED_COST = f"""CASE
    WHEN {_TYPE} = 'SavingsPlanRecurringFee' AND " net share" IS NOT NULL
    THEN coalesce({times(_UNUSED_HOUR, '" net share"')}, {_ZERO})
    WHEN {_TYPE} = 'SavingsPlanRecurringFee' THEN coalesce({_UNUSED_HOUR}, {_ZERO})
    WHEN {_TYPE} = 'RIFee'
    THEN coalesce("reservation/NetUnusedAmortizedUpfrontFeeForBillingPeriod",
                  "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod", {_ZERO})
       + coalesce("reservation/NetUnusedRecurringFee", "reservation/UnusedRecurringFee", {_ZERO})
    ELSE {_ZERO} END"""
_LEFT = '" unused cost"'
_UNUSED = f"({_LEFT} <> 0)"

#: A fee that was not used up is FOCUS' unused commitment: Usage, CommitmentDiscountStatus Unused, EffectiveCost what
#: was not used (a Purchase may have no EffectiveCost, and unused cost must not be lost); one that was is a Purchase.
#: Usage: metered lines. Negation takes covered usage back, so it stands on the same side. Fee: marketplace, support
#: upfront and flat-rate fees are purchases. Refund: money back for an earlier charge that the line does not name.
CHARGE_CATEGORY = f"""CASE
    WHEN {_TYPE} IN ('Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage', 'SavingsPlanNegation') THEN 'Usage'
    WHEN {_UNUSED} THEN 'Usage'
    WHEN {_TYPE} IN ('Fee', 'RIFee', 'SavingsPlanUpfrontFee', 'SavingsPlanRecurringFee', 'FlatRateSubscription')
    THEN 'Purchase'
    WHEN {_TYPE} = 'Tax' THEN 'Tax'
    WHEN {_TYPE} = 'Credit' THEN 'Credit'
    ELSE 'Adjustment' END"""
_CATEGORY = f"({CHARGE_CATEGORY})"

#: Amortised cost: covered usage at its commitment rate; the fee of a commitment only by what was not used of it;
#: negation and upfront fees nothing; every other line what it was billed.
EFFECTIVE_COST = f"""CASE
    WHEN {_TYPE} = 'SavingsPlanCoveredUsage' THEN coalesce({_NET_PLAN}"savingsPlan/SavingsPlanEffectiveCost", {_ZERO})
    WHEN {_TYPE} = 'DiscountedUsage' THEN coalesce({_NET_RESERVED}"reservation/EffectiveCost", {_ZERO})
    WHEN {_UNUSED} THEN {_LEFT}
    WHEN {_NEGATION} OR {_COMMITMENT_FEE} THEN {_ZERO}
    ELSE {_BILLED} END"""

#: Before any discount. Negation takes back a billed amount, not a list price, which the covered line has already; a
#: discount is no part of a list price either. AWS writes 0 where it has no public price: for taxes, credits, fees, spot
#: and the marketplace (CUR user guide, "Pricing details"); a charge without one is listed as it is billed (FOCUS 1.2).
LIST_COST = f"""CASE WHEN {_NEGATION} OR {_TYPE} LIKE '%Discount' THEN {_ZERO}
    WHEN {_TYPE} IN ('Tax', 'Credit', 'Refund') THEN {_BILLED} ELSE coalesce(nullif({_LIST}, 0), {_BILLED}) END"""

#: After negotiated discounts, without commitments: a reservation's covered line is billed 0, so its list price stands.
CONTRACTED_COST = f"""CASE WHEN {_NEGATION} THEN {_ZERO}
    WHEN {_TYPE} = 'DiscountedUsage' THEN coalesce({_LIST}, {_BILLED})
    ELSE {_BILLED} END"""

CHARGE_FREQUENCY = f"""CASE WHEN {_CATEGORY} = 'Usage' THEN 'Usage-Based'
    WHEN {_TYPE} IN ('RIFee', 'SavingsPlanRecurringFee', 'FlatRateSubscription') THEN 'Recurring' ELSE 'One-Time' END"""

PRICING_CATEGORY = f"""CASE WHEN {_COVERED} OR {_UNUSED} THEN 'Committed'
    WHEN {_CATEGORY} = 'Usage' AND contains("lineItem/UsageType", 'SpotUsage') THEN 'Dynamic'
    WHEN {_CATEGORY} IN ('Usage', 'Purchase') THEN 'Standard' END"""

#: The end of a fee's period is written as its last second; FOCUS wants the first moment after it.
CHARGE_PERIOD_END = """CASE WHEN second("lineItem/UsageEndDate") = 59
    THEN "lineItem/UsageEndDate" + INTERVAL 1 SECOND ELSE "lineItem/UsageEndDate" END"""

#: FOCUS' UnitFormat: hours and months by their names, plural behind a hyphen; x_Columns keeps AWS' own spelling.
PRICING_UNIT = r"""CASE WHEN "pricing/unit" IS NULL THEN 'Units' ELSE
    regexp_replace(regexp_replace(regexp_replace(regexp_replace("pricing/unit",
        '(^|-)(?:Hrs|hrs|Hr|Hour|hour|hours)$', '\1Hours'), '(^|-)(?:Mo|mo|Month|month|months)$', '\1Months'),
        '(^|-)(?:Second|second|seconds|secs)$', '\1Seconds'), '^([A-Za-z0-9]+)-([A-Za-z0-9]+)-', '\1 \2-') END"""

#: AWS bills what is sold on its marketplace. A subsidiary of AWS bills for AWS: FOCUS takes an issuer that differs
#: from the provider for a third party.
INVOICE_ISSUER = """CASE WHEN "bill/InvoicingEntity" IS NULL AND "bill/BillingEntity" = 'AWS Marketplace' THEN 'AWS'
    WHEN regexp_matches(lower(coalesce("bill/InvoicingEntity", "lineItem/LegalEntity", 'aws')),
    '^(amazon|aws)') THEN 'AWS' ELSE coalesce("bill/InvoicingEntity", "lineItem/LegalEntity") END"""

_COMMITTED = f"({_COVERED} OR {_COMMITMENT_FEE})"
_SAVINGS_PLAN = f"({_COMMITTED} AND {_PLAN_ID} IS NOT NULL)"
_RESERVED = (
    f'({_COMMITTED} AND {_PLAN_ID} IS NULL AND coalesce({_RESERVATION}, "reservation/SubscriptionId") IS NOT NULL)'
)
_REGION = """coalesce("product/regionCode", "product/region",
    regexp_extract("lineItem/AvailabilityZone", '^([a-z]{2}(?:-[a-z]+)+-[0-9]+)[a-z]$', 1))"""
_SERVICE = name_sql(
    '"lineItem/ProductCode"', '"product/productFamily"',
    'coalesce("product/ProductName", "product/servicename", "lineItem/ProductCode")',
)  # fmt: skip
_CAPACITY = '"capacityReservation/CapacityReservationArn"'
#: FOCUS knows used and unused capacity; AWS says `Reserved` of what is only reserved, and `Cancelled` of what was given
#: back before its time and is paid unused.
CAPACITY_STATUS = f"""CASE WHEN {_CAPACITY} IS NOT NULL AND {_CATEGORY} = 'Usage' THEN
    CASE "capacityReservation/CapacityReservationStatus" WHEN 'Used' THEN 'Used'
        WHEN 'Unused' THEN 'Unused' WHEN 'Cancelled' THEN 'Unused' END END"""
_METERED = f"({_CATEGORY} IN ('Usage', 'Purchase') AND \"lineItem/UsageAmount\" IS NOT NULL)"


def _outputs(tags: list[tuple[str, str]], given_tags: Sequence[str] = ()) -> dict[str, str]:
    """FOCUS column to SQL over the CUR's columns."""
    code, family = '"lineItem/ProductCode"', '"product/productFamily"'
    pairs = ", ".join("{'k': '" + key.replace("'", "''") + f"', 'v': {text}}}" for key, text in _first_of_each(tags))
    unit = PRICING_UNIT
    return {
        "AvailabilityZone": '"lineItem/AvailabilityZone"',
        "BilledCost": _BILLED,
        "BillingAccountId": '"bill/PayerAccountId"',
        "BillingAccountName": '"bill/PayerAccountName"',
        "BillingAccountType": "'Payer Account'",
        "BillingCurrency": 'trim("lineItem/CurrencyCode")',
        "BillingPeriodStart": '"bill/BillingPeriodStartDate"',
        "BillingPeriodEnd": '"bill/BillingPeriodEndDate"',
        "CapacityReservationId": _CAPACITY,
        "CapacityReservationStatus": CAPACITY_STATUS,
        "ChargeCategory": CHARGE_CATEGORY,
        "ChargeClass": f"CASE WHEN {_TYPE} = 'Refund' THEN 'Correction' END",
        "ChargeDescription": 'coalesce("lineItem/LineItemDescription", "lineItem/UsageType", "lineItem/LineItemType")',
        "ChargeFrequency": CHARGE_FREQUENCY,
        "ChargePeriodStart": '"lineItem/UsageStartDate"',
        "ChargePeriodEnd": CHARGE_PERIOD_END,
        "CommitmentDiscountCategory": f"CASE WHEN {_SAVINGS_PLAN} THEN 'Spend' WHEN {_RESERVED} THEN 'Usage' END",
        "CommitmentDiscountId": f"CASE WHEN {_SAVINGS_PLAN} THEN {_PLAN_ID} "
        f'WHEN {_RESERVED} THEN coalesce({_RESERVATION}, "reservation/SubscriptionId") END',
        "CommitmentDiscountQuantity": f"CASE WHEN {_SAVINGS_PLAN} AND {_COVERED} "
        f'THEN "savingsPlan/SavingsPlanEffectiveCost"::{QUANTITY} '
        f"WHEN {_SAVINGS_PLAN} AND {_UNUSED} THEN {_LEFT}::{QUANTITY} "
        f"WHEN {_SAVINGS_PLAN} THEN {_BILLED}::{QUANTITY} "
        f'WHEN {_RESERVED} THEN coalesce("lineItem/NormalizedUsageAmount", "lineItem/UsageAmount") END',
        "CommitmentDiscountStatus": f"CASE WHEN NOT ({_SAVINGS_PLAN} OR {_RESERVED}) THEN NULL "
        f"WHEN {_COVERED} THEN 'Used' WHEN {_UNUSED} THEN 'Unused' END",
        "CommitmentDiscountType": f"CASE WHEN {_SAVINGS_PLAN} THEN 'Savings Plan' "
        f"WHEN {_RESERVED} THEN 'Reserved Instance' END",
        "CommitmentDiscountUnit": f'CASE WHEN {_SAVINGS_PLAN} THEN "lineItem/CurrencyCode" '
        f'WHEN {_RESERVED} THEN CASE WHEN "lineItem/NormalizedUsageAmount" IS NOT NULL '
        f"THEN 'Normalized Units' ELSE {unit} END END",
        "ConsumedQuantity": f"CASE WHEN {_CATEGORY} = 'Usage' AND NOT {_UNUSED} THEN \"lineItem/UsageAmount\" END",
        "ConsumedUnit": f"CASE WHEN {_CATEGORY} = 'Usage' AND NOT {_UNUSED} "
        f'AND "lineItem/UsageAmount" IS NOT NULL THEN {unit} END',
        "ContractedCost": CONTRACTED_COST,
        "ContractedUnitPrice": f"CASE WHEN {_METERED} THEN coalesce(CASE WHEN {_TYPE} = 'DiscountedUsage' "
        'THEN "pricing/publicOnDemandRate" END, "lineItem/UnblendedRate") END',
        "EffectiveCost": EFFECTIVE_COST,
        "InvoiceId": '"bill/InvoiceId"',
        "InvoiceIssuerName": INVOICE_ISSUER,
        "ListCost": LIST_COST,
        "ListUnitPrice": f"CASE WHEN {_METERED} AND NOT (coalesce({_LIST}, 0) = 0 AND {_BILLED} <> 0) "
        'THEN "pricing/publicOnDemandRate" END',
        "PricingCategory": PRICING_CATEGORY,
        "PricingCurrency": 'trim("lineItem/CurrencyCode")',
        "PricingQuantity": f'CASE WHEN {_METERED} THEN "lineItem/UsageAmount" END',
        "PricingUnit": f"CASE WHEN {_METERED} THEN {unit} END",
        "ProviderName": "'AWS'",
        "PublisherName": "CASE WHEN \"bill/BillingEntity\" = 'AWS Marketplace' "
        "THEN coalesce(\"lineItem/LegalEntity\", 'AWS Marketplace') ELSE 'AWS' END",
        "RegionId": f"nullif({_REGION}, '')",
        "RegionName": f"CASE WHEN nullif({_REGION}, '') IS NOT NULL THEN coalesce(\"product/location\", {_REGION}) END",
        "ResourceId": '"lineItem/ResourceId"',
        "ResourceName": """nullif(regexp_extract("lineItem/ResourceId", '([^/:]+)$', 1), '')""",
        "ResourceType": f'CASE WHEN "lineItem/ResourceId" IS NOT NULL THEN coalesce({family}, {_SERVICE}) END',
        "ServiceCategory": category_sql(code, family, 0),
        "ServiceName": _SERVICE,
        "ServiceSubcategory": category_sql(code, family, 1),
        "SkuId": '"product/sku"',
        "SkuMeter": '"lineItem/UsageType"',
        "SkuPriceId": 'coalesce("pricing/RateCode", "pricing/RateId")',
        "SubAccountId": '"lineItem/UsageAccountId"',
        "SubAccountName": 'CASE WHEN "lineItem/UsageAccountId" IS NOT NULL THEN "lineItem/UsageAccountName" END',
        "SubAccountType": "CASE WHEN \"lineItem/UsageAccountId\" IS NOT NULL THEN 'Account' END",
        "Tags": _tags_of_map(given_tags, pairs)
        if given_tags
        else f"map_from_entries(list_filter([{pairs}], lambda e: e.v IS NOT NULL))"
        if pairs
        else "MAP {}",
    }


def _first_of_each(tags: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """One expression per key: columns whose keys differ in blanks only give the first that is set."""
    found: dict[str, list[str]] = {}
    for key, text in tags:
        found.setdefault(key, []).append(text)
    return [(key, texts[0] if len(texts) == 1 else f"coalesce({', '.join(texts)})") for key, texts in found.items()]


def _of_map(text: str, name: str) -> str:
    """The value of ``product/regionCode`` in the map of products, whose keys are written ``region_code``."""
    key = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.partition("/")[2]).lower()
    return f"nullif(json_extract_string(CASE WHEN json_valid({text}) THEN {text} END, '$.{key}'), '')"


def _tags_of_map(texts: Sequence[str], pairs: str) -> str:
    """Tags from the first map of a 2.0 report that a row has, and from columns beside it.

    Keys of the user and of AWS begin with ``user_`` and ``aws_``, or with ``resourceTags/user:``.
    """
    bare = "regexp_replace(regexp_replace(e.key, '^(resourceTags/)?user[_:]', ''), '^(resourceTags/)?aws[_:]', 'aws:')"
    text = texts[0] if len(texts) == 1 else f"coalesce({', '.join(texts)})"
    entries = f"list_transform(map_entries(tags_map({text})), lambda e: {{'k': {bare}, 'v': e.value}})"
    renamed = f"trimmed_map(TRY(map_from_entries({entries})))"
    beside = f"map_from_entries(list_filter([{pairs}], lambda e: e.v IS NOT NULL))" if pairs else "NULL"
    return f"coalesce(map_concat({beside}, {renamed}), {beside}, {renamed})" if pairs else renamed
