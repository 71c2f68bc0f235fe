"""The read-only SQL door: one judged question, one pinned version, bounded in time and memory.

Three walls, one behind the other. The statement is judged on its parsed tree (:mod:`.statement`). The
connection is attached read-only and locked: no file outside the store, no setting, no extension. And the
engine runs with a memory limit, nothing to spill to, and a clock that interrupts it.
"""

from __future__ import annotations

import contextlib
import queue
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from datetime import time as day_time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from finops_kit.errors import FinopsError, QueryRefused, QueryTooLarge, UsageError
from finops_kit.settings import Workspace
from finops_kit.store.lake import text_literal
from finops_kit.store.reader import AsOf, Reader, open_reader
from finops_kit.store.statement import judge, one_line
from finops_kit.store.views import view_definitions

#: rows that are handed over at a time
ROWS_AT_ONCE = 1000
#: how often a waiting reader looks at the clock; Ctrl-C is seen as often
TICK_SECONDS = 0.1
#: how long an interrupted statement may take to let go
GRACE_SECONDS = 3.0
#: what the process may take beside the engine's memory: code, threads, the rows being handed over
ROOM_BYTES = 1_500_000_000
THREAD_NAME = "sql-door"


class Answer:
    """The rows of one statement, as they come. Made by :func:`run_sql`; close it or use it in a ``with``.

    Attributes
    ----------
    columns : the column names; a name that repeats gets a number
    types : their DuckDB types
    version : the store version that was read
    truncated : whether ``max_rows`` cut the answer off; known when the last row has been taken
    """

    def __init__(self, reader: Reader, stack: ExitStack, timeout_seconds: float, max_rows: int | None) -> None:
        self.version = reader.version
        self.version_time = reader.version_time
        self.columns: tuple[str, ...] = ()
        self.types: tuple[str, ...] = ()
        self.truncated = False
        self._connection = reader.connection
        self._stack = stack
        self._timeout = timeout_seconds
        self._waited = 0.0
        self._max_rows = max_rows
        self._out: queue.Queue[Any] = queue.Queue(maxsize=2)
        self._stop = threading.Event()
        self._worker: threading.Thread | None = None

    def _start(self, statement: str) -> None:
        self._worker = threading.Thread(target=self._produce, args=(statement,), name=THREAD_NAME, daemon=True)
        self._worker.start()
        head = self._take()
        self.columns, self.types = head

    def _produce(self, statement: str) -> None:
        """Runs in the worker: the header, then batches of rows, then None; an exception ends it."""
        try:
            cursor = self._connection.execute(statement)
            described = cursor.description or []
            self._put((_distinct([d[0] for d in described]), tuple(str(d[1]) for d in described)))
            while not self._stop.is_set():
                rows = cursor.fetchmany(ROWS_AT_ONCE)
                self._put(rows or None)
                if not rows:
                    return
        except BaseException as error:
            self._put(error)

    def _put(self, item: Any) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(queue.Full):
                self._out.put(item, timeout=TICK_SECONDS)
                return

    def _take(self) -> Any:
        """The next thing from the worker; only the time spent waiting for it counts."""
        began = time.monotonic()
        while True:
            try:
                item = self._out.get(timeout=TICK_SECONDS)
                break
            except queue.Empty:
                if self._waited + time.monotonic() - began > self._timeout:
                    self.close()
                    raise QueryTooLarge(
                        f"The statement ran longer than {self._timeout:g} s and was stopped. "
                        "Narrow it (a period, fewer columns, an aggregate) or give --timeout more seconds."
                    ) from None
        self._waited += time.monotonic() - began
        if isinstance(item, BaseException):
            self.close()
            raise _in_our_words(item) from item
        return item

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """The rows, with Python's own types (Decimal, datetime in UTC, dict for a map)."""
        given = 0
        while (rows := self._take()) is not None:
            for row in rows:
                if self._max_rows is not None and given >= self._max_rows:
                    self.truncated = True
                    return
                given += 1
                yield row

    def records(self) -> Iterator[dict[str, Any]]:
        """The rows as objects ready for JSON: decimals as text, times in ISO 8601, blobs in hex."""
        for row in self:
            yield {name: jsonable(value) for name, value in zip(self.columns, row, strict=True)}

    def close(self) -> None:
        """Stop the statement if it still runs, and let go of the store."""
        self._stop.set()
        if self._worker is not None and self._worker.is_alive():
            self._connection.interrupt()
            self._worker.join(GRACE_SECONDS)
        if self._worker is None or not self._worker.is_alive():
            self._stack.close()

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def run_sql(
    workspace: Workspace,
    statement: str,
    as_of: AsOf = None,
    timeout_seconds: float = 60,
    memory_limit: str = "1GB",
    max_rows: int | None = None,
) -> Answer:
    """Ask the store one question in SQL.

    Parameters
    ----------
    as_of : a store version or a time; the newest version where nothing is said
    timeout_seconds : how long the statement may run
    memory_limit : what the engine may use; nothing is spilled to disk
    max_rows : stop after so many rows (``truncated`` then says so)

    Returns
    -------
    The answer, row by row; the store is let go when it is closed.

    Raises
    ------
    QueryRefused : the statement would do more than read the store's tables
    QueryTooLarge : it needs more time or memory than it may use
    UsageError : it is no SQL, or names what is not there
    StoreMissing, VersionUnknown : there is no such store, or no such version of it

    Example
    -------
    >>> import tempfile; from pathlib import Path; from finops_kit.store import create_store
    >>> place = Workspace(Path(tempfile.mkdtemp()) / "workspace")
    >>> _ = create_store(place)
    >>> with run_sql(place, "SELECT 1.50 AS amount, count(*) AS charges FROM charge") as answer:
    ...     list(answer.records())
    [{'amount': '1.50', 'charges': 0}]
    """
    judged = judge(statement, view_definitions())
    with ExitStack() as stack:
        reader = stack.enter_context(open_reader(workspace, as_of, memory_limit=memory_limit))
        lock_down(reader.connection, workspace)
        answer = Answer(reader, stack.pop_all(), timeout_seconds, max_rows)
    try:
        answer._start(judged)
    except BaseException:
        answer.close()
        raise
    return answer


