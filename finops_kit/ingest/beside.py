"""Which report a file is a part of, where it is named alone and the manifest lies near it, on disk or in a bucket.

Looked at are the folder of the file and the one above it, and, for AWS Data Exports, which lay their manifests in
``metadata/`` as they lay the files in ``data/``, the same two there. Each folder is listed once, without what lies
below it. Where a bucket may not be listed, the names that the providers give to manifests are asked for instead.

Source: AWS, "Export delivery" (``data/BILLING_PERIOD=.../``, ``metadata/BILLING_PERIOD=.../NAME-Manifest.json``) and
"Understanding your report versions" (``NAME-Manifest.json`` beside the parts and above them); Azure Cost Management,
"Exports" (``manifest.json`` beside the parts).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from finops_kit.errors import SourceRefused
from finops_kit.sources.manifests import MAX_BYTES, NotWhole, match_listed, may_be_manifest, read_manifest
from finops_kit.sources.objects import RemoteObject, fetch, find_object, list_folder
from finops_kit.sources.parts import report_of

#: so many manifests of one folder are read, and no more
MOST_MANIFESTS = 20


class Part(NamedTuple):
    """The report of a file: its manifest, the file's place in it, all its files; or why that is not known."""

    report: str = ""
    number: int = 0
    listed: tuple[str, ...] = ()
    remark: str = ""


def near(folder: str) -> list[str]:
    """The folders in which the manifest of a folder's files may lie; the one above before the one beside.

    Example
    -------
    >>> near("cur/20260901-20261001/run")
    ['cur/20260901-20261001', 'cur/20260901-20261001/run']
    >>> near("p/focus/data/BILLING_PERIOD=2026-09")[2:]
    ['p/focus/metadata', 'p/focus/metadata/BILLING_PERIOD=2026-09']
    """
    place = PurePosixPath(folder)
    out = [place.parent, place]
    for at in range(len(place.parts) - 2, max(len(place.parts) - 4, -1), -1):
        if place.parts[at] == "data":
            other = PurePosixPath(*place.parts[:at], "metadata", *place.parts[at + 1 :])
            out += [other.parent, other]
            break
    return [one.as_posix() for one in dict.fromkeys(out)]


def expected(name: str, key: str, other: str) -> str:
    """Where a listed file lies or will lie, as ``name`` is where ``key`` is listed.

    Example
    -------
    >>> expected("/in/20260901/cur-1.csv", "p/20260901/cur-1.csv", "p/20260901/cur-2.csv")
    '/in/20260901/cur-2.csv'
    """
    ends = zip(reversed(PurePosixPath(name).parts), reversed(PurePosixPath(key).parts), strict=False)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))
    base, root = PurePosixPath(*PurePosixPath(name).parts[:-same]), PurePosixPath(*PurePosixPath(key).parts[:-same])
    rest = PurePosixPath(other)
    return (base / rest.relative_to(root)).as_posix() if rest.is_relative_to(root) else other


class Beside:
    """The manifests that lie near files on disk."""

    def __init__(self) -> None:
        self._read: dict[str, list[tuple[str, tuple[str, ...]]]] = {}

    def part(self, path: Path) -> Part:
        """The report that a file is a part of; empty where no manifest lists it."""
        return self._find(path.absolute().as_posix())

    def _find(self, name: str) -> Part:
        for folder in near(PurePosixPath(name).parent.as_posix()):
            for manifest, listed in self._manifests(folder):
                for number, key in enumerate(listed, start=1):
                    if self._match(manifest, key) == name:
                        files = tuple(self._shown(expected(name, key, other)) for other in listed)
                        return Part(self._shown(manifest), number, files)
        return Part()

    def _match(self, manifest: str, key: str) -> str | None:
        """The file that a manifest means by a listed name; None where it has not come."""
        try:
            return self._place(match_listed(manifest, [key], self._exists)[0])
        except NotWhole:
            return None

    def _manifests(self, folder: str) -> list[tuple[str, tuple[str, ...]]]:
        if folder not in self._read:
            found = self._read[folder] = []
            for name in self._candidates(folder):
                with suppress(SourceRefused):
                    if listed := self._open(name):
                        found.append((name, listed))
        return self._read[folder]

    def _candidates(self, folder: str) -> Iterable[str]:
        """The names of what may be a manifest in a folder."""
        place = Path(folder)
        with suppress(OSError):
            return [path.as_posix() for path in sorted(place.glob("*.json")) if may_be_manifest(path.name)]
        return []

    def _open(self, name: str) -> tuple[str, ...] | None:
        return read_manifest(Path(name), name)

    def _exists(self, name: str) -> bool:
        return Path(name).is_file()

    def _place(self, name: str) -> str:
        """A name by which a file is compared with another."""
        return Path(name).absolute().as_posix()

    def _shown(self, name: str) -> str:
        """A name as people know it."""
        return name


