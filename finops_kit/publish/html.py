"""Building blocks of a page as HTML: everything that comes from data is escaped here, and only here."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from decimal import Decimal
from html import escape
from typing import Any

import pandas as pd

from finops_kit.perspectives.reading import DataAge, Figure, Reading, ResultTable
from finops_kit.publish import numbers

#: how a status is said in words, since colour alone says nothing to many readers
STATUS_WORDS = {"good": "On target", "watch": "Watch", "bad": "Off target"}
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
    """The command that lists the charges behind a figure: perspective, measure, period, version, filters."""
    words = ["finops", "trace", reading.perspective, measure, "--period", f"{reading.period_start:%Y-%m}"]
    if reading.scope:
        words += ["--scope", reading.scope]
    for name, value in filters.items():
        words += ["--filter", f"{name}={value}"]
    return [*words, "--as-of", str(reading.store_version)]


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


def _is_number(column: pd.Series, unit: str) -> bool:
    if unit:
        return True
    present = [value for value in column if not numbers.is_missing(value)]
    return bool(present) and all(
        isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) for value in present
    )


def _column_head(table: ResultTable, name: str) -> str:
    label = table.labels.get(name) or name.replace("_", " ")
    unit = table.units.get(name, "")
    shown = label[:1].upper() + label[1:]
    if unit and unit.lower() not in label.lower():
        return f'{text(shown)} <span class="fk-unit">{text(unit)}</span>'
    return text(shown)


def table_html(
    reading: Reading | None, table: ResultTable, columns: list[str] | None = None, rows: int | None = 25
) -> str:
    """A result table: caption with its question, units in the heads, numbers to the right, blanks explained."""
    caption = (
        f'<span class="fk-title">{text(table.title)}</span> <span class="fk-question">{text(table.question)}</span>'
    )
    if table.frame.empty:
        reason = table.empty_because or "There is nothing to show for this period and scope."
        return (
            f'<section class="fk-tablebox" aria-label="{text(table.title)}"><p class="fk-caption">{caption}</p>'
            f'<p class="fk-empty">{text(reason)}</p></section>'
        )
    names = columns or [name for name in table.frame.columns if not str(name).endswith("_why")]
    frame = table.frame if rows is None else table.frame.head(rows)
    numeric = {name: _is_number(table.frame[name], table.units.get(name, "")) for name in names}
    head = "".join(
        f'<th scope="col"{" class=fk-num" if numeric[name] else ""}>{_column_head(table, name)}</th>' for name in names
    )
    blanks, body = False, []
    for record in frame.to_dict("records"):
        cells = []
        for place, name in enumerate(names):
            value, unit = record[name], table.units.get(name, "")
            if numbers.is_missing(value):
                why = record.get(f"{name}_why")
                known = not numbers.is_missing(why) and bool(why)
                blanks = blanks or not known
                shown = f'<span class="fk-blank">{numbers.MISSING}</span> ' + (
                    f'<span class="fk-reason">{text(why)}</span>'
                    if known
                    else '<span class="fk-hidden">no value</span>'
                )
            elif numeric[name]:
                shown = text(numbers.format_number(value, unit))
            elif "month" in str(name).lower() and numbers.is_month(value):
                shown = text(numbers.format_month(value))
            else:
                shown = text(numbers.format_cell(value))
            if place == 0:
                cells.append(f'<th scope="row">{shown}</th>')
            else:
                cells.append(f"<td{' class=fk-num' if numeric[name] else ''}>{shown}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    notes = []
    if len(frame) < len(table.frame):
        notes.append(f"{len(frame):,} of {len(table.frame):,} rows; the result table {table.key}.parquet has them all.")
    if blanks:
        notes.append(BLANK_NOTE)
    after = "".join(f'<p class="fk-note">{text(note)}</p>' for note in notes)
    if reading is not None and table.measure:
        first = frame.iloc[0]
        filters = {name: str(first[name]) for name in table.trace_by if name in frame.columns}
        after += details(
            "Trace a row",
            f'<p class="fk-note">The first row, as an example; put another row\'s values in its place.</p>'
            f"{command(trace_words(reading, table.measure, filters))}",
            "fk-trace",
        )
    return (
        f'<section class="fk-tablebox" aria-label="{text(table.title)}">'
        f'<p class="fk-caption" aria-hidden="true">{caption}</p>'
        f'<div class="fk-scroll" tabindex="0" role="region" aria-label="{text(table.title)}, scrolls sideways">'
        f'<table class="fk-table"><caption class="fk-hidden">{text(table.title)}. {text(table.question)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>{after}</section>"
    )
