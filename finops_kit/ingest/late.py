"""Whether a bill that comes is older than the one that counts: files do not always come in the order they were made.

Two things in a bill itself say so, and nothing else is taken for it:

- *a draft after its final bill*: use is invoiced in the bill that counts, and in the one that comes it is not;
- *less of a month after more of it*: neither is invoiced, the one that comes ends before its period does, and its use
  ends on an earlier day than in the one that counts.

A part that would add to the report that counts is held against it by the first of them alone: its use may end on any
day. Such a delivery is stored like every other, as one that never counts (mode ``replace-late``, or ``append-late`` at
the end of a report in parts; parts that came alone wait). So are rows that come again from quarantine after a newer
delivery has taken the place of theirs.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from finops_kit.ingest.deliveries import DRAFT, Delivery, Pair
from finops_kit.ingest.restated import restate
from finops_kit.store import CURRENT_DELIVERY, Writer

REPLACED = "rows of a bill, in whose place a newer delivery counts"
SHORTER = "use until {until}, which came after a bill of use until {known}"

#: use by account and period: whether it is invoiced, when it ends and begins; what spans days says nothing of that
_EVIDENCE = """
    SELECT coalesce("BillingAccountId", ''), "BillingPeriodStart", max("BillingPeriodEnd"), bool_or("InvoiceId" <> ''),
        max("ChargePeriodEnd") FILTER ("ChargePeriodEnd" <= "ChargePeriodStart" + INTERVAL 1 DAY),
        min("ChargePeriodStart") FILTER ("ChargePeriodEnd" <= "ChargePeriodStart" + INTERVAL 1 DAY)
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
    until, since : when the use ends and begins; none where no line spans a day or less
    """

    ends: datetime | None
    invoiced: bool
    until: datetime | None
    since: datetime | None = None


def why_late(new: Evidence, known: Evidence, whole: bool = True) -> str:
    """Why a bill is older than the one that counts; empty where nothing says so.

    Parameters
    ----------
    whole : it is a bill, and not one more part of one, whose use may end on any day

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
    if not whole or new.until is None or known.until is None or new.ends is None or new.until >= new.ends:
        return ""
    if new.until.date() < known.until.date():
        return SHORTER.format(until=f"{new.until:%Y-%m-%d}", known=f"{known.until:%Y-%m-%d}")
    return ""


def settle(
    writer: Writer, delivery: Delivery, dataset: str, source_system: str, batch_id: str, pairs: Iterable[Pair]
) -> dict[Pair, str]:
    """The mode of each account and period that a batch delivers, and of those that it makes whole without a row.

    Parameters
    ----------
    delivery : what the batch does; why some of it is late is noted there
    pairs : the accounts and starts of periods of which it has rows
    """
    asked = list(pairs)
    delivery.late, delivery.lost = {}, []
    alone = type(delivery) is Delivery and not (delivery.waits or delivery.adds or delivery.batches)
    instead = restate(writer, delivery, dataset, source_system, batch_id, asked) if alone or delivery.adding else {}
    if delivery.adding:
        return dict.fromkeys(asked, "append") | instead
    delivery.begin(dataset, source_system)
    modes = {pair: delivery.mode(*pair) for pair in asked} | instead
    modes |= dict.fromkeys(delivery.made_whole(modes), "append-whole")
    delivery.batches.append(batch_id)
    if delivery.adds:
        delivery.late = dict.fromkeys(_replaced(writer, dataset, source_system, delivery.adds) & modes.keys(), REPLACED)
    else:
        judged = {pair: delivery.together(pair) for pair, mode in modes.items() if delivery.judged(mode)}
        growing = {pair for pair in judged if modes[pair] == "append"}
        found, shorter = late_periods(writer, dataset, source_system, judged, growing)
        delivery.late |= found
        delivery.days_lost = {pair: days for pair, days in shorter.items() if modes[pair] == "replace"}
    late = delivery.late.keys() - instead.keys()
    return {pair: delivery.when_late(mode, pair) if pair in late else mode for pair, mode in modes.items()}


def late_periods(
    writer: Writer,
    dataset: str,
    source_system: str,
    batches: Mapping[Pair, Sequence[str]],
    growing: Container[Pair] = (),
) -> tuple[dict[Pair, str], dict[Pair, str]]:
    """The accounts and periods of which batches bring an older bill than the one that counts, and why.

    Parameters
    ----------
    batches : for each account and start of a period those that deliver it together, none of them current yet
    growing : where they would add to what counts: of those only whether it is a draft says anything

    Returns
    -------
    Why it is older, and of what is not older from which day to which it lacks use at its beginning.
    """
    current: dict[Pair, list[str]] = {}
    for pair, batch_id in _current(writer, dataset, source_system) if batches and not writer.is_new else ():
        if pair in batches and batch_id not in batches[pair]:
            current.setdefault(pair, []).append(batch_id)
    asked = {tuple(stored) for pair in current for stored in (current[pair], batches[pair])}
    evidence = {stored: _evidence(writer, stored) for stored in asked}
    found, lacks = {}, {}
    for pair, stored in current.items():
        new, known = evidence[tuple(batches[pair])].get(pair), evidence[tuple(stored)].get(pair)
        if new is None or known is None:
            continue
        if why := why_late(new, known, pair not in growing):
            found[pair] = why
        elif not new.invoiced and new.since and known.since and new.since.date() > known.since.date():
            lacks[pair] = f"from {known.since:%Y-%m-%d} to before {new.since:%Y-%m-%d}"
    return found, lacks


def _current(writer: Writer, dataset: str, source_system: str) -> list[tuple[Pair, str]]:
    found = writer.connection.execute(
        f"SELECT billing_account_id, period_start, batch_id FROM ({CURRENT_DELIVERY}) "
        "WHERE dataset = ? AND source_system = ?",
        [dataset, source_system],
    ).fetchall()
    return [((account, period), batch_id) for account, period, batch_id in found]


def _replaced(writer: Writer, dataset: str, source_system: str, batch_id: str) -> set[Pair]:
    """The accounts and periods that a batch delivered, and in which another one counts now."""
    delivered = writer.connection.execute(
        "SELECT billing_account_id, period_start FROM lake.delivery WHERE batch_id = ? AND dataset = ?",
        [batch_id, dataset],
    ).fetchall()
    counts = {pair for pair, current in _current(writer, dataset, source_system) if current == batch_id}
    return {(account, period) for account, period in delivered} - counts


def _evidence(writer: Writer, batches: Sequence[str]) -> dict[Pair, Evidence]:
    rows = writer.connection.execute(_EVIDENCE, [list(batches)]).fetchall()
    return {(account, period): Evidence(ends, bool(inv), *use) for account, period, ends, inv, *use in rows}
