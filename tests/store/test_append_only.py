"""Nothing that the kit does updates or deletes: held against the engine's own log of statements, and the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import finops_kit
from finops_kit.fields import TABLES
from finops_kit.ingest import ingest_paths
from finops_kit.settings import Workspace
from finops_kit.store import create_store, lake, open_reader, open_writer, writer
from finops_kit.store.heads import keep_head, sign_head
from finops_kit.store.keys import make_key
from finops_kit.store.verify import verify

#: what would take something back, wherever a statement names a table of the lake
TAKES_BACK = re.compile(
    r"\b(UPDATE|DELETE|DROP|TRUNCATE|ALTER(?! TABLE lake\.\w+ ADD COLUMN)|MERGE)\b.*\blake\.|"
    r"\bducklake_(expire|cleanup|merge|rewrite|delete)|"
    r"\bCREATE\s+OR\s+REPLACE\s+TABLE\s+lake\.",
    re.IGNORECASE | re.DOTALL,
)
#: the lake's own statements to its catalogue are logged as well
CATALOGUE = "__ducklake_metadata_lake"
WRITES = re.compile(r"\bINSERT\s+INTO\s+lake\.(\w+)", re.IGNORECASE)


class Logged:
    """A connection whose engine logs every statement; what it logged is taken out before it closes."""

    def __init__(self, connection: Any, log: list[str]) -> None:
        self._connection, self._log = connection, log
        connection.execute("CALL enable_logging('QueryLog')")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def close(self) -> None:
        rows = self._connection.execute("SELECT message FROM duckdb_logs WHERE type = 'QueryLog'").fetchall()
        self._log += [row[0] for row in rows]
        self._connection.close()


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every statement that any connection of the kit ran."""
    log: list[str] = []
    real = lake.connect
    for module in ("schema", "reader", "writer"):
        monkeypatch.setattr(f"finops_kit.store.{module}.connect", lambda *a, **k: Logged(real(*a, **k), log))
    yield log


def test_the_pattern_sees_what_it_should() -> None:
    for statement in (
        "DELETE FROM lake.charge", "update lake.budget SET amount = 1", "DROP TABLE lake.charge",
        "TRUNCATE lake.charge",
        "ALTER TABLE lake.charge DROP COLUMN a", "CALL ducklake_expire_snapshots('lake')",
        "MERGE INTO lake.charge USING x ON true WHEN MATCHED THEN DELETE",
    ):  # fmt: skip
        assert TAKES_BACK.search(statement), statement
    assert not TAKES_BACK.search("INSERT INTO lake.charge BY NAME SELECT 1")


def bill(path: Path, rows: int, cost: str) -> Path:
    line = {
        "BillingAccountId": "001", "BillingAccountName": "House", "BillingCurrency": "EUR", "BilledCost": cost,
        "EffectiveCost": cost, "BillingPeriodStart": "2026-03-01T00:00:00Z", "BillingPeriodEnd": "2026-04-01T00:00:00Z",
        "ChargePeriodStart": "2026-03-02T00:00:00Z", "ChargePeriodEnd": "2026-03-03T00:00:00Z",
        "ChargeCategory": "Usage", "ServiceName": "Machines", "ProviderName": "Cloud", "PublisherName": "Cloud",
        "InvoiceIssuerName": "Cloud",
    }  # fmt: skip
    path.write_text("\n".join([",".join(line), *[",".join(line.values())] * rows]) + "\n", encoding="utf-8")
    return path


