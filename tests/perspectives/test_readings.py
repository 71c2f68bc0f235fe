"""Six readings of one small house: one total, tables that add up, words with numbers, reasons for what is missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finops_kit.errors import RateMissing, ReconciliationFailed, StoreMissing, UsageError, VersionUnknown
from finops_kit.fields.gaps import GAPS
from finops_kit.perspectives import PERSPECTIVES, operations, read_perspective
from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.tables import ensure_adds_up, result
from finops_kit.settings import Workspace
from finops_kit.store import open_reader
from finops_kit.value.settle import to_cents

MAIN = dict.fromkeys(PERSPECTIVES, "cost_by_service") | {"procurement": "cost_by_provider"}


@pytest.fixture(scope="module")
def readings(house):
    return {name: read_perspective(name, house.root) for name in PERSPECTIVES}


def money(reading, table, column="EffectiveCost"):
    return sum((value for value in reading.tables[table].frame[column] if value is not None), Decimal(0))


def test_the_total_is_what_one_can_compute_by_hand(readings):
    usd = (Decimal("100") + Decimal("5.333333333333333333") + Decimal(30) + Decimal("7.7")) * 31 + 1800
    by_hand = usd * Decimal("0.92") + (Decimal("60.1") + 40) * 31
    assert abs(readings["finance"].grand_total - by_hand) < Decimal("1e-9")


def test_six_pages_one_total(readings):
    assert len({reading.grand_total for reading in readings.values()}) == 1
    assert {reading.figures[0].value for reading in readings.values()} == {readings["finance"].grand_total}


@pytest.mark.parametrize("name", PERSPECTIVES)
def test_the_main_table_sums_to_the_total_to_the_cent(readings, name):
    reading = readings[name]
    assert money(reading, MAIN[name]) == to_cents(reading.grand_total)
    if MAIN[name] == "cost_by_service":
        assert "unallocated" in set(reading.tables["cost_by_service"].frame["service_id"])


@pytest.mark.parametrize("name", PERSPECTIVES)
def test_a_page_says_who_reads_it_and_what_is_not_theirs(readings, name):
    reading = readings[name]
    assert reading.answer and reading.owns and reading.does_not_own and reading.ages
    assert any(digit.isdigit() for digit in reading.answer)
    assert all(figure.value is not None or figure.why_missing for figure in reading.figures)
    assert all(len(table.frame) or table.empty_because for table in reading.tables.values())
    assert reading.period_start == date(2025, 3, 1) and any("April 2025" in note for note in reading.caveats)


def test_the_practitioner_sees_what_the_bills_cannot_say(readings, house):
    with open_reader(house) as reader:
        held = {row[0] for row in reader.connection.execute("SELECT DISTINCT source_system FROM charge").fetchall()}
    gaps = readings["practitioner"].tables["gaps"].frame
    assert set(gaps["source_system"]) == held
    for source in held & GAPS.keys():
        assert list(gaps[gaps["source_system"] == source]["column"]) == [gap.column for gap in GAPS[source]]
    assert all(gaps["why"]) and all(gaps["instead"])


def test_engineering_finds_what_was_planted(readings):
    frame = readings["engineering"].tables["recommendations"].frame
    assert frame["resource_id"].tolist() == ["i-idle", "vol-old"]
    assert frame["monthly_saving"].tolist() == [Decimal("219.60"), Decimal("152.11")]
    assert "stop-instances" in frame["command"][0] and "delete-volume" in frame["command"][1]
    spike = readings["engineering"].tables["anomalies"].frame.iloc[0]
    assert (spike["service_id"], spike["root_id"], spike["starts_on"]) == ("shop", "vm-shop", date(2025, 3, 12))
    cluster = readings["engineering"].tables["kubernetes"].frame
    assert cluster["namespace"].tolist() == ["idle", "shop"]


def test_the_cost_of_a_node_is_what_namespaces_and_idle_carry_to_the_cent(house):
    node = "projects/p/zones/z/instances/n-1"
    seen = f"""
        SELECT id || day AS snapshot_id, id AS resource_id, name AS resource_name, 'kubernetes' AS source_system,
            day::TIMESTAMPTZ AS observed_at, 'present' AS presence, kind, cluster, namespace, 'Running' AS power_state,
            owner AS owner_id, cpu AS vcpu, used AS usage_vcpu, mem AS memory_gib, '{{}}' AS attributes, 1 AS source_row
        FROM (VALUES
            ('n-a', 'ip-1', 'node', 'k2', NULL, 4, NULL, 8, 'i-idle'),
            ('p-1', 'p-1', 'pod', 'k2', 'a', 1, NULL, 2, NULL), ('p-2', 'p-2', 'pod', 'k2', 'b', 1, 2, 0, NULL),
            ('{node}', 'vm-shop', 'node', 'k3', NULL, 4, NULL, 8, NULL)
        ) x(id, name, kind, cluster, namespace, cpu, used, mem, owner), range(DATE '2025-03-03', DATE '2025-03-05',
            INTERVAL 1 DAY) d(day)"""
    with open_reader(house) as reader:
        basis = Basis(reader, "2025-03")
        table = basis.keep("seen_nodes", basis.reader.backend.sql(seen))
        rows = {(row["cluster"], row["namespace"]): row for row in operations.share_nodes(basis, table)}
    # k2: one machine of 4 vCPU and 8 GiB at 7.70 USD a day; a asks for 1 and 2 (25 %, 25 %), b uses 2 and asks for 0
    whole = Decimal("7.70") * 31 * Decimal("0.92")
    cost = {key: row["EffectiveCost"] for key, row in rows.items() if key[0] == "k2"}
    assert sum(cost.values()) == whole
    assert cost == {("k2", "a"): whole / 4, ("k2", "b"): whole / 4, ("k2", "idle"): whole / 2}
    # k3: no pods were delivered, so the machine is shown whole
    assert rows["k3", operations.NO_PODS]["EffectiveCost"] == (Decimal(100) * 31 + 1800) * Decimal("0.92")


def test_product_knows_cost_per_order_and_margin(readings):
    units = readings["product"].tables["unit_costs"].frame.iloc[0]
    assert units["metric"] == "orders" and units["cost_per_unit"] == pytest.approx((107.7 * 31 + 1800) * 0.92 / 10000)
    assert readings["product"].tables["margins"].frame["margin"][0] == 50000 - Decimal("4727.60")
    assert money(readings["product"], "tenants") == to_cents(readings["product"].grand_total)


def test_finance_knows_budget_forecast_books_and_migration(readings):
    finance = readings["finance"]
    assert finance.figure("budget_used").status == "bad" and finance.figure("reconciled").status == "good"
    assert finance.tables["burndown"].frame["left"].iloc[-1] == 7000 - to_cents(finance.grand_total)
    steps = finance.tables["variance"].frame
    assert steps["amount"].iloc[0] + sum(steps["amount"].iloc[1:-1]) == steps["amount"].iloc[-1]
    assert finance.tables["depreciation"].frame["net_book_value"][0] == 87600
    moving = finance.tables["migration"].frame
    assert set(moving["service_id"]) == {"ledger"} and finance.figure("double_run").value == 40 * (31 + 28 + 31)
    assert set(finance.tables["reconciliation"].frame["difference"]) == {0}


def test_finance_knows_what_the_forecast_is_worth_and_where_the_year_lands(readings):
    finance = readings["finance"]
    models = finance.tables["forecast_models"].frame.set_index("model")
    assert models.loc["last month", "forecasts"] == 9 and models.loc["as chosen", "wape_pct"] > 0
    assert list(finance.tables["forecast"].frame["month"])[-1] == date(2025, 12, 1)  # nine months ahead of March
    # a flat day, and March's spike of 1,800 dollars: January to March as they were, then March's rate for 275 days
    day, spike = (100 + 16 / 3 + 30 + 7.7) * 0.92 + 60.10 + 40, 1800 * 0.92
    year = finance.figure("year_outlook")
    assert year.value == pytest.approx(90 * day + spike + 275 * (day + spike / 31))
    assert "for too few past sums of 9 months" in year.meaning


def test_procurement_names_the_next_decision(readings):
    contract = readings["procurement"].tables["contracts"].frame.iloc[0]
    assert contract["notice_by"] == date(2025, 5, 3) and contract["decision_in_days"] == 32
    assert "Enterprise agreement" in readings["procurement"].answer
    assert readings["procurement"].figure("negotiated").value == pytest.approx(100 / 11)


def test_each_page_asks_for_what_its_tables_show(readings):
    for name, reading in readings.items():
        steps = reading.next_steps
        assert 1 <= len(steps) <= 4 and all(step.table in reading.tables for step in steps), name
        assert all(not table.answer or table.answer.endswith(".") for table in reading.tables.values())
    say = {name: [(step.say, step.command) for step in reading.next_steps] for name, reading in readings.items()}
    assert ("Check and sign off March 2025.", "finops close --period 2025-03") in say["finance"]
    # shop: (107.7 * 31 + 1800) * 0.92 = 4,727.60 on a budget of 3,000
    assert ("Ask the owners of shop (EUR 1,728 over) for the cause.", "") in say["finance"]
    assert say["procurement"][0][0] == "Renew or end Enterprise agreement by 3 May 2025."
    assert say["engineering"][0][1] == readings["engineering"].tables["recommendations"].frame["command"].iloc[0]
    budget = readings["finance"].tables["budget_by_service"]
    assert budget.answer == "1 of 1 service is over budget: shop, by EUR 1,728."
    assert budget.frame["service_id"].iloc[0] == "shop"


def test_a_month_that_is_still_billed_is_not_compared_with_a_whole_one(house):
    reading = read_perspective("finance", house.root, period="2025-04")
    assert "up to 5 April 2025" in reading.answer and "will land" not in reading.answer
    assert not any("sign off" in step.say for step in reading.next_steps)
    assert "still being billed" in reading.caveats[0] and "moved most" not in reading.tables["cost_by_service"].answer


def test_leadership_scores_from_evidence(readings):
    score = readings["leadership"].figure("maturity").value
    assert 0 <= score <= 100
    assert set(readings["leadership"].tables["maturity"].frame["capability"]) >= {"Allocation", "Forecast"}


def test_the_practitioner_knows_what_to_tag_first(readings):
    page = readings["practitioner"]
    assert page.figure("tagged").value == 0 and "business_unit" in page.figure("tagged").meaning
    fix = page.tables["tags_to_fix"].frame
    assert fix["what"].tolist()[:2] == ["vm-shop", "db-pay"] and fix["missing"][0] == "environment, cost_center, " \
        "business_unit"  # fmt: skip
    assert sum(fix["EffectiveCost"]) == to_cents(page.grand_total)
    by_account = page.tables["readiness_by_account"].frame
    assert sum(by_account["EffectiveCost"]) == to_cents(page.grand_total)
    shop = by_account[by_account["SubAccountId"] == "111"].iloc[0]
    assert (shop["service_id_pct"], shop["environment_pct"], shop["complete_rows_pct"]) == (100, 0, 0)
    assert not len(page.tables["tag_conflicts"].frame)


def test_a_scope_narrows_every_page_alike(house):
    totals = {read_perspective(name, house.root, scope="service=shop").grand_total for name in PERSPECTIVES}
    assert totals == {(Decimal("107.7") * 31 + 1800) * Decimal("0.92")}


def test_another_period_and_currency(house):
    reading = read_perspective("finance", house.root, period="2024-07", currency="USD")
    assert reading.currency == "USD" and reading.period_start == date(2024, 7, 1)


def test_a_rate_that_is_missing_stops_the_page_and_is_named(house):
    with pytest.raises(RateMissing, match=r"from EUR to CHF for \d{4}-\d\d \(.*; USD to CHF for .* in CHF\. Ingest"):
        read_perspective("leadership", house.root, currency="CHF")


def test_a_month_without_charges_says_so(house):
    for name in PERSPECTIVES:
        reading = read_perspective(name, house.root, period="2030-01")
        assert reading.grand_total == 0 and "no charges" in reading.answer
        assert all(figure.value is not None or figure.why_missing for figure in reading.figures)


def test_reading_an_old_version_gives_the_old_figures(house, readings):
    version = readings["finance"].store_version
    assert read_perspective("finance", house.root, version=version).grand_total == readings["finance"].grand_total
    with pytest.raises(VersionUnknown):
        read_perspective("finance", house.root, version=10**6)


@pytest.mark.parametrize(
    "wrong", [{"period": "March"}, {"period": "2025-13"}, {"scope": "colour=red"}, {"currency": "Euros"}]
)
def test_a_wrong_parameter_is_refused(house, wrong):
    with pytest.raises(UsageError):
        read_perspective("finance", house.root, **wrong)
    with pytest.raises(UsageError):
        read_perspective("marketing", house.root)


def test_no_store_is_said(tmp_path):
    with pytest.raises(StoreMissing):
        read_perspective("finance", Workspace(tmp_path).root)


def test_a_page_that_does_not_add_up_is_refused_naming_both_figures(readings):
    table = readings["finance"].tables["cost_by_service"]
    broken = replace(table, frame=table.frame.iloc[1:])
    with pytest.raises(ReconciliationFailed, match=r"sums to EUR .* grand total .* EUR 8,838\.41"):
        ensure_adds_up("finance", broken, "EffectiveCost", readings["finance"].grand_total, "EUR")


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.decimals(min_value=-(10**7), max_value=10**7, places=15), min_size=1, max_size=30))
def test_what_a_table_shows_sums_to_what_it_says(parts):
    table = result(
        "t", "", "", [{"EffectiveCost": part} for part in parts], ("EffectiveCost",), units={"EffectiveCost": "EUR"}
    )
    ensure_adds_up("any", table, "EffectiveCost", sum(parts, Decimal(0)), "EUR")
