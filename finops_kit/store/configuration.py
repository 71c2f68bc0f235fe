"""What a workspace was told: ``workspace.toml``, written once when the store is made, and edited by its owner."""

from __future__ import annotations

import json
import os
import re
import tomllib
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from finops_kit.errors import StoreError, UsageError
from finops_kit.settings import Workspace

#: used when `finops init` is not told another
DEFAULT_CURRENCY = "EUR"
#: names the catalogue's database where workspace.toml says ``catalogue = "env"``, to keep a password out of it
CATALOGUE_VARIABLE = "FINOPS_CATALOG"


@dataclass(frozen=True)
class Hold:
    """A legal hold: what it covers must be kept, whatever its class says.

    Attributes
    ----------
    name : what it is spoken of by
    reason : why
    tables : the tables that it covers; empty for all
    since, until : the days of recording that it covers; open where nothing is said
    """

    name: str
    reason: str = ""
    tables: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None

    def covers(self, table: str, recorded_on: date) -> bool:
        """Whether rows of a table that were recorded on a day must be kept."""
        return (
            (not self.tables or table in self.tables)
            and (self.since is None or recorded_on >= self.since)
            and (self.until is None or recorded_on <= self.until)
        )


@dataclass(frozen=True)
class StoreSettings:
    """What a workspace was told.

    Attributes
    ----------
    currency : the currency that its pages report in
    store_id : the store that belongs here; another one's catalogue is refused
    catalogue : a PostgreSQL connection; empty for SQLite in the workspace
    encrypted : whether data files are encrypted
    retention : years by table; see docs/ledger.md
    holds : legal holds
    four_eyes : whether a month must be prepared by somebody else than the one who signs it off
    """

    currency: str = DEFAULT_CURRENCY
    store_id: str = ""
    catalogue: str = ""
    encrypted: bool = False
    retention: dict[str, int] = field(default_factory=dict)
    holds: tuple[Hold, ...] = ()
    four_eyes: bool = False


def read_settings(workspace: Workspace) -> StoreSettings:
    """The workspace's settings; defaults where none were written.

    Raises
    ------
    StoreError : workspace.toml cannot be read
    UsageError : something in it is not what it should be
    """
    path = workspace.settings_file
    if not path.is_file():
        return StoreSettings()
    try:
        known = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: {error}. Correct it, or take it from a backup.") from error
    try:
        return StoreSettings(
            currency=str(known.get("currency", DEFAULT_CURRENCY)),
            store_id=str(known.get("store_id", "")),
            catalogue=named_catalogue(str(known.get("catalogue", ""))),
            encrypted=bool(known.get("encrypted", False)),
            retention={str(table): int(years) for table, years in known.get("retention", {}).items()},
            holds=tuple(_hold(entry) for entry in known.get("hold", [])),
            four_eyes=bool(known.get("four_eyes", False)),
        )
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise UsageError(f"{path}: {error!s}. See docs/ledger.md for what may stand there.") from error


def named_catalogue(said: str) -> str:
    """The connection string that is meant: what is said, or what the environment says.

    Raises
    ------
    StoreError : it is left to the environment, which says nothing
    UsageError : it is no PostgreSQL connection
    """
    named = os.environ.get(CATALOGUE_VARIABLE, "") if said == "env" else said
    if said == "env" and not named:
        raise StoreError(f"The catalogue of this store is named by {CATALOGUE_VARIABLE}, which is not set.")
    if named.startswith(("postgres://", "postgresql://")) or not named:
        return named
    if named.startswith("postgres:"):
        return named.removeprefix("postgres:")
    raise UsageError(
        f"{named!r} names no catalogue. Write postgres://user@host/database, postgres:dbname=... host=..., or env."
    )


def _hold(entry: dict[str, Any]) -> Hold:
    for key in ("since", "until"):
        if key in entry and not isinstance(entry[key], date):
            raise ValueError(f"the hold {entry.get('name', '?')!r} has a {key} that is no day such as 2026-03-31")
    return Hold(
        name=str(entry["name"]), reason=str(entry.get("reason", "")), tables=tuple(map(str, entry.get("tables", ()))),
        since=entry.get("since"), until=entry.get("until"),
    )  # fmt: skip


def write_settings(workspace: Workspace, settings: StoreSettings, said_catalogue: str = "") -> None:
    """Write the settings of a new store; of a file that is there already only the store's id is brought in line.

    Parameters
    ----------
    said_catalogue : as the catalogue was named: ``env`` keeps the connection out of the file
    """
    path, own = workspace.settings_file, f'store_id = "{settings.store_id}"'
    if path.exists():
        text = path.read_text(encoding="utf-8")
        if own not in text:
            rest = re.sub(r"^store_id\s*=.*\n?", "", text, flags=re.MULTILINE)
            path.write_text(f"{own}\n{rest}", encoding="utf-8")
        return
    lines = ["# Settings of this workspace; see docs/ledger.md", f'currency = "{settings.currency}"', own]
    if said_catalogue:
        lines.append(f"catalogue = {json.dumps(said_catalogue)}")
    if settings.encrypted:
        lines.append("encrypted = true")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
