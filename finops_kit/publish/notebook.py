"""Verbs that a notebook shows a reading with: header, figures, table, footer.

Each returns an object that JupyterLab shows as HTML and the page builder takes over as it is. A notebook
holds no other code: what is shown was computed and tested before.

Example
-------
>>> from finops_kit.publish import notebook as page
>>> callable(page.header) and callable(page.footer)
True
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from finops_kit.errors import UsageError
from finops_kit.perspectives.reading import Reading, ResultTable
from finops_kit.publish import html, numbers
from finops_kit.publish.grid import SHOWN, table_html
from finops_kit.publish.result import RESULT_MIME, encode
from finops_kit.publish.style import NOTEBOOK_STYLE

__all__ = ["Part", "figures", "footer", "header", "table"]


class Part:
    """One part of a page: HTML for people, plain text for a terminal, and what the runner reads."""

    def __init__(self, body: str, plain: str, machine: dict[str, Any] | None = None, styled: bool = False) -> None:
        self.body = body
        self.plain = plain
        self.machine = machine
        self.styled = styled

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        style = NOTEBOOK_STYLE if self.styled else ""
        bundle: dict[str, Any] = {"text/html": f'{style}<div class="fk">{self.body}</div>', "text/plain": self.plain}
        if self.machine is not None:
            bundle[RESULT_MIME] = self.machine
        return bundle

    def __repr__(self) -> str:
        return self.plain


def header(reading: Reading) -> Part:
    """Title, audience and the answer in words, what to do next, period and scope, and up to when the data reach.

    A reader judges a figure by the age of its data; the age of every source, what the role owns and what it does not
    are one click away.
    """
    period = numbers.format_period(reading.period_start, reading.period_end)
    pairs = [
        ("Period", html.text(period)),
        ("Scope", html.text(html.scope_words(reading.scope))),
        ("Total", html.text(numbers.format_value(reading.grand_total, reading.currency))),
        *html.freshness(reading.ages),
        ("Store version", html.text(f"{reading.store_version}, as of {numbers.format_time(reading.version_time)}")),
    ]

    def listed(items: Sequence[str]) -> str:
        return "<ul>" + "".join(f"<li>{html.text(item)}</li>" for item in items) + "</ul>"

    roles = ""
    if reading.owns:
        roles += f'<div><h2 class="fk-small">This role owns</h2>{listed(reading.owns)}</div>'
    if reading.does_not_own:
        roles += f'<div><h2 class="fk-small">This role does not own</h2>{listed(reading.does_not_own)}</div>'
    about = (
        f'<div class="fk-context"><section class="fk-ages"><h2 class="fk-small">Age of the data</h2>'
        f"{html.ages_table(reading.ages)}</section>"
        f'<section class="fk-roles" aria-label="Ownership">{roles}</section></div>'
    )
    body = (
        f'<header class="fk-header"><p class="fk-eyebrow">{html.text(reading.audience)}</p>'
        f'<h1 class="fk-h1">{html.text(reading.title)}</h1>'
        f'<p class="fk-lead">{html.text(reading.question)}</p>'
        f'<div class="fk-top"><p class="fk-answer">{html.sentence(reading.answer)}</p>'
        f"{html.next_steps(reading.next_steps)}</div>{html.facts(pairs)}"
        f"{html.details('How old each source is; what this role owns and what it does not', about, 'fk-more')}"
        "</header>"
    )
    plain = f"{reading.title} — {period}: {reading.answer}"
    return Part(body, plain, styled=True)


def figures(reading: Reading, keys: Sequence[str] | None = None) -> Part:
    """The reading's figures as cards, or those named by ``keys`` in that order.

    Raises
    ------
    UsageError : a key that the reading does not have
    """
    chosen = list(reading.figures)
    if keys is not None:
        known = {figure.key: figure for figure in reading.figures}
        unknown = [key for key in keys if key not in known]
        if unknown:
            raise UsageError(
                f"The {reading.perspective} reading has no figure '{unknown[0]}'; it has {', '.join(known)}."
            )
        chosen = [known[key] for key in keys]
    cards = "".join(html.figure_card(reading, figure) for figure in chosen)
    plain = "\n".join(f"{figure.title}: {numbers.format_value(figure.value, figure.unit)}" for figure in chosen)
    return Part(f'<h2 class="fk-hidden">Key figures</h2><ul class="fk-cards">{cards}</ul>', plain)


def table(
    reading: Reading, key: str, columns: Sequence[str] | None = None, rows: int | None = SHOWN, fold: bool = False
) -> Part:
    """One result table of the reading: ``rows`` stand in sight, the others are folded, and ``fold`` folds them all.

    ``columns`` limits what is shown and says so, never what is published.

    Raises
    ------
    UsageError : a table or a column that the reading does not have
    """
    chosen = _result_table(reading, key)
    if columns is not None and not chosen.frame.empty:
        unknown = [name for name in columns if name not in chosen.frame.columns]
        if unknown:
            raise UsageError(
                f"The table '{key}' has no column '{unknown[0]}'; it has {', '.join(map(str, chosen.frame.columns))}."
            )
    body = table_html(reading, chosen, list(columns) if columns is not None else None, rows, fold)
    return Part(body, f"{chosen.title} ({len(chosen.frame)} rows)")


def _result_table(reading: Reading, key: str) -> ResultTable:
    if key not in reading.tables:
        raise UsageError(f"The {reading.perspective} reading has no table '{key}'; it has {', '.join(reading.tables)}.")
    return reading.tables[key]


def _root(reading: Reading) -> str:
    """The Merkle root that the figures stand on, by whom it is signed, and how the ledger is held against it."""
    if not reading.ledger_root:
        return "none"
    size = reading.ledger_size
    signed = (
        f'signed by log <code class="fk-hash">{html.text(reading.ledger_signed_by)}</code>'
        if reading.ledger_signed_by
        else "not signed: it proves nothing against whoever can rewrite the whole store"
    )
    check = html.command(["finops", "ledger", "check", "--root", reading.ledger_root, "--size", str(size)])
    return f'<code class="fk-hash">{html.text(reading.ledger_root)}</code> over {size:,} entries, {signed}. {check}'


def footer(reading: Reading) -> Part:
    """Caveats, where the figures come from and how to make them again; carries the machine-readable result."""
    caveats = "".join(f"<li>{html.sentence(caveat)}</li>" for caveat in reading.caveats)
    told = f'<h2 class="fk-small">Caveats</h2><ul class="fk-caveats">{caveats}</ul>' if caveats else ""
    words = ["finops", "report", reading.perspective, "--period", f"{reading.period_start:%Y-%m}"]
    if reading.scope:
        words += ["--scope", reading.scope]
    words += ["--currency", reading.currency, "--as-of", str(reading.store_version)]
    pairs = [
        ("Store version", html.text(reading.store_version)),
        ("As of", html.text(numbers.format_time(reading.version_time))),
        ("Ledger head", f'<code class="fk-hash">{html.text(reading.ledger_head or "the ledger is empty")}</code>'),
        ("Ledger root", _root(reading)),
        ("Make it again", html.command(words)),
    ]
    body = (
        f'<footer class="fk-footer">{told}<h2 class="fk-small">Where this comes from</h2>{html.facts(pairs)}</footer>'
    )
    return Part(body, f"Store version {reading.store_version}, ledger head {reading.ledger_head}", encode(reading))
