"""What the store's tests share: a small prepared store, and somebody with full access who tampers with it."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_kit.settings import Workspace
from finops_kit.store import create_store, open_reader, open_writer
from finops_kit.store.ledger import GENESIS, entry_hash, file_hash

#: the helpers beside this file are imported by their names
sys.path.insert(0, str(Path(__file__).parent))

Entry = dict[str, Any]

BUDGETS = """SELECT DATE '2026-09-01' AS month, 'total' AS dimension, 'm' || n AS member, 100 * {b} + n AS amount,
    'EUR' AS currency, n + 1 AS source_row FROM range({rows}) t(n)"""
CHARGES = """SELECT 'acc-1' AS "BillingAccountId", TIMESTAMPTZ '2026-09-01 00:00:00+00' AS "BillingPeriodStart",
    TIMESTAMPTZ '2026-10-01 00:00:00+00' AS "BillingPeriodEnd", 'EUR' AS "BillingCurrency",
    ({b} + n * 1.25)::DECIMAL(38,24) AS "BilledCost", ({b} + n)::DECIMAL(38,24) AS "EffectiveCost",
    'service-' || (n % 3) AS "ServiceName", MAP {{'team': 'team-' || n}} AS "Tags", 'focus' AS source_system,
    n + 1 AS source_row FROM range({rows}) t(n)"""
#: what CHARGES yields; every other batch writes only these
CHARGE_COLUMNS = re.findall(r'AS "?(\w+)"?(?=,| FROM)', CHARGES)
DELIVERY = """SELECT '{family}' AS source_system, '{account}' AS billing_account_id, {period} AS period_start,
    '{table}' AS dataset, 'replace' AS mode, {rows} AS rows"""


def add_batch(workspace: Workspace, b: int, rows: int = 4) -> str:
    """One batch: a bill, budgets and a quarantined row."""
    with open_writer(workspace) as writer:
        with writer.batch(
            kind="ingest", format="focus-1.0", source_file=f"bill-{b}.csv", source_hash=f"{b:064x}", source_bytes=10
        ) as batch:
            batch.insert("charge", CHARGES.format(b=b, rows=rows), columns=CHARGE_COLUMNS if b % 2 else None)
            batch.insert("budget", BUDGETS.format(b=b, rows=2))
            batch.insert(
                "quarantine",
                f"SELECT 'bill-{b}.csv' AS source_file, 9 AS source_row, 'BilledCost' AS column_name, "
                "'no number' AS reason, 'x' AS raw",
            )
            period = "TIMESTAMPTZ '2026-09-01 00:00:00+00'"
            batch.insert(
                "delivery", DELIVERY.format(family="focus", account="acc-1", period=period, table="charge", rows=rows)
            )
            batch.insert(
                "delivery",
                DELIVERY.format(family="b", account="", period="NULL::TIMESTAMPTZ", table="budget", rows=2),
            )
            row = writer.connection.execute(
                'SELECT sum("BilledCost") FROM lake.charge WHERE batch_id = ?', [batch.id]
            ).fetchone()
            batch.control_totals = {"EUR": row[0]}
            batch.rows_read = rows + 3
    return batch.id


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A store of six batches; never write to it, copy it."""
    place = Workspace(tmp_path_factory.mktemp("prepared") / "workspace")
    create_store(place)
    for b in range(1, 7):
        add_batch(place, b)
    with sqlite3.connect(place.catalogue) as catalogue:
        catalogue.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return place