def test_everything_that_writes_only_inserts(
    workspace: Workspace, tmp_path: Path, statements: list[str], forger: Any
) -> None:
    create_store(workspace)
    files = [bill(tmp_path / "march.csv", 3, "1.5"), bill(tmp_path / "march-restated.csv", 2, "2.5")]
    (tmp_path / "budgets.csv").write_text("month,dimension,member,amount,currency\n2026-03-01,total,,100,EUR\n")
    (tmp_path / "broken.csv").write_text("")
    ingest_paths(workspace, [*files, tmp_path / "budgets.csv"])
    ingest_paths(workspace, [*files, tmp_path / "broken.csv"])  # again, and one that is refused
    for b in range(1, 3):
        forger.add_batch(workspace, b)
    with pytest.raises(ZeroDivisionError), open_writer(workspace) as opened, opened.batch(kind="ingest") as batch:
        batch.insert("budget", "SELECT 1 AS amount")
        raise ZeroDivisionError  # a batch that is rolled back
    with open_writer(workspace) as opened, opened.batch(kind="ingest", format="inventory") as batch:
        for day in range(1, 4):  # observations, and what is derived from them
            batch.rows_read += batch.insert(
                "resource_snapshot",
                f"SELECT 'r' || n AS resource_id, sha256(n || '{day}') AS snapshot_id, 'inventory' AS source_system, "
                f"TIMESTAMPTZ '2026-03-0{day}' AS observed_at, 'present' AS presence, 'c' AS scope, 'machine' AS kind, "
                f"{day} AS vcpu, n + 1 AS source_row FROM range(3) t(n)",
            )
    with open_writer(workspace) as opened, opened.batch(kind="report", format="page") as batch:
        batch.insert("report_run", "SELECT 'r1' AS run_id, 'finance' AS perspective, 1 AS store_version")
    make_key(workspace)
    with open_reader(workspace) as reader:
        keep_head(workspace, sign_head(reader))
    assert verify(workspace).ok
    create_store(workspace)
    written = {table for statement in statements for table in WRITES.findall(statement)}
    assert written >= {"charge", "budget", "quarantine", "delivery", "resource_snapshot", "state_run", "report_run"}
    assert written <= set(TABLES)
    ours = [statement for statement in statements if CATALOGUE not in statement]
    assert [statement for statement in ours if TAKES_BACK.search(statement)] == []
    # and so it is one floor below, where the lake writes its catalogue: only running totals are updated
    below = [part.replace(f'"{CATALOGUE}"."main".', "").strip()
             for statement in statements if CATALOGUE in statement for part in statement.split(";")]  # fmt: skip
    verbs = [re.match(r"(UPDATE|DELETE FROM|DROP \w+|TRUNCATE)\s+\w+", part, re.I) for part in below]
    changes = {verb.group(0).upper() for verb in verbs if verb}
    assert changes <= {"UPDATE DUCKLAKE_TABLE_STATS", "UPDATE DUCKLAKE_TABLE_COLUMN_STATS"}, changes
    assert not [part for part in below if re.match(r"INSERT INTO ducklake_delete_file", part, re.I)]


def test_no_statement_in_the_source_takes_anything_back() -> None:
    found = []
    for path in sorted(Path(str(finops_kit.__file__)).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                text = "".join(str(v.value) if isinstance(v, ast.Constant) else "lake" for v in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            else:
                continue
            verb = re.match(r"\s*(UPDATE|DELETE FROM|DROP TABLE|TRUNCATE|ALTER TABLE|MERGE INTO)\s", text, re.I)
            adds = path.name == "writer.py" and re.match(r"ALTER TABLE lake\.lake ADD COLUMN ", text)
            # expiry, and compaction, which inserts the same rows again: acts whose ledger entry names each file
            expires = path.name in ("expire.py", "compact.py") and text.startswith(
                "DELETE FROM lake.lake WHERE batch_id IN ("
            )
            if verb and not adds and not expires and re.search(r"\blake\b", text):
                found.append(f"{path.name}:{node.lineno}: {text[:80]}")
    assert found == []


def test_only_a_batch_inserts() -> None:
    """The writing path is one: no other module composes an INSERT into the lake."""
    room = Path(str(finops_kit.__file__)).parent
    found = [path for path in sorted(room.rglob("*.py")) if "INSERT INTO {LAKE}" in path.read_text(encoding="utf-8")]
    assert [path.relative_to(room).as_posix() for path in found] == ["store/writer.py"]


def test_a_clock_that_is_set_back_is_noted_and_known_time_never_runs_backwards(
    copied: Workspace, forger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_reader(copied) as reader:
        before, moment = reader.version, reader.version_time

    class Behind(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) - timedelta(days=400)

    monkeypatch.setattr(writer, "datetime", Behind)
    forger.add_batch(copied, 7)
    monkeypatch.undo()
    entry = forger.entries(copied)[-1]
    assert entry["recorded_at"] == forger.entries(copied)[-2]["recorded_at"]
    assert 399 * 86400 < float(re.findall(r'"clock_behind_seconds":([\d.]+)', entry["details"])[0]) < 401 * 86400
    with open_reader(copied, as_of=moment.isoformat()) as reader:
        assert reader.version in (before, before + 1)
        assert reader.version_time <= moment.astimezone(UTC)
    with open_reader(copied) as reader:
        assert reader.version_time >= moment
