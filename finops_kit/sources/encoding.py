"""Text that is not UTF-8, read as UTF-8 on the way: nothing is guessed, nothing is replaced, nothing lies on disk.

A byte order mark says UTF-16 or UTF-32, else the user names the encoding (or the header does, see :mod:`.charset`). The
bytes are decoded piece by piece while they are read, so whoever reads a file sees UTF-8, and its hash stays the one of
the bytes that were delivered. Sources: Unicode Standard 15, section 23.8 (byte order marks); WHATWG Encoding Standard
for ``gb2312`` and ``gbk`` as names of what is read as GB18030, which holds both.
"""

from __future__ import annotations

import codecs
import difflib
import re
from typing import Protocol

from finops_kit.errors import UsageError

UTF8 = "utf-8"

#: what a text may begin with -> its encoding, the longer mark before the one that it begins with
MARKS = {
    codecs.BOM_UTF8: UTF8,
    codecs.BOM_UTF32_LE: "utf-32-le", codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be",
    b"\x84\x31\x95\x33": "gb18030",
}  # fmt: skip
#: encodings that can be named; by their other names as well
ENCODINGS = (
    UTF8, "gb18030", "windows-1252", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "big5", "cp950", "euc-jp",
    "shift_jis", "cp932", "euc-kr", "cp949", "koi8-r", "macroman",
    *(f"windows-125{n}" for n in (0, 1, 3, 4, 5, 6, 7, 8)),
    *(f"iso-8859-{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16)),
)  # fmt: skip
_BY_CODEC = {codecs.lookup(name).name: name for name in ENCODINGS}
#: parts of GB18030 by their own names: what is called so in practice has characters of the whole
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "utf-8-sig": UTF8}


#: a first line that a program writes for itself: PowerShell's Export-Csv its type, a spreadsheet its delimiter
FOREWORD_BYTES = 1024
_FOREWORD = re.compile(rb"(?:\xef\xbb\xbf)?(?:(?:#TYPE [^\r\n]{0,999}|sep=[^\r\n])\r?\n)?")


def without_foreword(start: bytes) -> bytes:
    """The beginning of a text in UTF-8 without its byte order mark and without a first line that is none of its own.

    Example
    -------
    >>> without_foreword(b"#TYPE System.Object\\r\\nDate;Cost"), without_foreword(b"sep=;\\nDate;Cost")
    (b'Date;Cost', b'Date;Cost')
    """
    found = _FOREWORD.match(start)
    return start[found.end() :] if found else start


class Undecodable(ValueError):
    """A byte that is nothing in the encoding: which one of the content, on which line, both from 1."""

    def __init__(self, byte: int, line: int) -> None:
        super().__init__(f"byte {byte} (line {line})")


class _Bytes(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


def find_encoding(name: str) -> str:
    """The encoding of that name, by the name that it has here.

    Raises
    ------
    UsageError : there is none

    Example
    -------
    >>> find_encoding("GBK"), find_encoding("cp1252"), find_encoding("UTF8"), find_encoding("latin-1")
    ('gb18030', 'windows-1252', 'utf-8', 'iso-8859-1')
    """
    try:
        codec = codecs.lookup(name).name
    except (LookupError, ValueError):
        codec = ""
    known = _BY_CODEC.get(_WIDER.get(codec, codec))
    if known is None:
        if codec in ("utf-16", "utf-32"):
            raise UsageError(
                f"{name} without a byte order mark does not say its byte order: name {codec}-le or {codec}-be. "
                "A file that has the mark needs no name."
            )
        near = difflib.get_close_matches(name.lower(), ENCODINGS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise UsageError(f"{name!r} is no encoding of texts that is known here.{hint} Known: {', '.join(ENCODINGS)}.")
    return known


def marked(head: bytes) -> str:
    """The encoding that the byte order mark at the beginning of a text says; empty where there is none.

    Example
    -------
    >>> marked("账期".encode("utf-16")), marked(b"BilledCost")
    ('utf-16-le', '')
    """
    return next((encoding for mark, encoding in MARKS.items() if head.startswith(mark)), "")


class Recoder:
    """A stream of text in one encoding, read as UTF-8, in pieces of exactly the size that is asked for.

    Example
    -------
    >>> import io
    >>> stream, recoder = io.BytesIO("账期,1".encode("gb18030")), Recoder("gb18030")
    >>> recoder.read(stream, 4).hex(), recoder.read(stream).decode(errors="ignore"), recoder.read(stream)
    ('e8b4a6e6', ',1', b'')
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._ready = bytearray()
        self._over = False
        self._bytes = 0
        self._lines = 0

    def read(self, stream: _Bytes, size: int = -1) -> bytes:
        """The next ``size`` bytes of UTF-8, fewer only at the end: a reader that counts on whole pieces gets them.

        Raises
        ------
        Undecodable : the text has a byte that is nothing in its encoding
        """
        while not self._over and (size < 0 or len(self._ready) < size):
            piece = stream.read(size)
            self._over = not piece
            self._ready += self._recode(piece)
        end = size if size >= 0 else len(self._ready)
        out = bytes(self._ready[:end])
        del self._ready[:end]
        return out

    def _recode(self, piece: bytes) -> bytes:
        waiting = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(self._encoding, errors="replace").count("\n")
            raise Undecodable(self._bytes - waiting + error.start + 1, self._lines + before + 1) from None
        self._bytes += len(piece)
        self._lines += text.count("\n")
        return text.encode()
