"""Make a store: the catalogue, its tables and the workspace's own settings."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass

from finops_kit.errors import UsageError
from finops_kit.fields import TABLES
from finops_kit.settings import Workspace
from finops_kit.store.lake import LAKE, attach, connect
from finops_kit.store.lock import writer_lock

#: used when `finops init` is not told another
DEFAULT_CURRENCY = "EUR"


@dataclass(frozen=True)
class StoreSettings:
    """What a workspace is told once: the currency that its pages report in."""

    currency: str = DEFAULT_CURRENCY


def create_store(workspace: Workspace, currency: str | None = None) -> bool:
    """Make the store of a workspace; a store that is there already is left as it is.

    Parameters
    ----------
    currency : ISO 4217 code that pages report in; EUR where nothing is said

    Returns
    -------
    Whether a store was made (False: there was one).

    Raises
    ------
    UsageError : the currency is no ISO 4217 code

    Example
    -------
    >>> import tempfile; from pathlib import Path
    >>> place = Workspace(Path(tempfile.mkdtemp()) / "workspace")
    >>> create_store(place), create_store(place)
    (True, False)
    """
    chosen = currency or DEFAULT_CURRENCY
    if not re.fullmatch(r"[A-Z]{3}", chosen):
        raise UsageError(f"{chosen!r} is not a currency. Give an ISO 4217 code such as EUR or USD.")
    workspace.data.mkdir(parents=True, exist_ok=True)
    settings_file = workspace.root / "workspace.toml"
    with writer_lock(workspace):
        connection = connect(threads=1)
        try:
            attach(connection, workspace, read_only=False)
            there = {row[0] for row in connection.execute(
                "SELECT table_name FROM duckdb_tables() WHERE database_name = ?", [LAKE]).fetchall()}  # fmt: skip
            missing = [table for table in TABLES.values() if table.name not in there]
            if missing:
                connection.execute("BEGIN")
                for table in missing:
                    connection.execute(f"CREATE TABLE {LAKE}.{table.name} ({table.ddl})")
                connection.execute("COMMIT")
        finally:
            connection.close()
        if not settings_file.exists():
            settings_file.write_text(f'# Settings of this workspace\ncurrency = "{chosen}"\n', encoding="utf-8")
    return bool(missing)


def read_settings(workspace: Workspace) -> StoreSettings:
    """The workspace's settings; defaults where none were written."""
    path = workspace.root / "workspace.toml"
    if not path.is_file():
        return StoreSettings()
    known = tomllib.loads(path.read_text(encoding="utf-8"))
    return StoreSettings(currency=str(known.get("currency", DEFAULT_CURRENCY)))
