"""The layout of delimited text: its delimiter and its header, found by reading its first records ourselves.

An engine's own sniffer is never asked: on a file whose rows are one field short it reads one column
and says nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from finops_kit.errors import SourceRefused
from finops_kit.sources.files import HEAD_BYTES, NAME_IT, SourceFile

#: the delimiters that are tried, in this order
DELIMITERS = (",", ";", "\t", "|")
_NEW_LINE = b"\n"


@dataclass(frozen=True)
class Layout:
    """How delimited text is laid out.

    Attributes
    ----------
    delimiter : one character
    header : the column names as they stand there, blanks around them taken off
    has_rows : whether anything follows the header
    shape : how JSON is laid out: ``lines``, ``array`` or ``allocations``
    comma_columns : columns whose numbers have a comma before the decimals
    """

    delimiter: str
    header: tuple[str, ...]
    has_rows: bool
    shape: str = "lines"
    comma_columns: tuple[int, ...] = ()


def read_layouts(source: SourceFile) -> list[Layout]:
    """Every layout that the first records allow, the one with the most columns first.

    Raises
    ------
    SourceRefused : the text is not UTF-8, or its header cannot be read
    """
    cut = len(source.head) >= HEAD_BYTES
    try:
        text = source.head.decode("utf-8-sig", errors="strict")
    except UnicodeDecodeError as error:
        if not (cut and error.start >= len(source.head) - 4):
            raise SourceRefused(
                f"{source.name} is not UTF-8 text (line {source.head.count(_NEW_LINE, 0, error.start) + 1} from its "
                f"header on). {NAME_IT}"
            ) from error
        text = source.head[: error.start].decode("utf-8-sig")
    layouts: list[Layout] = []
    for delimiter in DELIMITERS:
        records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            header = next((record for record in records if any(field.strip() for field in record)), None)
            has_rows = any(any(field.strip() for field in record) for record in records) or cut
        except csv.Error as error:
            if delimiter != DELIMITERS[-1] or layouts:
                continue
            raise SourceRefused(f"{source.name} is no readable CSV: {error}.") from error
        if header:
            layouts.append(Layout(delimiter, tuple(name.strip() for name in header), has_rows))
    if not layouts:
        raise SourceRefused(f"{source.name} holds no header. Export it again.")
    return sorted(layouts, key=lambda layout: -len(layout.header))


def by_first_name(names: Mapping[str, Iterable[str]], places: Mapping[str, int]) -> dict[str, int]:
    """Where each column stands, by the first of its names that a header has; those that it lacks are left out.

    Example
    -------
    >>> by_first_name({"Cost": ("pretaxcost", "cost"), "Date": ("date",)}, {"cost": 1, "pretaxcost": 0})
    {'Cost': 0}
    """
    firsts = {column: next((name for name in known if name in places), None) for column, known in names.items()}
    return {column: places[name] for column, name in firsts.items() if name is not None}
