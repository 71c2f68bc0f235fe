"""`finops backup` and `finops restore`, as somebody types them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Finops = Callable[..., Result]


def test_there_and_back(filled: Finops, tmp_path: Path) -> None:
    made = filled("backup", "safe")
    assert made.exit_code == 0 and "verified, ledger head" in made.stdout
    assert filled("restore", "safe").exit_code == 2  # there is a store
    shutil.rmtree(tmp_path / "workspace")
    done = json.loads(filled("restore", "safe", "--json").stdout)
    assert done["newer"] == 0 and done["files"] > 0
    assert filled("verify").exit_code == 0
    assert filled("restore", "safe", "--version", "1", "-w", "then").exit_code == 0
    assert filled("verify", "-w", "safe").exit_code == 0


def test_a_lost_catalogue_names_the_way_back(filled: Finops, tmp_path: Path) -> None:
    for file in (tmp_path / "workspace").glob("catalogue.sqlite*"):
        file.unlink()
    for words in (("status",), ("init",), ("ingest", "bill.csv")):
        told = filled(*words)
        assert told.exit_code == 4 and "finops restore" in told.output, told.output
