"""Building blocks of a page as HTML: everything that comes from data is escaped here, and only here."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING, Any

from finops_kit.publish import numbers

if TYPE_CHECKING:  # a viewer's kernel imports neither the perspectives nor pandas
    from finops_kit.perspectives.reading import DataAge, Figure, Reading, ResultTable

#: how a status is said in words, since colour alone says nothing to many readers
STATUS_WORDS = {"good": "On target", "watch": "Watch", "bad": "Off target"}
#: text up to this length stays on one line
SHORT_TEXT = 26
#: what stands in for the name of a row's missing value
BLANK_NOTE = "— means that the store has no value here at this version; it is not zero."


def text(value: Any) -> str:
    """Escape one value for HTML.

    Example
    -------
    >>> text("<b>")
    '&lt;b&gt;'
    """
    return escape(str(value), quote=True)


def pill(status: str) -> str:
    """A status as a small label in words; nothing for a figure without a target."""
    word = STATUS_WORDS.get(status)
    return f'<span class="fk-pill fk-{text(status)}">{text(word)}</span>' if word else ""


def command(words: Iterable[str]) -> str:
    """A shell command, quoted so that it can be copied and run as it stands.

    Example
    -------
    >>> command(["finops", "trace", "it's"])
    '<code class="fk-command">finops trace &#x27;it&#x27;&quot;&#x27;&quot;&#x27;s&#x27;</code>'
    """
    return f'<code class="fk-command">{text(shlex.join(words))}</code>'


def trace_words(reading: Reading, measure: str, filters: dict[str, str]) -> list[str]:
    """The command that lists the charges behind a figure: measure, period, scope, filters, version."""
    words = ["finops", "trace", measure, "--period", f"{reading.period_start:%Y-%m}"]
    if reading.scope:
        words += ["--scope", reading.scope]
    for name, value in filters.items():
        words += ["--filter", f"{name}={value}"]
    return [*words, "--currency", reading.currency, "--as-of", str(reading.store_version)]


def details(summary: str, body: str, kind: str = "") -> str:
    """A part that opens on demand; ``body`` is HTML already."""
    return f'<details class="fk-details {kind}"><summary>{text(summary)}</summary>{body}</details>'


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """A list of named facts; the values are HTML already."""
    rows = "".join(f"<div><dt>{text(name)}</dt><dd>{value}</dd></div>" for name, value in pairs)
    return f'<dl class="fk-facts">{rows}</dl>'


def scope_words(scope: str) -> str:
    """The scope in words.

    Example
    -------
    >>> scope_words(""), scope_words("team=core,service=payments")
    ('everything', 'team core, service payments')
    """
    return ", ".join(part.strip().replace("=", " ") for part in scope.split(",")) if scope else "everything"


def ages_table(ages: tuple[DataAge, ...]) -> str:
    """How old each source's data is: up to when it covers, and when the store learned it."""
    if not ages:
        return '<p class="fk-note">No source has delivered data at this version.</p>'
    rows = []
    for age in ages:
        covers = f"{age.covers_until:%Y-%m-%d %H:%M}" if age.covers_until else "unknown"
        known = f"{age.recorded_at:%Y-%m-%d %H:%M}" if age.recorded_at else "never"
        rows.append(
            f'<tr><th scope="row">{text(age.source_system)}</th><td>{text(covers)}</td><td>{text(known)}</td>'
            f'<td class="fk-num">{text(numbers.format_age(age.age_hours))}</td></tr>'
        )
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in ("Source", "Covers until, UTC", "Known since, UTC"))
    return (
        '<div class="fk-scroll" tabindex="0" role="region" aria-label="Age of the data"><table class="fk-table">'
        '<caption class="fk-hidden">Age of the data by source</caption>'
        f'<thead><tr>{head}<th scope="col" class="fk-num">Age</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def figure_card(reading: Reading, figure: Figure) -> str:
    """One figure as a card: what it is, the number, its target and status in words, and the way back to the charges."""
    missing = numbers.is_missing(figure.value)
    if missing:
        reason = figure.why_missing or "It cannot be computed from what the store holds."
        shown = f'<p class="fk-value fk-blank">{numbers.MISSING}</p><p class="fk-why">{text(reason)}</p>'
    elif isinstance(figure.value, str):
        unit = f' <span class="fk-unit">{text(figure.unit)}</span>' if figure.unit else ""
        shown = f'<p class="fk-value fk-words">{text(figure.value)}{unit}</p>'
    else:
        number = text(numbers.format_number(figure.value, figure.unit))
        if numbers.is_money(figure.unit):
            before, after = figure.unit[:3], figure.unit[3:].strip()
        else:
            before, after = "", figure.unit
        head = f'<span class="fk-unit">{text(before)}</span> ' if before else ""
        tail = f' <span class="fk-unit">{text(after)}</span>' if after else ""
        shown = f'<p class="fk-value">{head}{number}{tail}</p>'
    target = f'<span class="fk-target">Target {text(figure.target)}</span>' if figure.target else ""
    status = "" if missing else pill(figure.status)
    line = f'<p class="fk-status">{status}{target}</p>' if status or target else ""
    meaning = f'<p class="fk-meaning">{text(figure.meaning)}</p>' if figure.meaning else ""
    trace = (
        details("Trace it", command(trace_words(reading, figure.measure, figure.filters)), "fk-trace")
        if figure.measure and not missing
        else ""
    )
    return (
        f'<li class="fk-card" id="figure-{text(figure.key)}"><h3 class="fk-name">{text(figure.title)}</h3>'
        f"{shown}{line}{meaning}{trace}</li>"
    )


@dataclass(frozen=True)
class Grid:
    """A table to be shown: its rows as plain values, with the titles and units of its columns.

    ``rows`` are those to be shown of ``total``; a column named like another with ``_why`` behind it holds
    the reason of a missing value.
    """

    key: str
    title: str
    question: str
    names: list[str]
    rows: list[dict[str, Any]]
    total: int
    units: dict[str, str]
    labels: dict[str, str]
    empty_because: str = ""

    def is_number(self, name: str) -> bool:
        """Whether a column is set to the right: it has a unit, or only numbers."""
        if self.units.get(name):
            return True
        present = [row[name] for row in self.rows if not numbers.is_missing(row[name])]
        return bool(present) and all(
            isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) for value in present
        )

    def kind(self, name: str) -> str:
        """How a column is set: ``fk-num`` right, ``fk-short`` on one line, ``fk-id`` broken anywhere, ``fk-text`` wide.

        A command stays readable as code; an identifier may break anywhere; a sentence gets room for its words.
        """
        if self.is_number(name):
            return "fk-num"
        if "command" in name.lower():
            return "fk-cmd"
        said = [numbers.format_cell(row[name]) for row in self.rows]
        if max(map(len, said), default=0) <= SHORT_TEXT:
            return "fk-short"
        if any(len(word) > SHORT_TEXT for words in said for word in words.split()):
            return "fk-id"
        return "fk-text"

    def head(self, name: str) -> str:
        """The head of a column with its unit, which is left out where the title says it."""
        label = self.labels.get(name) or name.replace("_", " ")
        unit = self.units.get(name, "")
        shown = label[:1].upper() + label[1:]
        if unit and unit.lower() not in label.lower():
            return f'{text(shown)} <span class="fk-unit">{text(unit)}</span>'
        return text(shown)


