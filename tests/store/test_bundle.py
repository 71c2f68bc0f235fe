"""A proof bundle, checked by the script inside it in a process that has neither the store nor the kit."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finops_kit.errors import ReconciliationFailed, UsageError
from finops_kit.settings import Workspace
from finops_kit.store import open_reader
from finops_kit.store.bundle import write_bundle
from finops_kit.store.heads import keep_head, sign_head
from finops_kit.store.keys import ensure_key

CHARGES = """SELECT c.batch_id, c.source_row, l.source_file, l.source_hash, c."EffectiveCost" AS amount, c."ServiceName"
    FROM lake.charge c JOIN lake.ledger l USING (batch_id) WHERE c."ServiceName" = 'service-1' ORDER BY ALL"""


def make(store: Workspace, out: Path, total: Decimal | None = None) -> dict[str, Any]:
    with open_reader(store) as reader:
        charges = reader.connection.execute(CHARGES).to_arrow_table().to_pylist()
        found = sum((charge["amount"] for charge in charges), Decimal(0))
        return write_bundle(
            reader, out, title="Effective cost", total=total or found, currency="EUR", charges=charges,
            query={"measure": "effective_cost", "filters": {"service": "service-1"}},
        )  # fmt: skip


@pytest.fixture
def bundle(copied: Workspace, tmp_path: Path) -> Path:
    assert ensure_key(copied) is True and ensure_key(copied) is False
    out = tmp_path / "proof.zip"
    told = make(copied, out)
    assert (told["entries"], told["tree_size"]) == (6, 6) and told["charges"] == 6
    return out


def check(bundle: Path, *options: str, blind: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the bundle's own script, isolated; ``blind`` also hides the installed packages."""
    folder = bundle.parent / "apart"
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(bundle) as parts:
        (folder / "verify_bundle.py").write_bytes(parts.read("verify_bundle.py"))
    flags = ["-I", "-S"] if blind else ["-I"]
    return subprocess.run(
        [sys.executable, *flags, "verify_bundle.py", str(bundle), *options], cwd=folder, capture_output=True, text=True
    )


def test_a_bundle_holds_without_the_store(bundle: Path, copied: Workspace) -> None:
    told = check(bundle)
    assert told.returncode == 0, told.stderr
    assert "signature holds" in told.stdout
    assert "6 charges add up to the figure exactly" in told.stdout
    assert "Not proven here" in told.stdout and "--log-id" in told.stdout and "--head" in told.stdout
    with zipfile.ZipFile(bundle) as parts:
        head = json.loads(parts.read("head.json"))
        assert sorted(parts.namelist()) == [
            "README.txt", "bundle.json", "charges.csv", "entries.json", "head.json", "verify_bundle.py",
        ]  # fmt: skip
    assert check(bundle, "--log-id", head["log_id"], "--data", str(copied.data)).returncode == 0
    wrong = check(bundle, "--log-id", "0" * 64)
    assert wrong.returncode == 1 and "not of 000" in wrong.stderr


def test_without_cryptography_it_says_so(bundle: Path) -> None:
    told = check(bundle, blind=True)
    assert told.returncode == 1 and "install the package `cryptography`" in told.stderr
    told = check(bundle, "--without-signature", blind=True)
    assert told.returncode == 0 and "signature NOT checked" in told.stdout


def test_a_kept_head_finds_a_rewritten_ledger(bundle: Path, copied: Workspace, forger: Any, tmp_path: Path) -> None:
    with open_reader(copied) as reader:
        kept = keep_head(copied, sign_head(reader), tmp_path)
    assert check(bundle, "--head", str(kept)).returncode == 0
    for own in (copied.root / "heads").iterdir():
        own.unlink()
    forger.rebuild(copied, [1, 2, 3, 4, 5, 60])
    make(copied, bundle)
    assert check(bundle).returncode == 0
    told = check(bundle, "--head", str(kept))
    assert told.returncode == 1 and "rewritten or forked" in told.stderr


def test_source_files_are_held_against_the_ledger(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    told = check(bundle, "--sources", str(tmp_path / "sources"))
    assert told.returncode == 1 and "6 source files are not in" in told.stderr


def changed(part: str, change: Callable[[Any], None]) -> Callable[[dict[str, bytes]], None]:
    def apply(parts: dict[str, bytes]) -> None:
        known = json.loads(parts[part])
        change(known)
        parts[part] = json.dumps(known).encode()

    return apply


def changed_charge(change: Callable[[list[dict[str, str]]], None]) -> Callable[[dict[str, bytes]], None]:
    def apply(parts: dict[str, bytes]) -> None:
        rows = list(csv.DictReader(io.StringIO(parts["charges.csv"].decode(), newline="")))
        change(rows)
        stream = io.StringIO(newline="")
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        parts["charges.csv"] = stream.getvalue().encode()

    return apply


def swap_hash(entries: list[dict[str, Any]]) -> None:
    entries[0]["canonical"] = entries[0]["canonical"].replace("bill-1.csv", "bill-9.csv")


TAMPERINGS: dict[str, tuple[Callable[[dict[str, bytes]], None], str]] = {
    "the total": (changed("bundle.json", lambda b: b["figure"].update(total="1")), "the figure is 1"),
    "the count": (changed("bundle.json", lambda b: b["figure"].update(count=1)), "the figure says 1"),
    "the version": (changed("bundle.json", lambda b: b["figure"].update(store_version=1)), "another store version"),
    "an amount": (changed_charge(lambda rows: rows[0].update(amount="999")), "add up to"),
    "a charge twice": (changed_charge(lambda rows: rows.append(dict(rows[0]))), "counted twice"),
    "a charge gone": (changed_charge(lambda rows: rows.pop()), "add up to"),
    "a row number": (changed_charge(lambda rows: rows[0].update(source_row="99")), "the file has"),
    "a file's hash": (changed_charge(lambda rows: rows[0].update(source_hash="0" * 64)), "another file or hash"),
    "a batch": (changed_charge(lambda rows: rows[0].update(batch_id="b9")), "not among the proven"),
    "an entry": (changed("entries.json", swap_hash), "does not stand in the signed ledger"),
    "a proof": (changed("entries.json", lambda e: e[0]["inclusion"].reverse()), "does not stand in the signed ledger"),
    "the root": (changed("head.json", lambda h: h.update(root="0" * 64)), "signature does not hold"),
    "the time": (changed("head.json", lambda h: h.update(time="2001-01-01T00:00:00Z")), "signature does not hold"),
    "the key": (changed("head.json", lambda h: h.update(public_key="00" * 32)), "not that of its public key"),
    "the type": (changed("bundle.json", lambda b: b.update(type="x")), "no proof bundle"),
    "a part gone": (lambda parts: parts.pop("head.json") and None, "cannot be read"),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_any_tampering_is_found(bundle: Path, what: str) -> None:
    change, says = TAMPERINGS[what]
    with zipfile.ZipFile(bundle) as zipped:
        parts = {name: zipped.read(name) for name in zipped.namelist()}
    change(parts)
    with zipfile.ZipFile(bundle, "w") as zipped:
        for name, content in parts.items():
            zipped.writestr(name, content)
    told = check(bundle)
    assert told.returncode == 1 and says in told.stderr, told.stderr + told.stdout
    assert "Traceback" not in told.stderr


def test_a_figure_that_does_not_add_up_is_not_written(copied: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ReconciliationFailed, match="Nothing was written"):
        make(copied, tmp_path / "no.zip", total=Decimal(1))
    with pytest.raises(UsageError, match="finops ledger keygen"):
        make(copied, tmp_path / "no.zip")
    assert not (tmp_path / "no.zip").exists()
