"""An analyst opens a notebook in JupyterLab and runs it: it draws, and the tab goes on answering."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import nbformat
import pytest

from finops_kit.cli.lab import lab_words

#: a chart as the notebooks draw it
CELL = """
import datetime, pandas
from finops_kit.perspectives.reading import ResultTable
from finops_kit.publish import charts
frame = pandas.DataFrame({"day": [datetime.date(2026, 8, n) for n in range(1, 29)], "spent": range(28)})
charts.lines(ResultTable("spend", "Spend", "How much?", frame, {"spent": "EUR"}), "day", ["spent"])
"""
CHROMIUM = shutil.which("chromium")
PROMPTS = "[...document.querySelectorAll('.jp-InputPrompt')].map(e => e.textContent)"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def lab(tmp_path: Path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL), nbformat.v4.new_code_cell("1 + 1")])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "chart.ipynb")
    log, port = tmp_path / "log", free_port()
    with log.open("w") as out:
        process = subprocess.Popen(
            [*lab_words(tmp_path, port, allow_root=True), "--ServerApp.port_retries=0"], stderr=out, stdout=out,
            cwd=tmp_path, env={**os.environ, "HOME": str(tmp_path)},
        )  # fmt: skip
        try:
            for _ in range(600):
                found = re.search(rf"127\.0\.0\.1:{port}/lab\?token=(\w+)", log.read_text())
                if found or process.poll() is not None:
                    break
                time.sleep(0.1)
            assert found, log.read_text()[-2000:]
            yield f"http://127.0.0.1:{port}/lab/tree/chart.ipynb?token={found.group(1)}"
        finally:
            process.terminate()
            process.wait(30)


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")
def test_a_notebook_runs_and_draws_in_jupyterlab(lab: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(120_000)
        page.goto(lab)
        page.wait_for_selector(".jp-Notebook .jp-InputPrompt")
        for number in range(600):
            prompts = [said.strip() for said in page.evaluate(PROMPTS)]
            if "[2]:" in prompts:
                break
            if number % 50 == 10 and set(prompts) == {"[ ]:"}:  # a menu clicked before its kernel is there does nothing
                page.get_by_role("menuitem", name="Run").first.click()
                page.get_by_text("Run All Cells", exact=True).first.click()
            time.sleep(0.2)
        assert prompts == ["[1]:", "[2]:"]
        drawn = page.locator(".vega-embed canvas, .vega-embed svg").first
        drawn.wait_for(state="attached")
        drawn.scroll_into_view_if_needed()
        assert 300 < drawn.bounding_box()["width"] < 1200
        assert not page.get_by_text("Jupyter news").count(), "it asks whether it may ask the internet"
        assert not page.locator(".jp-RenderedText[data-mime-type*=stderr]").count()
        browser.close()
