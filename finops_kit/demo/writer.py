"""Write what a provider delivers: CSV, CSV.gz and Parquet, the same bytes for the same figures.

Money and quantities are scaled integers until the moment they are written, so every sum is exact. A file is
written in chunks. Most columns say the same thing on every line of a resource: they are joined once per
resource and then taken by index, which is what makes a large estate quick to write.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

#: decimals of every cost, quantity and unit price; a price times a quantity is then exact in a 64-bit integer
COST_SCALE, QUANTITY_SCALE, PRICE_SCALE = 10, 4, 6
#: lines joined to text at a time
CHUNK = 50_000


@dataclass
class Lines:
    """The lines of one delivery as indices into their constant texts, and their figures as scaled integers.

    Attributes
    ----------
    texts : column -> one text (or None) per kind of line, a kind being a resource in one role
    periods : column -> one text per charge period that occurs
    kind, period : per line, the index into ``texts`` and ``periods``
    figures : column -> (scaled integers per line, scale)
    blank : column -> per kind of line, whether the figure is left out
    """

    texts: dict[str, list[str | None]]
    periods: dict[str, list[str]]
    kind: np.ndarray
    period: np.ndarray
    figures: dict[str, tuple[np.ndarray, int]]
    blank: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.kind)

    def keep(self, mask: np.ndarray) -> Lines:
        """The lines where ``mask`` holds, in their order."""
        figures = {name: (values[mask], scale) for name, (values, scale) in self.figures.items()}
        return Lines(self.texts, self.periods, self.kind[mask], self.period[mask], figures, self.blank)

    def slices(self, size: int = CHUNK) -> Iterator[Lines]:
        """The lines in pieces of at most ``size``."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            figures = {name: (values[part], scale) for name, (values, scale) in self.figures.items()}
            yield Lines(self.texts, self.periods, self.kind[part], self.period[part], figures, self.blank)


def decimals(values: np.ndarray, scale: int, precision: int = 28) -> pa.Array:
    """Scaled 64-bit integers as exact decimals.

    Example
    -------
    >>> decimals(np.array([12345, -5]), 4).to_pylist()
    [Decimal('1.2345'), Decimal('-0.0005')]
    """
    words = np.empty((len(values), 2), dtype=np.int64)
    words[:, 0] = values
    words[:, 1] = words[:, 0] >> 63
    return pa.Array.from_buffers(pa.decimal128(precision, scale), len(values), [None, pa.py_buffer(words)])


def spell(value: int, scale: int) -> str:
    """One scaled integer as plain text, all its decimals kept.

    Example
    -------
    >>> spell(-12345, 4)
    '-1.2345'
    """
    sign, digits = ("-" if value < 0 else ""), str(abs(int(value))).rjust(scale + 1, "0")
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}" if scale else f"{sign}{digits}"


def quote(text: str | None) -> str:
    """One CSV field, quoted only where it must be."""
    if text is None:
        return ""
    if "," in text or '"' in text or "\n" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def render(lines: Lines, columns: Sequence[str], exponent_below: int = 0) -> Iterator[pa.Buffer]:
    """The lines as CSV text, chunk by chunk, without the header; the last column must be a constant text.

    ``exponent_below`` writes non-zero figures smaller than so many units of their scale as 2.3E-9, as a
    legacy bill does.
    """
    runs: list[tuple[str, list[str]]] = []
    for name in columns:
        where = "texts" if name in lines.texts else "periods" if name in lines.periods else "figures"
        if runs and runs[-1][0] == where and where != "figures":
            runs[-1][1].append(name)
        else:
            runs.append((where, [name]))
    if runs[-1][0] != "texts":
        raise AssertionError(f"the last column must be a constant text, {columns[-1]} is not")
    joined: dict[int, pa.Array] = {}
    for number, (where, names) in enumerate(runs):
        if where != "figures":
            table = lines.texts if where == "texts" else lines.periods
            ending = "\n" if number == len(runs) - 1 else ""
            joined[number] = pa.array([",".join(map(quote, row)) + ending for row in zip(*(table[n] for n in names),
                strict=True)])  # fmt: skip
    for part in lines.slices():
        indices = {"texts": pa.array(part.kind), "periods": pa.array(part.period)}
        pieces = []
        for number, (where, names) in enumerate(runs):
            if where == "figures":
                pieces.append(_figure_text(part, names[0], exponent_below))
            else:
                pieces.append(joined[number].take(indices[where]))
        text = pc.binary_join_element_wise(*pieces, ",")
        if len(text):
            ends = np.frombuffer(text.buffers()[1], dtype=np.int32, count=len(text) + 1)
            yield text.buffers()[2].slice(int(ends[0]), int(ends[-1] - ends[0]))


