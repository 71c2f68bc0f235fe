"""One call for a page: open the store at one version, read a perspective, hand it on without a connection."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock

from finops_kit.errors import RateMissing, UsageError
from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.reading import PERSPECTIVES, Reading
from finops_kit.perspectives.words import count
from finops_kit.settings import AS_OF_VARIABLE, find_workspace
from finops_kit.store import open_reader
from finops_kit.value.lens import not_converted
from finops_kit.value.settle import to_cents


def read_basis(basis: Basis, name: str) -> Reading:
    """A perspective read from a basis; several perspectives may share one.

    Raises
    ------
    UsageError : there is no such perspective
    RateMissing : a charge of the period has no rate into the reporting currency
    ReconciliationFailed : the page does not add up to the grand total
    """
    if name not in PERSPECTIVES:
        raise UsageError(f"There is no perspective {name!r}. The six are {', '.join(PERSPECTIVES)}.")
    refuse_missing_rates(basis)
    reading: Reading = importlib.import_module(f"finops_kit.perspectives.{name}").read(basis)
    return reading


def refuse_missing_rates(basis: Basis) -> None:
    """Stop where a charge of the period cannot be stated in the reporting currency: a total without it is wrong.

    Earlier months without a rate stand on the page with the reason.

    Raises
    ------
    RateMissing : naming each pair and month, and what is billed in it
    """
    if not basis.totals["unconverted"]:
        return
    lacking = "; ".join(
        f"{row['BillingCurrency']} to {basis.currency} for {row['month']:%Y-%m} ({count(row['charges'], 'charge')} "
        f"worth {row['BillingCurrency']} {to_cents(row['native_EffectiveCost']):,})"
        for row in basis.rows(not_converted(basis.now).order_by("BillingCurrency", "month"))
    )
    raise RateMissing(
        f"No exchange rate is known from {lacking}, so the total cannot be stated in {basis.currency}. "
        "Ingest the rates (month, from_currency, to_currency, rate, rate_source), or say another --currency or --scope."
    )


def _as_of(version: int | str | None) -> int | str | None:
    """The version or time that is meant: the one named, else FINOPS_AS_OF, else the newest."""
    return version or os.environ.get(AS_OF_VARIABLE) or None


@contextmanager
def open_basis(
    store: str | Path = "", version: int | str | None = None, period: str = "", scope: str = "", currency: str = ""
) -> Iterator[Basis]:
    """Open the store at one version for one period and scope.

    Parameters
    ----------
    store : the workspace's folder; empty for ``FINOPS_WORKSPACE`` or ``data/workspace``
    version : a store version or a time; nothing or 0 for FINOPS_AS_OF, else the newest
    """
    with open_reader(find_workspace(store or None), _as_of(version)) as reader:
        yield Basis(reader, period, scope, currency)


class _LastBasis:
    """The basis of the last reading, kept open: the six pages of a run ask for the same one in turn.

    A version never changes, so what was computed from it stays true; the ledger's head tells two stores of one
    folder apart. An open reader hinders no writer.
    """

    def __init__(self) -> None:
        self.key: tuple[object, ...] = ()
        self.basis: Basis | None = None
        self.held = ExitStack()
        self.lock = Lock()

    @contextmanager
    def get(
        self, store: str | Path, version: int | str | None, period: str, scope: str, currency: str
    ) -> Iterator[Basis]:
        with self.lock, ExitStack() as opening:
            workspace = find_workspace(store or None)
            reader = opening.enter_context(open_reader(workspace, _as_of(version)))
            key = (workspace.root, reader.version, reader.version_time, reader.ledger_head, period, scope, currency)
            if self.basis is None or key != self.key:
                self.close()
                self.basis, self.key = Basis(reader, period, scope, currency), key
                self.held = opening.pop_all()
            yield self.basis

    def close(self) -> None:
        """Let go of the reader."""
        self.key, self.basis = (), None
        self.held.close()


_last = _LastBasis()


def read_perspective(
    name: str,
    store: str | Path = "",
    version: int | str | None = None,
    period: str = "",
    scope: str = "",
    currency: str = "",
) -> Reading:
    """Read one perspective of one period at one store version.

    Parameters
    ----------
    name : engineering, product, finance, procurement, leadership or practitioner
    store : the workspace's folder; empty for ``FINOPS_WORKSPACE`` or ``data/workspace``
    version : a store version or a time; nothing or 0 for FINOPS_AS_OF, else the newest
    period : ``YYYY-MM``; empty for the latest complete month with charges
    scope : such as ``service=payments,team=core``; empty for everything
    currency : ISO 4217; empty for the workspace's, where the bills or rates lead to it

    Raises
    ------
    UsageError : a parameter is not what it should be
    StoreMissing, VersionUnknown : there is no such store or version
    RateMissing : a charge of the period has no rate into the reporting currency
    ReconciliationFailed : the page does not add up to the grand total
    """
    with _last.get(store, version, period, scope, currency) as basis:
        return read_basis(basis, name)
