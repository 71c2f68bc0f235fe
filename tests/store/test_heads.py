"""Signed heads: what they find that the chain alone cannot, and who may sign."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest

from finops_kit.errors import UsageError, VerificationFailed
from finops_kit.settings import Workspace
from finops_kit.store import create_store, open_reader
from finops_kit.store.heads import (
    Head,
    check_root,
    head_from_json,
    keep_head,
    keep_signed,
    only_adds,
    read_heads,
    seen_head,
    sign_head,
)
from finops_kit.store.keys import KEY_VARIABLE, PASSPHRASE_VARIABLE, load_key, make_key
from finops_kit.store.verify import verify


def sign(store: Workspace, **how: Any) -> Head:
    with open_reader(store) as reader:
        return sign_head(reader, **how)


@pytest.fixture
def signed(copied: Workspace, tmp_path: Path) -> tuple[Workspace, Path]:
    """A store of six entries, and the head of it that an auditor keeps elsewhere."""
    make_key(copied)
    kept = tmp_path / "auditor"
    kept.mkdir()
    path = keep_head(copied, sign(copied), kept)
    for own in (copied.root / "heads").iterdir():
        own.unlink()  # whoever rewrites the ledger takes the workspace's own heads along
    return copied, path


def findings(store: Workspace, *heads: Path) -> list[str]:
    return [str(finding) for finding in verify(store, heads=heads).findings]


def test_an_untouched_store_fits_its_head_also_when_it_has_grown(signed: tuple[Workspace, Path], forger: Any) -> None:
    store, kept = signed
    report = verify(store, heads=[kept])
    assert (report.ok, report.heads) == (True, 1)
    forger.add_batch(store, 7)
    assert findings(store, kept.parent) == []


def test_the_key_is_private_and_made_once(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    create_store(workspace)
    with pytest.raises(UsageError, match=r"no signing key at .*finops ledger keygen"):
        load_key(workspace)
    path = make_key(workspace)
    assert path == workspace.root / "keys" / "ledger.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="already"):
        make_key(workspace)
    path.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        load_key(workspace)


def test_the_key_may_lie_elsewhere_under_a_passphrase(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "safe" / "key.pem"))
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "correct horse")
    path = make_key(workspace)
    assert path == tmp_path / "safe" / "key.pem" and b"ENCRYPTED" in path.read_bytes()
    load_key(workspace)
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "wrong horse")
    with pytest.raises(UsageError, match="does not open"):
        load_key(workspace)
    monkeypatch.delenv(PASSPHRASE_VARIABLE)
    with pytest.raises(UsageError, match="does not open"):
        load_key(workspace)


def test_an_empty_ledger_is_not_signed(workspace: Workspace) -> None:
    create_store(workspace)
    make_key(workspace)
    with pytest.raises(UsageError, match="nothing to sign"):
        sign(workspace)


def test_a_head_survives_its_file(signed: tuple[Workspace, Path]) -> None:
    _, kept = signed
    ((name, head),) = read_heads([kept])
    assert name.startswith("head-00000006-") and head.signature_holds() and len(head.leaves) == 6
    assert head_from_json(head.to_json()) == head
    with pytest.raises(UsageError, match="is no ledger head"):
        head_from_json("{}")
    with pytest.raises(UsageError, match="cannot be read"):
        read_heads([kept.parent / "none.json"])


@pytest.mark.parametrize("field", ["tree_size", "root", "ledger_head", "store_version", "time", "store_id", "log_id"])
def test_a_changed_head_is_named(signed: tuple[Workspace, Path], field: str) -> None:
    store, kept = signed
    known = json.loads(kept.read_text())
    known[field] = known[field] + 1 if isinstance(known[field], int) else known[field][:-1] + "0"
    if known[field] == json.loads(kept.read_text())[field]:
        known[field] = known[field][:-1] + "1"
    kept.write_text(json.dumps(known))
    (finding,) = findings(store, kept)
    assert "a signature that holds" in finding


def test_a_head_of_another_store_or_key_is_named(
    signed: tuple[Workspace, Path], workspace: Workspace, forger: Any, tmp_path: Path
) -> None:
    store, kept = signed
    create_store(workspace)
    forger.add_batch(workspace, 1)
    (finding,) = findings(workspace, kept)
    assert "a head of this store" in finding
    for file in (store.root / "keys").iterdir():
        file.unlink()
    make_key(store)
    (finding,) = findings(store, kept)
    assert "this store's signing key" in finding


def edit(number: int) -> Any:
    def change(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        entries[number - 1]["source_file"] = "another.csv"
        return entries

    return change


def test_a_rechained_edit_fits_in_itself_and_is_found_against_the_head(
    signed: tuple[Workspace, Path], forger: Any
) -> None:
    store, kept = signed
    forger.rewrite(store, edit(3))
    assert not [finding for finding in findings(store) if finding.startswith("ledger ")]  # the chain alone is blind
    (finding,) = [finding for finding in findings(store, kept) if finding.startswith("ledger ")]
    assert finding.startswith("ledger re-chained or forked: ledger entries 3 to 6: expected the entry that head-")


def test_a_history_made_anew_fits_in_itself_and_is_found_only_against_the_head(
    signed: tuple[Workspace, Path], forger: Any
) -> None:
    store, kept = signed
    forger.rebuild(store, [1, 2, 30, 4, 5, 6])
    assert findings(store) == []
    (finding,) = findings(store, kept)
    assert finding.startswith(
        "ledger re-chained or forked: ledger entries 1 to 6:"
    )  # their times differ from the first


def test_an_edit_that_is_not_rechained_is_named_by_both(signed: tuple[Workspace, Path], forger: Any) -> None:
    store, kept = signed
    forger.rewrite(store, edit(3), chained=False)
    assert any("ledger entry: ledger entry 3" in finding for finding in findings(store))
    assert any(finding.startswith("ledger entry edited: ledger entry 3:") for finding in findings(store, kept))


def test_a_truncated_ledger_is_found_only_against_the_head(signed: tuple[Workspace, Path], forger: Any) -> None:
    store, kept = signed
    forger.rewrite(store, lambda entries: entries[:4])
    assert not [finding for finding in findings(store) if finding.startswith("ledger ")]
    found = [finding for finding in findings(store, kept) if finding.startswith("ledger ")]
    assert len(found) == 1
    assert found[0].startswith("ledger truncated: ledger entries 5 to 6: expected 6 entries")


def test_a_fork_is_found_against_the_head(signed: tuple[Workspace, Path], forger: Any) -> None:
    store, kept = signed
    forger.rewrite(store, lambda entries: [*entries[:4], *(dict(e, actor="somebody else") for e in entries[4:])])
    (finding,) = [finding for finding in findings(store, kept) if finding.startswith("ledger ")]
    assert finding.startswith("ledger re-chained or forked: ledger entries 5 to 6:")
    # whoever rewrote the history cannot have it signed while a head is kept in the workspace either
    (store.root / "heads" / kept.name).write_text(kept.read_text())
    with pytest.raises(VerificationFailed, match=r"Nothing was signed.*entries 5 to 6"):
        sign(store)


def test_two_signed_heads_of_one_size_that_disagree_are_a_fork(
    signed: tuple[Workspace, Path], forger: Any, tmp_path: Path
) -> None:
    store, kept = signed
    forger.rewrite(store, edit(6))
    other = keep_head(store, sign(store), tmp_path)
    found = findings(store, kept, other)
    assert any(finding.startswith("ledger forked") for finding in found)
    assert any(finding.startswith("ledger entry edited: ledger entry 6") for finding in found)


def test_a_small_head_names_the_stretch_between_two_heads(copied: Workspace, forger: Any, tmp_path: Path) -> None:
    make_key(copied)
    first = keep_head(copied, sign(copied, leaves=False), tmp_path)
    forger.add_batch(copied, 7)
    forger.add_batch(copied, 8)
    second = keep_head(copied, sign(copied, leaves=False), tmp_path)
    assert len(second.read_text()) < 1000
    for own in (copied.root / "heads").iterdir():
        own.unlink()
    forger.rewrite(copied, edit(8))
    (finding,) = [finding for finding in findings(copied, first, second) if finding.startswith("ledger ")]
    assert finding.startswith("ledger rewritten: ledger entries 7 to 8:")


def test_entries_taken_out_and_put_in_are_named(signed: tuple[Workspace, Path], forger: Any) -> None:
    store, kept = signed
    before = forger.entries(store)
    forger.put_ledger(store, [*before[:2], *before[3:]])
    assert any(f.startswith("ledger entry taken out: ledger entry 3:") for f in findings(store, kept))


def test_a_later_head_proves_that_it_only_adds(copied: Workspace, forger: Any) -> None:
    make_key(copied)
    first = sign(copied)
    forger.add_batch(copied, 7)
    second = sign(copied, leaves=False, since=first)
    assert only_adds(first, second) and len(second.consistency) <= 4
    assert head_from_json(second.to_json()) == second
    assert not only_adds(dataclasses.replace(first, root="0" * 64), second)
    assert not only_adds(first, dataclasses.replace(second, consistency=second.consistency[1:]))


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_the_workspace_key_folder_is_closed(workspace: Workspace) -> None:
    make_key(workspace)
    assert (workspace.root / "keys").stat().st_mode & 0o077 == 0


def test_a_printed_root_is_held_against_the_ledger_also_when_it_has_grown(copied: Workspace, forger: Any) -> None:
    with open_reader(copied, views=False) as reader:
        seen = seen_head(reader)
        assert (seen.tree_size, seen.signed_by) == (6, "")
        assert keep_signed(reader) is None  # no key, so nothing is signed and nothing is made
    log = make_key(copied) and json.loads(json.dumps(sign(copied).log_id))
    with open_reader(copied, views=False) as reader:
        assert keep_signed(reader) is not None
        assert seen_head(reader).signed_by == log
        assert keep_signed(reader) is None  # once is enough
    forger.add_batch(copied, 7)
    with open_reader(copied, views=False) as reader:
        assert check_root(reader, seen.root, 6) == check_root(reader, seen.root[:12].upper(), 6) == []
        assert [finding.check for finding in check_root(reader, seen.root, 7)] == ["ledger rewritten"]
        assert [finding.check for finding in check_root(reader, seen.root, 8)] == ["ledger truncated"]
        with pytest.raises(UsageError, match="is no root"):
            check_root(reader, "beef", 6)
