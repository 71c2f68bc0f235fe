"""Expiry: one recorded act, whole batches, no hold, and the proof stays."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from finops_kit.cli import app
from finops_kit.errors import UsageError, VerificationFailed, VersionUnknown
from finops_kit.fields import TABLES
from finops_kit.settings import Workspace
from finops_kit.store import expire as module
from finops_kit.store import open_reader, open_writer, retention
from finops_kit.store.backup import backup, restore
from finops_kit.store.expire import expire
from finops_kit.store.heads import check_root, seen_head
from finops_kit.store.summary import summarize
from finops_kit.store.verify import verify

TODAY = datetime.now(UTC).date()
LATER = date(TODAY.year + 9, 1, 1)  # vouchers are kept eight years
TOMORROW = TODAY + timedelta(days=1)


def act(store: Workspace, **how: Any) -> module.Expiry:
    told: dict[str, Any] = {"reason": "schedule 7", "actor": "archivist", "dry_run": False, "today": LATER}
    return expire(store, "vouchers", TOMORROW, **(told | how))


def rows(store: Workspace, sql: str, as_of: int | None = None) -> list[tuple[Any, ...]]:
    with open_reader(store, as_of) as reader:
        return reader.connection.execute(sql).fetchall()  # type: ignore[no-any-return]


def test_what_is_due_expires_by_one_entry_and_everything_else_stays(copied: Workspace, forger: Any) -> None:
    with open_reader(copied) as reader:
        version, seen = reader.version, seen_head(reader)
    budgets = rows(copied, "SELECT * FROM budget_history ORDER BY ALL")
    files = len(list(copied.data.rglob("*.parquet")))
    looked = act(copied, dry_run=True)
    assert (len(looked.batches), looked.entry, looked.removed) == (12, None, 0)  # charge and quarantine of six batches
    assert len(list(copied.data.rglob("*.parquet"))) == files

    done = act(copied)
    entry = forger.entries(copied)[-1]
    told = json.loads(entry["details"])
    assert (entry["kind"], entry["actor"], entry["entry"], done.entry) == ("expire", "archivist", 7, 7)
    assert (told["class"], told["reason"], told["before"]) == ("vouchers", "schedule 7", TOMORROW.isoformat())
    assert {batch["rows"] for batch in told["batches"] if batch["table"] == "charge"} == {4}
    assert all(len(file["sha256"]) == 64 for batch in told["batches"] for file in batch["files"])
    assert done.removed == 12
    assert not list((copied.data / "main" / "charge").rglob("*.parquet"))

    assert rows(copied, "SELECT count(*) FROM charge_history") == [(0,)]
    assert rows(copied, "SELECT count(*) FROM quarantine") == [(0,)]
    assert rows(copied, "SELECT * FROM budget_history ORDER BY ALL") == budgets
    assert rows(copied, "SELECT * FROM budget_history ORDER BY ALL", version) == budgets
    assert rows(copied, "SELECT count(*) FROM charge", version) == [(0,)]  # not a missing file, but what is left
    report = verify(copied)
    assert report.findings == [], [str(finding) for finding in report.findings]
    assert (report.expired, report.orphans) == (12, [])
    (named,) = report.acts
    assert {key: named[key] for key in ("entry", "class", "actor", "reason", "batches", "files", "rows", "tables")} == {
        "entry": 7, "class": "vouchers", "actor": "archivist", "reason": "schedule 7", "batches": 6, "files": 12,
        "rows": 30, "tables": ["charge", "quarantine"],
    }  # fmt: skip
    assert named["recorded_at"] == entry["recorded_at"].astimezone(UTC).isoformat()
    said = CliRunner().invoke(app, ["verify", "--workspace", str(copied.root)]).stdout
    assert "ledger entry 7: class vouchers, by archivist on " in said
    assert "(schedule 7): 6 batches, 12 files, 30 rows of charge, quarantine" in said
    assert verify(copied, as_of=version).findings == []
    with open_reader(copied) as reader:
        assert check_root(reader, seen.root, seen.tree_size) == []  # the proof that it was there still holds
    assert act(copied).batches == []  # once is enough
    forger.add_batch(copied, 9)
    assert rows(copied, "SELECT count(*) FROM charge") == [(4,)]
    assert verify(copied).findings == []
    assert summarize(copied, version).ledger_entries == 6


def test_samples_of_use_expire_and_no_state_is_changed_by_it(copied: Workspace) -> None:
    with open_writer(copied) as writer, writer.batch(kind="ingest", format="inventory") as batch:
        batch.rows_read = batch.insert(
            "resource_snapshot",
            "SELECT 'r' AS resource_id, sha256('r' || d) AS snapshot_id, 'inventory' AS source_system, 'c' AS scope, "
            "TIMESTAMPTZ '2026-03-01' + to_days(d::INT) AS observed_at, 'present' AS presence, 'machine' AS kind, "
            "4 AS vcpu, 1 AS source_row FROM range(3) t(d)",
        ) + batch.insert(
            "usage_sample",
            "SELECT 'r' AS resource_id, 'vcpu' AS metric, TIMESTAMPTZ '2026-03-02' AS measured_at, 2 AS value",
        )
    states = rows(copied, "SELECT * FROM state_interval ORDER BY ALL")
    with open_reader(copied) as reader:
        version = reader.version
    assert rows(copied, "SELECT capacity FROM usage_of_state") == [(4,)]
    told: dict[str, Any] = {"reason": "purpose served", "dry_run": False}
    done = expire(copied, "measurements", TOMORROW, today=date(TODAY.year + 3, 1, 1), **told)
    assert [batch["table"] for batch in done.batches] == ["usage_sample"]
    assert rows(copied, "SELECT * FROM usage_of_state") == rows(copied, "SELECT * FROM usage_of_state", version) == []
    assert rows(copied, "SELECT * FROM state_interval ORDER BY ALL") == states
    assert verify(copied).findings == verify(copied, as_of=version).findings == []
    assert set(TABLES) == {*retention.EXPIRABLE, *retention.STAYS}  # each expires, or it is said why it never does


def test_a_backup_knows_what_expired(copied: Workspace, tmp_path: Path) -> None:
    with open_reader(copied) as reader:
        version = reader.version
    backup(copied, tmp_path / "earlier")
    act(copied)
    backup(copied, tmp_path / "kept")
    restore(tmp_path / "kept", Workspace(tmp_path / "back"))
    with pytest.raises(VersionUnknown, match="has expired since"):
        restore(tmp_path / "kept", Workspace(tmp_path / "never"), version=version)
    restore(tmp_path / "earlier", Workspace(tmp_path / "before"), version=version)
    assert rows(Workspace(tmp_path / "before"), "SELECT count(*) FROM charge_history") == [(24,)]


def test_a_hold_a_year_and_a_wrong_word_stand_against_it(copied: Workspace, forger: Any) -> None:
    assert act(copied, today=date(TODAY.year + 8, 12, 31)).batches == []  # the last day of its years
    with copied.settings_file.open("a", encoding="utf-8") as settings:
        settings.write('\n[[hold]]\nname = "audit"\ntables = ["charge"]\n')
    held = act(copied, dry_run=True)
    assert {batch["table"] for batch in held.batches} == {"quarantine"}
    assert {one["hold"] for one in held.held} == {"audit"}
    with pytest.raises(UsageError, match="--reason"):
        act(copied, reason=" ")
    with pytest.raises(UsageError, match="There is no class 'files'"):
        expire(copied, "files", TOMORROW)
    assert len(forger.entries(copied)) == 6


def test_what_a_crash_left_is_named_and_removed_by_the_next_act(
    copied: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "remove_expired", lambda *_: 0)  # killed between the entry and the files
    act(copied)
    report = verify(copied)
    assert (report.findings, len(report.orphans)) == ([], 12)
    monkeypatch.undo()
    assert act(copied).removed == 12
    assert verify(copied).orphans == []


def test_a_changed_file_stops_the_act(copied: Workspace, forger: Any) -> None:
    path = next((copied.data / "main" / "charge").rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(VerificationFailed, match="nothing expired"):
        act(copied)
    assert len(forger.entries(copied)) == 6


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE ducklake_data_file SET end_snapshot = NULL WHERE end_snapshot IS NOT NULL", "as a ledger entry says"),
        ("UPDATE ducklake_data_file SET end_snapshot = 8 WHERE path LIKE '%' AND table_id = (SELECT table_id FROM "
         "ducklake_table WHERE table_name = 'budget')", "a file that never ends"),
    ],
)  # fmt: skip
def test_an_expiry_that_the_ledger_does_not_name_is_found(copied: Workspace, sql: str, said: str) -> None:
    act(copied)
    with sqlite3.connect(copied.catalogue) as catalogue:
        catalogue.execute(sql)
    assert any(said in finding.expected for finding in verify(copied).findings)
