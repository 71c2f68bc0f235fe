"""The six notebooks: their shape, and that each runs under nbval against a small store."""

from __future__ import annotations

import ast
import os
import subprocess
import sys

import nbformat
import pytest

from finops_kit.perspectives import PERSPECTIVES, read_perspective
from finops_kit.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "notebooks"
PARAMETERS = {"store": "", "version": 0, "period": "", "scope": "", "currency": ""}


def cells(name: str, kind: str = "code"):
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == kind]


@pytest.mark.parametrize("name", PERSPECTIVES)
def test_a_notebook_is_committed_without_outputs_and_with_stable_ids(name):
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor, notebook.metadata.kernelspec.name) == (4, 5, "python3")
    assert all(not cell.outputs and cell.execution_count is None for cell in cells(name))
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


@pytest.mark.parametrize("name", PERSPECTIVES)
def test_the_parameters_are_literals_in_a_tagged_cell(name):
    cell = cells(name)[0]
    assert cell.metadata.tags == ["parameters"]
    values = {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(cell.source).body}
    assert values == PARAMETERS


@pytest.mark.parametrize("name", PERSPECTIVES)
def test_a_cell_is_one_call_and_holds_no_logic(name):
    title, *rest = cells(name, "markdown")
    assert title.source.startswith("# ") and len(rest) >= 5
    imports, reading, *shown = cells(name)[1:]
    assert all(isinstance(node, ast.ImportFrom) for node in ast.parse(imports.source).body)
    assert reading.source == f'reading = read_perspective("{name}", store, version, period, scope, currency)'
    for cell in shown:
        (node,) = ast.parse(cell.source).body
        assert isinstance(node, ast.Expr) and isinstance(node.value, ast.Call), cell.source
        assert ast.unparse(node.value.func).split(".")[0] in ("page", "charts")
    assert [cell.source for cell in shown][:2] == ["page.header(reading)", "page.figures(reading)"]
    assert shown[-1].source == "page.footer(reading)"


@pytest.mark.parametrize("name", PERSPECTIVES)
def test_a_notebook_shows_only_what_the_reading_has(name, store):
    tables = read_perspective(name, store.root).tables
    for cell in cells(name)[5:-1]:
        call = ast.parse(cell.source).body[0].value
        first = call.args[1] if ast.unparse(call.func) == "page.table" else call.args[0].slice
        key, rest = first.value, [node for node in ast.walk(call) if node is not first]
        texts = [node.value for node in rest if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        columns = set(tables[key].frame.columns)
        assert all(text in columns for text in texts), (cell.source, sorted(columns))


def test_every_notebook_runs_under_nbval(store):
    paths = [str(FOLDER / f"{name}.ipynb") for name in PERSPECTIVES]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", "-c", os.devnull,
         "--rootdir", str(FOLDER), *paths],
        env={**os.environ, "FINOPS_WORKSPACE": str(store.root), "PYTHONPATH": str(PROJECT_ROOT)},
        cwd=store.root, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
