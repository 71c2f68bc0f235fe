"""Allocations of OpenCost and Kubecost, as a data set of their own beside the bills that they split.

Sources: OpenCost specification and "API" (``/allocation``), Kubecost "Allocation API"; FOCUS 1.3 for split costs
(``AllocatedMethodId``, ``AllocatedResourceId``).

The cost of a cluster is billed by its provider; an allocation says which workload took how much of it. So nothing is
billed here: BilledCost is 0 and EffectiveCost is ``totalCost``. The data set is ``charge_allocated``: it is read under
that name and in ``charge_history``, and never in ``charge``, where the same cost stands as the provider bills it.

An answer is delivered per cluster and window. The same window again replaces it; other windows stand beside it. An
answer that names no cluster is of an account of its own (:data:`UNNAMED`): two of those may be of one cluster, asked
twice, or of two, so the second one under another name is refused until somebody says which.
"""

from __future__ import annotations

from collections.abc import Sequence

from finops_kit.fields import MONEY, TAGS, TIME
from finops_kit.normalize.plan import Header, Plan, Rule
from finops_kit.sources.nested import whole_columns

#: the billing account of an answer that does not say of which cluster it is
UNNAMED = "opencost"
_NEEDS = ("totalCost", "window.start", "window.end")
_KINDS = {"totalCost": MONEY, "window.start": TIME, "window.end": TIME, "start": TIME, "end": TIME, "labels": TAGS}
_LOOKED_AT = (
    "name", "currency", "properties.cluster", "properties.node", "properties.namespace", "properties.controllerKind",
    "properties.controller", "properties.pod", "properties.providerID",
)  # fmt: skip
_IDLE = "starts_with(\"name\", '__idle__') OR ends_with(\"name\", '__idle__')"


def plan_opencost(header: Sequence[str]) -> Plan:
    """The plan of one answer.

    Example
    -------
    >>> plan = plan_opencost(["name", "totalCost"])
    >>> plan.dataset, plan.controlled
    ('charge_allocated', 'EffectiveCost')
    """
    columns = Header(whole_columns(header, None))
    inputs = columns.inputs((*_KINDS, *_LOOKED_AT), _KINDS, _NEEDS, {})
    extras = columns.rest({inputs[name].raw for name in _KINDS})
    return Plan(
        "charge", "opencost", tuple(inputs.values()), _outputs(), extras,
        rules=(Rule("window.end", '"window.end" <= "window.start"', "a window must end after it starts"),),
        cost=inputs["totalCost"], currency=inputs["currency"], controlled="EffectiveCost", dataset="charge_allocated",
        remark="splits what the provider bills: kept as charge_allocated, never added to charge",
    )  # fmt: skip


def _outputs() -> dict[str, str]:
    """FOCUS column to SQL over the answer's fields."""
    cluster, space = '"properties.cluster"', '"properties.namespace"'
    owner = 'coalesce("properties.pod", "properties.controller")'
    zero = f"CAST(0 AS {MONEY})"
    return {
        "AllocatedMethodId": "'opencost'",
        "AllocatedResourceId": 'coalesce("properties.providerID", "properties.node", "properties.cluster")',
        "AllocatedResourceName": 'coalesce("properties.node", "properties.cluster")',
        "BilledCost": zero,
        "BillingAccountId": f"coalesce({cluster}, '{UNNAMED}')",
        "BillingAccountName": cluster,
        "BillingAccountType": "'Cluster'",
        "BillingCurrency": '"currency"',
        "BillingPeriodStart": '"window.start"',
        "BillingPeriodEnd": '"window.end"',
        "ChargeCategory": "'Usage'",
        "ChargeDescription": '"name"',
        "ChargeFrequency": "'Usage-Based'",
        "ChargePeriodStart": 'coalesce("start", "window.start")',
        "ChargePeriodEnd": 'CASE WHEN "end" > coalesce("start", "window.start") THEN "end" ELSE "window.end" END',
        "EffectiveCost": '"totalCost"',
        "ProviderName": "'OpenCost'",
        "ResourceId": f"CASE WHEN {owner} IS NOT NULL THEN concat_ws('/', {cluster}, {space}, "
        f'CASE WHEN "properties.pod" IS NULL THEN "properties.controllerKind" ELSE \'pod\' END, {owner}) END',
        "ResourceName": owner,
        "ResourceType": f"CASE WHEN {_IDLE} THEN 'idle' WHEN \"properties.pod\" IS NOT NULL THEN 'pod' "
        'ELSE "properties.controllerKind" END',
        "ServiceCategory": "'Compute'",
        "ServiceName": "'Kubernetes'",
        "ServiceSubcategory": "'Containers'",
        "SubAccountId": space,
        "SubAccountName": space,
        "SubAccountType": f"CASE WHEN {space} IS NOT NULL THEN 'Namespace' END",
        "Tags": 'coalesce("labels", MAP_FROM_ENTRIES([]))',
    }
