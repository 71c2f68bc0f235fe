"""Look at one file before anything of it is stored: is it a file, what is it packed in, what is its hash.

Nothing here trusts a file's name. A file that cannot be a source is refused in one sentence.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import os
import re
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from finops_kit.errors import SourceRefused
from finops_kit.settings import Workspace
from finops_kit.sources.encoding import FOREWORD_BYTES, UTF8, Recoder, Undecodable, marked, without_foreword

#: how much of a file is looked at to recognise it, in bytes of content
HEAD_BYTES = 1 << 20
#: content may be this many times larger than its gzip file before it counts as a bomb ...
BOMB_RATIO = 400
#: ... once it is larger than this
BOMB_BYTES = 256 << 20

BY_MARK = "its byte order mark"
#: what to do with a text in an encoding that is not said
NAME_IT = "Name its encoding, such as --encoding gb18030 or windows-1252, or save it as UTF-8."

#: a folder that holds this is a store, and no export
CATALOGUE = Workspace(Path()).catalogue.name

_PARQUET, _ZIP = b"PAR1", b"PK\x03\x04"
_LOOKED_AT = HEAD_BYTES + FOREWORD_BYTES
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")


class Digest(NamedTuple):
    """SHA-256 of a file, in hex, and the size and modification time that it had before it was hashed."""

    size: int
    modified_ns: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Digest:
        """Hash a file."""
        with path.open("rb") as stream:
            about = os.fstat(stream.fileno())
            return cls(about.st_size, about.st_mtime_ns, hashlib.file_digest(stream, "sha256").hexdigest())


@dataclass(frozen=True)
class SourceFile:
    """One file that may be a source: what it is packed in, and which content it had when it was looked at.

    Attributes
    ----------
    path : where it lies
    name : the file as the user named it
    size : bytes on disk
    modified_ns : its modification time, to notice a change under way
    packing : ``plain``, ``gzip``
    kind : ``parquet``, ``json``, ``workbook`` or ``text``
    head : the first bytes of its content, unpacked, as UTF-8
    encoding : what its text is written in
    encoding_said_by : its byte order mark, ``--encoding``, the mapping or its header; empty where nothing says it
    """

    path: Path
    name: str
    size: int
    modified_ns: int
    packing: str
    kind: str
    head: bytes
    encoding: str = UTF8
    encoding_said_by: str = ""

    def digest(self, known: Digest | None = None) -> str:
        """SHA-256 of the file as it lies on disk, in hex; as it is ``known`` where the file is still the same."""
        if known is not None and (known.size, known.modified_ns) == (self.size, self.modified_ns):
            return known.sha256
        return Digest.of(self.path).sha256

    def check_unchanged(self) -> None:
        """Refuse the file if it was written to since it was looked at.

        Raises
        ------
        SourceRefused : size or modification time differ
        """
        try:
            now = self.path.stat()
        except OSError as error:
            raise SourceRefused(f"{self.name} went away while it was read. Nothing was stored.") from error
        if (now.st_size, now.st_mtime_ns) != (self.size, self.modified_ns):
            raise SourceRefused(f"{self.name} was changed while it was read. Ingest it again when it is complete.")


def expand_path(given: str | Path) -> list[Path]:
    """The files that one PATH stands for: itself, or every file below a directory, sorted.

    Raises
    ------
    SourceRefused : a URL, a missing path, an empty directory

    Example
    -------
    >>> expand_path("s3://bucket/bill.csv")
    Traceback (most recent call last):
    finops_kit.errors.SourceRefused: s3://bucket/bill.csv is a remote location; only local files can be read. Copy it \
