"""How a file is delivered: what it replaces, what it adds to, and whether it has to wait for the other parts.

A bill may come in several files, the parts of one report, and then one part alone is no bill: were it current, a period
would show half of its cost. So parts wait until the report is whole, and then become current together:

- parts that come in one command, or that a manifest lists, are whole with the last of them;
- a part that comes alone adds to its report where that is current and lacks the part;
- one whose part is there already begins a new delivery, which waits until it has every part of the one before, or every
  part that its manifest lists;
- one whose name says that there are others (``-00003.csv.gz``, ``part-00000-of-00003``) waits for those.

Modes of a delivery: ``replace`` and ``append`` count at once; ``replace-part`` and ``append-part`` wait;
``append-whole`` says that the parts before it, of its account and period, are whole. Nothing is updated when they
become current. ``replace-late`` and ``append-late`` are of a bill that is older than the one that counts (see
:mod:`.late`), and never count themselves. Parts that come alone and look older wait instead: of how many parts a report
has nobody but a manifest says, and those that are still to come may show that it is newer. ``instead BATCH`` adds, as
``append`` does, and takes the place of one of several files that were added up (see :mod:`.restated`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from finops_kit.errors import SourceRefused
from finops_kit.ingest.standing import Standing
from finops_kit.normalize.opencost import UNNAMED
from finops_kit.store import CURRENT_DELIVERY, Writer
from finops_kit.store.chains import Chain, Told

DRAFT = "a draft, which came after the final bill"
#: an account and the start of a period
Pair = tuple[str, Any]


@dataclass
class Delivery:
    """What the rows of one file do to what was delivered before.

    Attributes
    ----------
    waits : the report is not whole with this file
    delivered : accounts and periods that the parts before it delivered
    held : those of them that wait for this file
    adds : the rows add to the delivery of this batch, which lacked them
    lacks : the parts that have to come before it counts, where they are known
    broken : a part that came before it in the same command was refused
    newest : it counts even where it looks older than what is there
    batches : what the command has stored of the report so far
    late : what came late, and why
    lost : what a bill of its name billed before, and this one does not
    days_lost : the use that the bill in whose place it counts had, and that it begins too late for
    adding : it adds to its periods, and replaces nothing but an earlier delivery of itself
    name : the file that is taken in
    instead : in whose place it comes, of files that were added up, in words
    """

    waits: bool = False
    delivered: set[Pair] = field(default_factory=set)
    held: set[Pair] = field(default_factory=set)
    adds: str = ""
    lacks: set[int] = field(default_factory=set)
    broken: bool = False
    newest: bool = False
    batches: list[str] = field(default_factory=list)
    late: dict[Pair, str] = field(default_factory=dict)
    lost: list[Pair] = field(default_factory=list)
    days_lost: dict[Pair, str] = field(default_factory=dict)
    adding: bool = False
    name: str = ""
    instead: str = ""

    def begin(self, dataset: str, source_system: str) -> None:
        """Say which bill the file is of, before its accounts and periods are asked for."""

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

    def together(self, pair: Pair) -> tuple[str, ...]:
        """The batches that deliver an account and period together, as far as they are stored."""
        return tuple(self.batches)

    def when_late(self, mode: str, pair: Pair) -> str:
        """The mode in which it is delivered if it is older than what counts."""
        return mode.removesuffix("-whole") + "-late"

    def made_whole(self, covered: Iterable[Pair]) -> list[Pair]:
        """The accounts and periods that become whole with this file although it has no row of them."""
        return [] if self.waits else sorted(self.held - set(covered), key=str)

    def go_on(self, writer: Writer, batch_id: str) -> None:
        """Let a part that was stored before count as delivered; it waits still where it waited."""
        if batch_id in self.batches:
            return
        found = writer.connection.execute(
            "SELECT billing_account_id, period_start, mode FROM lake.delivery WHERE batch_id = ?", [batch_id]
        ).fetchall()
        self.delivered |= {(account, period) for account, period, _ in found}
        self.held |= {(account, period) for account, period, mode in found if mode.endswith("-part")}
        self.batches.append(batch_id)


class AlonePart(Delivery):
    """A part of a report that comes alone; what it does is decided per account and period, when they are known.

    Parameters
    ----------
    report, part : the report that it is a part of, and its number
    parts : the numbers of all parts, where a manifest lists them
    said : the numbers of parts that exist for certain, as its name says

    Attributes
    ----------
    standing : what was delivered before
    """

    standing: Standing

    def __init__(self, report: str, part: int, parts: Iterable[int] = (), said: Iterable[int] = ()) -> None:
        super().__init__()
        self.part, self._report, self._listed, self._said = part, report, set(parts), set(said)
        self._told: dict[Pair, Told] = {}

    def begin(self, dataset: str, source_system: str) -> None:
        """Say which bill the file is of, before its accounts and periods are asked for."""
        self._told = {key[2:]: told for key, told in self.standing.told.items() if key[:2] == (dataset, source_system)}

    def _waiting(self, told: Told | None) -> Chain | None:
        """The delivery of its own report that waits for it."""
        chain = told.open if told else None
        return chain if chain and chain.waits and self._report in chain.reports else None

    def mode(self, account: str, period: Any) -> str:
        """The mode in which the part delivers an account and period."""
        told = self._told.get((account, period), Told())
        current = told.current or Chain()
        waiting = self._waiting(told)
        if waiting and self.part in waiting.parts:
            waiting = None
        if self._adds_to(current) and (waiting is None or waiting.late):
            return "append"
        if waiting is None and not self._listed:
            several = len(current.parts) > 1 or len(self._said) > 1
            if not several or self.newest:
                return "replace"
        here = waiting.parts if waiting else set()
        expected = self._listed or (waiting.listed if waiting else set()) or current.parts
        expected = expected if self._listed else expected | self._said
        lacks = expected - here - {self.part}
        if lacks:
            self.lacks |= lacks
            self.waits = True
            return "append-part" if waiting else "replace-part"
        if waiting is None:
            return "replace"
        self.held |= {pair for pair, other in self._told.items() if self._waiting(other) and pair != (account, period)}
        return "append-whole"

    def _adds_to(self, current: Chain) -> bool:
        """Whether the delivery that counts is of its report, and lacks it."""
        return self._report in current.reports and self.part not in current.parts

    def judged(self, mode: str) -> bool:
        """Whether a delivery of this mode is held against the one that counts, which may be newer."""
        return super().judged(mode) or (mode == "append" and not self.newest)

    def together(self, pair: Pair) -> tuple[str, ...]:
        """The batches that deliver an account and period together, as far as they are stored."""
        waiting = self._waiting(self._told.get(pair))
        before = waiting.batches if waiting and self.part not in waiting.parts else []
        return (*before, *self.batches)

    def when_late(self, mode: str, pair: Pair) -> str:
        """It waits: the parts that are still to come may show that it is newer."""
        if mode == "append":  # no part of what counts, but of an older report of that name
            waiting = self._waiting(self._told.get(pair))
            mode = "append" if waiting and self.part not in waiting.parts else "replace"
        return mode.removesuffix("-whole") + "-part"

    def wants(self, batch_id: str) -> bool:
        """Whether a delivery that waits lacks this part, although its content was stored with an earlier one."""
        waiting = [chain for told in self.standing.told.values() if (chain := self._waiting(told))]
        return any(self.part not in chain.parts and batch_id not in chain.batches for chain in waiting)


def in_words(numbers: Iterable[int]) -> str:
    """Numbers of parts in a sentence.

    Example
    -------
    >>> in_words({7, 1, 2, 3, 4, 6})
    '1 to 4, 6, 7'
    """
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    told = ([f"{run[0]} to {run[-1]}"] if len(run) > 3 else map(str, run) for run in runs)
    return ", ".join(one for run in told for one in run)


def lost_accounts(
    writer: Writer, batches: list[str], source_file: str, report: str, dataset: str, covered: Iterable[Pair]
) -> tuple[list[Pair], list[Pair]]:
    """The accounts that a file or a report of this name billed before, and in the same period bills no more.

    A bill that becomes final may change its payer. So one that comes again under its name, without an account that it
    had in the same period, replaces that account's delivery too, if it bills sub-accounts that were billed there. If it
    does not, what it said of the account counts on, and somebody should know.

    Parameters
    ----------
    batches : those that deliver it now
    source_file, report : the name by which it came before: its report's, where it is one of several parts
    covered : the accounts and periods that it delivers now

    Returns
    -------
    The accounts and periods that it bills under another account now, and those that it no longer bills at all.
    """
    if writer.is_new:
        return [], []
    pairs = set(covered)
    connection = writer.connection
    named, name = "source_file = ?", source_file
    if report:
        named, name = "json_extract_string(details, '$.report') = ?", report
    came = connection.execute(
        f"SELECT batch_id FROM lake.ledger WHERE kind = 'ingest' AND {named} "
        "AND batch_id NOT IN (SELECT unnest(?::VARCHAR[]))",
        [name, batches],
    ).fetchall()
    if not came:
        return [], []
    before = connection.execute(
        "SELECT DISTINCT d.batch_id, d.billing_account_id, d.period_start FROM lake.delivery d "
        f"JOIN ({CURRENT_DELIVERY}) c USING (batch_id, billing_account_id, period_start, dataset) "
        "WHERE d.dataset = ? AND d.rows > 0 AND d.batch_id IN (SELECT unnest(?::VARCHAR[]))",
        [dataset, [batch_id for (batch_id,) in came]],
    ).fetchall()
    moved: set[Pair] = set()
    gone: set[Pair] = set()
    for earlier, account, period in before:
        if (account, period) in pairs or not any(other == period for _, other in pairs):
            continue
        row = connection.execute(
            'SELECT count(*) FROM lake.charge WHERE batch_id = ? AND "BillingPeriodStart" = ? '
            'AND coalesce("BillingAccountId", \'\') = ? AND "SubAccountId" IN (SELECT "SubAccountId" '
            'FROM lake.charge WHERE batch_id IN (SELECT unnest(?::VARCHAR[])) AND "BillingPeriodStart" = ?)',
            [earlier, period, account, batches, period],
        ).fetchone()
        (moved if row and row[0] else gone).add((account, period))
    return sorted(moved, key=str), sorted(gone - moved, key=str)


def refuse_unnamed(writer: Writer, dataset: str, source_system: str, source_file: str, pairs: Iterable[Pair]) -> None:
    """Refuse an answer of OpenCost that names no cluster where another one, which names none either, counts.

    Raises
    ------
    SourceRefused : one of another name counts for the same window; what comes on stdin has no name
    """
    asked = [period for account, period in pairs if account == UNNAMED]
    if source_system != "opencost" or not asked:
        return
    row = writer.connection.execute(
        f"SELECT l.source_file FROM ({CURRENT_DELIVERY}) c JOIN lake.ledger l USING (batch_id) WHERE c.dataset = ? "
        "AND c.source_system = ? AND c.billing_account_id = ? AND list_contains(?::TIMESTAMPTZ[], c.period_start) "
        "AND (l.source_file <> ? OR ? = 'stdin') LIMIT 1",
        [dataset, source_system, UNNAMED, asked, source_file, source_file],
    ).fetchone()
    if row:
        raise SourceRefused(
            f"{source_file} does not say of which cluster it is, nor did {row[0]}, which counts for the same window. "
            f"Say it beside the data (jq '. + {{cluster: \"NAME\"}}') and ingest it again; if it is of the "
            f"same one, ingest it with --newest."
        )
