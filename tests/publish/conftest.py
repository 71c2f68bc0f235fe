"""A reading made by hand: every kind of figure and table that a page has to show."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from finops_kit.perspectives.reading import PERSPECTIVES, DataAge, Figure, Reading, ResultTable

MONTHS = [date(2024 + m // 12, m % 12 + 1, 1) for m in range(18)]
SERVICES = ("payments", "search", "identity", "ledger", "notifications", "<script>alert(1)</script>")


def make_tables() -> dict[str, ResultTable]:
    spend = pd.DataFrame(
        {
            "service_id": SERVICES,
            "team": ["core", "find", "core", "core", "reach", "reach"],
            "EffectiveCost": [Decimal(f"{n}.25") for n in (48210, 31877, 12044, 9980, 411, 7)],
            "change_pct": [4.2, -1.5, None, 12.0, 0.0, 33.3],
            "requests": [1200000, 880000, 54000, 12000, 300, None],
        }
    )
    monthly = pd.DataFrame(
        [
            {"month": month, "service_id": service, "EffectiveCost": Decimal(1000 * (6 - s)) + Decimal(37 * m)}
            for m, month in enumerate(MONTHS)
            for s, service in enumerate(SERVICES)
        ]
    )
    forecast = pd.DataFrame(
        [
            {
                "month": f"{month:%Y-%m}",
                "actual": Decimal(90000 + 1500 * m) if m < 14 else None,
                "forecast": Decimal(90500 + 1500 * m) if m >= 14 else None,
                "low": Decimal(86000 + 1100 * m) if m >= 14 else None,
                "high": Decimal(95000 + 1900 * m) if m >= 14 else None,
                "budget": Decimal(100000),
            }
            for m, month in enumerate(MONTHS)
        ]
    )
    burndown = pd.DataFrame(
        [
            {
                "day": date(2025, 6, d),
                "spent": Decimal(3400 * d) if d <= 21 else None,
                "budgeted": Decimal(100000) * d / 30,
            }
            for d in range(1, 31)
        ]
    )
    bridge = pd.DataFrame(
        {
            "step": ["May 2025", "Price", "Volume", "Mix", "June 2025"],
            "amount": [Decimal(98000), Decimal(2100), Decimal(4900), Decimal(-1300), Decimal(103700)],
            "is_total": [True, False, False, False, True],
        }
    )
    scaling = pd.DataFrame(
        {
            "at": [datetime(2025, 6, 3, h) for h in (1, 4, 9, 12, 20)],
            "nodes_before": [6, 8, 14, 22, 14],
            "nodes_after": [8, 14, 22, 14, 6],
        }
    )
    units = {"EffectiveCost": "EUR", "change_pct": "%", "requests": "requests"}
    labels = {"service_id": "Service", "EffectiveCost": "Effective cost", "change_pct": "Change", "team": "Team"}
    money = {"actual": "EUR", "forecast": "EUR", "low": "EUR", "high": "EUR", "budget": "EUR"}
    return {
        "top_services": ResultTable(
            "top_services",
            "Spend by service",
            "Which services cost most, and who answers for them?",
            spend,
            units,
            labels,
            measure="effective_cost",
            trace_by=("service_id",),
        ),
        "monthly": ResultTable("monthly", "Spend by month", "How did spend develop?", monthly, units, labels),
        "forecast": ResultTable(
            "forecast",
            "Forecast",
            "Where will the year end?",
            forecast,
            money,
            {"actual": "Actual", "forecast": "Forecast", "budget": "Budget", "low": "Low", "high": "High"},
        ),
        "burndown": ResultTable(
            "burndown",
            "Budget burndown",
            "Does the month's budget last?",
            burndown,
            {"spent": "EUR", "budgeted": "EUR"},
            {"spent": "Spent", "budgeted": "Budget"},
        ),
        "bridge": ResultTable("bridge", "Variance", "Why did it change?", bridge, {"amount": "EUR"}),
        "scaling": ResultTable(
            "scaling",
            "Scaling history",
            "When did the cluster grow?",
            scaling,
            {"nodes_before": "nodes", "nodes_after": "nodes"},
            {"nodes_after": "Nodes"},
        ),
        "empty": ResultTable(
            "empty",
            "Contracts up for renewal",
            "Which contracts need a decision?",
            pd.DataFrame({"contract_id": [], "annual_commitment": []}),
            {"annual_commitment": "EUR"},
            empty_because="No contract file has been ingested; add one with finops ingest contracts.csv.",
        ),
    }


def make_reading(perspective: str = "finance", *, grand_total: str = "102529.50", period: str = "2025-06") -> Reading:
    year, month = int(period[:4]), int(period[5:7])
    return Reading(
        perspective=perspective,
        title=perspective.title(),
        audience="Controllers and the head of finance",
        question="Are we inside the budget, and where will the year end?",
        answer="June cost EUR 102,529.50, 2.5 % over budget; the year is expected to end 4 % over.",
        owns=("Budgets and forecasts", "Chargeback runs"),
        does_not_own=("Rightsizing of single resources", "Contract negotiation"),
        period_start=date(year, month, 1),
        period_end=date(year + month // 12, month % 12 + 1, 1),
        scope="",
        currency="EUR",
        grand_total=Decimal(grand_total),
        store_version=41,
        version_time=datetime(2025, 7, 2, 6, 30, tzinfo=UTC),
        ledger_head="9f2c6a1be0b44e4c8d6f3a1b7c5d9e8f00112233445566778899aabbccddeeff",
        ages=(
            DataAge("aws-cur", datetime(2025, 7, 1, tzinfo=UTC), datetime(2025, 7, 2, 5, tzinfo=UTC), 30.0),
            DataAge("kubernetes", datetime(2025, 7, 2, 6, tzinfo=UTC), datetime(2025, 7, 2, 6, tzinfo=UTC), 0.5),
            DataAge("inventory", None, None, None),
        ),
        figures=(
            Figure(
                "total",
                "Effective cost",
                Decimal("102529.50"),
                "EUR",
                "All charges of the period, discounts amortised.",
                "EUR 100,000.00",
                "bad",
                measure="effective_cost",
            ),
            Figure("accuracy", "Forecast accuracy", 94.21, "%", "1 − |actual − forecast| / actual", "> 90 %", "good"),
            Figure(
                "unit",
                "Cost per request",
                Decimal("0.0001234567"),
                "EUR per request",
                "EffectiveCost / requests",
                "0.01–0.10",
                "watch",
                measure="effective_cost",
                filters={"service_id": 'pay"ments; rm -rf'},
            ),
            Figure(
                "roi",
                "Return on optimisation",
                None,
                "EUR",
                "Savings realised over their cost",
                why_missing="No decision has been recorded yet, so there is nothing to compare.",
            ),
        ),
        tables=make_tables(),
        caveats=("Azure's June bill is not final.", "Tax is left out <b>on purpose</b>."),
    )


@pytest.fixture
def reading() -> Reading:
    return make_reading()


NOTEBOOK_CELLS = (
    "from finops_kit.publish import charts\nfrom finops_kit.publish import notebook as page",
    "page.header(reading)",
    "page.figures(reading)",
    'charts.bars(reading.tables["top_services"], "service_id", "EffectiveCost", top=4)',
    'page.table(reading, "top_services")',
    'charts.stacked(reading.tables["monthly"], "month", "EffectiveCost", "service_id")',
    'charts.forecast(reading.tables["forecast"], "month", "actual", "forecast", "low", "high", "budget")',
    'charts.burndown(reading.tables["burndown"], "day", "spent", "budgeted")',
    'charts.steps(reading.tables["bridge"], label="step", delta="amount", total="is_total")',
    'charts.steps(reading.tables["scaling"], "at", "nodes_before", "nodes_after")',
    'charts.heatmap(reading.tables["monthly"], "month", "service_id", "EffectiveCost")',
    'charts.bars(reading.tables["empty"], "contract_id", "annual_commitment")',
    'page.table(reading, "empty")',
)
PARAMETERS_CELL = 'store = "data/workspace"\nversion = 0\nperiod = ""\nscope = ""\ncurrency = ""'
READING_CELL = """
import importlib.util, dataclasses
spec = importlib.util.spec_from_file_location("reading_factory", {factory!r})
factory = importlib.util.module_from_spec(spec)
spec.loader.exec_module(factory)
reading = dataclasses.replace(
    factory.make_reading({perspective!r}, grand_total={total!r}, period=period or "2025-06"), store_version=version)
