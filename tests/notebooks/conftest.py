"""The small store that the notebooks are run on."""

from __future__ import annotations

import importlib.util

import pytest

from finops_kit.settings import PROJECT_ROOT, Workspace
from finops_kit.store import create_store

_path = PROJECT_ROOT / "tests" / "perspectives" / "conftest.py"
_spec = importlib.util.spec_from_file_location("house_maker", _path)
house_maker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(house_maker)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Two months of charges with everything that belongs to them; never write to it."""
    place = Workspace(tmp_path_factory.mktemp("notebooks") / "workspace")
    create_store(place)
    house_maker.add_charges(place, house_maker.CHARGES)
    for table, select in house_maker.REFERENCE.items():
        house_maker.add_reference(place, table, select)
    return place
