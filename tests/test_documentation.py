"""Documentation that tests keep complete: dependencies have their reason, nothing names a machine."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def declared() -> set[str]:
    """The names of all direct dependencies."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"]]
    for group in (
        *project["dependency-groups"].values(),
        *project["project"].get("optional-dependencies", {}).values(),
    ):
        wanted += group
    return {re.split(r"[<>=\[; ]", line)[0] for line in wanted}


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| ([A-Za-z0-9_.-]+) \|", text, re.M)) - {"package"}
    assert explained == declared()


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_locks_carry_hashes_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text and "--index" not in text and "--find-links" not in text
    pinned = re.findall(r"^([a-z0-9_.-]+)==", text, re.M)
    assert len(pinned) > 50
    for block in re.split(r"\n(?=[a-z0-9])", text):
        if "==" in block:
            assert "--hash=sha256:" in block, block.splitlines()[0]


def tracked() -> list[Path]:
    """The files that git keeps; every file where this is no checkout."""
    run = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if run.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / line for line in run.stdout.splitlines() if (ROOT / line).is_file()]


def test_notebooks_are_kept_without_outputs() -> None:
    for path in tracked():
        if path.suffix == ".ipynb":
            text = path.read_text(encoding="utf-8")
            assert '"output_type"' not in text and not re.search(r'"execution_count": \d', text), path


def test_no_tracked_file_names_a_machine() -> None:
    for path in tracked():
        if path.suffix in {".py", ".md", ".toml", ".ipynb", ".json", ".yaml", ""} and path.name != Path(__file__).name:
            text = path.read_text(encoding="utf-8", errors="ignore")
            assert not re.search(r"/(home|root|Users)/[a-z]", text), path
