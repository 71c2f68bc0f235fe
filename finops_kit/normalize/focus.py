"""FOCUS in, any version: every column by its name, the rest kept in ``x_Columns``.

Source: FinOps Open Cost and Usage Specification 1.0 to 1.4, Cost and Usage data set. A column that the
file's version does not have stays null. One exception: 1.4 has no ProviderName any more, and its successor
ServiceProviderName says the same ("who makes the service available for purchase"), so it fills the gap.
The other exceptions are the columns of :data:`_BEFORE_ITS_VERSION`, and the names and words of 1.0-preview, in which
Oracle's reports and Microsoft's first exports are (Oracle's usage-reports-to-adw and Microsoft's dataset metadata list
them): ``Provider``, ``Region``, ``UsageQuantity``, ``ChargeSubcategory``.

Oracle writes several FOCUS files a day and no line twice, as its cost reports, so each file adds to its period.
Google's export has Tags as a list of keys and values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from finops_kit.fields import FOCUS_BY_NAME, FOCUS_FIELDS, TAGS, TEXT
from finops_kit.normalize.entries import unique_names
from finops_kit.normalize.plan import Header, Input, Plan
from finops_kit.sources.formats import FOCUS_NEEDS, canonical, focus_name
from finops_kit.sources.nested import flat_columns, whole_columns

#: columns of FOCUS 1.1 and 1.2 that Microsoft's 1.0 export has under an ``x_`` name (its FocusCost 1.0 metadata);
#: they are taken from there where the file has no other, and stay in ``x_Columns`` as well
_BEFORE_ITS_VERSION = ("InvoiceId", "ServiceSubcategory", "BillingAccountType", "SubAccountType", "PricingCurrency")
#: column of 1.0 -> what 1.0-preview, or Microsoft's export of it, calls it; they stay in ``x_Columns`` as well
_PREVIEW = {
    "ProviderName": "Provider", "PublisherName": "Publisher", "InvoiceIssuerName": "InvoiceIssuer",
    "RegionId": "Region", "RegionName": "Region", "ConsumedQuantity": "UsageQuantity", "ConsumedUnit": "UsageUnit",
    "ContractedCost": "x_OnDemandCost", "ContractedUnitPrice": "x_OnDemandUnitPrice",
}  # fmt: skip
#: 1.0-preview says with ChargeSubcategory what later versions have columns for, and names two pricing categories
#: otherwise. A line of Oracle that refers back to another corrects it.
_OF_PREVIEW = {
    "ChargeClass": """CASE WHEN lower("ChargeSubcategory") = 'refund' OR "oci_BackReferenceNumber" IS NOT NULL
        THEN 'Correction' END""",
    "CommitmentDiscountStatus": """CASE lower("ChargeSubcategory") WHEN 'used commitment' THEN 'Used'
        WHEN 'unused commitment' THEN 'Unused' END""",
}
_WORDS_OF_PREVIEW = {
    "ChargeCategory": """CASE WHEN lower("ChargeSubcategory") = 'credit' THEN 'Credit' ELSE "in_ChargeCategory" END""",
    "PricingCategory": """CASE lower("in_PricingCategory") WHEN 'on-demand' THEN 'Standard'
        WHEN 'commitment-based' THEN 'Committed' ELSE "in_PricingCategory" END""",
}
_ORACLE, _GOOGLE = {"ocireferencenumber", "xocireferencenumber"}, {"xcredits", "xcosttype", "xprojectid"}
_PAIRS = """TRY(from_json({}, '[{"key": "VARCHAR", "value": "VARCHAR"}]'))"""
_KEYS = f"list_distinct(list_transform({_PAIRS}, lambda p: p.key))"
#: a list of keys and values as a map; the first value of a key counts
_LISTED = f"""CASE WHEN ltrim({{}}) LIKE '[%' THEN trimmed_map(map({_KEYS}, list_transform({_KEYS},
    lambda k: list_extract(list_filter({_PAIRS}, lambda p: p.key = k), 1).value))) ELSE tags_map({{}}) END"""


def plan_focus(header: Sequence[str], types: Sequence[str] | None = None) -> Plan:
    """The plan of one FOCUS file.

    Parameters
    ----------
    header : the column names as they stand in the file
    types : the engine's types of a Parquet file's columns; None for delimited text

    Example
    -------
    >>> plan = plan_focus(["BilledCost", "x_Credit"])
    >>> plan.cost.raw, [key for key, _ in plan.extras]
    ('c0', ['x_Credit'])
    """
    engine_types = list(types) if types is not None else ["TEXT"] * len(header)
    taken: dict[str, Input] = {}
    extras: list[tuple[str, str]] = []
    for i, (name, shown) in enumerate(zip(header, unique_names(list(header)), strict=True)):
        target = focus_name(name)
        if target is None or target in taken:
            extras.append((shown or f"column {i + 1}", Input(shown, f"c{i}", TEXT, engine_types[i]).text))
            continue
        declared = FOCUS_BY_NAME[target]
        taken[target] = Input(
            f"in_{target}", f"c{i}", declared.type, engine_types[i], target in FOCUS_NEEDS, header=name
        )
    for target in _BEFORE_ITS_VERSION:
        place = next((i for i, name in enumerate(header) if name.lower() == f"x_{target}".lower()), None)
        if place is not None and target not in taken:
            taken[target] = Input(f"in_{target}", f"c{place}", TEXT, engine_types[place], header=header[place])
    places = {canonical(name): i for i, name in reversed(list(enumerate(header)))}
    for target, name in _PREVIEW.items():
        if target not in taken and canonical(name) in places:
            place = places[canonical(name)]
            taken[target] = Input(
                f"in_{target}", f"c{place}", FOCUS_BY_NAME[target].type, engine_types[place], header=header[place]
            )
    for target in FOCUS_NEEDS:
        taken.setdefault(target, Input(f"in_{target}", "", FOCUS_BY_NAME[target].type, "TEXT", True, target))
    if "Tags" in taken and (typed := _list_of_tags(header, types)):
        taken["Tags"] = replace(taken["Tags"], raw=typed, engine_type="TEXT", reading=_LISTED)
    elif "Tags" in taken and types is None and _GOOGLE & places.keys():
        taken["Tags"] = replace(taken["Tags"], reading=_LISTED)
    unread = tuple(
        (target, f'CASE WHEN "{given.name}" IS NULL THEN {given.text} END')
        for target, given in taken.items()
        if given.kind == TAGS
    )
    outputs = {f.name: f'"in_{f.name}"' for f in FOCUS_FIELDS if f.name in taken}
    inputs = list(taken.values())
    if {"chargesubcategory", "ocibackreferencenumber"} & places.keys():
        columns = Header(whole_columns(header, types))
        inputs += [columns.given("ChargeSubcategory"), columns.given("oci_BackReferenceNumber")]
        outputs |= {name: sql for name, sql in _OF_PREVIEW.items() if name not in outputs}
        outputs |= {name: sql for name, sql in _WORDS_OF_PREVIEW.items() if name in outputs}
    outputs["BillingCurrency"] = 'trim("in_BillingCurrency")'
    if "ProviderName" not in taken and "ServiceProviderName" in taken:
        outputs["ProviderName"] = '"in_ServiceProviderName"'
    return Plan(
        "charge", "focus", tuple(inputs), outputs, tuple(extras), unread,
        cost=taken["BilledCost"], currency=taken["BillingCurrency"], appends=bool(_ORACLE & places.keys()),
        text=types is None,
    )  # fmt: skip


def _list_of_tags(header: Sequence[str], types: Sequence[str] | None) -> str:
    """The SQL of a Parquet file's list of tags as JSON; empty where Tags are no list."""
    for column in flat_columns(header, types) if types is not None else ():
        if canonical(column.name) == "tags" and column.type.endswith("[]"):
            return f"CAST(to_json({column.sql}) AS VARCHAR)"
    return ""
