"""Backup and restore: the catalogue and every data file that it lists, consistent at one version, verified by hash.

A catalogue in PostgreSQL is backed up as SQLite: the backup needs no database, and can go back into one.

A backup is a folder that is itself a workspace: it can be read, verified and restored. Data files never
change once written, so a second backup into the same folder copies only what is new. The signing key is
no part of it: keep that apart from what it signs.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from finops_kit.errors import StoreError, StoreMissing, UsageError, VerificationFailed, VersionUnknown
from finops_kit.settings import Workspace
from finops_kit.store.acts import EXPIRE
from finops_kit.store.configuration import named_catalogue, read_settings
from finops_kit.store.footers import extremes
from finops_kit.store.lock import writer_lock
from finops_kit.store.relocate import to_postgres, to_sqlite
from finops_kit.store.verify import verify

Tell = Callable[[str], None]
#: says what the folder is, written last: a folder without it is no finished backup
MANIFEST = "backup.json"


@dataclass
class BackupReport:
    """What a backup or a restore did.

    Attributes
    ----------
    path : the folder written to
    store_version, ledger_head : what it holds
    files, bytes : data files that it holds
    copied : how many of them were written now; the others were there already
    newer : data files of the workspace that the restored catalogue does not know
    """

    path: str
    store_version: int
    ledger_head: str
    files: int
    bytes: int
    copied: int
    newer: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def backup(workspace: Workspace, folder: Path, *, link: bool = False, progress: Tell | None = None) -> BackupReport:
    """Copy the store as it is now; writers may go on meanwhile.

    Parameters
    ----------
    folder : a new or empty folder, or one with an earlier backup of the same store
    link : hard-link data files instead of copying them: quick and small, but on the same disk

    Raises
    ------
    StoreMissing : there is no store
    UsageError : the folder holds something else
    StoreError : something cannot be read or written (a full disk)
    VerificationFailed : what was copied is not what the ledger says
    """
    if not workspace.exists:
        raise StoreMissing(f"There is no store in {workspace.root} to back up.")
    target = Workspace(folder)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise UsageError(f"{folder} holds something that is no finished backup. Name a new or an empty folder.")
    if (folder / MANIFEST).is_file() and read_settings(target).store_id != read_settings(workspace).store_id:
        raise UsageError(f"{folder} holds the backup of another store. Name another folder.")
    tell = progress or (lambda _: None)
    partial = folder / "catalogue.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)
        tell("copying the catalogue")
        if database := read_settings(workspace).catalogue:
            partial.unlink(missing_ok=True)
            with writer_lock(workspace):
                to_sqlite(database, partial)
        else:
            _copy_catalogue(workspace.catalogue, partial)
        listed = _listed_files(partial, workspace.data)
        copied = _copy_files(workspace.data, target.data, listed, link, tell)
        _put_catalogue(partial, target)
        _put_settings(workspace, target)
        if (workspace.root / "heads").is_dir():
            shutil.copytree(workspace.root / "heads", folder / "heads", dirs_exist_ok=True)
        report = _proven(target, listed, copied, tell)
        manifest = {"type": "finops_kit backup", "made_at": datetime.now(UTC).isoformat(), **report.as_dict()}
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    except (OSError, sqlite3.Error) as error:
        partial.unlink(missing_ok=True)
        raise StoreError(f"The backup to {folder} was not finished: {_reason(error)}. Do not rely on it.") from error
    return report


def restore(
    folder: Path,
    workspace: Workspace,
    *,
    version: int | None = None,
    catalogue: str = "",
    progress: Tell | None = None,
) -> BackupReport:
    """Bring a backup back as the workspace's store, whole or as it was at an earlier version.

    A workspace that lost its catalogue keeps the data files that are still good.

    Parameters
    ----------
    catalogue : an empty PostgreSQL database for the catalogue (or ``env``); SQLite in the workspace otherwise

    Raises
    ------
    UsageError : the folder is no finished backup, or there is a store already
    VersionUnknown : the backup has no such version
    StoreError : something cannot be read or written
    VerificationFailed : what was restored is not what the ledger says
    """
    source = Workspace(folder)
    if not (folder / MANIFEST).is_file() or not source.catalogue.is_file():
        raise UsageError(f"{folder} is no finished backup: it lacks {MANIFEST} or its catalogue.")
    database = named_catalogue(catalogue)
    if workspace.exists and not (database and read_settings(workspace).catalogue == database):
        raise UsageError(
            f"There is a store in {workspace.root} already; nothing was changed. "
            "Restore into another --workspace, or move that one away first."
        )
    if workspace.settings_file.is_file():
        own, theirs = read_settings(workspace).store_id, read_settings(source).store_id
        if own and own != theirs:
            raise UsageError(f"{workspace.root} is of store {own}, the backup of {theirs}. Restore it elsewhere.")
    tell = progress or (lambda _: None)
    partial = workspace.root / "catalogue.partial"
    try:
        with writer_lock(workspace):
            workspace.root.mkdir(parents=True, exist_ok=True)
            tell("copying the catalogue")
            _copy_catalogue(source.catalogue, partial)
            if version is not None:
                _cut(partial, version)
            listed = _listed_files(partial, source.data)
            copied = _copy_files(source.data, workspace.data, listed, False, tell)
            if database:
                to_postgres(partial, database)
                partial.unlink()
            else:
                _put_catalogue(partial, workspace)
            if not workspace.settings_file.exists():
                _put_settings(source, workspace, catalogue)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"The backup {folder} was not restored: {_reason(error)}.") from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return _proven(workspace, listed, copied, tell, earlier=version is not None)


def _reason(error: Exception) -> str:
    told = getattr(error, "strerror", None) or str(error)
    name = getattr(error, "filename", None)
    return f"{told} ({name})" if name else str(told)


def _copy_catalogue(catalogue: Path, target: Path) -> None:
    """A consistent copy of an SQLite catalogue that may be written to meanwhile; closed to others, for its keys."""
    target.unlink(missing_ok=True)
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600))
    with closing(sqlite3.connect(catalogue, timeout=30)) as origin, closing(sqlite3.connect(target)) as copy:
        origin.backup(copy)


def _put_settings(source: Workspace, target: Workspace, catalogue: str = "") -> None:
    """The settings as they are, with where the catalogue is now."""
    lines = source.settings_file.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("catalogue =")]
    named = [f"catalogue = {json.dumps(catalogue)}"] if catalogue else []
    place = next((n for n, line in enumerate(kept) if line.startswith("[")), len(kept))  # before the first table
    target.settings_file.write_text("\n".join([*kept[:place], *named, *kept[place:]]) + "\n", encoding="utf-8")


def _put_catalogue(partial: Path, target: Workspace) -> None:
    for leftover in target.root.glob(target.catalogue.name + "-*"):  # of the catalogue that is replaced
        leftover.unlink()
    partial.replace(target.catalogue)


def _listed_files(catalogue: Path, data: Path) -> dict[str, int]:
    """Every data file that a catalogue knows, and its size; of what no newer version reads, what has not expired."""
    with closing(sqlite3.connect(catalogue)) as known:
        listed = known.execute(
            "SELECT s.path || t.path || f.path, f.file_size_bytes, f.end_snapshot FROM ducklake_data_file f "
            "JOIN ducklake_table t USING (table_id) JOIN ducklake_schema s USING (schema_id)"
        ).fetchall()
    return {name: size for name, size, ended in listed if ended is None or (data / name).is_file()}


def _copy_files(source: Path, target: Path, listed: dict[str, int], link: bool, tell: Tell) -> int:
    """Bring the data files over; those that are there in full stay. A copy takes its name when it is whole."""
    copied = 0
    for number, (name, size) in enumerate(sorted(listed.items()), start=1):
        tell(f"data file {number:,} of {len(listed):,}")
        goal = target / name
        if goal.is_file() and goal.stat().st_size == size:
            continue
        goal.parent.mkdir(parents=True, exist_ok=True)
        unfinished = goal.with_suffix(".partial")
        unfinished.unlink(missing_ok=True)
        if link:
            os.link(source / name, unfinished)
        else:
            shutil.copyfile(source / name, unfinished)
        unfinished.replace(goal)
        copied += 1
    return copied


def _proven(
    workspace: Workspace, listed: dict[str, int], copied: int, tell: Tell, earlier: bool = False
) -> BackupReport:
    """Verify what lies there now, and say what it is."""
    tell("verifying")
    checked = verify(workspace)
    # a store brought back as it was earlier is shorter than heads that were signed since; that is what was asked
    findings = [f for f in checked.findings if not (earlier and f.check == "ledger truncated")]
    if findings:
        raise VerificationFailed(
            f"{workspace.root} is not what its ledger says: {findings[0]} "
            f"({len(findings)} findings; `finops verify --workspace {workspace.root}` lists them)."
        )
    return BackupReport(
        path=str(workspace.root), store_version=checked.store_version, ledger_head=checked.ledger_head,
        files=len(listed), bytes=sum(listed.values()), copied=copied, newer=len(checked.orphans),
    )  # fmt: skip


def _cut(catalogue: Path, version: int) -> None:
    """Bring a copied catalogue back to an earlier version: what came later is taken off, totals are added up anew."""
    with closing(sqlite3.connect(catalogue)) as known, known:
        newest = known.execute("SELECT max(snapshot_id) FROM ducklake_snapshot").fetchone()[0]
        if not known.execute("SELECT 1 FROM ducklake_snapshot WHERE snapshot_id = ?", [version]).fetchone():
            raise VersionUnknown(f"The backup has no version {version}; its newest is {newest}.")
        if known.execute(
            "SELECT 1 FROM ducklake_data_file f JOIN ducklake_snapshot_changes c ON c.snapshot_id = f.end_snapshot "
            "WHERE f.end_snapshot > ? AND c.commit_message LIKE ?",
            [version, f"{EXPIRE} b%"],
        ).fetchone():
            raise VersionUnknown(
                f"Of version {version} data has expired since, by a recorded act: the store cannot be what it was. "
                "Restore the newest version, or a backup that was made before."
            )
        for table in ("snapshot", "snapshot_changes"):
            known.execute(f"DELETE FROM ducklake_{table} WHERE snapshot_id > ?", [version])
        # what was merged later is read again
        known.execute("UPDATE ducklake_data_file SET end_snapshot = NULL WHERE end_snapshot > ?", [version])
        for table in ("schema", "table", "column", "data_file", "schema_versions"):
            known.execute(f"DELETE FROM ducklake_{table} WHERE begin_snapshot > ?", [version])
        known.execute(
            "DELETE FROM ducklake_file_column_stats WHERE data_file_id NOT IN "
            "(SELECT data_file_id FROM ducklake_data_file)"
        )
        known.execute(
            "DELETE FROM ducklake_column_mapping WHERE mapping_id NOT IN "
            "(SELECT mapping_id FROM ducklake_data_file WHERE mapping_id IS NOT NULL)"
        )
        known.execute(
            "DELETE FROM ducklake_name_mapping WHERE mapping_id NOT IN (SELECT mapping_id FROM ducklake_column_mapping)"
        )
        known.execute("DELETE FROM ducklake_table_stats")
        known.execute(
            "INSERT INTO ducklake_table_stats SELECT table_id, sum(record_count), sum(record_count), "
            "sum(file_size_bytes) FROM ducklake_data_file GROUP BY table_id"
        )
        known.execute(
            "DELETE FROM ducklake_table_column_stats WHERE (table_id, column_id) NOT IN "
            "(SELECT table_id, column_id FROM ducklake_file_column_stats)"
        )
        parts = known.execute(
            "SELECT s.table_id, s.column_id, c.column_type, s.min_value, s.max_value, coalesce(s.null_count, 0) "
            "FROM ducklake_file_column_stats s JOIN ducklake_column c USING (table_id, column_id)"
        ).fetchall()
        files = dict(known.execute("SELECT table_id, count(*) FROM ducklake_data_file GROUP BY table_id").fetchall())
        bounds: dict[tuple[int, int], list[tuple[Any, ...]]] = {}
        for part in parts:
            bounds.setdefault((part[0], part[1]), []).append(tuple(part[2:]))
        for (number, column), rows in bounds.items():
            lows, highs = ([row[at] for row in rows if row[at] is not None] for at in (1, 2))
            low, high = extremes(rows[0][0], lows, highs)
            nulls = len(rows) < files[number] or any(row[3] for row in rows)  # what a file lacks is null
            known.execute(
                "UPDATE ducklake_table_column_stats SET contains_null = ?, min_value = ?, max_value = ? "
                "WHERE table_id = ? AND column_id = ?",
                [nulls, low, high, number, column],
            )
