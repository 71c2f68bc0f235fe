"""A real report run takes nothing back: the committed notebook in its own kernel, and the run that is recorded."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from test_append_only import CATALOGUE, TAKES_BACK, WRITES, bill, statements

from finops_kit.ingest import ingest_paths
from finops_kit.publish import run_reports
from finops_kit.settings import Workspace
from finops_kit.store import create_store

__all__ = ["statements"]

#: run as the kernel of a notebook starts: its engine writes down every statement of every connection
IN_THE_KERNEL = """
import itertools, os
import finops_kit.store.reader as reader
real, number = reader.connect, itertools.count()

def logged(*given, **more):
    connection = real(*given, **more)
    path = "{folder}/%d-%d" % (os.getpid(), next(number))
    connection.execute("CALL enable_logging('QueryLog', storage='file', storage_config={{'path': '%s'}})" % path)
    return connection

reader.connect = logged
"""


@pytest.mark.slow
def test_a_real_report_run_only_inserts(
    workspace: Workspace, tmp_path: Path, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    create_store(workspace)
    ingest_paths(workspace, [bill(tmp_path / "march.csv", 3, "1.5")])
    statements.clear()
    said = tmp_path / "said"
    (tmp_path / "sitecustomize.py").write_text(IN_THE_KERNEL.format(folder=said), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run_reports(workspace, ("product",))
    in_the_kernel = []
    for path in said.glob("*/duckdb_log_entries.csv"):
        with path.open(encoding="utf-8", newline="") as stream:
            in_the_kernel += [row["message"] for row in csv.DictReader(stream)]
    assert any(re.search(r"\bcharge\b", statement) for statement in in_the_kernel), "the notebook read the store"
    ours = [statement for statement in statements + in_the_kernel if CATALOGUE not in statement]
    assert [statement for statement in ours if TAKES_BACK.search(statement)] == []
    assert {table for statement in in_the_kernel for table in WRITES.findall(statement)} == set()
    assert "report_run" in {table for statement in statements for table in WRITES.findall(statement)}
