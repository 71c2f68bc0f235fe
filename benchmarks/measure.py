"""Time a piece of work as a process of its own: wall and CPU seconds and peak memory, several runs, the median."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb


@dataclass(frozen=True)
class Measured:
    """Median wall and CPU seconds and the largest peak resident memory of a few runs."""

    seconds: float
    peak_mb: float
    spread: tuple[float, float]
    cpu_seconds: float = 0.0


def machine() -> str:
    """One line that says what was measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}, DuckDB {duckdb.__version__}"


def measure(code: str, *arguments: str | Path, runs: int = 3, before: str = "") -> Measured:
    """Run Python code as a process of its own ``runs`` times; ``arguments`` are its ``sys.argv[1:]``.

    ``before`` is run before each, with the same arguments, and does not count.
    """
    seconds, peaks, cpu = [], [], []
    for _ in range(runs):
        if before:
            subprocess.run([sys.executable, "-c", before, *map(str, arguments)], check=True)
        started = time.monotonic()
        process = subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)])
        _, status, usage = os.wait4(process.pid, 0)
        seconds.append(time.monotonic() - started)
        peaks.append(usage.ru_maxrss / 1024)
        cpu.append(usage.ru_utime + usage.ru_stime)
        if status:
            raise SystemExit(f"a measured process failed with status {status}")
    return Measured(statistics.median(seconds), max(peaks), (min(seconds), max(seconds)), statistics.median(cpu))
