"""A scope: the part of the house that a reading is about, written as ``service=payments,team=core``."""

from __future__ import annotations

from collections.abc import Mapping

import ibis
from ibis.expr.types import Table

from finops_kit.errors import UsageError
from finops_kit.value.lens import UNALLOCATED

#: the words of a scope and the lens column that each means
SCOPE_COLUMNS: dict[str, str] = {
    "service": "service_id", "service_id": "service_id", "team": "team", "environment": "environment",
    "cost_center": "cost_center", "business_unit": "business_unit", "tenant": "tenant", "product": "product",
    "namespace": "namespace", "provider": "provider", "account": "SubAccountId", "SubAccountId": "SubAccountId",
    "SubAccountName": "SubAccountName", "region": "RegionId", "ServiceName": "ServiceName",
    "ServiceCategory": "ServiceCategory", "ChargeCategory": "ChargeCategory", "ResourceId": "ResourceId",
    "BillingAccountId": "BillingAccountId", "SkuId": "SkuId", "SkuPriceId": "SkuPriceId",
    "CommitmentDiscountId": "CommitmentDiscountId", "source_system": "source_system", "month": "month",
    "charge_date": "charge_date", "BillingCurrency": "BillingCurrency",
}  # fmt: skip


def parse_scope(scope: str) -> dict[str, tuple[str, ...]]:
    """The scope as column and members; several members of one column are separated by ``|``.

    Raises
    ------
    UsageError : a part has no ``=``, no member, or names an unknown column

    Example
    -------
    >>> parse_scope("service=payments|orders, team=core")
    {'service_id': ('payments', 'orders'), 'team': ('core',)}
    """
    wanted: dict[str, tuple[str, ...]] = {}
    for part in filter(None, (piece.strip() for piece in scope.split(","))):
        word, equals, members = part.partition("=")
        column = SCOPE_COLUMNS.get(word.strip())
        if not equals or column is None:
            known = ", ".join(sorted(SCOPE_COLUMNS))
            raise UsageError(f"The scope '{part}' is not understood. Write word=member; the words are {known}.")
        chosen = tuple(member.strip() for member in members.split("|") if member.strip())
        if not chosen:
            raise UsageError(f"The scope '{part}' names no member. Write {word.strip()}=<member>.")
        wanted[column] = chosen
    return wanted


def within(lens: Table, members: Mapping[str, tuple[str, ...]]) -> Table:
    """The charges of a scope; ``unallocated`` as a member means charges without one."""
    for column, chosen in members.items():
        named = [member for member in chosen if member != UNALLOCATED]
        if column == "month":  # a month is written YYYY-MM and kept as its first day
            named = [f"{member}-01" if len(member) == 7 else member for member in named]
        text = lens[column].cast("string") if not lens[column].type().is_string() else lens[column]
        hit = text.isin(named) if named else ibis.literal(False)
        if UNALLOCATED in chosen:
            hit = hit | text.isnull() | (text == UNALLOCATED)
        lens = lens.filter(hit)
    return lens
