"""Manifests: which files make up one delivery of a bill, as the provider that wrote them says.

Source: AWS, "Cost and Usage Report delivery" (``reportKeys``) and "Data Exports delivery" (``dataFiles``); Azure Cost
Management, "Exports", manifest of a partitioned export (``blobs``, ``blobName``). A folder may hold older versions of a
report beside the one that its manifest names: the manifest decides.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from finops_kit.errors import SourceRefused


class NotWhole(SourceRefused):
    """A file that a manifest lists is not there."""


#: a manifest is a short list, in bytes
MAX_BYTES = 16 << 20


def may_be_manifest(name: str) -> bool:
    """Whether a file's name is one that the providers give to manifests; its content decides.

    Example
    -------
    >>> may_be_manifest("cur/20260901-20261001/cur-Manifest.json"), may_be_manifest("bill.json")
    (True, False)
    """
    return PurePosixPath(name).name.lower().endswith("manifest.json")


def read_manifest(path: Path, name: str) -> tuple[str, ...] | None:
    """The files that a manifest lists, in its order; None where the file is no manifest.

    Raises
    ------
    SourceRefused : it is a manifest that lists nothing, or a place that no file can have
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    listed = next(
        (value[key] for key in ("reportKeys", "dataFiles", "blobs") if isinstance(value.get(key), list)), None
    )
    if listed is None:
        return None
    files = [one.get("blobName") if isinstance(one, dict) else one for one in listed]
    if not files or not all(isinstance(one, str) and one.strip("/") for one in files):
        raise SourceRefused(f"{name} is a manifest that lists no file. Wait for the next delivery, or export it again.")
    keys = tuple(_key(str(one)) for one in files)
    if any(".." in PurePosixPath(key).parts or "\0" in key for key in keys):
        raise SourceRefused(f"{name} is a manifest that lists a path which leads out of its place.")
    return keys


def _key(text: str) -> str:
    """What is listed as a key in its bucket: an address loses scheme and bucket."""
    rest = text.split("://", 1)[1].partition("/")[2] if "://" in text else text
    return rest.strip("/")


def match_listed(manifest: str, listed: Sequence[str], exists: Callable[[str], bool]) -> list[str]:
    """The files of a place that a manifest means, in its order.

    Meant is the file whose whole name is listed, or else the longest end of a listed name that is there below the
    manifest's folder or one of those above it: a report that was copied elsewhere keeps its inner layout.

    Raises
    ------
    NotWhole : a listed file is missing

    Example
    -------
    >>> match_listed("in/cur-Manifest.json", ["p/cur/asm/cur-1.csv.gz"],
    ...              {"in/asm/cur-1.csv.gz", "in/old/cur-1.csv.gz"}.__contains__)
    ['in/asm/cur-1.csv.gz']
    """
    folder = PurePosixPath(manifest).parent
    bases = [folder, *folder.parents][:6]
    out = []
    for key in listed:
        parts = PurePosixPath(key).parts
        ends = [PurePosixPath(*parts[at:]) for at in range(len(parts))]
        near = ((base / end).as_posix() for base in bases for end in ends if base == folder or len(end.parts) > 1)
        found = next((place for place in (key, *near) if exists(place)), None)
        if found is None:
            raise NotWhole(
                f"{manifest} lists {len(listed)} files, and {key} is not there: the delivery is not whole. "
                f"Nothing of it was taken in."
            )
        out.append(found)
    return out
