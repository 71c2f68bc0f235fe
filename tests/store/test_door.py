"""The SQL door: what it answers, what it refuses, and that nothing gets past it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_kit.errors import FinopsError, QueryRefused, QueryTooLarge, UsageError, VersionUnknown
from finops_kit.settings import Workspace
from finops_kit.store import open_reader
from finops_kit.store.door import _bytes, jsonable, lock_down, run_sql
from finops_kit.store.statement import OWN_NAME, judge
from finops_kit.store.views import view_definitions

TABLES = tuple(view_definitions())


def ask(workspace: Workspace, statement: str, **options: object) -> list[dict[str, object]]:
    with run_sql(workspace, statement, **options) as answer:  # type: ignore[arg-type]
        return list(answer.records())


#: one a line, each refused before it runs; {lake} is the data folder
HOSTILE = (Path(__file__).parent / "hostile.sql.txt").read_text(encoding="utf-8").strip().split("\n")


@pytest.mark.parametrize("statement", HOSTILE)
def test_hostile_statements_are_refused(statement: str, prepared: Workspace) -> None:
    written = statement.replace("{lake}", prepared.data.as_posix()).replace("\\n", "\n")
    with pytest.raises((QueryRefused, UsageError)) as refused:
        judge(written, TABLES)
    said = str(refused.value)
    assert "\n" not in said and len(said) < 500


def test_there_are_enough_of_them() -> None:
    assert len(HOSTILE) >= 60 and len(set(HOSTILE)) == len(HOSTILE)


@pytest.mark.parametrize(
    "statement",
    [
        "ＳＥＬＥＣＴ 1",  # full-width letters are no keywords
        "SEL\u200bECT 1",
        "SELECT 1\u0000; DROP VIEW charge",
        "SELECT '\ud800'",
        "FROM \u202ecsv.x\u202c",
        "FROM read\u2024csv('x')",
        "FROM réad_csv('x')",
        "SELECT 1 \u037e DROP VIEW charge",
    ],
)
def test_unicode_hides_nothing(statement: str) -> None:
    with pytest.raises((QueryRefused, UsageError)):
        judge(statement, TABLES)


@pytest.mark.parametrize("depth", [50, 2000, 60_000])
def test_deep_nesting_is_refused_or_answered_but_never_breaks(depth: int) -> None:
    try:
        judge("SELECT " + "(" * depth + "1" + ")" * depth, TABLES)
    except FinopsError as error:
        assert "\n" not in str(error)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_judged_with_a_sentence(text: str) -> None:
    try:
        judge(text, TABLES)
    except FinopsError as error:
        assert str(error)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["read_csv('x')", "'x.parquet'", "lake.charge", "duckdb_settings()", "sqlite_master"]),
    st.sampled_from(["FROM {}", "SELECT * FROM {} LIMIT 1", "SELECT (SELECT count(*) FROM {})", "DESCRIBE FROM {}",
                     "WITH a AS (FROM {}) FROM a", "FROM charge JOIN {} ON true", "EXPLAIN FROM {}"]),
    st.sampled_from(["{}", "/* {{ */ {}", "{} -- x", "  {} ;  ", "-- a\n{}"]),
)  # fmt: skip
def test_no_wrapping_lets_a_forbidden_source_through(source: str, shape: str, dress: str) -> None:
    with pytest.raises((QueryRefused, UsageError)):
        judge(dress.format(shape.format(source)), TABLES)


def test_no_name_of_the_system_can_be_taken_for_ones_own() -> None:
    with duckdb.connect() as connection:
        system = connection.execute(
            "SELECT view_name FROM duckdb_views() WHERE internal AND schema_name IN ('main', 'pg_catalog')"
        ).fetchall()  # the schemas that are searched for a bare name
    assert len(system) > 20
    assert not [name for (name,) in system if OWN_NAME.match(name)]


# What is let through


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1",
        "select 1;",
        "SELECT 1 -- ; DROP VIEW charge",
        "/* a */ FROM charge",
        "FROM charge SELECT count(*)",
        "TABLE charge",
        "VALUES (1), (2)",
        "WITH a AS (FROM charge) FROM a",
        'WITH RECURSIVE "Maß" AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM "Maß" WHERE n < 3) FROM Maß',
        "DESCRIBE charge",
        "DESCRIBE SELECT 1",
        "SUMMARIZE budget",
        "SHOW TABLES",
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE FROM charge",
        "PIVOT charge ON ServiceName IN ('a') USING sum(BilledCost)",
        "SELECT Tags['team'] FROM charge",
        "FROM range(3)",
        "SELECT unnest([1, 2])",
        "SELECT sum(BilledCost) FILTER (ServiceName = 'DROP TABLE') FROM CHARGE",
    ],
)
def test_questions_are_answered(statement: str, prepared: Workspace) -> None:
    assert ask(prepared, statement) is not None


def test_only_the_newest_delivery_is_current_and_all_are_in_the_history(prepared: Workspace) -> None:
    (row,) = ask(prepared, "SELECT count(*) AS n, sum(BilledCost) AS billed FROM charge")
    assert row["n"] == 4 and Decimal(str(row["billed"])) == Decimal("31.5")  # batch 6: 4 x 6 + 1.25 x (0+1+2+3)
    (row,) = ask(prepared, "SELECT count(*) AS n, count(DISTINCT batch_id) AS batches FROM charge_history")
    assert row == {"n": 24, "batches": 6}
    (row,) = ask(
        prepared, "FROM charge_history SELECT recorded_at, batch_id, source_file, source_row ORDER BY ALL LIMIT 1"
    )
    assert str(row["recorded_at"]).endswith("Z") and row["source_file"] == "bill-1.csv"


def test_as_of_a_version_is_what_was_known_then(prepared: Workspace) -> None:
    (then,) = ask(prepared, "SELECT sum(BilledCost) AS billed FROM charge", as_of=2)
    assert Decimal(str(then["billed"])) == Decimal("11.5")  # batch 1
    with pytest.raises(VersionUnknown):
        ask(prepared, "SELECT 1", as_of=999)


def test_values_survive_json_without_loss(prepared: Workspace) -> None:
    (row,) = ask(
        prepared,
        "SELECT 0.000000000000000000000001::DECIMAL(38,24) AS tiny, 170141183460469231731687303715884105727::HUGEINT "
        "AS huge, MAP {'a': 'b'} AS m, {'x': [1.50, 2.25]} AS s, '\\x01\\xFF'::BLOB AS b, 'nan'::DOUBLE AS n, NULL "
        "AS e, TIMESTAMPTZ '2026-03-01 01:00:00+02' AS t, DATE '2026-03-01' AS d, INTERVAL 90 SECONDS AS i, true "
        "AS yes, 1 AS a, 2 AS a",
    )
    assert row == {
        "tiny": "0.000000000000000000000001", "huge": 170141183460469231731687303715884105727, "m": {"a": "b"},
        "s": {"x": ["1.50", "2.25"]}, "b": "01ff", "n": "nan", "e": None, "t": "2026-02-28T23:00:00Z",
        "d": "2026-03-01", "i": "PT90S", "yes": True, "a": 1, "a_2": 2,
    }  # fmt: skip
    assert json.loads(json.dumps(row)) == row


def test_rows_stop_where_asked_and_it_is_said(prepared: Workspace) -> None:
    with run_sql(prepared, "FROM range(5000)", max_rows=1200) as answer:
        assert len(list(answer)) == 1200 and answer.truncated
    with run_sql(prepared, "FROM range(1200)", max_rows=1200) as answer:
        assert len(list(answer)) == 1200 and not answer.truncated


def test_rows_stream(prepared: Workspace) -> None:
    began = time.monotonic()
    with run_sql(prepared, "SELECT range, repeat('x', 100) FROM range(10000000000)") as answer:
        rows = iter(answer)
        assert [next(rows)[0] for _ in range(5000)] == list(range(5000))
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELEC 1", "no SQL"),
        ("", "no statement"),
        ("-- nothing", "no statement"),
        ("FROM chrage", "Did you mean charge?"),
        ("SELECT BiledCost FROM charge", "BilledCost"),
        ("SELECT CAST('a' AS INT)", "Could not convert"),
        ("SELECT error('own words')", "own words"),
    ],
)
def test_mistakes_are_told_in_one_sentence(statement: str, said: str, prepared: Workspace) -> None:
    with pytest.raises(UsageError, match=said) as error:
        ask(prepared, statement)
    assert "\n" not in str(error.value)


# The walls behind the judgement


@pytest.mark.parametrize(
    "statement",
    [
        "FROM read_text('/etc/passwd')",
        "FROM glob('/etc/*')",
        "COPY (SELECT 1) TO '/tmp/door-leak.csv'",
        "SET threads = 1",
        "SET enable_external_access = true",
        "INSERT INTO lake.budget SELECT * FROM lake.budget",
        "DELETE FROM lake.ledger",
        "LOAD '/tmp/x.duckdb_extension'",
        "FROM somewhere_in_python",
    ],
)
def test_the_connection_itself_refuses(statement: str, prepared: Workspace) -> None:
    somewhere_in_python = [1]
    with open_reader(prepared) as reader:
        lock_down(reader.connection, prepared)
        with pytest.raises(duckdb.Error):
            reader.connection.execute(statement).fetchall()
    assert somewhere_in_python and not Path("/tmp/door-leak.csv").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*) FROM range(1000000000000)",
        "SELECT count(*) FROM charge_history a, charge_history b, charge_history c, range(1000000000)",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    ],
)
def test_time_is_bounded(statement: str, prepared: Workspace) -> None:
    began = time.monotonic()
    with pytest.raises(QueryTooLarge, match="longer than 1 s"):
        ask(prepared, statement, timeout_seconds=1)
    assert time.monotonic() - began < 8


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT list(i) FROM range(1000000000) t(i)",
        "SELECT range FROM range(200000000) ORDER BY hash(range)",
        "SELECT string_agg(i::VARCHAR) FROM range(1000000000) t(i)",
    ],
)
def test_memory_is_bounded(statement: str, prepared: Workspace) -> None:
    with pytest.raises(QueryTooLarge, match="memory"):
        ask(prepared, statement, memory_limit="200MB")


def test_one_value_cannot_take_the_machine(prepared: Workspace) -> None:
    """A single function call is not counted by the engine; the process limit of the command line is."""
    done = subprocess.run(
        [sys.executable, "-m", "finops_kit.cli", "sql", "--memory", "200MB", "--timeout", "60",
         "SELECT list_sort(list_reverse(range(100000000)))"],
        env={**os.environ, "FINOPS_WORKSPACE": str(prepared.root)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 5, done.stderr
    assert "memory" in done.stderr and done.stderr.count("\n") == 1


def test_nothing_is_left_behind(copied: Workspace) -> None:
    before = {path: path.stat().st_size for path in copied.data.rglob("*")}
    ask(copied, "SELECT * FROM charge_history ORDER BY BilledCost")
    assert {path: path.stat().st_size for path in copied.data.rglob("*")} == before


def test_amounts_of_memory_are_read() -> None:
    assert (_bytes("1GB"), _bytes("1GiB"), _bytes("10"), _bytes("0.5 kb")) == (10**9, 2**30, 10, 500)
    with pytest.raises(UsageError):
        _bytes("lots")


def test_infinite_times_and_sets_are_words() -> None:
    assert jsonable(float("-inf")) == "-inf" and jsonable((1, Decimal("2.0"))) == [1, "2.0"]
