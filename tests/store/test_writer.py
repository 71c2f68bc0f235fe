"""Batches: whole or not at all, one ledger entry each, counted and chained."""

from __future__ import annotations

import json
import threading
from decimal import Decimal

import pyarrow as pa
import pytest

from finops_kit.errors import ReconciliationFailed, StoreBusy, StoreMissing, UsageError, VersionUnknown
from finops_kit.settings import Workspace
from finops_kit.store import Writer, create_store, open_reader, open_writer
from finops_kit.store import known as known_entries
from finops_kit.store.ledger import GENESIS, entry_hash, file_hash
from finops_kit.store.lock import writer_lock

BUDGET = (
    "SELECT DATE '2026-09-01' AS month, 'total' AS dimension, {amount} AS amount, 'EUR' AS currency, 1 AS source_row"
)

DELIVERY = (
    "SELECT 'budgets' AS source_system, '' AS billing_account_id, NULL::TIMESTAMPTZ AS period_start, "
    "'budget' AS dataset, 'replace' AS mode"
)


@pytest.fixture
def store(workspace: Workspace) -> Workspace:
    create_store(workspace)
    return workspace


def add_budget(store: Workspace, amount: int, source_hash: str = "") -> str:
    with open_writer(store) as writer, writer.batch(kind="ingest", format="budgets", source_hash=source_hash) as batch:
        batch.rows_read = batch.insert("budget", BUDGET.format(amount=amount))
        batch.insert("delivery", DELIVERY)
    return batch.id


def amounts(store: Workspace, as_of: int | str | None = None, table: str = "budget") -> list[Decimal]:
    with open_reader(store, as_of=as_of) as reader:
        return [row[0] for row in reader.connection.execute(f"SELECT amount FROM {table} ORDER BY 1").fetchall()]


def test_a_batch_is_visible_whole_after_its_end(store: Workspace) -> None:
    with open_writer(store) as writer:
        with writer.batch(kind="ingest") as batch:
            batch.rows_read = batch.insert("budget", BUDGET.format(amount=5))
            assert amounts(store) == []
    assert batch.version is not None
    assert amounts(store, table="budget_history") == [Decimal(5)]


def test_a_failed_batch_leaves_nothing(store: Workspace) -> None:
    before = set(store.root.rglob("*.parquet"))
    with pytest.raises(ZeroDivisionError), open_writer(store) as writer:
        with writer.batch(kind="ingest") as batch:
            batch.rows_read = batch.insert("budget", BUDGET.format(amount=5))
            raise ZeroDivisionError
    assert amounts(store, table="budget_history") == []
    assert set(store.root.rglob("*.parquet")) == before
    add_budget(store, 7)  # the next one goes on
    assert amounts(store) == [Decimal(7)]


def test_rows_read_must_be_stored_or_quarantined(store: Workspace) -> None:
    with pytest.raises(ReconciliationFailed, match="2 rows were read, but 1 stored"):
        with open_writer(store) as writer, writer.batch(kind="ingest", source_file="b.csv") as batch:
            batch.insert("budget", BUDGET.format(amount=5))
            batch.rows_read = 2
    assert amounts(store, table="budget_history") == []


def test_the_ledger_is_chained_and_names_the_files(store: Workspace) -> None:
    add_budget(store, 1, "aa" * 32)
    add_budget(store, 2, "bb" * 32)
    with open_reader(store) as reader:
        entries = reader.connection.execute("SELECT * FROM ledger ORDER BY entry").to_arrow_table().to_pylist()
        assert reader.ledger_head == entries[-1]["entry_hash"]
        assert reader.ledger_entries == 2
    assert entries[0]["previous_hash"] == GENESIS
    assert entries[1]["previous_hash"] == entries[0]["entry_hash"]
    for entry in entries:
        assert entry_hash(entry) == entry["entry_hash"]
        files = json.loads(entry["data_files"])
        assert {f["table"] for f in files} == {"budget", "delivery"}
        for file in files:
            path = store.data / file["path"]
            assert (file_hash(path), path.stat().st_size) == (file["sha256"], file["bytes"])


def test_content_seen_before_is_known(store: Workspace) -> None:
    batch_id = add_budget(store, 1, "aa" * 32)
    with open_writer(store) as writer:
        entry = writer.seen("aa" * 32)
        assert entry is not None and entry["batch_id"] == batch_id
        assert writer.seen("cc" * 32) is None


