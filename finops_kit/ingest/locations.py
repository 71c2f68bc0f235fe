"""Where the files of an ingest lie: paths, folders, patterns, archives, and what comes in on stdin."""

from __future__ import annotations

import glob
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from finops_kit.errors import SourceRefused
from finops_kit.sources.archives import archive_kind, unpack
from finops_kit.sources.files import expand_path

#: what stands for stdin
STDIN = "-"


@dataclass(frozen=True)
class Located:
    """One file: where it lies, and how it is named to people and in the ledger."""

    path: Path
    name: str


@contextmanager
def locate(given: str | Path, spill: Path | None = None) -> Iterator[list[Located]]:
    """The files that one PATH stands for; what is unpacked for it goes away again at the end.

    Parameters
    ----------
    given : a file, a folder, a pattern (``bills/*.csv``), an archive, or ``-`` for stdin
    spill : where archives and stdin are unpacked meanwhile; the system's place for temporary files where None

    Raises
    ------
    SourceRefused : there is nothing, or it is an archive that must not be unpacked
    """
    if spill is not None:
        spill.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="finops-", dir=spill) as place:
        folder = Path(place)
        if str(given) == STDIN:
            yield _stdin(folder)
            return
        paths = _named(given)
        if len(paths) == 1 and (kind := archive_kind(paths[0])):
            yield [Located(*one) for one in _unpack(paths[0], kind, folder)]
            return
        yield list(_with_archives(paths, folder))


def _named(given: str | Path) -> list[Path]:
    """Files of one argument; a pattern that the shell left alone is looked up here."""
    path = Path(given).expanduser()
    if any(sign in str(given) for sign in "*?[") and "://" not in str(given) and not path.exists():
        found = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207
        files = [Path(name) for name in found if not Path(name).is_dir()]
        if not files:
            raise SourceRefused(f"{given} matches no file. Check the pattern.")
        return files
    return expand_path(given)


def _with_archives(paths: Sequence[Path], folder: Path) -> Iterator[Located]:
    for number, path in enumerate(paths):
        kind = archive_kind(path)
        if not kind:
            yield Located(path, str(path))
            continue
        try:
            yield from (Located(*one) for one in _unpack(path, kind, folder / str(number)))
        except SourceRefused:
            yield Located(path, str(path))  # refused again, with a sentence, when it is looked at


def _unpack(path: Path, kind: str, folder: Path) -> list[tuple[Path, str]]:
    stem = path.name.split(".")[0] or "archive"
    return unpack(path, str(path), kind, folder / stem)


def _stdin(folder: Path) -> list[Located]:
    target = folder / "stdin"
    source = getattr(sys.stdin, "buffer", None)
    if source is None or sys.stdin.isatty():
        raise SourceRefused("Nothing comes in on stdin. Pipe an export into `finops ingest -`.")
    with target.open("wb") as out:
        shutil.copyfileobj(source, out, 1 << 20)
    return [Located(target, "stdin")]
