"""How a file is delivered: what it replaces, what it adds to, and whether it has to wait for the other parts.

A bill may come in several files, the parts of one report, and then one part alone is no bill: were it current, a period
would show half of its cost. So parts wait until the report is whole, and then become current together:

- parts that come in one command, or that a manifest lists, are whole with the last of them;
- a part that comes alone adds to its report where that is current and lacks the part;
- one whose part is there already begins a new delivery, which waits until it has every part of the one before.

Modes of a delivery: ``replace`` and ``append`` count at once; ``replace-part`` and ``append-part`` wait;
``append-whole`` says that the parts before it, of its account and period, are whole. Nothing is updated when they
become current. ``replace-late`` and ``append-late`` are of a bill that is older than the one that counts (see
:mod:`.late`), and never count themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from finops_kit.store import Writer

#: an account and the start of a period
Pair = tuple[str, Any]

#: the deliveries of a report, in the order they came, and which of them are current
_OF_REPORT = """
    WITH came AS (
        SELECT l.entry, l.batch_id, json_extract_string(l.details, '$.report') AS report,
            json_extract(l.details, '$.part')::INTEGER AS part, json_extract(l.details, '$.parts')::INTEGER[] AS parts,
            d.billing_account_id, d.period_start, d.source_system, d.dataset, d.mode,
            max(CASE WHEN d.mode = 'append-whole' THEN l.entry END) OVER same AS whole_until
        FROM lake.delivery d JOIN lake.ledger l USING (batch_id)
        WINDOW same AS (PARTITION BY d.dataset, d.source_system, d.billing_account_id, d.period_start)
    ), counted AS (
        SELECT *, mode NOT LIKE '%-part' OR entry <= coalesce(whole_until, 0) AS counts FROM came
    ), newest AS (
        SELECT *, max(CASE WHEN counts AND mode LIKE 'replace%' THEN entry END) OVER (
            PARTITION BY dataset, source_system, billing_account_id, period_start) AS since
        FROM counted
    )
    SELECT batch_id, report, part, parts, billing_account_id, period_start, mode, counts,
        entry >= coalesce(since, 0) AS newer
    FROM newest ORDER BY entry
