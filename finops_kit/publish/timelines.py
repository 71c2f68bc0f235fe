"""Charts that tell how something moved: lines, forecast, burndown, steps and bridges, as Vega-Lite."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

from finops_kit.errors import UsageError
from finops_kit.publish.numbers import format_value
from finops_kit.publish.specs import (
    ChartData,
    Rows,
    Spec,
    empty,
    finish,
    line_scale,
    quantity,
    series_color,
    short,
    timeline,
    to_float,
)

#: lines up to this many are named at their end; more get a legend
DIRECT_LABELS = 4
#: how lines are told apart without their colour
DASHES = [[1, 0], [7, 4], [2, 3], [9, 3, 2, 3]]


def _melt(data: ChartData, x: str, values: list[str]) -> ChartData:
    rows = [
        {x: row[x], "series": data.label(name), "value": row[name], "unit_of": name}
        for row in data.rows
        for name in values
    ]
    units = {**data.units, "value": data.unit(values[0])}
    labels = {**data.labels, "series": "Series", "value": data.label(values[0])}
    return ChartData(data.key, data.title, data.question, rows, units, labels, data.empty_because, data.answer)


def draw_lines(
    data: ChartData, x: str, values: list[str] | None = None, *, value: str | None = None, series: str | None = None
) -> Spec:
    """Lines over time: several number columns, or one number column split by a series column."""
    if not data.rows:
        return empty(data)
    if values:
        data.check(x, *values)
        shown = [x, *values]
        origin = data
        data = _melt(data, x, values)
        value, series = "value", "series"
    elif value:
        shown, origin = [x, series or "", value], data
        data.check(x, value, series)
    else:
        raise UsageError("A line chart needs 'values' (number columns), or 'value' and 'series'.")
    rows = Rows(data, x, value, series)
    x_axis = timeline(rows, x)
    numbers = [row[value] for row in rows.values]
    present = [number for number in numbers if number is not None]
    mark: Spec = {"type": "line", "interpolate": "monotone", "point": {"size": 130, "opacity": 0}}
    encoding: Spec = {
        "x": x_axis,
        "y": quantity(data, value, numbers, scale=line_scale(numbers)),
        "tooltip": rows.tooltip(x, series, value),
    }
    layers: list[Spec] = [{"mark": mark, "encoding": encoding}]
    if series:
        order = list(dict.fromkeys(row[series] for row in rows.values))
        color = series_color(rows, series, order)
        encoding["color"] = color
        if len(order) <= DIRECT_LABELS and x_axis["type"] == "temporal":
            color["legend"] = None
            if _coincide(rows, x, value, series, order, present):  # and are still seen to be two
                dashes = {"domain": order, "range": DASHES[: len(order)]}
                encoding["strokeDash"] = {"field": series, "type": "nominal", "scale": dashes, "legend": None}
            layers.append(_line_ends(rows, x, value, series, order, present, encoding))
    body: Spec = {"layer": layers} if len(layers) > 1 else layers[0]
    return finish(origin, rows.values, shown, body)


def _coincide(rows: Rows, x: str, value: str, series: str, order: list[Any], numbers: list[float]) -> bool:
    """Whether two of the lines lie on each other all along, so that one would hide the other."""
    if len(order) < 2 or not numbers:
        return False
    lines = {name: {row[x]: row[value] for row in rows.values if row[series] == name} for name in order}
    near = (max(numbers) - min(numbers)) * 0.01
    return any(
        all(abs((one[at] or 0.0) - (other.get(at) or 0.0)) <= near for at in one)
        for one, other in combinations(lines.values(), 2)
    )


def _line_ends(
    rows: Rows, x: str, value: str, series: str, order: list[Any], numbers: list[float], encoding: Spec
) -> Spec:
    """Each line's name at its end, moved apart where two lines end close together."""
    last: dict[Any, Spec] = {}
    for row in rows.values:
        if row[value] is not None and (row[series] not in last or str(row[x]) >= str(last[row[series]][x])):
            last[row[series]] = row
    ground = [] if not line_scale(numbers)["zero"] else [0.0]  # the axis begins there only if zero is on it
    gap = (max([*numbers, *ground], default=0.0) - min([*numbers, *ground], default=0.0) or 1.0) * 0.07
    ends, below = [], float("-inf")
    for name in sorted(last, key=lambda item: last[item][value]):
        at = max(last[name][value], below + gap)
        below = at
        ends.append({x: last[name][x], value: at, series: name})
    return {
        "data": {"values": ends},
        # in ink: a series' own colour is too faint to read words in
        "mark": {"type": "text", "style": "value", "align": "left", "baseline": "middle", "dx": 9, "fontWeight": 600},
        "encoding": {"x": encoding["x"], "y": encoding["y"], "text": {"field": series, "type": "nominal"}},
    }


