"""Tables of a page: their columns set by what they hold, the first rows in sight and the rest one click away.

A reader sees the rows that matter; the others are folded, open without any script, and are printed in full.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from finops_kit.publish import numbers
from finops_kit.publish.html import command, details, sentence, text, trace_words

if TYPE_CHECKING:  # a viewer's kernel imports neither the perspectives nor pandas
    from finops_kit.perspectives.reading import Reading, ResultTable

#: text up to this length stays on one line
SHORT_TEXT = 26
#: an identifier up to this length is shown whole; of a longer one the end, which tells it from others
SHORT_ID = 36
#: how many rows stand in sight, how many may stand beyond before they are folded, and how many a page carries
SHOWN, SLACK, CARRIED = 8, 3, 100
#: more columns than these do not fit side by side on a phone
NARROW = 3
#: what stands in for the name of a row's missing value
BLANK_NOTE = "— is no value in the store, not zero."


@dataclass(frozen=True)
class Grid:
    """A table to be shown: its rows as plain values, with the titles and units of its columns.

    ``rows`` are those to be shown of ``total``; a column named like another with ``_why`` behind it holds
    the reason of a missing value. ``shown`` of the rows stand in sight, all of them where it is None; ``fold`` puts
    even those away until the reader asks. ``also`` names columns that only the result table has.
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
    answer: str = ""
    shown: int | None = None
    fold: bool = False
    also: tuple[str, ...] = ()

    def is_number(self, name: str) -> bool:
        """Whether a column is set to the right: it has a unit, or only numbers."""
        if self.units.get(name):
            return True
        present = self.present(name)
        return bool(present) and all(
            isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) for value in present
        )

    def present(self, name: str) -> list[Any]:
        """The values of a column that are there."""
        return [row[name] for row in self.rows if not numbers.is_missing(row[name])]

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

    def digits(self, name: str) -> int | None:
        """How many decimals the numbers of a column share, so that their points stand below each other.

        None where each number takes the digits that it needs: whole numbers, money, and numbers below one.
        """
        unit = self.units.get(name, "")
        if numbers.is_money(unit) or "%" in unit:
            return None
        values = [abs(Decimal(str(value))) for value in self.present(name) if not isinstance(value, str)]
        if all(value == value.to_integral_value() for value in values) or any(0 < value < 1 for value in values):
            return None
        return 1 if unit in numbers.TIMES else 2

    def label(self, name: str) -> str:
        """The title of a column."""
        label = self.labels.get(name) or name.replace("_", " ")
        return label[:1].upper() + label[1:]

    def head(self, name: str) -> str:
        """The head of a column with its unit."""
        unit = self.unit(name)
        return text(self.label(name)) + (f' <span class="fk-unit">{text(unit)}</span>' if unit else "")

    def unit(self, name: str) -> str:
        """The unit of a column as its head says it: what the title says already is left out."""
        unit, label = self.units.get(name, ""), self.label(name).lower()
        if numbers.is_money(unit) and unit[3:].strip().lower() in label:
            return unit[:3]
        return "" if unit.lower() in label else unit


def _identifier(value: str) -> str:
    """A long identifier by its end, which opens to the whole; a short one as it is."""
    if len(value) <= SHORT_ID or " " in value:
        return text(value)
    end = value[-SHORT_ID:]
    cut = next((end.index(mark) for mark in ("/", ":") if 0 <= end.find(mark) < SHORT_ID - 12), 0)
    return (
        f'<details class="fk-long"><summary>…{text(end[cut:])}</summary><span class="fk-whole">{text(value)}</span>'
        "</details>"
    )


def _cell(grid: Grid, row: dict[str, Any], name: str, kind: str, digits: int | None) -> tuple[str, bool]:
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
        return text(numbers.format_number(value, grid.units.get(name, ""), digits)), False
    if "month" in name.lower() and numbers.is_month(value):
        return text(numbers.format_month(value)), False
    said = numbers.format_cell(value)
    return (_identifier(said) if kind == "fk-id" else sentence(said)), False


def _notes(grid: Grid, names: list[str], blanks: bool) -> str:
    """What a reader must know of a table: rows and columns that are elsewhere, and what a dash means."""
    notes = []
    if len(grid.rows) < grid.total:
        notes.append(f"{len(grid.rows):,} of {grid.total:,} rows; the result table {grid.key}.parquet has them all.")
    if grid.also:
        listed = ", ".join(grid.label(name).lower() for name in grid.also)
        notes.append(f"{grid.key}.parquet also says: {listed}.")
    if gone := [grid.label(name).lower() for name in grid.names if name not in names]:
        notes.append(f"No row has a value for {', '.join(gone)}.")
    if blanks:
        notes.append(BLANK_NOTE)
    return f'<p class="fk-note">{text(" ".join(notes))}</p>' if notes else ""


