"""Progress on stderr: nothing for two seconds, then a line that moves (terminal) or lines that add up (log)."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from types import TracebackType

from finops_kit.cli.common import Setting, is_terminal

#: work that is done sooner shows nothing
PATIENCE_SECONDS = 2.0
#: how often a log looks for something new, and the longest time between two of its lines while there is
LOG_SECONDS = 2.0
LOG_SECONDS_AT_MOST = 20.0
#: how often a log hears that nothing new was said
ALIVE_SECONDS = 15.0
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Progress:
    """Call it with what is being done now; use it in a ``with``.

    Example
    -------
    >>> with Progress("counting", Setting(quiet=True)) as tell:
    ...     tell("one")
    """

    def __init__(self, label: str, setting: Setting) -> None:
        self._label = label
        self._message = ""
        self._quiet = setting.quiet
        self._terminal = is_terminal()
        self._began = time.monotonic()
        self._said, self._said_at = "", 0.0
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def __call__(self, message: str) -> None:
        """Say what is being done now."""
        self._message = message

    def __enter__(self) -> Progress:
        self._began = time.monotonic()
        if not self._quiet:
            self._thread = threading.Thread(target=self._show, name="progress", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join(1)
            if self._terminal and self._said:
                self._write("\r\x1b[2K")

    def _show(self) -> None:
        if self._done.wait(PATIENCE_SECONDS):
            return
        turn = 0
        while True:
            elapsed = time.monotonic() - self._began
            text = ": ".join(part for part in (self._label, self._message) if part)
            if self._terminal:
                self._write(f"\r\x1b[2K{_SPINNER[turn % len(_SPINNER)]} {text[:100]} ({elapsed:.0f} s)")
                self._said = text
            elif text != self._said or time.monotonic() - self._said_at > ALIVE_SECONDS:
                self._write(f"{text} ({elapsed:.0f} s)\n")
                self._said, self._said_at = text, time.monotonic()
            turn += 1
            if self._done.wait(0.1 if self._terminal else min(LOG_SECONDS * turn, LOG_SECONDS_AT_MOST)):
                return

    @staticmethod
    def _write(text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()
