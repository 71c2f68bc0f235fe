"""A large text is hashed as it is read, once, unless its content may have been stored before."""

from __future__ import annotations

import hashlib

import pytest
from tests_ingest import ask, focus_text

from finops_kit.ingest import ingest_paths, recognise
from finops_kit.sources.files import Digest
from finops_kit.store.verify import verify


def test_a_large_file_is_hashed_once_and_known_again(store, write, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recognise, "LARGE", 0)
    hashed: list[str] = []
    real = Digest.of.__func__
    monkeypatch.setattr(Digest, "of", classmethod(lambda cls, path: (hashed.append(path.name), real(cls, path))[1]))
    first = write("a.csv", focus_text({}))
    assert ingest_paths(store, [first]).files[0].status == "stored"
    assert hashed == []  # nothing of its size was stored before
    assert ask(store, "SELECT source_hash FROM ledger") == [(hashlib.sha256(first.read_bytes()).hexdigest(),)]
    again = ingest_paths(store, [first, write("b.csv", focus_text({}))]).files
    assert [one.status for one in again] == ["unchanged", "unchanged"] and hashed == ["a.csv", "b.csv"]
    other = ingest_paths(store, [write("c.csv", focus_text({"BilledCost": "2.50"}))]).files[0]  # as long, but another
    assert other.status == "stored" and hashed[-1] == "c.csv"
    odd = write("d.csv", focus_text({"BilledCost": "3.50"}, {"BilledCost": "many"}))
    assert ingest_paths(store, [odd]).files[0].rows_quarantined == 1
    assert ask(store, "SELECT max(source_hash) FROM ledger WHERE rows_quarantined = 1") == [
        (hashlib.sha256(odd.read_bytes()).hexdigest(),)
    ]
    assert verify(store).findings == []
