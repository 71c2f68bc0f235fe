"""Watch a folder and take in what comes, once each, until told to stop.

A file is taken when it has kept its size and time from one look to the next, so one that is being written is waited
for and one that is renamed into place comes with the next look. What a manifest lists is taken together, once all of it
is there; what lies beside it and is not listed is left alone. What was taken is known by its content: killed at any
moment and started again, the watch takes what is missing and nothing twice. Between looks nothing is open or locked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from finops_kit.errors import SourceRefused, StoreBusy, UsageError
from finops_kit.ingest.locations import Located, choose_by_manifests, group_reports
from finops_kit.ingest.pipeline import ingest_paths
from finops_kit.ingest.report import STORED, WAITING, FileReport
from finops_kit.settings import Workspace
from finops_kit.sources.files import expand_path

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

    def look(self) -> list[Located]:
        """Look once; the files that are steady and not done, with all other parts of the reports they belong to.

        A manifest that is steady and lists what has not come is among them, once.
        """
        now = dict(self._stamps())
        steady = {path for path, stamp in now.items() if self.seen.get(path) == stamp}
        new = {str(path) for path in steady if self.done.get(path) != now[path]}
        self.seen = now
        chosen = choose_by_manifests(
            [Located(path, str(path)) for path in sorted(now)], ready={str(path) for path in steady}
        )
        groups = group_reports([one for one in chosen if one.path in steady])
        return [one for group in groups if any(one.name in new or one.report in new for one in group) for one in group]

    def finish(self, ready: Sequence[Located], told: Container[str]) -> None:
        """Keep what was dealt with, and the manifests of the reports that were dealt with whole."""
        open_reports = {one.report for one in ready if one.name not in told}
        dealt = {one.name for one in ready if one.name in told} | {one.report for one in ready} - open_reports
        self.done |= {path: stamp for path, stamp in self.seen.items() if str(path) in dealt}

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
                if path.name.lower().endswith(UNFINISHED):
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
    encoding: str | None = None,
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
        reported = {one.name for one in ready if one.waits}
        for one in ready:
            if one.waits:
                tell(FileReport(one.name, status=WAITING, reason=f"{one.refusal} It is waited for."))
        if len(reported) < len(ready):

            def once(one: FileReport, watch: Watch = watch, reported: set[str] = reported) -> None:
                path = one.path.split("!")[0]
                reported.add(path)
                if one.status == STORED or not watch.finished(Path(path)):
                    tell(one)

            try:
                ingest_paths(
                    workspace, [one for one in ready if not one.waits], format=format, mapping=mapping, actor=actor,
                    encoding=encoding, together=False, tell=once, should_stop=stop.is_set,
                )  # fmt: skip
            except StoreBusy as error:
                tell(FileReport(str(places[0]), reason=f"{error} The files are tried again."))
        watch.finish(ready, reported)
        stop.wait(interval)
