"""Rows as JSON, one object a line or all in one array, as text columns: the way BigQuery exports a table.

Nested objects become columns named with points (``service.id``), lists and FOCUS' objects (tags) stay JSON. Every
number keeps the digits it is written with. The columns are those of the objects at the head of the file; what a later
object has beside them is kept, as JSON, in the last column.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from finops_kit.errors import SourceRefused
from finops_kit.sources.allocations import read_allocations
from finops_kit.sources.files import HEAD_BYTES, SourceFile, SourceStream
from finops_kit.sources.jsonarray import read_array
from finops_kit.sources.layout import Layout
from finops_kit.sources.textrows import MAX_RAW, MAX_REJECTS, NULL_WORDS, Reject, TextRows

#: the column that keeps what has no column of its own
REST = "other_fields"
#: columns of FOCUS that are one object of any keys, at the top of a row; they stay JSON
_OBJECT_COLUMNS = {"tags", "allocatedtags", "skupricedetails", "allocatedmethoddetails", "contractapplied"}
_LINE_BYTES = 4 << 20
_BATCH_ROWS = 10_000


class _Number(str):
    """A number as it is written."""


#: reads numbers as they are written
DECODER = json.JSONDecoder(parse_float=_Number, parse_int=_Number)


def read_object(line: bytes) -> dict[str, str | None] | None:
    """One line as flat text; None where it is no JSON object.

    Example
    -------
    >>> read_object(b'{"service": {"id": "A"}, "cost": 2.50, "labels": [{"key": "a", "value": "b"}]}')
    {'service.id': 'A', 'cost': '2.50', 'labels': '[{"key": "a", "value": "b"}]'}
    """
    try:
        return flat_object(json.loads(line, parse_float=_Number, parse_int=_Number))
    except (ValueError, RecursionError):
        return None


def flat_object(found: Any) -> dict[str, str | None] | None:
    """A decoded object as flat text; None for another value."""
    return dict(_flat("", found)) if isinstance(found, dict) else None


def _flat(prefix: str, found: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    for name, value in found.items():
        if isinstance(value, dict) and (prefix or name.lower() not in _OBJECT_COLUMNS):
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield prefix + name, _text(value)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return None if value is None or value in NULL_WORDS else str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return _written(value)


def _written(value: Any) -> str:
    """JSON again, numbers as they were written."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {_written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_written(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def read_layout(source: SourceFile) -> Layout | None:
    """The columns of the objects at the head of a file; None where its first value is no object.

    Raises
    ------
    SourceRefused : a column is named like the one that keeps the rest
    """
    head = source.head.removeprefix(b"\xef\xbb\xbf")
    cut = len(source.head) >= HEAD_BYTES
    array = head.lstrip()[:1] == b"["
    names: dict[str, None] = {}
    first = True
    for found in _head_of_array(head, source.name, cut) if array else _head_of_lines(head, cut):
        if first and found is None:
            return None
        first = False
        names |= dict.fromkeys(found or ())
    if first:
        return None
    if REST in names:
        raise SourceRefused(f"{source.name} has a column {REST!r}, which is kept for other uses. Rename it.")
    return Layout("\n", (*names, REST), True, "array" if array else "lines")


def _head_of_lines(head: bytes, cut: bool) -> Iterator[dict[str, str | None] | None]:
    lines = head.split(b"\n")
    for line in lines[:-1] if cut else lines:
        if line.strip():
            yield read_object(line)


def _head_of_array(head: bytes, name: str, cut: bool) -> Iterator[dict[str, str | None] | None]:
    try:
        for _, value in read_array([head], name, DECODER, cut):
            yield flat_object(value)
    except (SourceRefused, UnicodeDecodeError):
        yield None


class JsonRows(TextRows):
    """The rows of one file of JSON lines; those that are empty do not count."""

    def _records(self, stream: SourceStream) -> Iterator[pa.RecordBatch]:
        places = {name: i for i, name in enumerate(self.layout.header[:-1])}
        columns: list[list[Any]] = [[] for _ in self._schema]
        number = 0
        for raw, found in _OBJECTS[self.layout.shape](stream, self.source.name):
            number += 1
            if found is None:
                self._reject(number, raw)
                continue
            rest = {name: value for name, value in found.items() if name not in places and value is not None}
            for name, place in places.items():
                columns[place].append(found.get(name))
            columns[-2].append(json.dumps(rest, ensure_ascii=False) if rest else None)
            columns[-1].append(number)
            if len(columns[-1]) >= _BATCH_ROWS:
                yield self._batch(columns)
                columns = [[] for _ in self._schema]
        if columns[-1]:
            yield self._batch(columns)

    def _reject(self, number: int, raw: str) -> None:
        self.rejects.append(Reject(number, "no JSON object", raw[:MAX_RAW]))
        if len(self.rejects) > MAX_REJECTS:
            raise SourceRefused(
                f"{self.source.name} has more than {MAX_REJECTS:,} rows that are no JSON objects. Export it again."
            )

    def _batch(self, columns: list[list[Any]]) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays(
            [pa.array(values, field.type) for values, field in zip(columns, self._schema, strict=True)],
            schema=self._schema,
        )

    def _sentence(self, message: str) -> str:
        return f"{self.source.name} is no readable JSON: {message.splitlines()[0][:200]}."


def _lines(stream: SourceStream, name: str) -> Iterator[bytes]:
    waiting = b""
    while piece := stream.read(1 << 20):
        *whole, waiting = (waiting + piece).split(b"\n")
        yield from whole
        if len(waiting) > _LINE_BYTES:
            raise SourceRefused(
                f"{name} has a line longer than {_LINE_BYTES >> 20} MiB; one object a line is expected."
            )
    if waiting:
        yield waiting


#: one row of a file: as it is written, and as flat text; None where it is no object
_Row = tuple[str, dict[str, str | None] | None]


def _of_lines(stream: SourceStream, name: str) -> Iterator[_Row]:
    for line in _lines(stream, name):
        if line.strip():
            found = read_object(line)
            yield "" if found is not None else line.decode("utf-8", "replace"), found


def _of_array(stream: SourceStream, name: str) -> Iterator[_Row]:
    for raw, value in read_array(iter(lambda: stream.read(1 << 20), b""), name, DECODER):
        yield raw, flat_object(value)


def _of_allocations(stream: SourceStream, name: str) -> Iterator[_Row]:
    for raw, value in read_allocations(stream, name, DECODER):
        yield raw, flat_object(value)


_OBJECTS: dict[str, Callable[[SourceStream, str], Iterator[_Row]]] = {
    "lines": _of_lines, "array": _of_array, "allocations": _of_allocations,
}  # fmt: skip
