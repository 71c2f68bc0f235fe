"""`finops ledger` and `finops trace --prove`, as somebody types them."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Finops = Callable[..., Result]


def test_a_head_is_signed_given_away_and_checked(filled: Finops, tmp_path: Path) -> None:
    made = filled("ledger", "keygen", "--json")
    log = json.loads(made.stdout)["log_id"]
    assert filled("ledger", "keygen").exit_code == 2
    (tmp_path / "kept").mkdir()
    told = json.loads(filled("ledger", "head", "--out", "kept", "--json").stdout)
    assert told["log_id"] == log and Path(told["path"]).parent == Path("kept")
    again = filled("ledger", "head", "--out", "later.json", "--since", told["path"], "--small")
    assert again.exit_code == 0 and "ledger entries, root" in again.stdout
    fits = filled("ledger", "check", "kept", "later.json")
    assert fits.exit_code == 0 and "2 head(s): the ledger fits." in fits.stdout
    assert filled("verify", "--head", "kept").exit_code == 0


def test_a_changed_head_is_found(filled: Finops, tmp_path: Path) -> None:
    filled("ledger", "head", "--out", "kept.json")
    head = json.loads((tmp_path / "kept.json").read_text())
    (tmp_path / "kept.json").write_text(json.dumps(head | {"tree_size": 99}))
    for words in (("ledger", "check", "kept.json"), ("verify", "--head", "kept.json")):
        told = filled(*words)
        assert told.exit_code == 8 and "a signature that holds" in told.output
    assert json.loads(filled("ledger", "check", "kept.json", "--json").stdout.partition("\nError")[0])["ok"] is False


def test_the_ledger_is_held_against_what_a_page_prints(filled: Finops, write_bill: Callable[..., Path]) -> None:
    head = json.loads(filled("ledger", "head", "--json").stdout)
    write_bill(Path("later.csv"), 2, ResourceId="other")
    assert filled("ingest", "later.csv").exit_code == 0
    words = ("ledger", "check", "--root", head["root"], "--size")
    fits = filled(*words, str(head["tree_size"]))
    assert fits.exit_code == 0 and "the root over 1 entries: the ledger fits." in fits.stdout
    told = filled(*words, "2")
    assert told.exit_code == 8 and "ledger rewritten" in told.output
    assert "belong together" in filled("ledger", "check", "--root", head["root"]).output
    as_it_was = json.loads(filled("ledger", "head", "--as-of", str(head["store_version"]), "--json").stdout)
    assert (as_it_was["root"], as_it_was["tree_size"]) == (head["root"], 1)


def test_what_is_missing_is_said(filled: Finops, tmp_path: Path) -> None:
    assert "Name the heads" in filled("ledger", "check").output
    assert "There is no head in" in filled("ledger", "check", str(tmp_path / "workspace")).output
    assert "--stamp needs --tsa-ca" in filled("ledger", "head", "--stamp", "http://127.0.0.1:9/").output


def test_a_figure_is_proven_to_somebody_without_the_store(filled: Finops, bill: Path, tmp_path: Path) -> None:
    told = filled("trace", "effective_cost", "--period", "2026-03", "--prove", "proof.zip")
    assert told.exit_code == 0, told.output
    assert "4 charges, 1 ledger entries" in told.stdout
    with zipfile.ZipFile(tmp_path / "proof.zip") as bundle:
        bundle.extract("verify_bundle.py", tmp_path)
        assert json.loads(bundle.read("bundle.json"))["query"]["measure"] == "effective_cost"
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / bill.name).write_bytes(bill.read_bytes())
    run = [sys.executable, "-I", "verify_bundle.py", "proof.zip", "--sources", "sources"]
    checked = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert "the 1 source files in sources are those, byte for byte" in checked.stdout
