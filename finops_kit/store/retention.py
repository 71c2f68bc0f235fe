"""Retention: how many years each table is kept, what a legal hold keeps longer, and what would be due.

The store itself never deletes. What is due is named, table by table and year by year, with the holds
that stand against it, so that whoever decides has the list.

Source: AO section 147(3) and (4), HGB section 257: books ten years, vouchers eight, letters six, from
the end of the calendar year in which the record was made. Measurements of use: GDPR Article 5(1)(e),
no longer than they serve.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date
from typing import Any

from finops_kit.errors import UsageError
from finops_kit.fields import REFERENCE_TABLES, TABLES
from finops_kit.store.acts import COMPACT
from finops_kit.store.configuration import StoreSettings
from finops_kit.store.heads import ledger_entries
from finops_kit.store.reader import Reader

#: years by class
CLASSES = {"books": 10, "vouchers": 8, "letters": 6, "measurements": 2}
#: the class of each table where workspace.toml says nothing: what leads to a figure is a book, a bill is a voucher;
#: no law asks for samples of use, and nothing is derived from them
TABLE_CLASSES = {
    "charge": "vouchers", "quarantine": "vouchers", "invoice": "vouchers", "contract": "letters",
    "business_metric": "letters", "usage_sample": "measurements",
}  # fmt: skip

#: what can expire batch by batch: nothing else in the store follows from it but figures, which say so
EXPIRABLE = ("charge", "quarantine", "report_run", "usage_sample", *(table.name for table in REFERENCE_TABLES))
#: what never expires, and why
STAYS = {
    "ledger": "it is the proof",
    "delivery": "it says which delivery is current",
    "month_close": "it says what was signed off",
    "resource_snapshot": "states are derived from it",
    "observation_scope": "states are derived from it",
    "platform_event": "the times and causes of scaling are derived from it",
    "state_run": "figures lead back to it",
    "derivation": "figures lead back to it",
}


@dataclass(frozen=True)
class Retained:
    """One table and calendar year of recording.

    Attributes
    ----------
    years : how long it is kept
    kept_until : the last day that it must be kept, holds aside
    due : whether that day is past, no hold stands against it, and it can expire at all
    holds : the holds that cover any of it
    stays : why it never expires, however old; empty where it can
    """

    table: str
    year: int
    batches: int
    files: int
    bytes: int
    years: int
    kept_until: date
    due: bool
    holds: tuple[str, ...]
    stays: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "kept_until": self.kept_until.isoformat(), "holds": list(self.holds)}


def retention_years(settings: StoreSettings) -> dict[str, int]:
    """Years by table: what workspace.toml says, else the table's class.

    Raises
    ------
    UsageError : workspace.toml names no table of the store, or no number of years

    Example
    -------
    >>> years = retention_years(StoreSettings(retention={"charge": 12}))
    >>> years["charge"], years["ledger"], years["contract"]
    (12, 10, 6)
    """
    for table, years in settings.retention.items():
        if table not in TABLES:
            raise UsageError(f"workspace.toml: [retention] names {table!r}; the store has {', '.join(TABLES)}.")
        if years < 1:
            raise UsageError(f"workspace.toml: [retention] {table} = {years}; years must be 1 or more.")
    for hold in settings.holds:
        unknown = sorted(set(hold.tables) - set(TABLES))
        if unknown:
            raise UsageError(
                f"workspace.toml: the hold {hold.name!r} names {', '.join(unknown)}, no table of the store."
            )
    own: Mapping[str, int] = settings.retention
    return {table: own.get(table, CLASSES[TABLE_CLASSES.get(table, "books")]) for table in TABLES}


def retention_report(reader: Reader, today: date) -> list[Retained]:
    """What is kept until when: one row per table and calendar year of recording.

    Parameters
    ----------
    reader : its version decides which batches are looked at
    today : the day that it is asked on
    """
    settings = reader.settings
    years = retention_years(settings)
    found: dict[tuple[str, int], dict[str, Any]] = defaultdict(
        lambda: {"batches": set(), "files": 0, "bytes": 0, "holds": set()}
    )
    for entry in ledger_entries(reader):
        day = entry["recorded_at"].astimezone(UTC).date()
        own = json.loads(entry["data_files"]) if entry["kind"] != COMPACT else []  # merged rows are of earlier batches
        files = [*own, {"table": "ledger", "bytes": 0}]
        for file in files:
            line = found[(file["table"], day.year)]
            line["batches"].add(entry["batch_id"])
            line["files"] += 1
            line["bytes"] += file["bytes"]
            line["holds"] |= {hold.name for hold in settings.holds if hold.covers(file["table"], day)}
    lines = []
    for (table, year), line in sorted(found.items()):
        until = date(year + years[table], 12, 31)
        lines.append(
            Retained(
                table=table, year=year, batches=len(line["batches"]), files=line["files"], bytes=line["bytes"],
                years=years[table], kept_until=until, due=today > until and not line["holds"] and table not in STAYS,
                holds=tuple(sorted(line["holds"])), stays=STAYS.get(table, ""),
            )
        )  # fmt: skip
    return lines