here first.
    """
    text = str(given)
    if _URL.match(text):
        raise SourceRefused(f"{text} is a remote location; only local files can be read. Copy it here first.")
    if "\0" in text:
        raise SourceRefused(f"{text!r} is no path.")
    path = Path(text).expanduser()
    try:
        if not path.is_dir():
            return [path]
        found = sorted(_walk(path))
    except OSError as error:
        raise SourceRefused(f"{text} cannot be read: {error.strerror or error}.") from error
    if not found:
        raise SourceRefused(f"{text} is an empty directory. Name a file, or a directory that holds exports.")
    return found


def _walk(top: Path) -> Iterator[Path]:
    """The files below a directory, hidden ones and the data of a store left out."""
    for folder, folders, names in os.walk(top):
        if CATALOGUE in names:
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder) / name for name in names if not name.startswith("."))


def inspect_file(path: Path, name: str | None = None, encoding: str = "", said_by: str = "") -> SourceFile:
    """Look at a file's first bytes and say what it is packed in and what kind of content it holds.

    Parameters
    ----------
    encoding : what a text without a byte order mark is written in, by :func:`.encoding.find_encoding`; UTF-8 if empty
    said_by : who says so

    Raises
    ------
    SourceRefused : missing, not a regular file, unreadable, empty, or neither text nor Parquet
    """
    name = name or str(path)
    try:
        about = path.stat()
    except FileNotFoundError as error:
        raise SourceRefused(f"{name} does not exist. Check the path.") from error
    except (OSError, ValueError) as error:
        raise SourceRefused(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if not stat.S_ISREG(about.st_mode):
        kind = "a directory" if stat.S_ISDIR(about.st_mode) else "no regular file (a pipe, a device or a socket)"
        raise SourceRefused(f"{name} is {kind}. Name a file that holds an export.")
    if about.st_size == 0:
        raise SourceRefused(f"{name} is empty. Export it again.")
    try:
        with path.open("rb") as stream:
            first = stream.read(4)
            stream.seek(0)
            packing = "gzip" if first[:2] == b"\x1f\x8b" else "plain"
            head = _unpacked_head(stream, name) if packing == "gzip" else stream.read(_LOOKED_AT)
    except OSError as error:
        raise SourceRefused(f"{name} cannot be read: {error.strerror or error}.") from error
    if not head:
        raise SourceRefused(f"{name} holds an empty file. Export it again.")
    source = SourceFile(path, name, about.st_size, about.st_mtime_ns, packing, "text", head)
    if mark := marked(head):
        source = in_encoding(source, mark, BY_MARK)
    elif encoding and head[:4] not in (_PARQUET, _ZIP):
        source = in_encoding(source, encoding, said_by)
    source = replace(source, head=without_foreword(source.head)[:HEAD_BYTES])
    kind = _kind_of(source.head, name)
    if kind == "parquet" and packing == "gzip":
        raise SourceRefused(f"{name} is a gzipped Parquet file. Unpack it first; Parquet is compressed already.")
    return replace(source, kind=kind)


def in_encoding(source: SourceFile, encoding: str, said_by: str) -> SourceFile:
    """The same file, known to be text in an encoding; its head as UTF-8.

    Raises
    ------
    SourceRefused : its head cannot be read so
    """
    known = replace(source, encoding=encoding, encoding_said_by=said_by)
    if encoding == UTF8:
        return known
    stream = SourceStream(known)
    try:
        return replace(known, head=stream.read(_LOOKED_AT))
    finally:
        stream.close()


def _unpacked_head(stream: io.BufferedReader, name: str) -> bytes:
    try:
        return gzip.GzipFile(fileobj=stream, mode="rb").read(_LOOKED_AT)
    except EOFError:
        # shorter than one head: say what is wrong now, not after a pass over it
        raise SourceRefused(
            f"{name} is a gzip file that ends too early (truncated). Copy or export it again."
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise SourceRefused(f"{name} is a damaged gzip file ({error}). Copy or export it again.") from error


def _kind_of(head: bytes, name: str) -> str:
    if head[:4] == _PARQUET:
        return "parquet"
    if head[:4] == _ZIP:
        if b"xl/" in head[:65_536] or b"[Content_Types].xml" in head[:65_536]:
            return "workbook"
        raise SourceRefused(
            f"{name} is a zip archive or a workbook that cannot be read here. Unpack it, or save the sheet as CSV."
        )
    if b"\0" in head:
        raise SourceRefused(f"{name} is binary (it holds NUL bytes); text, gzipped text or Parquet is expected.")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return "json" if text[:1] in (b"{", b"[") else "text"


class SourceStream(io.RawIOBase):
    """The content of a source file, unpacked, as one stream that hashes the raw bytes as they pass.

    What is hashed is what is read. ``problem`` holds the first refusal, since a reader in another
    language hands on no more than its text.
    """

    def __init__(self, source: SourceFile, text: bool = False) -> None:
        """``text`` : refuse what is not UTF-8, which costs a fifth here of what it costs field by field."""
        super().__init__()
        self._source = source
        self._recoder = Recoder(source.encoding) if source.encoding != UTF8 else None
        self._decoder = codecs.getincrementaldecoder("utf-8")() if text and self._recoder is None else None
        self._raw = _Hashed(source.path)
        self._content = gzip.GzipFile(fileobj=self._raw, mode="rb") if source.packing == "gzip" else self._raw
        self._count = 0
        self._at_start = True
        self._left_out = 0
        self.problem: SourceRefused | None = None

    def readable(self) -> bool:
        """A stream to be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes of the content, as UTF-8; a byte order mark is left out, and a line for a program alone."""
        try:
            piece = self._recoder.read(self._content, size) if self._recoder else self._content.read(size)
        except Undecodable as error:
            raise self._refuse(self._not_in_its_encoding(error)) from None
        except EOFError:
            raise self._refuse("is a gzip file that ends too early (truncated). Copy or export it again.") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise self._refuse(f"is a damaged gzip file ({error}). Copy or export it again.") from error
        except OSError as error:
            raise self._refuse(f"cannot be read: {error.strerror or error}.") from error
        if self._at_start and piece:
            piece, self._at_start, first = without_foreword(piece), False, len(piece)
            self._left_out = first - len(piece)
            if first and not piece:  # a reader takes nothing for the end
                return self.read(size)
        self._count += len(piece)
        if b"\0" in piece:
            raise self._refuse("holds NUL bytes; it is damaged or no text. Export it again.")
        if self._decoder is not None and not (piece.isascii() and piece and not self._decoder.getstate()[0]):
            try:
                self._decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as error:
                raise self._refuse(self._not_utf8(error)) from error
        if self._count > BOMB_BYTES and self._count > BOMB_RATIO * self._raw.count:
            raise self._refuse(
                f"unpacks to more than {BOMB_RATIO} times its size; that is no bill. It was not read on."
            )
        return piece

    def finish(self) -> str:
        """Read what is left and return the SHA-256 of all raw bytes, in hex."""
        while self._raw.read(1 << 20):
            pass
        return self._raw.hash.hexdigest()

    def _not_utf8(self, error: UnicodeDecodeError) -> str:
        at = self._left_out + self._count - len(error.object) + error.start + 1
        return f"is not UTF-8 text throughout (byte {at}). {NAME_IT}"

    def _not_in_its_encoding(self, error: Undecodable) -> str:
        encoding, said_by = self._source.encoding, self._source.encoding_said_by
        advice = "Export it again." if said_by == BY_MARK else NAME_IT
        return f"is not {encoding} text throughout, as {said_by} says: {error} is nothing in it. {advice}"

    def _refuse(self, what: str) -> SourceRefused:
        self.problem = self.problem or SourceRefused(f"{self._source.name} {what}")
        return self.problem

    def close(self) -> None:
        """Close the file beneath."""
        self._raw.close()
        super().close()


def read_bounded(source: SourceFile, most: int, advice: str) -> tuple[bytes, str]:
    """The whole content of a file that has to be held in memory at once, and the SHA-256 of its raw bytes, in hex.

    Parameters
    ----------
    most : how many bytes it may have
    advice : what to do where it has more

    Raises
    ------
    SourceRefused : it has more, or cannot be read
    """
    stream = SourceStream(source)
    try:
        content = bytearray()
        while piece := stream.read(1 << 20):
            content += piece
            if len(content) > most:
                raise SourceRefused(f"{source.name} holds more than {most >> 20} MiB of JSON. {advice}")
        return bytes(content), stream.finish()
    finally:
        stream.close()


class _Hashed(io.RawIOBase):
    """A file whose bytes are hashed as they are read."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._stream = path.open("rb")
        self.hash = hashlib.sha256()
        self.count = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        self.hash.update(piece)
        self.count += len(piece)
        return piece

    def close(self) -> None:
        self._stream.close()
        super().close()
