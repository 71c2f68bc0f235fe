"""The demo's files: made once per set of parameters, whole or not at all, and recognised when they are there."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from finops_kit.errors import UsageError

#: what says which parameters a folder was made with, and what was in it
STAMP = ".finops-demo.json"
#: only tests read what was planted
NOT_TAKEN_IN = frozenset({"truth.json", STAMP})


def ensure_estate(
    folder: Path, seed: int, months: int, scale: float, tell: Callable[[str], None]
) -> tuple[bool, list[Path]]:
    """Make the demo's files unless just these are there already.

    Returns
    -------
    Whether they were made now, and the files to take in, in the order of their delivery.

    Raises
    ------
    UsageError : the folder holds something that this command did not make
    """
    wanted: dict[str, Any] = {"seed": seed, "months": months, "scale": scale, "generator": _generator_hash()}
    stamp = _read_stamp(folder)
    if stamp is not None and {name: stamp.get(name) for name in wanted} == wanted:
        tell("looking at the files that are there")
        if stamp.get("files") == _fingerprints(folder):
            return False, _deliveries(folder)
    if stamp is None and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} holds something that `finops demo` did not make. Give another folder with --out.")
    _generate(folder, wanted, tell)
    return True, _deliveries(folder)


def _generate(folder: Path, wanted: dict[str, Any], tell: Callable[[str], None]) -> None:
    """Make everything beside the folder, then put it in its place."""
    from finops_kit.demo import generate

    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        generate(unfinished, seed=wanted["seed"], months=wanted["months"], scale=wanted["scale"], progress=tell)
        stamp = {**wanted, "files": _fingerprints(unfinished)}
        (unfinished / STAMP).write_text(json.dumps(stamp, indent=1, sort_keys=True), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _read_stamp(folder: Path) -> dict[str, Any] | None:
    try:
        read: dict[str, Any] = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return read


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != STAMP)


def _fingerprints(folder: Path) -> dict[str, str]:
    """SHA-256 of every file, by its place in the folder."""
    found = {}
    for path in _files(folder):
        with path.open("rb") as stream:
            found[path.relative_to(folder).as_posix()] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def _deliveries(folder: Path) -> list[Path]:
    """What was delivered, by the day that its folder names, so that an earlier version knows what was known then.

    Reference data comes first: a house knows its owners, budgets and rates before its bills.
    """
    files = [path for path in _files(folder) if path.name not in NOT_TAKEN_IN]
    return sorted(files, key=lambda path: (path.parts[-3] != "reference", path.parent.name, path))


def _generator_hash() -> str:
    """SHA-256 over the generator's own code, so that a new generator makes new files."""
    import finops_kit.demo

    digest = hashlib.sha256()
    for module in sorted(Path(str(finops_kit.demo.__file__)).parent.rglob("*.py")):
        digest.update(module.read_bytes())
    return digest.hexdigest()
