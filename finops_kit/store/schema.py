"""Make a store: the catalogue, its tables and the workspace's own settings."""

from __future__ import annotations

import re
from dataclasses import replace

from finops_kit.errors import StoreError, UsageError
from finops_kit.fields import TABLES
from finops_kit.settings import Workspace
from finops_kit.store.configuration import (
    DEFAULT_CURRENCY,
    StoreSettings,
    named_catalogue,
    read_settings,
    write_settings,
)
from finops_kit.store.lacking import columns_there
from finops_kit.store.lake import LAKE, attach, catalogue_store_id, connect
from finops_kit.store.lock import writer_lock

__all__ = ["StoreSettings", "create_store", "read_settings"]


def create_store(
    workspace: Workspace, currency: str | None = None, *, encrypt: bool = False, catalogue: str = ""
) -> bool:
    """Make the store of a workspace; a store that is there already is left as it is.

    Parameters
    ----------
    currency : ISO 4217 code that pages report in; EUR where nothing is said
    encrypt : encrypt the data files, each with a key of its own that lies in the catalogue
    catalogue : ``postgres://user@host/database`` for a catalogue in PostgreSQL, ``env`` for what FINOPS_CATALOG
        names; SQLite in the workspace otherwise

    Returns
    -------
    Whether a store was made (False: there was one).

    Raises
    ------
    UsageError : the currency is no ISO 4217 code, the catalogue is no PostgreSQL connection, or a store that is
        there already is not encrypted
    StoreError : the place cannot be written to, or its catalogue is lost

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
    told = StoreSettings(currency=chosen, encrypted=encrypt, catalogue=named_catalogue(catalogue))
    known = read_settings(workspace)
    if workspace.exists:
        _refuse_other_kind(workspace, known, told)
    settings = known if workspace.exists else told
    try:
        workspace.data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{workspace.root} cannot be written to: {error.strerror or error}.") from error
    with writer_lock(workspace, settings=settings):
        connection = connect(threads=1)
        try:
            attach(connection, workspace, read_only=False, new=None if workspace.exists else told)
            made = not columns_there(connection)
            if made:
                connection.execute("BEGIN")
                for table in TABLES.values():
                    connection.execute(f"CREATE TABLE {LAKE}.{table.name} ({table.ddl})")
                connection.execute("COMMIT")
            if not workspace.settings_file.exists() or not known.store_id or made:
                write_settings(workspace, replace(settings, store_id=catalogue_store_id(connection)), catalogue)
        finally:
            connection.close()
    return made


def _refuse_other_kind(workspace: Workspace, known: StoreSettings, told: StoreSettings) -> None:
    """A store that is there stays what it is; whoever asks for another kind is told so."""
    if told.encrypted and not known.encrypted:
        raise UsageError(
            f"The store in {workspace.root} is not encrypted and was left so; only a new one can be. "
            "Make it in another --workspace and ingest the sources there."
        )
    if told.catalogue and told.catalogue != known.catalogue:
        raise UsageError(
            f"The store in {workspace.root} has its catalogue elsewhere and was left so. Use another --workspace."
        )
