"""What DuckDB is extended with: only what its makers signed."""

from __future__ import annotations

from pathlib import Path

import pytest

from finops_kit.errors import StoreError
from finops_kit.store import lake


def test_an_extension_that_was_changed_is_refused_though_its_own_was_checked_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.connect().close()
    whole = lake._extension_path("sqlite_scanner")
    changed = bytearray(whole.read_bytes())
    changed[len(changed) // 2] ^= 1
    other = tmp_path / whole.name
    other.write_bytes(changed)
    paths = {"ducklake": lake._extension_path("ducklake"), "sqlite_scanner": other}
    monkeypatch.setattr(lake, "_extension_path", paths.__getitem__)
    for _ in range(2):
        with pytest.raises(StoreError, match="not as DuckDB signed it"):
            lake.connect()
