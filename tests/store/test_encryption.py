"""Encryption at rest: nothing readable in any data file, and nothing else different."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pytest

from finops_kit.errors import UsageError
from finops_kit.settings import Workspace
from finops_kit.store import create_store, open_reader, open_writer
from finops_kit.store.door import run_sql
from finops_kit.store.verify import verify

SECRETS = ("geheim-tag-4711", "account-0815-secret", "vm-very-private", "mein-kostentraeger", "someone@example.org")


def fill(store: Workspace) -> None:
    """One bill, an inventory, quarantine and a report, each with words that must not be seen."""
    tag, account, machine, owner, person = SECRETS
    with open_writer(store) as writer, writer.batch(kind="ingest", source_file=f"{account}.csv", actor=person) as batch:
        batch.rows_read = 500 + 1 + 3
        batch.insert(
            "charge",
            f"SELECT '{account}' AS \"BillingAccountId\", MAP {{'{owner}': '{tag}'}} AS \"Tags\", '{machine}' AS "
            '"ResourceId", 1.5 AS "BilledCost", \'EUR\' AS "BillingCurrency", n + 1 AS source_row FROM range(500) t(n)',
        )
        batch.insert("quarantine", f"SELECT '{person}' AS raw, 1 AS source_row")
        batch.insert(
            "resource_snapshot",
            f"SELECT '{machine}' AS resource_id, '{tag}' AS owner_id, sha256(n::VARCHAR) AS snapshot_id, 'cmdb' AS "
            "source_system, TIMESTAMPTZ '2026-03-01' + to_days(n::INT) AS observed_at, 'present' AS presence, "
            f"'machine' AS kind, n AS vcpu, MAP {{'{owner}': '{tag}'}} AS tags, n + 1 AS source_row FROM range(3) t(n)",
        )
        row = writer.connection.execute('SELECT sum("BilledCost") FROM lake.charge').fetchone()
        batch.control_totals = {"EUR": row[0]}


def leaks(store: Workspace) -> set[str]:
    files = list(store.data.rglob("*.parquet"))
    assert len(files) >= 5
    return {word for file in files for word in SECRETS if word.encode() in file.read_bytes()}


@pytest.fixture
def encrypted(workspace: Workspace) -> Workspace:
    assert create_store(workspace, encrypt=True) is True
    fill(workspace)
    return workspace


def test_no_plain_word_is_in_any_data_file(encrypted: Workspace, tmp_path: Path) -> None:
    assert leaks(encrypted) == set()
    plain = Workspace(tmp_path / "plain")
    create_store(plain)
    fill(plain)
    assert leaks(plain) == set(SECRETS)  # the test can see a leak


def test_an_encrypted_store_reads_and_verifies_like_any_other(encrypted: Workspace) -> None:
    with open_reader(encrypted) as reader:
        assert reader.connection.execute("SELECT count(*) FROM lake.charge").fetchone() == (500,)
    with run_sql(encrypted, "SELECT count(*) AS n FROM quarantine") as answer:
        assert list(answer.records()) == [{"n": 1}]
    report = verify(encrypted)
    assert (report.findings, report.orphans) == ([], [])
    assert create_store(encrypted) is False
    fill(encrypted)  # a batch after opening again is encrypted, too
    assert leaks(encrypted) == set()


def test_a_file_cannot_be_read_without_its_key(encrypted: Workspace) -> None:
    file = next((encrypted.data / "main" / "charge").glob("*.parquet"))
    with pytest.raises(duckdb.Error, match="encrypted"):
        duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(file)])


def test_every_change_of_an_encrypted_file_is_found(encrypted: Workspace) -> None:
    chance = random.Random(7)
    for file in sorted(encrypted.data.rglob("*.parquet")):
        content = file.read_bytes()
        at = chance.randrange(len(content))
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert not verify(encrypted).ok, file
        file.write_bytes(content)
    assert verify(encrypted).ok


def test_the_keys_lie_in_the_catalogue_each_file_its_own(encrypted: Workspace) -> None:
    with sqlite3.connect(encrypted.catalogue) as catalogue:
        keys = [row[0] for row in catalogue.execute("SELECT encryption_key FROM ducklake_data_file")]
    assert all(keys) and len(set(keys)) == len(keys)


def test_a_store_that_is_there_does_not_become_encrypted(workspace: Workspace) -> None:
    create_store(workspace)
    with pytest.raises(UsageError, match="is not encrypted and was left so"):
        create_store(workspace, encrypt=True)


def test_settings_say_so(encrypted: Workspace, forger: Any) -> None:
    assert "encrypted = true" in encrypted.settings_file.read_text()


def test_what_spills_to_disk_is_encrypted_and_leaves_nothing(encrypted: Workspace) -> None:
    with open_reader(encrypted, memory_limit="60MB", views=False) as reader:
        reader.connection.execute("SET threads = 1")
        reader.connection.execute(
            f"CREATE TEMP TABLE big AS SELECT '{SECRETS[0]}-' || n AS word, random() AS r FROM range(3000000) t(n)"
        )
        spilled = [p for p in encrypted.root.glob("spill-*/*") if p.is_file()]
        assert spilled and not any(SECRETS[0].encode() in p.read_bytes() for p in spilled)
    assert list(encrypted.root.glob("spill-*")) == []
