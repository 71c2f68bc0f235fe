"""Azure cost details (EA, MCA, pay-as-you-go), actual and amortised, to FOCUS 1.2, rule by rule.

Sources: Microsoft Learn, "Convert Cost Management data to FOCUS" (the mapping, column by column) and "Understand cost
details fields"; FOCUS 1.2 for allowed values. Where they differ from each other, FOCUS is followed and it is said here.

*Actual* costs are what is invoiced: BilledCost. *Amortised* costs spread commitments over their use: EffectiveCost.
Both are data sets of one period and are never added up: the actual one is delivered as ``charge`` and counts; the
amortised one is kept under its own source, ``azure-amortized``, as the data set ``charge_amortized``, from which
``store/amortised.py`` takes what the use of a commitment costs.

Units: Quantity stands in units of UnitOfMeasure (0.0129 of "10K" at 0.004379 is 0.0000565), so it is PricingQuantity
as it is, in "10000 Units" as FOCUS writes "10K". Microsoft's page divides it by the block size once more, which makes
its sample miss by a factor of 10,000.
"""

from __future__ import annotations

from collections.abc import Sequence

from finops_kit.fields import MONEY, QUANTITY, TAGS, TIME
from finops_kit.normalize.azure_services import category_sql, region_sql
from finops_kit.normalize.plan import Header, Plan, Rule
from finops_kit.normalize.prices import times
from finops_kit.normalize.units import azure_unit_sql
from finops_kit.sources.azure import ACTUAL, AMORTIZED, NAMES, NEEDS, find_columns
from finops_kit.sources.nested import whole_columns

#: M/D/YYYY as Azure writes it, unpadded or not; D.M.YYYY as German portals do; else ISO 8601
_DATE = """CASE WHEN regexp_full_match(trim({}), '[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}( .*)?')
    THEN TRY_CAST(try_strptime(split_part(trim({}), ' ', 1), '%m/%d/%Y') AS TIMESTAMPTZ)
    WHEN regexp_full_match(trim({}), '[0-9]{1,2}/[0-9]{1,2}/[0-9]{2}')
    THEN TRY_CAST(try_strptime(trim({}), '%m/%d/%y') AS TIMESTAMPTZ)
    WHEN regexp_full_match(trim({}), '[0-9]{1,2}[.][0-9]{1,2}[.][0-9]{4}')
    THEN TRY_CAST(try_strptime(trim({}), '%d.%m.%Y') AS TIMESTAMPTZ)
    WHEN regexp_full_match(trim({}), '[0-9]{8}') THEN TRY_CAST(try_strptime(trim({}), '%Y%m%d') AS TIMESTAMPTZ)
    ELSE TRY_CAST(trim({}) AS TIMESTAMPTZ) END"""
_TIME = (
    f"CASE WHEN ({_DATE}) BETWEEN TIMESTAMPTZ '1970-01-02 00:00:00+00' AND TIMESTAMPTZ '2200-01-01 00:00:00+00' "
    f"THEN {_DATE} END"
)
_KINDS = {
    **dict.fromkeys(("Date", "PeriodStart", "PeriodEnd"), TIME), "Quantity": QUANTITY, "Tags": TAGS,
    **dict.fromkeys(("Cost", "EffectivePrice", "UnitPrice", "PayGPrice", "PaygCost", "CostInPricingCurrency",
                     "ExchangeRate"), MONEY),
}  # fmt: skip
#: text columns that a FOCUS column takes over whole; they need no second place in x_Columns
_TAKEN_WHOLE = (
    "Date", "Cost", "Currency", "SubscriptionId", "SubscriptionName", "MeterName", "PeriodStart", "Quantity",
    "ResourceId", "InvoiceId",
)  # fmt: skip

#: names that the rules use; a leading blank sets them apart from columns
_TYPE, _MODEL, _BENEFIT, _CATEGORY = '" type"', '" model"', '" benefit"', '" category"'
_UNUSED, _FEE, _COVERED, _METERED = '" unused"', '" fee"', '" covered"', '" metered"'
_UNIT_PRICE, _LIST_PRICE = '" unit price"', '" list price"'
_RATE, _UNIT, _MEASURE = '" rate"', '" unit"', '"UnitOfMeasure"'
#: what a row is; usage is covered by a commitment, too, where an older file names the reservation and no pricing model
_KIND = {
    "unused": f"{_TYPE} IN ('unusedreservation', 'unusedsavingsplan')",
    "fee": f"{_TYPE} IN ('purchase', 'refund') AND {_MODEL} IN ('reservation', 'savingsplan')",
    "covered": f"{_TYPE} = 'usage' AND ({_MODEL} IN ('reservation', 'savingsplan') "
    f"OR ({_MODEL} = '' AND {_BENEFIT} IS NOT NULL))",
}
_COMMITMENT = f"({_UNUSED} OR {_FEE} OR {_COVERED})"
_PLAN = (
    f"(contains(lower(coalesce({_BENEFIT}, '')), 'microsoft.billingbenefits') OR {_MODEL} = 'savingsplan' "
    f"OR {_TYPE} = 'unusedsavingsplan')"
)
_ZERO = f"CAST(0 AS {MONEY})"

