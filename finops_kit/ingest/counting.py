"""Which of the contents that were stored count, at the version that a writer sees."""

from __future__ import annotations

from finops_kit.fields import REFERENCE_TABLES
from finops_kit.ingest.deliveries import Delivery
from finops_kit.store import CURRENT_DELIVERY, Writer

#: of these every delivery says something that no newer one takes away: rates of its months, a day of the CMDB
_STAY = ("exchange_rate", "cmdb_item")
_TOLD = f"""
    SELECT l.batch_id, l.source_hash, bool_and(c.batch_id IS NOT NULL), bool_and(d.dataset IN {_STAY})
    FROM lake.ledger l JOIN lake.delivery d USING (batch_id)
    LEFT JOIN ({CURRENT_DELIVERY}) c ON c.batch_id = d.batch_id AND c.dataset = d.dataset
        AND c.billing_account_id = d.billing_account_id AND c.period_start IS NOT DISTINCT FROM d.period_start
    WHERE l.kind = 'ingest' GROUP BY ALL ORDER BY any_value(l.entry)
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

    def of(self, digest: str) -> bool:
        """Whether all that a content delivered last is current, or it delivers nothing."""
        self._look()
        return self._counts.get(digest, True)

    def told(self, batch_id: str | None) -> bool | None:
        """The same of the content of a batch; None where it delivers nothing that another file could replace."""
        self._look()
        digest = self._content.get(batch_id or "")
        return None if digest is None or digest in self._stays else self._counts[digest]

    def _look(self) -> None:
        version = self._writer.version()
        if version == self._version:
            return
        self._content, self._counts, self._stays = {}, {}, set()
        for batch_id, digest, counts, stays in self._writer.connection.execute(_TOLD).fetchall():
            self._content[batch_id] = digest
            self._counts[digest] = counts
            if stays:
                self._stays.add(digest)
        self._version = version
