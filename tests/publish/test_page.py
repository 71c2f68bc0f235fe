"""A page is one file that asks for nothing, and reads well in a real browser with the network blocked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from finops_kit.publish import charts
from finops_kit.publish import notebook as verbs
from finops_kit.publish.page import build_page, data_block

CHROMIUM = Path("/usr/bin/chromium")


def executed(reading: Any) -> dict:
    """The hand-made reading as an executed notebook."""
    t = reading.tables

    def output(shown: Any) -> dict:
        data = shown._repr_mimebundle_()
        return {
            "cell_type": "code",
            "source": "secret = 1",
            "outputs": [{"output_type": "execute_result", "data": data}],
        }

    def words(source: str) -> dict:
        return {"cell_type": "markdown", "source": source}

    return {
        "cells": [
            words("# Finance"),
            output(verbs.header(reading)),
            output(verbs.figures(reading)),
            words("## Spend\n\nA <script>alert(2)</script> stays *text*."),
            output(charts.bars(t["top_services"], "service_id", "EffectiveCost", top=4)),
            output(verbs.table(reading, "top_services")),
            output(verbs.table(reading, "monthly")),
            output(charts.stacked(t["monthly"], "month", "EffectiveCost", "service_id")),
            output(charts.lines(t["forecast"], "month", ["actual", "budget"])),
            output(charts.forecast(t["forecast"], "month", "actual", "forecast", "low", "high", "budget")),
            output(charts.burndown(t["burndown"], "day", "spent", "budgeted")),
            output(charts.steps(t["bridge"], label="step", delta="amount", total="is_total")),
            output(charts.steps(t["scaling"], "at", "nodes_before", "nodes_after")),
            output(charts.heatmap(t["monthly"], "month", "service_id", "EffectiveCost")),
            output(charts.bars(t["empty"], "contract_id", "annual_commitment")),
            {
                "cell_type": "code",
                "source": "",
                "outputs": [{"output_type": "stream", "name": "stderr", "text": "path"}],
            },
            {
                "cell_type": "code",
                "source": "",
                "outputs": [
                    {
                        "output_type": "display_data",
                        "data": {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "FloatProgress(0.1)"},
                    }
                ],
            },
            output(verbs.footer(reading)),
        ]
    }


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory, make_reading) -> Path:
    folder = tmp_path_factory.mktemp("page")
    path = folder / "finance.html"
    path.write_text(build_page(executed(make_reading()), "finance", "Finance", folder / "cache"), encoding="utf-8")
    return path


def test_the_file_asks_for_nothing(page_file: Path) -> None:
    html = page_file.read_text()
    outside = re.sub(r"<script.*?</script>", "", html, flags=re.S)
    assert not re.findall(r"(?:src|href|url\()\s*=?\s*[\"']?(?:https?:)?//", outside)
    assert "default-src 'none'" in outside
    assert "unsafe" not in outside
    assert len(html) < 2_500_000


def test_sources_results_and_warnings_stay_out(page_file: Path) -> None:
    html = page_file.read_text()
    assert "secret = 1" not in html
    assert "vnd.finops.reading" not in html
    assert "<style" in html
    assert html.count("<style") == 1


def test_a_table_under_its_chart_does_not_repeat_it(page_file: Path) -> None:
    html = page_file.read_text()
    assert html.count('class="chart fk-leads"') == 1
    assert html.count("<summary>The numbers</summary>") == 7
    assert "FloatProgress" not in html


def test_data_stays_text(page_file: Path) -> None:
    html = page_file.read_text()
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert data_block("x", {"a": "</script><!--"}).count("</script>") == 1


def test_headings_and_landmarks(page_file: Path) -> None:
    html = re.sub(r"<script.*?</script>", "", page_file.read_text(), flags=re.S)
    assert html.count("<h1") == 1
    assert 'class="skip" href="#content"' in html
    assert '<main id="content">' in html
    levels = [int(level) for level in re.findall(r"<h([1-6])", html)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert html.count("aria-current=page") == 1


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.is_file():
        pytest.skip(f"no browser at {CHROMIUM}; install Debian's chromium to run this test")
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=str(CHROMIUM), args=flags)
        yield chromium
        chromium.close()


@pytest.mark.browser
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_drawn_offline(browser: Any, page_file: Path, scheme: str, width: int) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, offline=True)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_file.as_uri())
    page.wait_for_selector("html[data-ready]", timeout=30_000)
    plots = page.locator(".plot")
    assert plots.count() == 8
    for place in range(plots.count()):
        box = plots.nth(place).locator("svg").bounding_box()
        assert box is not None
        assert box["width"] > 200
        assert box["height"] > 60
        assert box["x"] + box["width"] <= width
        assert plots.nth(place).get_attribute("data-drawn") == scheme
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ink = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ink == ("rgb(246, 245, 241)" if scheme == "light" else "rgb(16, 21, 27)")
    page.get_by_role("button", name="Light view" if scheme == "dark" else "Dark view").click()
    other = "light" if scheme == "dark" else "dark"
    page.wait_for_selector(f".plot[data-drawn={other}] svg", timeout=30_000)
    folded = page.locator("details.fk-more:not([open]) table").last
    assert not folded.is_visible()
    page.emulate_media(media="print")  # what is folded is printed in full, without a script that opens it
    assert folded.bounding_box()["height"] > 100
    assert said == []
    assert asked == [page_file.as_uri()]
    context.close()
