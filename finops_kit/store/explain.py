"""Which delivery of a bill is current, why, and which are older: said in words, for ``finops status --deliveries``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import Any

import duckdb

from finops_kit.store.chains import Chain, Key, Row, Told, read_chains
from finops_kit.store.views import INSTEAD


@dataclass(frozen=True)
class DeliveryStatus:
    """One account and billing period of one source: what of it is current, and why.

    Attributes
    ----------
    current, older, waiting, late : the files, oldest first; late ones came after a newer delivery and never count
    why : one or two sentences
    todo : what waits or came late, since when, and what to do about it; empty where nothing does
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
    todo: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return asdict(self)


def explain_deliveries(connection: duckdb.DuckDBPyConnection) -> list[DeliveryStatus]:
    """One row per source, account and billing period of a bill, of a reader's connection."""
    return [_explain(key, told) for key, told in read_chains(connection).items() if key[3] is not None]


def count_attention(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How many bills wait for parts of their report, and of how many something came late."""
    told = explain_deliveries(connection)
    return {"waiting": sum(bool(one.waiting) for one in told), "late": sum(bool(one.late) for one in told)}


def _explain(key: Key, told: Told) -> DeliveryStatus:
    current = told.current.came if told.current else []
    late = [one for chain in told.chains if chain.late and not chain.counts for one in chain.came]
    late += [one for one in told.replays if one["mode"].endswith("-late")]
    counts = {one["source_hash"] for one in current}  # taken in once more, so that it counts
    late = [one for one in late if one["source_hash"] not in counts]
    waiting = [one for one in _held_back(told) if one not in late]
    older = [one for chain in told.chains for one in chain.came if one not in [*current, *late, *waiting]]
    brought = _brought(told)
    current = [one for one in current if one not in waiting]
    return DeliveryStatus(
        *key,
        current=[one["source_file"] for one in [*current, *brought] if one["rows"]],
        older=[one["source_file"] for one in older],
        waiting=[one["source_file"] for one in waiting],
        late=[one["source_file"] for one in late],
        rows=sum(one["rows"] for one in [*current, *brought]),
        why=" ".join(_sentences(key[0], current, brought, older)),
        todo=" ".join([*_waits(told, waiting, bool(current)), *_came_late(late, current)]),
    )


def _held_back(told: Told) -> list[Row]:
    """The files that wait for other parts of their report."""
    chain = told.waiting
    if chain is None:
        return []
    whole = [number for number, one in enumerate(chain.came) if not one["mode"].endswith("-part")]
    return chain.came[whole[-1] + 1 :] if whole else chain.came


def _brought(told: Told) -> list[Row]:
    """The rows that came again from quarantine and count."""
    since = max((one["entry"] for chain in told.chains if chain is told.current for one in chain.came[:1]), default=0)
    return [one for one in told.replays if one["mode"] == "append" and one["entry"] >= since]


def _sentences(dataset: str, current: list[Row], brought: list[Row], older: list[Row]) -> list[str]:
    out = []
    files = [one for one in current if one["rows"]]
    if files:
        last = f"{files[-1]['recorded_at']:%Y-%m-%d %H:%M}"
        if any(one["mode"].endswith(("-part", "-whole")) for one in current):
            out.append(f"Current are the {len(files)} parts of one report, whole since {last}.")
        elif len(files) > 1 and len({one["report"] for one in files}) == 1 and files[0]["report"]:
            out.append(f"Current are the {len(files)} parts of one report that have come, the last of {last}.")
        elif len(files) > 1:
            out.append(f"Current are {len(files)} files that add to each other, the last of {last}.")
            if again := [_name(one) for one in files if one["mode"].startswith(INSTEAD)]:
                own = "its own earlier delivery" if len(again) == 1 else "their own earlier deliveries"
                out.append(f"{_listed(again)} came again in the place of {own}.")
        elif older:
            out.append(f"Current is {_name(files[0])}, which came last, on {last}.")
        else:
            out.append(f"Current is {_name(files[0])} of {last}, the only delivery.")
    elif current:
        out.append(f"{_name(current[-1])} bills this under another account now, so nothing of it counts here.")
    elif not brought:
        out.append("Nothing of it counts yet.")
    if brought:
        rows = sum(one["rows"] for one in brought)
        out.append(f"{rows} {'row was' if rows == 1 else 'rows were'} brought again from quarantine.")
    if older:
        counted = "1 older file stays" if len(older) == 1 else f"{len(older)} older files stay"
        out.append(f"{counted} for what is read --as-of an earlier time.")
    if dataset == "charge_amortized":
        out.append("Amortised costs are kept beside the actual ones and never added to them.")
    return out


def _waits(told: Told, waiting: list[Row], counts: bool) -> list[str]:
    """Which parts wait, since when and for which others, and what to do."""
    if not waiting or told.waiting is None:
        return []
    chain = told.waiting
    known = chain.listed or (told.current.parts if told.current and told.current is not chain else set())
    lacks = sorted(known - chain.parts)
    came = _listed([_name(one) for one in waiting])
    since = f"{waiting[0]['recorded_at']:%Y-%m-%d %H:%M}"
    until = "the delivery before it counts" if counts else "nothing of it counts"
    out = [f"{came} wait{'s' if len(waiting) == 1 else ''} since {since} for the other parts of the report."]
    if lacks:
        names = {number: chain.name_of(number) or _name_before(told, chain, number) for number in lacks}
        named = _listed([f"part {number}" + _file(names[number]) for number in lacks])
        missing = "has not come or was refused" if len(lacks) == 1 else "have not come or were refused"
        file = names[lacks[0]] or "the missing part"
        out.append(f"{named[0].upper()}{named[1:]} {missing}; until then {until}.")
        out.append(f"Next: finops ingest {file}, or all parts of the report in one command.")
        if len(waiting) == 1 and not any(names.values()):  # only its own name, or the report before it, says so
            out.append(f"Should it be the whole bill: finops ingest --newest {waiting[0]['source_file']}.")
    else:
        out.append(f"Until it is whole {until}. Next: take in all parts of the report in one command.")
    return out


def _name_before(told: Told, chain: Chain, part: int) -> str:
    """The file of a part in the delivery before, where that was of the same report."""
    before = told.current.came if told.current else []
    return next((one["source_file"] for one in before if one["part"] == part and one["report"] in chain.reports), "")


def _came_late(late: list[Row], current: list[Row]) -> list[str]:
    """What came after a newer delivery, and what to do where it should count."""
    out = []
    added = any(one["mode"] == "append" or one["mode"].startswith(INSTEAD) for one in current if not one["report"])
    for reason in dict.fromkeys(one["late"] for one in late if one["late"]):
        last = max(one["entry"] for one in late if one["late"] == reason)
        files = [one for one in late if one["late"] in (reason, None) and one["entry"] <= last]
        said = "does not count: it brings" if len(files) == 1 else "do not count: they bring"
        out.append(f"{_listed([_name(one) for one in files])} {said} {reason}.")
        if not files[-1]["replays"]:
            how = "--adds --newest" if added and not files[-1]["report"] else "--newest"
            out.append(f"Should it count all the same: finops ingest {how} with all its files.")
    return out


def _file(name: str) -> str:
    return f" ({PurePath(name).name})" if name else ""


def _listed(names: list[str], most: int = 5) -> str:
    """Names in a sentence; of many the first and how many more."""
    shown = names[:most] + ([f"{len(names) - most} more"] if len(names) > most else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _name(one: dict[str, Any]) -> str:
    return PurePath(one["source_file"]).name


def as_json(told: list[DeliveryStatus]) -> list[dict[str, Any]]:
    """The deliveries as JSON can hold them."""
    out: list[dict[str, Any]] = json.loads(json.dumps([one.as_dict() for one in told], default=str))
    return out
