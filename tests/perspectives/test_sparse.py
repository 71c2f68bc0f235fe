"""Stores that know little: nothing at all, or only a bill in another currency. Pages say why, and never fail."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from finops_kit.perspectives import PERSPECTIVES, read_perspective
from finops_kit.settings import Workspace
from finops_kit.store import create_store

_spec = importlib.util.spec_from_file_location("house_maker", Path(__file__).with_name("conftest.py"))
house_maker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(house_maker)


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    store = Workspace(Path(tmp_path_factory.mktemp("empty")) / "workspace")
    create_store(store)
    return store


@pytest.fixture(scope="module")
def only_bills(tmp_path_factory):
    store = Workspace(Path(tmp_path_factory.mktemp("bills")) / "workspace")
    create_store(store)
    one_day = f"SELECT * FROM ({house_maker.CHARGES}) WHERE BillingCurrency = 'USD' AND day_is"
    select = one_day.replace("day_is", "ChargePeriodStart = TIMESTAMPTZ '2024-09-01'")
    house_maker.add_charges(store, select)
    return store


@pytest.mark.parametrize("name", PERSPECTIVES)
def test_an_empty_store_has_a_page_that_says_so(empty, name):
    reading = read_perspective(name, empty.root)
    assert reading.grand_total == 0 and "no charges" in reading.answer
    assert all(figure.value is not None or figure.why_missing for figure in reading.figures)
    assert all(len(table.frame) or table.empty_because for table in reading.tables.values())


@pytest.mark.parametrize("name", PERSPECTIVES)
def test_a_bill_alone_is_enough_for_every_page(only_bills, name):
    reading = read_perspective(name, only_bills.root)
    assert reading.currency == "USD" and reading.grand_total > 113 and str(reading.period_start) == "2024-09-01"
    assert all(figure.value is not None or figure.why_missing for figure in reading.figures)
    assert all(len(table.frame) or table.empty_because for table in reading.tables.values())
    assert any("reports in EUR" in note for note in reading.caveats)


@pytest.fixture(scope="module")
def third_party(tmp_path_factory, fixtures_folder):
    from finops_kit.ingest import ingest_paths

    store = Workspace(Path(tmp_path_factory.mktemp("third")) / "workspace")
    create_store(store)
    ingest_paths(store, [fixtures_folder / "focus_1.0" / "focus_sample.csv"])
    return store


@pytest.mark.parametrize("name", PERSPECTIVES)
def test_a_real_bill_of_somebody_else_makes_six_pages(third_party, name):
    reading = read_perspective(name, third_party.root)
    assert reading.currency == "USD" and str(reading.grand_total).startswith("14.97651418586")
    assert all(figure.value is not None or figure.why_missing for figure in reading.figures)


def test_unowned_credits_are_no_share(third_party):
    figure = read_perspective("leadership", third_party.root).figure("unallocated")
    assert figure.value is None and "outweigh" in figure.why_missing
