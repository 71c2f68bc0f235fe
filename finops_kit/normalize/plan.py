"""How the columns of one file become rows of one table, as SQL over the whole file at once.

A plan has two layers. Inputs read raw text as exact values, once per column; outputs are expressions over
the inputs. A plan can be rendered in two ways: *strict* stops at the first value that cannot be read, which
costs nothing on a good file; *careful* sorts good rows from bad and says what is wrong with each bad one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from finops_kit.fields import DAY, MONEY, QUANTITY, TAGS, TEXT, TIME
from finops_kit.normalize.entries import entries_map, escaped, unique_names
from finops_kit.normalize.exact import as_text, read_text
from finops_kit.sources.formats import canonical
from finops_kit.sources.nested import FlatColumn
from finops_kit.sources.quick import ENTRIES, MOST_ENTRIES, quick_name

#: the strict statement fails with this text where a row has to be quarantined
UNREADABLE = "finops_kit: a row cannot be read"
#: ... or with the engine's own, where a JSON object of tags names a key twice
REPEATED_KEY = "Map keys must be unique"

#: what exporters print for nothing in a column of numbers or times; in a text column it stands as it is
NOTHING = "('None', 'null')"

#: more entries of ``x_Columns`` than this are very many
MANY = 40
#: a column of the file itself, no expression over some
_COLUMN = re.compile(r"c[0-9]+")

_EXPECTED = {
    MONEY: "a number of at most 14 digits before the point",
    QUANTITY: "a number of at most 20 digits before the point",
    TIME: "a time such as 2026-09-01T00:00:00Z",
    DAY: "a day such as 2026-09-01",
}


@dataclass(frozen=True)
class Input:
    """One raw column read as one type.

    Attributes
    ----------
    name : what the outputs call it
    raw : the raw column (``c7``); empty where the file has no such column
    kind : the type it is read as
    engine_type : the type it comes as; VARCHAR from delimited text
    required : whether a row without it is quarantined
    header : the column's name in the file
    reading : SQL that reads the text ``{}`` where the format writes it in its own way
    """

    name: str
    raw: str
    kind: str
    engine_type: str = "VARCHAR"
    required: bool = False
    header: str = ""
    reading: str = ""

    @property
    def text(self) -> str:
        """The SQL of the raw text."""
        if not self.raw:
            return "NULL::VARCHAR"
        return self.raw if self.engine_type == "TEXT" else as_text(self.raw, self.engine_type)

    @property
    def quick(self) -> str:
        """The column of the scan that holds this column's values where they could be read at once."""
        comes = ("TEXT", "VARCHAR") if self.kind == TAGS else ("TEXT",)
        plain = self.engine_type in comes and not self.reading and _COLUMN.fullmatch(self.raw)
        return quick_name(self.raw, self.kind) if plain else ""

    @property
    def value(self) -> str:
        """The SQL of the value; null where there is none or it cannot be read."""
        if not self.raw:
            return f"NULL::{self.kind}"
        direct = _direct(self, "TRY_CAST")
        if direct and self.kind == TIME:
            return f"CASE WHEN {_in_range(self)} THEN {direct} END"
        return direct or self._read

    @property
    def _read(self) -> str:
        slow = self.reading.replace("{}", self.text) if self.reading else read_text(self.kind, self.text)
        return self._quick_or(slow)

    def _quick_or(self, slow: str) -> str:
        """What was read at once, else ``slow``. Out of a coalesce the engine would lift common parts to every row."""
        if not self.quick:
            return slow
        if self.kind == TAGS:  # few rows have none, and where no row takes the first branch no map is copied
            return f"CASE WHEN {self.quick} IS NULL AND {self.raw} IS NOT NULL THEN {slow} ELSE {self.quick} END"
        return f"CASE WHEN {self.quick} IS NOT NULL THEN {self.quick} ELSE {slow} END"

    @property
    def strict(self) -> str:
        """The SQL of the value, which fails where the row would have to be quarantined."""
        if self.kind == TAGS:
            quick = self._quick_or(f"quick_tags_map({self.text})") if self.raw and not self.reading else self.value
            return _direct(self) or quick
        if self.kind == TEXT and not self.required:
            return self.value
        stop = f"CAST(error('{UNREADABLE}') AS {self.kind})"
        if not self.raw:
            return stop if self.required else self.value
        value = _direct(self)
        if value and self.kind == TIME:
            empty = stop if self.required else f"NULL::{TIME}"
            return f"CASE WHEN {self.raw} IS NULL THEN {empty} WHEN {_in_range(self)} THEN {value} ELSE {stop} END"
        if value or self.kind == TEXT:
            value = value or self.value
            return f"CASE WHEN ({value}) IS NULL THEN {stop} ELSE {value} END" if self.required else value
        nothing = stop if self.required else f"CASE WHEN {self.text} NOT IN {NOTHING} THEN {stop} END"
        return self._quick_or(f"coalesce({self.value}, {nothing})")