@pytest.fixture
def copied(prepared: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the prepared store that a test may harm."""
    return copy_store(prepared, tmp_path / "copy")


def copy_store(store: Workspace, target: Path) -> Workspace:
    """The whole folder of a store at another place."""
    shutil.copytree(store.root, target)
    return Workspace(target)


def entries_of(workspace: Workspace) -> list[Entry]:
    """The ledger, in order."""
    with open_reader(workspace, views=False) as reader:
        return list(reader.connection.execute("SELECT * FROM lake.ledger ORDER BY entry").to_arrow_table().to_pylist())


def rechain(entries: list[Entry]) -> list[Entry]:
    """Number and hash a ledger anew, so that it fits in itself."""
    before, done = GENESIS, []
    for number, entry in enumerate(entries, start=1):
        entry = {**entry, "entry": number, "previous_hash": before}
        before = entry["entry_hash"] = entry_hash(entry)
        done.append(entry)
    return done


def put_ledger(workspace: Workspace, entries: list[Entry]) -> None:
    """Write a ledger behind the store's back: its Parquet files and whatever the catalogue says of them.

    Nothing else of the store is touched; a shorter ledger loses its last store versions as well.
    """
    catalogue = sqlite3.connect(workspace.catalogue)
    (table,) = catalogue.execute("SELECT table_id FROM ducklake_table WHERE table_name = 'ledger'").fetchone()
    files = catalogue.execute(
        "SELECT data_file_id, path, begin_snapshot FROM ducklake_data_file WHERE table_id = ? ORDER BY row_id_start",
        [table],
    ).fetchall()
    folder = workspace.data / "main" / "ledger"
    schema = pq.read_schema(folder / files[0][1])
    for place, (file_id, name, version) in enumerate(files):
        path = folder / name
        path.unlink()
        if place >= len(entries):
            for sql in (
                "DELETE FROM ducklake_data_file WHERE begin_snapshot >= ?",
                "DELETE FROM ducklake_snapshot WHERE snapshot_id >= ?",
                "DELETE FROM ducklake_snapshot_changes WHERE snapshot_id >= ?",
            ):
                catalogue.execute(sql, [version])
            continue
        entry = entries[place]
        pq.write_table(pa.Table.from_pylist([entry]).select(schema.names).cast(schema), path)
        catalogue.execute(
            "UPDATE ducklake_data_file SET file_size_bytes = ?, footer_size = ? WHERE data_file_id = ?",
            [path.stat().st_size, int.from_bytes(path.read_bytes()[-8:-4], "little"), file_id],
        )
        catalogue.execute("DELETE FROM ducklake_file_column_stats WHERE data_file_id = ?", [file_id])
        catalogue.execute(
            "UPDATE ducklake_snapshot_changes SET commit_extra_info = ? WHERE snapshot_id = ?",
            [json.dumps({"entry_hash": entry["entry_hash"]}), version],
        )
    catalogue.commit()
    catalogue.close()


class Forger:
    """Full access to a store's files, and the knowledge of how they are made."""

    copy = staticmethod(copy_store)
    add_batch = staticmethod(add_batch)
    entries = staticmethod(entries_of)
    rechain = staticmethod(rechain)
    put_ledger = staticmethod(put_ledger)
    file_hash = staticmethod(file_hash)

    def rebuild(self, workspace: Workspace, batches: Sequence[int]) -> None:
        """A history as it never was, made by the kit itself: it fits in itself, and says it is the same store."""
        with sqlite3.connect(workspace.catalogue) as catalogue:
            (own,) = catalogue.execute("SELECT schema_uuid FROM ducklake_schema").fetchone()
        settings = workspace.settings_file.read_text(encoding="utf-8")
        shutil.rmtree(workspace.data)
        for file in workspace.root.glob("catalogue.sqlite*"):
            file.unlink()
        create_store(workspace)
        with sqlite3.connect(workspace.catalogue) as catalogue:
            catalogue.execute("UPDATE ducklake_schema SET schema_uuid = ?", [own])
        workspace.settings_file.write_text(settings, encoding="utf-8")
        for b in batches:
            add_batch(workspace, b)

    def rewrite(self, workspace: Workspace, change: Callable[[list[Entry]], list[Entry]], chained: bool = True) -> None:
        """Change the ledger's entries and, unless said otherwise, chain them anew."""
        entries = change(entries_of(workspace))
        put_ledger(workspace, rechain(entries) if chained else entries)


@pytest.fixture(scope="session")
def forger() -> Forger:
    """Somebody who tampers."""
    return Forger()


@pytest.fixture(scope="session")
def shared_bench() -> Iterator[Any]:
    """The derived layer over tables in memory; whatever the last test left is in it."""
    from inform import Bench

    bench = Bench()
    yield bench
    bench.connection.close()


@pytest.fixture
def bench(shared_bench: Any) -> Any:
    """The same, empty."""
    shared_bench.clear()
    return shared_bench
