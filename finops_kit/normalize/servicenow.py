"""ServiceNow CMDB tables (Table API, ``{"result": [...]}``) to configuration items and observations.

Source: ServiceNow Table API (``sysparm_display_value`` true, false or all) and the CMDB base classes. What somebody
declares - services, applications, accounts - becomes rows of ``cmdb_item``; what exists - servers, disks, databases -
becomes observations; a relation (``cmdb_rel_ci``) names the owner of its child. The API cuts a long answer without a
word, so no answer counts as a whole look.
"""

from __future__ import annotations

import re
from typing import Any

from finops_kit.errors import SourceRefused
from finops_kit.normalize.kubernetes import UnreadableError
from finops_kit.normalize.observations import Look, as_words, gib_of_mib, in_utc, pick, snapshot
from finops_kit.sources.documents import Document

#: classes that somebody declares; every other one exists and is observed
_DECLARED = re.compile(r"service|appl|business|account|namespace|product|offering", re.I)
#: class -> kind; any other stands under its own name
_KINDS = (
    (re.compile(r"vm_instance|vmware_instance|server|computer", re.I), "machine"),
    (re.compile(r"storage_volume|disk", re.I), "disk"), (re.compile(r"db_|database", re.I), "database"),
    (re.compile(r"lb_|load_balancer", re.I), "load_balancer"),
)  # fmt: skip


def observe_servicenow(document: Document, name: str) -> Look:
    """The configuration items and observations of one answer.

    Raises
    ------
    SourceRefused : it is no answer of the Table API
    """
    look = Look("servicenow", document.observed_at, document.observed_from)
    rows = pick(document.value, "result")
    rows = [rows] if isinstance(rows, dict) else rows
    if not isinstance(rows, list):
        raise SourceRefused(f"{name} is no answer of ServiceNow's Table API; expected an object with 'result'.")
    owners = _owners(rows)
    for number, one in enumerate(rows, start=1):
        try:
            _take(look, number, one, owners)
        except UnreadableError as error:
            look.reject(number, error, one)
    return look.close(False)


def said(value: Any, display: bool = True) -> str | None:
    """A field's value: plain, a reference (``{"link", "value"}``), or with its display value.

    Example
    -------
    >>> said({"value": "a1", "display_value": "Payments"}), said({"value": "a1", "link": "https://x"}), said(" x ")
    ('Payments', 'a1', 'x')
    """
    if isinstance(value, dict):
        shown, key = value.get("display_value"), value.get("value")
        return as_words((shown or key) if display else (key or shown))
    return as_words(value)


def _owners(rows: list[Any]) -> dict[str, str]:
    """Child to parent, of the relations in this answer."""
    found = {}
    for one in rows:
        child, parent = said(pick(one, "child"), False), said(pick(one, "parent"), False)
        if child and parent:
            found[child] = parent
    return found


def _take(look: Look, number: int, one: Any, owners: dict[str, str]) -> None:
    key = said(pick(one, "sys_id"), False)
    if not isinstance(one, dict) or not key:
        raise UnreadableError("sys_id", "no record: it has no sys_id")
    child, parent = said(one.get("child"), False), said(one.get("parent"), False)
    if child and parent:
        look.rows.append(
            snapshot(look, number, key, "relation", scope="servicenow/relation", owner_id=parent,
                     attributes={"child": child, "parent": parent, "type": said(one.get("type"))})
        )  # fmt: skip
        return
    ci_class = said(one.get("sys_class_name"), False) or said(one.get("sys_class_name")) or ""
    if not ci_class:
        raise UnreadableError("sys_class_name", "the record names no class, so it is no configuration item")
    if _DECLARED.search(ci_class):
        look.items.append(_item(number, key, ci_class, one, owners))
        return
    kind = next((kind for pattern, kind in _KINDS if pattern.search(ci_class)), ci_class.lower())
    look.rows.append(
        snapshot(
            look, number, said(one.get("object_id")) or said(one.get("correlation_id")) or key, kind,
            scope=f"servicenow/{ci_class}", resource_name=said(one.get("name")), owner_id=owners.get(key),
            provider_name=said(one.get("provider_name")), region_id=said(one.get("location")),
            account_id=said(one.get("account_id")), vcpu=said(one.get("cpus")) or said(one.get("cpu_count")),
            memory_gib=gib_of_mib(said(one.get("ram")) or said(one.get("memory")), "ram"),
            storage_gib=said(one.get("disk_space")), sku=said(one.get("model_id")),
            power_state=said(one.get("state")) or said(one.get("operational_status")),
            tags={name: value for name, field in _TAGS if (value := _first(one, field))},
            attributes={"sys_id": key, "sys_class_name": ci_class, "serial_number": said(one.get("serial_number")),
                        "install_status": said(one.get("install_status")), "updated": said(one.get("sys_updated_on"))},
        )
    )  # fmt: skip


_TAGS = (
    ("team", ("support_group", "assignment_group", "managed_by_group", "owned_by")),
    ("cost_center", ("cost_center",)), ("business_unit", ("business_unit", "department", "company")),
    ("environment", ("environment", "used_for")),
)  # fmt: skip


def _first(one: dict[str, Any], fields: tuple[str, ...]) -> str | None:
    return next((value for field in fields if (value := said(one.get(field)))), None)


def _item(number: int, key: str, ci_class: str, one: dict[str, Any], owners: dict[str, str]) -> dict[str, Any]:
    since = in_utc(said(one.get("start_date")) or said(one.get("sys_created_on")))
    until = in_utc(said(one.get("retirement_date")) or said(one.get("end_date")))
    service = said(one.get("number")) or said(one.get("correlation_id"))
    is_service = "service" in ci_class.lower()
    return {
        "ci_id": key, "ci_name": said(one.get("name")), "ci_class": ci_class,
        "resource_id": said(one.get("object_id")) or said(one.get("account_id")) or service,
        "service_id": (service or key) if is_service else said(one.get("business_service"), False) or owners.get(key),
        "service_name": said(one.get("name")) if is_service else said(one.get("business_service")),
        "product": said(one.get("product")) or said(one.get("parent")), "team": _first(one, _TAGS[0][1]),
        "cost_center": _first(one, _TAGS[1][1]), "business_unit": _first(one, _TAGS[2][1]),
        "environment": _first(one, _TAGS[3][1]),
        "criticality": said(one.get("busines_criticality")) or said(one.get("business_criticality")),
        "valid_from": since.date() if since else None, "valid_to": until.date() if until else None,
        "source_row": number,
    }  # fmt: skip