def _direct(given: Input, cast: str = "CAST") -> str | None:
    """A cast without the way over text, where the column comes typed and the cast is exact; a time must be in range."""
    comes = given.engine_type.upper()
    if given.kind in (MONEY, QUANTITY) and comes.startswith("DECIMAL("):
        decimals = int(comes[8:-1].split(",")[1])
        if decimals <= (24 if given.kind == MONEY else 18):
            return f"{cast}({given.raw} AS {given.kind})"
    if given.kind in (MONEY, QUANTITY) and comes in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT"):
        return f"{cast}({given.raw} AS {given.kind})"
    if given.kind == TIME and comes == "TIMESTAMP":
        return f"make_timestamptz(epoch_us({given.raw}))"  # the cast asks a calendar for each row
    if given.kind == TIME and comes.startswith("TIMESTAMP"):
        return f"CAST({given.raw} AS TIMESTAMPTZ)"
    if given.kind == TAGS and comes == "MAP(VARCHAR, VARCHAR)":
        return f"trimmed_map({given.raw})"
    return None


def _in_range(given: Input) -> str:
    """Whether a typed time is one that a bill can have."""
    zone, offset = ("TIMESTAMPTZ", "+00") if "WITH TIME ZONE" in given.engine_type.upper() else ("TIMESTAMP", "")
    return f"{given.raw} BETWEEN {zone} '1970-01-02 00:00:00{offset}' AND {zone} '2200-01-01 00:00:00{offset}'"


