"""The catalogue in PostgreSQL, for a team: Debian's own server, started by the test on a socket of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from finops_kit.errors import FinopsError, StoreBusy, StoreError, UsageError
from finops_kit.settings import Workspace
from finops_kit.store import create_store, open_reader, open_writer
from finops_kit.store.backup import backup, restore
from finops_kit.store.configuration import CATALOGUE_VARIABLE, read_settings
from finops_kit.store.door import run_sql
from finops_kit.store.heads import keep_head, sign_head
from finops_kit.store.keys import make_key
from finops_kit.store.lock import writer_lock
from finops_kit.store.verify import verify

pytest.importorskip("duckdb_extension_postgres_scanner", reason="the extra finops_kit[postgres] is not installed")


OBSERVED = """SELECT 'r' || n AS resource_id, sha256(n || '{day}') AS snapshot_id, 'inventory' AS source_system,
    TIMESTAMPTZ '2026-03-0{day} 00:00:00+00' AS observed_at, 'present' AS presence, 'c' AS scope, 'machine' AS kind,
    {day} + n AS vcpu, n + 1 AS source_row FROM range(3) t(n) WHERE n < 3 - {day} // 4"""
LOOKED = """SELECT 'inventory' AS source_system, 'c' AS scope, TIMESTAMPTZ '2026-03-0{day} 00:00:00+00' AS observed_at,
    true AS complete"""