def _cell(grid: Grid, row: dict[str, Any], name: str, kind: str) -> tuple[str, bool]:
    """One cell as HTML, and whether it is a blank that says no reason of its own."""
    value = row[name]
    if numbers.is_missing(value):
        why = row.get(f"{name}_why")
        if why and not numbers.is_missing(why):
            return f'<span class="fk-blank">{numbers.MISSING}</span> <span class="fk-reason">{text(why)}</span>', False
        return f'<span class="fk-blank">{numbers.MISSING}</span> <span class="fk-hidden">no value</span>', True
    if kind == "fk-cmd":
        return f'<code class="fk-command">{text(value)}</code>', False
    if kind == "fk-num":
        return text(numbers.format_number(value, grid.units.get(name, ""))), False
    if "month" in name.lower() and numbers.is_month(value):
        return text(numbers.format_month(value)), False
    return text(numbers.format_cell(value)), False


def grid_html(grid: Grid, after: str = "") -> str:
    """A table: caption with its question, units in the heads, numbers to the right, blanks explained."""
    title, question = text(grid.title), text(grid.question)
    caption = f'<span class="fk-title">{title}</span> <span class="fk-question">{question}</span>'
    opening = (
        f'<section class="fk-tablebox" aria-label="{title}" data-key="{text(grid.key)}">'
        f'<p class="fk-caption" aria-hidden="true">{caption}</p>'
    )
    if not grid.rows:
        reason = grid.empty_because or "There is nothing to show for this period and scope."
        return f'{opening}<p class="fk-empty">{text(reason)}</p></section>'
    kinds = {name: grid.kind(name) for name in grid.names}
    blanks, body = False, []
    for row in grid.rows:
        cells = []
        for place, name in enumerate(grid.names):
            shown, blank = _cell(grid, row, name, kinds[name])
            blanks = blanks or blank
            opens, closes = ('th scope="row"', "th") if place == 0 else ("td", "td")
            cells.append(f'<{opens} class="{kinds[name]}">{shown}</{closes}>')
        body.append(f"<tr>{''.join(cells)}</tr>")
    notes = []
    if len(grid.rows) < grid.total:
        notes.append(f"{len(grid.rows):,} of {grid.total:,} rows; the result table {grid.key}.parquet has them all.")
    if blanks:
        notes.append(BLANK_NOTE)
    heads = "".join(f'<th scope="col" class="{kinds[name]}">{grid.head(name)}</th>' for name in grid.names)
    told = "".join(f'<p class="fk-note">{text(note)}</p>' for note in notes)
    return (
        f'{opening}<div class="fk-scroll" tabindex="0" role="region" aria-label="{title}, scrolls sideways">'
        f'<table class="fk-table"><caption class="fk-hidden">{title}. {question}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(body)}</tbody></table></div>{told}{after}</section>"
    )


def table_html(reading: Reading, table: ResultTable, columns: list[str] | None = None, rows: int | None = 25) -> str:
    """A result table of a reading, with the command that traces a row."""
    frame = table.frame if rows is None else table.frame.head(rows)
    names = columns or [str(name) for name in table.frame.columns if not str(name).endswith("_why")]
    grid = Grid(
        table.key,
        table.title,
        table.question,
        names,
        [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")],
        len(table.frame),
        dict(table.units),
        dict(table.labels),
        table.empty_because,
    )
    after = ""
    if table.measure and grid.rows:
        first = grid.rows[0]
        filters = {name: numbers.format_cell(first[name]) for name in table.trace_by if name in first}
        after = details(
            "Trace a row",
            '<p class="fk-note">The first row, as an example; put another row\'s values in its place.</p>'
            + command(trace_words(reading, table.measure, filters)),
            "fk-trace",
        )
    return grid_html(grid, after)
