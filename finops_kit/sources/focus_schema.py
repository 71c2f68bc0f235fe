"""Which FOCUS version a file is of, where its columns alone do not say it: the schema object that lies beside it.

FOCUS has a provider deliver a schema object, a JSON with ``FocusVersion`` and ``ColumnDefinition`` (Microsoft:
``Columns``), next to its exports; where it lies is left to the provider. Only one that defines the very columns of the
file is taken at its word. Source: FinOps Open Cost and Usage Specification 1.0 to 1.4, Metadata: Schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from finops_kit.fields import FOCUS_VERSIONS

#: folders in which it is looked for, from the file's own
_PLACES = (".", "metadata", "metadata/schemas", "..", "../metadata", "../metadata/schemas", "../schemas")
#: a schema object is small, and there are few of them
_MAX_BYTES, _MAX_FILES = 1 << 20, 200


def version_beside(path: Path, columns: Iterable[str]) -> str:
    """The FOCUS version that the schema objects near a file say of these columns; empty where none does, or two differ.

    Parameters
    ----------
    columns : the file's columns as FOCUS or the provider spells them
    """
    wanted = {name.lower() for name in columns}
    found = {version for version, defined in _objects(path) if defined == wanted}
    return found.pop() if len(found) == 1 else ""


def _objects(path: Path) -> Iterator[tuple[str, set[str]]]:
    for place in dict.fromkeys((path.parent / place).resolve() for place in _PLACES):
        for file in sorted(place.glob("*.json"))[:_MAX_FILES]:
            try:
                if file.stat().st_size > _MAX_BYTES:
                    continue
                value = json.loads(file.read_bytes())
            except (OSError, ValueError, RecursionError):
                continue  # it is no schema object; what it is, is said when it is taken in
            for one in value if isinstance(value, list) else [value]:
                version = _version(str(one.get("FocusVersion"))) if isinstance(one, dict) else ""
                columns = (one.get("ColumnDefinition") or one.get("Columns")) if version else None
                if isinstance(columns, list):
                    yield version, {str(c.get("ColumnName")).lower() for c in columns if isinstance(c, dict)}


def _version(said: str) -> str:
    """A version that is known, by how a provider writes it.

    Example
    -------
    >>> _version("1.2-preview"), _version("v1.4"), _version("1.3.0.1"), _version("2.0")
    ('1.2', '1.4', '1.3', '')
    """
    short = ".".join(said.strip().lower().removeprefix("v").split("-")[0].split(".")[:2])
    return short if short in FOCUS_VERSIONS else ""
