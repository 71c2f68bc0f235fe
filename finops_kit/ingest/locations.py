"""Where the files of an ingest lie: paths, folders, patterns, archives, manifests, object storage, and stdin."""

from __future__ import annotations

import glob
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from finops_kit.errors import SourceRefused
from finops_kit.ingest.beside import Beside, InBucket, Part
from finops_kit.sources.archives import archive_kind, unpack
from finops_kit.sources.files import expand_path
from finops_kit.sources.manifests import NotWhole, match_listed, may_be_manifest, read_manifest
from finops_kit.sources.objects import (
    RemoteObject,
    fetch,
    find_objects,
    folder_of,
    is_pattern,
    is_remote,
    read_address,
)
from finops_kit.sources.parts import report_of, said_parts

#: what stands for stdin
STDIN = "-"
#: names of objects that are no archive, so that none is fetched just to look
_PLAIN = re.compile(r"\.(?:csv|json|jsonl|ndjson|parquet|xlsx)(?:\.gz)?$", re.I)


@dataclass(frozen=True)
class Located:
    """One file: where it lies or will lie, and how it is named to people and in the ledger.

    Attributes
    ----------
    walked : found in a folder, a pattern or an archive, not named by the user
    report, part : the delivery of several files that it belongs to, and its place in it
    listed : the files of that delivery, where a manifest lists them
    remote : the object that is copied to ``path`` when its turn comes
    refusal : why it is not taken in, where that is known already
    waits : it is a manifest, and not all that it lists is there
    remark : what could not be found out about it
    """

    path: Path
    name: str
    walked: bool = False
    report: str = ""
    part: int = 0
    listed: tuple[str, ...] = ()
    remote: RemoteObject | None = None
    refusal: str = ""
    waits: bool = False
    remark: str = ""

    def bring(self) -> None:
        """Have the file at its path; one that lies elsewhere is copied.

        Raises
        ------
        SourceRefused : it cannot be
        """
        if self.refusal:
            raise SourceRefused(self.refusal)
        if self.remote is not None and not self.path.exists():
            fetch(self.remote, self.path)

    def brought(self) -> Path:
        """The path, once the file is there."""
        self.bring()
        return self.path

    def drop(self) -> None:
        """Let go of a copy."""
        if self.remote is not None:
            self.path.unlink(missing_ok=True)


@contextmanager
def locate(given: str | Path | Located, spill: Path | None = None) -> Iterator[list[Located]]:
    """The files that one PATH stands for; what is unpacked or copied for it goes away again at the end.

    Parameters
    ----------
    given : a file, a folder, a pattern (``bills/*.csv``), an archive, a manifest, ``s3://``, ``az://`` or ``gs://``
        with any of these behind it, or ``-`` for stdin; or one file that was located before
    spill : where archives, objects and stdin lie meanwhile; the system's place for temporary files where None

    Raises
    ------
    SourceRefused : there is nothing, or it is an archive that must not be unpacked
    """
    if spill is not None:
        spill.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="finops-", dir=spill) as place:
        folder = Path(place)
        if isinstance(given, Located):
            yield list(_with_archives([given], folder))
        elif str(given) == STDIN:
            yield _stdin(folder)
        elif is_remote(str(given)):
            yield _remote(str(given), folder)
        else:
            yield _local(given, folder)


def group_reports(located: Sequence[Located]) -> list[list[Located]]:
    """Put the files of one report together, in the order of their parts; the order of the rest is kept.

    Example
    -------
    >>> names = ("a-00002.csv", "b.csv", "a-00001.csv")
    >>> [[one.name for one in group] for group in group_reports([Located(Path(name), name) for name in names])]
    [['a-00001.csv', 'a-00002.csv'], ['b.csv']]
    """
    groups: dict[str, list[tuple[int, str, Located]]] = {}
    for one in located:
        report, part = report_name(one) or (f"\0{one.path}", 0)
        groups.setdefault(report, []).append((part, one.name, one))
    return [[one for *_, one in sorted(group, key=lambda entry: entry[:2])] for group in groups.values()]


