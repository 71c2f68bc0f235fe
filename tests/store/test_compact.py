"""Compaction: fewer files for the newest version, every other version and every proof as it was."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from finops_kit.cli import app
from finops_kit.settings import Workspace
from finops_kit.store import open_reader
from finops_kit.store.backup import backup, restore
from finops_kit.store.compact import compact
from finops_kit.store.expire import expire
from finops_kit.store.heads import check_root, seen_head
from finops_kit.store.ledger import file_hash
from finops_kit.store.verify import verify

TODAY = datetime.now(UTC).date()
TABLES = ("charge_history", "budget_history", "quarantine", "delivery", "ledger")


def answers(store: Workspace, version: int) -> list[Any]:
    """All rows of some tables at a version; of the ledger those of the batches alone."""
    with open_reader(store, version) as reader:
        return [reader.connection.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall() for table in TABLES]


def listed(store: Workspace) -> int:
    with sqlite3.connect(store.catalogue) as catalogue:
        (files,) = catalogue.execute("SELECT count(*) FROM ducklake_data_file WHERE end_snapshot IS NULL").fetchone()
    return int(files)


@pytest.fixture
def merged(copied: Workspace) -> Workspace:
    """The prepared store, merged."""
    done = compact(copied, actor="clerk", dry_run=False, fewest=4)
    assert (done["entry"], {m["table"]: m["files"] for m in done["merged"]}) == (
        7, {"budget": 6, "charge": 6, "delivery": 12, "ledger": 6, "quarantine": 6})  # fmt: skip
    return copied


def test_every_version_reads_as_before_and_everything_is_still_proven(
    prepared: Workspace, merged: Workspace, forger: Any
) -> None:
    assert listed(prepared) == 36 and listed(merged) == 6  # one a table, and the act's own entry
    old = {path.relative_to(prepared.data) for path in prepared.data.rglob("*.parquet")}
    assert all(file_hash(prepared.data / path) == file_hash(merged.data / path) for path in old)
    with open_reader(prepared) as reader:
        version, seen = reader.version, seen_head(reader)
    for at in (3, version):
        assert answers(merged, at) == answers(prepared, at)
    now = answers(merged, version + 1)
    assert now[:4] == answers(prepared, version)[:4] and len(now[4]) == 7
    for when in (None, version):
        assert verify(merged, as_of=when).findings == []
    with open_reader(merged) as reader:
        assert check_root(reader, seen.root, seen.tree_size) == []
    assert compact(merged, dry_run=False, fewest=4)["merged"] == []
    for b in range(7, 10):
        forger.add_batch(merged, b)
    before = answers(merged, version + 4)
    again = compact(merged, dry_run=False, fewest=4)  # what was merged is merged once more
    assert {m["table"]: (m["files"], m["batches"]) for m in again["merged"]}["charge"] == (4, 9)
    assert answers(merged, version + 4) == before and answers(merged, version + 5)[:4] == before[:4]
    assert verify(merged).findings == []
    said = CliRunner().invoke(app, ["compact", "--workspace", str(merged.root)]).stdout
    assert "Nothing to merge" in said


def test_a_merged_file_that_says_something_else_is_found(copied: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """An act by somebody who changes a row on the way fits its own entry, and not the files that it replaced."""
    from finops_kit.store import compact as module
    from finops_kit.store.writer import Batch

    real = Batch.insert_again
    monkeypatch.setattr(module, "_content", lambda *_: (24, 0))

    def changed(self: Batch, table: str, source: str) -> list[Path]:
        if table == "charge":
            self.connection.execute("""UPDATE compacted SET "ServiceName" = 'other' WHERE source_row = 2""")
        return real(self, table, source)

    monkeypatch.setattr(Batch, "insert_again", changed)
    monkeypatch.setattr(module, "COMPACTED", ("charge",))
    compact(copied, dry_run=False, fewest=4)
    monkeypatch.undo()
    (found,) = verify(copied).findings
    assert (found.check, found.where.split(":")[0]) == ("merged file", "charge")


def test_a_file_that_is_changed_gone_or_read_twice_is_found(merged: Workspace) -> None:
    charges = (merged.data / "main" / "charge").rglob("*.parquet")
    old, *_, new = sorted(charges, key=lambda path: int(pq.read_metadata(path).num_rows))
    for path, content in ((old, b""), (new, new.read_bytes()[:-20] + bytes(20))):
        kept = path.read_bytes()
        path.write_bytes(content)
        assert any(path.name in finding.where for finding in verify(merged).findings)
        path.write_bytes(kept)
    with sqlite3.connect(merged.catalogue) as catalogue:
        catalogue.execute("UPDATE ducklake_data_file SET end_snapshot = NULL WHERE path = ?", [old.name])
    assert any("as a ledger entry says" in finding.expected for finding in verify(merged).findings)


def test_what_was_merged_expires_with_its_batches_and_only_whole(merged: Workspace, forger: Any) -> None:
    told: dict[str, Any] = {"reason": "schedule 7", "dry_run": False, "today": date(TODAY.year + 9, 1, 1)}
    version = 5
    kept = answers(merged, version)[1]
    done = expire(merged, "vouchers", TODAY + timedelta(days=1), **told)
    assert (len(done.batches), done.removed) == (12, 14)  # and the two merged files
    assert not list((merged.data / "main" / "charge").rglob("*.parquet"))
    for at in (None, version, 8):
        assert verify(merged, as_of=at).findings == []
    assert answers(merged, version)[:2] == [[], kept]
    forger.add_batch(merged, 9)
    assert verify(merged).findings == []


def test_a_backup_of_a_merged_store_goes_back_before_the_act(
    merged: Workspace, prepared: Workspace, tmp_path: Path
) -> None:
    backup(merged, tmp_path / "kept")
    restore(tmp_path / "kept", Workspace(tmp_path / "whole"))
    assert answers(Workspace(tmp_path / "whole"), 5) == answers(prepared, 5)
    with open_reader(prepared) as reader:
        version = reader.version
    restore(tmp_path / "kept", Workspace(tmp_path / "before"), version=version)
    assert listed(Workspace(tmp_path / "before")) == 36
    assert answers(Workspace(tmp_path / "before"), version) == answers(prepared, version)