@contextlib.contextmanager
def bounded_process(memory_limit: str) -> Iterator[None]:
    """Hold the whole process to a memory limit while a statement runs.

    The engine's own limit does not count what a single function call takes for one value; the operating
    system's limit on the address space does. Where there is no such limit (Windows), nothing happens.
    """
    try:
        import resource
    except ImportError:
        yield
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    ceiling = pages * resource.getpagesize() + 2 * _bytes(memory_limit) + ROOM_BYTES
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if not pages or (hard != resource.RLIM_INFINITY and hard < ceiling):
        yield
        return
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _bytes(text: str) -> int:
    """An amount of memory as DuckDB writes it, in bytes.

    Example
    -------
    >>> _bytes("500MB"), _bytes("1.5 GiB")
    (500000000, 1610612736)
    """
    found = re.fullmatch(r"\s*([\d.]+)\s*(([KMGT]?)(i?)B)?\s*", text, re.IGNORECASE)
    if not found:
        raise UsageError(f"{text!r} is not an amount of memory. Write it like 500MB or 2GB.")
    return int(Decimal(found[1]) * (1024 if found[4] else 1000) ** ("KMGT".find((found[3] or "").upper() or " ") + 1))


def statement_under_way() -> bool:
    """Whether a stopped statement has still not let go of its thread."""
    return any(thread.name == THREAD_NAME for thread in threading.enumerate())


def lock_down(connection: duckdb.DuckDBPyConnection, workspace: Workspace) -> None:
    """Take from a connection everything but reading the store: files, settings, extensions, spilling."""
    catalogue = workspace.catalogue.as_posix()
    paths = ", ".join(text_literal(catalogue + ending) for ending in ("", "-wal", "-shm", "-journal"))
    for setting in (
        f"allowed_directories = [{text_literal(workspace.data.as_posix() + '/')}]",
        f"allowed_paths = [{paths}]",
        "python_enable_replacements = false",
        "temp_directory = ''",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")


def _in_our_words(error: BaseException) -> BaseException:
    """What the engine says, as one of our errors."""
    if isinstance(error, (FinopsError, KeyboardInterrupt)):
        return error
    if isinstance(error, (duckdb.OutOfMemoryException, MemoryError)):
        return QueryTooLarge(
            "The statement needs more memory than it may use. Narrow it (a period, fewer columns, an aggregate), "
            "or give --memory more."
        )
    if isinstance(error, duckdb.PermissionException):
        return QueryRefused(f"The engine refused the statement: {one_line(error)}")
    if isinstance(error, (duckdb.InterruptException, duckdb.IOException, duckdb.InternalException)):
        return FinopsError(f"The statement did not come to its end: {one_line(error)}")
    if isinstance(error, (duckdb.Error, ValueError, OverflowError)):
        return UsageError(f"The statement cannot be answered: {one_line(error)}")
    return error


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Column names with a number where one repeats, so that no object loses a value.

    Example
    -------
    >>> _distinct(["a", "b", "a"])
    ('a', 'b', 'a_2')
    """
    taken: set[str] = set()
    distinct = []
    for name in names:
        chosen, number = name, 1
        while chosen in taken:
            number += 1
            chosen = f"{name}_{number}"
        taken.add(chosen)
        distinct.append(chosen)
    return tuple(distinct)


def jsonable(value: Any) -> Any:
    """One value as JSON can hold it without loss: decimals as text, times in ISO 8601 (UTC ends in Z).

    Example
    -------
    >>> jsonable({"a": [Decimal("1.50"), date(2026, 9, 1), b"\\x01"]})
    {'a': ['1.50', '2026-09-01', '01']}
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, (date, day_time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"PT{format(Decimal(value // timedelta(microseconds=1)) / 1_000_000, 'f')}S"
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, dict):
        return {str(jsonable(key)): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [jsonable(item) for item in value]
    return str(value)