@dataclass(frozen=True)
class Rule:
    """Something a row must not be, beyond values that cannot be read."""

    column: str
    bad: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """How one file becomes rows of one table.

    Attributes
    ----------
    table : the table of the store
    source_system : the format's family; empty for tables that have no such column
    inputs : raw columns and the types they are read as
    steps : named values between inputs and outputs, each over the inputs and the steps before it
    outputs : target column to SQL over the inputs' names
    extras : (key, SQL of the raw text) of what goes into ``x_Columns``
    rare : the same of what hardly any row has
    rules : further conditions that put a row into quarantine
    cost, currency : the raw columns whose control sum is taken, for a bill
    cost_else : the cost where the cost column is empty
    credits : the raw column of a list of credits that the cost does not contain yet
    controlled : the output whose sum must equal the file's own sum of ``cost``
    appends : the file adds to its period, which other files have delivered in part
    dataset : what the file delivers; only ``charge`` counts as current charges
    remark : what the ingest report says about every file that is taken in by this plan
    unused : header names that nothing takes
    text : the rows come as text
    """

    table: str
    source_system: str
    inputs: tuple[Input, ...]
    outputs: dict[str, str]
    extras: tuple[tuple[str, str], ...] = ()
    rare: tuple[tuple[str, str], ...] = ()
    steps: tuple[dict[str, str], ...] = ()
    rules: tuple[Rule, ...] = ()
    cost: Input | None = None
    currency: Input | None = None
    cost_else: Input | None = None
    credits: Input | None = None
    controlled: str = "BilledCost"
    appends: bool = False
    dataset: str = "charge"
    remark: str = ""
    unused: tuple[str, ...] = field(default=())
    text: bool = False

    @property
    def quick(self) -> list[tuple[str, str]]:
        """The columns of a text file that are read at once while they pass by, and the types they are read as."""
        return sorted({(given.raw, given.kind) for given in self.inputs if given.quick})

    @property
    def quick_entries(self) -> tuple[tuple[str, str], ...]:
        """The columns of a text file whose texts become entries of ``x_Columns``, where they are read at once."""
        plain = self.text and all(_COLUMN.fullmatch(sql) for _, sql in self.extras)
        return self.extras if plain and len(self.extras) <= MOST_ENTRIES else ()

    @property
    def cost_text(self) -> str:
        """The SQL of the text whose sum is controlled."""
        texts = [given.text for given in (self.cost, self.cost_else) if given]
        return f"coalesce({', '.join(texts)})" if texts else "NULL::VARCHAR"

    def _targets(self) -> str:
        columns = [f'{sql} AS "{name}"' for name, sql in self.outputs.items()]
        if self.extras or self.rare:
            columns.append(f'{self._entries} AS "x_Columns"')
        if self.source_system:
            columns.append(f"'{self.source_system}' AS source_system")
        columns.append("source_row")
        return ", ".join(columns)

    @property
    def wide(self) -> bool:
        """Whether its rows have maps of very many entries, as a CUR's with some 80 further columns."""
        return len(self.extras) > MANY

    @property
    def columns(self) -> list[str]:
        """The names of the columns that its rows have."""
        entries = ["x_Columns"] if self.extras or self.rare else []
        return [*self.outputs, *entries, *(["source_system"] if self.source_system else []), "source_row"]

    @property
    def _entries(self) -> str:
        """The SQL of ``x_Columns``. Rows without anything rare take a shorter way."""
        usual = entries_map(self.extras) if self.extras else f"NULL::{TAGS}"
        if self.quick_entries:
            some = " OR ".join(f"{sql} IS NOT NULL" for _, sql in self.extras)
            usual = f"CASE WHEN {ENTRIES} IS NULL AND ({some}) THEN {usual} ELSE {ENTRIES} END"
        if not self.rare:
            return usual
        none = " AND ".join(f"({sql}) IS NULL" for _, sql in self.rare)
        return f"CASE WHEN {none} THEN {usual} ELSE {entries_map((*self.extras, *self.rare))} END"

    def _stepped(self, inner: str) -> str:
        for step in self.steps:
            named = ", ".join(f'{sql} AS "{name}"' for name, sql in step.items())
            inner = f"SELECT *, {named} FROM ({inner})"
        return inner

    def strict_sql(self, scan: str) -> str:
        """All rows, or an error that says :data:`UNREADABLE`."""
        values = [f'{given.strict} AS "{given.name}"' for given in self.inputs]
        rules = [
            f"CASE WHEN {rule.bad} THEN CAST(error('{UNREADABLE}') AS BOOLEAN) END AS rule_{i}"
            for i, rule in enumerate(self.rules)
        ]
        inner = self._stepped(f"SELECT raw.*, {', '.join(values)} FROM ({scan}) raw")
        if rules:
            checks = " AND ".join(f"rule_{i} IS NULL" for i in range(len(rules)))
            inner = f"SELECT * FROM (SELECT *, {', '.join(rules)} FROM ({inner})) WHERE {checks}"
        return f"SELECT {self._targets()} FROM ({inner})"

    def _sorted_sql(self, scan: str) -> str:
        values = ", ".join(f'{given.value} AS "{given.name}"' for given in self.inputs)
        cases, reasons = [], []
        for given in self.inputs:
            label = escaped(given.header or given.name)
            if given.required:
                empty = f'"{given.name}" IS NULL AND coalesce(({given.text}) IN {NOTHING}, true)'
                cases.append(f"WHEN {empty} THEN '{label}'")
                reasons.append(f"WHEN {empty} THEN 'mandatory, but empty'")
            if given.raw and given.kind not in (TEXT, TAGS):
                bad = f'"{given.name}" IS NULL AND ({given.text}) NOT IN {NOTHING}'
                expected = escaped(_EXPECTED.get(given.kind, given.kind.lower()))
                cases.append(f"WHEN {bad} THEN '{label}'")
                reasons.append(f"WHEN {bad} THEN '''' || left({given.text}, 80) || ''' is not {expected}'")
        for rule in self.rules:
            cases.append(f"WHEN {rule.bad} THEN '{escaped(rule.column)}'")
            reasons.append(f"WHEN {rule.bad} THEN '{escaped(rule.reason)}'")
        column = f"CASE {' '.join(cases)} END" if cases else "NULL"
        reason = f"CASE {' '.join(reasons)} END" if reasons else "NULL"
        inner = self._stepped(f"SELECT raw.*, {values} FROM ({scan}) raw")
        return f"SELECT *, {column} AS problem_column, {reason} AS problem FROM ({inner})"

    def careful_sql(self, scan: str) -> str:
        """The rows that can be stored."""
        return f"SELECT {self._targets()} FROM ({self._sorted_sql(scan)}) WHERE problem IS NULL"

    def quarantine_sql(self, scan: str, headers: list[tuple[str, str]]) -> str:
        """The rows that cannot be stored, with column, reason and the raw row as JSON; plus cost and currency.

        Parameters
        ----------
        headers : (name in the file, SQL of its raw text) of every column
        """
        pairs = ", ".join(f"'{escaped(name)}', {sql}" for name, sql in headers)
        cost = self.cost_text
        currency = self.currency.text if self.currency else "NULL::VARCHAR"
        credits = self.credits.text if self.credits else "NULL::VARCHAR"
        return (
            f"SELECT source_row, problem_column AS column_name, problem AS reason, "
            f"CAST(json_object({pairs}) AS VARCHAR) AS raw, {cost} AS cost_text, {currency} AS currency_text, "
            f"{credits} AS credits_text "
            f"FROM ({self._sorted_sql(scan)}) WHERE problem IS NOT NULL"
        )


