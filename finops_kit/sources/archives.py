"""Archives (tar, tar.gz, zip) as the files in them, unpacked where nothing else lies.

Nothing of an archive is trusted: all its entries are looked at before the first is unpacked. A path that leads out of
the archive, a link, a device, a name that stands twice, or more than a bill or an inventory ever holds, and the whole
archive is refused.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from finops_kit.errors import SourceRefused
from finops_kit.sources.files import BOMB_RATIO

#: entries of one archive, folders included
MAX_ENTRIES = 20_000
#: bytes of one archive, unpacked
MAX_BYTES = 8 << 30
#: below this an archive may be packed as tightly as it likes, in bytes unpacked
FREE_BYTES = 64 << 20
#: an entry's own description may not be longer than this, in bytes
_MAX_HEADER = 4 << 20
_PIECE = 1 << 20


def archive_kind(path: Path) -> str | None:
    """``zip`` or ``tar`` by a file's first bytes; None for anything else, a workbook among them."""
    try:
        if not path.is_file():  # opening a pipe would wait for its writer
            return None
        with path.open("rb") as stream:
            head = stream.read(512)
            if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
                return None if _is_workbook(path) else "zip"
            if head[:2] == b"\x1f\x8b":
                stream.seek(0)
                head = gzip.GzipFile(fileobj=stream, mode="rb").read(512)
    except (OSError, EOFError, zlib.error):
        return None
    return "tar" if head[257:262] == b"ustar" else None


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as packed:
            return "xl/workbook.xml" in packed.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return path.suffix.lower() in (".xlsx", ".xlsm")


def unpack(path: Path, name: str, kind: str, folder: Path) -> list[tuple[Path, str]]:
    """Unpack an archive into a folder; the files with their names as ``archive.zip!member``, sorted.

    Raises
    ------
    SourceRefused : the archive is damaged or encrypted, or holds what no archive of exports holds
    """
    try:
        members = _unpack_zip(path, name, folder) if kind == "zip" else _unpack_tar(path, name, folder)
    except SourceRefused:
        raise
    except (
        tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile, NotImplementedError, RuntimeError,
        ValueError, OSError,
    ) as error:  # fmt: skip
        raise SourceRefused(f"{name} is a damaged archive ({str(error)[:120]}). Copy or export it again.") from error
    if not members:
        raise SourceRefused(f"{name} is an archive with no file in it. Export it again.")
    return [(folder / member, f"{name}!{member}") for member in sorted(members)]


class _Guard:
    """What the entries of one archive add up to, and which of them must not be."""

    def __init__(self, path: Path, name: str) -> None:
        self.name, self.packed = name, path.stat().st_size
        self.count, self.total = 0, 0
        self.seen: set[str] = set()

    def check(self, entry: str, size: int, is_file: bool, is_folder: bool) -> str | None:
        """Look at one entry; its path inside the archive, or None for what is passed over.

        Raises
        ------
        SourceRefused : no archive of exports holds such an entry
        """
        self.count += 1
        self.total += max(size, 0)
        if self.count > MAX_ENTRIES:
            raise SourceRefused(f"{self.name} has more than {MAX_ENTRIES:,} entries. Unpack it and name the exports.")
        if self.total > MAX_BYTES or (self.total > FREE_BYTES and self.total > BOMB_RATIO * self.packed):
            raise SourceRefused(
                f"{self.name} unpacks to more than {self.total >> 20:,} MiB from {self.packed:,} bytes; that is no "
                f"archive of exports. It was not unpacked."
            )
        inside = PurePosixPath(entry)
        strange = "\\" in entry or "\0" in entry or ":" in entry.split("/")[0]
        if inside.is_absolute() or ".." in inside.parts or strange or len(entry) > 1000:
            raise SourceRefused(f"{self.name} holds {entry[:120]!r}, a path that leads out of it. It was not unpacked.")
        if not is_file and not is_folder:
            raise SourceRefused(f"{self.name} holds {entry[:120]!r}, a link or a device. It was not unpacked.")
        clean = inside.as_posix()
        if is_folder or any(part.startswith(".") or part == "__MACOSX" for part in inside.parts if part != "."):
            return None
        if clean in self.seen:
            raise SourceRefused(f"{self.name} holds {clean[:120]!r} twice. It was not unpacked.")
        self.seen.add(clean)
        return clean


def _write(stream: IO[bytes], target: Path, size: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    left = size
    with target.open("xb") as out:
        while left > 0 and (piece := stream.read(min(_PIECE, left))):
            out.write(piece)
            left -= len(piece)
    if left:
        raise EOFError("an entry ends too early")


def _unpack_zip(path: Path, name: str, folder: Path) -> list[str]:
    guard = _Guard(path, name)
    with zipfile.ZipFile(path) as packed:
        wanted: list[tuple[zipfile.ZipInfo, str]] = []
        for entry in packed.infolist():
            kind = stat.S_IFMT(entry.external_attr >> 16)
            plain = kind in (0, stat.S_IFREG) and not entry.is_dir()
            member = guard.check(entry.filename, entry.file_size, plain, entry.is_dir() and kind in (0, stat.S_IFDIR))
            if entry.flag_bits & 0x1:
                raise SourceRefused(f"{name} is encrypted. Unpack it and name the exports.")
            if member is not None:
                wanted.append((entry, member))
        for entry, member in wanted:
            with packed.open(entry) as stream:
                _write(stream, folder / member, entry.file_size)
            _keep_time(folder / member, _zip_time(entry))
    return [member for _, member in wanted]


def _zip_time(entry: zipfile.ZipInfo) -> float:
    import calendar

    try:
        return float(calendar.timegm((*entry.date_time, 0, 0, 0)))
    except (ValueError, OverflowError):
        return 0.0


def _keep_time(target: Path, seconds: float) -> None:
    """An observation's time may be its file's: keep it as the archive says, within what a file can carry."""
    if 0 < seconds < 4_102_444_800:
        os.utime(target, (seconds, seconds))


def _entries(path: Path) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        content: Any = gzip.GzipFile(fileobj=raw, mode="rb") if packed else raw
        with tarfile.open(fileobj=_Capped(content), mode="r:") as archive:
            while (entry := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined]
                yield archive, entry


def _unpack_tar(path: Path, name: str, folder: Path) -> list[str]:
    guard = _Guard(path, name)
    wanted: set[str] = set()
    for _, entry in _entries(path):
        member = guard.check(entry.name, entry.size, entry.isreg() and not entry.sparse, entry.isdir())
        if member is not None:
            wanted.add(member)
    for archive, entry in _entries(path):
        member = PurePosixPath(entry.name).as_posix()
        if member in wanted and entry.isreg():
            stream = archive.extractfile(entry)
            assert stream is not None
            _write(stream, folder / member, entry.size)
            _keep_time(folder / member, float(entry.mtime))
    return list(wanted)


class _Capped(io.RawIOBase):
    """An unpacked stream that is never asked for much at once nor read beyond what an archive may hold."""

    def __init__(self, raw: Any) -> None:
        super().__init__()
        self._raw = raw

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > _MAX_HEADER:
            raise tarfile.ReadError("an entry's description is too long")
        return bytes(self._raw.read(size))

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 0 and offset > MAX_BYTES + (MAX_ENTRIES << 12):
            raise tarfile.ReadError("it is longer than an archive may be")
        return int(self._raw.seek(offset, whence))

    def tell(self) -> int:
        return int(self._raw.tell())

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True
