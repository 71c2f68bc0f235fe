"""How a column is declared: its name, its type in the store, its unit and what it means."""

from __future__ import annotations

from dataclasses import dataclass

#: money and unit prices: 24 decimals occur in real bills, so nothing that they say is cut off
MONEY = "DECIMAL(38,24)"
#: quantities: a petabyte in bytes needs 16 digits before the point
QUANTITY = "DECIMAL(38,18)"
TEXT = "VARCHAR"
TIME = "TIMESTAMPTZ"
DAY = "DATE"
COUNT = "BIGINT"
FLAG = "BOOLEAN"
TAGS = "MAP(VARCHAR, VARCHAR)"
TEXTS = "VARCHAR[]"
#: what changed: the dimension, its value before and after as text, and when it was last seen as before
CHANGES = "STRUCT(dimension VARCHAR, before VARCHAR, after VARCHAR, at_lo TIMESTAMPTZ)[]"


@dataclass(frozen=True)
class Field:
    """One column, declared once.

    Attributes
    ----------
    name : the column's name, FOCUS spelling for FOCUS columns, snake_case for ours
    type : its DuckDB type in the store
    meaning : one sentence in the field's words
    unit : the unit of its values, or the name of the column that holds the unit
    since : the FOCUS version that brought it ("" for a column of ours)
    until : the last FOCUS version that has it ("" while it stands)
    required : whether a row without it is quarantined
    """

    name: str
    type: str
    meaning: str
    unit: str = ""
    since: str = ""
    until: str = ""
    required: bool = False


@dataclass(frozen=True)
class Table:
    """One table of the store: what a row is, and its columns in order."""

    name: str
    grain: str
    fields: tuple[Field, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The column names in order."""
        return tuple(field.name for field in self.fields)

    def field(self, name: str) -> Field:
        """The declaration of one column.

        Raises
        ------
        KeyError : the table has no such column
        """
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.name} has no column {name!r}")

    @property
    def ddl(self) -> str:
        """The column list of CREATE TABLE."""
        return ", ".join(f'"{field.name}" {field.type}' for field in self.fields)


#: in every table: which batch brought a row; in those filled from files: from which row of the file
BATCH = Field("batch_id", TEXT, "The batch that brought the row; see the ledger.", required=True)
ROW = Field("source_row", COUNT, "Row in the source file: 1 is the first after the header.", required=True)
