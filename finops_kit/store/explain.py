"""Which delivery of a bill is current, why, and which are older: said in words, for ``finops status --deliveries``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import Any

import duckdb

_DELIVERIES = """
    SELECT d.dataset, d.source_system, d.billing_account_id, d.period_start, d.mode, d.rows, d.batch_id, l.entry,
        l.source_file, l.recorded_at, c.batch_id IS NOT NULL AS current,
        json_extract_string(l.details, '$.replays.batch_id') AS replays,
        json_extract(l.details, '$.late')::MAP(VARCHAR, VARCHAR) AS late
    FROM delivery d JOIN ledger l ON l.batch_id = d.batch_id
    LEFT JOIN current_delivery c ON c.batch_id = d.batch_id AND c.dataset = d.dataset
        AND c.source_system = d.source_system AND c.billing_account_id = d.billing_account_id
        AND c.period_start = d.period_start
    WHERE d.period_start IS NOT NULL
    ORDER BY d.dataset, d.source_system, d.billing_account_id, d.period_start, l.entry
"""


@dataclass(frozen=True)
class DeliveryStatus:
    """One account and billing period of one source: what of it is current, and why.

    Attributes
    ----------
    current, older, waiting, late : the files, oldest first; late ones came after a newer delivery and never count
    why : one or two sentences
    """

    dataset: str
    source: str
    account: str
    period: datetime
    current: list[str] = field(default_factory=list)
    older: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    rows: int = 0
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return asdict(self)


def explain_deliveries(connection: duckdb.DuckDBPyConnection) -> list[DeliveryStatus]:
    """One row per source, account and billing period of a bill, of a reader's connection."""
    found = connection.execute(_DELIVERIES)
    names = [column[0] for column in found.description]
    periods: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in found.fetchall():
        one = dict(zip(names, row, strict=True))
        key = (one["dataset"], one["source_system"], one["billing_account_id"], one["period_start"])
        periods.setdefault(key, []).append(one)
    return [_explain(key, told) for key, told in periods.items()]


def _explain(key: tuple[Any, ...], told: list[dict[str, Any]]) -> DeliveryStatus:
    current = [one for one in told if one["current"]]
    newest = max((one["entry"] for one in current), default=0)
    rest = [one for one in told if not one["current"]]
    late, waiting = [], []
    for one in rest:
        if one["mode"].endswith("-part") and one["entry"] > newest:
            waiting.append(one)
        elif one["mode"].endswith("-late"):  # with it the parts of its report before it
            late += [*waiting, one]
            waiting = []
    older = [one for one in rest if one not in waiting and one not in late]
    dataset, source, account, period = key
    return DeliveryStatus(
        dataset,
        source,
        account,
        period,
        current=[one["source_file"] for one in current if one["rows"]],
        older=[one["source_file"] for one in older],
        waiting=[one["source_file"] for one in waiting],
        late=[one["source_file"] for one in late],
        rows=sum(one["rows"] for one in current),
        why=" ".join(_sentences(dataset, current, older, waiting, late)),
    )


def _sentences(
    dataset: str,
    current: list[dict[str, Any]],
    older: list[dict[str, Any]],
    waiting: list[dict[str, Any]],
    late: list[dict[str, Any]],
) -> list[str]:
    out = []
    brought = [one for one in current if one["replays"]]
    files = [one for one in current if not one["replays"] and one["rows"]]
    if files:
        last = f"{files[-1]['recorded_at']:%Y-%m-%d %H:%M}"
        if any(one["mode"].endswith(("-part", "-whole")) for one in current):
            out.append(f"Current are the {len(files)} parts of one report, whole since {last}.")
        elif len(files) > 1:
            out.append(f"Current are {len(files)} files that add to each other, the last of {last}.")
        elif older:
            out.append(f"Current is {_name(files[0])}, which came last, on {last}.")
        else:
            out.append(f"Current is {_name(files[0])} of {last}, the only delivery.")
    if brought:
        out.append(f"{sum(one['rows'] for one in brought)} rows were brought again from quarantine.")
    if older:
        counted = "1 older file stays" if len(older) == 1 else f"{len(older)} older files stay"
        out.append(f"{counted} for what is read --as-of an earlier time.")
    if waiting:
        came = ", ".join(_name(one) for one in waiting)
        out.append(f"{came} wait{'s' if len(waiting) == 1 else ''} for the other parts of the report.")
    for one in late:
        if one["mode"].endswith("-late"):
            key = f"{one['billing_account_id']} {one['period_start']:%Y-%m-%d}"
            out.append(f"{_name(one)} does not count: it brings {(one['late'] or {}).get(key, 'an older bill')}.")
    if dataset == "charge_amortized":
        out.append("Amortised costs are kept beside the actual ones and never added to them.")
    return out


def _name(one: dict[str, Any]) -> str:
    return PurePath(one["source_file"]).name


def as_json(told: list[DeliveryStatus]) -> list[dict[str, Any]]:
    """The deliveries as JSON can hold them."""
    out: list[dict[str, Any]] = json.loads(json.dumps([one.as_dict() for one in told], default=str))
    return out
