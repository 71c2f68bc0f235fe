"""What every file of text rows has in common: a stream of numbered rows of text, its counts and its hash.

The raw bytes are hashed as they are read, unreadable records are set aside, the cost column is added up on its own as
a control, and plain numbers and times are read beside their text (``sources.quick``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from finops_kit.errors import SourceRefused
from finops_kit.fields import MONEY, TAGS
from finops_kit.sources.control import ControlSum
from finops_kit.sources.files import SourceFile, SourceStream
from finops_kit.sources.layout import Layout
from finops_kit.sources.quick import QuickColumn, QuickEntries, QuickTags, quick_name

#: what a provider writes for nothing
NULL_WORDS = ("", "NULL")
#: a file with more unreadable records than this is another format, or damaged
MAX_REJECTS = 200_000
#: longest raw text kept of one unreadable record, in characters
MAX_RAW = 20_000


def memory_pool() -> pa.MemoryPool:
    """What texts are read into: jemalloc where the build has it, which keeps the pages that the next block needs.

    Measured: the default one hands them back and is given empty ones again, a fifteenth of the whole time.
    """
    return pa.jemalloc_memory_pool() if "jemalloc" in pa.supported_memory_backends() else pa.default_memory_pool()


@dataclass(frozen=True)
class Reject:
    """A record that could not be split into the header's columns."""

    source_row: int
    reason: str
    raw: str


class ArrowStream:
    """A stream of Arrow batches that an engine takes as it is, without a scanner of another library in between.

    Measured: 0.1 s less per 60,000 rows of 44 columns.
    """

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self._reader = reader

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The stream as the Arrow C data interface hands it on."""
        return self._reader.__arrow_c_stream__(requested_schema)


class TextRows:
    """The rows of one file of text. Read :meth:`reader` to its end, then ask for the counts.

    Columns are named ``c0``, ``c1`` ... in the order of the header, all text, plus ``source_row``, plus one for
    every column that is read at once.

    Attributes
    ----------
    rows_good : records that could be read
    rejects : the unreadable ones
    control : the sum of the cost column, exact
    digest : SHA-256 of the raw bytes, once all were read
    problem : the refusal that ended the stream, which an engine's scan hands on as no more than text
    checked_before : whether bytes that are not UTF-8 are refused before they are split into records
    uneven : a strict reading ended at a record that could not be split into columns
    """

    checked_before = False

    def __init__(
        self, source: SourceFile, layout: Layout, control: ControlSum | None = None,
        quick: Sequence[tuple[str, str]] = (), entries: Sequence[tuple[str, str]] = (), at_once: int = 0,
        strict: bool = False,
    ) -> None:  # fmt: skip
        """Say what is read, and how.

        Parameters
        ----------
        at_once : how many rows a batch shall have; as many as the reader finds where it is 0
        strict : end at the first record that cannot be split into columns, instead of setting it aside; that is faster
        """
        self.source = source
        self.layout = layout
        self.control = control
        self.rejects: list[Reject] = []
        self.rows_good = 0
        self.digest = ""
        self.problem: SourceRefused | None = None
        self.uneven = False
        self._strict = strict
        self._quick = [QuickTags(column) if kind == TAGS else QuickColumn(column, kind) for column, kind in quick]
        self._at_once = at_once
        self._entries = QuickEntries(entries) if entries else None
        self._schema = pa.schema([*((name, pa.string()) for name in self.columns), ("source_row", pa.int64())])

    @property
    def rows_read(self) -> int:
        """Records after the header, readable or not."""
        return self.rows_good + len(self.rejects)

    @property
    def columns(self) -> list[str]:
        """``c0``, ``c1`` ... as many as the header has."""
        return [f"c{i}" for i in range(len(self.layout.header))]

    def reader(self) -> pa.RecordBatchReader:
        """The rows as a stream of Arrow batches.

        Raises
        ------
        SourceRefused : the file cannot be read as text; inside an engine's scan the refusal is kept in ``problem``
        """
        schema = self._schema
        for quick in [*self._quick, *([self._entries] if self._entries else [])]:
            schema = schema.append(pa.field(quick.name, quick.type))
        return pa.RecordBatchReader.from_batches(schema, self._passed(schema))

    def _passed(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        stream = SourceStream(self.source, text=self.checked_before)
        try:
            for batch in _of_size(self._records(stream), self._at_once):
                self.rows_good += batch.num_rows
                values = [quick.read(batch.column(quick.column)) for quick in self._quick]
                if self.control is not None:
                    read = dict(zip((quick.name for quick in self._quick), values, strict=True))
                    self.control.add(batch, read.get(quick_name(self.control.cost_column, MONEY)))
                if self._entries is not None:
                    values.append(self._entries.read([batch.column(name) for name in self._entries.columns]))
                yield pa.RecordBatch.from_arrays([*batch.columns, *values], schema=schema)
            self.digest = stream.finish()
        except SourceRefused as error:
            self.problem = error
            raise
        except (pa.ArrowException, OSError, UnicodeError) as error:
            self.problem = self.problem or stream.problem or SourceRefused(self._sentence(str(error)))
            raise self.problem from error
        finally:
            stream.close()

    def _records(self, stream: SourceStream) -> Iterator[pa.RecordBatch]:
        """The readable records as batches of text, each with its row number."""
        raise NotImplementedError

    def _sentence(self, message: str) -> str:
        """What is wrong with the file, from the reader's own message."""
        raise NotImplementedError


def _of_size(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of one size, the last one apart; as they come where ``rows`` is 0.

    Each batch costs the same few steps for every column that is read at once: in batches of 4,096 rows the whole takes
    a tenth longer than in groups of the engine's rows.

    Example
    -------
    >>> some = pa.RecordBatch.from_pydict({"a": [1, 2, 3]})
    >>> [one["a"].to_pylist() for one in _of_size(iter([some, some]), 4)]
    [[1, 2, 3, 1], [2, 3]]
    """
    if not rows:
        yield from batches
        return
    held: list[pa.RecordBatch] = []
    lacking = rows
    for batch in batches:
        while batch.num_rows >= lacking:
            yield pa.concat_batches([*held, batch.slice(0, lacking)], memory_pool())
            batch, held, lacking = batch.slice(lacking), [], rows
        if batch.num_rows:
            held.append(batch)
            lacking -= batch.num_rows
    if held:
        yield pa.concat_batches(held, memory_pool())