#: Usage, Purchase, Credit and Tax by name; unused commitments are Usage; a refund is a Purchase that corrects one;
#: RoundingAdjustment and what else there may be are Adjustment.
CHARGE_CATEGORY = f"""CASE WHEN {_TYPE} = 'usage' OR {_UNUSED} THEN 'Usage'
    WHEN {_TYPE} IN ('purchase', 'refund') THEN 'Purchase'
    WHEN {_TYPE} = 'credit' THEN 'Credit' WHEN {_TYPE} = 'tax' THEN 'Tax' ELSE 'Adjustment' END"""

#: Actual: the cost. Amortised: nothing for what a commitment paid for, which its purchase was billed for.
BILLED_COST = {ACTUAL: '"Cost"', AMORTIZED: f'CASE WHEN {_COVERED} OR {_UNUSED} THEN {_ZERO} ELSE "Cost" END'}

#: Actual: a commitment's fee has no EffectiveCost, which lies in its use - in the amortised data set, not here.
EFFECTIVE_COST = {ACTUAL: f'CASE WHEN {_FEE} THEN {_ZERO} ELSE "Cost" END', AMORTIZED: '"Cost"'}

#: A Purchase may not be Usage-Based (FOCUS), as a refund of usage would be.
CHARGE_FREQUENCY = f"""CASE CASE WHEN {_CATEGORY} = 'Purchase' AND lower("Frequency") LIKE 'usage%' THEN 'onetime'
        ELSE replace(lower("Frequency"), '-', '') END
    WHEN 'onetime' THEN 'One-Time' WHEN 'recurring' THEN 'Recurring' WHEN 'monthly' THEN 'Recurring'
    WHEN 'usagebased' THEN 'Usage-Based'
    ELSE CASE WHEN {_CATEGORY} = 'Usage' THEN 'Usage-Based' ELSE 'One-Time' END END"""

#: The purchase of a commitment is at the price of the price sheet: Standard by FOCUS, though Microsoft's page has it
#: as Committed.
PRICING_CATEGORY = f"""CASE WHEN {_COVERED} OR {_UNUSED} THEN 'Committed'
    WHEN {_CATEGORY} = 'Usage' AND {_MODEL} = 'spot' THEN 'Dynamic'
    WHEN {_CATEGORY} IN ('Usage', 'Purchase') THEN 'Standard' END"""

_PERIOD_START = 'coalesce("PeriodStart", date_trunc(\'month\', "Date"))'
#: The period's end is written as its last day; FOCUS wants the first moment after it. A file without periods is
#: billed by the month.
_PERIOD_END = """CASE WHEN "PeriodEnd" IS NULL OR "PeriodStart" IS NULL
    THEN date_trunc('month', coalesce("PeriodStart", "Date")) + INTERVAL 1 MONTH
    WHEN day("PeriodEnd") = 1 AND "PeriodEnd" > "PeriodStart" THEN "PeriodEnd"
    ELSE date_trunc('day', "PeriodEnd") + INTERVAL 1 DAY END"""

_ACCOUNT = 'coalesce("BillingProfileId", "BillingAccountId", "SubscriptionId")'
#: purchases and Marketplace may have no category, or one that is called "Unassigned" (Microsoft Learn)
_METERS = 'CASE WHEN lower("MeterCategory") <> \'unassigned\' THEN "MeterCategory" END'
_SERVICE = f'coalesce({_METERS}, "ProductOrderName", "ConsumedService", "PublisherName", \'Azure\')'
_TYPE_OF = "lower(regexp_extract(\"ResourceId\", '(?i)/providers/([^/]+/[^/]+)(?:/[^/]*)?$', 1))"
_INFO = 'CASE WHEN json_valid("AdditionalInfo") THEN "AdditionalInfo" END'
_CAPACITY = f"nullif(json_extract_string({_INFO}, '$.VMCapacityReservationId'), '')"
_FOREIGN = '"PricingCurrency" IS NOT NULL'


