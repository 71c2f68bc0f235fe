"""What can go wrong, in sentences: one root exception, children that also inherit the built-in they refine.

Every message says what is wrong, where, what was expected and what to do. The command line prints
the message alone and exits with ``exit_code``; the trace is shown only with ``--debug``.
"""

from __future__ import annotations


class FinopsError(Exception):
    """Root of every error this package raises on purpose.

    Example
    -------
    >>> try:
    ...     raise SourceRefused("bill.csv is empty. Export it again.")
    ... except FinopsError as error:
    ...     print(error, error.exit_code)
    bill.csv is empty. Export it again. 3
    """

    #: what the command line exits with
    exit_code: int = 1


class UsageError(FinopsError, ValueError):
    """A parameter, an option or a name that is not what it should be."""

    exit_code = 2


class SourceRefused(FinopsError, ValueError):
    """A file that cannot be taken in; the store stays as it was."""

    exit_code = 3


class ColumnMissing(SourceRefused, KeyError):
    """A file lacks a column that its format cannot do without."""

    def __str__(self) -> str:  # KeyError would print the repr
        return str(self.args[0]) if self.args else ""


class StoreError(FinopsError, RuntimeError):
    """The store cannot be opened, read or written."""

    exit_code = 4


class StoreMissing(StoreError, FileNotFoundError):
    """There is no store in the workspace yet."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class StoreBusy(StoreError, TimeoutError):
    """Another process is writing and did not finish in time."""


class VersionUnknown(StoreError, LookupError):
    """A version or a time that the store has never had."""

    exit_code = 2


class QueryRefused(FinopsError, PermissionError):
    """A statement that the read-only door does not let through."""

    exit_code = 5


class QueryTooLarge(FinopsError, MemoryError):
    """A statement that ran out of the time or the memory it may use."""

    exit_code = 5


class ReconciliationFailed(FinopsError, ArithmeticError):
    """Two figures that must agree to the cent do not; both are named."""

    exit_code = 6


class RateMissing(FinopsError, LookupError):
    """An amount cannot be stated in the reporting currency; the pair and the month are named."""

    exit_code = 6


class ReportFailed(FinopsError, RuntimeError):
    """A report run did not succeed; the last good page stays."""

    exit_code = 7


class VerificationFailed(FinopsError, RuntimeError):
    """The ledger, or a data file that it proves, is not what it was."""

    exit_code = 8
