"""RVTools workbooks to observations of a vSphere house: machines, hosts, disks, datastores.

Source: RVTools documentation (Robware), tabs vInfo, vHost, vDisk, vDatastore, vMetaData. Older versions write MB where
they mean MiB. A workbook shows a whole vCenter. What the other tabs say of the same machines is not read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from finops_kit.errors import SourceRefused
from finops_kit.normalize.kubernetes import UnreadableError
from finops_kit.normalize.observations import Look, gib_of_mib, in_utc, read_number, snapshot
from finops_kit.sources.workbook import Workbook

_POWER = {"poweredon": "running", "poweredoff": "stopped", "suspended": "stopped"}


def sheet_name(name: str) -> str:
    """A tab's name in one spelling: RVTools has put ``tab`` before it."""
    return name.strip().lower().removeprefix("tab")


def is_rvtools(sheets: list[str]) -> bool:
    """Whether a workbook's tabs are those of RVTools."""
    return bool({sheet_name(name) for name in sheets} & {"vinfo", "vhost", "vdisk"})


def observe_rvtools(book: Workbook, name: str, at: datetime, known_from: str) -> tuple[Look, list[str]]:
    """The observations of a workbook, and the tabs that were not read.

    Raises
    ------
    SourceRefused : none of its tabs is read
    """
    tabs = {sheet_name(sheet): sheet for sheet in book.sheets}
    told = _made_at(book, tabs)
    look = Look("vsphere", told or at, "tab vMetaData" if told else known_from)
    used = [tab for tab in _READERS if tab in tabs]
    if not used:
        raise SourceRefused(f"{name} has none of the tabs {', '.join(_READERS)}. Is it an RVTools export?")
    machines: dict[str, str] = {}
    number = 0
    for tab in used:
        for row, record in book.records(tabs[tab]):
            number += 1
            try:
                _READERS[tab](look, number, f"{tabs[tab]}!{row}", record, machines)
            except UnreadableError as error:
                look.reject(number, error, record)
    return look.close(True), [sheet for tab, sheet in tabs.items() if tab not in used and tab != "vmetadata"]


def _made_at(book: Workbook, tabs: dict[str, str]) -> datetime | None:
    if "vmetadata" not in tabs:
        return None
    for _, record in book.records(tabs["vmetadata"]):
        for key, value in record.items():
            if "creation" in key.lower():
                return in_utc(value.replace("/", "-"))
    return None


def _either(record: dict[str, str], *names: str) -> str | None:
    return next((record[name] for name in names if record.get(name)), None)


def _mib(record: dict[str, str], name: str) -> Decimal | None:
    found = _either(record, f"{name} MiB", f"{name} MB", name)
    return gib_of_mib(_digits(found), name)


def _digits(text: str | None) -> str | None:
    """A number without the marks between its thousands: 1,024 and 1.024.000."""
    return re.sub(r"[,.](?=\d{3}(\D|$))", "", text) if text and re.fullmatch(r"\d{1,3}([,.]\d{3})+", text) else text


def _server(record: dict[str, str]) -> str:
    return _either(record, "VI SDK Server", "Datacenter") or ""


def _flag(text: str | None) -> bool:
    return (text or "").strip().lower() in ("true", "1", "yes")


def _machine_id(record: dict[str, str]) -> str | None:
    return _either(record, "VM UUID", "VM ID")


def _machine(look: Look, number: int, place: str, record: dict[str, str], machines: dict[str, str]) -> None:
    key = _machine_id(record)
    if key is None and record.get("VM"):
        key = f"{_server(record)}/{record['VM']}"
    if key and record.get("VM ID"):
        machines[record["VM ID"]] = key
    if key and record.get("VM"):
        machines.setdefault("name:" + record["VM"], key)
    kind = "template" if _flag(record.get("Template")) else "machine"
    state = record.get("Powerstate", "")
    look.rows.append(
        snapshot(
            look, number, key, kind, scope=f"vsphere/{_server(record)}/{kind}", resource_name=record.get("VM"),
            region_id=record.get("Datacenter"), owner_id=record.get("Host"),
            power_state=_POWER.get(state.lower(), state), vcpu=_digits(record.get("CPUs")),
            memory_gib=_mib(record, "Memory"), storage_gib=_mib(record, "Provisioned"),
            attributes=_attributes(place, record, "Cluster", "Host", "Folder", "Resource pool", "VM ID", "Annotation",
                                   "OS according to the configuration file", "Creation date", "In Use MiB", "DNS Name"),
        )
    )  # fmt: skip


def _host(look: Look, number: int, place: str, record: dict[str, str], _: dict[str, str]) -> None:
    cores = read_number(_digits(_either(record, "# Cores")), "# Cores")
    used = read_number(record.get("CPU usage %"), "CPU usage %")
    look.rows.append(
        snapshot(
            look, number, record.get("Host"), "host", scope=f"vsphere/{_server(record)}/host",
            resource_name=record.get("Host"), region_id=record.get("Datacenter"), owner_id=record.get("Cluster"),
            power_state="maintenance" if _flag(record.get("in Maintenance Mode")) else "running",
            sku=record.get("Model"), vcpu=cores, memory_gib=_mib(record, "# Memory"),
            usage_vcpu=cores * used / 100 if cores is not None and used is not None else None,
            attributes=_attributes(place, record, "Cluster", "Vendor", "CPU Model", "# CPU", "Memory usage %", "# VMs",
                                   "Service tag", "Boot time"),
        )
    )  # fmt: skip


def _disk(look: Look, number: int, place: str, record: dict[str, str], machines: dict[str, str]) -> None:
    owner = _machine_id(record)
    owner = machines.get(record.get("VM ID", "")) or owner or machines.get("name:" + record.get("VM", ""))
    which = _either(record, "Disk Key", "Disk")
    if not owner or not which:
        raise UnreadableError("VM ID", "the disk names no machine, or has no key")
    look.rows.append(
        snapshot(
            look, number, f"{owner}/{which}", "disk", scope=f"vsphere/{_server(record)}/disk",
            resource_name=f"{record.get('VM', '')} {record.get('Disk', '')}".strip(),
            region_id=record.get("Datacenter"), owner_id=owner, power_state="attached",
            sku=record.get("Disk Mode"), storage_gib=_mib(record, "Capacity"),
            attributes=_attributes(place, record, "Disk UUID", "Disk Path", "Path", "Thin", "Cluster", "Host"),
        )
    )  # fmt: skip


def _datastore(look: Look, number: int, place: str, record: dict[str, str], _: dict[str, str]) -> None:
    look.rows.append(
        snapshot(
            look, number, _either(record, "Object ID", "URL", "Name"), "datastore",
            scope=f"vsphere/{_server(record)}/datastore", resource_name=record.get("Name"),
            region_id=record.get("Datacenter"), sku=record.get("Type"), storage_gib=_mib(record, "Capacity"),
            attributes=_attributes(place, record, "Free MiB", "In Use MiB", "Cluster name", "Hosts", "Accessible"),
        )
    )  # fmt: skip


def _attributes(place: str, record: dict[str, str], *names: str) -> dict[str, Any]:
    return {"place": place, **{name: record[name] for name in names if name in record}}


_Reader = Callable[[Look, int, str, dict[str, str], dict[str, str]], None]
_READERS: dict[str, _Reader] = {"vinfo": _machine, "vhost": _host, "vdisk": _disk, "vdatastore": _datastore}
