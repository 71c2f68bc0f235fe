"""Write the current charges as a FOCUS data set: the columns of one FOCUS version, typed, and nothing else.

Text is VARCHAR, times are TIMESTAMP WITH TIME ZONE in UTC, numbers are DECIMAL, tags and price details are
JSON text. The sums of what was written are read back and held against the store before the file takes its
name: a file that is there is whole and adds up. The same version gives the same file, byte for byte.

Where a bill says less, or says it otherwise, than the FOCUS version asks for, the export says it as FOCUS does and
the store keeps what the bill said; :data:`FILL_INS` and :data:`UNUSED_COMMITMENT` are all of these cases.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from finops_kit.errors import ReconciliationFailed, StoreError, UsageError
from finops_kit.fields import FOCUS_BY_NAME, MONEY, QUANTITY, TAGS, TIME, focus_columns
from finops_kit.settings import Workspace
from finops_kit.store.lake import text_literal
from finops_kit.store.ledger import plain
from finops_kit.store.reader import AsOf, open_reader

#: the FOCUS versions that can be written
EXPORT_VERSIONS = ("1.2", "1.0")
#: decimals that a number column is written with; a column whose data need more gets just as many as they need,
#: because a reader that multiplies price and quantity has 38 digits for both together
USUAL_SCALE = 12
#: legal names under which a provider bills itself: its own name, for FOCUS takes another issuer for a third party
_HOUSES = {
    "AWS": "amazon web services|amazon.com",
    "Microsoft": "microsoft",
    "Google Cloud": "google",
    "Oracle": "oracle",
}
_OWN = " OR ".join(
    f"(\"ProviderName\" = '{name}' AND regexp_matches(lower(\"InvoiceIssuerName\"), '^({names})'))"
    for name, names in _HOUSES.items()
)
#: columns that a bill of another FOCUS version, or one under a mapping, may leave empty, and what then stands there:
#: newer bills name providers otherwise; older ones have no subcategory (providers carry it beside) and no invoice,
#: and an open month has none yet: the statement of the account's billing period is its provisional invoice; where no
#: negotiated price is known none is claimed, so that the cost before commitments is what was billed
FILL_INS = {
    "ProviderName": 'coalesce("ProviderName", "ServiceProviderName")',
    "PublisherName": 'coalesce("PublisherName", "HostProviderName", "ServiceProviderName", "ProviderName")',
    "InvoiceIssuerName": f"""CASE WHEN {_OWN} THEN "ProviderName"
        ELSE coalesce("InvoiceIssuerName", "ProviderName", "ServiceProviderName") END""",
    "ServiceCategory": """coalesce("ServiceCategory", 'Other')""",
    "ServiceSubcategory": """coalesce("ServiceSubcategory", "x_Columns"['x_ServiceSubcategory'],
        'Other (' || coalesce("ServiceCategory", 'Other') || ')')""",
    "InvoiceId": """coalesce("InvoiceId", "x_Columns"['x_InvoiceId'],
        'provisional-' || "BillingAccountId" || strftime("BillingPeriodStart", '-%Y-%m'))""",
    "ContractedCost": """coalesce("ContractedCost", CASE WHEN "CommitmentDiscountId" IS NULL THEN "BilledCost" END,
        "ListCost", "BilledCost")""",
    "ListCost": 'coalesce("ListCost", "ContractedCost", "BilledCost")',
    "PricingCurrency": 'coalesce("PricingCurrency", "BillingCurrency")',
}
#: a commitment's fee whose row also carries what of it ran idle: FOCUS wants a purchase that is worth nothing in
#: itself and a row of usage for the idle part
UNUSED_COMMITMENT = """"ChargeCategory" = 'Purchase' AND "CommitmentDiscountId" IS NOT NULL AND "EffectiveCost" <> 0"""
_LINES = f"""
    SELECT * REPLACE (CASE WHEN {UNUSED_COMMITMENT} THEN 0 ELSE "EffectiveCost" END AS "EffectiveCost") FROM charge
    UNION ALL BY NAME
    SELECT * REPLACE ('Usage' AS "ChargeCategory", 'Usage-Based' AS "ChargeFrequency", 'Committed' AS "PricingCategory",
        'Unused' AS "CommitmentDiscountStatus", 0 AS "BilledCost", 0 AS "ListCost", 0 AS "ContractedCost",
        CASE WHEN "CommitmentDiscountCategory" = 'Spend' THEN "EffectiveCost" ELSE "CommitmentDiscountQuantity" END
            AS "CommitmentDiscountQuantity")
    FROM charge WHERE {UNUSED_COMMITMENT}
