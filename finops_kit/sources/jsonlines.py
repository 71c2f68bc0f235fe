"""Rows as JSON, one object a line, as text columns: the way BigQuery exports a table.

Nested objects become columns named with points (``service.id``), lists stay JSON. Every number keeps the digits it
is written with. The columns are those of the objects at the head of the file; what a later object has beside them
is kept, as JSON, in the last column.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from finops_kit.errors import SourceRefused
from finops_kit.sources.files import HEAD_BYTES, SourceFile, SourceStream
from finops_kit.sources.layout import Layout
from finops_kit.sources.textrows import MAX_RAW, MAX_REJECTS, NULL_WORDS, Reject, TextRows

#: the column that keeps what has no column of its own
REST = "other_fields"
_LINE_BYTES = 4 << 20
_BATCH_ROWS = 10_000


class _Number(str):
    """A number as it is written."""


def read_object(line: bytes) -> dict[str, str | None] | None:
    """One line as flat text; None where it is no JSON object.

    Example
    -------
    >>> read_object(b'{"service": {"id": "A"}, "cost": 2.50, "labels": [{"key": "a", "value": "b"}]}')
    {'service.id': 'A', 'cost': '2.50', 'labels': '[{"key": "a", "value": "b"}]'}
    """
    try:
        found = json.loads(line, parse_float=_Number, parse_int=_Number)
    except (ValueError, RecursionError):
        return None
    return dict(_flat("", found)) if isinstance(found, dict) else None


def _flat(prefix: str, found: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    for name, value in found.items():
        if isinstance(value, dict):
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
    """The columns of the objects at the head of a file; None where its first line is no object.

    Raises
    ------
    SourceRefused : a column is named like the one that keeps the rest
    """
    lines = source.head.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if len(source.head) >= HEAD_BYTES:
        lines = lines[:-1]
    names: dict[str, None] = {}
    first = True
    for line in lines:
        if not line.strip():
            continue
        found = read_object(line)
        if first and found is None:
            return None
        first = False
        names |= dict.fromkeys(found or ())
    if first:
        return None
    if REST in names:
        raise SourceRefused(f"{source.name} has a column {REST!r}, which is kept for other uses. Rename it.")
    return Layout("\n", (*names, REST), True)


class JsonRows(TextRows):
    """The rows of one file of JSON lines; those that are empty do not count."""

    def _records(self, stream: SourceStream) -> Iterator[pa.RecordBatch]:
        places = {name: i for i, name in enumerate(self.layout.header[:-1])}
        columns: list[list[Any]] = [[] for _ in self._schema]
        number = 0
        for line in _lines(stream, self.source.name):
            if not line.strip():
                continue
            number += 1
            found = read_object(line)
            if found is None:
                self._reject(number, line)
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

    def _reject(self, number: int, line: bytes) -> None:
        self.rejects.append(Reject(number, "no JSON object", line.decode("utf-8", "replace")[:MAX_RAW]))
        if len(self.rejects) > MAX_REJECTS:
            raise SourceRefused(
                f"{self.source.name} has more than {MAX_REJECTS:,} lines that are no JSON objects. Export it again."
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
