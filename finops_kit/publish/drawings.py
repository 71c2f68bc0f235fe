"""The eight forms of chart, each from chart data to one Vega-Lite specification."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from finops_kit.errors import UsageError
from finops_kit.publish.numbers import is_missing
from finops_kit.publish.specs import (
    ChartData,
    Rows,
    Spec,
    axis_format,
    empty,
    finish,
    name_with_unit,
    quantity,
    series_color,
    short,
    text_of,
    timeline,
    to_float,
    to_json,
)

#: lines up to this many are named at their end; more get a legend
DIRECT_LABELS = 4
#: a little room above the tallest column for the number on it
HEADROOM = 1.14


def draw_bars(
    data: ChartData,
    category: str,
    value: str,
    *,
    color: str | None = None,
    top: int | None = None,
    horizontal: bool = True,
) -> Spec:
    """Bars by category, largest first; beyond ``top`` the rest is summed as one bar and said so."""
    if not data.rows:
        return empty(data)
    data.check(category, value, color)
    groups: dict[tuple[Any, Any], Any] = defaultdict(int)
    for row in data.rows:
        if not is_missing(row[value]):
            groups[(row[category], row[color] if color else None)] += row[value]
    totals: dict[Any, Any] = defaultdict(int)
    for (name, _), amount in groups.items():
        totals[name] += amount
    order = sorted(totals, key=lambda name: (-totals[name], str(name)))
    if top is not None and len(order) > top + 1:
        rest = f"Other ({len(order) - top})"
        kept = set(order[:top])
        folded: dict[tuple[Any, Any], Any] = defaultdict(int)
        for (name, group), amount in groups.items():
            folded[(name if name in kept else rest, group)] += amount
        totals[rest] = sum(totals[name] for name in order[top:])
        groups, order = folded, [*order[:top], rest]
    names = {name: text_of(name, "") if not is_missing(name) else "(none)" for name in order}
    rows = [
        {"c": names[name], "v": to_float(amount), "s": to_json(group), "t": text_of(amount, data.unit(value))}
        for (name, group), amount in groups.items()
    ]
    ends = [
        {"c": names[name], "v": max(float(totals[name]), 0.0), "t": short(float(totals[name]), data.unit(value))}
        for name in order
    ]
    domain = [names[name] for name in order]
    amounts = [float(totals[name]) for name in order]
    low, high = min(0.0, *amounts), max(0.0, *amounts)
    room = 1.0 if horizontal else HEADROOM
    scale = {"domainMin": low * (HEADROOM if low < 0 else 1), "domainMax": (high or 1.0) * room, "nice": False}
    place, length = ("y", "x") if horizontal else ("x", "y")
    number = quantity(data, value, list(amounts)) | {"field": "v", "scale": scale}
    if horizontal:
        number["axis"] = None
    tooltip = [{"field": "c", "type": "nominal", "title": data.label(category)}]
    if color:
        tooltip.append({"field": "s", "type": "nominal", "title": data.label(color)})
    tooltip.append({"field": "t", "type": "nominal", "title": data.label(value)})
    bar: Spec = {"type": "bar", "cornerRadiusEnd": 0 if color else 2}
    encoding: Spec = {
        place: {
            "field": "c",
            "type": "nominal",
            "sort": domain,
            "axis": {"title": None, "domain": False, "ticks": False},
        },
        length: number,
        "tooltip": tooltip,
    }
    if color:
        colours = list(dict.fromkeys(row["s"] for row in rows))
        encoding["color"] = {"field": "s", "type": "nominal", "scale": {"domain": colours}, "legend": {"title": None}}
    else:
        bar["style"] = "primary"
    text = {"type": "text", "style": "value"} | (
        {"align": "left", "baseline": "middle", "dx": 5} if horizontal else {"baseline": "bottom", "dy": -4}
    )
    labels = {
        "data": {"values": ends},
        "mark": text,
        "encoding": {place: encoding[place], length: number, "text": {"field": "t", "type": "nominal"}},
    }
    body: Spec = {"layer": [{"mark": bar, "encoding": encoding}, labels]}
    return finish(data, rows, [category, color or "", value], body, {"step": 28} if horizontal else 280)


def draw_stacked(data: ChartData, x: str, value: str, series: str) -> Spec:
    """Stacked columns over months, days or categories; the largest series lies at the bottom."""
    if not data.rows:
        return empty(data)
    rows = Rows(data, x, value, series)
    totals: dict[Any, float] = defaultdict(float)
    stacks: dict[Any, float] = defaultdict(float)
    for row in rows.values:
        row[series] = "(none)" if row[series] is None else row[series]
        totals[row[series]] += row[value] or 0.0
        stacks[row[x]] += row[value] or 0.0
    order = sorted(totals, key=lambda name: (-totals[name], str(name)))
    rank = {name: place for place, name in enumerate(order)}
    for row in rows.values:
        row["rank"] = rank[row[series]]
    x_axis = timeline(rows, x, band=True)
    encoding = {
        "x": x_axis,
        "y": quantity(data, value, list(stacks.values()), stack="zero"),
        "color": series_color(rows, series, order),
        "order": {"field": "rank", "type": "quantitative"},
        "tooltip": rows.tooltip(x, series, value),
    }
    mark = {"type": "bar", "cornerRadiusEnd": 0, "width": {"band": 0.82}}
    return finish(data, rows.values, [x, series, value], {"mark": mark, "encoding": encoding})


def _melt(data: ChartData, x: str, values: list[str]) -> ChartData:
    rows = [
        {x: row[x], "series": data.label(name), "value": row[name], "unit_of": name}
        for row in data.rows
        for name in values
    ]
    units = {**data.units, "value": data.unit(values[0])}
    labels = {**data.labels, "series": "Series", "value": data.label(values[0])}
    return ChartData(data.key, data.title, data.question, rows, units, labels, data.empty_because)


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
        "y": quantity(data, value, numbers),
        "tooltip": rows.tooltip(x, series, value),
    }
    layers: list[Spec] = [{"mark": mark, "encoding": encoding}]
    if series:
        order = list(dict.fromkeys(row[series] for row in rows.values))
        color = series_color(rows, series, order)
        encoding["color"] = color
        if len(order) <= DIRECT_LABELS and x_axis["type"] == "temporal":
            color["legend"] = None
            layers.append(_line_ends(rows, x, value, series, order, present, encoding))
    body: Spec = {"layer": layers} if len(layers) > 1 else layers[0]
    return finish(origin, rows.values, shown, body)


def _line_ends(
    rows: Rows, x: str, value: str, series: str, order: list[Any], numbers: list[float], encoding: Spec
) -> Spec:
    """Each line's name at its end, moved apart where two lines end close together."""
    last: dict[Any, Spec] = {}
    for row in rows.values:
        if row[value] is not None and (row[series] not in last or str(row[x]) >= str(last[row[series]][x])):
            last[row[series]] = row
    gap = (max([*numbers, 0.0]) - min([*numbers, 0.0]) or 1.0) * 0.07
    ends, below = [], float("-inf")
    for name in sorted(last, key=lambda item: last[item][value]):
        at = max(last[name][value], below + gap)
        below = at
        ends.append({x: last[name][x], value: at, series: name})
    return {
        "data": {"values": ends},
        "mark": {"type": "text", "align": "left", "baseline": "middle", "dx": 9, "fontWeight": 600},
        "encoding": {
            "x": encoding["x"],
            "y": encoding["y"],
            "text": {"field": series, "type": "nominal"},
            "color": encoding["color"],
        },
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
    y_axis = quantity(data, actual, [row[name] for row in rows.values for name in columns])
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
    names: list[Spec] = []
    for row, column, place in (
        (last, actual, {"align": "right", "dx": -4, "dy": -12}),
        (end, budget, {"align": "right", "dy": -10}),
    ):
        if row is not None:
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
                "c": text_of(row[label], ""),
                "from": start,
                "to": level,
                "top": max(start, level),
                "kind": kind,
                "t": sign + short(amount, data.unit(delta)),
                "full": text_of(row[delta], data.unit(delta)),
            }
        )
    order = [row["c"] for row in rows]
    ends = [number for row in rows for number in (row["from"], row["to"])]
    scale = {"domainMin": min(0.0, *ends) * HEADROOM, "domainMax": (max(0.0, *ends) or 1.0) * 1.08, "nice": False}
    x = {"field": "c", "type": "nominal", "sort": order, "axis": {"title": None, "labelLimit": 110}}
    y = quantity(data, delta, list(ends)) | {"field": "from", "scale": scale}
    tooltip = [
        {"field": "c", "type": "nominal", "title": data.label(label)},
        {"field": "full", "type": "nominal", "title": data.label(delta)},
    ]
    layers: list[Spec] = [
        {
            "transform": [{"filter": {"field": "kind", "equal": kind}}],
            "mark": {"type": "bar", "style": kind, "width": {"band": 0.7}},
            "encoding": {"x": x, "y": y, "y2": {"field": "to"}, "tooltip": tooltip},
        }
        for kind in ("total", "increase", "decrease")
    ]
    layers.append(
        {
            "mark": {"type": "text", "style": "value", "dy": -8, "baseline": "bottom"},
            "encoding": {"x": x, "y": y | {"field": "top"}, "text": {"field": "t", "type": "nominal"}},
        }
    )
    return finish(data, rows, [label, delta], {"layer": layers}, height=300)


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


