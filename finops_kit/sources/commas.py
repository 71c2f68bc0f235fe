"""Delimited text whose numbers have a comma before the decimals, as German portals and spreadsheets write them.

Which it is, the numbers themselves must say: `0,8` can be nothing else, `1,234` could be. A file that writes both a
comma and a point before decimals is refused, because one of the two would be read a thousand times too large.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from finops_kit.errors import SourceRefused
from finops_kit.sources.delimited import DelimitedRows
from finops_kit.sources.files import SourceFile, SourceStream
from finops_kit.sources.layout import Layout

_COMMA = re.compile(r"\s*[-+]?[0-9]*,([0-9]+)(?:[eE][-+]?[0-9]+)?\s*")
_POINT = r"^\s*[-+]?[0-9]*\.[0-9]+([eE][-+]?[0-9]+)?\s*$"
#: a number with points between the thousands, which only a comma before the decimals makes plain
_THOUSANDS = r"^\s*[-+]?[0-9]{1,3}(\.[0-9]{3})+,[0-9]+\s*$"


def has_decimal_commas(source: SourceFile, layout: Layout, columns: Iterable[int]) -> bool:
    """Whether numbers in some columns at the head of a file have a comma before their decimals."""
    text = source.head.decode("utf-8-sig", errors="replace")
    places = sorted(columns)
    records = csv.reader(io.StringIO(text, newline=""), delimiter=layout.delimiter)
    try:
        next(records, None)
        for record in records:
            for place in places:
                found = _COMMA.fullmatch(record[place]) if place < len(record) else None
                if found and len(found[1]) != 3:
                    return True
    except csv.Error:
        pass
    return False


class CommaRows(DelimitedRows):
    """The rows of such a file, with a point before the decimals in the columns of ``layout.comma_columns``."""

    def _records(self, stream: SourceStream) -> Iterator[pa.RecordBatch]:
        for batch in super()._records(stream):
            columns = list(batch.columns)
            for place in self.layout.comma_columns:
                columns[place] = self._pointed(columns[place], self.layout.header[place])
            yield pa.RecordBatch.from_arrays(columns, schema=batch.schema)

    def _pointed(self, column: pa.Array, name: str) -> pa.Array:
        if pc.any(pc.match_substring_regex(column, _POINT)).as_py():
            raise SourceRefused(
                f"{self.source.name} writes numbers with a comma before the decimals and, in {name!r}, with a point. "
                f"Export it again in one language."
            )
        plain = pc.replace_substring(column, ",", ".")
        thousands = pc.match_substring_regex(column, _THOUSANDS)
        if pc.any(thousands).as_py():
            bare = pc.replace_substring(pc.replace_substring(column, ".", ""), ",", ".")
            plain = pc.if_else(pc.fill_null(thousands, False), bare, plain)
        return plain
