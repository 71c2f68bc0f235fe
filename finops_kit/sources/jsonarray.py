"""The objects of one JSON array, one after the other, in the memory of one object: what `bq --format=json` writes."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from finops_kit.errors import SourceRefused

#: one object may not be longer than this, in characters
MAX_OBJECT = 4 << 20
_BLANK = re.compile(r"[ \t\r\n]*")


def read_array(
    pieces: Iterable[bytes], name: str, decoder: json.JSONDecoder, cut: bool = False
) -> Iterator[tuple[str, Any]]:
    """Each element of an array: as it is written, and as the decoder reads it.

    Parameters
    ----------
    pieces : the bytes of the file, in any portions
    cut : the bytes end before the array does, and so do the elements

    Raises
    ------
    SourceRefused : the text is no array to its end

    Example
    -------
    >>> list(read_array([b'[{"a": 1}, ', b'{"b": [2]}]'], "x.json", json.JSONDecoder()))
    [('{"a": 1}', {'a': 1}), ('{"b": [2]}', {'b': [2]})]
    """
    reader = codecs.getincrementaldecoder("utf-8")()
    portions = iter(pieces)
    text, at, count, expected, done = "", 0, 0, "[", False
    while True:
        at = _BLANK.match(text, at).end()  # type: ignore[union-attr]
        found: tuple[Any, int] | None = None
        if at < len(text):
            if expected == "" or text[at] not in expected:
                found = _decode(decoder, text, at) if expected in ("", "]") else None
                if found is None and (expected not in ("", "]") or len(text) - at > MAX_OBJECT):
                    raise _broken(name, count)
            elif text[at] == "]":
                expected, at = "end", at + 1
                continue
            else:
                expected, at = "]" if text[at] == "[" else "", at + 1
                continue
        if found is not None and (found[1] < len(text) or done):
            value, end = found
            count += 1
            yield text[at:end], value
            at, expected = end, ",]"
            continue
        if done:
            if expected != "end" and not cut:
                raise _broken(name, count)
            return
        piece = next(portions, b"")
        done = not piece
        text, at = text[at:] + reader.decode(piece, done and not cut), 0


def _decode(decoder: json.JSONDecoder, text: str, at: int) -> tuple[Any, int] | None:
    try:
        return decoder.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None


def _broken(name: str, count: int) -> SourceRefused:
    return SourceRefused(f"{name} is no readable JSON array behind its object {count}. Export it again.")
