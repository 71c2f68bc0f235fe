"""JSON exports of inventories, read whole: one document, or one object a line; and when they were made.

Observes only. A provider's answer carries no time of its own, so the time comes from the file's name or the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from finops_kit.errors import SourceRefused
from finops_kit.sources.files import SourceFile, read_bounded

#: an export is read whole, so there is a bound to it, in bytes of JSON
MAX_BYTES = 512 << 20
#: a day, and perhaps a time, in a file's name: 2026-09-30, 2026-09-30T06:00:00Z, 2026-09-30_06.00.00
_STAMP = re.compile(
    r"(?<!\d)(20\d{2})-(\d{2})-(\d{2})(?:[T_ ](\d{2})[:.]?(\d{2})(?:[:.]?(\d{2}))?Z?)?(?!\d)"
)  # fmt: skip


@dataclass(frozen=True)
class Document:
    """One JSON export.

    Attributes
    ----------
    value : the document; a list of objects where the file holds one object a line
    by_line : one object a line
    observed_at, observed_from : when it was made, and where that is known from
    """

    value: Any
    by_line: bool
    observed_at: datetime
    observed_from: str


def _compile(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)


_AWS = _compile(
    r'"Reservations"\s*:\s*\[', r'"Volumes"\s*:\s*\[', r'"Snapshots"\s*:\s*\[', r'"DBInstances"\s*:\s*\[',
    r'"LoadBalancers"\s*:\s*\[', r'"LoadBalancerDescriptions"\s*:\s*\[', r'"AutoScalingGroups"\s*:\s*\[',
    r'"Activities"\s*:\s*\[',
)  # fmt: skip


def _is_aws(head: str) -> bool:
    opening = head.lstrip()[:400]
    return opening.startswith("{") and any(pattern.search(opening) for pattern in _AWS)


def _is_azure(head: str) -> bool:
    return bool(re.search(r'"id"\s*:\s*"/subscriptions/', head, re.I) and re.search(r'"type"\s*:\s*"[\w.]+/', head))


def _is_gcp(head: str) -> bool:
    return bool(re.search(r'"asset_?[tT]ype"\s*:\s*"', head) and re.search(r'"name"\s*:\s*"//', head))


def _is_servicenow(head: str) -> bool:
    opening = head.lstrip()[:200]
    return bool(re.match(r'\{\s*"result"\s*:\s*[\[{]', opening) and '"sys_id"' in head)


def _is_prometheus(head: str) -> bool:
    return bool(re.search(r'"resultType"\s*:\s*"(?:matrix|vector|scalar|string)"', head[:2000]))


#: format -> whether the head of a JSON file looks like it, the most particular first
DOCUMENTS: dict[str, Callable[[str], bool]] = {
    "servicenow": _is_servicenow, "gcp-inventory": _is_gcp, "azure-inventory": _is_azure, "aws-inventory": _is_aws,
    "prometheus": _is_prometheus,
}  # fmt: skip


def recognise_document(source: SourceFile) -> str | None:
    """The name of the inventory format that a JSON file's head looks like, or None."""
    head = source.head[:262_144].decode("utf-8", errors="replace").removeprefix("\ufeff")
    return next((name for name, looks_like in DOCUMENTS.items() if looks_like(head)), None)


def read_document(source: SourceFile) -> tuple[Document, str]:
    """Read a JSON export; also returns the SHA-256 of the bytes that were read.

    Raises
    ------
    SourceRefused : no JSON, or too large to be an inventory
    """
    content, digest = read_bounded(source, MAX_BYTES, "Export it account by account.")
    value, by_line = _parse(content, source.name)
    at, known_from = time_of(source)
    return Document(value, by_line, at, known_from), digest


def _parse(content: bytes, name: str) -> tuple[Any, bool]:
    try:
        text = content.decode("utf-8")
        return json.loads(text, parse_float=Decimal), False
    except (ValueError, RecursionError, ArithmeticError) as error:
        first = error
    try:
        lines = [line for line in content.decode("utf-8").splitlines() if line.strip()]
        if len(lines) > 1:
            return [json.loads(line, parse_float=Decimal) for line in lines], True
    except (ValueError, RecursionError, ArithmeticError):
        pass
    raise SourceRefused(f"{name} is no readable JSON ({str(first)[:120]}). Export it again.") from first


def time_of(source: SourceFile) -> tuple[datetime, str]:
    """When an export was made: the time in its name, else the file's own; and which of the two.

    A time without a zone is read as UTC.
    """
    for found in reversed(list(_STAMP.finditer(source.path.name))):
        parts = [int(part) for part in found.groups(default="0")]
        try:
            return datetime(*parts, tzinfo=UTC), "time in the file's name"  # type: ignore[misc,arg-type]
        except ValueError:
            continue
    return datetime.fromtimestamp(source.modified_ns // 1_000_000_000, UTC), "modification time of the file"
