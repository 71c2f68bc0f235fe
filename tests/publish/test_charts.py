"""Charts: valid against Vega-Lite's schema, without a colour of their own, exact in what they add up."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import altair as alt
import pandas as pd
import pytest

from finops_kit.errors import UsageError
from finops_kit.perspectives.reading import Reading, ResultTable
from finops_kit.publish import charts
from finops_kit.publish.page import Document, add_chart
from finops_kit.publish.specs import ChartData
from finops_kit.publish.theme import COLOURS, SERIES, vega_config


def table(frame: pd.DataFrame, **units: str) -> ResultTable:
    return ResultTable("t", "Title", "Question?", frame, units)


def drawn(reading: Reading) -> dict[str, dict]:
    t = reading.tables
    made = {
        "bars": charts.bars(t["top_services"], "service_id", "EffectiveCost", top=3),
        "columns": charts.bars(t["top_services"], "team", "EffectiveCost", horizontal=False),
        "split": charts.bars(t["top_services"], "service_id", "EffectiveCost", color="team"),
        "stacked": charts.stacked(t["monthly"], "month", "EffectiveCost", "service_id"),
        "lines": charts.lines(t["forecast"], "month", ["actual", "budget"]),
        "series": charts.lines(t["monthly"], "month", value="EffectiveCost", series="service_id"),
        "forecast": charts.forecast(t["forecast"], "month", "actual", "forecast", "low", "high", "budget"),
        "burndown": charts.burndown(t["burndown"], "day", "spent", "budgeted"),
        "bridge": charts.steps(t["bridge"], label="step", delta="amount", total="is_total"),
        "steps": charts.steps(t["scaling"], "at", "nodes_before", "nodes_after"),
        "scatter": charts.scatter(t["top_services"], "EffectiveCost", "change_pct", "service_id"),
        "heatmap": charts.heatmap(t["monthly"], "month", "service_id", "EffectiveCost"),
        "empty": charts.bars(t["empty"], "contract_id", "annual_commitment"),
    }
    return {name: chart.to_dict() for name, chart in made.items()}


def test_every_form_is_valid_vega_lite(reading: Reading) -> None:
    for spec in drawn(reading).values():
        alt.Chart.from_dict(spec, validate=True)
        assert spec["width"] == "container"


def test_no_form_carries_a_colour(reading: Reading) -> None:
    for name, spec in drawn(reading).items():
        plain = str({key: value for key, value in spec.items() if key != "config"})
        assert "#" not in plain.replace("https://", ""), name


def test_light_and_dark_name_the_same_things() -> None:
    light, dark = vega_config("light"), vega_config("dark")

    def shape(value: object) -> object:
        return {k: shape(v) for k, v in value.items()} if isinstance(value, dict) else type(value)

    assert shape(light) == shape(dark)
    assert not set(SERIES["light"]) & set(SERIES["dark"])


def luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_and_marks_have_the_contrast_of_wcag_aa(scheme) -> None:
    colour = COLOURS[scheme]
    on = [
        ("ink", "page"),
        ("soft", "page"),
        ("soft", "card"),
        ("soft", "faint"),
        ("accent", "page"),
        ("accent", "card"),
    ]
    on += [(word, f"{word}-back") for word in ("good", "watch", "bad")]
    assert all(contrast(colour[word], colour[ground]) >= 4.5 for word, ground in on)
    assert all(contrast(series, colour["card"]) >= 3 for series in SERIES[scheme])


def test_lines_that_fall_together_are_both_seen() -> None:
    days = {"day": [date(2026, 8, n) for n in (1, 2, 3)], "billed": [10.0, 12.0, 11.0]}
    together = table(pd.DataFrame({**days, "effective": days["billed"]}), billed="EUR", effective="EUR")
    apart = table(pd.DataFrame({**days, "effective": [1.0, 2.0, 3.0]}), billed="EUR", effective="EUR")
    drawn = [charts.lines(one, "day", ["effective", "billed"]).to_dict() for one in (together, apart)]
    assert ["strokeDash" in spec["layer"][0]["encoding"] for spec in drawn] == [True, False]


def test_beyond_the_top_nothing_is_lost() -> None:
    frame = pd.DataFrame({"service": list("abcdef"), "cost": [Decimal(n) for n in (60, 50, 40, 30, 20, 10)]})
    spec = charts.bars(table(frame, cost="EUR"), "service", "cost", top=2).to_dict()
    rows = next(iter(rows for rows in spec["datasets"].values() if "s" in rows[0]))
    assert [(row["c"], row["v"]) for row in rows] == [("a", 60.0), ("b", 50.0), ("Other (4)", 100.0)]


def test_a_bridge_ends_where_its_steps_lead() -> None:
    steps = {"step": ["May", "Price", "Mix", "June"], "amount": [100, 130, -110, 120], "total": [1, 0, 0, 1]}
    frame = pd.DataFrame(steps)
    spec = charts.steps(table(frame, amount="EUR"), label="step", delta="amount", total="total").to_dict()
    rows = next(iter(spec["datasets"].values()))
    assert [(row["from"], row["to"]) for row in rows] == [(0, 100), (100, 230), (230, 120), (0, 120)]
    assert [row["kind"] for row in rows] == ["total", "increase", "decrease", "total"]


def test_a_bridge_of_small_steps_says_that_its_axis_is_cut() -> None:
    steps = {"step": ["May", "Price", "June"], "amount": [1_000_000, 5_000, 1_005_000], "total": [1, 0, 1]}
    spec = charts.steps(table(pd.DataFrame(steps), amount="EUR"), label="step", delta="amount", total="total").to_dict()
    assert spec["layer"][0]["encoding"]["x"]["axis"]["title"] == "EUR, axis starts at 995k"


def test_rates_are_never_added_up() -> None:
    frame = pd.DataFrame({"account": list("abcd"), "readiness": [100.0, 90.0, 80.0, 70.0]})
    spec = charts.bars(table(frame, readiness="%"), "account", "readiness", top=2).to_dict()
    rows = next(iter(rows for rows in spec["datasets"].values() if "s" in rows[0]))
    assert [row["v"] for row in rows] == [100.0, 90.0]
    assert spec["usermeta"]["finops"]["question"] == "Question? The 2 largest of 4."


def test_more_rows_than_a_page_may_carry_are_refused() -> None:
    frame = pd.DataFrame({"a": range(5001), "b": range(5001)})
    with pytest.raises(UsageError, match="5,001 rows and a chart takes at most 5,000"):
        charts.scatter(table(frame), "a", "b", "a")


def test_an_unknown_column_is_named() -> None:
    with pytest.raises(UsageError, match="column 'cots', which the table 't' does not have; it has service, cost"):
        charts.bars(table(pd.DataFrame({"service": ["a"], "cost": [1]})), "service", "cots")


def test_what_is_missing_is_no_zero(reading: Reading) -> None:
    spec = charts.burndown(reading.tables["burndown"], "day", "spent", "budgeted").to_dict()
    rows = max(spec["datasets"].values(), key=len)
    assert rows[29]["spent"] is None
    assert rows[29]["spent "] == "no value"


def test_the_renderer_is_offline_and_saved_by_papermill(reading: Reading) -> None:
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook, new_output

    bundle = charts.bars(reading.tables["top_services"], "service_id", "EffectiveCost")._repr_mimebundle_()
    assert set(bundle) == {charts.VEGALITE_MIME, "text/plain"}
    output = new_output("display_data", data=bundle)
    nbformat.validate(new_notebook(cells=[new_code_cell("x", outputs=[output])]))


def test_a_chart_is_of_fixed_width_in_jupyterlab_and_as_wide_as_its_place_on_a_page() -> None:
    frame = pd.DataFrame({"day": [date(2026, 8, 1), date(2026, 8, 2)], "spent": [1, 2]})
    spec = charts.lines(table(frame, spent="EUR"), "day", ["spent"])._repr_mimebundle_()[charts.VEGALITE_MIME]
    assert isinstance(spec["width"], int), "a container's width makes JupyterLab's tab stand still"
    document = Document([], [])
    add_chart(document, spec)
    assert '"width":"container"' in document.blocks[0].replace(" ", "")


def test_the_first_of_a_month_is_a_day_among_days_and_a_month_among_months() -> None:
    data = ChartData("k", "T", "Q", [{"d": date(2026, 8, 1), "m": "2026-08"}, {"d": date(2026, 8, 2), "m": "2026-09"}])
    assert [data.text(row, "d") for row in data.rows] == ["2026-08-01", "2026-08-02"]
    assert [data.text(row, "m") for row in data.rows] == ["Aug 2026", "Sep 2026"]
