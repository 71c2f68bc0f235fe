"""A reading as a machine reads it: written into the last cell's output, taken out by the runner.

Tables travel as Arrow, so that decimals, dates and times keep their type; everything else is JSON with
decimals as text.
"""

from __future__ import annotations

import base64
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa

from finops_kit.perspectives.reading import Reading, ResultTable
from finops_kit.publish.numbers import is_missing

#: the MIME type of the machine-readable result in an executed notebook
RESULT_MIME = "application/vnd.finops.reading+json"

READING_FIELDS = (
    "perspective", "title", "audience", "question", "answer", "owns", "does_not_own", "period_start", "period_end",
    "scope", "currency", "grand_total", "store_version", "version_time", "ledger_head", "caveats",
    "ledger_size", "ledger_root", "ledger_signed_by",
)  # fmt: skip
FIGURE_FIELDS = (
    "key", "title", "value", "unit", "meaning", "target", "status", "why_missing", "measure", "filters",
)  # fmt: skip


def to_plain(value: Any) -> Any:
    """A value as JSON keeps it without loss: decimals and times as text.

    Example
    -------
    >>> to_plain(Decimal("1.10")), to_plain(date(2025, 3, 1)), to_plain(float("nan"))
    ('1.10', '2025-03-01', None)
    """
    if is_missing(value):
        return None
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def to_arrow(frame: pd.DataFrame) -> pa.Table:
    """A frame as an Arrow table: decimals stay decimals, a column of mixed types becomes text.

    Example
    -------
    >>> to_arrow(pd.DataFrame({"cost": [Decimal("1.5"), None]})).schema.field("cost").type
    Decimal128Type(decimal128(2, 1))
    """
    columns, names = [], []
    for name in frame.columns:
        column = frame[name]
        if column.dtype == object:
            values = [None if is_missing(value) else value for value in column]
            try:
                array = pa.array(values)
            except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
                array = pa.array([None if value is None else str(to_plain(value)) for value in values], pa.string())
        else:
            array = pa.Array.from_pandas(column)
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        if pa.types.is_timestamp(array.type) and array.type.unit == "ns":
            array = array.cast(pa.timestamp("us", array.type.tz), safe=False)
        columns.append(pa.array([None] * len(array), pa.string()) if pa.types.is_null(array.type) else array)
        names.append(str(name))
    return pa.table(columns, names=names)


def describe_table(table: ResultTable) -> dict[str, Any]:
    """What a result table is, without its rows."""
    return {
        "key": table.key,
        "title": table.title,
        "question": table.question,
        "answer": table.answer,
        "units": dict(table.units),
        "labels": dict(table.labels),
        "empty_because": table.empty_because,
        "rows": len(table.frame),
        "columns": [str(name) for name in table.frame.columns],
    }


def encode(reading: Reading) -> dict[str, Any]:
    """The whole reading as JSON; each table's rows as an Arrow stream in base64."""
    described: dict[str, Any] = {name: to_plain(getattr(reading, name)) for name in READING_FIELDS}
    described["ages"] = [
        {name: to_plain(getattr(age, name)) for name in ("source_system", "covers_until", "recorded_at", "age_hours")}
        for age in reading.ages
    ]
    described["next_steps"] = [{"say": one.say, "command": one.command} for one in reading.next_steps]
    described["figures"] = [
        {name: to_plain(getattr(figure, name)) for name in FIGURE_FIELDS} for figure in reading.figures
    ]
    described["tables"] = {key: describe_table(table) for key, table in reading.tables.items()}
    rows = {}
    for key, table in reading.tables.items():
        sink = pa.BufferOutputStream()
        arrow = to_arrow(table.frame)
        with pa.ipc.new_stream(sink, arrow.schema) as writer:
            writer.write_table(arrow)
        rows[key] = base64.b64encode(sink.getvalue().to_pybytes()).decode()
    return {"reading": described, "arrow": rows}


def decode_table(text: str) -> pa.Table:
    """The Arrow table of one encoded result table."""
    return pa.ipc.open_stream(base64.b64decode(text)).read_all()
