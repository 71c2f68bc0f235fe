"""The overview: six cards with each page's answer, its total, its period and its age, and whether they agree."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from finops_kit.perspectives.reading import PERSPECTIVES
from finops_kit.publish.html import scope_words, sentence, text
from finops_kit.publish.numbers import format_age, format_period, format_time, format_value
from finops_kit.publish.page import Document, assemble

#: what each perspective is for, shown while its page is missing
FOR = {
    "engineering": "What to fix, priced, with the command",
    "product": "Unit economics, showback, cost per customer",
    "finance": "Forecast, budget, variance, accruals",
    "procurement": "Contracts, renewals, concentration",
    "leadership": "The whole against the budget, on one page",
    "practitioner": "Data quality, allocation, anomalies, cadence",
}


def _period(page: dict[str, Any]) -> str:
    return format_period(date.fromisoformat(page["period_start"]), date.fromisoformat(page["period_end"]))


def _card(page: dict[str, Any]) -> str:
    ages = [age["age_hours"] for age in page["ages"] if age["age_hours"] is not None]
    unknown = sum(age["age_hours"] is None for age in page["ages"])
    age = (
        f"{format_age(min(ages))} to {format_age(max(ages))}"
        if len(ages) > 1
        else format_age(ages[0] if ages else None)
    )
    if unknown and ages:
        age += f"; {unknown} unknown"
    facts = (
        ("Total", format_value(Decimal(page["grand_total"]), page["currency"])),
        ("Period", _period(page)),
        ("Scope", scope_words(page["scope"])),
        ("Store version", str(page["version"])),
        ("Age of the data", age),
        ("Published", format_time(datetime.fromisoformat(page["published_at"]))),
    )
    first = next((step["say"] for step in page.get("next_steps", ())), "")  # pages of an earlier version have none
    asked = f'<p class="asked"><span>Next</span> {sentence(first)}</p>' if first else ""
    listed = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in facts)
    return (
        f'<li><h2><a href="{text(page["perspective"])}.html">{text(page["title"])}</a></h2>'
        f'<p class="who">{text(page["audience"])}</p><p class="said">{sentence(page["answer"])}</p>'
        f"{asked}"
        f"<dl>{listed}</dl></li>"
    )


def _missing(name: str) -> str:
    return (
        f'<li class="missing"><h2>{text(name.title())}</h2><p class="who">{text(FOR[name])}</p>'
        f'<p class="said">Not published yet. Run <code>finops report {text(name)}</code>.</p></li>'
    )


def agreement(pages: dict[str, dict[str, Any]]) -> tuple[str, str]:
    """Whether the published pages tell the same story, as a kind (good, watch, bad) and a sentence.

    Pages of different periods, scopes, currencies or versions cannot be held against each other; that is said.
    """
    if not pages:
        return "watch", "Nothing is published yet. Run finops report all."
    shown = list(pages.values())
    missing = [name.title() for name in PERSPECTIVES if name not in pages]
    same = {(page["period_start"], page["scope"], page["currency"]) for page in shown}
    versions = sorted({page["version"] for page in shown})
    totals = {Decimal(page["grand_total"]).quantize(Decimal("0.01")) for page in shown}
    said = []
    kind = "good"
    if len(same) > 1:
        kind = "watch"
        said.append("The pages are of different periods, scopes or currencies, so their totals are not comparable.")
    elif len(versions) > 1:
        kind = "watch"
        older = [page["title"] for page in shown if page["version"] < versions[-1]]
        verb = "reads" if len(older) == 1 else "read"
        said.append(
            f"{_listed(older)} {verb} an older store version than the others; run finops report all to align them."
        )
    elif len(totals) > 1:
        kind = "bad"
        said.append("The totals of these pages do not agree; do not use them, and run finops report all again.")
    elif len(shown) > 1:
        page = shown[0]
        total = format_value(Decimal(page["grand_total"]), page["currency"])
        count = {2: "Both", 6: "All six"}.get(len(shown), f"All {len(shown)}")
        said.append(f"{count} perspectives add up to the same {total}, to the cent, at store version {versions[0]}.")
    if missing:
        kind = "watch" if kind == "good" else kind
        said.append(f"Not published yet: {_listed(missing)}.")
    return kind, " ".join(said) or "One perspective is published."


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def build_index(pointer: dict[str, Any]) -> str:
    """The overview page of everything that is published."""
    pages = {name: pointer["pages"][name] for name in PERSPECTIVES if name in pointer["pages"]}
    kind, sentence = agreement(pages)
    cards = "".join(_card(pages[name]) if name in pages else _missing(name) for name in PERSPECTIVES)
    body = [
        '<h1 class="top">Six readings of one truth</h1>',
        '<p class="lead">Each page answers one role\'s questions from the same version of the same store. '
        "Every figure leads back to the lines of the bill.</p>",
        f'<p class="notice {kind}" role="status">{text(sentence)}</p>',
        f'<ul class="overview">{cards}</ul>',
    ]
    return assemble("Overview", "index", Document(body, []))