"""
MEMORY_LIMIT = "1GB"


@dataclass(frozen=True)
class FocusExport:
    """What was written: where, how many rows, and the sum of BilledCost that it adds up to per currency."""

    path: Path
    focus_version: str
    format: str
    rows: int
    bytes: int
    control_totals: dict[str, Decimal]
    store_version: int
    period: str

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON can hold it; decimals as text."""
        return {
            "path": str(self.path),
            "focus_version": self.focus_version,
            "format": self.format,
            "rows": self.rows,
            "bytes": self.bytes,
            "control_totals": {currency: plain(total) for currency, total in self.control_totals.items()},
            "store_version": self.store_version,
            "period": self.period,
        }


def export_focus(
    workspace: Workspace,
    out: str | Path,
    focus_version: str = "1.2",
    as_of: AsOf = None,
    period: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> FocusExport:
    """Write the current charges to one Parquet or CSV file.

    Parameters
    ----------
    out : the file; its ending says the format (.parquet, .csv, .csv.gz). A file there is replaced at the end
    focus_version : the FOCUS version whose columns are written, in its order
    as_of : a store version or a time; the newest where nothing is said
    period : a billing month, YYYY-MM; all where nothing is said

    Returns
    -------
    What was written, with the sum of BilledCost per BillingCurrency.

    Raises
    ------
    UsageError : an unknown FOCUS version, a wrong ending, a folder in the way, no such month
    ReconciliationFailed : what was written does not add up to the store; no file is left
    StoreError : the file cannot be written

    Example
    -------
    >>> import tempfile; from finops_kit.store import create_store
    >>> place = Workspace(Path(tempfile.mkdtemp()) / "workspace")
    >>> _ = create_store(place)
    >>> export_focus(place, place.root / "focus.parquet").rows
    0
    """
    target, kind = _target(Path(out), focus_version)
    where = _period_condition(period)
    tell = progress or (lambda _: None)
    with open_reader(workspace, as_of, memory_limit=MEMORY_LIMIT) as reader:
        connection = reader.connection
        idle = f"count(*) + count(*) FILTER ({UNUSED_COMMITMENT})"
        expected = _totals(connection, f"charge {where}", idle)
        tell(f"writing {sum(total.rows for total in expected.values()):,} charges to {target.name}")
        columns = focus_columns(focus_version)
        select = _select(columns, _scales(connection, columns, where), where, kind)
        try:
            with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
                unfinished = Path(folder) / target.name
                connection.execute(f"SET temp_directory = {text_literal(Path(folder) / 'spill')}")
                connection.execute("SET threads = 1")  # several finish in an order of their own: other bytes each time
                connection.execute(f"COPY ({select}) TO {text_literal(unfinished)} ({_options(kind)})")
                connection.execute("RESET threads")
                tell("reading it back and adding it up")
                written = _totals(connection, _scan(unfinished, kind, columns))
                _same_or_raise(expected, written, target)
                size = unfinished.stat().st_size
                unfinished.replace(target)
        except (OSError, duckdb.IOException) as error:
            reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
            raise StoreError(f"{target} cannot be written: {reason}.") from error
        return FocusExport(
            path=target,
            focus_version=focus_version,
            format=kind,
            rows=sum(total.rows for total in written.values()),
            bytes=size,
            control_totals={currency: total.billed for currency, total in written.items()},
            store_version=reader.version,
            period=period or "",
        )


def _target(out: Path, focus_version: str) -> tuple[Path, str]:
    """The file to write and its format."""
    if focus_version not in EXPORT_VERSIONS:
        raise UsageError(f"FOCUS {focus_version!r} cannot be written; choose {' or '.join(EXPORT_VERSIONS)}.")
    target = out.expanduser().absolute()
    if target.is_dir():
        raise UsageError(f"{out} is a folder. Name a file in it, such as {out / 'focus.parquet'}.")
    name = target.name.lower()
    kind = next((k for k in ("parquet", "csv", "csv.gz") if name.endswith(f".{k}")), "")
    if not kind:
        raise UsageError(f"{out} has no ending that says the format. Use .parquet, .csv or .csv.gz.")
    if not target.parent.is_dir():
        raise UsageError(f"The folder {target.parent} does not exist; make it first.")
    return target, kind


def _period_condition(period: str | None) -> str:
    """The WHERE clause for one billing month."""
    if not period:
        return ""
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", period):
        raise UsageError(f"{period!r} is not a month. Write it as YYYY-MM, such as 2026-03.")
    first = date(int(period[:4]), int(period[5:]), 1)
    after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    column = '"BillingPeriodStart"'
    return f"WHERE {column} >= TIMESTAMPTZ '{first} 00:00:00+00' AND {column} < TIMESTAMPTZ '{after} 00:00:00+00'"


class _Total(NamedTuple):
    rows: int
    billed: Decimal
    effective: Decimal


def _totals(connection: duckdb.DuckDBPyConnection, source: str, count: str = "count(*)") -> dict[str, _Total]:
    """Rows and sums of BilledCost and EffectiveCost per BillingCurrency."""
    sums = ", ".join(f'coalesce(sum(CAST("{name}" AS {MONEY})), 0)' for name in ("BilledCost", "EffectiveCost"))
    rows = connection.execute(
        f"SELECT coalesce(\"BillingCurrency\", ''), {count}, {sums} FROM {source} GROUP BY 1 ORDER BY 1"
    ).fetchall()
    return {str(currency): _Total(int(n), Decimal(billed), Decimal(eff)) for currency, n, billed, eff in rows}


def _scales(connection: duckdb.DuckDBPyConnection, columns: tuple[str, ...], where: str) -> dict[str, int]:
    """How many decimals each number column is written with: the usual, or as many as its data need."""
    numbers = [name for name in columns if FOCUS_BY_NAME[name].type in (MONEY, QUANTITY)]
    value = {name: FILL_INS.get(name, f'"{name}"') for name in numbers}
    loses = ", ".join(
        f"coalesce(bool_or({value[n]} <> CAST({value[n]} AS DECIMAL(38,{USUAL_SCALE}))), false)" for n in numbers
    )
    row = connection.execute(f"SELECT {loses} FROM charge {where}").fetchone() or ()
    scales = dict.fromkeys(numbers, USUAL_SCALE)
    finer = [name for name, loss in zip(numbers, row, strict=True) if loss]
    if finer:
        needs = ", ".join(f"max(length(rtrim(split_part(CAST({value[n]} AS VARCHAR), '.', 2), '0')))" for n in finer)
        found = connection.execute(f"SELECT {needs} FROM charge {where}").fetchone() or ()
        scales.update(zip(finer, (int(digits) for digits in found), strict=True))
    return scales


def _select(columns: tuple[str, ...], scales: dict[str, int], where: str, kind: str) -> str:
    """The SELECT whose columns are those of the FOCUS version, in its order and types."""
    return f"SELECT {', '.join(_expression(name, scales, kind) for name in columns)} FROM ({_LINES}) {where}"


def _expression(name: str, scales: dict[str, int], kind: str) -> str:
    field, column = FOCUS_BY_NAME[name], FILL_INS.get(name, f'"{name}"')
    if field.type == TAGS:
        column = f"CAST(to_json({column}) AS VARCHAR)"
    elif field.type == TIME and kind != "parquet":
        column = f"strftime({column}, '%Y-%m-%dT%H:%M:%SZ')"
    elif name in scales:
        column = f"CAST({column} AS DECIMAL(38,{scales[name]}))"
        if kind != "parquet":
            text = f"CAST({column} AS VARCHAR)"
            column = f"CASE WHEN contains({text}, '.') THEN rtrim(rtrim({text}, '0'), '.') ELSE {text} END"
    return f'{column} AS "{name}"'


def _options(kind: str) -> str:
    if kind == "parquet":
        return "FORMAT parquet, COMPRESSION zstd"
    return f"FORMAT csv, HEADER true{', COMPRESSION gzip' if kind == 'csv.gz' else ''}"


def _scan(path: Path, kind: str, columns: tuple[str, ...]) -> str:
    if kind == "parquet":
        return f"read_parquet({text_literal(path)})"
    types = ", ".join(f"{text_literal(name)}: 'VARCHAR'" for name in columns)
    return (
        f"read_csv({text_literal(path)}, header = true, delim = ',', quote = '\"', escape = '\"', "
        f"auto_detect = false, columns = {{{types}}})"
    )


def _same_or_raise(expected: dict[str, _Total], written: dict[str, _Total], target: Path) -> None:
    nothing = _Total(0, Decimal(0), Decimal(0))
    for currency in sorted(expected.keys() | written.keys()):
        want, got = expected.get(currency, nothing), written.get(currency, nothing)
        if want != got:
            raise ReconciliationFailed(
                f"{target.name} does not add up in {currency or 'no currency'}: the store has {want.rows} charges of "
                f"{plain(want.billed)} billed and {plain(want.effective)} effective, the file {got.rows} of "
                f"{plain(got.billed)} and {plain(got.effective)}. Nothing was left there."
            )
