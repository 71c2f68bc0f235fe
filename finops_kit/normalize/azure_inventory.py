"""Azure Resource Graph answers to observations.

Source: Azure Resource Graph, table ``Resources`` (``az graph query``, the REST answer, or the rows alone);
properties as the resource providers Microsoft.Compute, Microsoft.Sql and Microsoft.Network document them. An answer
that says it was not cut is a whole look at every kind in every subscription that it names; rows alone are not.
"""

from __future__ import annotations

from typing import Any

from finops_kit.errors import SourceRefused
from finops_kit.normalize.kubernetes import UnreadableError
from finops_kit.normalize.observations import Look, as_dict, pick, snapshot
from finops_kit.sources.documents import Document

#: resource type -> kind; any other stands under its own name
KINDS = {
    "microsoft.compute/virtualmachines": "machine", "microsoft.compute/disks": "disk",
    "microsoft.compute/snapshots": "snapshot", "microsoft.compute/virtualmachinescalesets": "scale_set",
    "microsoft.sql/servers/databases": "database", "microsoft.dbforpostgresql/flexibleservers": "database",
    "microsoft.dbformysql/flexibleservers": "database", "microsoft.network/loadbalancers": "load_balancer",
    "microsoft.network/applicationgateways": "load_balancer", "microsoft.network/publicipaddresses": "ip_address",
    "microsoft.containerservice/managedclusters": "cluster", "microsoft.storage/storageaccounts": "storage_account",
}  # fmt: skip
_DISK_STATES = {"attached": "attached", "unattached": "available", "reserved": "attached"}


def observe_azure(document: Document, name: str) -> Look:
    """The observations of one answer.

    Raises
    ------
    SourceRefused : it holds no rows of the table Resources
    """
    look = Look("azure", document.observed_at, document.observed_from)
    rows = document.value if isinstance(document.value, list) else pick(document.value, "data")
    if not isinstance(rows, list):
        raise SourceRefused(
            f"{name} is no answer of Azure Resource Graph; expected an object with 'data', or its rows."
        )
    for number, one in enumerate(rows, start=1):
        try:
            look.rows.append(_row(look, number, one))
        except UnreadableError as error:
            look.reject(number, error, one)
    return look.close(_is_whole(as_dict(document.value), len(rows)))


def _is_whole(answer: dict[str, Any], rows: int) -> bool:
    """Whether the answer says that nothing was cut off."""
    total = answer.get("total_records", answer.get("totalRecords"))
    cut = str(answer.get("resultTruncated", answer.get("result_truncated", False))).lower() == "true"
    more = answer.get("skip_token") or answer.get("$skipToken") or answer.get("skipToken")
    return total == rows and not cut and not more


def _row(look: Look, number: int, one: Any) -> dict[str, Any]:
    if not isinstance(one, dict) or not isinstance(one.get("type"), str):
        raise UnreadableError("type", "no resource: it has no type")
    kind = KINDS.get(one["type"].lower(), one["type"].lower())
    account = one.get("subscriptionId") or pick(str(one.get("id") or "").split("/"), 2)
    about, sku = as_dict(one.get("properties")), one.get("sku")
    return snapshot(
        look, number, one.get("id"), kind, scope=f"azure/{account or ''}/{kind}", provider_name="Microsoft Azure",
        resource_name=one.get("name"), region_id=one.get("location"), account_id=account,
        owner_id=one.get("managedBy") or pick(about, "creationData", "sourceResourceId"),
        power_state=_power(kind, about),
        sku=pick(about, "hardwareProfile", "vmSize") or pick(sku, "name") or pick(about, "currentServiceObjectiveName"),
        storage_gib=about.get("diskSizeGB"), replicas=pick(sku, "capacity") if kind == "scale_set" else None,
        tags=as_dict(one.get("tags")),
        attributes={"type": one["type"], "resource_group": one.get("resourceGroup"), "kind": one.get("kind"),
                    "created": about.get("timeCreated"), "provisioning": about.get("provisioningState"),
                    "os_disk": pick(about, "storageProfile", "osDisk", "managedDisk", "id")},
    )  # fmt: skip


def _power(kind: str, about: dict[str, Any]) -> str | None:
    if kind == "disk":
        state = about.get("diskState")
        return _DISK_STATES.get(str(state).lower(), state) if state else None
    code = pick(about, "extended", "instanceView", "powerState", "code") or pick(about, "powerState", "code")
    if isinstance(code, str):
        said = code.rsplit("/", 1)[-1].lower()
        return "stopped" if said in ("deallocated", "stopped") else said
    return None
