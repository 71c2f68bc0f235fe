"""How each bill becomes FOCUS, for people, and beside it what it cannot say (``fields.gaps``).

The page ``docs/sources.md`` is written from this table (``python -m finops_kit.normalize.gaps``), and a test holds
the page to it.
"""

# ruff: noqa: E501 - a table of sentences
from __future__ import annotations

from dataclasses import dataclass

from finops_kit.fields.gaps import GAPS, Gap


@dataclass(frozen=True)
class Mapping:
    """How one billing source becomes FOCUS, for people.

    Attributes
    ----------
    formats : names that ``--format`` takes
    title : the source's name
    basis : the documents that the rules follow
    rules : (FOCUS column, where it comes from)
    gaps : what it cannot fill
    """

    formats: tuple[str, ...]
    title: str
    basis: str
    rules: tuple[tuple[str, str], ...]
    gaps: tuple[Gap, ...]


MAPPINGS: tuple[Mapping, ...] = (
    Mapping(
        ("focus-1.0", "focus-1.1", "focus-1.2", "focus-1.3", "focus-1.4"),
        "FOCUS exports of the providers",
        "FinOps Open Cost and Usage Specification 1.0 to 1.4",
        (
            ("every FOCUS column", "the column of that name; other columns are kept in x_Columns"),
            ("version", "the newest whose columns the header has; where only the schema object beside the file can tell 1.3 from 1.4 (neither ProviderName nor a column of 1.4), what that says, else 1.4. All are read by the same rules"),
            ("ProviderName", "ServiceProviderName where 1.4 has no ProviderName"),
            ("1.0-preview", "taken as 1.0: Provider, Publisher, InvoiceIssuer, Region, UsageQuantity, UsageUnit, x_OnDemandCost; "
             "ChargeSubcategory for ChargeClass and CommitmentDiscountStatus"),
            ("Oracle's reports", "each file adds to its month; a line with a back reference is a Correction"),
            ("Tags", "a JSON object, a map, or Google's list of keys and values; rows as JSON, one a line, come in as well"),
        ),
        GAPS["focus"],
    ),
    Mapping(
        ("aws-cur", "aws-cur-2.0"),
        "AWS Cost and Usage Report, legacy and 2.0",
        "AWS Data Exports: table dictionaries of the legacy report and of CUR 2.0; AWS' FOCUS 1.2 export for what a column "
        "holds",
        (
            ("BilledCost", "UnblendedCost; NetUnblendedCost where a `discount` column says that discounts have no lines"),
            ("EffectiveCost", "covered usage at its commitment rate; a fee by what nobody used of it; else BilledCost; net "
             "columns where BilledCost is net, else discounts count by their lines"),
            ("ListCost", "pricing/publicOnDemandCost of usage and fees, where it is not 0; else BilledCost; nothing on negations and discounts"),
            ("ContractedCost", "BilledCost; the list cost on usage that a reservation covers"),
            ("ChargeCategory", "Usage, DiscountedUsage, SavingsPlanCoveredUsage, SavingsPlanNegation: Usage · Fee, RIFee, "
             "FlatRateSubscription, upfront and recurring fees: Purchase (Usage where unused) · Tax · Credit · discounts "
             "and Refund: Adjustment"),
            ("ChargeClass", "Correction on a Refund"),
            ("SubAccountId", "lineItem/UsageAccountId"),
            ("Tags", "resourceTags/*, or the map `tags`, else `resource_tags`; `aws:` and `accountTag/` stay before keys "
             "that the resource's owner did not set"),
            ("CapacityReservationId", "capacity_reservation_capacity_reservation_arn"),
        ),
        GAPS["aws-cur"],
    ),
    Mapping(
        ("azure-actual", "azure-amortized"),
        "Azure cost details: EA, MCA, pay-as-you-go",
        "Microsoft Learn: Convert Cost Management data to FOCUS; Understand cost details fields",
        (
            ("BilledCost", "actual: the cost · amortised: 0 where a commitment pays, else the cost"),
            ("EffectiveCost", "actual: 0 on a commitment's fee, else the cost · amortised: the cost"),
            ("ListCost", "paygCostInBillingCurrency, else PayGPrice x Quantity, else ContractedCost; a zero is no price"),
            ("ContractedCost", "UnitPrice x Quantity, at the file's exchange rate; else the cost"),
            ("ChargeCategory", "Usage, Purchase, Tax, Credit by name · unused commitments: Usage · Refund: Purchase · "
             "RoundingAdjustment and the rest: Adjustment"),
            ("ChargeClass", "Correction on a Refund"),
            ("BillingPeriod", "BillingPeriodStartDate and the day after BillingPeriodEndDate; else the month of Date"),
            ("BillingAccountId", "BillingProfileId, else BillingAccountId, else the subscription"),
            ("PricingQuantity, PricingUnit", "Quantity as it stands, UnitOfMeasure in FOCUS' words: 0.0129 of `10000 Units` "
             "for `10K`, `Units/Month` for `1/Month`"),
            ("CommitmentDiscountId", "benefitId, else ReservationId"),
            ("numbers and days", "localised exports: `0,8` where all numbers are written so (a file that mixes comma and "
             "point is refused); D.M.YYYY"),
        ),
        GAPS["azure"],
    ),
    Mapping(
        ("gcp-billing",),
        "Google Cloud billing export, standard and detailed",
        "Google Cloud: Structure of Detailed data export, Structure of FOCUS data export; Google's FOCUS view for BigQuery",
        (
            ("BilledCost", "cost plus the amounts of all credits of the row"),
            ("EffectiveCost", "the same"),
            ("ContractedCost", "cost_at_effective_price_default, else cost: after negotiated prices, before commitments "
             "and credits"),
            ("ListCost", "cost_at_list, else cost"),
            ("PublisherName", "Google Cloud for what it sells itself (transaction_type), else seller_name"),
            ("ChargeCategory", "cost_type: regular: Usage · tax: Tax · adjustment, rounding_error: Adjustment"),
            ("ChargeClass", "Correction where adjustment_info says something"),
            ("BillingPeriod", "invoice.month, whatever the month of use, in UTC"),
            ("CommitmentDiscountId", "subscription.instance_id, else the id or name of the first credit, where a credit "
             "or the consumption model is one of a commitment"),
            ("CommitmentDiscountStatus", "Used · Unused: what a credit FEE_UTILIZATION_OFFSET leaves of a fee"),
            ("Tags", "labels; project and system labels stay in x_Columns"),
        ),
        GAPS["gcp"],
    ),
    Mapping(
        ("oci-cost",),
        "Oracle Cloud cost reports",
        "Oracle: Cost and Usage Reports; Oracle's FOCUS reports for account ids",
        (
            ("BilledCost, EffectiveCost, ContractedCost", "cost/myCost, overage included"),
            ("BillingAccountId, SubAccountId", "cost/subscriptionId, else the tenancy; lineItem/tenantId"),
            ("BillingPeriod", "the month of the interval, in UTC; each file adds to it"),
            ("ChargeClass", "Correction where lineItem/isCorrection is true"),
            ("Tags", "tags/*, without the prefix"),
        ),
        GAPS["oci"],
    ),
    Mapping(
        ("alibaba-bill",),
        "Alibaba Cloud instance and billing item bills",
        "Alibaba Cloud: Detailed file format, DescribeInstanceBill, Fields in upgraded bills. Headers in English or Chinese, "
        "with groups (`账单信息/账单月份`) or without; as text, Parquet or JSON. Its FOCUS export comes in as FOCUS",
        (
            ("BilledCost, EffectiveCost", "PretaxAmount: after discounts and coupons, before tax; 应付金额, where it stands "
             "alone, has the tax in it"),
            ("ContractedCost", "PretaxGrossAmount less InvoiceDiscount"),
            ("ListCost", "PretaxGrossAmount"),
            ("ChargeCategory", "pay-as-you-go, free quota: Usage · subscription fees and orders, refunds: Purchase · "
             "adjustment, rounding, commission: Adjustment; else by SubscriptionType"),
            ("ChargeClass", "Correction on a Refund"),
            ("BillingPeriod", "BillingCycle, the month of UTC+8 by its name"),
            ("ChargePeriod", "UsageStartTime and UsageEndTime in UTC, else BillingDate, else the month"),
            ("BillingAccountId, SubAccountId", "AccountID; OwnerID, else BillAccountID"),
            ("Tags", "`key:team value:core; ...` or `team:core;...`"),
        ),
        GAPS["alibaba"],
    ),
    Mapping(
        ("opencost",),
        "OpenCost and Kubecost allocations",
        "OpenCost: API, /allocation and /allocation/summary; Kubecost: Allocation API; FOCUS 1.3 for split costs. The "
        "JSON answer as it comes",
        (
            ("data set", "`charge_allocated`, by that name and in `charge_history`; never in `charge`, where the same cost "
             "stands as the provider bills it"),
            ("EffectiveCost", "totalCost, in a summary without it the sum of its parts; the parts (cpu, gpu, ram, pv, "
             "network, load balancer, shared, external, each with its adjustment) are kept in x_Columns"),
            ("ChargePeriod, BillingPeriod", "start and end of what ran; the window"),
            ("BillingAccountId, SubAccountId", "cluster, else a `cluster` beside `data`, else the only one that the answer names, else opencost; namespace"),
            ("ResourceId", "cluster/namespace/kind/controller, or .../pod/name"),
            ("ResourceType", "the controller's kind or pod; idle for `__idle__`"),
            ("AllocatedResourceId", "providerID, else the node, else the cluster: whose cost is split"),
            ("Tags", "properties.labels"),
        ),
        GAPS["opencost"],
    ),
)  # fmt: skip


