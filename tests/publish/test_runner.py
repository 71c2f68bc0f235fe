"""A run is published as a whole or not at all, at one version, with totals that agree to the cent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from finops_kit.errors import ReconciliationFailed, ReportFailed, UsageError, VersionUnknown
from finops_kit.perspectives.reading import PERSPECTIVES
from finops_kit.publish import RunReport, run_reports
from finops_kit.settings import Workspace
from finops_kit.store import create_store, open_reader

IMPORTS = "from finops_kit.publish import notebook as page"
MakeNotebook = Callable[..., dict]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, make_notebook: MakeNotebook) -> tuple[Workspace, Path, RunReport]:
    """A workspace with one good run of all six perspectives."""
    root = tmp_path_factory.mktemp("house")
    workspace, notebooks = Workspace(root / "workspace"), root / "notebooks"
    notebooks.mkdir()
    for name in PERSPECTIVES:
        (notebooks / f"{name}.ipynb").write_text(json.dumps(make_notebook(name)), encoding="utf-8")
    create_store(workspace)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINOPS_NOTEBOOKS", str(notebooks))
        report = run_reports(workspace)
    return workspace, notebooks, report


@pytest.fixture
def spoil(house, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Replace notebooks for one test, and check afterwards that nothing of what is published has changed."""
    workspace, notebooks, _ = house
    folder = tmp_path / "spoiled"
    folder.mkdir()
    for path in notebooks.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    monkeypatch.setenv("FINOPS_NOTEBOOKS", str(folder))

    def published() -> dict[str, str]:
        return {
            str(path.relative_to(workspace.reports)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(workspace.reports.rglob("*"))
            if path.is_file()
        }

    before, runs = published(), count_runs(workspace)

    def replace(name: str, notebook: dict) -> None:
        (folder / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")

    yield replace
    assert published() == before
    assert count_runs(workspace) == runs


def count_runs(workspace: Workspace) -> int:
    with open_reader(workspace) as reader:
        return int(reader.connection.execute("SELECT count(*) FROM report_run").fetchone()[0])


def test_a_run_publishes_six_pages_that_agree(house) -> None:
    workspace, _, report = house
    assert [page.perspective for page in report.pages] == list(PERSPECTIVES)
    assert {page.grand_total for page in report.pages} == {Decimal("102529.50")}
    assert report.period == "2025-06"
    for page in report.pages:
        assert page.path.stat().st_size == page.bytes < 2_500_000
        assert hashlib.sha256(page.path.read_bytes()).hexdigest() == page.page_hash
        assert page.path.stat().st_mode & 0o777 == 0o644
    index = (workspace.reports / "index.html").read_text()
    assert "All six perspectives add up to the same EUR 102,529.50, to the cent" in index
    assert json.dumps(report.as_dict())


def test_the_run_is_recorded_with_what_it_read_and_wrote(house) -> None:
    workspace, _, report = house
    with open_reader(workspace) as reader:
        rows = reader.connection.execute(
            "SELECT perspective, store_version, grand_total, page_hash FROM report_run WHERE run_id = ?",
            [report.run_id],
        ).fetchall()
        kinds = reader.connection.execute("SELECT kind FROM ledger ORDER BY entry DESC LIMIT 1").fetchall()
    assert {row[0]: row[3] for row in rows} == {page.perspective: page.page_hash for page in report.pages}
    assert {row[1] for row in rows} == {report.version}
    assert {row[2] for row in rows} == {Decimal("102529.50")}
    assert kinds == [("report",)]
    assert {path.name for path in (workspace.runs / report.run_id).glob("*.ipynb")} == {
        f"{n}.ipynb" for n in PERSPECTIVES
    }


def test_result_tables_keep_their_decimals(house) -> None:
    workspace, _, _ = house
    pointer = json.loads((workspace.results / "published.json").read_text())
    entry = next(entry for entry in pointer["results"] if entry["perspective"] == "finance")
    folder = workspace.reports / entry["folder"]
    table = pq.read_table(folder / "top_services.parquet")
    assert sum(table["EffectiveCost"].to_pylist()) == Decimal("102530.50")
    reading = json.loads((folder / "reading.json").read_text())
    assert reading["grand_total"] == "102529.50"
    assert reading["run"]["run_id"] == entry["run_id"]
    assert not list(workspace.reports.glob(".staging/*"))


def test_totals_that_differ_by_a_cent_fail_the_whole_run(house, spoil, make_notebook: MakeNotebook) -> None:
    spoil("product", make_notebook("product", total="102529.51"))
    with pytest.raises(ReconciliationFailed) as caught:
        run_reports(house[0], ["engineering", "product"])
    said = str(caught.value)
    for named in ("engineering", "102,529.50", "product", "102,529.51", "0.01", "Nothing was published"):
        assert named in said


def test_a_failed_cell_is_a_sentence_and_its_trace_a_log(house, spoil, make_notebook: MakeNotebook) -> None:
    spoil("finance", make_notebook("finance", cells=("secret = 'internal'\n1 / 0",)))
    with pytest.raises(ReportFailed) as caught:
        run_reports(house[0], ["finance"])
    said = str(caught.value)
    assert "The finance page failed in cell" in said
    assert "ZeroDivisionError" in said
    assert "Traceback" not in said
    log = next(house[0].logs.glob("report-*-finance.log"))
    assert "1 / 0" in log.read_text()
    assert "\x1b" not in log.read_text()


def test_an_error_of_ours_keeps_its_kind(house, spoil, make_notebook: MakeNotebook) -> None:
    cell = "from finops_kit.errors import VersionUnknown\nraise VersionUnknown('The store has no version 7.')"
    spoil("leadership", make_notebook("leadership", cells=(cell,)))
    with pytest.raises(VersionUnknown, match=r"leadership: The store has no version 7\. Nothing was published"):
        run_reports(house[0], ["leadership"])


def test_no_notebook_sees_what_another_left(house, spoil, make_notebook: MakeNotebook) -> None:
    spoil("engineering", make_notebook("engineering", cells=(IMPORTS, "left_behind = 1")))
    spoil("product", make_notebook("product", cells=(IMPORTS, "left_behind")))
    with pytest.raises(ReportFailed, match=r"product page failed .*NameError"):
        run_reports(house[0], ["engineering", "product"])


def test_a_notebook_without_a_footer_is_refused(house, spoil, make_notebook: MakeNotebook) -> None:
    notebook = make_notebook("finance", cells=("1",))
    notebook["cells"].pop()
    spoil("finance", notebook)
    with pytest.raises(ReportFailed, match=r"ends without page\.footer"):
        run_reports(house[0], ["finance"])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"perspectives": ["finanse"]}, "no perspective 'finanse'"),
        ({"period": "2025-13"}, "'2025-13' is no month"),
        ({"scope": "payments"}, "scope 'payments' is not understood"),
        ({"currency": "euro"}, "currency 'euro' is none"),
        ({"as_of": 4711}, "no version 4711"),
    ],
)
def test_wrong_use_is_refused_before_anything_runs(house, spoil, asked: dict, said: str) -> None:
    with pytest.raises((UsageError, VersionUnknown), match=said):
        run_reports(house[0], **asked)


def test_a_misspelt_parameter_is_refused(house, spoil, make_notebook: MakeNotebook) -> None:
    notebook = make_notebook("finance")
    notebook["cells"][1]["source"] = notebook["cells"][1]["source"].replace("period", "perod")
    spoil("finance", notebook)
    with pytest.raises(UsageError, match=r"has no parameter 'period'; it has .*perod"):
        run_reports(house[0], ["finance"])
