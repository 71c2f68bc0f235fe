"""FOCUS out: the strict columns and types of a version, exact amounts, whole files or none."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from finops_kit.errors import ReconciliationFailed, StoreError, UsageError
from finops_kit.fields import focus_columns
from finops_kit.settings import Workspace
from finops_kit.store import create_store, export, open_writer
from finops_kit.store.export import export_focus

CHARGES = """
    SELECT * FROM (VALUES
      ('EUR', 1.5::DECIMAL(38,24), 2::DECIMAL(38,24), 3::DECIMAL(38,18), MAP {'team': 'a "b"', 'e': NULL}, 'AWS', 1),
      ('EUR', 0.000000000232::DECIMAL(38,24), 0.01::DECIMAL(38,24), 1000000::DECIMAL(38,18), NULL, NULL, 2),
      ('USD', -7::DECIMAL(38,24), NULL, NULL, MAP {}, NULL, 3)
    ) t("BillingCurrency", "BilledCost", "ListUnitPrice", "PricingQuantity", "Tags", "ProviderName", source_row),
    (SELECT 'acc' AS "BillingAccountId", TIMESTAMPTZ '2026-09-01 00:00:00+00' AS "BillingPeriodStart",
      TIMESTAMPTZ '2026-10-01 00:00:00+00' AS "BillingPeriodEnd", 'x, "y"' AS "ChargeDescription",
      'Host' AS "ServiceProviderName", 'focus' AS source_system)
