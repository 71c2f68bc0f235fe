"""The one look of every page and every chart: colours, type and the Vega configuration, light and dark.

Charts carry no colour. They name a *style* (``primary``, ``budget``, ``increase`` ...) or use the
categorical range, and the configuration of the page's current scheme fills both in when the chart is
drawn. The categorical colours have a contrast of 3 to 1 or more to the card and stay apart for the common
forms of colour blindness; no meaning rests on colour alone.
"""

from __future__ import annotations

from typing import Any, Literal

Scheme = Literal["light", "dark"]

#: text face: what the reader's system has, since a page may load nothing
SANS = '"Inter", "Segoe UI", "Helvetica Neue", "Liberation Sans", Arial, sans-serif'
MONO = '"SFMono-Regular", "Cascadia Mono", "Liberation Mono", Consolas, monospace'

#: the colours of each scheme, by what they are for
COLOURS: dict[Scheme, dict[str, str]] = {
    "light": {
        "page": "#f6f5f1",
        "card": "#ffffff",
        "ink": "#17212e",
        "soft": "#55606e",
        "line": "#dcd9d1",
        "faint": "#efede7",
        "accent": "#1d4f7c",
        "good": "#1f6f54",
        "good-back": "#e2f1ea",
        "watch": "#875300",
        "watch-back": "#fbefd9",
        "bad": "#a0352a",
        "bad-back": "#fae5e1",
        "shadow": "rgba(23, 33, 46, .07)",
    },
    "dark": {
        "page": "#10151b",
        "card": "#181f28",
        "ink": "#e7ebf0",
        "soft": "#a2adba",
        "line": "#2d3743",
        "faint": "#202934",
        "accent": "#86b8e4",
        "good": "#7fd0ad",
        "good-back": "#17352b",
        "watch": "#eabd6d",
        "watch-back": "#3a2d14",
        "bad": "#f0968a",
        "bad-back": "#42201c",
        "shadow": "rgba(0, 0, 0, .35)",
    },
}

#: series colours, most used first
SERIES: dict[Scheme, tuple[str, ...]] = {
    "light": ("#2a6396", "#cc7d1c", "#3f9a86", "#a64f3f", "#8d76ad", "#5f96c6", "#92923e", "#8a8f96"),
    "dark": ("#6fa9dd", "#e9aa55", "#5fc2ac", "#dc8069", "#b7a2d8", "#b4d5f0", "#c6c674", "#9ba2ab"),
}

#: the ramp of heat maps: from nearly the card's colour to the strongest
RAMP: dict[Scheme, tuple[str, ...]] = {
    "light": ("#edf2f6", "#b9cfe2", "#7ba6cb", "#3f79ab", "#1b466f"),
    "dark": ("#1f2a36", "#2c4a67", "#3f6e9b", "#6a9fd0", "#b5d6f2"),
}


def css_variables(scheme: Scheme) -> str:
    """The colours of a scheme as CSS custom properties, without a selector.

    Example
    -------
    >>> css_variables("light").split(";")[0]
    '--page:#f6f5f1'
    """
    return ";".join(f"--{name}:{colour}" for name, colour in COLOURS[scheme].items())


def vega_config(scheme: Scheme = "light") -> dict[str, Any]:
    """The Vega-Lite configuration of a scheme: type, axes, ranges and the named styles of marks.

    Example
    -------
    >>> vega_config("dark")["style"]["budget"]["strokeDash"]
    [5, 4]
    """
    colour, series = COLOURS[scheme], SERIES[scheme]
    return {
        "background": None,
        "font": SANS,
        "padding": {"left": 2, "right": 8, "top": 6, "bottom": 2},
        "view": {"stroke": None, "continuousHeight": 280, "discreteHeight": {"step": 26}},
        "range": {
            "category": list(series),
            "ordinal": list(RAMP[scheme]),
            "ramp": list(RAMP[scheme]),
            "heatmap": list(RAMP[scheme]),
            "diverging": [series[2], colour["faint"], series[3]],
        },
        "axis": {
            "labelColor": colour["soft"],
            "titleColor": colour["soft"],
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "gridColor": colour["line"],
            "gridOpacity": 0.7,
            "domainColor": colour["line"],
            "tickColor": colour["line"],
            "labelPadding": 6,
            "titlePadding": 10,
            "labelLimit": 210,
        },
        "axisX": {"grid": False, "labelAngle": 0, "labelOverlap": True, "labelSeparation": 6},
        "axisY": {
            "domain": False,
            "ticks": False,
            "titleAngle": 0,
            "titleAlign": "left",
            "titleBaseline": "bottom",
            "titleX": 0,
            "titleY": -8,
        },
        "axisQuantitative": {"tickCount": 5},
        "legend": {
            "orient": "top",
            "direction": "horizontal",
            "titleColor": colour["soft"],
            "titleFontWeight": "normal",
            "titleFontSize": 12,
            "labelColor": colour["ink"],
            "labelFontSize": 12,
            "labelLimit": 180,
            "symbolSize": 110,
            "symbolStrokeWidth": 3,
            "columnPadding": 16,
            "rowPadding": 5,
            "offset": 26,
            "padding": 0,
            "gradientLength": 180,
            "gradientThickness": 10,
        },
        "title": {
            "anchor": "start",
            "color": colour["ink"],
            "subtitleColor": colour["soft"],
            "fontSize": 15,
            "subtitleFontSize": 12,
            "offset": 14,
        },
        # a fill or stroke set per mark type would win over the named styles; one colour for all does not
        "mark": {"color": series[0]},
        "bar": {"cornerRadiusEnd": 2},
        "line": {"strokeWidth": 2.25, "strokeJoin": "round", "strokeCap": "round"},
        "point": {"size": 70, "filled": True},
        "text": {"fontSize": 12},
        "style": {
            "primary": {"color": series[0]},
            "value": {"color": colour["ink"], "fontSize": 12},
            "note": {"color": colour["soft"], "fontSize": 12},
            "range": {"color": series[1], "opacity": 0.2},
            "budget": {"color": colour["soft"], "strokeWidth": 1.75, "strokeDash": [5, 4]},
            "increase": {"color": series[3]},
            "decrease": {"color": series[2]},
            "total": {"color": series[0]},
            "cell": {"stroke": colour["card"], "strokeWidth": 1},
        },
    }