def test_a_newer_delivery_becomes_current_and_the_older_stays(store: Workspace) -> None:
    add_budget(store, 1)
    with open_reader(store) as reader:
        version = reader.version
    add_budget(store, 2)
    assert amounts(store) == [Decimal(2)]
    assert amounts(store, table="budget_history") == [Decimal(1), Decimal(2)]
    assert amounts(store, as_of=version) == [Decimal(1)]
    assert amounts(store, as_of=str(version)) == [Decimal(1)]


def test_an_open_reader_keeps_its_version(store: Workspace) -> None:
    add_budget(store, 1)
    with open_reader(store) as reader:
        add_budget(store, 2)
        assert reader.connection.execute("SELECT amount FROM budget").fetchall() == [(Decimal(1),)]


def test_as_of_a_time(store: Workspace) -> None:
    add_budget(store, 1)
    with open_reader(store) as reader:
        moment = reader.version_time.isoformat()
    add_budget(store, 2)
    assert amounts(store, as_of=moment) == [Decimal(1)]
    assert amounts(store, as_of="2999-12-31") == [Decimal(2)]
    with pytest.raises(VersionUnknown, match="knew nothing yet"), open_reader(store, as_of="2001-01-01"):
        pass
    with pytest.raises(VersionUnknown, match="no version 999"), open_reader(store, as_of=999):
        pass
    with pytest.raises(UsageError, match="neither a store version nor a time"), open_reader(store, as_of="last march"):
        pass


def test_writers_take_turns(store: Workspace) -> None:
    failures: list[BaseException] = []

    def write(start: int) -> None:
        try:
            for step in range(4):
                add_budget(store, start + step)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(n * 10,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(amounts(store, table="budget_history")) == 12


def test_a_writer_gives_up_with_a_sentence(store: Workspace) -> None:
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with writer_lock(store):
            held.set()
            release.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    try:
        with pytest.raises(StoreBusy, match="Another process has been writing"):
            with open_writer(store, wait_seconds=0.2) as writer, writer.batch(kind="ingest"):
                pass
    finally:
        release.set()
        thread.join()


def test_arrow_goes_in_by_name_and_what_is_missing_is_null(store: Workspace) -> None:
    rows = pa.table({"currency": ["EUR"], "amount": [Decimal("1.000000000000000000000001")], "dimension": ["total"]})
    with open_writer(store) as writer, writer.batch(kind="ingest") as batch:
        batch.rows_read = batch.insert_arrow("budget", rows)
    with open_reader(store) as reader:
        row = reader.connection.execute("SELECT amount, month FROM budget_history").fetchone()
    assert row == (Decimal("1.000000000000000000000001"), None)


def test_only_the_stores_tables_can_be_appended_to(store: Workspace) -> None:
    for table in ("ledger", "nonsense", "charge; DROP TABLE lake.charge"):
        with pytest.raises(UsageError, match="cannot append"), open_writer(store) as writer:
            with writer.batch(kind="ingest") as batch:
                batch.insert(table, "SELECT 1 AS x")


def test_no_store_is_said_so(workspace: Workspace) -> None:
    with pytest.raises(StoreMissing, match="finops init"), open_writer(workspace):
        pass
    with pytest.raises(StoreMissing, match="finops init"), open_reader(workspace):
        pass
    assert not workspace.root.exists()


def test_making_a_store_twice_keeps_it(store: Workspace) -> None:
    add_budget(store, 1)
    assert create_store(store) is False
    assert amounts(store) == [Decimal(1)]


def test_a_long_ledger_is_read_whole_only_for_many_files(store: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def append(writer: Writer, content: str) -> None:
        with writer.batch(kind="ingest", format="budgets", source_hash=content) as batch:
            batch.rows_read = batch.insert("budget", BUDGET.format(amount=1))

    with open_writer(store) as first, open_writer(store) as second:
        assert first.head() is None and first.seen("a" * 64) is None
        for content in "aba":
            append(second, content * 64)
        # the second has appended without the first: what the first knew is forgotten
        assert first.head()["entry"] == 3
        assert first.seen("a" * 64)["entry"] == 1 and first.seen("b" * 64)["entry"] == 2
        whole: list[int] = []
        monkeypatch.setattr(known_entries.KnownEntries, "_read_whole", lambda self: whole.append(1))
        assert [first.seen(content * 64) for content in "cd"] == [None, None] and not whole
        monkeypatch.undo()
        assert first.seen("e" * 64) is None  # by now the whole ledger is read ...
        append(first, "f" * 64)  # ... and kept up
        assert (first.head()["entry"], first.seen("f" * 64)["entry"], first.seen("a" * 64)["entry"]) == (4, 4, 1)
        assert second.head()["entry"] == 4 and second.seen("f" * 64)["entry"] == 4
