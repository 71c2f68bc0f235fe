"""Delimited text as a stream of numbered rows of text, in constant memory.

One pass does it all: the raw bytes are hashed, unpacked and split into records; every record gets its
number (1 is the first after the header); a record with another number of fields than the header is set
aside with its raw text; and the cost column is added up on its own, as a control for what is stored later.
Measured on 2 cores: numbering rows inside the engine makes its whole pipeline run on one core (9.7 s for a
million rows), this reader keeps both busy (6.5 s, hashing included). Columns are converted on several cores at
once in a strict reading only (a twentieth less in all), since the number of a bad record is not known then.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from finops_kit.errors import SourceRefused
from finops_kit.sources.ahead import ReadAhead
from finops_kit.sources.files import SourceStream
from finops_kit.sources.textrows import MAX_RAW, MAX_REJECTS, NULL_WORDS, Reject, TextRows, memory_pool

#: a record may not be longer than this; blocks of 4 MiB fall out of the processor's cache: a tenth slower in all
BLOCK_BYTES = 1 << 20


class DelimitedRows(TextRows):
    """The rows of one delimited text file."""

    checked_before = True

    def _records(self, stream: SourceStream) -> Iterator[pa.RecordBatch]:
        number, waiting = 1, None
        rejected: set[int] = set()
        for batch in self._open(stream):
            rejected = {reject.source_row for reject in self.rejects} if self.rejects else rejected
            rows, number = _numbers(batch.num_rows, number, rejected)
            numbered = pa.RecordBatch.from_arrays([*batch.columns, rows], schema=self._schema)
            if waiting is not None:
                yield waiting
            waiting = numbered
        if waiting is not None:
            yield self._without_open_quote(waiting)

    def _open(self, stream: SourceStream) -> Iterator[pa.RecordBatch]:
        names = self.columns
        with ReadAhead(stream) as ahead:
            yield from pa_csv.open_csv(
                pa.PythonFile(ahead, mode="r"),
                read_options=pa_csv.ReadOptions(
                    block_size=BLOCK_BYTES, column_names=names, skip_rows=1, use_threads=self._strict
                ),
                parse_options=pa_csv.ParseOptions(
                    delimiter=self.layout.delimiter, newlines_in_values=True, invalid_row_handler=self._reject
                ),
                convert_options=pa_csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True,
                    quoted_strings_can_be_null=True, null_values=list(NULL_WORDS), check_utf8=False,
                ),
                memory_pool=memory_pool(),
            )  # fmt: skip

    def _reject(self, row: pa_csv.InvalidRow) -> str:
        if self._strict:
            self.uneven = True
            return "error"
        if row.number is not None and row.number <= 1:
            return "skip"
        wide = "too many" if row.actual_columns > row.expected_columns else "too few"
        reason = f"{row.actual_columns} fields where the header has {row.expected_columns} ({wide})"
        self.rejects.append(Reject((row.number or 1) - 1, reason, row.text[:MAX_RAW]))
        if len(self.rejects) > MAX_REJECTS:
            self.problem = SourceRefused(
                f"{self.source.name} has more than {MAX_REJECTS:,} rows that do not fit its header of "
                f"{row.expected_columns} columns. It was not exported whole; export it again."
            )
            return "error"
        return "skip"

    def _without_open_quote(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Set the last record aside if a quote that was never closed swallowed the lines after it."""
        if batch.num_rows == 0:
            return batch
        last = batch.slice(batch.num_rows - 1).to_pylist()[0]
        if not any(isinstance(value, str) and "\n" in value for value in last.values()) or self._quotes() % 2 == 0:
            return batch
        raw = self.layout.delimiter.join(str(last[name] or "") for name in self.columns)
        self.rejects.append(Reject(last["source_row"], "a quote is opened and never closed", raw[:MAX_RAW]))
        return batch.slice(0, batch.num_rows - 1)

    def _quotes(self) -> int:
        """How many quotes the file has: a second look at it, which only a last record of several lines asks for."""
        stream = SourceStream(self.source)
        try:
            return sum(piece.count(b'"') for piece in iter(lambda: stream.read(BLOCK_BYTES), b""))
        finally:
            stream.close()

    def _sentence(self, message: str) -> str:
        name = self.source.name
        if "straddling" in message:
            return f"{name} has a row longer than {BLOCK_BYTES >> 20} MiB; a quote may be missing. Export it again."
        return f"{name} is no readable CSV: {message.splitlines()[0][:200]}."


def _numbers(count: int, number: int, rejected: set[int]) -> tuple[pa.Array, int]:
    """The next ``count`` record numbers that were not set aside, and the number after them."""
    if not rejected:
        return pa.array(np.arange(number, number + count, dtype=np.int64)), number + count
    span = np.arange(number, number + count + len(rejected), dtype=np.int64)
    kept = span[~np.isin(span, np.fromiter(rejected, dtype=np.int64))][:count]
    return pa.array(kept), (int(kept[-1]) + 1 if count else number)