"""


@dataclass
class Delivery:
    """What the rows of one file do to what was delivered before.

    Attributes
    ----------
    waits : the report is not whole with this file
    delivered : accounts and periods that the parts before it delivered
    held : those of them that wait for this file
    adds : the rows add to what was delivered without them
    lacks : the parts that have to come before it counts, where they are known
    broken : a part that came before it in the same command was refused
    newest : it counts even where it looks older than what is there
    batches : what the command has stored of the report so far
    late : what came late, and why
    """

    waits: bool = False
    delivered: set[Pair] = field(default_factory=set)
    held: set[Pair] = field(default_factory=set)
    adds: bool = False
    lacks: set[int] = field(default_factory=set)
    broken: bool = False
    newest: bool = False
    batches: list[str] = field(default_factory=list)
    late: dict[Pair, str] = field(default_factory=dict)

    def mode(self, account: str, period: Any) -> str:
        """The mode in which the file delivers an account and period."""
        first = (account, period) not in self.delivered and not self.adds
        self.delivered.add((account, period))
        if self.waits:
            self.held.add((account, period))
            return "replace-part" if first else "append-part"
        if (account, period) in self.held:
            return "append-whole"
        return "replace" if first else "append"

    def judged(self, mode: str) -> bool:
        """Whether a delivery of this mode is held against the one that counts, which may be newer."""
        return not self.newest and mode in ("replace", "append-whole")

    def made_whole(self, covered: Iterable[Pair]) -> list[Pair]:
        """The accounts and periods that become whole with this file although it has no row of them."""
        return [] if self.waits else sorted(self.held - set(covered), key=str)


def take_from(delivery: Delivery, writer: Writer, batch_id: str) -> None:
    """Let a part that was stored before count as delivered; it waits still where it waited."""
    found = writer.connection.execute(
        "SELECT billing_account_id, period_start, mode FROM lake.delivery WHERE batch_id = ?", [batch_id]
    ).fetchall()
    delivery.delivered |= {(account, period) for account, period, _ in found}
    delivery.held |= {(account, period) for account, period, mode in found if mode.endswith("-part")}
    delivery.batches.append(batch_id)


def moved_accounts(
    writer: Writer, batch_id: str, source_file: str, dataset: str, covered: Iterable[Pair]
) -> list[Pair]:
    """The accounts that a file of this name billed before, and now bills under another one.

    A bill that becomes final may change its payer. So a file that comes again under its name, without an account that
    it had in the same period, replaces that account's delivery too, if it bills sub-accounts that were billed there.
    """
    pairs = set(covered)
    connection = writer.connection
    before = connection.execute(
        "SELECT DISTINCT d.batch_id, d.billing_account_id, d.period_start FROM lake.delivery d WHERE d.dataset = ? "
        "AND d.batch_id IN (SELECT batch_id FROM lake.ledger WHERE source_file = ? AND kind = 'ingest') "
        "AND d.batch_id <> ?",
        [dataset, source_file, batch_id],
    ).fetchall()
    moved = set()
    for earlier, account, period in before:
        if (account, period) in pairs or not any(other == period for _, other in pairs):
            continue
        row = connection.execute(
            'SELECT count(*) FROM lake.charge WHERE batch_id = ? AND "BillingPeriodStart" = ? '
            'AND coalesce("BillingAccountId", \'\') = ? AND "SubAccountId" IN (SELECT "SubAccountId" '
            'FROM lake.charge WHERE batch_id = ? AND "BillingPeriodStart" = ?)',
            [earlier, period, account, batch_id, period],
        ).fetchone()
        if row and row[0]:
            moved.add((account, period))
    return sorted(moved, key=str)


class AlonePart(Delivery):
    """A part of a report that comes alone; what it does is decided per account and period, when they are known."""

    def __init__(self, writer: Writer, report: str, part: int) -> None:
        super().__init__()
        self.part = part
        self._told: dict[Pair, _Before] = {}
        found = writer.connection.execute(_OF_REPORT)
        names = [column[0] for column in found.description]
        for row in found.fetchall():
            one = dict(zip(names, row, strict=True))
            before = self._told.setdefault((one["billing_account_id"], one["period_start"]), _Before())
            before.take(one, one["report"] == report)

    def mode(self, account: str, period: Any) -> str:
        """The mode in which the part delivers an account and period."""
        before = self._told.get((account, period), _Before())
        waiting = before.waiting if self.part not in before.waiting else set()
        if not waiting:
            if before.own and self.part not in before.own:
                return "append"
            if len(before.current) < 2:
                return "replace"
        self.lacks = (before.listed or before.current) - waiting - {self.part}
        if self.lacks:
            self.waits = True
            return "append-part" if waiting else "replace-part"
        self.held |= {pair for pair, other in self._told.items() if other.waiting and pair != (account, period)}
        return "append-whole"

    def judged(self, mode: str) -> bool:
        """Whether it is held against the one that counts: not where it only completes parts that came before."""
        return super().judged(mode) and mode == "replace"

    def wants(self, batch_id: str) -> bool:
        """Whether a delivery that waits lacks this part, although its content was stored with an earlier one."""
        return any(
            before.waiting and self.part not in before.waiting and batch_id not in before.batches
            for before in self._told.values()
        )


class _Before:
    """What was delivered of one account and period: which parts are current, and which of the own report wait."""

    def __init__(self) -> None:
        self.current: set[int] = set()
        self.own: set[int] = set()
        self.waiting: set[int] = set()
        self.listed: set[int] = set()
        self.batches: set[str] = set()

    def take(self, one: dict[str, Any], own: bool) -> None:
        """Take the next delivery in."""
        if not one["newer"] or one["part"] is None:
            return
        if one["counts"]:
            self.current.add(one["part"])
            if own:
                self.own.add(one["part"])
        elif own:
            if one["mode"] == "replace-part":
                self.waiting, self.listed, self.batches = set(), set(), set()
            self.waiting.add(one["part"])
            self.listed |= set(one["parts"] or ())
            self.batches.add(one["batch_id"])
