"""A store tampered with at random, in every way that somebody with full access has; `verify` must find each.

Each mutation is made on a copy of one small store of six batches, against a head that an auditor kept.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_kit.settings import Workspace
from finops_kit.store import lake, open_reader, reader
from finops_kit.store.heads import keep_head, sign_head
from finops_kit.store.keys import make_key
from finops_kit.store.ledger import HASHED_COLUMNS
from finops_kit.store.verify import verify

#: cells of the catalogue that no reader of this kit looks at: a name tag, who made it, where it once lay
LABELS = {
    ("metadata", "key"), ("metadata", "value"), ("metadata", "scope"), ("metadata", "scope_id"),
    ("table", "table_uuid"),
}  # fmt: skip
CATALOGUE = (
    "snapshot", "snapshot_changes", "schema", "table", "data_file", "file_column_stats", "column", "table_stats",
    "table_column_stats", "schema_versions", "column_mapping", "name_mapping",
)  # fmt: skip
#: all of them with FINOPS_LONG_TESTS=1, else every third
LONG = bool(os.environ.get("FINOPS_LONG_TESTS"))
ROUNDS = {"files": 30, "rows": 20, "ledger": 30, "heads": 15, "engine": 25, "cells": 65, "catalogue_rows": 30}


class Kept:
    """A connection whose extensions stay loaded: closing it detaches what it had attached, and no more."""

    def __init__(self, connection: Any, pool: list[Any]) -> None:
        self._connection, self._pool = connection, pool

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def close(self) -> None:
        try:
            for name in [
                row[0]
                for row in self._connection.execute(
                    "SELECT view_name FROM duckdb_views() WHERE database_name = 'memory' AND NOT internal"
                ).fetchall()
            ]:
                self._connection.execute(f'DROP VIEW memory.main."{name}"')
            for name in [
                row[0] for row in self._connection.execute("SELECT database_name FROM duckdb_databases()").fetchall()
            ]:
                if name in ("lake", "head"):
                    self._connection.execute(f"DETACH {name}")
        except duckdb.Error:  # what is attached is broken: not worth keeping
            self._connection.close()
        else:
            self._pool.append(self._connection)


@pytest.fixture(scope="module", autouse=True)
def quick_connections() -> Iterator[None]:
    """Loading the extensions costs more than a whole check of a small store: do it once."""
    pool: list[Any] = []
    real = lake.connect

    def connect(*args: Any, **kwargs: Any) -> Any:
        if pool:
            return Kept(pool.pop(), pool)
        fresh = real(threads=1)
        fresh.execute("SET enable_external_file_cache = false")  # a file changes under a kept connection here
        return Kept(fresh, pool)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("finops_kit.store.reader.connect", connect)
        yield
    for connection in pool:
        connection.close()


@pytest.fixture(scope="module")
def witnessed(prepared: Workspace, forger: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Path]:
    """The prepared store with a key, and the head of it that an auditor keeps."""
    folder = tmp_path_factory.mktemp("witnessed")
    store = forger.copy(prepared, folder / "store")
    make_key(store)
    with open_reader(store) as opened:
        path = keep_head(store, sign_head(opened), folder)
    for own in (store.root / "heads").iterdir():
        own.unlink()
    return store, path


def data_files(store: Workspace, ledger: bool = True) -> list[Path]:
    return [p for p in sorted(store.data.rglob("*.parquet")) if ledger or p.parent.name != "ledger"]


def sql(store: Workspace, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    with sqlite3.connect(store.catalogue) as catalogue:
        return catalogue.execute(statement, values).fetchall()


def mutate_files(store: Workspace, chance: random.Random, forger: Any) -> str:
    """A byte flipped, a file cut, lengthened, deleted, swapped with another, or put there and listed."""
    way = chance.choice(["flip", "cut", "append", "delete", "swap", "copy over", "put in"])
    path = chance.choice(data_files(store, ledger=way in ("flip", "cut", "delete")))
    content = path.read_bytes()
    if way == "flip":
        at = chance.randrange(len(content))
        path.write_bytes(content[:at] + bytes([content[at] ^ (1 << chance.randrange(8))]) + content[at + 1 :])
    elif way == "cut":
        path.write_bytes(content[: chance.randrange(len(content))])
    elif way == "append":
        path.write_bytes(content + b"\0")
    elif way == "delete":
        path.unlink()
    else:
        others = [p for p in path.parent.iterdir() if p != path]
        other = chance.choice(others)
        if way == "swap":
            path.write_bytes(other.read_bytes())
            other.write_bytes(content)
        elif way == "copy over":
            path.write_bytes(other.read_bytes())
        else:
            new = path.with_name("ducklake-" + path.name[9:].translate(str.maketrans("0123", "3210")))
            new.write_bytes(content)
            names = [row[1] for row in sql(store, "PRAGMA table_info(ducklake_data_file)")]
            (row,) = sql(store, "SELECT * FROM ducklake_data_file WHERE path = ?", (path.name,))
            known = dict(zip(names, row, strict=True)) | {"data_file_id": 900, "path": new.name}
            marks = ", ".join("?" for _ in known)
            sql(store, f"INSERT INTO ducklake_data_file VALUES ({marks})", tuple(known.values()))
    return f"{way} {path.parent.name}/{path.name}"


def mutate_rows(store: Workspace, chance: random.Random, forger: Any) -> str:
    """A row edited, deleted, inserted or swapped inside a data file that stays a good Parquet file."""
    path = chance.choice([p for p in data_files(store, ledger=False) if p.parent.name in ("charge", "budget")])
    table = pq.read_table(path)
    rows, way = table.to_pylist(), chance.choice(["edit", "delete", "insert", "swap"])
    at = chance.randrange(len(rows))
    column = "BilledCost" if "BilledCost" in rows[0] else "amount"
    if way == "edit":
        rows[at][column] += chance.choice([1, -1, 100])
    elif way == "delete":
        del rows[at]
    elif way == "insert":
        rows.insert(at, dict(rows[at]))
    else:
        other = (at + 1) % len(rows)
        rows[at][column], rows[other][column] = rows[other][column], rows[at][column]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    if chance.random() < 0.7:  # and the catalogue is brought in line
        size, footer = path.stat().st_size, int.from_bytes(path.read_bytes()[-8:-4], "little")
        sql(
            store,
            "UPDATE ducklake_data_file SET record_count = ?, file_size_bytes = ?, footer_size = ? WHERE path = ?",
            (len(rows), size, footer, path.name),
        )
    return f"{way} row {at} of {path.parent.name}/{path.name}"


def mutate_ledger(store: Workspace, chance: random.Random, forger: Any) -> str:
    """An entry edited, taken out, put in or moved; chained anew or not."""
    entries = forger.entries(store)
    way = chance.choice(["edit", "edit", "edit", "take out", "put in", "swap", "hash"])
    at, chained = chance.randrange(len(entries)), chance.random() < 0.5
    column = chance.choice([c for c in HASHED_COLUMNS if c not in ("entry", "previous_hash")])
    if way == "edit":
        value = entries[at][column]
        entries[at][column] = value + 1 if isinstance(value, int) else (
            value.replace(year=2020) if hasattr(value, "year") else f"{value} " if column in ("details", "data_files",
            "control_totals", "remainders") else f"{value}x")  # fmt: skip
    elif way == "take out":
        del entries[at]
    elif way == "put in":
        entries[at:at] = [dict(entries[at], batch_id="b000009-00000000")]
        del entries[-1]  # there are as many files as entries
    elif way == "swap":
        other = (at + 1) % len(entries)
        entries[at], entries[other] = entries[other], entries[at]
    else:
        entries[at]["entry_hash"], chained = "0" * 64, False
    forger.put_ledger(store, forger.rechain(entries) if chained else entries)
    return f"{way} entry {at + 1} {column if way == 'edit' else ''}{' chained anew' if chained else ''}"


def mutate_heads(store: Workspace, chance: random.Random, forger: Any) -> str:
    """A ledger that fits in itself: cut short, forked, or chained anew behind an edit. Only a kept head tells."""
    entries = forger.entries(store)
    way = chance.choice(["truncate", "fork", "re-chain"])
    at = chance.randrange(1, len(entries))
    if way == "truncate":
        entries = entries[:at]
    elif way == "fork":
        entries = [*entries[:at], *(dict(entry, actor="another") for entry in entries[at:])]
    else:
        entries[at]["format"] += "x"
    forger.put_ledger(store, forger.rechain(entries))
    if way == "fork":
        sql(store, "UPDATE ducklake_snapshot_changes SET author = 'another' WHERE snapshot_id > ?", (at + 1,))
    return f"{way} at {at}"


ENGINE = (
    "DELETE FROM lake.charge WHERE source_row = {n}",
    "UPDATE lake.charge SET \"BilledCost\" = 0 WHERE source_row = {n}",
    "DELETE FROM lake.budget", "INSERT INTO lake.budget BY NAME SELECT {n} AS amount, 'b000001-00000000' AS batch_id",
    "INSERT INTO lake.charge SELECT * FROM lake.charge WHERE source_row = {n}",
    "UPDATE lake.ledger SET rows_read = rows_read + {n}", "DELETE FROM lake.ledger WHERE entry = {n}",
    "ALTER TABLE lake.budget ADD COLUMN extra INTEGER", "ALTER TABLE lake.budget RENAME COLUMN amount TO amount_{n}",
    "ALTER TABLE lake.charge DROP COLUMN \"Tags\"", "DROP TABLE lake.quarantine",
    "CREATE TABLE lake.more_{n} (a INTEGER)",
    "CREATE VIEW lake.charge_{n} AS SELECT 1 AS a", "ALTER TABLE lake.budget ALTER COLUMN amount SET DEFAULT {n}",
    "DELETE FROM lake.delivery WHERE dataset = 'charge'", "UPDATE lake.delivery SET mode = 'append'",
    "CREATE SCHEMA lake.other_{n}", "ALTER TABLE lake.budget RENAME TO budget_{n}",
)  # fmt: skip


def mutate_engine(store: Workspace, chance: random.Random, forger: Any) -> str:
    """What the engine itself would do, had anybody let it."""
    statement = chance.choice(ENGINE).format(n=chance.randrange(1, 4))
    connection = reader.connect()
    try:
        lake.attach(connection, store, read_only=False)
        connection.execute(statement)
    finally:
        connection.close()
    return statement


def another(value: Any, chance: random.Random) -> Any:
    """A value of the same kind that is not the same."""
    if value is None:
        return chance.choice([0, 1, 3])
    if isinstance(value, int):
        return value + chance.choice([1, -1, 7])
    if isinstance(value, str) and value[:4].isdigit() and value[4:5] == "-":
        return str(int(value[:4]) + chance.choice([1, -1])) + value[4:]
    return value + "x" if chance.random() < 0.5 or len(value) < 2 else value[:-1]


def mutate_cells(store: Workspace, chance: random.Random, forger: Any) -> str:
    """One cell of the catalogue."""
    while True:
        try:
            return change_cell(store, chance)
        except sqlite3.IntegrityError:  # the catalogue itself refuses it; try another
            continue


def change_cell(store: Workspace, chance: random.Random) -> str:
    table = chance.choice(CATALOGUE)
    columns = [row[1] for row in sql(store, f"PRAGMA table_info(ducklake_{table})")]
    column = chance.choice([c for c in columns if (table, c) not in LABELS])
    rowid, value = chance.choice(sql(store, f"SELECT rowid, {column} FROM ducklake_{table}"))
    new = another(value, chance)
    sql(store, f"UPDATE ducklake_{table} SET {column} = ? WHERE rowid = ?", (new, rowid))
    return f"{table}.{column} of row {rowid}: {value!r} -> {new!r}"


def mutate_catalogue_rows(store: Workspace, chance: random.Random, forger: Any) -> str:
    """One row of the catalogue taken out, or there twice."""
    table = chance.choice(CATALOGUE)
    (rowid,) = chance.choice(sql(store, f"SELECT rowid FROM ducklake_{table}"))
    if chance.random() < 0.6:
        sql(store, f"DELETE FROM ducklake_{table} WHERE rowid = ?", (rowid,))
        return f"{table} without row {rowid}"
    try:
        sql(store, f"INSERT INTO ducklake_{table} SELECT * FROM ducklake_{table} WHERE rowid = ?", (rowid,))
    except sqlite3.IntegrityError:  # its key is unique; take it out instead
        sql(store, f"DELETE FROM ducklake_{table} WHERE rowid = ?", (rowid,))
        return f"{table} without row {rowid}"
    return f"{table} with row {rowid} twice"


MUTATIONS: dict[str, Callable[[Workspace, random.Random, Any], str]] = {
    "files": mutate_files, "rows": mutate_rows, "ledger": mutate_ledger, "heads": mutate_heads,
    "engine": mutate_engine, "cells": mutate_cells, "catalogue_rows": mutate_catalogue_rows,
}  # fmt: skip


def outcome(store: Workspace, head: Path) -> list[str]:
    """What verify finds."""
    return [str(finding) for finding in verify(store, heads=[head]).findings]


def test_an_untouched_store_has_no_finding(witnessed: tuple[Workspace, Path], forger: Any, tmp_path: Path) -> None:
    store, head = witnessed
    report = verify(store, heads=[head])
    assert (report.findings, report.orphans, report.heads) == ([], [], 1)
    copy = forger.copy(store, tmp_path / "copy")
    assert outcome(copy, head) == []
    assert json.loads(json.dumps(report.as_dict()))["ok"] is True


def test_there_are_enough_of_every_kind() -> None:
    assert set(ROUNDS) == set(MUTATIONS) and sum(ROUNDS.values()) >= 200


@pytest.mark.slow
@pytest.mark.parametrize("kind", MUTATIONS)
def test_every_mutation_is_found(kind: str, witnessed: tuple[Workspace, Path], forger: Any, tmp_path: Path) -> None:
    store, head = witnessed
    missed = []
    for number in range(0, ROUNDS[kind], 1 if LONG else 3):
        chance = random.Random(f"{kind} {number}")
        copy = forger.copy(store, tmp_path / f"{number}")
        what = MUTATIONS[kind](copy, chance, forger)
        found = outcome(copy, head)
        if kind == "heads":  # whatever else may tell, the head must
            found = [finding for finding in found if finding.startswith("ledger ")]
        if not found:
            missed.append(f"{number}: {what} {outcome(copy, head)[:2]}")
    assert not missed, "\n".join(missed)