def draw_scatter(data: ChartData, x: str, y: str, label: str) -> Spec:
    """Two numbers against each other; points are named where there are few."""
    if not data.rows:
        return empty(data)
    rows = Rows(data, x, y, label)
    numbers = [row[x] for row in rows.values]

    def titled(column: str) -> str:
        return name_with_unit(data.label(column), data.unit(column))

    x_axis = quantity(data, x, numbers, axis={"title": titled(x), "grid": True, **axis_format(numbers, data.unit(x))})
    y_axis = quantity(data, y, [row[y] for row in rows.values], axis={"title": titled(y)})
    points: Spec = {
        "mark": {"type": "point", "filled": True, "size": 80, "opacity": 0.85, "style": "primary"},
        "encoding": {"x": x_axis, "y": y_axis, "tooltip": rows.tooltip(label, x, y)},
    }
    body: Spec = points
    if len(rows.values) <= 14:
        top = max((number for number in numbers if number is not None), default=1.0) or 1.0
        x_axis["scale"] = {"domainMax": top * 1.22, "nice": False}
        names = {
            "mark": {"type": "text", "style": "note", "align": "left", "dx": 9, "limit": 150},
            "encoding": {"x": x_axis, "y": y_axis, "text": {"field": label, "type": "nominal"}},
        }
        body = {"layer": [points, names]}
    return finish(data, rows.values, [label, x, y], body, height=320)


def draw_heatmap(data: ChartData, x: str, y: str, value: str) -> Spec:
    """A number for each pair of two categories, or of a category and a time; a pair without a value stays open."""
    if not data.rows:
        return empty(data)
    rows = Rows(data, x, y, value)
    numbers = [row[value] for row in rows.values]
    unit = data.unit(value)
    names = list(dict.fromkeys(row[y] for row in rows.values))
    legend = {"title": name_with_unit(data.label(value), unit), **axis_format(numbers, unit)}
    encoding = {
        "x": timeline(rows, x, band=True),
        "y": {"field": y, "type": "nominal", "sort": names, "axis": {"title": None, "domain": False, "ticks": False}},
        "color": {"field": value, "type": "quantitative", "legend": legend},
        "tooltip": rows.tooltip(x, y, value),
    }
    mark = {"type": "rect", "style": "cell"}
    return finish(data, rows.values, [y, x, value], {"mark": mark, "encoding": encoding}, {"step": 26})