"""


def fill(
    workspace: Workspace, select: str, rows: int, period: str = "2026-09-01", source_hash: str = "aa",
    account: str = "acc",
) -> None:  # fmt: skip
    with open_writer(workspace) as writer, writer.batch(kind="ingest", source_hash=source_hash) as batch:
        batch.rows_read = batch.insert("charge", select)
        assert batch.rows_read == rows
        batch.insert(
            "delivery",
            f"SELECT 'focus' AS source_system, '{account}' AS billing_account_id, "
            f"TIMESTAMPTZ '{period} 00:00:00+00' AS period_start, 'charge' AS dataset, 'replace' AS mode, "
            f"{rows} AS rows",
        )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    place = Workspace(tmp_path_factory.mktemp("export") / "workspace")
    create_store(place)
    fill(place, CHARGES, 3)
    return place


def test_a_version_gives_the_same_bytes_each_time(empty_store: Path, tmp_path: Path) -> None:
    """Four accounts of 9,000 charges, which several threads hand on in any order."""
    store = Workspace(shutil.copytree(empty_store, tmp_path / "workspace"))
    for account in range(4):
        many = (
            CHARGES.replace("'acc'", f"'acc-{account}'")
            .replace("source_row),", "number),", 1)
            .replace("SELECT * FROM", "SELECT * EXCLUDE (number, n), n AS source_row FROM range(3000) r(n),", 1)
        )
        fill(store, many, 9000, source_hash=f"{account:02}", account=f"acc-{account}")
    assert len({export_focus(store, tmp_path / f"{place}.csv").path.read_bytes() for place in range(3)}) == 1


def types_of(path: Path) -> dict[str, str]:
    with duckdb.connect() as connection:
        return {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE FROM '{path}'").fetchall()}


@pytest.mark.parametrize("version", ["1.0", "1.2"])
def test_the_columns_are_exactly_those_of_the_version(version: str, store: Workspace, tmp_path: Path) -> None:
    done = export_focus(store, tmp_path / "f.parquet", version)
    types = types_of(done.path)
    assert tuple(types) == focus_columns(version)
    assert types["BilledCost"] == "DECIMAL(38,12)" and types["PricingQuantity"] == "DECIMAL(38,12)"
    assert types["BillingPeriodStart"] == "TIMESTAMP WITH TIME ZONE" and types["Tags"] == "VARCHAR"
    assert set(types.values()) == {"VARCHAR", "DECIMAL(38,12)", "TIMESTAMP WITH TIME ZONE"}


def test_amounts_are_exact_and_add_up(store: Workspace, tmp_path: Path) -> None:
    done = export_focus(store, tmp_path / "f.parquet")
    assert done.control_totals == {"EUR": Decimal("1.500000000232"), "USD": Decimal(-7)}
    assert done.rows == 3 and done.as_dict()["control_totals"] == {"EUR": "1.500000000232", "USD": "-7"}
    with duckdb.connect() as connection:
        rows = connection.execute(
            f'SELECT "BilledCost", "Tags", "ProviderName", "ListUnitPrice" * "PricingQuantity" FROM \'{done.path}\''
        ).fetchall()
    assert [row[0] for row in rows] == [Decimal("1.5"), Decimal("2.32E-10"), Decimal(-7)]
    assert [json.loads(row[1]) if row[1] else row[1] for row in rows] == [{"team": 'a "b"', "e": None}, None, {}]
    assert [row[2] for row in rows] == ["AWS", "Host", "Host"]  # who provides it, where an older column is asked for
    assert [row[3] for row in rows] == [Decimal(6), Decimal(10000), None]


def test_more_decimals_are_kept_where_there_are_more(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "workspace")
    create_store(place)
    fill(place, CHARGES.replace("0.000000000232", "0.000000000000000012"), 3)
    done = export_focus(place, tmp_path / "f.parquet")
    types = types_of(done.path)
    assert types["BilledCost"] == "DECIMAL(38,18)" and types["ListUnitPrice"] == "DECIMAL(38,12)"
    assert done.control_totals["EUR"] == Decimal("1.500000000000000012")


@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
def test_csv_is_plain(ending: str, store: Workspace, tmp_path: Path) -> None:
    done = export_focus(store, tmp_path / f"f.{ending}")
    raw = done.path.read_bytes()
    rows = list(csv.DictReader((gzip.decompress(raw) if ending == "csv.gz" else raw).decode().splitlines()))
    assert tuple(rows[0]) == focus_columns("1.2")
    assert [row["BilledCost"] for row in rows] == ["1.5", "0.000000000232", "-7"]
    assert rows[1]["PricingQuantity"] == "1000000" and rows[2]["ListUnitPrice"] == ""
    assert rows[0]["BillingPeriodEnd"] == "2026-10-01T00:00:00Z" and rows[0]["ChargeDescription"] == 'x, "y"'
    assert json.loads(rows[0]["Tags"])["team"] == 'a "b"' and rows[1]["Tags"] == ""


def test_one_billing_month_and_an_earlier_version(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "workspace")
    create_store(place)
    fill(place, CHARGES, 3)
    first = export_focus(place, tmp_path / "first.parquet").store_version
    fill(place, CHARGES.replace("2026-09-01 00", "2026-10-01 00"), 3, "2026-10-01", "bb")
    assert export_focus(place, tmp_path / "a.parquet").rows == 6
    assert export_focus(place, tmp_path / "a.parquet", period="2026-10").rows == 3
    assert export_focus(place, tmp_path / "a.parquet", period="2026-12").rows == 0
    assert export_focus(place, tmp_path / "a.parquet", as_of=first).rows == 3


@pytest.mark.parametrize(
    ("out", "options", "said"),
    [
        ("folder", {}, "is a folder"),
        ("f.xlsx", {}, "no ending"),
        ("missing/f.csv", {}, "does not exist"),
        ("f.csv", {"focus_version": "2.0"}, "cannot be written"),
        ("f.csv", {"period": "2026-13"}, "not a month"),
    ],
)
def test_wrong_use_is_one_sentence(
    out: str, options: dict[str, str], said: str, store: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match=said):
        export_focus(store, tmp_path / out, **options)  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_file_that_does_not_add_up_is_never_left_there(
    store: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "f.parquet"
    target.write_text("the last good one")
    monkeypatch.setattr(
        export, "_select", lambda columns, scales, where, kind: f"{_select(columns, scales, where, kind)} LIMIT 2"
    )
    with pytest.raises(ReconciliationFailed, match="USD"):
        export_focus(store, target)
    assert target.read_text() == "the last good one" and len(list(tmp_path.iterdir())) == 1


_select = export._select


def test_a_place_that_cannot_be_written_is_said(store: Workspace) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        export_focus(store, "/proc/f.parquet")


def test_what_a_bill_leaves_out_is_filled_as_focus_asks(tmp_path: Path) -> None:
    """An older bill without subcategory and invoice, and a plan's fee of 24 of which 4 ran idle."""
    place = Workspace(tmp_path / "workspace")
    create_store(place)
    select = """
        SELECT *, 'acc' AS "BillingAccountId", TIMESTAMPTZ '2026-09-01 00:00:00+00' AS "BillingPeriodStart",
            'EUR' AS "BillingCurrency", 'focus' AS source_system, 'Compute' AS "ServiceCategory"
        FROM (VALUES
            (1, 'Usage', 20.0, 20.0, NULL, NULL, MAP {'x_InvoiceId': 'I-1', 'x_ServiceSubcategory': 'Containers'}),
            (2, 'Usage', 1.0, 1.0, NULL, NULL, MAP {}),
            (3, 'Purchase', 24.0, 4.0, 'plan', 'Spend', MAP {})
        ) t(source_row, "ChargeCategory", "BilledCost", "EffectiveCost", "CommitmentDiscountId",
            "CommitmentDiscountCategory", "x_Columns")
    """
    fill(place, select, 3)
    done = export_focus(place, tmp_path / "f.parquet")
    assert done.rows == 4 and done.control_totals == {"EUR": Decimal(45)}
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"""SELECT "ChargeCategory", "BilledCost", "EffectiveCost", "CommitmentDiscountStatus",
                "CommitmentDiscountQuantity", "ServiceSubcategory", "InvoiceId" FROM '{done.path}' ORDER BY ALL"""
        ).fetchall()
    provisional = ("Other (Compute)", "provisional-acc-2026-09")
    assert rows == [
        ("Purchase", 24, 0, None, None, *provisional),
        ("Usage", 0, 4, "Unused", 4, *provisional),
        ("Usage", 1, 1, None, None, *provisional),
        ("Usage", 20, 20, None, None, "Containers", "I-1"),
    ]