class InBucket(Beside):
    """The manifests that lie near objects of one bucket.

    Parameters
    ----------
    one : any object of the bucket
    known : what was listed of it before
    below : the folder of which all was listed; None where none was
    """

    def __init__(self, one: RemoteObject, known: Iterable[RemoteObject] = (), below: str | None = None) -> None:
        super().__init__()
        self._one, self._below = one, below
        self._known: dict[str, RemoteObject] = {}
        self._in: dict[str, list[str]] = {}
        for other in known:
            self._learn(other)
        self._asked = ""
        self._why: dict[str, str] = {}

    def part_of(self, one: RemoteObject) -> Part:
        """The report that an object is a part of; a remark where that could not be looked up."""
        self._learn(one)
        self._asked = one.address.key
        found = self._find(one.address.key)
        folders = near(PurePosixPath(one.address.key).parent.as_posix())
        why = next((self._why[folder] for folder in folders if folder in self._why), "")
        if found.report or not why:
            return found
        return Part(remark=f"whether a manifest lists it with other files could not be looked up ({why})")

    def _candidates(self, folder: str) -> Iterable[str]:
        here = "" if folder == "." else folder
        if self._below is None or not f"{here}/".startswith(f"{self._below}/" if self._below else ""):
            try:
                for other in list_folder(self._one, here):
                    self._learn(other)
            except SourceRefused as error:
                self._why[folder] = str(error).rstrip(".")
                return self._usual(f"{here}/" if here else "")
        found = sorted(key for key in self._in.get(here, ()) if may_be_manifest(key))
        manifests = [key for key in found if self._known[key].size <= MAX_BYTES]
        if len(manifests) > MOST_MANIFESTS:
            self._why[folder] = f"{self._shown(here)}/ holds {len(manifests)} manifests, more than are read"
        return manifests[:MOST_MANIFESTS]

    def _learn(self, one: RemoteObject) -> None:
        key = one.address.key
        if key not in self._known:
            self._in.setdefault(key.rpartition("/")[0], []).append(key)
        self._known[key] = one

    def _usual(self, prefix: str) -> list[str]:
        """The manifests that are there under the names that the providers give them."""
        report = report_of(Path(self._asked))
        stem = PurePosixPath(report[0]).name.partition("*")[0].rstrip("-_.") if report else ""
        out = []
        for name in ([f"{stem}-Manifest.json"] if stem else []) + ["manifest.json"]:
            with suppress(SourceRefused):
                if found := find_object(self._one, f"{prefix}{name}"):
                    self._learn(found)
                    out.append(found.address.key)
        return out

    def _open(self, name: str) -> tuple[str, ...] | None:
        with tempfile.TemporaryDirectory(prefix="finops-") as place:
            path = Path(place) / "manifest.json"
            try:
                fetch(self._known[name], path)
            except SourceRefused as error:
                self._why[PurePosixPath(name).parent.as_posix()] = str(error).rstrip(".")
                return None
            return read_manifest(path, self._shown(name))

    def _exists(self, name: str) -> bool:
        return name in self._known

    def _place(self, name: str) -> str:
        return name

    def _shown(self, name: str) -> str:
        return str(replace(self._one.address, key=name))
