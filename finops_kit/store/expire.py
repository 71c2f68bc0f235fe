"""Expiry: data past its retention leaves the store by one recorded act, and the proof that it was there stays.

This is the one exception to append-only, and it is narrow. What leaves is whole batches of one class of tables,
each past its years and under no hold. A ledger entry of kind ``expire`` stands first: it names every file with
its hash, the rule, the reason and who. Only then are the files removed from disk. Ledger entries never expire,
so each leaf of the Merkle tree stays, and a proof made earlier still holds.

From the act's version on the data is gone. A reader at an earlier version sees what has not expired since
(:func:`.acts.expired_files`): a version stays what it was, less what had to be destroyed.

Source: GDPR Article 5(1)(e) and 17(1)(e), AO section 147(3): data is kept as long as it must be, and no longer.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from finops_kit.errors import UsageError, VerificationFailed
from finops_kit.settings import Workspace
from finops_kit.store.acts import COMPACT, EXPIRE, all_entries, expired_batches, merges
from finops_kit.store.configuration import StoreSettings, read_settings
from finops_kit.store.lake import LAKE
from finops_kit.store.ledger import file_hash
from finops_kit.store.retention import CLASSES, EXPIRABLE, TABLE_CLASSES, retention_years
from finops_kit.store.writer import open_writer

Row = dict[str, Any]


@dataclass
class Expiry:
    """What an expiry covers, and whether it was done.

    Attributes
    ----------
    batches : per batch and table: batch_id, entry, table, recorded_on, kept_until, rows, files (path, bytes, sha256)
    held : what would be due and is held: batch_id, table, hold
    entry : the ledger entry of the act; None where nothing was done
    removed : files removed from disk
    """

    retention_class: str
    before: date
    batches: list[Row] = field(default_factory=list)
    held: list[Row] = field(default_factory=list)
    entry: int | None = None
    removed: int = 0

    @property
    def bytes(self) -> int:
        """The size of the files."""
        return sum(file["bytes"] for batch in self.batches for file in batch["files"])

    def as_dict(self) -> Row:
        """For JSON."""
        return {"class": self.retention_class, "before": self.before.isoformat(), "batches": self.batches,
                "held": self.held, "bytes": self.bytes, "entry": self.entry, "removed": self.removed}  # fmt: skip


def plan_expiry(
    entries: Sequence[Row], settings: StoreSettings, retention_class: str, before: date, today: date
) -> Expiry:
    """What of a class is past its years, recorded before a day, and what of it a hold keeps.

    Parameters
    ----------
    entries : the ledger in its order

    Raises
    ------
    UsageError : there is no such class, or none of its tables can expire
    """
    if retention_class not in CLASSES:
        raise UsageError(f"There is no class {retention_class!r}. There are {', '.join(CLASSES)}.")
    years = retention_years(settings)
    tables = [table for table in EXPIRABLE if TABLE_CLASSES.get(table, "books") == retention_class]
    gone = {(act["batch_id"], act["table"]) for act in expired_batches(entries)}
    plan = Expiry(retention_class, before)
    for entry in entries:
        if entry["kind"] == COMPACT:
            continue  # what was merged expires with the batches that it came from
        day = entry["recorded_at"].astimezone(UTC).date()
        files = defaultdict(list)
        for file in json.loads(entry["data_files"] or "[]"):
            if file["table"] in tables:
                files[file["table"]].append({key: file[key] for key in ("path", "bytes", "sha256")})
        for table, own in sorted(files.items()):
            until = date(day.year + years[table], 12, 31)
            if day >= before or today <= until or (entry["batch_id"], table) in gone:
                continue
            holds = [hold.name for hold in settings.holds if hold.covers(table, day)]
            if holds:
                plan.held.append({"batch_id": entry["batch_id"], "table": table, "hold": ", ".join(holds)})
                continue
            plan.batches.append({"batch_id": entry["batch_id"], "entry": entry["entry"], "table": table,
                                 "recorded_on": day.isoformat(), "kept_until": until.isoformat(),
                                 "files": own})  # fmt: skip
    _with_merged(plan, entries)
    return plan


def _with_merged(plan: Expiry, entries: Sequence[Row]) -> None:
    """Merged files go with their batches, and only with all of them: a batch that is kept keeps those beside it."""
    proved = {file["path"]: file for entry in entries for file in json.loads(entry["data_files"] or "[]")}
    records = merges(entries)
    going = {(batch["table"], batch["batch_id"]): batch for batch in plan.batches}
    for record in reversed(records):  # the newest merge of a batch holds all that earlier ones do
        own = [(record["table"], batch) for batch in record["batches"]]
        if not all(key in going for key in own):
            for key in own:
                if going.pop(key, None):
                    plan.held.append({"batch_id": key[1], "table": key[0], "hold": "one file with what is kept"})
    for record in records:
        keys = [(record["table"], batch) for batch in record["batches"]]
        if keys[0] in going:
            going[keys[0]]["files"] += [
                {key: proved[name][key] for key in ("path", "bytes", "sha256")} for name in record["files"]
            ]
    plan.batches = list(going.values())


def expire(
    workspace: Workspace, retention_class: str, before: date, *, reason: str = "", actor: str | None = None,
    dry_run: bool = True, today: date | None = None,
) -> Expiry:  # fmt: skip
    """Let a class expire: say what is due, or record the act and remove the files.

    Parameters
    ----------
    before : only what was recorded before this day
    reason : why, for the ledger; an act needs one
    dry_run : only say what would go
    today : the day that it is judged on; today where nothing is said

    Raises
    ------
    UsageError : no such class, or no reason
    VerificationFailed : a file that should go is not what the ledger says; nothing is removed
    StoreBusy, StoreError : another process writes, or the store cannot be written to
    """
    if not dry_run and not reason.strip():
        raise UsageError("Expiry is recorded with its reason: say --reason.")
    with open_writer(workspace) as writer, writer.exclusive():
        entries = all_entries(writer.connection)
        plan = plan_expiry(
            entries, read_settings(workspace), retention_class, before, today or datetime.now(UTC).date()
        )
        for file in (file for batch in plan.batches for file in batch["files"]):
            path = workspace.data / file["path"]
            if not path.is_file() or file_hash(path) != file["sha256"]:
                raise VerificationFailed(
                    f"{file['path']} is not what the ledger says; nothing expired. `finops verify`."
                )
        for batch in plan.batches:
            row = writer.connection.execute(
                f"SELECT count(*) FROM {LAKE}.{batch['table']} WHERE batch_id = ?", [batch["batch_id"]]
            ).fetchone()
            batch["rows"] = int(row[0]) if row else 0
        if dry_run:
            return plan
        if plan.batches:
            details = {"class": retention_class, "before": before.isoformat(), "reason": reason.strip(),
                       "batches": plan.batches, "held": plan.held}  # fmt: skip
            with writer.batch(kind=EXPIRE, format=retention_class, details=details, actor=actor) as act:
                for table in sorted({batch["table"] for batch in plan.batches}):
                    ids = [batch["batch_id"] for batch in plan.batches if batch["table"] == table]
                    marks = ", ".join("?" for _ in ids)
                    act.connection.execute(f"DELETE FROM {LAKE}.{table} WHERE batch_id IN ({marks})", ids)
            plan.entry = act.entry
        plan.removed = remove_expired(workspace, all_entries(writer.connection))
    return plan


def remove_expired(workspace: Workspace, entries: Sequence[Row]) -> int:
    """Remove from disk what the ledger says has expired; what a crash left is removed by the next act."""
    removed = 0
    for act in expired_batches(entries):
        for file in act["files"]:
            path = workspace.data / file["path"]
            if path.is_file():
                path.unlink()
                removed += 1
    return removed
