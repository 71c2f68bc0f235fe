"""One file opened for a plan: the same SQL name for its rows, whether text or Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import duckdb
import pyarrow as pa

from finops_kit.errors import SourceRefused
from finops_kit.normalize.entries import unique_names
from finops_kit.normalize.exact import as_text
from finops_kit.normalize.plan import Plan
from finops_kit.sources.commas import CommaRows
from finops_kit.sources.control import EXACT, ControlSum, currency_key
from finops_kit.sources.delimited import DelimitedRows
from finops_kit.sources.files import SourceFile
from finops_kit.sources.jsonlines import JsonRows
from finops_kit.sources.layout import Layout
from finops_kit.sources.parquet import ParquetColumns, scan_sql
from finops_kit.sources.quick import quick_name
from finops_kit.sources.textrows import ArrowStream, Reject, TextRows
from finops_kit.store.rowgroups import at_once

#: the name under which the rows of a text file are registered with the engine
ROWS = "source_rows"
#: more different texts of tags than this are read row by row
MOST_TEXTS = 50_000


class Scan:
    """The rows of one source file as SQL, with their counts and control sums once they were read.

    ``expected_digest`` is the SHA-256 of the file; empty while it is to be hashed as it is read.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, source: SourceFile, digest: str) -> None:
        self.connection = connection
        self.source = source
        self.expected_digest = digest
        self.layout: Layout | None = None
        self.columns: ParquetColumns | None = None
        self.rows: TextRows | None = None
        self.control: ControlSum | None = None

    @property
    def header(self) -> Sequence[str]:
        """The column names as they stand in the file."""
        if self.columns is not None:
            return self.columns.names
        return self.layout.header if self.layout else ()

    @property
    def types(self) -> Sequence[str] | None:
        """The engine's column types of a Parquet file; None for text."""
        return self.columns.types if self.columns else None

    def hash_now(self) -> None:
        """Hash the file before it is read."""
        self.expected_digest = self.source.digest()

    @property
    def uneven(self) -> bool:
        """Whether a strict reading ended at a record that could not be split into columns."""
        return self.rows is not None and self.rows.uneven

    def open(self, plan: Plan, strict: bool = False) -> str:
        """Make the rows available once, from the first to the last; returns the SELECT that yields them.

        Parameters
        ----------
        strict : end at the first record of a text that cannot be split into columns
        """
        self.control = None
        if self.columns is not None:
            return self._with_tags(plan, scan_sql(self.source, self.columns))
        assert self.layout is not None
        if plan.cost is not None and plan.cost.raw:
            currency = plan.currency.raw if plan.currency and plan.currency.raw else None
            credits = plan.credits.raw if plan.credits and plan.credits.raw else None
            cost_else = plan.cost_else.raw if plan.cost_else and plan.cost_else.raw else None
            self.control = ControlSum(plan.cost.raw, currency, credits, cost_else)
        self.rows = self._reader_of(self.layout)(
            self.source, self.layout, self.control, plan.quick, plan.quick_entries, at_once(plan.wide), strict
        )
        self.connection.register(ROWS, ArrowStream(self.rows.reader()))
        return f"SELECT * FROM {ROWS}"

    def _with_tags(self, plan: Plan, rows: str) -> str:
        """The rows with their tags read: each different text once, where there are not too many.

        Measured: 0.08 s for 250,000 rows with some 400 different texts, 0.45 s row by row.
        """
        columns, joined = "", ""
        for raw, kind in plan.quick:
            few = self.connection.execute(
                f"SELECT approx_count_distinct({raw}) <= {MOST_TEXTS} FROM ({rows})"
            ).fetchone()
            texts = f"SELECT DISTINCT {raw} AS raw FROM ({rows})" if few and few[0] else "SELECT NULL::VARCHAR AS raw"
            name = quick_name(raw, kind)
            self.connection.execute(
                f"CREATE OR REPLACE TEMP TABLE {name} AS "
                f"SELECT raw, quick_tags_map({as_text('raw', 'VARCHAR')}) AS tags FROM ({texts}) WHERE raw IS NOT NULL"
            )
            columns += f", {name}.tags AS {name}"
            joined += f" LEFT JOIN {name} ON rows.{raw} = {name}.raw"
        return f"SELECT rows.*{columns} FROM ({rows}) rows{joined}" if joined else rows

    def text_rows(self) -> Iterator[pa.RecordBatch]:
        """All rows as text, ``c0``, ``c1`` ..., for a look at what a file holds before it is taken in."""
        if self.columns is not None:
            texts = ", ".join(f"{as_text(f'c{i}', kind)} AS c{i}" for i, kind in enumerate(self.columns.types))
            scan = scan_sql(self.source, self.columns)
            yield from self.connection.execute(f"SELECT {texts} FROM ({scan})").to_arrow_reader(100_000)
        elif self.layout is not None:
            yield from self._reader_of(self.layout)(self.source, self.layout).reader()

    def _reader_of(self, layout: Layout) -> type[JsonRows] | type[DelimitedRows]:
        if self.source.kind == "json":
            return JsonRows
        return CommaRows if layout.comma_columns else DelimitedRows

    def close(self) -> None:
        """Let the rows go."""
        if self.rows is not None:
            self.connection.unregister(ROWS)

    def refusal(self, error: Exception) -> SourceRefused | None:
        """The refusal behind an engine's error, if the file was at fault."""
        if self.rows is not None and self.rows.problem is not None:
            return self.rows.problem
        if self.columns is not None and isinstance(error, duckdb.InvalidInputException | duckdb.IOException):
            return SourceRefused(
                f"{self.source.name} cannot be read to its end ({str(error).splitlines()[0][:160]}). Export it again."
            )
        return None

    def finish(self, plan: Plan) -> None:
        """After the rows were read: check that the file is still what was hashed, and take the control sum of Parquet.

        Raises
        ------
        SourceRefused : the file was changed while it was read
        """
        self.source.check_unchanged()
        if self.rows is not None and not self.expected_digest:
            self.expected_digest = self.rows.digest
        if self.rows is not None and self.rows.digest != self.expected_digest:
            raise SourceRefused(
                f"{self.source.name} was changed while it was read. Ingest it again when it is complete."
            )
        if self.columns is not None and plan.cost is not None and plan.cost.raw:
            self.control = self._parquet_control(plan)

    def _parquet_control(self, plan: Plan) -> ControlSum:
        assert self.columns is not None and plan.cost is not None
        with_credits = plan.credits is not None and bool(plan.credits.raw)
        control = ControlSum("cost", "currency", "credits" if with_credits else None)
        scan = scan_sql(self.source, self.columns)
        currency = plan.currency.text if plan.currency and plan.currency.raw else "''"
        quick = plan.cost.engine_type.upper().startswith("DECIMAL(") and plan.cost.value != plan.cost.text
        if quick and not with_credits and plan.cost_else is None:
            for name, total in self.connection.execute(
                f"SELECT {currency}, sum({plan.cost.raw}) FROM ({scan}) GROUP BY ALL"
            ).fetchall():
                control.add_one(format(total, "f") if total is not None else None, name)
            return control
        reader = self.connection.execute(
            f"SELECT {plan.cost_text} AS cost, {currency} AS currency, "
            f"{plan.credits.text if plan.credits and with_credits else 'NULL::VARCHAR'} AS credits FROM ({scan})"
        ).to_arrow_reader(100_000)
        for batch in reader:
            control.add(batch)
        return control

    @property
    def rejects(self) -> list[Reject]:
        """Records that could not be split into columns."""
        return self.rows.rejects if self.rows is not None else []

    @property
    def rows_read(self) -> int:
        """Records after the header."""
        if self.columns is not None:
            return self.columns.rows
        return self.rows.rows_read if self.rows is not None else 0

    def headers(self) -> list[tuple[str, str]]:
        """Each column's name and the SQL of its raw value, for the raw row of a quarantined record."""
        names = unique_names(list(self.header))
        types = self.types
        return [(name, f"c{i}" if types is None else f"CAST(c{i} AS VARCHAR)") for i, name in enumerate(names)]


def add_totals(totals: dict[str, Decimal], currency: str | None, amount: Decimal | None) -> None:
    """Add an amount to its currency's total, exactly."""
    if amount is not None:
        key = currency_key(currency)
        totals[key] = EXACT.add(totals.get(key, Decimal(0)), amount)