def report_name(one: Located) -> tuple[str, int] | None:
    """The report that a file is a part of, by its manifest or its name, and which part; None for one of its own."""
    found = (one.report, one.part) if one.report else report_of(Path(one.name))
    if found is None:
        return None
    if remote := re.match(r"^(\w+):/+", found[0]):
        return f"{remote[1]}://{found[0][remote.end() :]}", found[1]
    return Path(found[0]).absolute().as_posix(), found[1]


def said_by_name(one: Located) -> frozenset[int]:
    """The parts of its report that exist for certain, as its own name says; empty where a manifest lists them."""
    return frozenset() if one.listed else said_parts(Path(one.name))


def _local(given: str | Path, folder: Path) -> list[Located]:
    paths = _named(given)
    if len(paths) == 1 and (kind := archive_kind(paths[0])):
        return _unpack(paths[0], str(paths[0]), kind, folder)
    alone = str(paths[0]) == str(Path(given).expanduser())
    if alone and may_be_manifest(paths[0].name) and (listed := read_manifest(paths[0], str(paths[0]))):
        found = match_listed(paths[0].as_posix(), listed, lambda name: Path(name).is_file())
        return _parts(str(paths[0]), [Located(Path(name), name) for name in found], listed)
    located = choose_by_manifests([Located(path, str(path), walked=not alone) for path in paths])
    if not Path(given).expanduser().is_dir():
        beside = Beside()
        located = [one if one.report else _as_part(one, beside.part(one.path)) for one in located]
    return list(_with_archives(located, folder))


def _named(given: str | Path) -> list[Path]:
    """Files of one argument; a pattern that the shell left alone is looked up here."""
    path = Path(given).expanduser()
    if any(sign in str(given) for sign in "*?[") and not path.exists():
        found = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207
        files = [Path(name) for name in found if not Path(name).is_dir()]
        if not files:
            raise SourceRefused(f"{given} matches no file. Check the pattern.")
        return files
    return expand_path(given)


def _with_archives(located: Sequence[Located], folder: Path) -> Iterator[Located]:
    for number, one in enumerate(located):
        kind = None if one.refusal or one.remote else archive_kind(one.path)
        if not kind:
            yield one
            continue
        try:
            yield from _unpack(one.path, one.name, kind, folder / str(number))
        except SourceRefused:
            yield one  # refused again, with a sentence, when it is looked at


def _unpack(path: Path, name: str, kind: str, folder: Path) -> list[Located]:
    """The files of an archive; a manifest in it decides as it does in a folder."""
    stem = path.name.split(".")[0] or "archive"
    inside, named = f"{name}!/", f"{name}!"  # a folder while manifests are looked for
    found = [Located(one, said.replace(named, inside, 1)) for one, said in unpack(path, name, kind, folder / stem)]
    chosen = choose_by_manifests([replace(one, walked=True) for one in found])
    return [
        replace(one, **{part: getattr(one, part).replace(inside, named) for part in ("name", "report", "refusal")})
        for one in chosen
    ]


def _parts(manifest: str, files: Sequence[Located], listed: Sequence[str]) -> list[Located]:
    names = tuple(listed)
    return [replace(one, report=manifest, part=number, listed=names) for number, one in enumerate(files, start=1)]


def _as_part(one: Located, found: Part) -> Located:
    """A file as the part of a report that a manifest near it says it is."""
    return replace(one, report=found.report, part=found.number, listed=found.listed, remark=found.remark)


