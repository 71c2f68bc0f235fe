"""Publication, all or nothing: pages, result tables and the overview of a run appear together.

Everything is written to a staging folder first. When the run is recorded in the store, the staging folder
is marked ready, and its files take their places one rename at a time. A process that dies in between leaves
a ready folder, which the next run, or the server's start, finishes; a folder that is not ready is thrown away.
Which result tables are current is said by one file, ``results/published.json``, so they switch at once.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from finops_kit.errors import ReportFailed
from finops_kit.publish.bundle import write_whole
from finops_kit.publish.result import decode_table

STAGING = ".staging"
READY = "READY"
POINTER = Path("results") / "published.json"
#: seconds to wait for another run that is just publishing
LOCK_SECONDS = 60.0


@contextmanager
def publishing(reports: Path) -> Iterator[None]:
    """Only one process publishes at a time; what an earlier one left half done is finished first.

    Raises
    ------
    ReportFailed : another run does not finish, or the folder cannot be written to
    """
    try:
        reports.mkdir(parents=True, exist_ok=True)
        with FileLock(reports / ".publish.lock", timeout=LOCK_SECONDS):
            recover(reports)
            yield
    except Timeout as error:
        raise ReportFailed(
            f"Another report run is still publishing to {reports}. Try again when it is done."
        ) from error
    except OSError as error:
        raise ReportFailed(
            f"The pages could not be written to {reports}: {error.strerror or error}. The last good pages stay."
        ) from error


def recover(reports: Path) -> None:
    """Finish what a run had recorded but not yet put in place; discard what it had not. Call under the lock."""
    staging = reports / STAGING
    for folder in sorted(staging.iterdir()) if staging.is_dir() else ():
        if (folder / READY).is_file():
            put_in_place(folder, reports)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def read_pointer(reports: Path) -> dict[str, Any]:
    """What is published: the newest page of each perspective, and every period's result tables."""
    path = reports / POINTER
    if not path.is_file():
        return {"pages": {}, "results": []}
    return json.loads(path.read_text(encoding="utf-8"))


def result_folder(perspective: str, period: str, run_id: str) -> str:
    """Where the result tables of one run lie, below ``reports``."""
    return f"results/{perspective}/{period}/{run_id}"


def write_results(folder: Path, encoded: dict[str, Any], run: dict[str, Any]) -> str:
    """Write a reading's tables as Parquet and its words and figures as JSON.

    Returns
    -------
    SHA-256 over what was read, so that the same reading of the same version has the same: the names and hashes of the
    tables in order of their names, then the words and figures. When and by whom it was run, and signed, is left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for key, text in encoded["arrow"].items():
        pq.write_table(decode_table(text), folder / f"{key}.parquet", compression="zstd")
    reading = {**encoded["reading"], "run": run}
    (folder / "reading.json").write_text(json.dumps(reading, indent=1, ensure_ascii=False), encoding="utf-8")
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        path.chmod(0o644)
        if path.suffix == ".parquet":
            digest.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    said = {key: value for key, value in encoded["reading"].items() if key != "ledger_signed_by"}
    digest.update(json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode())
    return digest.hexdigest()


def merge_pointer(pointer: dict[str, Any], pages: list[dict[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """The pointer with the pages of a run in it, and the result folders that it no longer names.

    A run replaces the results of the same perspective, period, scope and currency; others stay.
    """

    def key(entry: dict[str, Any]) -> tuple[str, ...]:
        return tuple(str(entry[name]) for name in ("perspective", "period", "scope", "currency"))

    new = {key(page) for page in pages}
    kept = [entry for entry in pointer["results"] if key(entry) not in new]
    dropped = [entry["folder"] for entry in pointer["results"] if key(entry) in new]
    merged = {
        "pages": pointer["pages"] | {page["perspective"]: page for page in pages},
        "results": sorted([*kept, *pages], key=key),
    }
    return merged, dropped


def stage(reports: Path, run_id: str) -> Path:
    """An empty staging folder of a run."""
    folder = reports / STAGING / run_id
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def put_in_place(folder: Path, reports: Path) -> None:
    """Move a staged run to its places; may be called again after a crash and goes on where it stopped."""
    staged_results = folder / "results"
    for source in sorted(staged_results.glob("*/*/*")) if staged_results.is_dir() else ():
        target = reports / source.relative_to(folder)
        if source.is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(target, ignore_errors=True)
            source.replace(target)
    pages = sorted(folder.glob("*.html"), key=lambda path: path.name == "index.html")
    for source in pages:
        source.replace(reports / source.name)
    if (folder / POINTER).is_file():
        (folder / POINTER).replace(reports / POINTER)
    dropped = folder / "DROP"
    if dropped.is_file():
        for name in dropped.read_text(encoding="utf-8").splitlines():
            old = (reports / name).resolve()
            if old.is_relative_to((reports / "results").resolve()):
                shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def mark_ready(folder: Path, dropped: list[str]) -> None:
    """Say that a staged run is complete and recorded: from here on it will be published, whatever happens."""
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o644)
    write_whole(folder / "DROP", "\n".join(dropped))
    write_whole(folder / READY, "")
