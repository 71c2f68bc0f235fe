"""Backup and restore, and what happens when a disk is full, read-only, or a catalogue is lost or mixed up."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from finops_kit.errors import StoreError, StoreMissing, UsageError, VerificationFailed, VersionUnknown
from finops_kit.settings import Workspace
from finops_kit.store import create_store, open_reader, open_writer
from finops_kit.store.backup import backup, restore
from finops_kit.store.verify import verify


def count(store: Workspace, as_of: int | None = None) -> int:
    with open_reader(store, as_of) as reader:
        row = reader.connection.execute("SELECT count(*) FROM charge_history").fetchone()
    return int(row[0]) if row else -1


def test_a_backup_comes_back_whole(copied: Workspace, tmp_path: Path) -> None:
    made = backup(copied, tmp_path / "backup")
    assert (made.store_version, made.files, made.copied) == (7, 36, 36)
    shutil.rmtree(copied.root)
    done = restore(tmp_path / "backup", copied)
    assert (done.store_version, done.ledger_head) == (7, made.ledger_head)
    assert count(copied) == 24 and verify(copied).ok


def test_the_second_backup_copies_what_is_new(copied: Workspace, tmp_path: Path, forger: Any) -> None:
    backup(copied, tmp_path / "backup")
    forger.add_batch(copied, 7)
    made = backup(copied, tmp_path / "backup")
    assert (made.files, made.copied) == (42, 6)
    assert json.loads((tmp_path / "backup" / "backup.json").read_text())["store_version"] == 8


def test_a_backup_may_be_linked_and_carries_no_key(copied: Workspace, tmp_path: Path) -> None:
    from finops_kit.store.keys import make_key

    make_key(copied)
    backup(copied, tmp_path / "backup", link=True)
    assert not (tmp_path / "backup" / "keys").exists()
    file = next(copied.data.rglob("*.parquet"))
    assert (tmp_path / "backup" / "lake" / file.relative_to(copied.data)).stat().st_nlink == 2
    assert (tmp_path / "backup" / "catalogue.sqlite").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("version", [1, 4])
def test_a_point_in_time_comes_back_and_goes_on(copied: Workspace, tmp_path: Path, forger: Any, version: int) -> None:
    backup(copied, tmp_path / "backup")
    other = Workspace(tmp_path / "other")
    done = restore(tmp_path / "backup", other, version=version)
    assert done.store_version == version and count(other) == 4 * (version - 1) == count(copied, version)
    forger.add_batch(other, 9)
    assert verify(other).findings == [] and count(other) == 4 * version
    with pytest.raises(VersionUnknown, match="no version 99; its newest is 7"):
        restore(tmp_path / "backup", Workspace(tmp_path / "third"), version=99)


def test_a_backup_while_somebody_writes_is_of_one_version(copied: Workspace, tmp_path: Path, forger: Any) -> None:
    stop, failures = threading.Event(), []

    def write() -> None:
        try:
            for b in range(10, 40):
                if stop.is_set():
                    return
                forger.add_batch(copied, b)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(2):
            made = backup(copied, tmp_path / f"backup-{number}")
            assert count(Workspace(tmp_path / f"backup-{number}")) == 4 * (made.store_version - 1)
    finally:
        stop.set()
        thread.join()
    assert failures == []


def test_what_is_no_backup_is_refused(copied: Workspace, workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("x")
    with pytest.raises(UsageError, match="no finished backup"):
        backup(copied, tmp_path / "other")
    with pytest.raises(UsageError, match="no finished backup"):
        restore(tmp_path / "other", workspace)
    with pytest.raises(StoreMissing, match="to back up"):
        backup(workspace, tmp_path / "b")
    backup(copied, tmp_path / "b")
    with pytest.raises(UsageError, match="already; nothing was changed"):
        restore(tmp_path / "b", copied)
    create_store(workspace)
    with pytest.raises(UsageError, match="backup of another store"):
        backup(workspace, tmp_path / "b")


def test_a_damaged_store_is_not_backed_up_as_if_it_were_sound(copied: Workspace, tmp_path: Path) -> None:
    file = next((copied.data / "main" / "charge").glob("*.parquet"))
    content = file.read_bytes()
    file.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    with pytest.raises(VerificationFailed, match="is not what its ledger says: data file"):
        backup(copied, tmp_path / "backup")
    assert not (tmp_path / "backup" / "backup.json").exists()


def test_a_lost_catalogue_is_said_and_brought_back(copied: Workspace, tmp_path: Path, forger: Any) -> None:
    backup(copied, tmp_path / "backup")
    forger.add_batch(copied, 7)
    for file in copied.root.glob("catalogue.sqlite*"):
        file.unlink()
    for act in (lambda: create_store(copied), lambda: count(copied), lambda: forger.add_batch(copied, 8)):
        with pytest.raises(StoreError, match=r"is gone, but 42 data files .*finops restore"):
            act()
    assert not copied.catalogue.exists()
    done = restore(tmp_path / "backup", copied)
    assert (done.copied, done.newer, done.store_version) == (0, 6, 7)
    assert verify(copied).ok


def test_two_stores_mixed_up_are_told_apart(copied: Workspace, workspace: Workspace, forger: Any) -> None:
    create_store(workspace)
    forger.add_batch(workspace, 1)
    with sqlite3.connect(workspace.catalogue) as catalogue:
        catalogue.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copyfile(workspace.catalogue, copied.catalogue)
    for act in (lambda: count(copied), lambda: forger.add_batch(copied, 8), lambda: create_store(copied)):
        with pytest.raises(StoreError, match="two stores were mixed"):
            act()


def test_the_data_of_two_stores_in_one_folder_is_named(copied: Workspace, workspace: Workspace, forger: Any) -> None:
    create_store(workspace)
    forger.add_batch(workspace, 1)
    shutil.copytree(workspace.data, copied.data, dirs_exist_ok=True)
    report = verify(copied)
    assert report.ok and len(report.orphans) == 6 and count(copied) == 24  # never read, and named


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of six megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)]
    if os.name != "posix" or os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


WIDE = "SELECT repeat(sha256(n::VARCHAR), 20) AS raw, n AS source_row FROM range({rows}) t(n)"


def fill(store: Workspace, rows: int) -> None:
    with open_writer(store) as writer, writer.batch(kind="ingest") as batch:
        batch.rows_read = batch.insert("quarantine", WIDE.format(rows=rows))


def test_a_full_disk_loses_nothing(small_disk: Path, tmp_path: Path, forger: Any) -> None:
    store = Workspace(small_disk / "workspace")
    create_store(store)
    forger.add_batch(store, 1)
    with pytest.raises(StoreError, match="The batch was not stored"):
        fill(store, 200_000)
    report = verify(store)
    assert (report.findings, report.orphans, report.entries) == ([], [], 1)
    forger.add_batch(store, 2)
    assert count(store) == 8
    with (small_disk / "ballast").open("wb") as ballast, pytest.raises(OSError):
        while True:
            ballast.write(b"x" * 65536)
    with pytest.raises(StoreError):
        forger.add_batch(store, 3)
    with pytest.raises(StoreError, match=r"was not finished.*Do not rely on it"):
        backup(store, small_disk / "backup")
    (small_disk / "ballast").unlink()
    report = verify(store)
    assert (report.findings, report.entries) == ([], 2)
    forger.add_batch(store, 3)
    assert count(store) == 12


def test_a_read_only_disk_reads_and_says_why_it_does_not_write(small_disk: Path, forger: Any) -> None:
    store = Workspace(small_disk / "workspace")
    create_store(store)
    forger.add_batch(store, 1)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    try:
        assert count(store) == 4 and verify(store).ok
        with pytest.raises(StoreError, match=r"cannot be (written to|opened)"):
            forger.add_batch(store, 2)
        with pytest.raises(StoreError):
            create_store(Workspace(small_disk / "new"))
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    forger.add_batch(store, 2)
    assert count(store) == 8 and verify(store).ok


LIMITED = """
import resource, signal, sys
from pathlib import Path
from finops_kit.errors import StoreError
from finops_kit.settings import Workspace
from finops_kit.store import open_writer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with open_writer(Workspace(Path(sys.argv[1]))) as writer:
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    try:
        with writer.batch(kind="ingest") as batch:
            batch.rows_read = batch.insert("quarantine", sys.argv[2])
    except StoreError as error:
        print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs resource limits")
def test_a_file_that_cannot_grow_leaves_nothing(copied: Workspace) -> None:
    words = [sys.executable, "-c", LIMITED, str(copied.root), WIDE.format(rows=100_000)]
    told = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert told.stdout.startswith("The batch was not stored"), told.stderr
    report = verify(copied)
    assert (report.findings, report.orphans, report.entries) == ([], [], 6)
