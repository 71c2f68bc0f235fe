"""Chart verbs for notebooks: each takes a result table and column names, and returns an Altair chart in the one theme.

A chart is drawn without a network: JupyterLab gets the Vega-Lite MIME bundle that it knows, and the
page builder takes the same bundle out of the executed notebook. Altair's own ``mimetype`` renderer names
its MIME type ``...v6.json`` rather than ``...v5+json``; the notebook format then expects text where a
specification stands, and Papermill cannot save the notebook. Hence the renderer registered here.
"""

from __future__ import annotations

from textwrap import wrap
from typing import Any

import altair as alt

from finops_kit.errors import UsageError
from finops_kit.perspectives.reading import ResultTable
from finops_kit.publish import drawings, timelines
from finops_kit.publish.specs import MAX_ROWS, ChartData
from finops_kit.publish.theme import vega_config

#: how wide a chart is in JupyterLab: its output area takes the width of what is in it, so a chart that takes the width
#: of its container makes both chase each other for ever and the browser tab stands still
LAB_WIDTH = 760
#: so many letters of a title stand side by side in it
LAB_LETTERS = 95
#: the MIME type that JupyterLab 4 draws by itself and the page builder looks for
VEGALITE_MIME = "application/vnd.vegalite.v5+json"


def _render(spec: dict[str, Any], **_: Any) -> dict[str, Any]:
    lab = {**spec, "$schema": "https://vega.github.io/schema/vega-lite/v5.json", "width": LAB_WIDTH}
    if title := spec.get("title"):  # a title as long as a sentence would be cut off at the chart's edge
        lab["title"] = {
            **title,
            "text": wrap(title["text"], LAB_LETTERS),
            "subtitle": wrap(title["subtitle"], LAB_LETTERS),
        }
    return {VEGALITE_MIME: lab, "text/plain": f"Chart: {spec.get('description', '')}"}


@alt.theme.register("finops", enable=True)
def _theme() -> alt.theme.ThemeConfig:
    # a notebook's own page may be dark or light; a card behind the chart keeps it legible in both
    return alt.theme.ThemeConfig({"config": {**vega_config("light"), "background": "#ffffff"}})


alt.renderers.register("finops", _render)
alt.renderers.enable("finops")


def chart_data(table: ResultTable) -> ChartData:
    """The rows of a result table, ready to be drawn.

    Raises
    ------
    UsageError : the table has more than 5,000 rows
    """
    if len(table.frame) > MAX_ROWS:
        ChartData(table.key, table.title, table.question, [{}] * len(table.frame))
    rows = [dict(zip(table.frame.columns, row, strict=True)) for row in table.frame.itertuples(index=False, name=None)]
    if not rows and not table.empty_because:
        return ChartData(table.key, table.title, table.question, [], table.units, table.labels)
    return ChartData(
        table.key, table.title, table.question, rows, table.units, table.labels, table.empty_because, table.answer
    )


def _unit(part: dict[str, Any]) -> alt.Chart:
    """One layer, or the whole of a chart without layers. Rows and encodings go in as they are: letting Altair
    parse them into its own objects takes ten times as long, and it validates the whole when it is shown."""
    body = dict(part)
    rows = body.pop("data", None)
    encoding = alt.FacetedEncoding(**body.pop("encoding", {}))
    return alt.Chart(alt.InlineData(values=rows["values"]) if rows else alt.Undefined, encoding=encoding, **body)


def _chart(spec: dict[str, Any]) -> Any:
    body = {key: value for key, value in spec.items() if key != "$schema"}
    if "layer" not in body:
        return _unit(body)
    layers = [_unit(part) for part in body.pop("layer")]
    return alt.LayerChart(data=alt.InlineData(values=body.pop("data")["values"]), layer=layers, **body)


def bars(
    table: ResultTable,
    category: str,
    value: str,
    *,
    color: str | None = None,
    top: int | None = None,
    horizontal: bool = True,
) -> Any:
    """Bars by category, largest first, each with its number; beyond ``top`` the rest is one bar named "Other (n)".

    Raises
    ------
    UsageError : a column that the table does not have, or more than 5,000 rows

    Example
    -------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"service": ["payments", "search"], "EffectiveCost": [120, 80]})
    >>> table = ResultTable("top", "Top services", "Who spends most?", frame, {"EffectiveCost": "EUR"})
    >>> bars(table, "service", "EffectiveCost").to_dict()["width"]
    'container'
    """
    return _chart(drawings.draw_bars(chart_data(table), category, value, color=color, top=top, horizontal=horizontal))


def stacked(table: ResultTable, x: str, value: str, series: str) -> Any:
    """Stacked columns over months or days, one colour a series, the largest at the bottom."""
    return _chart(drawings.draw_stacked(chart_data(table), x, value, series))


def lines(
    table: ResultTable, x: str, values: list[str] | None = None, *, value: str | None = None, series: str | None = None
) -> Any:
    """Lines over time: ``values`` are number columns, or ``value`` is one and ``series`` splits it."""
    return _chart(timelines.draw_lines(chart_data(table), x, values, value=value, series=series))


def forecast(
    table: ResultTable, x: str, actual: str, forecast: str, low: str, high: str, budget: str | None = None
) -> Any:
    """Actual spend, the forecast with its range, and the budget; a column is empty where it does not apply."""
    return _chart(timelines.draw_forecast(chart_data(table), x, actual, forecast, low, high, budget))


def burndown(table: ResultTable, x: str, actual: str, budget: str) -> Any:
    """Cumulated spend against the cumulated budget of the period."""
    return _chart(timelines.draw_burndown(chart_data(table), x, actual, budget))


def steps(
    table: ResultTable,
    x: str | None = None,
    before: str | None = None,
    after: str | None = None,
    *,
    series: str | None = None,
    label: str | None = None,
    delta: str | None = None,
    total: str | None = None,
) -> Any:
    """A state over time (``x``, ``before``, ``after``), or a bridge of signed steps (``label``, ``delta``).

    In a bridge, rows whose ``total`` column is true stand on the ground, as opening and closing totals do.

    Raises
    ------
    UsageError : neither form is complete
    """
    data = chart_data(table)
    if label and delta:
        return _chart(timelines.draw_waterfall(data, label, delta, total))
    if x is None:
        raise UsageError("A step chart needs 'x' and 'after' (the state after each change), or 'label' and 'delta'.")
    return _chart(timelines.draw_steps(data, x, before, after, series=series))


def scatter(table: ResultTable, x: str, y: str, label: str) -> Any:
    """Two numbers against each other, one point a row."""
    return _chart(drawings.draw_scatter(chart_data(table), x, y, label))


def heatmap(table: ResultTable, x: str, y: str, value: str) -> Any:
    """A number for each pair of two columns, stronger where it is larger."""
    return _chart(drawings.draw_heatmap(chart_data(table), x, y, value))
