"""What tests share: the fixtures of third parties, and a workspace of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from finops_kit.settings import Workspace

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def fixtures_folder() -> Path:
    """Real exports of third parties: ``$FINOPS_FIXTURES``, else ``../shared/fixtures`` beside the checkout."""
    folder = Path(os.environ.get("FINOPS_FIXTURES") or ROOT.parent / "shared" / "fixtures")
    if not folder.is_dir():
        pytest.skip(f"no third-party fixtures at {folder}; set FINOPS_FIXTURES to run this test")
    return folder


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store without a batch; copy it, which costs less than making one."""
    from finops_kit.store import create_store

    place = Workspace(tmp_path_factory.mktemp("empty") / "workspace")
    create_store(place)
    return place.root


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace below the test's own folder."""
    return Workspace(tmp_path / "workspace")
