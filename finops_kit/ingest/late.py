"""Whether a bill that comes is older than the one that counts: files do not always come in the order they were made.

Two things in a bill itself say so, and nothing else is taken for it:

- *a draft after its final bill*: use is invoiced in the bill that counts, and in the one that comes it is not;
- *less of a month after more of it*: neither is invoiced, the one that comes ends before its period does, and its use
  ends on an earlier day than in the one that counts.

Such a delivery is stored like every other, as one that never counts (mode ``replace-late``, or ``append-late`` at the
end of a report in parts).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from finops_kit.store import CURRENT_DELIVERY, Writer

#: how a delivery's mode ends that came after a newer one
LATE = "-late"
DRAFT = "a draft, which came after the final bill"
SHORTER = "use until {until}, which came after a bill of use until {known}"

#: use by account and period: whether it is invoiced, and when it ends; what spans days says nothing of that
_EVIDENCE = """
    SELECT coalesce("BillingAccountId", ''), "BillingPeriodStart", max("BillingPeriodEnd"), bool_or("InvoiceId" <> ''),
        max("ChargePeriodEnd") FILTER ("ChargePeriodEnd" <= "ChargePeriodStart" + INTERVAL 1 DAY)
    FROM lake.charge WHERE batch_id IN (SELECT unnest(?::VARCHAR[])) AND "ChargeCategory" = 'Usage'
    GROUP BY ALL
"""


@dataclass(frozen=True)
class Evidence:
    """What the use in a bill of one account and period says of when it was made.

    Attributes
    ----------
    ends : when the billing period ends
    invoiced : some of the use carries an invoice
    until : when the use ends; none where no line spans a day or less
    """

    ends: datetime | None
    invoiced: bool
    until: datetime | None


def why_late(new: Evidence, known: Evidence) -> str:
    """Why a bill is older than the one that counts; empty where nothing says so.

    Example
    -------
    >>> end, day = datetime(2026, 10, 1), lambda number: datetime(2026, 9, number)
    >>> why_late(Evidence(end, False, day(30)), Evidence(end, True, day(30)))
    'a draft, which came after the final bill'
    >>> why_late(Evidence(end, False, day(11)), Evidence(end, False, day(21)))
    'use until 2026-09-11, which came after a bill of use until 2026-09-21'
    >>> why_late(Evidence(end, False, day(21)), Evidence(end, False, day(11)))
    ''
    """
    if new.invoiced:
        return ""
    if known.invoiced:
        return DRAFT
    if new.until is None or known.until is None or new.ends is None or new.until >= new.ends:
        return ""
    if new.until.date() < known.until.date():
        return SHORTER.format(until=f"{new.until:%Y-%m-%d}", known=f"{known.until:%Y-%m-%d}")
    return ""


def late_periods(
    writer: Writer, dataset: str, source_system: str, batches: Sequence[str], pairs: Iterable[tuple[str, Any]]
) -> dict[tuple[str, Any], str]:
    """The accounts and periods of which batches bring an older bill than the one that counts, and why.

    Parameters
    ----------
    batches : those that deliver together, none of them current yet
    pairs : the accounts and starts of periods that they deliver
    """
    asked = set(pairs)
    current: dict[tuple[str, Any], list[str]] = {}
    for batch_id, account, period in writer.connection.execute(
        f"SELECT batch_id, billing_account_id, period_start FROM ({CURRENT_DELIVERY}) "
        "WHERE dataset = ? AND source_system = ?",
        [dataset, source_system],
    ).fetchall():
        if (account, period) in asked and batch_id not in batches:
            current.setdefault((account, period), []).append(batch_id)
    if not current:
        return {}
    new = _evidence(writer, batches)
    of_batches = {stored: _evidence(writer, stored) for stored in set(map(tuple, current.values()))}
    found = {}
    for pair, stored in current.items():
        known = of_batches[tuple(stored)].get(pair)
        if pair in new and known is not None and (why := why_late(new[pair], known)):
            found[pair] = why
    return found


def _evidence(writer: Writer, batches: Sequence[str]) -> dict[tuple[str, Any], Evidence]:
    rows = writer.connection.execute(_EVIDENCE, [list(batches)]).fetchall()
    return {(account, period): Evidence(ends, bool(inv), until) for account, period, ends, inv, until in rows}


def came_late(writer: Writer, batch_id: str) -> bool:
    """Whether a stored batch brought a bill that never counts because it is older than the one that does."""
    row = writer.connection.execute(
        f"SELECT count(*) FROM lake.delivery WHERE batch_id = ? AND mode LIKE '%{LATE}'", [batch_id]
    ).fetchone()
    return bool(row and row[0])
