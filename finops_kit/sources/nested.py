"""Records and lists inside a Parquet file's columns, flattened to one name and one SQL expression each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FlatColumn:
    """A column, or a field of a record.

    Attributes
    ----------
    name : ``service.id``
    sql : how its value is reached
    type : the engine's type of it; TEXT in delimited text
    """

    name: str
    sql: str
    type: str


def whole_columns(header: Sequence[str], types: Sequence[str] | None) -> list[FlatColumn]:
    """Every column as it is, records not taken apart."""
    return [FlatColumn(name, f"c{i}", "TEXT" if types is None else types[i]) for i, name in enumerate(header)]


def flat_columns(header: Sequence[str], types: Sequence[str] | None) -> list[FlatColumn]:
    """Every column that is no record, and the fields of those that are; lists stay whole.

    BigQuery wraps a list in a record of its own, which is taken off.

    Example
    -------
    >>> [c.name for c in flat_columns(["service", "cost"], ['STRUCT(id VARCHAR, "a b" STRUCT(x INTEGER))', "DOUBLE"])]
    ['service.id', 'service.a b.x', 'cost']
    """
    if types is None:
        return [FlatColumn(name, f"c{i}", "TEXT") for i, name in enumerate(header)]
    flat: list[FlatColumn] = []
    for i, (name, kind) in enumerate(zip(header, types, strict=True)):
        flat.extend(_flat(name, f"c{i}", kind))
    return flat


def _flat(name: str, sql: str, kind: str) -> Iterator[FlatColumn]:
    fields = list(_fields(kind))
    if len(fields) == 1 and fields[0][0] == "list" and fields[0][1].endswith("[]"):
        inner = list(_fields(fields[0][1][:-2]))
        if len(inner) == 1 and inner[0][0] == "element":
            item = f'{sql}."list"'
            yield FlatColumn(name, f'list_transform({item}, lambda e: e."element")', f"{inner[0][1]}[]")
            return
    if not fields:
        yield FlatColumn(name, sql, kind)
        return
    for field, inside in fields:
        quoted = field.replace('"', '""')
        yield from _flat(f"{name}.{field}", f'{sql}."{quoted}"', inside)


def _fields(kind: str) -> Iterator[tuple[str, str]]:
    """The fields of ``STRUCT(a VARCHAR, "b c" DOUBLE)``; none for another type."""
    if not (kind.startswith("STRUCT(") and kind.endswith(")")):
        return
    depth, quoted, start, text = 0, False, 0, kind[7:-1]
    parts = []
    for i, sign in enumerate(text):
        if sign == '"':
            quoted = not quoted
        elif not quoted:
            depth += (sign == "(") - (sign == ")")
            if sign == "," and depth == 0:
                parts.append(text[start:i])
                start = i + 1
    for part in [*parts, text[start:]]:
        part = part.strip()
        if part.startswith('"'):
            end = part.index('"', 1)
            while part[end + 1 : end + 2] == '"':
                end = part.index('"', end + 2)
            yield part[1:end].replace('""', '"'), part[end + 1 :].strip()
        else:
            name, _, inside = part.partition(" ")
            yield name, inside