def _figure_text(part: Lines, name: str, exponent_below: int) -> pa.Array:
    values, scale = part.figures[name]
    text = decimals(values, scale).cast(pa.string())
    below = max(10 ** max(0, scale - 6), exponent_below if scale == COST_SCALE else 0)
    tiny = (values != 0) & (np.abs(values) < below)
    if tiny.any():
        how = _exponent if exponent_below else spell
        text = pc.replace_with_mask(text, pa.array(tiny), pa.array([how(int(v), scale) for v in values[tiny]]))
    if (values == 0).any():
        text = pc.if_else(pa.array(values == 0), spell(0, scale), text)
    if name in part.blank:
        text = pc.if_else(pa.array(part.blank[name][part.kind]), "", text)
    return text


def _exponent(value: int, scale: int) -> str:
    """A small figure in scientific notation, as Java writes it: 2.3E-9."""
    digits = str(abs(value)).rstrip("0")
    power = len(str(abs(value))) - 1 - scale
    return ("-" if value < 0 else "") + digits[0] + "." + (digits[1:] or "0") + f"E{power}"


def write_csv(
    path: Path, columns: Sequence[str], lines: Lines, *, extra: Sequence[str] = (), exponent_below: int = 0
) -> None:
    """Write one CSV file, compressed where the name ends in .gz (no time stamp inside, fastest level).

    ``extra`` are whole lines put after the first chunk, as they are.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    packer = zlib.compressobj(1, zlib.DEFLATED, 31) if path.suffix == ".gz" else None
    with path.open("wb") as file:

        def put(data: Any) -> None:
            file.write(packer.compress(data) if packer else data)

        put((",".join(map(quote, columns)) + "\n").encode())
        for number, buffer in enumerate(render(lines, columns, exponent_below)):
            put(buffer)
            if number == 0 and extra:
                put(("\n".join(extra) + "\n").encode())
        if packer:
            file.write(packer.flush())


def write_parquet(path: Path, columns: Sequence[str], lines: Lines, times: dict[str, np.ndarray]) -> None:
    """Write one Parquet file: texts as strings, figures as decimals, ``times`` (days since 1970) as UTC timestamps."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = []
    for name in columns:
        if name in times:
            fields.append(pa.field(name, pa.timestamp("us", tz="UTC")))
        elif name in lines.texts:
            fields.append(pa.field(name, pa.string()))
        else:
            fields.append(pa.field(name, pa.decimal128(28, lines.figures[name][1])))
    schema = pa.schema(fields)
    texts = {name: pa.array(values, pa.string()) for name, values in lines.texts.items() if name in columns}
    with pq.ParquetWriter(path, schema, compression="snappy", store_schema=False) as writer:
        for part in lines.slices():
            kind = pa.array(part.kind)
            arrays = []
            for name in columns:
                if name in times:
                    micros = times[name][part.period].astype(np.int64) * 86_400_000_000
                    arrays.append(pa.array(micros).cast(pa.timestamp("us", tz="UTC")))
                elif name in texts:
                    arrays.append(texts[name].take(kind))
                else:
                    values, scale = part.figures[name]
                    number = decimals(values, scale)
                    if name in part.blank:
                        number = pc.if_else(pa.array(part.blank[name][part.kind]), pa.scalar(None, number.type), number)
                    arrays.append(number)
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def write_rows(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> int:
    """Write a small reference CSV; returns the number of rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = [",".join(map(quote, columns))]
    text += [",".join(quote(None if cell is None else str(cell)) for cell in row) for row in rows]
    path.write_bytes(("\n".join(text) + "\n").encode())
    return len(rows)
