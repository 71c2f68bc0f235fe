"""An analyst opens a notebook in JupyterLab and runs it all: it draws, and the tab goes on answering."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from finops_kit.cli.lab import lab_words
from finops_kit.settings import PROJECT_ROOT

CHROMIUM = shutil.which("chromium")
PROMPTS = "[...document.querySelectorAll('.jp-InputPrompt')].map(e => e.textContent)"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def lab(tmp_path: Path, store):
    shutil.copy(PROJECT_ROOT / "notebooks" / "leadership.ipynb", tmp_path)
    log, port = tmp_path / "log", free_port()
    with log.open("w") as out:
        process = subprocess.Popen(
            [*lab_words(tmp_path, port, allow_root=True), "--ServerApp.port_retries=0"], stderr=out, stdout=out,
            cwd=tmp_path, env={**os.environ, "FINOPS_WORKSPACE": str(store.root), "HOME": str(tmp_path)},
        )  # fmt: skip
        try:
            for _ in range(600):
                found = re.search(rf"127\.0\.0\.1:{port}/lab\?token=(\w+)", log.read_text())
                if found or process.poll() is not None:
                    break
                time.sleep(0.1)
            assert found, log.read_text()[-2000:]
            yield f"http://127.0.0.1:{port}/lab/tree/leadership.ipynb?token={found.group(1)}"
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
        page.set_default_timeout(60_000)
        page.goto(lab)
        page.wait_for_selector(".jp-Notebook .jp-InputPrompt")
        page.get_by_role("menuitem", name="Run").first.click()
        page.get_by_text("Run All Cells", exact=True).first.click()
        page.wait_for_function(f"{PROMPTS}.some(said => said.includes('[1]'))")
        page.wait_for_function(f"{PROMPTS}.every(said => !said.includes('*'))")
        drawn = page.locator(".vega-embed canvas, .vega-embed svg").first
        drawn.wait_for(state="attached")
        drawn.scroll_into_view_if_needed()
        assert 300 < drawn.bounding_box()["width"] < 1200
        assert not page.get_by_text("Jupyter news").count(), "it asks whether it may ask the internet"
        assert not page.locator(".jp-RenderedText[data-mime-type*=stderr]").count()
        browser.close()
