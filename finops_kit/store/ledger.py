"""The ledger: one entry per batch, each chained to the one before by its hash.

An entry says what came in, from where, its hash, the rows read, stored and quarantined, the control
totals, who did it and when, and the SHA-256 of every data file that the batch wrote. ``entry_hash``
is SHA-256 over all other columns in a canonical form, so an edit anywhere breaks the chain from there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from finops_kit.fields import TABLES

#: previous_hash of the first entry
GENESIS = "0" * 64
#: the hashed columns, in this order
HASHED_COLUMNS = tuple(c for c in TABLES["ledger"].columns if c != "entry_hash")


def canonical(value: Any) -> Any:
    """A value as it is hashed: times as UTC with microseconds, decimals in plain notation, the rest as it is.

    Example
    -------
    >>> canonical(datetime(2026, 3, 1, tzinfo=UTC)), canonical(Decimal("1.50"))
    ('2026-03-01T00:00:00.000000Z', '1.50')
    """
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return value


def canonical_bytes(entry: Mapping[str, Any]) -> bytes:
    """One entry as the bytes that are hashed: JSON of its columns in order, no blanks, UTF-8."""
    pairs = [[column, canonical(entry[column])] for column in HASHED_COLUMNS]
    return json.dumps(pairs, ensure_ascii=False, separators=(",", ":")).encode()


def entry_hash(entry: Mapping[str, Any]) -> str:
    """SHA-256 over an entry's canonical bytes, in hex."""
    return hashlib.sha256(canonical_bytes(entry)).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content, in hex, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def decimals_as_json(totals: Mapping[str, Decimal]) -> str:
    """Amounts per currency as JSON text, in plain notation and without trailing zeros.

    Example
    -------
    >>> decimals_as_json({"EUR": Decimal("12.500"), "USD": Decimal("1E-9")})
    '{"EUR":"12.5","USD":"0.000000001"}'
    """
    return json.dumps({k: plain(totals[k]) for k in sorted(totals)}, separators=(",", ":"))


def plain(amount: Decimal) -> str:
    """A decimal in plain notation, without trailing zeros and without an exponent.

    Example
    -------
    >>> plain(Decimal("100.00")), plain(Decimal("2.3200E-9")), plain(Decimal("-0.0"))
    ('100', '0.00000000232', '0')
    """
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