def grid_html(grid: Grid, after: str = "") -> str:
    """A table: what it says, its question, units in the heads, numbers to the right, blanks explained."""
    title, question = text(grid.title), text(grid.question)
    if grid.answer:
        caption = f'<span class="fk-title">{sentence(grid.answer)}</span> <span>{title}. {question}</span>'
    else:
        caption = f'<span class="fk-title">{title}</span> <span>{question}</span>'
    key, folds = text(grid.key), " data-fold" if grid.fold and grid.rows else ""
    opening = f'<section class="fk-tablebox" aria-label="{title}" id="table-{key}" data-key="{key}"{folds}>'
    if not grid.rows:
        reason = sentence(grid.empty_because or "There is nothing to show for this period and scope.")
        return f'{opening}<p class="fk-caption">{caption}</p><p class="fk-empty">{reason}</p></section>'
    # a column in which no row says anything, not even why, takes room and tells nothing
    names = [name for name in grid.names if grid.present(name) or any(row.get(f"{name}_why") for row in grid.rows)]
    names = names or grid.names
    made = _Body(grid, names)
    shown = len(grid.rows) if grid.shown is None or len(grid.rows) <= grid.shown + SLACK else grid.shown
    said = f"{sentence(grid.answer)} {title}. {question}".strip()
    whole = made.table(0, shown, said)
    if rest := len(grid.rows) - shown:
        whole += details(f"{rest} more rows", made.table(shown, len(grid.rows), f"{said} The other rows."), "fk-more")
    notes = _notes(grid, names, made.blanks)
    if grid.fold:
        count = f"{grid.total:,} rows" if grid.total > 1 else "1 row"
        inner = f"{whole}{notes}{after}"
        return (
            f'{opening}<details class="fk-fold"><summary class="fk-caption">{caption} '
            f'<span class="fk-count">{count}</span></summary>{inner}</details></section>'
        )
    return f'{opening}<p class="fk-caption" aria-hidden="true">{caption}</p>{whole}{notes}{after}</section>'


class _Body:
    """The rows of a grid as tables of some of them; remembers whether a blank said no reason."""

    def __init__(self, grid: Grid, names: list[str]) -> None:
        self.grid = grid
        self.names = names
        self.kinds = {name: grid.kind(name) for name in names}
        self.digits = {name: grid.digits(name) if self.kinds[name] == "fk-num" else None for name in names}
        self.blanks = False

    def table(self, first: int, end: int, caption: str) -> str:
        """The rows from one place to another; on a phone each becomes a card, its numbers with their heads."""
        wide = " fk-wide" if len(self.names) > NARROW else ""
        role = (lambda name: f' role="{name}"') if wide else (lambda name: "")  # a card is no table to a browser
        heads = "".join(
            f'<th scope="col"{role("columnheader")} class="{self.kinds[name]}">{self.grid.head(name)}</th>'
            for name in self.names
        )
        body = "".join(self._row(row, role) for row in self.grid.rows[first:end])
        return (
            f'<div class="fk-scroll" tabindex="0" role="region" aria-label="{text(self.grid.title)}, scrolls sideways">'
            f'<table class="fk-table{wide}"{role("table")}><caption class="fk-hidden">{caption}</caption>'
            f"<thead{role('rowgroup')}><tr{role('row')}>{heads}</tr></thead>"
            f"<tbody{role('rowgroup')}>{body}</tbody></table></div>"
        )

    def _row(self, row: dict[str, Any], role: Any) -> str:
        cells = []
        for place, name in enumerate(self.names):
            kind = self.kinds[name]
            shown, blank = _cell(self.grid, row, name, kind, self.digits[name])
            self.blanks = self.blanks or blank
            unit = self.grid.unit(name)
            label = text(f"{self.grid.label(name)}{f', {unit}' if unit else ''}")
            if place == 0:
                cells.append(f'<th scope="row"{role("rowheader")} class="{kind}">{shown}</th>')
            else:
                cells.append(f'<td{role("cell")} class="{kind}" data-label="{label}">{shown}</td>')
        return f"<tr{role('row')}>{''.join(cells)}</tr>"


def table_html(
    reading: Reading,
    table: ResultTable,
    columns: list[str] | None = None,
    rows: int | None = SHOWN,
    fold: bool = False,
) -> str:
    """A result table of a reading, with the command that traces a row."""
    frame = table.frame.head(max(CARRIED, rows or 0))
    every = [str(name) for name in table.frame.columns if not str(name).endswith("_why")]
    names = columns or every
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
        table.answer,
        rows,
        fold,
        tuple(name for name in every if name not in names),
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
