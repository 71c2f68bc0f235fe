"""Charts that compare: bars, stacked columns, points, a field of cells; each from chart data to Vega-Lite."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

from finops_kit.publish.numbers import format_value, is_missing
from finops_kit.publish.specs import (
    ChartData,
    Rows,
    Spec,
    axis_format,
    empty,
    finish,
    is_additive,
    name_with_unit,
    quantity,
    series_color,
    short,
    timeline,
    to_float,
    to_json,
)

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
    if top is not None and len(order) > top + 1 and not is_additive(data.unit(value)):
        # a sum of rates means nothing, so the rest is not drawn; the caption says so
        data = replace(data, question=f"{data.question} The {top} largest of {len(order)}.".strip())
        order = order[:top]
        groups = {pair: amount for pair, amount in groups.items() if pair[0] in set(order)}
    elif top is not None and len(order) > top + 1:
        rest = f"Other ({len(order) - top})"
        kept = set(order[:top])
        folded: dict[tuple[Any, Any], Any] = defaultdict(int)
        for (name, group), amount in groups.items():
            folded[(name if name in kept else rest, group)] += amount
        totals[rest] = sum(totals[name] for name in order[top:])
        groups, order = folded, [*order[:top], rest]
    names = {name: "(none)" if is_missing(name) else data.text({category: name}, category) for name in order}
    rows = [
        {"c": names[name], "v": to_float(amount), "s": to_json(group), "t": format_value(amount, data.unit(value))}
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
    if horizontal:  # each bar has its number; the axis says only the unit
        bare = {"labels": False, "ticks": False, "domain": False, "grid": False}
        number["axis"] = {"title": number["axis"]["title"], "titleAnchor": "start", "titlePadding": 2, **bare}
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
