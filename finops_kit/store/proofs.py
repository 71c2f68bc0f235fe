"""The checks behind ``finops verify``, one function each: what fits yields nothing, the rest a finding."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence, Set
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import duckdb

from finops_kit.fields import TABLES
from finops_kit.store.acts import COMPACT, EXPIRE, MIGRATE, merges
from finops_kit.store.finding import Finding
from finops_kit.store.lacking import lacking
from finops_kit.store.lake import LAKE
from finops_kit.store.ledger import GENESIS, entry_hash, file_hash, plain
from finops_kit.store.reader import Reader
from finops_kit.store.writer import LEDGER, SOURCE_TABLES

Entry = dict[str, Any]
#: arithmetic for sums of 38 digits and what was cut off them; Python's own 28 digits would round them
EXACT = Context(prec=100)


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def read_entries(reader: Reader) -> tuple[list[Entry], list[Finding]]:
    """The ledger in its order, or why it cannot be read."""
    try:
        cursor = reader.connection.execute(f"SELECT * FROM {reader.source(LEDGER)} ORDER BY entry, batch_id")
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()], []
    except duckdb.Error as error:
        return [], [Finding("ledger", LEDGER, "a table that can be read", _brief(error))]


def chain(entries: Sequence[Entry], expected_head: str | None = None) -> Iterator[Finding]:
    """Recompute the chain: numbers without a gap, each entry's own hash, each link to the one before."""
    before = GENESIS
    for place, entry in enumerate(entries, start=1):
        name = f"ledger entry {entry['entry']} ({entry['batch_id']})"
        if entry["entry"] != place:
            yield Finding("ledger numbers", name, f"entry {place} in this place", f"entry {entry['entry']}")
        if (computed := entry_hash(entry)) != entry["entry_hash"]:
            yield Finding("ledger entry", name, f"entry_hash {computed} over its columns", str(entry["entry_hash"]))
        if entry["previous_hash"] != before:
            yield Finding("ledger link", name, f"previous_hash {before}", str(entry["previous_hash"]))
        before = entry["entry_hash"]
    if expected_head and not any(str(entry["entry_hash"]).startswith(expected_head.lower()) for entry in entries):
        yield Finding("ledger head", "ledger", f"the kept head {expected_head} in the chain", "no such entry")
    yield from _duplicates(entries)


def _duplicates(entries: Sequence[Entry]) -> Iterator[Finding]:
    batches: dict[str, int] = {}
    contents: dict[tuple[str, str, str], int] = {}
    for number, entry in enumerate(entries, start=1):
        if (first := batches.setdefault(entry["batch_id"], number)) != number:
            yield Finding("duplicate batch", f"batch {entry['batch_id']}", "one entry", f"entries {first} and {number}")
        if entry["kind"] != "ingest" or not entry["source_hash"]:
            continue
        said = json.loads(entry["details"] or "{}")
        key = (entry["kind"], entry["source_hash"], said.get("mapping_sha256", ""))
        # on purpose again: a part that did not change, with its new report; what was taken back, or asked for
        if (first := contents.setdefault(key, number)) != number and not said.keys() & {"again", "report", "replays"}:
            yield Finding(
                "duplicate content", f"{entry['source_file']}", "stored once", f"entries {first} and {number}"
            )


#: what an entry of some kinds may do besides inserting rows; the catalogue check holds it against what the entry says
ALLOWED = {MIGRATE: ("tables_altered",), EXPIRE: ("tables_deleted_from",), COMPACT: ("tables_deleted_from",)}


def history(reader: Reader, entries: Sequence[Entry]) -> Iterator[Finding]:
    """Hold the lake's own versions against the ledger: every change of data is one entry, and none deletes."""
    versions = reader.connection.execute(
        f"SELECT snapshot_id, changes, commit_extra_info FROM ducklake_snapshots('{LAKE}') "
        "WHERE snapshot_id <= ? ORDER BY 1",
        [reader.version],
    ).fetchall()
    known = {entry["entry_hash"]: entry["kind"] for entry in entries}
    committed = set()
    for number, changes, extra in versions:
        recorded = _committed_hash(extra)
        committed.add(recorded)
        touched = sorted(kind for kind in (changes or {}) if kind not in ("schemas_created", "tables_created"))
        if not touched:
            continue
        allowed = {"tables_inserted_into", *ALLOWED.get(known.get(recorded, ""), ())}
        if not allowed.issuperset(touched):
            yield Finding("history", f"store version {number}", "rows inserted only", ", ".join(touched))
        if recorded not in known:
            found = f"entry_hash {recorded}, which the ledger lacks" if recorded else "none"
            yield Finding("history", f"store version {number}", "a ledger entry for what it inserted", found)
    for entry in entries:
        if entry["entry_hash"] not in committed:
            name = f"ledger entry {entry['entry']} ({entry['batch_id']})"
            yield Finding("history", name, "a store version that was committed with it", "none")


