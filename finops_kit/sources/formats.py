"""Which format a file is in: recognised by its content and its header, never by its name.

Each format is declared once: its name, its family (``source_system`` in the store), what it fills, and
the columns without which a file is not of it. Headers are compared without case, blanks and punctuation.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from finops_kit.errors import ColumnMissing, SourceRefused, UsageError
from finops_kit.fields import FOCUS_FIELDS, FOCUS_VERSIONS, TABLES
from finops_kit.sources import alibaba
from finops_kit.sources.azure import ACTUAL, AMORTIZED, SHOWN, find_columns, missing_columns
from finops_kit.sources.azure import NEEDS as AZURE_NEEDS


@dataclass(frozen=True)
class Format:
    """One format that can be taken in.

    Attributes
    ----------
    name : what ``--format`` takes
    family : ``source_system`` of its rows
    table : the table of the store that it fills
    needs : columns without which a file is not of this format
    title : its name for people
    """

    name: str
    family: str
    table: str
    needs: tuple[str, ...]
    title: str


#: a FOCUS row without one of these is quarantined, a file without one of these columns is refused
FOCUS_NEEDS = (
    "BilledCost", "BillingAccountId", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory",
    "ChargePeriodEnd", "ChargePeriodStart",
)  # fmt: skip
#: the same for the legacy AWS Cost and Usage Report
CUR_NEEDS = (
    "lineItem/UnblendedCost", "lineItem/CurrencyCode", "lineItem/LineItemType", "lineItem/UsageStartDate",
    "lineItem/UsageEndDate", "bill/BillingPeriodStartDate", "bill/BillingPeriodEndDate", "bill/PayerAccountId",
)  # fmt: skip

#: columns of maps that only version 2.0 has, without case and punctuation
CUR2_MARKS = {"product", "resourcetags", "costcategory", "discount", "tags"}
#: the same for Google's billing export
GCP_NEEDS = (
    "billing_account_id", "cost", "currency", "usage_start_time", "usage_end_time", "invoice.month",
    "service.description",
)  # fmt: skip

#: the same for Oracle's cost reports
OCI_NEEDS = (
    "lineItem/tenantId", "lineItem/intervalUsageStart", "lineItem/intervalUsageEnd", "product/service", "cost/myCost",
    "cost/currencyCode",
)  # fmt: skip


def _required(table: str) -> tuple[str, ...]:
    return tuple(f.name for f in TABLES[table].fields if f.required and f.name not in ("batch_id", "source_row"))


_FORMATS = (
    *(Format(f"focus-{v}", "focus", "charge", FOCUS_NEEDS, f"FOCUS {v}") for v in FOCUS_VERSIONS),
    Format("aws-cur", "aws-cur", "charge", CUR_NEEDS, "AWS Cost and Usage Report (legacy)"),
    Format("aws-cur-2.0", "aws-cur", "charge", CUR_NEEDS, "AWS Cost and Usage Report 2.0"),
    Format(ACTUAL, "azure", "charge", AZURE_NEEDS, "Azure cost details, actual"),
    Format(AMORTIZED, "azure-amortized", "charge", AZURE_NEEDS, "Azure cost details, amortised"),
    Format("gcp-billing", "gcp", "charge", GCP_NEEDS, "Google Cloud billing export"),
    Format("oci-cost", "oci", "charge", OCI_NEEDS, "Oracle Cloud cost report"),
    Format("alibaba-bill", "alibaba", "charge", alibaba.NEEDS, "Alibaba Cloud bill"),
    Format("opencost", "opencost", "charge", (), "OpenCost or Kubecost allocations (JSON)"),
    Format("kubernetes", "kubernetes", "resource_snapshot", (), "kubectl get ... -o json"),
    Format("rvtools", "vsphere", "resource_snapshot", (), "RVTools workbook"),
    Format("aws-inventory", "aws", "resource_snapshot", (), "aws ... describe-* JSON"),
    Format("azure-inventory", "azure", "resource_snapshot", (), "Azure Resource Graph JSON"),
    Format("gcp-inventory", "gcp", "resource_snapshot", (), "Google Cloud Asset Inventory JSON"),
    Format("servicenow", "servicenow", "cmdb_item", (), "ServiceNow Table API JSON"),
    Format("inventory", "inventory", "resource_snapshot", ("resource_id", "kind", "observed_at"), "inventory CSV"),
    Format("prometheus", "prometheus", "usage_sample", (), "Prometheus query_range JSON"),
    Format("usage", "usage", "usage_sample", _required("usage_sample"), "usage samples CSV"),
    Format("cmdb", "cmdb", "cmdb_item", _required("cmdb_item"), "CMDB CSV"),
    Format("assets", "assets", "asset", _required("asset"), "on-premises asset register CSV"),
    Format("budgets", "budgets", "budget", _required("budget"), "budgets CSV"),
    Format("metrics", "metrics", "business_metric", _required("business_metric"), "business metrics CSV"),
    Format("contracts", "contracts", "contract", _required("contract"), "contracts CSV"),
    Format("invoices", "invoices", "invoice", _required("invoice"), "invoice register CSV"),
    Format("price-lists", "price-lists", "price_list", _required("price_list"), "price list CSV"),
    Format("exchange-rates", "exchange-rates", "exchange_rate", _required("exchange_rate"), "exchange rates CSV"),
    Format("tag-rules", "tag-rules", "tag_rule", (), "rules about tags, YAML"),
)
FORMATS: dict[str, Format] = {known.name: known for known in _FORMATS}

#: other spellings of a column that real exports use, canonical to canonical
ALIASES = {
    "costcentre": "costcenter", "datacenter": "datacentre", "owner": "ownerteam", "currencycode": "currency",
    "from": "fromcurrency", "to": "tocurrency", "source": "ratesource",
    "supplier": "providername", "vendor": "providername", "provider": "providername", "class": "ciclass",
    "service": "serviceid", "criticalitylevel": "criticality", "grain": "periodgrain", "date": "periodstart",
    "purchasecost": "acquisitioncost", "salvage": "salvagevalue", "usefullifemonths": "lifemonths",
    "businessunitname": "businessunit", "cpus": "vcpu", "cpu": "vcpu",
}  # fmt: skip

#: a column that only one of FOCUS' other data sets has -> the data set, and what can be taken in instead
_OTHER_DATA_SETS = {
    "contractcommitmentid": (
        "Contract Commitment",
        "Contracts come in as a CSV with contract_id, provider_name, starts_on, ends_on, annual_commitment, currency.",
    ),
    "billingperiodstatus": ("Billing Period", "Its charges say which periods there are."),
    "invoicedetailid": (
        "Invoice Detail",
        "Invoices come in as a CSV with invoice_id, provider_name, billing_account_id, month, amount, currency.",
    ),
}

_NEWEST_FIRST = {
    "1.4": ("CommitmentProgramEligibilityDetails", "InvoiceDetailId"),
    "1.3": ("HostProviderName", "ServiceProviderName", "ContractApplied", "AllocatedMethodId", "AllocatedResourceId"),
    "1.2": ("InvoiceId", "PricingCurrency", "PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice"),
    "1.1": ("ServiceSubcategory", "SkuMeter", "SkuPriceDetails", "CapacityReservationId", "CommitmentDiscountQuantity"),
}


def canonical(name: str) -> str:
    """A column name without case, blanks and punctuation.

    Example
    -------
    >>> canonical("lineItem/UnblendedCost") == canonical("line_item_unblended_cost")
    True
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def find_format(name: str) -> Format:
    """The format of that name.

    Raises
    ------
    UsageError : there is none

    Example
    -------
    >>> find_format("aws-cur").table
    'charge'
    """
    if name not in FORMATS:
        near = difflib.get_close_matches(name, FORMATS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise UsageError(f"{name!r} is no format.{hint} Formats: {', '.join(FORMATS)}.")
    return FORMATS[name]


def recognise_header(header: Sequence[str]) -> Format | None:
    """The format whose columns a header has, or None.

    Example
    -------
    >>> recognise_header(["month", "dimension", "member", "amount", "currency"]).name
    'budgets'
    """
    have = _have(header)
    focus = have & {canonical(name) for name in FOCUS_NEEDS}
    if len(focus) == len(FOCUS_NEEDS):
        return FORMATS[f"focus-{focus_version(header)}"]
    if have >= {canonical(name) for name in CUR_NEEDS}:
        return FORMATS["aws-cur-2.0" if have & CUR2_MARKS else "aws-cur"]
    if have >= {canonical(name) for name in GCP_NEEDS}:
        return FORMATS["gcp-billing"]
    if have >= {canonical(name) for name in OCI_NEEDS}:
        return FORMATS["oci-cost"]
    if alibaba.missing_columns(header) == []:
        return FORMATS["alibaba-bill"]
    if missing_columns(header) == []:
        return FORMATS[ACTUAL]
    if have & _OTHER_DATA_SETS.keys():
        return None
    best: tuple[int, Format] | None = None
    for known in _FORMATS:
        if known.table == "charge" or not known.needs or not have >= {canonical(need) for need in known.needs}:
            continue
        declared = {canonical(name) for name in TABLES[known.table].columns}
        score = 10 * len(known.needs) + len(have & declared)
        if best is None or score > best[0]:
            best = (score, known)
    return best[1] if best else None


def _have(header: Iterable[str]) -> set[str]:
    names = {canonical(name) for name in header}
    return names | {ALIASES[name] for name in names if name in ALIASES}


def focus_version(header: Sequence[str]) -> str:
    """The FOCUS version that a column set belongs to: the newest that brought one of its columns.

    BillingAccountType and SubAccountType say nothing: Microsoft's exports of 1.0 had them before 1.2 did.

    Example
    -------
    >>> focus_version(["BilledCost", "ProviderName", "SkuMeter"]), focus_version(["ServiceProviderName"])
    ('1.1', '1.4')
    """
    have = {canonical(name) for name in header}
    if canonical("ServiceProviderName") in have and not have & {"providername", "publishername"}:
        return "1.4"
    for version, marks in _NEWEST_FIRST.items():
        if have & {canonical(mark) for mark in marks}:
            return version
    return "1.0"


def is_version_open(header: Sequence[str]) -> bool:
    """Whether a header may be of FOCUS 1.3 or 1.4: it lacks what 1.4 took away and what it added, which may be absent.

    Example
    -------
    >>> is_version_open(["ServiceProviderName"]), is_version_open(["ServiceProviderName", "InvoiceDetailId"])
    (True, False)
    """
    have = {canonical(name) for name in header}
    return focus_version(header) == "1.4" and not have & {canonical(mark) for mark in _NEWEST_FIRST["1.4"]}


def check_header(known: Format, header: Sequence[str], name: str) -> None:
    """Refuse a file that lacks a column its format cannot do without.

    Raises
    ------
    ColumnMissing : names the column, the nearest one found and the format that the file looks like
    """
    missing = _missing(known, header)
    if not missing:
        return
    near = difflib.get_close_matches(missing[0], header, n=1, cutoff=0.5)
    found = f"found {near[0]!r}" if near else f"found {', '.join(map(repr, header[:4]))} ..."
    other = recognise_header(header)
    hint = f" Is it {other.title}? Try --format {other.name}." if other and other.name != known.name else ""
    raise ColumnMissing(
        f"{', '.join(map(repr, missing[:4]))} {'is' if len(missing) == 1 else 'are'} not in the header of {name}, "
        f"which {known.title} needs; {found}.{hint}"
    )


def _missing(known: Format, header: Sequence[str]) -> list[str]:
    if known.name in (ACTUAL, AMORTIZED):
        found = find_columns(header)
        return [SHOWN.get(need, need) for need in known.needs if need not in found]
    if known.name == "alibaba-bill":
        found = alibaba.find_columns(header)
        return [alibaba.shown_name(need) for need in known.needs if need not in found]
    have = _have(header)
    return [need for need in known.needs if canonical(need) not in have]


def refuse_unknown(header: Sequence[str], name: str) -> SourceRefused:
    """The refusal of a header that no format has: what came nearest, and what can be said."""
    lacks_of_azure = missing_columns(header)
    if lacks_of_azure:
        return ColumnMissing(
            f"{', '.join(map(repr, lacks_of_azure))} {'is' if len(lacks_of_azure) == 1 else 'are'} not in the header "
            f"of {name}; it looks like {FORMATS[ACTUAL].title}, which cannot be added up without."
        )
    lacks_of_alibaba = alibaba.missing_columns(header)
    if lacks_of_alibaba:
        return ColumnMissing(
            f"{', '.join(lacks_of_alibaba)} is not in the header of {name}; it looks like "
            f"{FORMATS['alibaba-bill'].title}, which cannot be added up without."
        )
    have = _have(header)
    for mark, (data_set, instead) in _OTHER_DATA_SETS.items():
        if mark in have:
            return SourceRefused(
                f"{name} is FOCUS' {data_set} data set, not Cost and Usage, which is the one that is billed. {instead}"
            )
    scores = sorted(((len(have & {canonical(n) for n in f.needs}) / len(f.needs), f) for f in _FORMATS if f.needs),
                    key=lambda pair: -pair[0])  # fmt: skip
    share, nearest = scores[0]
    if share >= 0.5:
        missing = [need for need in nearest.needs if canonical(need) not in have]
        return ColumnMissing(
            f"{', '.join(map(repr, missing[:4]))} {'is' if len(missing) == 1 else 'are'} not in the header of {name}; "
            f"it looks like {nearest.title}, which needs them."
        )
    return SourceRefused(
        f"{name} is in no known format (its header begins {', '.join(map(repr, header[:4]))}). "
        f"Name the format with --format: {', '.join(FORMATS)}."
    )


_FOCUS_NAMES = {canonical(field.name): field.name for field in FOCUS_FIELDS}


def focus_name(name: str) -> str | None:
    """The FOCUS spelling of a column name, or None where FOCUS has no such column.

    Example
    -------
    >>> focus_name("billedcost"), focus_name("x_Credits")
    ('BilledCost', None)
    """
    return None if name.lower().startswith("x_") else _FOCUS_NAMES.get(canonical(name))
