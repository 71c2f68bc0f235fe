"""Workbooks (xlsx) as rows of text, sheet by sheet, read as a stream; nothing in them is run.

A sheet may claim a million rows and hold ten; a workbook is a zip archive and may be a bomb. Numbers come as the
shortest text that means the same number, so an amount typed as 0.1 is 0.1 here.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from typing import Any

from finops_kit.errors import SourceRefused
from finops_kit.sources.files import BOMB_RATIO, SourceFile

#: the format's own limit
MAX_ROWS = 1_048_576
#: unpacked, in bytes
MAX_BYTES = 1 << 30


class Workbook:
    """An open workbook. Made by :func:`open_workbook`.

    Attributes
    ----------
    sheets : the names of its sheets, in their order
    """

    def __init__(self, book: Any, name: str) -> None:
        self._book = book
        self._name = name
        self.sheets: list[str] = [sheet.title for sheet in book.worksheets]

    def rows(self, sheet: str) -> Iterator[tuple[int, list[str | None]]]:
        """The rows of a sheet that hold anything, with their numbers as the sheet counts them.

        Raises
        ------
        SourceRefused : the sheet is damaged, or has more rows than a sheet can have
        """
        view = self._book[sheet]
        view.reset_dimensions()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                for number, cells in enumerate(view.iter_rows(values_only=True), start=1):
                    if number > MAX_ROWS:
                        raise SourceRefused(
                            f"{self._name}: sheet {sheet} has more than {MAX_ROWS:,} rows; no sheet can."
                        )
                    values = [as_cell(value) for value in cells]
                    if any(value is not None for value in values):
                        yield number, values
            except SourceRefused:
                raise
            except Exception as error:
                raise SourceRefused(
                    f"{self._name}: sheet {sheet} is damaged ({str(error)[:120]}). Save the workbook again."
                ) from error

    def records(self, sheet: str) -> Iterator[tuple[int, dict[str, str]]]:
        """The rows below a sheet's first one, by its headings; empty cells are left out."""
        heading: list[str | None] | None = None
        for number, values in self.rows(sheet):
            if heading is None:
                heading = values
                continue
            yield (
                number,
                {
                    name: value
                    for name, value in zip(heading, values, strict=False)
                    if name is not None and value is not None
                },
            )


def as_cell(value: Any) -> str | None:
    """A cell's value as text; None where it is empty.

    Example
    -------
    >>> as_cell(0.1), as_cell(3.0), as_cell(datetime(2026, 9, 1)), as_cell(" x "), as_cell(" ")
    ('0.1', '3', '2026-09-01', 'x', None)
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    if isinstance(value, date | time | timedelta):
        return str(value)
    return str(value).strip() or None


@contextmanager
def open_workbook(source: SourceFile) -> Iterator[Workbook]:
    """Open a workbook for reading.

    Raises
    ------
    SourceRefused : it is damaged, encrypted, a bomb, or no workbook
    """
    import openpyxl  # heavy, and rarely needed

    check_zip(source)
    with source.path.open("rb") as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
        except Exception as error:
            raise SourceRefused(
                f"{source.name} is no readable workbook ({str(error)[:120]}). Save it as .xlsx again."
            ) from error
        try:
            yield Workbook(book, source.name)
        finally:
            book.close()


def check_zip(source: SourceFile) -> None:
    """Refuse a workbook that unpacks to more than any workbook holds."""
    try:
        with zipfile.ZipFile(source.path) as packed:
            total = sum(entry.file_size for entry in packed.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise SourceRefused(f"{source.name} is a damaged workbook ({str(error)[:120]}). Save it again.") from error
    if total > MAX_BYTES or (total > 64 << 20 and total > BOMB_RATIO * source.size):
        raise SourceRefused(
            f"{source.name} unpacks to {total >> 20:,} MiB; that is no workbook of rows. It was not read."
        )
