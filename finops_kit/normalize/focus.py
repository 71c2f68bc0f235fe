"""FOCUS in, any version: every column by its name, the rest kept in ``x_Columns``.

Source: FinOps Open Cost and Usage Specification 1.0 to 1.4, Cost and Usage data set. A column that the
file's version does not have stays null. One exception: 1.4 has no ProviderName any more, and its successor
ServiceProviderName says the same ("who makes the service available for purchase"), so it fills the gap.
The other exception are the columns of :data:`_BEFORE_ITS_VERSION`.
"""

from __future__ import annotations

from collections.abc import Sequence

from finops_kit.fields import FOCUS_BY_NAME, FOCUS_FIELDS, TAGS, TEXT
from finops_kit.normalize.plan import Input, Plan, unique_names
from finops_kit.sources.formats import FOCUS_NEEDS, focus_name

#: columns of FOCUS 1.1 and 1.2 that Microsoft's 1.0 export has under an ``x_`` name (its FocusCost 1.0 metadata);
#: they are taken from there where the file has no other, and stay in ``x_Columns`` as well
_BEFORE_ITS_VERSION = ("InvoiceId", "ServiceSubcategory", "BillingAccountType", "SubAccountType", "PricingCurrency")


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
    for target in FOCUS_NEEDS:
        taken.setdefault(target, Input(f"in_{target}", "", FOCUS_BY_NAME[target].type, "TEXT", True, target))
    unread = tuple(
        (target, f'CASE WHEN "{given.name}" IS NULL THEN {given.text} END')
        for target, given in taken.items()
        if given.kind == TAGS
    )
    outputs = {f.name: f'"in_{f.name}"' for f in FOCUS_FIELDS if f.name in taken}
    outputs["BillingCurrency"] = 'trim("in_BillingCurrency")'
    if "ProviderName" not in taken and "ServiceProviderName" in taken:
        outputs["ProviderName"] = '"in_ServiceProviderName"'
    return Plan(
        "charge", "focus", tuple(taken.values()), outputs, tuple(extras), unread,
        cost=taken["BilledCost"], currency=taken["BillingCurrency"],
    )  # fmt: skip