def draw_forecast(
    data: ChartData, x: str, actual: str, forecast: str, low: str, high: str, budget: str | None = None
) -> Spec:
    """What was, what is expected with its range, and the budget it is held against."""
    if not data.rows:
        return empty(data)
    rows = Rows(data, x, actual, forecast, low, high, budget)
    x_axis = timeline(rows, x)
    columns = [name for name in (actual, forecast, low, high, budget) if name]
    numbers = [row[name] for row in rows.values for name in columns]
    y_axis = quantity(data, actual, numbers, scale=line_scale(numbers))
    shown = [actual, forecast, *([budget] if budget else [])]
    kinds = [data.label(name) for name in shown]
    for last in (row for row in reversed(rows.values) if row[actual] is not None):
        # join the forecast to the last actual value, so that the line has no gap
        if last[forecast] is None and any(row[forecast] is not None for row in rows.values):
            last |= {forecast: last[actual], low: last[actual], high: last[actual]}
        break
    points = [
        {x: row[x], "kind": kind, "value": row[name]}
        for name, kind in zip(shown, kinds, strict=True)
        for row in rows.values
        if row[name] is not None
    ]
    legend = {"title": None, "symbolType": "stroke", "symbolSize": 500}
    dashes = {"domain": kinds, "range": [[1, 0], [6, 4], [2, 3]][: len(kinds)]}
    lines = {
        "data": {"values": points},
        "mark": {"type": "line"},
        "encoding": {
            "x": x_axis,
            "y": y_axis | {"field": "value"},
            "color": {"field": "kind", "type": "nominal", "scale": {"domain": kinds}, "legend": legend},
            "strokeDash": {"field": "kind", "type": "nominal", "scale": dashes, "legend": legend},
        },
    }
    band = {
        "transform": [{"filter": {"field": low, "valid": True}}],
        "mark": {"type": "area", "style": "range"},
        "encoding": {"x": x_axis, "y": y_axis | {"field": low}, "y2": {"field": high}},
    }
    hover = {
        "mark": {"type": "rule", "strokeWidth": 18, "opacity": 0},
        "encoding": {"x": x_axis, "tooltip": rows.tooltip(x, actual, forecast, low, high, budget)},
    }
    return finish(data, rows.values, [x, *columns], {"layer": [band, lines, hover]}, height=300)


def draw_burndown(data: ChartData, x: str, actual: str, budget: str) -> Spec:
    """Spend so far as an area against the budget's line."""
    if not data.rows:
        return empty(data)
    rows = Rows(data, x, actual, budget)
    x_axis = timeline(rows, x)
    y_axis = quantity(data, actual, [row[name] for row in rows.values for name in (actual, budget)])
    last = next((row for row in reversed(rows.values) if row[actual] is not None), None)
    end = next((row for row in reversed(rows.values) if row[budget] is not None), None)
    over = bool(last and end and (last[actual] or 0.0) >= (last[budget] or 0.0))
    names: list[Spec] = []
    for row, column, above in ((last, actual, over), (end, budget, not over)):
        if row is not None:
            place = {"align": "right", "dx": -6, "dy": -14 if above else 26}
            names.append(
                {
                    "data": {"values": [{x: row[x], column: row[column], "t": data.label(column)}]},
                    "mark": {"type": "text", "style": "value", "fontWeight": 600, **place},
                    "encoding": {
                        "x": x_axis,
                        "y": y_axis | {"field": column},
                        "text": {"field": "t", "type": "nominal"},
                    },
                }
            )
    valid = [{"filter": {"field": actual, "valid": True}}]
    layers = [
        {
            "transform": valid,
            "mark": {"type": "area", "opacity": 0.16, "style": "primary"},
            "encoding": {"x": x_axis, "y": y_axis},
        },
        {"transform": valid, "mark": {"type": "line"}, "encoding": {"x": x_axis, "y": y_axis}},
        {"mark": {"type": "line", "style": "budget"}, "encoding": {"x": x_axis, "y": y_axis | {"field": budget}}},
        *names,
        {
            "mark": {"type": "rule", "strokeWidth": 12, "opacity": 0},
            "encoding": {"x": x_axis, "tooltip": rows.tooltip(x, actual, budget)},
        },
    ]
    return finish(data, rows.values, [x, actual, budget], {"layer": layers})


