"""What one export of an inventory says, as rows of the store: the parts that every observer shares.

An observer turns an export into a :class:`Look`: what was seen, what could not be read, and what was looked at.
Nothing is guessed: what a source does not say stays null, and a resource counts as absent only where a look that
was complete for its scope does not show it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

from finops_kit.normalize.kubernetes import Scope, UnreadableError

_STORED = Decimal(1).scaleb(-18)
_LIMIT = Decimal(10) ** 20
_CAPACITY = ("vcpu", "memory_gib", "storage_gib", "replicas", "gpu", "usage_vcpu")
#: longest raw text kept of one object that cannot be taken in, in characters
MAX_RAW = 20_000


@dataclass
class Look:
    """What one export says.

    Attributes
    ----------
    source_system : who observed
    rows, events, items, samples : rows of ``resource_snapshot``, ``platform_event``, ``cmdb_item``, ``usage_sample``
    bad : rows of ``quarantine``, without the file's name
    scopes : what was looked at
    """

    source_system: str
    observed_at: datetime
    observed_from: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    bad: list[dict[str, Any]] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)

    @property
    def read(self) -> int:
        """How many objects the export holds."""
        return len(self.rows) + len(self.events) + len(self.items) + len(self.samples) + len(self.bad)

    def reject(self, number: int, error: UnreadableError, raw: Any) -> None:
        """Set one object aside with its reason."""
        text = json.dumps(raw, default=str)[:MAX_RAW]
        self.bad.append({"source_row": number, "column_name": error.field, "reason": str(error), "raw": text})

    def close(self, complete: bool) -> Look:
        """Name the scopes that the rows lie in; one with an unreadable object may not have shown everything."""
        whole = complete and not self.bad
        self.scopes += [Scope(scope, whole) for scope in sorted({row["scope"] for row in self.rows})]
        return self


def snapshot(
    look: Look, number: int, resource_id: Any, kind: str, *, scope: str, attributes: dict[str, Any] | None = None,
    tags: dict[str, Any] | None = None, **columns: Any,
) -> dict[str, Any]:  # fmt: skip
    """One observation as a row of ``resource_snapshot``.

    Raises
    ------
    UnreadableError : it has no id, or a capacity is no number
    """
    if not isinstance(resource_id, str) or not resource_id.strip():
        raise UnreadableError("resource_id", "the object has no id")
    row: dict[str, Any] = {
        "resource_id": resource_id.strip(), "resource_name": None, "source_system": look.source_system,
        "observed_at": look.observed_at, "presence": "present", "scope": scope, "kind": kind,
    }  # fmt: skip
    for name, value in columns.items():
        row[name] = read_number(value, name) if name in _CAPACITY else as_words(value)
    row["tags"] = [(str(key).strip(), as_words(value) or "") for key, value in sorted((tags or {}).items())]
    said = {key: value for key, value in (attributes or {}).items() if value not in (None, "", {}, [])}
    row["attributes"] = json.dumps(said, sort_keys=True, default=_plain)
    row["snapshot_id"] = hashlib.sha256(json.dumps(row, sort_keys=True, default=_plain).encode()).hexdigest()
    row["source_row"] = number
    return row


def event(look: Look, number: int, **columns: Any) -> dict[str, Any]:
    """One notice of the platform as a row of ``platform_event``."""
    row = {"source_system": look.source_system, **columns}
    row["event_id"] = hashlib.sha256(json.dumps(row, sort_keys=True, default=_plain).encode()).hexdigest()
    row["source_row"] = number
    return row


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def as_words(value: Any) -> str | None:
    """A value as text, blanks taken off; None where there is none."""
    if value is None or isinstance(value, dict | list):
        return None
    return str(value).strip() or None


def read_number(value: Any, field_name: str) -> Decimal | None:
    """A capacity as an exact number, to 18 decimals; None where there is none.

    Raises
    ------
    UnreadableError : it is no number, or larger than anything that is kept

    Example
    -------
    >>> read_number("2.5", "vcpu"), read_number("", "vcpu")
    (Decimal('2.500000000000000000'), None)
    """
    if value is None or value == "":
        return None
    try:
        with localcontext() as context:
            context.prec = 80
            if isinstance(value, bool):
                raise InvalidOperation
            found = Decimal(str(value).strip())
            if not found.is_finite() or abs(found) >= _LIMIT:
                raise InvalidOperation
            return found.quantize(_STORED)
    except (InvalidOperation, ValueError):
        raise UnreadableError(field_name, f"{str(value)[:60]!r} is no number that can be kept") from None


def gib_of_mib(value: Any, field_name: str) -> Decimal | None:
    """MiB in GiB, to 18 decimals."""
    number = read_number(value, field_name)
    return None if number is None else (number / 1024).quantize(_STORED)


def pick(value: Any, *path: str | int) -> Any:
    """What stands at a path of keys and places; None where it breaks off.

    Example
    -------
    >>> pick({"a": [{"b": 1}]}, "a", 0, "b"), pick({"a": []}, "a", 0, "b")
    (1, None)
    """
    for key in path:
        if isinstance(key, int):
            value = value[key] if isinstance(value, list) and -len(value) <= key < len(value) else None
        else:
            value = value.get(key) if isinstance(value, dict) else None
    return value


def as_dict(value: Any) -> dict[str, Any]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def in_utc(text: Any) -> datetime | None:
    """An ISO 8601 time in UTC, read as UTC where it has no zone; None where it is none."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