def _committed_hash(extra: str | None) -> str:
    try:
        return str(json.loads(extra or "{}").get("entry_hash", ""))
    except (ValueError, AttributeError):
        return ""


def _proved_files(entries: Sequence[Entry]) -> dict[str, tuple[Entry, dict[str, Any]]]:
    """What the ledger says of each data file, by its path in the data folder."""
    return {file["path"]: (entry, file) for entry in entries for file in json.loads(entry["data_files"] or "[]")}


def data_files(
    reader: Reader, entries: Sequence[Entry], tell: Callable[[str], None], expired: Sequence[Entry] = ()
) -> tuple[dict[str, Any], int, list[Finding]]:
    """Hash every data file, and hold the catalogue's list of files against the ledger's.

    Parameters
    ----------
    expired : what expired since, by batch and table: such a file is gone, or waits to be removed
    """
    proved, findings, total = _proved_files(entries), [], 0
    gone = {file["path"]: act for act in expired for file in act["files"]}
    root = reader.workspace.data
    for number, (path, (entry, file)) in enumerate(sorted(proved.items()), start=1):
        tell(f"hashing data file {number:,} of {len(proved):,}")
        where = f"{path} (ledger entry {entry['entry']}, {entry['source_file'] or entry['batch_id']})"
        place = root / path
        try:
            size = place.stat().st_size
            total += size
            if size != file["bytes"]:
                findings.append(Finding("data file", where, f"{file['bytes']} bytes", f"{size} bytes"))
            if (found := file_hash(place)) != file["sha256"]:
                findings.append(Finding("data file", where, f"SHA-256 {file['sha256']}", found))
        except FileNotFoundError:
            if path not in gone:
                findings.append(Finding("data file", where, "a file", "none, and no ledger entry says that it expired"))
        except OSError as error:
            findings.append(Finding("data file", where, "a file that can be read", error.strerror or str(error)))
    unlisted = gone.keys() | {name for record in merges(entries) for name in record["replaces"]}
    findings += _catalogue_files(reader, proved, unlisted)
    return proved, total, findings


def _catalogue_files(reader: Reader, proved: dict[str, Any], unlisted: Set[str]) -> Iterator[Finding]:
    """``unlisted``: what expired, or was merged into another file and is read at earlier versions alone."""
    root, listed = reader.workspace.data, set()
    absent = {table.name for table in lacking(reader.connection).tables}
    lists = " UNION ALL ".join(
        f"SELECT '{table}', data_file, delete_file FROM "
        f"ducklake_list_files('{LAKE}', '{table}', snapshot_version => {reader.version})"
        for table in TABLES
        if table != LEDGER and table not in absent
    )
    if not lists:
        return  # a version before any table
    for table, path, deletes in reader.connection.execute(lists).fetchall():
        name = _inside(root, path)
        listed.add(name)
        if name not in proved:
            yield Finding("catalogue", f"{table}: {name}", "a ledger entry that proves it", "none")
        if deletes:
            yield Finding("catalogue", f"{table}: {name}", "no deleted rows", f"rows deleted by {Path(deletes).name}")
    for name in sorted(proved.keys() - listed - unlisted):
        yield Finding("catalogue", name, "listed at this version, as the ledger says", "not listed: its rows are gone")


def _inside(root: Path, path: str) -> str:
    place = Path(path)
    return place.relative_to(root).as_posix() if place.is_relative_to(root) else path