def server_programs() -> Path | None:
    """Where Debian keeps initdb and pg_ctl."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    named = shutil.which("initdb")
    return Path(named).resolve().parent if named and shutil.which("pg_ctl") else None


def as_nobody() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.name != "posix" or os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@pytest.fixture(scope="module")
def server() -> Iterator[Callable[[str], str]]:
    """A running server; call it with a name for a new database's connection string."""
    programs = server_programs()
    if programs is None:
        pytest.skip("PostgreSQL's server is not installed (Debian: apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # a socket's path must be short
    rights = as_nobody()
    if rights:
        os.chown(folder, rights["user"], rights["group"])

    def run(program: str, *words: str) -> None:
        subprocess.run(
            [str(programs / program), *words], cwd=folder, check=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=60, **rights,
        )  # fmt: skip

    run("initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "finops", "--no-sync")
    run("pg_ctl", "-D", f"{folder}/data", "-o", f"-k {folder} -c listen_addresses='' -c fsync=off", "-w", "start")
    try:

        def database(name: str) -> str:
            run("createdb", "-h", str(folder), "-U", "finops", name)
            return f"postgres:dbname={name} host={folder} user=finops"

        yield database
    finally:
        run("pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def team(server: Callable[[str], str], workspace: Workspace, request: pytest.FixtureRequest) -> Workspace:
    """A store whose catalogue is in PostgreSQL."""
    name = "".join(c for c in request.node.name if c.isalnum())[:60].lower()
    assert create_store(workspace, catalogue=server(name)) is True
    return workspace


def test_a_store_works_the_same(team: Workspace, forger: Any) -> None:
    assert not team.catalogue.exists() and team.exists and create_store(team) is False
    for b in (1, 2):
        forger.add_batch(team, b)
    with open_reader(team) as reader:
        assert reader.connection.execute("SELECT count(*) FROM charge_history").fetchone() == (8,)
        assert reader.connection.execute("SELECT count(*) FROM charge").fetchone() == (4,)
        version, moment = reader.version, reader.version_time
    forger.add_batch(team, 3)
    for as_of in (version, moment.isoformat()):
        with open_reader(team, as_of=as_of) as reader:
            assert reader.connection.execute("SELECT count(*) FROM charge_history").fetchone() == (8,)
    make_key(team)
    with open_reader(team) as reader:
        kept = keep_head(team, sign_head(reader))
    report = verify(team, heads=[kept])
    assert (report.findings, report.orphans, report.entries) == ([], [], 3)


def test_the_read_only_door_works_the_same(team: Workspace, forger: Any) -> None:
    forger.add_batch(team, 1)
    with run_sql(team, "SELECT count(*) AS n FROM charge") as answer:
        assert list(answer.records()) == [{"n": 4}]
    for statement in ("SELECT * FROM postgres_query('x', 'SELECT 1')", "SELECT * FROM postgres_scan('', '', 'x')"):
        with pytest.raises(FinopsError):
            run_sql(team, statement)


def test_tampering_is_found(team: Workspace, forger: Any) -> None:
    forger.add_batch(team, 1)
    file = next((team.data / "main" / "charge").glob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert any(finding.check == "data file" for finding in verify(team).findings)


def test_a_batch_that_fails_leaves_nothing(team: Workspace, forger: Any) -> None:
    with pytest.raises(ZeroDivisionError), open_writer(team) as writer, writer.batch(kind="ingest") as batch:
        batch.insert("budget", "SELECT 1 AS amount")
        raise ZeroDivisionError
    forger.add_batch(team, 1)
    report = verify(team)
    assert (report.findings, report.orphans) == ([], [])


def test_a_backup_needs_no_database_and_goes_back_into_one(
    team: Workspace, server: Callable[[str], str], forger: Any, tmp_path: Path
) -> None:
    for b in (1, 2):
        forger.add_batch(team, b)
    with open_reader(team) as reader:
        version, charges = reader.version, reader.connection.execute("FROM charge_history ORDER BY ALL").fetchall()
    forger.add_batch(team, 3)
    made = backup(team, tmp_path / "kept")
    kept = Workspace(tmp_path / "kept")
    assert (kept.catalogue.is_file(), read_settings(kept).catalogue) == (True, "")
    assert read_settings(kept).store_id == read_settings(team).store_id
    assert backup(team, tmp_path / "kept").copied == 0
    with pytest.raises(UsageError, match="There is a store"):
        restore(tmp_path / "kept", team)
    with pytest.raises(UsageError, match="holds a catalogue already"):
        restore(tmp_path / "kept", Workspace(tmp_path / "no"), catalogue="postgres:" + read_settings(team).catalogue)
    for place, catalogue in (("plain", ""), ("again", server("again"))):  # point in time, into both kinds
        back = Workspace(tmp_path / place)
        restore(tmp_path / "kept", back, version=version, catalogue=catalogue)
        with open_reader(back) as reader:
            assert reader.version == version
            assert reader.connection.execute("FROM charge_history ORDER BY ALL").fetchall() == charges
        assert bool(read_settings(back).catalogue) == bool(catalogue) == (not back.catalogue.exists())
        forger.add_batch(back, 4)
        assert verify(back).findings == []
    assert made.store_version > version


def test_states_are_derived_the_same(team: Workspace, workspace: Workspace, tmp_path: Path) -> None:
    plain = Workspace(tmp_path / "plain")
    create_store(plain)
    found = []
    for store in (team, plain):
        for day in (1, 2, 4):
            with open_writer(store) as writer, writer.batch(kind="ingest", format="inventory") as batch:
                batch.rows_read = batch.insert("resource_snapshot", OBSERVED.format(day=day))
                batch.insert("observation_scope", LOOKED.format(day=day))
        with open_reader(store) as reader:
            intervals, events = (
                reader.connection.execute(f"FROM {view} ORDER BY ALL").fetchall()
                for view in ("state_interval", "scaling_event")
            )
        assert intervals and events
        found.append((intervals, events))
    assert found[0] == found[1]
    assert verify(team).findings == []


def test_several_writers_take_turns_and_the_chain_stays_one(team: Workspace, forger: Any) -> None:
    failures: list[BaseException] = []

    def write(start: int) -> None:
        try:
            for step in range(3):
                forger.add_batch(team, start + step)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(n * 10 + 1,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [entry["entry"] for entry in forger.entries(team)] == list(range(1, 10))
    assert verify(team).findings == []


def test_a_writer_gives_up_with_a_sentence(team: Workspace) -> None:
    with writer_lock(team), pytest.raises(StoreBusy, match="Another process has been writing"):
        with writer_lock(team, wait_seconds=0.2):
            pass
    with writer_lock(team, wait_seconds=0.2):  # and the lock is free again
        pass


def test_a_server_that_is_gone_is_said_so(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreError, match="cannot be reached") as told:
        create_store(workspace, catalogue=f"postgres:host={tmp_path} dbname=x user=y password=geheim")
    assert "geheim" not in str(told.value)
    with pytest.raises(UsageError, match="names no catalogue"):
        create_store(workspace, catalogue="mysql://x")


def test_the_connection_can_stay_out_of_the_workspace(
    server: Callable[[str], str], workspace: Workspace, monkeypatch: pytest.MonkeyPatch, forger: Any
) -> None:
    monkeypatch.setenv(CATALOGUE_VARIABLE, server("fromenv"))
    create_store(workspace, catalogue="env")
    assert 'catalogue = "env"' in workspace.settings_file.read_text()
    forger.add_batch(workspace, 1)
    assert read_settings(workspace).catalogue.startswith("dbname=fromenv")
    monkeypatch.delenv(CATALOGUE_VARIABLE)
    with pytest.raises(StoreError, match="FINOPS_CATALOG, which is not set"), open_reader(workspace):
        pass
