"""The rooms and their arrows: imports are read from the source, and one that runs back fails."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "finops_kit"

GROUND = {"errors", "fields", "settings"}
#: what each room may import of ours, beyond itself and the ground
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "fields": set(),
    "settings": set(),
    "sources": set(),
    "normalize": {"sources"},
    "store": {"normalize"},
    "ingest": {"sources", "normalize", "store"},
    "demo": set(),
    "value": set(),
    "decide": {"store", "value"},
    "perspectives": {"store", "value", "decide"},
    "publish": {"store", "value", "decide", "perspectives"},
    "cli": {"sources", "normalize", "store", "ingest", "demo", "value", "decide", "perspectives", "publish"},
}
#: value/ is pure: it must not be able to reach a connection, a file or a clock
NOT_IN_VALUE = {"duckdb", "pathlib", "os", "io", "time", "random", "requests", "socket"}
#: only these rooms may touch DuckDB itself; everybody else goes through them
DUCKDB_ROOMS = {"store", "normalize", "sources", "ingest"}


def modules() -> list[Path]:
    """Every module of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    """The room that a module stands in."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Dotted names that a module imports, wherever in it the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; name the room instead"
            found.add(node.module or "")
            if node.module == "finops_kit":
                found |= {f"finops_kit.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_arrows_point_one_way(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        assert not any(name.startswith("finops_kit") for name in imports_of(path))
        return
    assert room in MAY_IMPORT, f"{room} is no room of the house; see docs/architecture.md"
    ours = {name.split(".")[1] for name in imports_of(path) if name.startswith("finops_kit.")}
    allowed = MAY_IMPORT[room] | {room} | (GROUND if room not in GROUND else set())
    if room == "fields":
        allowed |= {"fields"}
    runs_back = {name for name in ours if name in MAY_IMPORT} - allowed
    assert not runs_back, f"{path.relative_to(PACKAGE)} ({room}) imports {sorted(runs_back)}"


@pytest.mark.parametrize("path", [p for p in modules() if room_of(p) == "value"], ids=lambda p: p.name)
def test_value_is_pure(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports_of(path)}
    assert not roots & NOT_IN_VALUE, f"{path.name} reaches {sorted(roots & NOT_IN_VALUE)}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_only_the_store_side_opens_duckdb(path: Path) -> None:
    if room_of(path) not in DUCKDB_ROOMS:
        assert "duckdb" not in {name.split(".")[0] for name in imports_of(path)}


def test_the_rooms_are_those_of_the_picture() -> None:
    rooms = {p.name.removesuffix(".py") for p in PACKAGE.iterdir() if p.name[0] not in "._" and p.name != "py.typed"}
    assert rooms - {"__pycache__"} == set(MAY_IMPORT)


def test_no_module_is_too_long() -> None:
    long = {p.relative_to(PACKAGE).as_posix(): n for p in modules() if (n := len(p.read_text().splitlines())) > 450}
    assert not long, f"past 450 lines, each wants to be two: {long}"