def counts(reader: Reader, entries: Sequence[Entry], expired: Sequence[Entry] = ()) -> tuple[int, list[Finding]]:
    """Count the rows of each batch, and add up its charges, against what its entry says; less what expired since."""
    gone: dict[str, dict[str, int]] = defaultdict(dict)
    for act in expired:
        gone[act["batch_id"]][act["table"]] = act.get("rows", 0)
    findings: list[Finding] = []
    by_batch: dict[str, dict[str, int]] = defaultdict(dict)
    counted = [table for table in TABLES if table != LEDGER]
    try:
        rows_of = reader.connection.execute(
            " UNION ALL ".join(_count_sql(reader, table) for table in counted)
        ).fetchall()
    except duckdb.Error:
        rows_of = []
        for table in counted:
            try:
                rows_of += reader.connection.execute(_count_sql(reader, table)).fetchall()
            except duckdb.Error as error:
                findings.append(Finding("rows", table, "a table that can be counted", _brief(error)))
    for table, batch, count in rows_of:
        by_batch[str(batch)][table] = int(count)
    if findings:  # what cannot be read cannot be counted either; its files are named above
        return 0, findings
    for entry in entries:
        rows = by_batch.pop(entry["batch_id"], {})
        name = f"batch {entry['batch_id']} (ledger entry {entry['entry']}, {entry['source_file'] or entry['kind']})"
        for table, count in gone[entry["batch_id"]].items():
            rows[table] = rows.get(table, 0) + count
        stored = sum(count for table, count in rows.items() if table in SOURCE_TABLES)
        for label, said, found in (
            ("stored", entry["rows_stored"], stored),
            ("quarantined", entry["rows_quarantined"], rows.get("quarantine", 0)),
        ):
            if said != found:
                findings.append(Finding("rows", name, f"{said} rows {label}", str(found)))
    for batch, rows in sorted(by_batch.items()):
        strays = ", ".join(f"{count} in {table}" for table, count in sorted(rows.items()))
        findings.append(Finding("rows", f"batch {batch}", "a ledger entry", f"none, but rows: {strays}"))
    findings += _sums(reader, [entry for entry in entries if "charge" not in gone[entry["batch_id"]]])
    return sum(int(count) for table, _, count in rows_of if table in SOURCE_TABLES), findings


def _count_sql(reader: Reader, table: str) -> str:
    return f"SELECT '{table}', batch_id, count(*) FROM {reader.source(table)} GROUP BY batch_id"


def _sums(reader: Reader, entries: Sequence[Entry]) -> Iterator[Finding]:
    """The sum of BilledCost per batch and currency, with what the stored scale cut off, against the entry."""
    try:
        rows = reader.connection.execute(
            'SELECT batch_id, coalesce("BillingCurrency", \'\'), coalesce(sum("BilledCost"), 0) '
            f"FROM {reader.source('charge')} GROUP BY ALL"
        ).fetchall()
    except duckdb.Error as error:
        yield Finding("control totals", "charge", "amounts that can be added up", _brief(error))
        return
    sums: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for batch, currency, amount in rows:
        sums[batch][currency] = amount
    for entry in entries:
        stored = sums.get(entry["batch_id"], {})
        said = _amounts(entry["control_totals"])
        if not said and not stored:
            continue
        cut = _amounts(entry["remainders"])
        name = f"batch {entry['batch_id']} (ledger entry {entry['entry']}, {entry['source_file']})"
        for currency in sorted(said.keys() | stored.keys()):
            found = EXACT.add(stored.get(currency, Decimal(0)), cut.get(currency, Decimal(0)))
            if said.get(currency, Decimal(0)) != found:
                wanted = plain(said.get(currency, Decimal(0)))
                yield Finding("control totals", name, f"BilledCost {wanted} {currency}", plain(found))


def _amounts(text: str | None) -> dict[str, Decimal]:
    return {currency: Decimal(amount) for currency, amount in json.loads(text or "{}").items()}


def orphans(reader: Reader) -> list[str]:
    """Files in the data folder that no version of the store knows: leftovers of a killed ingest, or one under way."""
    root, catalogue = reader.workspace.data, f"__ducklake_metadata_{LAKE}.ducklake"
    on_disk = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    try:
        listed = reader.connection.execute(  # the catalogue itself, so that versions newer than the reader's count
            f"SELECT s.path || t.path || f.path FROM {catalogue}_data_file f "
            f"JOIN {catalogue}_table t USING (table_id) JOIN {catalogue}_schema s USING (schema_id)"
        ).fetchall()
        known = {str(path) for (path,) in listed}
        entries = reader.connection.execute(f"SELECT data_files FROM {reader.source(LEDGER)}").fetchall()
        known |= {file["path"] for (files,) in entries for file in json.loads(files or "[]")}
    except duckdb.Error:
        return []  # what cannot be read is named by the checks above
    return sorted(on_disk - known)