class Header:
    """The columns of one file by the names that its format gives them, and as the inputs of a plan.

    Example
    -------
    >>> from finops_kit.sources.nested import flat_columns
    >>> columns = Header(flat_columns(["Billing Cycle", "Zone X"], None))
    >>> columns.given("BillingCycle").raw, columns.given("Currency").raw, columns.rest({"c0"})
    ('c0', '', (('Zone X', 'c1'),))
    """

    def __init__(self, columns: Sequence[FlatColumn], places: Mapping[str, int] | None = None) -> None:
        """Names are compared as ``canonical`` has them, the first of equal ones counts; or as ``places`` says."""
        self.columns = columns
        self.places: dict[str, int] = {}
        if places is not None:
            self.places.update({canonical(name): place for name, place in places.items()})
        else:
            for i, column in enumerate(columns):
                self.places.setdefault(canonical(column.name), i)

    def given(self, name: str, kind: str = TEXT, required: bool = False, reading: str = "") -> Input:
        """The column of this name as an input; one without a raw column where the file has none."""
        place = self.places.get(canonical(name))
        if place is None:
            return Input(name, "", kind, "TEXT", required, name, reading)
        found = self.columns[place]
        return Input(name, found.sql, kind, found.type, required, found.name, reading)

    def inputs(
        self, names: Iterable[str], kinds: Mapping[str, str], needs: Collection[str], readings: Mapping[str, str]
    ) -> dict[str, Input]:
        """Inputs by name.

        Parameters
        ----------
        kinds : the types of those that are no text
        needs : those without which a row is quarantined
        readings : how the format writes a name's values, or those of a type, in its own way
        """
        typed = [(name, kinds.get(name, TEXT)) for name in dict.fromkeys(names)]
        return {
            name: self.given(name, kind, name in needs, readings.get(name) or readings.get(kind, ""))
            for name, kind in typed
        }

    def rest(self, taken: Collection[str]) -> tuple[tuple[str, str], ...]:
        """What goes into ``x_Columns``: every column's unique name and its text, without the raw columns ``taken``."""
        names = unique_names([column.name for column in self.columns])
        return tuple(
            (shown or f"column {i + 1}", Input(shown, column.sql, TEXT, column.type).text)
            for i, (column, shown) in enumerate(zip(self.columns, names, strict=True))
            if column.sql not in taken
        )


__all__ = ["REPEATED_KEY", "UNREADABLE", "Header", "Input", "Plan", "Rule"]