#: values between the columns and FOCUS, step by step; a price of zero, and a cost at it, is one that the file does not
#: know: PayGPrice is said of first-party usage on demand only (Microsoft Learn, "Ingest cost details data")
_STEPS: tuple[dict[str, str], ...] = (
    {
        " type": "replace(lower(coalesce(\"ChargeType\", 'usage')), ' ', '')",
        " model": "replace(lower(coalesce(\"PricingModel\", '')), ' ', '')",
        " benefit": 'coalesce("BenefitId", "ReservationId")',
        " unit": f"coalesce({azure_unit_sql(_MEASURE)}, 'Units')",
        " rate": 'CASE WHEN "PricingCurrency" IS NULL OR "PricingCurrency" = "Currency" THEN 1 ELSE "ExchangeRate" END',
    },
    {f" {name}": sql for name, sql in _KIND.items()},
    {" category": CHARGE_CATEGORY},
    {" metered": f"{_CATEGORY} IN ('Usage', 'Purchase') AND \"Quantity\" IS NOT NULL"},
    {
        " list price": f"CASE WHEN {_METERED} THEN " + times('nullif("PayGPrice", 0)', _RATE) + " END",
        " agreed price": f'CASE WHEN {_METERED} THEN coalesce(nullif("UnitPrice", 0), '
        f'CASE WHEN NOT {_COVERED} THEN nullif("EffectivePrice", 0) END) END',
    },
    {" unit price": times('" agreed price"', _RATE)},
    {" list cost": times(_LIST_PRICE, '"Quantity"'), " contracted cost": times(_UNIT_PRICE, '"Quantity"')},
)


def plan_azure(known: str, header: Sequence[str], types: Sequence[str] | None = None, remark: str = "") -> Plan:
    """The plan of one file of Azure cost details.

    Parameters
    ----------
    known : ``azure-actual`` or ``azure-amortized``
    header, types : the columns as they stand in the file; no types for delimited text
    remark : how the data set was recognised, for the report

    Example
    -------
    >>> plan_azure("azure-amortized", ["Datum", "Cost", "BillingCurrency"]).dataset
    'charge_amortized'
    """
    columns = Header(whole_columns(header, types), find_columns(header))
    needs = [name for name in NEEDS if name != "SubscriptionId"]
    inputs = columns.inputs(NAMES, _KINDS, needs, {TIME: _TIME})
    extras = columns.rest({inputs[name].raw for name in (*_TAKEN_WHOLE, "Tags")})
    unread = (("Tags", f'CASE WHEN "Tags" IS NULL THEN {inputs["Tags"].text} END'),) if inputs["Tags"].raw else ()
    amortized = known == AMORTIZED
    foreign = ("the actual costs", _FEE) if amortized else ("the amortised costs", _UNUSED)
    return Plan(
        "charge", "azure-amortized" if amortized else "azure", tuple(inputs.values()), _outputs(known), extras,
        unread, steps=_STEPS,
        rules=(Rule("ChargeType", foreign[1], f"a row of {foreign[0]}, which are another data set"),),
        cost=inputs["Cost"], currency=inputs["Currency"],
        controlled="EffectiveCost" if amortized else "BilledCost",
        dataset="charge_amortized" if amortized else "charge",
        remark=remark + ("; kept apart, and never added to the actual costs" if amortized and remark else ""),
    )  # fmt: skip


