"""Building blocks of a page as HTML: everything that comes from data is escaped here, and only here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from finops_kit.publish import numbers

if TYPE_CHECKING:  # a viewer's kernel imports neither the perspectives nor pandas
    from finops_kit.perspectives.reading import DataAge, Figure, NextStep, Reading

#: how a status is said in words, since colour alone says nothing to many readers
STATUS_WORDS = {"good": "On target", "watch": "Watch", "bad": "Off target"}
#: what in a sentence belongs together: an amount to its currency, a number to its per cent sign
_TOGETHER = re.compile(r"\b([A-Z]{3}) (?=[−+-]?\d)|(?<=\d) (?=%)")
_CODE = re.compile(r"`([^`]+)`")


def text(value: Any) -> str:
    """Escape one value for HTML.

    Example
    -------
    >>> text("<b>")
    '&lt;b&gt;'
    """
    return escape(str(value), quote=True)


def sentence(value: Any) -> str:
    """A sentence for HTML: amounts are never parted from their currency, and what stands in backticks is code.

    Example
    -------
    >>> sentence("Run `finops close`: EUR 5 is <= 3 % off.")
    'Run <code class="fk-command">finops close</code>: EUR\\xa05 is ≤ 3\\xa0% off.'
    """
    said = _TOGETHER.sub(lambda found: f"{found.group(1) or ''}\N{NO-BREAK SPACE}", str(value))
    said = said.replace("<= ", "≤ ").replace(">= ", "≥ ")
    return _CODE.sub(r'<code class="fk-command">\1</code>', text(said))


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


def freshness(ages: tuple[DataAge, ...]) -> list[tuple[str, str]]:
    """Up to when the bills reach, and up to when states were observed: the source that lags most stands for its kind.

    Example
    -------
    >>> freshness(())
    [('Data reach', 'nothing delivered')]
    """
    kinds: dict[str, list[DataAge]] = {}
    for age in ages:
        kind = age.source_system.rpartition("(")[2].rstrip(")") if "(" in age.source_system else "data"
        kinds.setdefault(kind, []).append(age)
    pairs = []
    for kind, mine in kinds.items():
        known = [age for age in mine if age.covers_until is not None and age.age_hours is not None]
        said = "unknown"
        if known:
            last = max(known, key=lambda age: age.age_hours or 0.0)
            said = f"{last.covers_until:%Y-%m-%d}, {numbers.format_age(last.age_hours)} old"
            if len(known) < len(mine):
                said += f"; {len(mine) - len(known)} unknown"
        pairs.append((f"{kind.capitalize()} {'reaches' if kind == 'state' else 'reach'}", text(said)))
    return pairs or [("Data reach", "nothing delivered")]


def next_steps(steps: Sequence[NextStep]) -> str:
    """What the reader is asked to do, each with its command and the table that it rests on."""
    if not steps:
        return ""
    said = "".join(
        f"<li>{sentence(step.say)}"
        + (f' <a href="#table-{text(step.table)}">See why</a>' if step.table else "")
        + (f' <code class="fk-command">{text(step.command)}</code>' if step.command else "")
        + "</li>"
        for step in steps
    )
    return (
        f'<section class="fk-next" aria-label="What to do next"><h2 class="fk-small">Next</h2><ol>{said}</ol></section>'
    )


def figure_card(reading: Reading, figure: Figure) -> str:
    """One figure as a card: what it is, the number, its target and status in words, and the way back to the charges."""
    missing = numbers.is_missing(figure.value)
    if missing:
        reason = figure.why_missing or "It cannot be computed from what the store holds."
        shown = f'<p class="fk-value fk-blank">{numbers.MISSING}</p><p class="fk-why">{sentence(reason)}</p>'
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
    target = f'<span class="fk-target">Target {sentence(figure.target)}</span>' if figure.target else ""
    status = "" if missing else pill(figure.status)
    line = f'<p class="fk-status">{status}{target}</p>' if status or target else ""
    meaning = f'<p class="fk-meaning">{sentence(figure.meaning)}</p>' if figure.meaning else ""
    trace = (
        details("Trace it", command(trace_words(reading, figure.measure, figure.filters)), "fk-trace")
        if figure.measure and not missing
        else ""
    )
    return (
        f'<li class="fk-card" id="figure-{text(figure.key)}"><h3 class="fk-name">{text(figure.title)}</h3>'
        f"{shown}{line}{meaning}{trace}</li>"
    )