def draw_waterfall(data: ChartData, label: str, delta: str, total: str | None = None) -> Spec:
    """A bridge from one total to the next: signed steps, and the sum they come to.

    A row whose ``total`` column is true stands on the ground (an opening or closing total); the others step on.
    """
    if not data.rows:
        return empty(data)
    data.check(label, delta, total)
    rows: list[Spec] = []
    level = 0.0
    for row in data.rows:
        amount = to_float(row[delta]) or 0.0
        grounded = bool(total and row[total])
        start = 0.0 if grounded else level
        level = amount if grounded else level + amount
        kind = "total" if grounded else "increase" if amount > 0 else "decrease"
        sign = "" if grounded or amount <= 0 else "+"
        rows.append(
            {
                "c": data.text(row, label),
                "from": start,
                "to": level,
                "end": max(start, level),
                "kind": kind,
                "t": sign + short(amount, data.unit(delta)),
                "full": data.text(row, delta),
            }
        )
    order = [row["c"] for row in rows]
    levels = [row["to"] for row in rows] + [row["from"] for row in rows if row["kind"] != "total"]
    floor = _floor(min(levels), max(levels))
    for row, whole in zip(rows, data.rows, strict=True):
        if row["kind"] == "total" and floor > 0:  # totals that differ by little would look the same in three digits
            row["t"] = format_value(round(to_float(whole[delta]) or 0.0))
        row["from"] = floor if row["kind"] == "total" else row["from"]
    scale = {
        "domainMin": min(floor, *levels) if floor <= 0 else floor,
        "domainMax": max(0.0, *levels) or 1.0,
        "nice": False,
    }
    unit = data.unit(delta)
    cut = f", axis starts at {short(floor, unit)}" if floor > 0 else ""
    y = {"field": "c", "type": "nominal", "sort": order, "axis": {"title": None, "domain": False, "ticks": False}}
    x = quantity(data, delta, levels, axis={"title": f"{unit}{cut}", "grid": True}) | {"field": "from", "scale": scale}
    tooltip = [
        {"field": "c", "type": "nominal", "title": data.label(label)},
        {"field": "full", "type": "nominal", "title": data.label(delta)},
    ]
    layers: list[Spec] = [
        {
            "transform": [{"filter": {"field": "kind", "equal": kind}}],
            "mark": {"type": "bar", "style": kind, "height": {"band": 0.66}, "cornerRadiusEnd": 0},
            "encoding": {"x": x, "x2": {"field": "to"}, "y": y, "tooltip": tooltip},
        }
        for kind in ("total", "increase", "decrease")
    ]
    layers.append(
        {
            "mark": {"type": "text", "style": "value", "align": "left", "baseline": "middle", "dx": 6},
            "encoding": {"x": x | {"field": "end"}, "y": y, "text": {"field": "t", "type": "nominal"}},
        }
    )
    return finish(data, rows, [label, delta], {"layer": layers}, {"step": 30})


def _floor(lowest: float, highest: float) -> float:
    """Where a bridge's axis starts: at zero, unless the steps would be too small to see beside the totals."""
    if lowest <= 0 or highest - lowest > 0.3 * highest:
        return 0.0
    step = 10 ** math.floor(math.log10(highest - lowest or highest))
    return max(0.0, math.floor((lowest - (highest - lowest)) / step) * step)


def draw_steps(
    data: ChartData, x: str, before: str | None = None, after: str | None = None, *, series: str | None = None
) -> Spec:
    """A state over time: it holds its value until the next change."""
    if not data.rows:
        return empty(data)
    if after is None:
        raise UsageError("A step chart needs 'x' and 'after' (the state after each change), or 'label' and 'delta'.")
    rows = Rows(data, x, before, after, series)
    x_axis = timeline(rows, x)
    y_axis = quantity(data, after, [row[after] for row in rows.values])
    encoding: Spec = {"x": x_axis, "y": y_axis, "tooltip": rows.tooltip(x, series, before, after)}
    if series:
        encoding["color"] = series_color(rows, series, list(dict.fromkeys(row[series] for row in rows.values)))
    mark = {"type": "line", "interpolate": "step-after", "point": {"size": 40}}
    return finish(data, rows.values, [x, series or "", before or "", after], {"mark": mark, "encoding": encoding}, 240)
