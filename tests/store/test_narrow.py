"""A data file that lacks columns says the same as one that has them as nulls, whatever files stand beside it."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from finops_kit.settings import Workspace
from finops_kit.store import open_reader, open_writer
from finops_kit.store.narrow import may_lack
from finops_kit.store.verify import verify

COLUMNS = {"InvoiceId": "'i-' || n", "Tags": "MAP {'team': 't' || n}", "ListCost": "n + 0.5", "SkuId": "NULL"}
#: each column that may be lacking: how many are null, how many are not, the least
ASKED = "SELECT " + ", ".join(
    f'count(*) FILTER ("{name}" IS NULL), count(*) FILTER ("{name}" IS NOT NULL), count("{name}")' for name in COLUMNS
)


def copy(store: Path, folder: Path) -> Workspace:
    """A store of its own."""
    return Workspace(Path(shutil.copytree(store, folder / "workspace")))


def append(store: Workspace, columns: tuple[str, ...], narrow: bool) -> None:
    """One batch of three charges with these columns."""
    texts = ", ".join(f'{COLUMNS[name]} AS "{name}"' for name in columns)
    rows = f"SELECT n AS source_row{', ' if columns else ''}{texts} FROM range(3) t(n)"
    with open_writer(store) as writer, writer.batch(kind="ingest", format="focus-1.0", source_file="x.csv") as batch:
        batch.rows_read = batch.insert("charge", rows, columns=("source_row", *columns) if narrow else None)


def told(store: Workspace) -> list[object]:
    """What questions about nulls are answered, over all charges and of each batch; the engine may skip what it can."""
    with open_reader(store, views=False) as reader:
        answers: list[object] = [reader.connection.execute(f"{ASKED} FROM lake.charge").fetchall()]
        for name in COLUMNS:
            for asked in ("IS NULL", "IS NOT NULL", "IS NOT DISTINCT FROM NULL"):
                question = f'SELECT count(*) FROM lake.charge WHERE "{name}" {asked}'
                answers.append(reader.connection.execute(question).fetchall())
        return answers


@pytest.mark.parametrize(
    "batches",
    [
        [({"InvoiceId", "Tags"}, True), (set(), True), ({"ListCost"}, False)],
        [(set(), True), ({"InvoiceId", "Tags"}, False), ({"SkuId", "ListCost"}, True), ({"Tags"}, True)],
        [({"ListCost"}, False), ({"Tags", "SkuId"}, True), ({"InvoiceId"}, True), ({"InvoiceId", "Tags"}, True)],
    ],
)
def test_a_file_without_a_column_is_read_as_one_of_nulls(
    empty_store: Path, tmp_path: Path, batches: list[tuple[set[str], bool]]
) -> None:
    store = copy(empty_store, tmp_path)
    for columns, narrow in batches:
        append(store, tuple(sorted(columns)), narrow)
    filled = {name: 3 * sum(name in columns for columns, _ in batches) for name in COLUMNS if name != "SkuId"}
    filled["SkuId"] = 0  # it is null throughout
    rows = 3 * len(batches)
    counts = [count for name in COLUMNS for count in (rows - filled[name], filled[name], filled[name])]
    alone = [count for name in COLUMNS for count in (rows - filled[name], filled[name], rows - filled[name])]
    assert told(store) == [[tuple(counts)], *([(count,)] for count in alone)]
    assert verify(store).findings == []


def test_a_column_that_had_no_null_is_written_with_nulls(empty_store: Path, tmp_path: Path) -> None:
    """The lake would go on planning as if there were none: no row would be found by a question for nulls."""
    store = copy(empty_store, tmp_path)
    append(store, ("InvoiceId", "Tags"), True)
    with open_writer(store) as writer:
        lacked = may_lack(writer.connection, "charge")
    assert not lacked & {"InvoiceId", "Tags", "batch_id"} and {"ListCost", "SkuId"} <= lacked
    append(store, ("ListCost",), True)
    assert told(store)[0] == [(3, 3, 3, 3, 3, 3, 3, 3, 3, 6, 0, 0)]  # null, not null, counted: of each column
    with open_reader(store, views=False) as reader:
        names = reader.connection.execute(
            "SELECT DISTINCT name FROM parquet_schema(?)", [f"{store.data.as_posix()}/main/charge/*.parquet"]
        ).fetchall()
    assert not {"SkuId", "ServiceName"} & {name for (name,) in names}


def test_a_lacking_column_that_is_said_to_have_no_nulls_is_found(empty_store: Path, tmp_path: Path) -> None:
    store = copy(empty_store, tmp_path)
    append(store, ("InvoiceId", "SkuId"), True)
    append(store, ("ListCost",), True)
    assert verify(store).findings == []
    with sqlite3.connect(store.catalogue) as catalogue:
        changed = catalogue.execute(
            "UPDATE ducklake_table_column_stats SET contains_null = 0 WHERE contains_null = 1"
        ).rowcount
    assert changed == 2
    assert [finding.where for finding in verify(store).findings if finding.where.startswith("bounds of charge.")] == [
        "bounds of charge.InvoiceId",
        "bounds of charge.SkuId",
    ]
