"""A store that an earlier version of the package made: read as it is, brought up to date by adding only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finops_kit.cli.app import app
from finops_kit.errors import StoreError
from finops_kit.fields import TABLES
from finops_kit.settings import Workspace
from finops_kit.store import create_store, lake, open_reader
from finops_kit.store.backup import backup, restore
from finops_kit.store.door import run_sql
from finops_kit.store.ledger import file_hash
from finops_kit.store.summary import summarize
from finops_kit.store.verify import verify

#: what the earlier version had not yet
LATER_TABLES = ("derivation", "state_run", "platform_event", "contract")
LATER_COLUMNS = {"charge": ("Tags", "x_Columns"), "budget": ("member",), "delivery": ("billed_cost",)}
ADDED = sorted([*LATER_TABLES, *(f"{table}.{name}" for table, names in LATER_COLUMNS.items() for name in names)])


@pytest.fixture(scope="module")
def early(tmp_path_factory: pytest.TempPathFactory, forger: Any) -> Iterator[Workspace]:
    """A store of two batches, made when there were fewer tables and columns; copy it."""
    place = Workspace(tmp_path_factory.mktemp("early") / "workspace")
    with pytest.MonkeyPatch.context() as patch:
        for name in LATER_TABLES:
            patch.delitem(TABLES, name)
        for name, columns in LATER_COLUMNS.items():
            fields = tuple(field for field in TABLES[name].fields if field.name not in columns)
            patch.setitem(TABLES, name, replace(TABLES[name], fields=fields))
        create_store(place)
        tags = re.compile(r"MAP [^,]*, |'m' \|\| n AS member, ")
        with pytest.MonkeyPatch.context() as statements:
            for name in ("CHARGES", "BUDGETS"):
                module = forger.add_batch.__globals__
                statements.setitem(module, name, tags.sub("", module[name]))
            for b in (1, 2):
                forger.add_batch(place, b)
    yield place


@pytest.fixture
def old(early: Workspace, tmp_path: Path, forger: Any) -> Workspace:
    return forger.copy(early, tmp_path / "old")  # type: ignore[no-any-return]


def hashes(store: Workspace) -> dict[str, str]:
    return {path.relative_to(store.data).as_posix(): file_hash(path) for path in store.data.rglob("*.parquet")}


def rows(store: Workspace, sql: str, as_of: int | None = None) -> list[tuple[Any, ...]]:
    with run_sql(store, sql, as_of=as_of) as answer:
        return list(answer)


def test_a_reader_of_an_earlier_store_sees_empty_tables_and_nulls_and_writes_nothing(old: Workspace) -> None:
    before = hashes(old), old.catalogue.read_bytes()
    assert rows(old, "SELECT count(*), count(Tags), sum(BilledCost) FROM charge_history")[0][:2] == (8, 0)
    assert rows(old, "SELECT member FROM budget") == [(None,), (None,)]
    assert rows(old, "SELECT count(*) FROM state_interval") == [(0,)]
    assert rows(old, "SELECT count(*) FROM unlinked_charge") == [(4,)]
    assert summarize(old).rows_stored == 12
    report = verify(old)
    assert report.findings == []
    assert before == (hashes(old), old.catalogue.read_bytes())


def test_the_next_writer_adds_what_is_missing_and_changes_nothing_that_was(old: Workspace, forger: Any) -> None:
    before = hashes(old)
    with open_reader(old) as reader:
        version = reader.version
        earlier = reader.connection.execute("SELECT * FROM charge_history ORDER BY ALL").fetchall()
    forger.add_batch(old, 3)
    *_, migration, ingest = forger.entries(old)
    assert (migration["kind"], ingest["kind"]) == ("migrate", "ingest")
    details = json.loads(migration["details"])
    assert sorted([*details["tables"], *details["columns"]]) == ADDED
    assert {name: hash_ for name, hash_ in hashes(old).items() if name in before} == before
    report = verify(old)
    assert report.findings == [], [str(finding) for finding in report.findings]
    assert verify(old, as_of=version).findings == []
    assert rows(old, "SELECT Tags['team'] FROM charge ORDER BY 1")[0] == ("team-0",)
    assert rows(old, "SELECT count(*), count(Tags) FROM charge_history") == [(12, 4)]
    with open_reader(old, as_of=version) as reader:
        assert reader.connection.execute("SELECT * FROM charge_history ORDER BY ALL").fetchall() == earlier
        assert reader.connection.execute("SELECT count(*) FROM state_interval").fetchone() == (0,)
    forger.add_batch(old, 4)
    assert [entry["kind"] for entry in forger.entries(old)].count("migrate") == 1


def test_init_brings_a_store_up_to_date_and_a_backup_goes_back_before_it(old: Workspace, tmp_path: Path) -> None:
    from click.testing import CliRunner

    with open_reader(old) as reader:
        version = reader.version
    done = CliRunner().invoke(app, ["init", "--json", "--workspace", str(old.root)])
    assert sorted(json.loads(done.stdout)["added"]) == ADDED
    assert json.loads(CliRunner().invoke(app, ["init", "--json", "-w", str(old.root)]).stdout)["added"] == []
    backup(old, tmp_path / "kept")
    restore(tmp_path / "kept", Workspace(tmp_path / "whole"))
    back = Workspace(tmp_path / "before")
    restore(tmp_path / "kept", back, version=version)
    assert verify(back).findings == []
    assert rows(back, "SELECT member FROM budget") == [(None,), (None,)]


def test_what_was_taken_away_is_neither_stood_in_for_nor_made_again(copied: Workspace, forger: Any) -> None:
    connection = lake.connect()
    lake.attach(connection, copied, read_only=False)
    connection.execute("DROP TABLE lake.quarantine")
    connection.close()
    with pytest.raises(StoreError, match="quarantine, which it once had"), open_reader(copied):
        pass
    with pytest.raises(StoreError, match="quarantine, which it once had"):
        forger.add_batch(copied, 8)
    assert not verify(copied).ok


def test_a_table_added_without_a_ledger_entry_is_found(old: Workspace) -> None:
    connection = lake.connect()
    lake.attach(connection, old, read_only=False)
    connection.execute('ALTER TABLE lake.budget ADD COLUMN "member" VARCHAR')
    connection.execute(f"CREATE TABLE lake.derivation ({TABLES['derivation'].ddl})")
    connection.close()
    found = [str(finding) for finding in verify(old).findings]
    assert any("budget.member" in text for text in found), found
    assert any("derivation" in text for text in found), found