def choose_by_manifests(
    located: list[Located], copy: Callable[[Located], Path] | None = None, ready: Container[str] | None = None
) -> list[Located]:
    """What is taken in of a folder: where a manifest says which files are the delivery, those, and no older ones.

    Parameters
    ----------
    copy : has a manifest at a path; where it lies if None
    ready : names of the files that are all there; a manifest that is not, or lists others, waits. All if None
    """
    by_name = {PurePosixPath(one.name).as_posix(): one for one in located}
    there = by_name if ready is None else {name for name, one in by_name.items() if one.name in ready}
    ruled: list[PurePosixPath] = []
    out: dict[str, Located] = {}
    manifests = [name for name in by_name if may_be_manifest(name)]
    for name in sorted(manifests, key=lambda name: (len(PurePosixPath(name).parents), name)):
        manifest, place = by_name[name], PurePosixPath(name).parent
        if any(place.is_relative_to(other) for other in ruled):
            continue  # an older version's own, below the one that rules here
        try:
            if name not in there:
                raise NotWhole(f"{manifest.name} is still being written.")
            listed = read_manifest(copy(manifest) if copy else manifest.path, manifest.name)
            if listed is None:
                continue
            ruled.append(place)
            files = [by_name[found] for found in match_listed(name, listed, there.__contains__)]
            out |= {one.name: one for one in _parts(manifest.name, files, listed)}
        except SourceRefused as error:
            ruled.append(place)
            out[manifest.name] = replace(manifest, refusal=str(error), waits=isinstance(error, NotWhole))
    for name, one in by_name.items():
        if not any(PurePosixPath(name).is_relative_to(place) for place in ruled):
            out.setdefault(one.name, one)
    return [out[one.name] for one in located if one.name in out]


def _remote(given: str, folder: Path) -> list[Located]:
    """The objects of an address; archives and manifests are copied at once, all else when its turn comes."""
    address = read_address(given)
    seen: list[RemoteObject] = []
    found = find_objects(address, seen)
    alone = len(found) == 1 and found[0].address == address
    located = [Located(_place(folder, one), str(one.address), not alone, remote=one) for one in found]
    if alone and may_be_manifest(located[0].name):
        located[0].bring()
        if listed := read_manifest(located[0].path, located[0].name):
            return _listed(located[0], listed, folder)
    located = choose_by_manifests(located, Located.brought)
    if alone or is_pattern(address):
        beside = InBucket(found[0], seen, None if alone else folder_of(address))
        located = [one if one.report or one.refusal or not one.remote else _as_part(one, beside.part_of(one.remote))
                   for one in located]  # fmt: skip
    out: list[Located] = []
    for number, one in enumerate(located):
        if one.refusal or _PLAIN.search(one.name):
            out.append(one)
            continue
        one.bring()
        kind = archive_kind(one.path)
        try:
            out += _unpack(one.path, one.name, kind, folder / f"archive-{number}") if kind else [one]
        except SourceRefused:
            if alone:
                raise
            out.append(one)
        if kind:
            one.drop()
    return out


def _listed(manifest: Located, listed: Sequence[str], folder: Path) -> list[Located]:
    """The objects that a manifest lists in its own bucket."""
    assert manifest.remote is not None
    here = manifest.remote.address
    known: dict[str, RemoteObject] = {}

    def exists(key: str) -> bool:
        try:
            known[key] = find_objects(replace(here, key=key))[0]
        except SourceRefused:
            return False
        return known[key].address.key == key

    found = [known[key] for key in match_listed(here.key, listed, exists)]
    files = [Located(_place(folder, one), str(one.address), remote=one) for one in found]
    return _parts(manifest.name, files, listed)


def _place(folder: Path, one: RemoteObject) -> Path:
    """Where an object is copied to: its own folders and name, as far as a file can have them."""
    parts = [part for part in f"{one.address.bucket}/{one.address.key}".split("/") if part not in ("", ".", "..")]
    clean = [part.replace("\0", "_").encode()[-200:].decode(errors="ignore") for part in parts[-6:]]
    return folder.joinpath("objects", str(abs(hash(one.address))), *clean)


def _stdin(folder: Path) -> list[Located]:
    target = folder / "stdin"
    source = getattr(sys.stdin, "buffer", None)
    if source is None or sys.stdin.isatty():
        raise SourceRefused("Nothing comes in on stdin. Pipe an export into `finops ingest -`.")
    with target.open("wb") as out:
        shutil.copyfileobj(source, out, 1 << 20)
    return [Located(target, "stdin")]
