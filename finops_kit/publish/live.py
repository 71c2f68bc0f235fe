"""The live dashboard: pick a perspective, a period and a part of the house; reads published result tables only.

It never opens the store, and imports neither pandas nor Ibis nor Altair, so that a viewer's kernel stays
small. A row that a picker leaves out is left out of the tables and charts alone: the published total of the
page stays on top, and the sum of what is shown stands beside it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from finops_kit.publish import numbers
from finops_kit.publish.bundle import vega_bundle
from finops_kit.publish.drawings import draw_bars, draw_stacked
from finops_kit.publish.grid import Grid, grid_html
from finops_kit.publish.html import STATUS_WORDS, facts, pill, scope_words, sentence, text
from finops_kit.publish.specs import MAX_ROWS, ChartData, Spec
from finops_kit.publish.style import asset, page_css
from finops_kit.publish.theme import vega_config
from finops_kit.publish.timelines import draw_lines

#: columns that a picker is offered for, with what they are called
SCOPE_WORDS = {
    "service_id": "Service",
    "team": "Team",
    "provider": "Provider",
    "environment": "Environment",
    "business_unit": "Business unit",
    "tenant": "Tenant",
}
#: where a live kernel finds the published result tables, and the drawing script
RESULTS_VARIABLE, CACHE_VARIABLE = "FINOPS_RESULTS", "FINOPS_CACHE"
EVERYTHING = "everything"
#: rows of a table that are shown
SHOWN_ROWS = 40

Row = dict[str, Any]


class Published:
    """What is published, as the dashboard reads it: one file says which result tables are current."""

    def __init__(self, results: Path) -> None:
        self.results = results
        pointer = results / "published.json"
        entries = json.loads(pointer.read_text(encoding="utf-8"))["results"] if pointer.is_file() else []
        self.entries = [entry for entry in entries if not entry["scope"]]

    def perspectives(self) -> list[str]:
        """The perspectives that have a result, in the order of their pages."""
        order = ("engineering", "product", "finance", "procurement", "leadership", "practitioner")
        found = {entry["perspective"] for entry in self.entries}
        return [name for name in order if name in found]

    def periods(self, perspective: str) -> list[str]:
        """The published periods of a perspective, newest first."""
        return sorted({entry["period"] for entry in self.entries if entry["perspective"] == perspective}, reverse=True)

    def totals(self, perspective: str) -> list[Row]:
        """The published total of every period: what a trend over pages is drawn from."""
        return [
            {"month": entry["period"], "total": Decimal(entry["grand_total"])}
            for entry in sorted(self.entries, key=lambda entry: entry["period"])
            if entry["perspective"] == perspective
        ]

    def read(self, perspective: str, period: str) -> tuple[Row, dict[str, list[Row]]]:
        """The words and figures of one result, and its tables as rows."""
        import pyarrow.parquet as pq

        entry = next(e for e in self.entries if e["perspective"] == perspective and e["period"] == period)
        folder = self.results.parent / entry["folder"]
        reading = json.loads((folder / "reading.json").read_text(encoding="utf-8"))
        return reading, {key: pq.read_table(folder / f"{key}.parquet").to_pylist() for key in reading["tables"]}


def members(tables: dict[str, list[Row]]) -> dict[str, list[str]]:
    """The columns that can be picked by, and the members they have, over all tables.

    Example
    -------
    >>> members({"a": [{"team": "core"}, {"team": None}], "b": [{"team": "reach", "cost": 1}]})
    {'team': ['core', 'reach']}
    """
    found: dict[str, set[str]] = {}
    for rows in tables.values():
        for name in SCOPE_WORDS:
            if rows and name in rows[0]:
                found.setdefault(name, set()).update(str(row[name]) for row in rows if row[name] is not None)
    return {name: sorted(found[name]) for name in SCOPE_WORDS if len(found.get(name, ())) > 0}


def narrow(rows: list[Row], chosen: dict[str, str]) -> tuple[list[Row], list[str]]:
    """The rows of the chosen members, and the choices that this table cannot follow because it lacks the column.

    Example
    -------
    >>> narrow([{"team": "core"}, {"team": "reach"}], {"team": "core", "provider": "AWS"})
    ([{'team': 'core'}], ['provider'])
    """
    follows = {name: member for name, member in chosen.items() if rows and name in rows[0]}
    kept = [row for row in rows if all(str(row[name]) == member for name, member in follows.items())]
    return kept, [name for name in chosen if name not in follows]


def choose_chart(about: Row, rows: list[Row]) -> Spec | None:
    """The chart that fits a table: over months or days where it has them, else bars; none where there is no money."""
    units, labels = about["units"], about["labels"]
    money = [n for n in about["columns"] if numbers.is_money(units.get(n, "")) and _has_numbers(rows, n)]
    if not rows or not money or len(rows) < 2 or len(rows) > MAX_ROWS:
        return None
    data = ChartData(about["key"], about["title"], about["question"], rows, units, labels, about["empty_because"])
    words = [n for n in about["columns"] if not units.get(n) and any(isinstance(row[n], str) for row in rows)]
    times = [n for n in about["columns"] if all(isinstance(r[n], date) or numbers.is_month(r[n]) for r in rows)]
    if times:
        series = next((n for n in words if n not in times and 1 < len({r[n] for r in rows}) <= 12), None)
        if series:
            return draw_stacked(data, times[0], money[0], series)
        same = [n for n in money if units[n] == units[money[0]]]
        if len({str(row[times[0]]) for row in rows}) == len(rows) > 2:
            return draw_lines(data, times[0], same[:4])
        return None
    category = next((n for n in words if len({row[n] for row in rows}) > 1), None)
    return draw_bars(data, category, money[0], top=12) if category else None


def _has_numbers(rows: list[Row], name: str) -> bool:
    return any(isinstance(row[name], (int, float, Decimal)) for row in rows)


def _figure(row: Row) -> str:
    """One published figure as a small card; text decimals become numbers again."""
    value, unit = row["value"], row["unit"]
    if value is None:
        shown = (
            f'<p class="fk-value fk-blank">{numbers.MISSING}</p><p class="fk-why">{sentence(row["why_missing"])}</p>'
        )
    else:
        told = numbers.format_number(value, unit) if unit else numbers.format_cell(value)
        head, tail = (unit[:3], unit[3:].strip()) if numbers.is_money(unit) else ("", unit)
        parts = [f'<span class="fk-unit">{text(head)}</span>'] if head else []
        parts += [text(told)] + ([f'<span class="fk-unit">{text(tail)}</span>'] if tail else [])
        shown = f'<p class="fk-value">{" ".join(parts)}</p>'
    status = pill(row["status"]) if value is not None and row["status"] in STATUS_WORDS else ""
    target = f'<span class="fk-target">Target {sentence(row["target"])}</span>' if row["target"] else ""
    line = f'<p class="fk-status">{status}{target}</p>' if status or target else ""
    return f'<li class="fk-card"><h3 class="fk-name">{text(row["title"])}</h3>{shown}{line}</li>'


def chart_html(spec: Spec, identity: str) -> str:
    """A chart's place with its specification beside it; the page's script draws it when it appears."""
    about = spec["usermeta"]["finops"]
    plain = {key: value for key, value in spec.items() if key not in {"usermeta", "title"}}
    caption = f"<figcaption><strong>{text(about['title'])}</strong> {text(about['question'])}</figcaption>"
    drawn = text(json.dumps(plain, default=str))
    return (
        f'<figure class="chart">{caption}<div class="plot" id="{text(identity)}" role="img" '
        f'aria-label="Chart: {text(spec["description"])}" data-spec="{drawn}"></div></figure>'
    )


def show(published: Published, perspective: str, period: str, chosen: dict[str, str]) -> str:
    """The whole body of the dashboard for one choice, as HTML."""
    reading, tables = published.read(perspective, period)
    chosen = {name: member for name, member in chosen.items() if member != EVERYTHING}
    words = ", ".join(f"{SCOPE_WORDS[name].lower()} {member}" for name, member in chosen.items())
    start, end = date.fromisoformat(reading["period_start"]), date.fromisoformat(reading["period_end"])
    total = numbers.format_value(Decimal(reading["grand_total"]), reading["currency"])
    pairs = [
        ("Period", text(numbers.format_period(start, end))),
        ("Shown", text(words or scope_words(reading["scope"]))),
        ("Total of the page", text(total)),
        ("Store version", text(reading["store_version"])),
        ("Published", text(numbers.format_time(datetime.fromisoformat(reading["run"]["published_at"])))),
    ]
    parts = [
        f'<header class="fk-header"><p class="fk-lead">{text(reading["question"])}</p>'
        f'<p class="fk-answer">{sentence(reading["answer"])}</p>{facts(pairs)}</header>'
    ]
    if chosen:
        parts.append(
            '<p class="fk-note">The answer and the total are the published page\'s and cover everything; the tables '
            "and charts below show your selection only.</p>"
        )
    else:
        parts.append(f'<ul class="fk-cards">{"".join(map(_figure, reading["figures"]))}</ul>')
        trend = published.totals(perspective)
        if len(trend) > 1:
            unit = {"total": reading["currency"]}
            data = ChartData("trend", "Published totals", "How did the total develop?", trend, unit, {"total": "Total"})
            parts.append(chart_html(draw_bars(data, "month", "total", horizontal=False), "chart-trend"))
    left_out = []
    for key, about in reading["tables"].items():
        rows, unfollowed = narrow(tables[key], chosen)
        if unfollowed:
            left_out.append(about["title"])
            continue
        chart = choose_chart(about, rows)
        if chart:
            parts.append(chart_html(chart, f"chart-{key}"))
        names = [name for name in about["columns"] if not name.endswith("_why")]
        why = "There is nothing for this selection." if tables[key] else about["empty_because"]
        title, question, units, labels = (about[word] for word in ("title", "question", "units", "labels"))
        answer = "" if chosen else about.get("answer", "")
        grid = Grid(key, title, question, names, rows[:SHOWN_ROWS], len(rows), units, labels, why, answer)
        parts.append(grid_html(grid, _sums(about, rows) if chosen else ""))
    if left_out:
        told = f"Not shown, because they are not split by what you picked: {', '.join(left_out)}."
        parts.append(f'<p class="fk-note">{text(told)}</p>')
    return f'<div class="fk">{"".join(parts)}</div>'


def _sums(about: Row, rows: list[Row]) -> str:
    """What the shown rows add up to, per money column that is an amount and no rate."""
    said = []
    for name in about["columns"]:
        unit = about["units"].get(name, "")
        values = [row[name] for row in rows if isinstance(row[name], Decimal)]
        if len(unit) == 3 and numbers.is_money(unit) and values:
            label = about["labels"].get(name, name)
            said.append(f"{label}: {numbers.format_value(sum(values, Decimal(0)), unit)}")
    return f'<p class="fk-note">Sum of the selection: {text("; ".join(said))}.</p>' if said else ""


def assets_html() -> str:
    """Style and script of the dashboard, inline: nothing is asked of any host."""
    cache = os.environ.get(CACHE_VARIABLE)
    bundle = vega_bundle(Path(cache) if cache else None)
    themes = json.dumps({"light": vega_config("light"), "dark": vega_config("dark")})
    script = asset("live.js").replace("/*THEMES*/", f"var themes = {themes};")
    return f"<style>{page_css()}{asset('live.css')}</style><script>{bundle}</script><script>{script}</script>"


def dashboard(results: str | os.PathLike[str] = "") -> Any:
    """The widgets of the dashboard, ready to be the last expression of a cell.

    Parameters
    ----------
    results : the folder of the published result tables; default ``FINOPS_RESULTS``, else ``reports/results``
    """
    import ipywidgets as widgets

    folder = Path(results or os.environ.get(RESULTS_VARIABLE) or Path("reports") / "results").resolve()
    published = Published(folder)
    out = widgets.HTML()
    names = published.perspectives()
    if not names:
        out.value = '<div class="fk"><p class="notice watch">Nothing is published yet. Run finops report all.</p></div>'
        return out
    page = widgets.Dropdown(options=[(name.title(), name) for name in names], description="Page")
    period = widgets.Dropdown(options=published.periods(names[0]), description="Period")
    pickers = {n: widgets.Dropdown(options=[EVERYTHING], description=label) for n, label in SCOPE_WORDS.items()}
    state = {"busy": False}

    def offer() -> None:
        _, tables = published.read(page.value, period.value)
        found = members(tables)
        for name, picker in pickers.items():
            options = [EVERYTHING, *found.get(name, [])]
            kept = picker.value if picker.value in options else EVERYTHING
            picker.options, picker.value = options, kept
            picker.layout.display = None if len(options) > 1 else "none"

    def redraw() -> None:
        out.value = show(published, page.value, period.value, {name: picker.value for name, picker in pickers.items()})

    def react(prepare: Callable[[], None]) -> Callable[[Any], None]:
        def changed(_: Any) -> None:
            if state["busy"]:
                return
            state["busy"] = True
            try:
                prepare()
                redraw()
            except (OSError, KeyError, StopIteration):
                out.value = (
                    '<div class="fk"><p class="notice watch">A new run has just been published. '
                    "Load this page again to read it.</p></div>"
                )
            finally:
                state["busy"] = False

        return changed

    def other_page() -> None:
        known = published.periods(page.value)
        kept = period.value if period.value in known else known[0]
        period.options, period.value = known, kept
        offer()

    page.observe(react(other_page), "value")
    period.observe(react(offer), "value")
    for picker in pickers.values():
        picker.observe(react(lambda: None), "value")
    offer()
    redraw()
    bar = widgets.HBox([page, period, *pickers.values()])
    bar.add_class("fk-pickers")
    out.add_class("fk-out")
    box = widgets.VBox([bar, out])
    box.add_class("fk-live")
    return box
