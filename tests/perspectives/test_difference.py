"""Why the figures of one version are not those of another, and that those of one version stay what they are."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_kit.cli.app import app
from finops_kit.errors import UsageError
from finops_kit.fields import LINE_KEY
from finops_kit.perspectives import PERSPECTIVES, explain_difference, open_basis, read_basis
from finops_kit.publish import release
from finops_kit.publish.result import encode
from finops_kit.settings import AS_OF_VARIABLE, Workspace
from finops_kit.store import create_store, open_reader, open_writer
from finops_kit.value.difference import AMOUNTS, CLASSES, SCOPE, changed_lines, reach

#: a line: day, resource, currency, ChargeClass, BilledCost, EffectiveCost
Line = tuple[int, str, str, str | None, str, str]

MARCH = [
    (1, "vm-1", "EUR", None, "10.5", "9"),
    (2, "vm-1", "EUR", None, "20", "18"),
    (2, "vm-2", "USD", None, "7", "7"),
]
AGAIN = [
    (1, "vm-1", "EUR", None, "10.5", "9"),  # as before
    (2, "vm-1", "EUR", None, "20.000000000000000000000001", "18"),  # restated
    (1, "vm-3", "EUR", None, "4", "4"),  # late
    (5, "vm-1", "EUR", None, "30", "30"),  # new usage
    (2, "vm-1", "EUR", "Correction", "-1", "-1"),
]  # the line in USD is withdrawn
RATE = "SELECT DATE '2026-03-01' AS month, 'USD' AS from_currency, 'EUR' AS to_currency, {} AS rate"
OWNER = """SELECT 'ci' AS ci_id, 'server' AS ci_class, 'vm-1' AS resource_id, '{}' AS team,
    DATE '2026-01-01' AS valid_from"""
APRIL = [(1, "vm-1", "EUR", None, "100", "90")]


def deliver(store: Workspace, month: int, lines: list[Line], name: str) -> int:
    with open_writer(store) as writer, writer.batch(kind="ingest", format="focus-1.0", source_file=name) as batch:
        start, end = (
            f"TIMESTAMPTZ '2026-{month:02}-01 00:00:00+00'",
            f"TIMESTAMPTZ '2026-{month + 1:02}-01 00:00:00+00'",
        )
        rows = ", ".join(
            f"({day}, '{res}', '{cur}', {repr(kind) if kind else 'NULL'}, {billed}::DECIMAL(38,24), "
            f"{effective}::DECIMAL(38,24), {n})" for n, (day, res, cur, kind, billed, effective) in enumerate(lines, 1)
        )  # fmt: skip
        batch.rows_read = batch.insert("charge", f"""
            SELECT 'acc' AS "BillingAccountId", {start} AS "BillingPeriodStart", {end} AS "BillingPeriodEnd",
                cur AS "BillingCurrency", billed AS "BilledCost", effective AS "EffectiveCost", kind AS "ChargeClass",
                'Usage' AS "ChargeCategory", {start} + to_days(day - 1) AS "ChargePeriodStart",
                {start} + to_days(day) AS "ChargePeriodEnd", res AS "ResourceId", 'Machines' AS "ServiceName",
                'Cloud' AS "ProviderName", 'focus' AS source_system, source_row
            FROM (VALUES {rows}) t(day, res, cur, kind, billed, effective, source_row)""")  # fmt: skip
        batch.insert("delivery", f"SELECT 'focus' AS source_system, 'acc' AS billing_account_id, "
                     f"{start} AS period_start, 'charge' AS dataset, 'replace' AS mode, 1 AS rows")  # fmt: skip
    return batch.version or 0


def refer(store: Workspace, table: str, select: str) -> int:
    with open_writer(store) as writer, writer.batch(kind="ingest", format=table, source_file=f"{table}.csv") as batch:
        batch.rows_read = batch.insert(table, f"SELECT *, 1 AS source_row FROM ({select})")
        batch.insert("delivery", f"SELECT '{table}' AS source_system, '' AS billing_account_id, NULL::TIMESTAMPTZ AS "
                     f"period_start, '{table}' AS dataset, 'replace' AS mode, 1 AS rows")  # fmt: skip
    return batch.version or 0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, dict[str, int]]:
    """March, its owner, its rate; then March again, April, another owner and another rate."""
    store = Workspace(tmp_path_factory.mktemp("difference") / "workspace")
    create_store(store)
    refer(store, "exchange_rate", RATE.format("0.9"))
    refer(store, "cmdb_item", OWNER.format("red"))
    at = {"march": deliver(store, 3, MARCH, "march.csv")}
    at["again"] = deliver(store, 3, AGAIN, "march-again.csv")
    at["april"] = deliver(store, 4, APRIL, "april.csv")
    at["rate"] = refer(store, "exchange_rate", RATE.format("0.8"))
    at["owner"] = refer(store, "cmdb_item", OWNER.format("blue"))
    return store, at


def explained(house: tuple[Workspace, dict[str, int]], since: str, until: str, **more: Any) -> Any:
    store, at = house
    with open_reader(store, at[since]) as earlier, open_reader(store, at[until]) as later:
        return explain_difference(earlier, later, **more)


def test_each_class_by_hand(house: tuple[Workspace, dict[str, int]]) -> None:
    found = explained(house, "march", "april")
    amounts = {(one["class"], one["currency"]): (one["BilledCost"], one["EffectiveCost"]) for one in found.classes}
    assert amounts == {
        ("new_delivery", "EUR"): (Decimal(100), Decimal(90)),
        ("new_usage", "EUR"): (Decimal(30), Decimal(30)),
        ("late", "EUR"): (Decimal(4), Decimal(4)),
        ("restated", "EUR"): (Decimal("0.000000000000000000000001"), Decimal(0)),
        ("correction", "EUR"): (Decimal(-1), Decimal(-1)),
        ("withdrawn", "USD"): (Decimal(-7), Decimal(-7)),
    }
    totals = {total["currency"]: total["BilledCost"] for total in found.totals}
    assert totals["EUR"]["before"] == Decimal("30.5")
    assert totals["EUR"]["after"] == Decimal("163.500000000000000000000001")
    restated = next(one for one in found.classes if one["class"] == "restated")
    assert [(batch["side"], batch["source_file"], batch["lines"]) for batch in restated["batches"]] == [
        (-1, "march.csv", 1), (1, "march-again.csv", 1)]  # fmt: skip
    assert [(line["source_file"], line["source_row"]) for line in restated["top_lines"]] == [
        ("march-again.csv", 2), ("march.csv", 2)]  # fmt: skip
    march = next(one for one in found.deliveries if one["currency"] == "EUR" and one["was"])
    assert [part[0].split()[1] for part in (march["was"], march["is"])] == ["march.csv", "march-again.csv"]
    assert found.reporting["BilledCost"]["before"] == Decimal("36.8")  # 30.5 + 7 x 0.9
    assert found.reporting["classes"]["withdrawn"]["BilledCost"] == Decimal("-6.3")
    assert found.reporting["BilledCost"]["rates"] == 0
    assert found.owners == []


def test_a_period_and_a_breakdown(house: tuple[Workspace, dict[str, int]]) -> None:
    found = explained(house, "march", "april", period="2026-04", by="month", top=0)
    assert [(one["class"], one["BilledCost"]) for one in found.classes] == [("new_delivery", Decimal(100))]
    assert [member["member"] for member in found.classes[0]["members"]] == ["2026-04"]
    with pytest.raises(UsageError, match="broken down by 'colour'"):
        explained(house, "march", "april", by="colour")


def test_a_rule_moves_amounts_between_owners_and_a_rate_changes_what_they_are_worth(
    house: tuple[Workspace, dict[str, int]],
) -> None:
    found = explained(house, "april", "owner")
    assert found.classes == []
    moved = [(one["dimension"], one["owner_before"], one["owner_after"], one["EffectiveCost"]) for one in found.owners]
    assert moved == [("team", "red", "blue", Decimal(146))]  # 9 + 18 + 30 - 1 + 90
    assert {one["table"]: (one["rows_come"], one["rows_gone"]) for one in found.reference} == {
        "cmdb_item": (1, 1), "exchange_rate": (1, 1)}  # fmt: skip
    again = explained(house, "march", "rate")
    assert again.reporting["BilledCost"]["rates"] == Decimal("-0.7")  # 7 USD at 0.8 instead of 0.9
    assert again.reporting["classes"]["withdrawn"]["BilledCost"] == Decimal("-5.6")


def test_the_earlier_version_comes_first(house: tuple[Workspace, dict[str, int]]) -> None:
    with pytest.raises(UsageError, match="is later than"):
        explained(house, "again", "march")


def test_the_command_says_it_to_people_and_to_programs(house: tuple[Workspace, dict[str, int]]) -> None:
    store, at = house
    words = ["-q", "diff", "--workspace", str(store.root), "--from", str(at["march"]), "--to"]
    told = json.loads(CliRunner().invoke(app, [*words, str(at["rate"]), "--json", "--by", "service"]).stdout)
    assert {one["class"] for one in told["classes"]} == set(CLASSES)
    assert told["until"]["version"] == at["rate"]
    shown = CliRunner().invoke(app, [*words, str(at["april"])])
    assert shown.exit_code == 0, shown.output
    assert "0.000000000000000000000001" in shown.stdout
    assert "march-again.csv" in shown.stdout


LINES = st.lists(
    st.tuples(
        st.integers(1, 6), st.sampled_from(["a", "b"]), st.sampled_from(["EUR", "USD"]),
        st.sampled_from([None, "Correction"]), st.integers(-3, 3), st.integers(-10**18, 10**18),
    ),
    max_size=8,
)  # fmt: skip
#: each of the six in the long run; two that share no block in the short one
ASKED = PERSPECTIVES if os.environ.get("FINOPS_LONG_TESTS") else ("finance",)
BACKEND = ibis.duckdb.connect()


def as_lines(deliveries: dict[str, list[Any]]) -> Any:
    """Lines as value/ sees them: amounts with 24 decimals, one scope per delivery."""
    rows = []
    for period, lines in deliveries.items():
        for number, (day, resource, currency, kind, whole, small) in enumerate(lines):
            row: dict[str, Any] = dict.fromkeys((*SCOPE, *LINE_KEY))
            row |= {"source_system": period, "ResourceId": resource, "BillingCurrency": currency, "ChargeClass": kind,
                    "ChargeCategory": "Usage", "ChargePeriodStart": f"2026-03-{day:02}", "source_row": number,
                    "BilledCost": Decimal(whole), "EffectiveCost": Decimal(small).scaleb(-24)}  # fmt: skip
            rows.append(row)
    types = {"BilledCost": pa.decimal128(38, 24), "EffectiveCost": pa.decimal128(38, 24), "source_row": pa.int64()}
    names = (*SCOPE, *LINE_KEY, "source_row", *AMOUNTS)
    return ibis.memtable(pa.Table.from_pylist(
        rows, pa.schema([(name, types.get(name, pa.string())) for name in names])))  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.sampled_from("pqr"), st.tuples(LINES, LINES), max_size=3))
def test_whatever_was_delivered_the_classes_add_up(bills: dict[str, tuple[list[Any], list[Any]]]) -> None:
    gone = {period: old for period, (old, _) in bills.items()}
    come = {period: new for period, (_, new) in bills.items()}
    earlier, later = as_lines(gone), as_lines(come)
    lines = BACKEND.to_pyarrow(changed_lines(earlier, later, reach(earlier))).to_pylist()
    assert len(lines) == sum(map(len, gone.values())) + sum(map(len, come.values()))  # none twice, none lost
    for place, name in ((4, "BilledCost"), (5, "EffectiveCost")):
        scale = 1 if place == 4 else Decimal(1).scaleb(-24)
        wanted: dict[str, Any] = defaultdict(Decimal)
        for deliveries, sign in ((come, 1), (gone, -1)):
            for line in (line for old in deliveries.values() for line in old):
                wanted[line[2]] += sign * line[place] * scale
        found: dict[str, Any] = defaultdict(Decimal)
        for line in lines:
            if line["reason"] != "unchanged":
                found[line["BillingCurrency"]] += line[name]
        assert {k: v for k, v in found.items() if v} == {k: v for k, v in wanted.items() if v}
    assert {line["reason"] for line in lines} <= {*CLASSES, "unchanged"}
    for line in lines:
        assert (line["reason"] == "new_delivery") <= (not gone.get(line["source_system"])), line


def test_a_store_is_needed(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["diff", "--from", "1", "--workspace", str(tmp_path)])
    assert done.exit_code == 4
    assert "There is no store" in done.output


def hashes(store: Workspace, version: int | str, folder: Path) -> dict[str, str]:
    """The results hash of each perspective, as a report run keeps it."""
    with open_basis(store.root, version) as basis:
        return {
            name: release.write_results(folder / name, encode(read_basis(basis, name)), {"run_id": folder.name})
            for name in ASKED
        }


def test_an_old_report_says_the_same_again(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_store(workspace)
    budget = "SELECT DATE '2026-03-01' AS month, 'total' AS dimension, '' AS member, {} AS amount, 'EUR' AS currency"
    refer(workspace, "exchange_rate", RATE.format("0.9"))
    refer(workspace, "budget", budget.format(40))
    refer(workspace, "cmdb_item", OWNER.format("red"))
    version = deliver(workspace, 3, MARCH, "march.csv")
    before = hashes(workspace, version, tmp_path / "first")
    deliver(workspace, 3, AGAIN, "march-again.csv")
    deliver(workspace, 4, APRIL, "april.csv")
    refer(workspace, "exchange_rate", RATE.format("0.8"))
    refer(workspace, "budget", budget.format(90))
    refer(workspace, "cmdb_item", OWNER.format("blue"))
    assert hashes(workspace, version, tmp_path / "again") == before
    monkeypatch.setenv(AS_OF_VARIABLE, str(version))
    with open_basis(workspace.root) as basis:  # a notebook that names no version
        assert basis.reader.version == version
    monkeypatch.delenv(AS_OF_VARIABLE)
    with open_reader(workspace) as reader, open_basis(workspace.root, reader.version_time.isoformat()) as basis:
        assert basis.reader.version == reader.version
        changed = release.write_results(tmp_path / "now", encode(read_basis(basis, "finance")), {})
    assert changed != before["finance"]
