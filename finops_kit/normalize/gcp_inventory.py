"""Google Cloud Asset Inventory to observations.

Source: Cloud Asset API: ``gcloud asset list`` (an array), ``gcloud asset export`` (one object a line; snake_case),
``gcloud asset search-all-resources``. List and export with the content type *resource* show every asset of the types
asked for, so they are whole looks; a search is not, for it takes any query.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from finops_kit.errors import SourceRefused
from finops_kit.normalize.kubernetes import UnreadableError
from finops_kit.normalize.observations import Look, as_dict, pick, snapshot
from finops_kit.sources.documents import Document

#: asset type -> kind; any other stands under its own name
KINDS = {
    "compute.googleapis.com/instance": "machine", "compute.googleapis.com/disk": "disk",
    "compute.googleapis.com/regiondisk": "disk", "compute.googleapis.com/snapshot": "snapshot",
    "sqladmin.googleapis.com/instance": "database", "compute.googleapis.com/forwardingrule": "load_balancer",
    "compute.googleapis.com/address": "ip_address", "compute.googleapis.com/instancegroupmanager": "instance_group",
    "container.googleapis.com/cluster": "cluster", "storage.googleapis.com/bucket": "bucket",
}  # fmt: skip
_STATES = {"terminated": "stopped", "stopped": "stopped", "suspended": "stopped", "runnable": "running"}
_CUSTOM = re.compile(r"custom-(\d+)-(\d+)(?:-ext)?$")


def observe_gcp(document: Document, name: str) -> Look:
    """The observations of one export.

    Raises
    ------
    SourceRefused : it is no list of assets
    """
    look = Look("gcp", document.observed_at, document.observed_from)
    assets = document.value
    if isinstance(assets, dict):
        assets = assets.get("assets") or assets.get("results") or [assets]
    if not isinstance(assets, list):
        raise SourceRefused(f"{name} is no export of Google Cloud Asset Inventory; expected a list of assets.")
    searched = False
    for number, one in enumerate(assets, start=1):
        try:
            if not isinstance(one, dict):
                raise UnreadableError("asset", "no asset")
            searched = searched or not isinstance(one.get("resource"), dict)
            look.rows.append(_row(look, number, one))
        except UnreadableError as error:
            look.reject(number, error, one)
    return look.close(not searched and not pick(document.value, "nextPageToken"))


def _last(text: Any) -> str | None:
    return text.rstrip("/").rsplit("/", 1)[-1] if isinstance(text, str) else None


def _row(look: Look, number: int, one: dict[str, Any]) -> dict[str, Any]:
    asset_type = one.get("asset_type") or one.get("assetType")
    if not isinstance(asset_type, str):
        raise UnreadableError("assetType", "no asset: it has no type")
    kind = KINDS.get(asset_type.lower(), asset_type.lower())
    name = one.get("name")
    about = as_dict(pick(one, "resource", "data")) or as_dict(one.get("additionalAttributes"))
    project = _project(name) or pick(one, "project")
    place = about.get("zone") or about.get("region") or one.get("location") or pick(one, "resource", "location")
    zone = _last(place) or _place_in(name)
    region = re.sub(r"-[a-z]$", "", zone) if zone else None
    state = about.get("status") or about.get("state") or one.get("state")
    users = about.get("users")
    power = _STATES.get(str(state).lower(), str(state).lower()) if isinstance(state, str) else None
    if kind == "disk":
        power = "attached" if users else "available"
    elif kind == "database" and pick(about, "settings", "activationPolicy") == "NEVER":
        power = "stopped"
    sku = _last(about.get("machineType")) or _last(about.get("type")) or pick(about, "settings", "tier")
    custom = _CUSTOM.search(sku or "")
    return snapshot(
        look, number, name, kind, scope=f"gcp/{project or ''}/{kind}", provider_name="Google Cloud",
        resource_name=about.get("name") or one.get("displayName") or _last(name), region_id=region, account_id=project,
        owner_id=pick(users, 0) or about.get("sourceDisk"), power_state=power, sku=sku,
        vcpu=int(custom[1]) if custom else None, memory_gib=Decimal(custom[2]) / 1024 if custom else None,
        storage_gib=about.get("sizeGb") or about.get("diskSizeGb") or pick(about, "settings", "dataDiskSizeGb"),
        replicas=about.get("targetSize") if kind == "instance_group" else None,
        tags=as_dict(about.get("labels") or one.get("labels") or pick(about, "settings", "userLabels")),
        attributes={"asset_type": asset_type, "zone": zone, "id": about.get("id"), "self_link": about.get("selfLink"),
                    "created": about.get("creationTimestamp"),
                    "updated": one.get("update_time") or one.get("updateTime")},
    )  # fmt: skip


def _place_in(name: Any) -> str | None:
    found = re.search(r"/(?:zones|regions|locations)/([^/]+)", name) if isinstance(name, str) else None
    return found[1] if found else None


def _project(name: Any) -> str | None:
    found = re.search(r"/projects/([^/]+)", name) if isinstance(name, str) else None
    return found[1] if found else None
