"""Charts as plain Vega-Lite: data of a chart, its encodings and the parts that every chart shares.

Nothing here imports pandas or Altair, so that a live dashboard's kernel stays small. Decimals become
floats here and nowhere else, and a chart of more than 5,000 rows is refused: a page carries its data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from finops_kit.errors import UsageError
from finops_kit.publish.numbers import format_cell, format_month, format_value, is_missing, is_money, is_month

#: the most rows a chart may carry
MAX_ROWS = 5000
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
Spec = dict[str, Any]


@dataclass(frozen=True)
class ChartData:
    """The rows of one chart with the titles and units of their columns.

    Raises
    ------
    UsageError : there are more rows than a chart may carry
    """

    key: str
    title: str
    question: str
    rows: list[dict[str, Any]]
    units: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    empty_because: str = ""
    answer: str = ""

    def __post_init__(self) -> None:
        if len(self.rows) > MAX_ROWS:
            raise UsageError(
                f"The table '{self.key}' has {len(self.rows):,} rows and a chart takes at most {MAX_ROWS:,}, because a "
                f"page carries its data. Aggregate it in the perspective, or show it with page.table."
            )

    def label(self, column: str) -> str:
        """The title of a column."""
        return self.labels.get(column) or column.replace("_", " ")

    def unit(self, column: str) -> str:
        """The unit of a column, empty where it has none."""
        return self.units.get(column, "")

    def text(self, row: dict[str, Any], column: str) -> str:
        """The text of a value: months in words where the whole column is months, numbers with their unit."""
        value = row.get(column)
        if is_missing(value):
            return "no value"
        return (
            format_month(value)
            if column in self._months and is_month(value)
            else format_value(value, self.unit(column))
        )

    @cached_property
    def _months(self) -> frozenset[str]:
        """Columns of months; a series of days has a first of the month as well, which is a day."""
        names = self.rows[0] if self.rows else {}
        held = {name: [row[name] for row in self.rows if not is_missing(row.get(name))] for name in names}
        return frozenset(name for name, values in held.items() if values and all(map(is_month, values)))

    def check(self, *columns: str | None) -> None:
        """Refuse a column that the table does not have.

        Raises
        ------
        UsageError : naming the column, the table and the columns it has
        """
        if not self.rows:
            return
        for column in columns:
            if column is not None and column not in self.rows[0]:
                raise UsageError(
                    f"A chart asks for the column '{column}', which the table '{self.key}' does not have; "
                    f"it has {', '.join(self.rows[0])}."
                )


def to_float(value: Any) -> float | None:
    """A number for the screen; None where there is none.

    Example
    -------
    >>> to_float(Decimal("12.50")), to_float(float("nan"))
    (12.5, None)
    """
    return None if is_missing(value) else float(value)


def to_json(value: Any) -> Any:
    """A value as Vega reads it: dates as ISO text in UTC, decimals as floats.

    Example
    -------
    >>> to_json(date(2025, 3, 1)), to_json(Decimal("1.5")), to_json("2025-03")
    ('2025-03-01', 1.5, '2025-03')
    """
    if is_missing(value):
        return None
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}Z" if (value.hour or value.minute or value.second) else f"{value:%Y-%m-%d}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (bool, int, float, str)):
        return value
    return format_cell(value)


class Rows:
    """The rows of a chart as they go into it, with ready-made texts for its tooltips."""

    def __init__(self, data: ChartData, *columns: str | None) -> None:
        data.check(*columns)
        self.data = data
        self.columns = [column for column in dict.fromkeys(columns) if column is not None]
        self.values = [
            {name: to_json(row[name]) for name in self.columns}
            | {f"{name} ": data.text(row, name) for name in self.columns}
            for row in data.rows
        ]

    def tooltip(self, *columns: str | None) -> list[Spec]:
        """Tooltips that show the values as the tables do."""
        return [
            {"field": f"{name} ", "type": "nominal", "title": self.data.label(name)}
            for name in columns
            if name is not None
        ]


def short(value: float, unit: str = "") -> str:
    """A number of at most three digits with k, M or B, for the end of a bar.

    Example
    -------
    >>> short(1234567), short(12.34), short(-980), short(0.0042), short(12.34, "%")
    ('1.23M', '12.3', '−980', '0.0042', '12.3 %')
    """
    size, suffix = abs(value), ""
    for limit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if size >= limit * 0.9995:
            size, suffix = size / limit, letter
            break
    digits = 0 if size >= 100 else 1 if size >= 10 else 2
    text = f"{size:.{digits}f}" if size >= 0.1 or size == 0 else f"{size:.2g}"
    if "." in text and "e" not in text:
        text = text.rstrip("0").rstrip(".")
    return f"{'−' if value < 0 else ''}{text}{suffix}" + (" %" if "%" in unit else "")


def axis_format(values: list[float | None], unit: str) -> Spec:
    """The labels of a quantitative axis: k, M and B above a thousand, plain digits below."""
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    if largest >= 1000:
        return {"format": "~s", "labelExpr": "replace(datum.label, 'G', 'B')"}
    return {"format": ",.2~f" if largest >= 1 else "~g"}


def name_with_unit(label: str, unit: str) -> str:
    """A label with its unit, which is left out where the label already says it.

    Example
    -------
    >>> name_with_unit("Nodes", "nodes"), name_with_unit("Usage", "vCPU")
    ('Nodes', 'Usage, vCPU')
    """
    return f"{label}, {unit}" if unit and unit.lower() not in label.lower() else label


def quantity(data: ChartData, column: str, values: list[float | None], **more: Any) -> Spec:
    """The encoding of a number: unit as the axis title, abbreviated labels."""
    unit = data.unit(column)
    title = unit if is_money(unit) or unit == "%" else name_with_unit(data.label(column), unit)
    title += cut_axis(more.get("scale", {}))
    axis = {"title": title, **axis_format(values, unit), **more.pop("axis", {})}
    return {"field": column, "type": "quantitative", "axis": axis, **more}


def is_additive(unit: str) -> bool:
    """Whether amounts of this unit may be summed: not percentages, scores or amounts per something.

    Example
    -------
    >>> is_additive("EUR"), is_additive("%"), is_additive("EUR per order")
    (True, False, False)
    """
    return not any(word in unit for word in ("%", " per ", "/", "of 100"))


def cut_axis(scale: Spec) -> str:
    """What an axis says of itself where it does not begin at zero.

    Example
    -------
    >>> cut_axis(line_scale([90.0, 110.0])), cut_axis(line_scale([10.0, 110.0]))
    (', not from zero', '')
    """
    return "" if scale.get("zero", True) else ", not from zero"


def line_scale(values: Sequence[float | None]) -> Spec:
    """The scale of a line chart: from zero, unless all values lie far from it and their movement would not be seen.

    Example
    -------
    >>> line_scale([90.0, 110.0]), line_scale([10.0, 110.0])
    ({'zero': False}, {'zero': True})
    """
    present = [value for value in values if value is not None]
    return {"zero": not (present and min(present) > 0.55 * max(present) > 0)}


def timeline(rows: Rows, column: str, *, band: bool = False) -> Spec:
    """The encoding of an x axis: months, days or times by what the values are, else categories in their order."""
    present = [row[column] for row in rows.data.rows if not is_missing(row[column])]
    if present and all(is_month(value) for value in present):
        for row in rows.values:
            row[column] = f"{row[column]}-01" if row[column] and len(row[column]) == 7 else row[column]
        distinct = len(set(map(str, present)))
        form = "%b %Y" if distinct <= 8 else "%b %y"
        axis: Spec = {"title": None, "format": form, "labelSeparation": 8}
        if band:
            return {"field": column, "timeUnit": "utcyearmonth", "type": "ordinal", "axis": axis}
        axis |= {"values": sorted({row[column] for row in rows.values if row[column]}), "labelBound": False}
        return {"field": column, "type": "temporal", "scale": {"type": "utc"}, "axis": axis}
    if present and all(isinstance(value, date) for value in present):
        has_time = any(isinstance(value, datetime) and (value.hour or value.minute) for value in present)
        axis = {"title": None, "format": "%d %b %H:%M" if has_time else "%d %b", "labelSeparation": 8}
        if band and not has_time:
            return {"field": column, "timeUnit": "utcyearmonthdate", "type": "ordinal", "axis": axis}
        return {
            "field": column,
            "type": "temporal",
            "scale": {"type": "utc"},
            "axis": {**axis, "tickCount": 6},
        }
    order = list(dict.fromkeys(row[column] for row in rows.values))
    if not band and present and all(isinstance(value, (int, float, Decimal)) for value in present):
        return quantity(rows.data, column, [to_float(value) for value in present])
    return {"field": column, "type": "ordinal", "sort": order, "axis": {"title": None, "labelSeparation": 6}}


def series_color(rows: Rows, column: str, order: list[Any]) -> Spec:
    """Series by colour of the categorical range, in a fixed order, legend above the plot."""
    return {"field": column, "type": "nominal", "sort": order, "scale": {"domain": order}, "legend": {"title": None}}


def finish(data: ChartData, rows: list[dict[str, Any]], columns: list[str], body: Spec, height: Any = 280) -> Spec:
    """Put the shared parts around a chart's body: title, data, width, description and what a page needs."""
    visible = [column for column in columns if column]
    spec: Spec = {
        "$schema": SCHEMA,
        "title": {"text": data.answer or data.title, "subtitle": f"{data.title}. {data.question}".strip()},
        "description": f"{data.title}. {data.question} {data.answer}".strip(),
        "width": "container",
        "height": height,
        "data": {"values": rows},
        "usermeta": {
            "finops": {
                "key": data.key,
                "title": data.title,
                "question": data.question,
                "answer": data.answer,
                "columns": visible,
                "labels": {column: data.label(column) for column in visible},
                "units": {column: data.unit(column) for column in visible},
                "rows": [{name: data.text(row, name) for name in visible} for row in data.rows[:60]],
                "total_rows": len(data.rows),
            }
        },
    }
    return spec | body


def empty(data: ChartData) -> Spec:
    """What is drawn when there is nothing to draw: the reason, in words."""
    reason = data.empty_because or "There is nothing to show for this period and scope."
    mark = {"type": "text", "style": "note", "align": "left", "x": 0, "text": reason}
    return finish(data, [{}], [], {"mark": mark}, height=40)