def allowed_rules(name: str) -> tuple[str, ...]:
    """The rules that rows of a format may fail because of its declared gaps.

    Example
    -------
    >>> allowed_rules("aws-cur")
    ('EffectiveCost-C-005-C',)
    """
    return tuple(
        rule for mapping in MAPPINGS if name in mapping.formats for gap in mapping.gaps for rule in gap.rules
    )  # fmt: skip


def page() -> str:
    """The page ``docs/sources.md``."""
    parts = [_HEAD]
    for mapping in MAPPINGS:
        names = ", ".join(f"`{name}`" for name in mapping.formats)
        parts.append(f"## {mapping.title}\n\n`--format` {names}. After {mapping.basis}.\n")
        parts.append("| FOCUS | from |\n|---|---|\n" + "".join(f"| {a} | {b} |\n" for a, b in mapping.rules))
        parts.append("| gap | why | what stands there | FOCUS rules that may fail |\n|---|---|---|---|\n" + "".join(
            f"| {gap.column} | {gap.why} | {gap.instead} | {' '.join(gap.rules)} |\n" for gap in mapping.gaps
        ))  # fmt: skip
    return "\n".join(parts)


_HEAD = """# Billing sources: what each column comes from, and what a bill cannot say

Every file is recognised by its header and its rows, never by its name; `--format` says it where both leave doubt.
BilledCost of a batch equals the file's own sum to the last digit, or nothing is stored. Columns that FOCUS has no
place for are kept in `x_Columns`. This page is written by `python -m finops_kit.normalize.gaps > docs/sources.md`.

Texts are UTF-8, or what their byte order mark says (UTF-16, as Excel's "Unicode text" and PowerShell write it; UTF-32).
Without one, an encoding is never guessed: `--encoding gb18030` (or a line in a mapping) names it, or a header says it
whose words beyond ASCII are, decoded so, a provider's letter by letter (Alibaba's Chinese columns in GB18030, Azure's
German ones in Windows-1252). A byte that is nothing in the encoding refuses the file, with its place. The text is decoded
while it is read, nothing is written beside it, and hash, name and row numbers are those of the file as it came. The
ledger's `details` name the encoding; the same file with another `--encoding` is a new delivery of it, which replaces
the older one (not so a part of a report). A first line `#TYPE ...` of PowerShell's or `sep=;` of a spreadsheet's is no
row, and is left out.

Azure's *actual* and *amortised* costs are two data sets of one period. Only the actual one is delivered as `charge` and
is billed. The amortised one has its own source, `azure-amortized`, and its own data set, `charge_amortized`; all of it
can be read in `charge_history`, and it is never added. Lines of the two have no id in common, so none is joined to
another. Where both are current and say the same, for one day and subscription, about everything that no commitment pays
for, `charge` takes the lines of covered and unused commitments from the amortised one; those of the actual one, billed
at nothing, make room. So BilledCost adds up to the actual file and EffectiveCost to the amortised one. Where they do not
agree (one is newer, or has other days), the actual one stands alone and commitments cost nothing where they are used.
A file without any commitment is the same in both and counts as actual.
"""


if __name__ == "__main__":
    print(page(), end="")
