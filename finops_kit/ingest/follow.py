"""Watch a folder and take in what comes, once each, until told to stop.

A file is taken when it has kept its size and time from one look to the next, so one that is being written is waited
for and one that is renamed into place comes with the next look. What was taken is known by its content: killed at any
moment and started again, the watch takes what is missing and nothing twice. Between looks nothing is open or locked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from finops_kit.errors import SourceRefused, StoreBusy, UsageError
from finops_kit.ingest.locations import Located, group_reports
from finops_kit.ingest.pipeline import ingest_paths
from finops_kit.ingest.report import FileReport
from finops_kit.settings import Workspace
from finops_kit.sources.files import expand_path
from finops_kit.sources.manifests import may_be_manifest

#: seconds between two looks
INTERVAL_SECONDS = 5.0
#: names of files that their writer has not finished
UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart", "~")

_Stamp = tuple[int, int]


@dataclass
class Watch:
    """What was seen of the folders, and what was done with it."""

    folders: Sequence[Path]
    seen: dict[Path, _Stamp] = field(default_factory=dict)
    done: dict[Path, _Stamp] = field(default_factory=dict)

    def look(self) -> list[Path]:
        """Look once; the files that are steady and not done, with all other parts of the reports they belong to."""
        now = dict(self._stamps())
        steady = {path for path, stamp in now.items() if self.seen.get(path) == stamp}
        new = {path for path in steady if self.done.get(path) != now[path]}
        self.seen = now
        groups = group_reports([Located(path, str(path)) for path in sorted(steady)])
        return [one.path for group in groups if any(one.path in new for one in group) for one in group]

    def finished(self, path: Path) -> bool:
        """Whether a file was dealt with as it stands."""
        return self.done.get(path) == self.seen.get(path)

    def _stamps(self) -> Iterator[tuple[Path, _Stamp]]:
        for folder in self.folders:
            try:
                paths = expand_path(folder)
            except SourceRefused:
                continue  # empty, or away for a moment
            for path in paths:
                if path.name.lower().endswith(UNFINISHED) or may_be_manifest(path.name):
                    continue
                try:
                    about = path.stat()
                except OSError:
                    continue
                if about.st_size:
                    yield path, (about.st_size, about.st_mtime_ns)


def follow(
    workspace: Workspace,
    folders: Sequence[str | Path],
    tell: Callable[[FileReport], None],
    stop: threading.Event,
    *,
    format: str | None = None,
    mapping: str | Path | None = None,
    actor: str | None = None,
    interval: float = INTERVAL_SECONDS,
) -> None:
    """Take in what comes into the folders, until ``stop`` is set; a file that is under way is finished first.

    Parameters
    ----------
    tell : called with what became of each file that is new or changed; a bad file is told once and left alone
    interval : seconds between two looks

    Raises
    ------
    UsageError : one of the folders is none, or the interval is no time
    StoreMissing : the workspace has no store
    """
    places = [Path(folder).expanduser() for folder in folders]
    if interval <= 0:
        raise UsageError("The interval between two looks is a number of seconds above 0.")
    for place in places:
        if not place.is_dir():
            raise UsageError(f"{place} is no folder. --follow watches folders on this machine.")
    watch = Watch(places)
    while not stop.is_set():
        ready = watch.look()
        if ready:
            reported: set[str] = set()

            def once(one: FileReport, watch: Watch = watch, reported: set[str] = reported) -> None:
                path = one.path.split("!")[0]
                reported.add(path)
                if not watch.finished(Path(path)):
                    tell(one)

            try:
                ingest_paths(
                    workspace, ready, format=format, mapping=mapping, actor=actor, tell=once, should_stop=stop.is_set
                )
            except StoreBusy as error:
                tell(FileReport(str(places[0]), reason=f"{error} The files are tried again."))
            watch.done |= {path: watch.seen[path] for path in ready if str(path) in reported}
        stop.wait(interval)
