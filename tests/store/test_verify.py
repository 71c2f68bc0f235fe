"""Verify: an untouched store is clean, and whatever somebody with full access does to it is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from finops_kit.errors import StoreError, StoreMissing
from finops_kit.settings import Workspace
from finops_kit.store import open_writer
from finops_kit.store.lake import attach, connect
from finops_kit.store.verify import VerifyReport, verify


def found(report: VerifyReport) -> str:
    assert not report.ok
    return "\n".join(str(finding) for finding in report.findings)


def data_files(workspace: Workspace, table: str) -> list[Path]:
    return sorted((workspace.data / "main" / table).glob("*.parquet"))


def with_the_lake(workspace: Workspace, *statements: str) -> None:
    """Somebody with the catalogue's path and DuckLake."""
    connection = connect()
    attach(connection, workspace, read_only=False)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def test_an_untouched_store_is_clean(prepared: Workspace) -> None:
    said: list[str] = []
    report = verify(prepared, progress=said.append)
    assert report.ok and report.findings == [] and report.orphans == []
    assert report.entries == 6 and report.rows == 6 * (4 + 2) and report.bytes > 0 and len(report.ledger_head) == 64
    assert any("hashing" in line for line in said)
    assert report.as_dict()["ok"] is True


def test_an_earlier_version_is_clean_too(prepared: Workspace) -> None:
    report = verify(prepared, as_of=3)
    assert report.ok and report.entries == 2 and report.orphans == []


def test_there_must_be_a_store(workspace: Workspace) -> None:
    with pytest.raises(StoreMissing):
        verify(workspace)


def test_a_changed_byte_is_found(copied: Workspace) -> None:
    path = data_files(copied, "charge")[2]
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    said = found(verify(copied))
    assert path.name in said and "SHA-256" in said and "ledger entry 3" in said


def test_swapped_files_are_found(copied: Workspace) -> None:
    one, two = data_files(copied, "charge")[:2]
    a, b = one.read_bytes(), two.read_bytes()
    one.write_bytes(b)
    two.write_bytes(a)
    said = found(verify(copied))
    assert one.name in said and two.name in said


def test_a_deleted_file_is_found(copied: Workspace) -> None:
    path = data_files(copied, "budget")[0]
    path.unlink()
    said = found(verify(copied))
    assert path.name in said and "no ledger entry says that it expired" in said


def test_a_valid_file_with_another_amount_is_found(copied: Workspace) -> None:
    path = data_files(copied, "charge")[1]
    with duckdb.connect() as connection:
        changed = connection.execute(
            f'SELECT * REPLACE (CAST("BilledCost" + 1 AS DECIMAL(38,24)) AS "BilledCost") FROM \'{path}\''
        ).to_arrow_table()
    pq.write_table(changed.cast(pq.read_schema(path)), path)
    said = found(verify(copied))
    assert path.name in said


def test_a_truncated_file_is_found(copied: Workspace) -> None:
    path = data_files(copied, "charge")[0]
    path.write_bytes(path.read_bytes()[:100])
    said = found(verify(copied))
    assert path.name in said and "100 bytes" in said


Entries = list[dict[str, Any]]


def _edit(entries: Entries) -> Entries:
    entries[2]["actor"] = "somebody else"
    return entries


def _swap(entries: Entries) -> Entries:
    entries[1]["entry"], entries[2]["entry"] = entries[2]["entry"], entries[1]["entry"]
    return entries


def _rename(entries: Entries) -> Entries:
    entries[3]["control_totals"] = '{"EUR":"0"}'
    return entries


@pytest.mark.parametrize("change", [_edit, _swap, lambda e: e[:2] + e[3:], lambda e: e[1:], _rename])
def test_an_edited_ledger_does_not_fit_itself(
    copied: Workspace, forger: Any, change: Callable[[Entries], Entries]
) -> None:
    forger.rewrite(copied, change, chained=False)
    assert "ledger" in found(verify(copied))


def test_a_ledger_chained_anew_still_contradicts_the_data(copied: Workspace, forger: Any) -> None:
    forger.rewrite(copied, _rename)
    said = found(verify(copied))
    assert "control totals" in said and "bill-4.csv" in said


def test_a_rewrite_of_everything_is_found_against_a_kept_head(copied: Workspace, forger: Any) -> None:
    head = verify(copied).ledger_head
    assert verify(copied, expected_head=head[:12]).ok
    forger.rewrite(copied, _edit)
    assert "the kept head" in found(verify(copied, expected_head=head))


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM lake.charge WHERE source_row = 2", "deleted"),
        ("DELETE FROM lake.ledger WHERE entry = 6", "ledger"),
        ("DELETE FROM lake.ledger WHERE entry = 3", "entry 3 in this place"),
        ("UPDATE lake.charge SET \"BilledCost\" = 1 WHERE source_row = 1", "rows"),
        ("UPDATE lake.ledger SET actor = 'x' WHERE entry = 2", "ledger entry 2"),
        ("DELETE FROM lake.quarantine", "quarantined"),
        ("INSERT INTO lake.charge SELECT * FROM lake.charge LIMIT 1", "a ledger entry"),
        ("INSERT INTO lake.budget BY NAME SELECT 'b-none' AS batch_id, 1 AS amount", "batch b-none"),
        ("INSERT INTO lake.ledger SELECT * FROM lake.ledger WHERE entry = 1", "entries 1 and 2"),
        ("TRUNCATE lake.main.charge", "charge"),
    ],
)  # fmt: skip
def test_whoever_goes_past_the_writer_is_found(copied: Workspace, statement: str, said: str) -> None:
    try:
        with_the_lake(copied, statement)
    except duckdb.Error as error:
        pytest.skip(f"this DuckLake does not do it: {str(error).splitlines()[0]}")
    assert said in found(verify(copied))


@pytest.mark.parametrize(
    "statement",
    ["DROP TABLE lake.main.exchange_rate", 'ALTER TABLE lake.charge RENAME COLUMN "BilledCost" TO x'],
)
def test_a_store_that_lost_its_shape_is_said(copied: Workspace, statement: str) -> None:
    with_the_lake(copied, statement)
    try:
        assert "history" in found(verify(copied))
    except StoreError as error:
        assert "lacks" in str(error) and "\n" not in str(error)


def test_leftovers_of_a_killed_ingest_are_named_and_harmless(copied: Workspace) -> None:
    stray = copied.data / "main" / "charge" / "ducklake-stray.parquet"
    shutil.copy(data_files(copied, "charge")[0], stray)
    report = verify(copied)
    assert report.ok and report.orphans == ["main/charge/ducklake-stray.parquet"]


def test_a_file_with_a_row_group_of_nulls_alone_is_clean(copied: Workspace) -> None:
    with open_writer(copied) as writer, writer.batch(kind="ingest", format="budgets") as batch:
        batch.rows_read = batch.insert(
            "budget",
            "SELECT DATE '2026-09-01' AS month, CASE WHEN n < 10 THEN 'total' END AS dimension, 1 AS amount, "
            "'EUR' AS currency, n + 1 AS source_row FROM range(130000) t(n)",
        )
    assert verify(copied).findings == []
