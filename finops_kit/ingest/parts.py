"""One file, or the parts of one report, while they are taken in: what was stored before, and what they deliver.

Which files a report goes on with is decided by their content, under the lock: whatever broke off an ingest, and
whatever was written beside it, the same files taken in again end in the same bill.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finops_kit.errors import SourceRefused
from finops_kit.ingest.counting import Counting
from finops_kit.ingest.deliveries import AlonePart, Delivery
from finops_kit.ingest.locations import Located, report_name, said_by_name
from finops_kit.ingest.standing import Standing
from finops_kit.sources.files import Digest
from finops_kit.store import Writer

#: the names of so many parts are kept beside the first one's ledger entry
NAMES_KEPT = 100


class Parts:
    """What is taken in together.

    Parameters
    ----------
    located : one file, or the parts of one report
    mapping : the SHA-256 of the mapping that they are read by, if any
    replaying : the name and the details of rows that are brought again
    newest : they count even where they look older than what counts
    counting : which contents count now
    adding : they add to their periods

    Attributes
    ----------
    delivery : what they do to what was delivered before
    hashed : what was hashed on the way, so that it is not hashed again
    replays : what the ledger says of rows that are brought again
    """

    def __init__(
        self, located: Sequence[Located], mapping: str, replaying: tuple[str, dict[str, Any]] | None, newest: bool,
        counting: Counting, adding: bool = False,
    ) -> None:  # fmt: skip
        self.delivery = Delivery(newest=newest, adding=adding)
        self.hashed: dict[Path, Digest] = {}
        self._located, self._mapping, self._newest, self._counting = located, mapping, newest, counting
        self.replays: dict[str, Any] = replaying[1] if replaying else {}
        self._names = [None if replaying or adding else report_name(one) for one in located]
        self._numbers = sorted(name[1] for name in self._names if name)
        self._files = [one.name for one in located]
        listed = () if adding else located[0].listed
        if listed:
            self._numbers = list(range(1, len(listed) + 1))
            self._files = self._files if len(located) == len(listed) else list(listed)
        self._stored: list[str | None] = [None] * len(located)
        self._contents: list[str | None] = []
        self._version: int | None = None
        if replaying:
            self.delivery.adds = self.replays["replays"]["batch_id"]
        elif not adding and (len(located) > 1 or len(listed) == 1):
            self._contents = [self._hash(one) for one in located]
        elif name := self._names[0]:
            said = said_by_name(located[0])
            self.delivery = AlonePart(*name, parts=self._numbers if listed else (), said=said)
            self.delivery.newest = newest
            self._numbers = self._numbers if listed else sorted(said | set(self._numbers))

    def _hash(self, one: Located) -> str | None:
        try:
            one.bring()
            self.hashed[one.path] = Digest.of(one.path)
        except (OSError, SourceRefused):
            return None
        return self.hashed[one.path].sha256

    def look(self, writer: Writer, number: int) -> None:
        """Look at what stands now, before a file is taken in; the writer holds the lock.

        Raises
        ------
        SourceRefused : another process took the place of the parts before it
        """
        self.delivery.name = self._located[number].name
        if self._contents or isinstance(self.delivery, AlonePart):
            version = writer.version()
            if version != self._version:
                self._look(writer)
                self._version = version
        if self._contents:
            last = max((i for i, batch_id in enumerate(self._stored) if batch_id is None), default=0)
            self.delivery.waits = number < last or self.delivery.broken

    def _look(self, writer: Writer) -> None:
        standing = Standing(writer, self._mapping)
        if isinstance(self.delivery, AlonePart):
            self.delivery.standing = standing
            return
        own = set(self.delivery.batches)
        found = standing.stored(self._contents, bool(self._located[0].listed), self._newest and not own)
        if own - set(found):
            raise SourceRefused(
                f"Another ingest brought the bill of the same account and period while {self._files[0]} and its other "
                f"parts were taken in. Take the report in again; it counts once it is whole."
            )
        # what delivers nothing, such as an inventory, is no part of any delivery, and stays as it was stored
        self._standing, self._stored = standing, found
        for batch_id in found:
            if batch_id is not None:
                self.delivery.go_on(writer, batch_id)

    def wrote(self, writer: Writer) -> None:
        """Note that what was written since the last look is its own."""
        self._version = writer.version()

    def is_taken(self, writer: Writer, number: int, seen: dict[str, Any], digest: str) -> bool:
        """Whether a content that was stored before stays as it is, and is not stored again."""
        if self.replays:
            row = writer.connection.execute(
                "SELECT count(*) FROM lake.ledger WHERE source_hash = ? "
                "AND json_extract_string(details, '$.replays.batch_id') = ?",
                [digest, self.delivery.adds],
            ).fetchone()
            return bool(row and row[0])
        if self._contents:
            return self._stored[number] is not None or seen["batch_id"] not in self._standing.batches
        if isinstance(self.delivery, AlonePart) and self.delivery.wants(seen["batch_id"]):
            return False
        if self.delivery.adding:
            return self._counting.stands(digest, self._newest)
        return not self._newest or self._counting.of(digest)

    def counts(self, batch_id: str) -> tuple[bool | None, str]:
        """Whether what was stored before counts, unknown while its report is under way; and the options that let it."""
        under_way = bool(self._contents) and None in self._stored
        return None if under_way or self.replays else self._counting.told(batch_id), self._counting.again(batch_id)

    def details(self, number: int) -> dict[str, Any]:
        """What the ledger says of a part: its report, its number, and the numbers that came or are listed with it."""
        name = self._names[number]
        if name is None:
            return dict(self.replays)
        out: dict[str, Any] = {"report": name[0], "part": name[1]}
        if len(self._numbers) > 1:
            out["parts"] = self._numbers
            if not self.delivery.batches and len(self._files) == len(self._numbers) <= NAMES_KEPT:
                out["files"] = self._files
        return out
