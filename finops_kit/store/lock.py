"""The operating system's lock around writes: one writer at a time on one machine.

SQLite alone lets several writers fail half of their commits; a lock that the operating system drops
with its process makes them queue instead, and leaves nothing behind after a kill.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from finops_kit.errors import StoreBusy, StoreError
from finops_kit.settings import Workspace

#: how long a writer waits for its turn
WAIT_SECONDS = 120.0


@contextmanager
def writer_lock(workspace: Workspace, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the right to write; wait for it as long as is said.

    Raises
    ------
    StoreBusy : another process kept writing for longer than ``wait_seconds``
    StoreError : the workspace cannot be written to
    """
    lock = FileLock(str(workspace.lock), timeout=wait_seconds)
    try:
        workspace.root.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise StoreBusy(
            f"Another process has been writing to {workspace.root} for over {wait_seconds:g} s. Try again later."
        ) from error
    except OSError as error:
        raise StoreError(f"{workspace.root} cannot be written to: {error.strerror or error}.") from error
    try:
        yield
    finally:
        lock.release()
