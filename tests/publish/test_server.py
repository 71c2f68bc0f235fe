"""The server shows seven pages and one dashboard, to this machine, and nothing else."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from finops_kit.perspectives.reading import PERSPECTIVES, Reading
from finops_kit.publish import release
from finops_kit.publish.index import build_index
from finops_kit.publish.result import encode
from finops_kit.settings import PROJECT_ROOT, Workspace

PROGRAM = """
import sys
from pathlib import Path
from finops_kit.publish import serve
from finops_kit.settings import Workspace
serve(Workspace(Path(sys.argv[1])), port=0, live=sys.argv[2] == "live", pool=1)
"""


def publish(workspace: Workspace, readings: list[Reading]) -> None:
    """Put pages and result tables in place without running notebooks."""
    with release.publishing(workspace.reports):
        folder = release.stage(workspace.reports, "run")
        entries = []
        for reading in readings:
            period = f"{reading.period_start:%Y-%m}"
            encoded = encode(reading)
            where = release.result_folder(reading.perspective, period, "run")
            about = {"run_id": "run", "published_at": "2025-07-02T08:00:00+00:00"}
            release.write_results(folder / where, encoded, about)
            entries.append(encoded["reading"] | {"period": period, "folder": where, "version": 41} | about)
            (folder / f"{reading.perspective}.html").write_text(f"<h1>{reading.title}</h1>")
        pointer, dropped = release.merge_pointer(release.read_pointer(workspace.reports), entries)
        (folder / release.POINTER).write_text(json.dumps(pointer))
        (folder / "index.html").write_text(build_index(pointer))
        release.mark_ready(folder, dropped)
        release.put_in_place(folder, workspace.reports)


class Served:
    """A server under test, and plain requests to it."""

    def __init__(self, workspace: Workspace, mode: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(workspace.root), mode],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, **environment},
            cwd=PROJECT_ROOT,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", self.said)
        assert found, self.said
        self.port = int(found.group(1))

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode("utf-8", "replace")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, make_reading) -> Workspace:
    place = Workspace(tmp_path_factory.mktemp("served") / "workspace")
    publish(place, [make_reading(name) for name in PERSPECTIVES if name != "procurement"])
    publish(place, [make_reading("finance", period="2025-05", grand_total="98000.00")])
    publish(place, [make_reading("finance")])
    (place.root / "catalogue.sqlite").write_text("secret")
    (place.reports / "secret.html").write_text("secret")
    return place


@pytest.fixture(scope="module")
def served(workspace: Workspace) -> Iterator[Served]:
    server = Served(workspace, "static")
    yield server
    server.stop()


def test_pages_are_served_without_a_kernel(served: Served) -> None:
    assert "live dashboard is off" in served.said
    status, headers, body = served.get("/")
    assert status == 200
    assert "Six readings of one truth" in body
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "<h1>Finance</h1>" in served.get("/finance.html")[2]


@pytest.mark.parametrize(
    "path",
    [
        "/secret.html", "/results/published.json", "/../catalogue.sqlite", "/%2e%2e/catalogue.sqlite",
        "/..%2fcatalogue.sqlite", "/finance.html/../secret.html", "/.publish.lock", "/voila/files/finance.html",
        "/voila/tree", "/voila/render/live.ipynb", "/voila/api/contents/", "/api/contents", "/live", "/finance.html%00",
    ],
)  # fmt: skip
def test_nothing_else_is(served: Served, path: str) -> None:
    status, _, body = served.get(path)
    assert status in {400, 403, 404}
    assert "secret" not in body
    assert "Traceback" not in body


def test_a_missing_page_says_what_to_do(served: Served) -> None:
    status, _, body = served.get("/procurement.html")
    assert status == 404
    assert "not published yet. Run finops report all" in body


def test_another_host_name_is_refused(served: Served) -> None:
    assert served.get("/", Host="evil.example")[0] == 403


def test_a_token_is_asked_for(workspace: Workspace) -> None:
    server = Served(workspace, "static", FINOPS_TOKEN="open-sesame")
    try:
        assert "a token is asked for" in server.said
        assert "open-sesame" not in server.said
        status, _, body = server.get("/finance.html")
        assert status in {302, 403}
        assert "Finance" not in body
        assert server.get("/finance.html?token=open-sesame")[0] == 200
        assert server.get("/finance.html?token=wrong")[0] in {302, 403}
    finally:
        server.stop()


@pytest.mark.browser
@pytest.mark.slow
def test_the_live_dashboard_offline(workspace: Workspace) -> None:
    chromium = Path("/usr/bin/chromium")
    if not chromium.is_file():
        pytest.skip(f"no browser at {chromium}; install Debian's chromium to run this test")
    from playwright.sync_api import sync_playwright

    server = Served(workspace, "live")
    try:
        with sync_playwright() as play:
            flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
            browser = play.chromium.launch(executable_path=str(chromium), args=flags)
            page = browser.new_page()
            foreign, said = [], []

            def judge(route, request) -> None:
                if request.url.startswith((f"http://127.0.0.1:{server.port}/", "data:", "blob:")):
                    route.continue_()
                else:
                    foreign.append(request.url)
                    route.abort()

            page.route("**/*", judge)
            page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
            page.goto(f"http://127.0.0.1:{server.port}/live?template=reveal&theme=dark", timeout=90_000)
            page.wait_for_selector(".fk-out .plot svg", timeout=90_000)
            body = page.content()
            assert "live.dashboard" not in body  # sources are stripped
            assert 'data-jp-theme-light="true"' in body  # no theme from the query string
            page.locator(".fk-pickers select").nth(0).select_option(label="Finance")
            periods = page.locator(".fk-pickers .widget-dropdown", has_text="Period").locator("option")
            page.wait_for_function("document.querySelectorAll('.fk-pickers select')[1].options.length == 2")
            assert periods.all_text_contents() == ["2025-06", "2025-05"]
            page.locator(".fk-pickers select").nth(1).select_option("2025-05")
            page.wait_for_selector("text=EUR 98,000.00", timeout=30_000)
            page.locator(".fk-pickers .widget-dropdown", has_text="Service").locator("select").select_option("payments")
            page.wait_for_selector("text=Sum of the selection: Effective cost: EUR 48,210.25", timeout=30_000)
            page.wait_for_selector(".fk-out .plot svg", timeout=30_000)
            browser.close()
        assert foreign == []
        assert said == []
    finally:
        server.stop()


def test_a_port_in_use_is_said_plainly(served: Served, workspace: Workspace) -> None:
    program = PROGRAM.replace("port=0", f"port={served.port}")
    told = subprocess.run(
        [sys.executable, "-c", program, str(workspace.root), "static"],
        capture_output=True, text=True, cwd=PROJECT_ROOT, timeout=120,
    )  # fmt: skip
    assert f"Port {served.port} on 127.0.0.1 cannot be used" in told.stderr