"""


def make_notebook(perspective: str, total: str = "102529.50", cells: tuple[str, ...] = NOTEBOOK_CELLS) -> dict:
    """A perspective's notebook over the hand-made reading, shaped like the real ones."""

    def code(source: str, *tags: str) -> dict:
        return {
            "cell_type": "code",
            "execution_count": None,
            "id": f"c{abs(hash((source, tags))) % 10**10}",
            "metadata": {"tags": list(tags)},
            "outputs": [],
            "source": source,
        }

    reading = READING_CELL.format(factory=str(Path(__file__)), perspective=perspective, total=total)
    title = {
        "cell_type": "markdown",
        "id": "title",
        "metadata": {},
        "source": f"# {perspective.title()}\n\nFor people.",
    }
    section = {"cell_type": "markdown", "id": "section", "metadata": {}, "source": "## What it costs"}
    shown = [code(source) for source in cells]
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "cells": [title, code(PARAMETERS_CELL, "parameters"), code(reading), *shown[:3], section, *shown[3:],
                  code("page.footer(reading)")],
    }  # fmt: skip


@pytest.fixture
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the six notebooks; the runner is pointed at it."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name in PERSPECTIVES:
        (folder / f"{name}.ipynb").write_text(json.dumps(make_notebook(name)), encoding="utf-8")
    monkeypatch.setenv("FINOPS_NOTEBOOKS", str(folder))
    return folder


@pytest.fixture(scope="session", name="make_notebook")
def give_make_notebook():
    """The notebook factory, for tests that spoil one."""
    return make_notebook


@pytest.fixture(scope="session", name="make_reading")
def give_make_reading():
    """The reading factory."""
    return make_reading