def _outputs(known: str) -> dict[str, str]:
    """FOCUS column to SQL over the file's columns."""
    effective = EFFECTIVE_COST[known]
    quantity = f'CASE WHEN {_METERED} THEN "Quantity" END'
    unit = f"CASE WHEN {_METERED} THEN {_UNIT} END"
    used = f"({_CATEGORY} = 'Usage' AND NOT {_UNUSED} AND \"Quantity\" IS NOT NULL)"
    return {
        "BilledCost": BILLED_COST[known],
        "BillingAccountId": _ACCOUNT,
        "BillingAccountName": 'coalesce("BillingProfileName", "BillingAccountName")',
        "BillingAccountType": 'CASE WHEN "BillingProfileId" <> "BillingAccountId" THEN \'Billing Profile\' '
        'WHEN coalesce("BillingProfileId", "BillingAccountId") IS NULL THEN \'Subscription\' '
        "ELSE 'Billing Account' END",
        "BillingCurrency": 'upper(trim("Currency"))',
        "BillingPeriodStart": _PERIOD_START,
        "BillingPeriodEnd": _PERIOD_END,
        "CapacityReservationId": _CAPACITY,
        "CapacityReservationStatus": f"CASE WHEN {_CAPACITY} IS NOT NULL AND {_CATEGORY} = 'Usage' THEN "
        "CASE WHEN contains(lower(\"ResourceId\"), '/capacityreservationgroups/') THEN 'Unused' ELSE 'Used' END END",
        "ChargeCategory": CHARGE_CATEGORY,
        "ChargeClass": f"CASE WHEN {_TYPE} = 'refund' THEN 'Correction' END",
        "ChargeDescription": 'coalesce("Product", "ProductOrderName", "MeterName")',
        "ChargeFrequency": CHARGE_FREQUENCY,
        "ChargePeriodStart": "date_trunc('day', \"Date\")",
        "ChargePeriodEnd": "date_trunc('day', \"Date\") + INTERVAL 1 DAY",
        "CommitmentDiscountCategory": _of_commitment("'Spend'", "'Usage'"),
        "CommitmentDiscountId": f"CASE WHEN {_COMMITMENT} THEN {_BENEFIT} END",
        "CommitmentDiscountName": f'CASE WHEN {_COMMITMENT} THEN coalesce("BenefitName", "ReservationName") END',
        "CommitmentDiscountQuantity": _of_commitment(f'"Cost"::{QUANTITY}', '"Quantity"'),
        "CommitmentDiscountStatus": f"CASE WHEN {_BENEFIT} IS NULL THEN NULL WHEN {_UNUSED} THEN 'Unused' "
        f"WHEN {_COVERED} THEN 'Used' END",
        "CommitmentDiscountType": _of_commitment("'Savings Plan'", "'Reservation'"),
        "CommitmentDiscountUnit": _of_commitment('"Currency"', _UNIT),
        "ConsumedQuantity": f'CASE WHEN {used} THEN "Quantity" END',
        "ConsumedUnit": f"CASE WHEN {used} THEN {_UNIT} END",
        "ContractedCost": 'coalesce(" contracted cost", "Cost")',
        "ContractedUnitPrice": _UNIT_PRICE,
        "EffectiveCost": effective,
        "InvoiceId": '"InvoiceId"',
        "InvoiceIssuerName": "coalesce(\"PartnerName\", 'Microsoft')",
        "ListCost": 'coalesce(nullif("PaygCost", 0), " list cost", " contracted cost", "Cost")',
        "ListUnitPrice": _LIST_PRICE,
        "PricingCategory": PRICING_CATEGORY,
        "PricingCurrency": 'coalesce("PricingCurrency", upper(trim("Currency")))',
        "PricingCurrencyContractedUnitPrice": f'CASE WHEN {_FOREIGN} AND {_METERED} THEN nullif("UnitPrice", 0) END',
        "PricingCurrencyEffectiveCost": f"CASE WHEN {_FOREIGN} THEN "
        + (f'CASE WHEN {_FEE} THEN {_ZERO} ELSE "CostInPricingCurrency" END END'),
        "PricingCurrencyListUnitPrice": f'CASE WHEN {_FOREIGN} AND {_METERED} THEN nullif("PayGPrice", 0) END',
        "PricingQuantity": quantity,
        "PricingUnit": unit,
        "ProviderName": "'Microsoft'",
        "PublisherName": "CASE WHEN lower(\"PublisherType\") = 'marketplace' "
        "THEN coalesce(\"PublisherName\", 'Marketplace') ELSE coalesce(\"PublisherName\", 'Microsoft') END",
        "RegionId": region_sql('coalesce("ResourceLocation", "Location")', shown=False),
        "RegionName": region_sql('coalesce("ResourceLocation", "Location")', shown=True),
        "ResourceId": '"ResourceId"',
        "ResourceName": "coalesce(\"ResourceName\", nullif(regexp_extract(\"ResourceId\", '([^/]+)/?$', 1), ''))",
        "ResourceType": f"CASE WHEN \"ResourceId\" IS NOT NULL THEN coalesce(nullif({_TYPE_OF}, ''), "
        f'"ConsumedService", {_SERVICE}) END',
        "ServiceCategory": category_sql('"MeterCategory"', 0),
        "ServiceName": _SERVICE,
        "ServiceSubcategory": category_sql('"MeterCategory"', 1),
        "SkuId": f'CASE WHEN {_METERED} THEN coalesce("ProductId", "MeterId") END',
        "SkuMeter": f'CASE WHEN {_METERED} THEN "MeterName" END',
        "SkuPriceId": f'CASE WHEN {_METERED} THEN coalesce("PartNumber", "ProductId", "MeterId") END',
        "SubAccountId": '"SubscriptionId"',
        "SubAccountName": '"SubscriptionName"',
        "SubAccountType": "CASE WHEN \"SubscriptionId\" IS NOT NULL THEN 'Subscription' END",
        "Tags": '"Tags"',
    }


def _of_commitment(plan: str, reservation: str) -> str:
    kind = f"CASE WHEN {_PLAN} THEN {plan} ELSE {reservation} END"
    return f"CASE WHEN {_COMMITMENT} AND {_BENEFIT} IS NOT NULL THEN {kind} END"
