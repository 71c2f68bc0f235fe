"""Which of the contents that were stored count, at the version that a writer sees."""

from __future__ import annotations

from finops_kit.fields import REFERENCE_TABLES
from finops_kit.ingest.deliveries import Delivery
from finops_kit.store import Writer
from finops_kit.store.views import DELIVERY_COUNTS, INSTEAD

#: of these every delivery says something that no newer one takes away: rates of its months, a day of the CMDB
_STAY = ("exchange_rate", "cmdb_item")
_TOLD = f"""
    SELECT c.batch_id, l.source_hash, bool_and(c.begun AND NOT c.replaced), bool_and(c.dataset IN {_STAY}),
        bool_or(c.begun AND c.replaced), bool_or(c.mode LIKE '{INSTEAD}%')
    FROM ({DELIVERY_COUNTS}) c JOIN lake.ledger l USING (batch_id)
    WHERE l.kind = 'ingest' GROUP BY ALL ORDER BY any_value(c.entry)
"""


def just_stored(table: str, delivery: Delivery) -> bool | None:
    """Whether what was just stored counts; None where it fills no table in which a newer file takes another's place.

    Example
    -------
    >>> [just_stored(table, Delivery(waits=True)) for table in ("charge", "budget", "cmdb_item")]
    [False, True, None]
    """
    if table == "charge":
        return not (delivery.waits or delivery.late)
    return True if table not in _STAY and any(table == one.name for one in REFERENCE_TABLES) else None


class Counting:
    """Which contents count, of those that were stored; asked of the store once for each of its versions."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._version: int | None = None
        self._content: dict[str, str] = {}
        self._counts: dict[str, bool] = {}
        self._stays: set[str] = set()
        self._replaced: set[str] = set()
        self._instead: set[str] = set()

    def of(self, digest: str) -> bool:
        """Whether all that a content delivered last is current, or it delivers nothing."""
        self._look()
        return self._counts.get(digest, True)

    def stands(self, digest: str, newest: bool) -> bool:
        """Whether a content that is to be added stays as it was stored: it counts, or was itself corrected since.

        Parameters
        ----------
        newest : whatever holds its lines makes room for it: it stays only where that was done
        """
        counts = self.of(digest)
        return counts and digest in self._instead if newest else counts or digest in self._replaced

    def told(self, batch_id: str | None) -> bool | None:
        """The same of the content of a batch; None where it delivers nothing that another file could replace."""
        self._look()
        digest = self._content.get(batch_id or "")
        return None if digest is None or digest in self._stays else self._counts[digest]

    def again(self, batch_id: str | None) -> str:
        """The options that let a content count again; one of several files that were added up is to be added."""
        return "--adds --newest" if self._content.get(batch_id or "") in self._replaced else "--newest"

    def _look(self) -> None:
        version = self._writer.version()
        if version == self._version:
            return
        self._content, self._counts = {}, {}
        kinds: tuple[set[str], set[str], set[str]] = (set(), set(), set())
        self._stays, self._replaced, self._instead = kinds
        for batch_id, digest, counts, *is_so in self._writer.connection.execute(_TOLD).fetchall():
            self._content[batch_id] = digest
            self._counts[digest] = counts
            for kind, is_one in zip(kinds, is_so, strict=True):
                (kind.add if is_one else kind.discard)(digest)
        self._version = version
