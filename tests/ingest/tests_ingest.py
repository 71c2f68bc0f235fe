"""What the ingest tests share: small bills written by hand, and a look at a store from outside."""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finops_kit.settings import Workspace
from finops_kit.store import open_reader

FOCUS_ROW = {
    "BilledCost": "1.50", "BillingAccountId": "001234567890", "BillingCurrency": "EUR",
    "BillingPeriodStart": "2026-09-01T00:00:00Z", "BillingPeriodEnd": "2026-10-01T00:00:00Z", "ChargeCategory": "Usage",
    "ChargePeriodStart": "2026-09-03T00:00:00Z", "ChargePeriodEnd": "2026-09-04T00:00:00Z", "EffectiveCost": "1.25",
    "ProviderName": "Nordcloud", "ServiceName": "Machines", "Tags": '{"team": "core"}', "x_Batch": "17",
}  # fmt: skip


def focus_text(*changes: dict[str, Any], header: list[str] | None = None, delimiter: str = ",") -> str:
    """A FOCUS file as text: one row per change to the sample row."""
    names = header or list(dict.fromkeys([*FOCUS_ROW, *(name for change in changes for name in change)]))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, names, delimiter=delimiter, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for change in changes:
        writer.writerow({**FOCUS_ROW, **change})
    return out.getvalue()


@pytest.fixture
def store(workspace: Workspace, empty_store: Path) -> Workspace:
    """A workspace with an empty store."""
    shutil.copytree(empty_store, workspace.root)
    return workspace


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Write a file below the test's own folder."""

    def write_file(name: str, content: str | bytes) -> Path:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def ask(workspace: Workspace, statement: str) -> list[tuple[Any, ...]]:
    """The rows of one query on the newest version."""
    with open_reader(workspace) as reader:
        return reader.connection.execute(statement).fetchall()


def fingerprint(workspace: Workspace) -> dict[str, str]:
    """SHA-256 of every file of the store that says what it holds."""
    kept = [path for path in sorted(workspace.root.rglob("*")) if path.is_file() and path.name != "writer.lock"]
    kept = [path for path in kept if not path.name.endswith(("-wal", "-shm"))]
    return {path.relative_to(workspace.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}
