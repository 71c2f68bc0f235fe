"""Which files deliver an account and period together, what counts of it, and what waits for the rest of its report.

Files that deliver together form a *chain*: a file that replaces begins one, files that add go on with one. A chain
counts from its first file on, or once its report is whole; the last one that counts is current. So this walks in words
what ``current_delivery`` derives in SQL (:mod:`.views`), and knows besides what waits and what came late.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb

from finops_kit.store.views import INSTEAD

Row = dict[str, Any]
#: dataset, source, billing account and start of the period
Key = tuple[str, str, str, Any]

_CAME = """
    SELECT d.dataset, d.source_system, d.billing_account_id, d.period_start, d.mode, d.rows, d.batch_id, l.entry,
        l.source_file, l.source_hash, l.recorded_at, json_extract_string(l.details, '$.mapping_sha256') AS mapping,
        json_extract_string(l.details, '$.report') AS report, json_extract(l.details, '$.part')::INTEGER AS part,
        json_extract(l.details, '$.parts')::INTEGER[] AS parts, json_extract(l.details, '$.files')::VARCHAR[] AS files,
        json_extract_string(l.details, '$.replays.batch_id') AS replays,
        (json_extract(l.details, '$.late')::MAP(VARCHAR, VARCHAR))[
            d.billing_account_id || ' ' || strftime(d.period_start, '%Y-%m-%d')] AS late
    FROM {prefix}delivery d JOIN {prefix}ledger l USING (batch_id) ORDER BY l.entry
"""


@dataclass
class Chain:
    """The files that deliver an account and period together.

    Attributes
    ----------
    came : the files, each with its delivery and ledger entry
    adds : they add to their period one by one, and none replaces another
    counts : it counts, or counted until a newer one came
    waits : some of it waits for the report to be whole
    late : it is older than what counts, and does not count
    """

    came: list[Row] = field(default_factory=list)
    adds: bool = False
    counts: bool = False
    waits: bool = False
    late: bool = False

    @property
    def batches(self) -> list[str]:
        """The batch of each file."""
        return [one["batch_id"] for one in self.came]

    @property
    def parts(self) -> set[int]:
        """The numbers of the parts that came."""
        return {one["part"] for one in self.came if one["part"] is not None}

    @property
    def listed(self) -> set[int]:
        """The numbers of the parts that are known to belong to the report."""
        return {number for one in self.came for number in one["parts"] or ()}

    @property
    def reports(self) -> set[str]:
        """The reports that the files are parts of."""
        return {one["report"] for one in self.came if one["report"]}

    def name_of(self, part: int) -> str:
        """The file that a part is expected in; empty where nobody said."""
        said = next((dict(zip(one["parts"], one["files"], strict=False)) for one in self.came if one["files"]), {})
        return said.get(part, "")


@dataclass
class Told:
    """What was delivered of one account and period.

    Attributes
    ----------
    chains : oldest first
    open : the chain that was begun last and may go on
    current : the chain that counts
    replays : rows that were brought again from quarantine
    """

    chains: list[Chain] = field(default_factory=list)
    open: Chain | None = None
    current: Chain | None = None
    replays: list[Row] = field(default_factory=list)

    @property
    def waiting(self) -> Chain | None:
        """The chain that waits for the rest of its report."""
        return self.open if self.open is not None and self.open.waits and not self.open.late else None

    def take(self, one: Row) -> None:
        """Take the next delivery in."""
        if one["replays"]:
            self.replays.append(one)
            return
        mode: str = one["mode"]
        if mode.startswith(INSTEAD):
            self._instead(one, mode.removeprefix(INSTEAD).split())
            return
        if mode.startswith("replace"):
            chain = self._begin()
        elif mode == "append":
            chain = self.current or self._begin(adds=True)
        else:
            chain = self.open or self._begin()
        chain.came.append(one)
        if mode.endswith("-late"):
            chain.late = True
            self.open = None if self.open is chain else self.open
            return
        if mode != "append":
            self.open = chain
        chain.waits = mode.endswith("-part")
        chain.late = chain.waits and one["late"] is not None
        if not chain.waits:
            chain.counts, self.current = True, chain

    def _instead(self, one: Row, batches: list[str]) -> None:
        """Take in what adds to the chain that counts, and takes the place of some of it."""
        chain = self.current = self.current or self._begin(adds=True)
        gone = [came for came in (*chain.came, *self.replays) if came["batch_id"] in batches]
        chain.came = [*(came for came in chain.came if came not in gone), one]
        self.replays = [came for came in self.replays if came not in gone]
        self.chains.insert(self.chains.index(chain), Chain(gone, adds=True, counts=True))
        chain.counts = True

    def _begin(self, adds: bool = False) -> Chain:
        self.chains.append(Chain(adds=adds))
        return self.chains[-1]

    def live(self) -> Iterator[Chain]:
        """The chains that a file that comes may go on with."""
        return (chain for chain in (self.open, self.current) if chain is not None)


def read_chains(connection: duckdb.DuckDBPyConnection, prefix: str = "") -> dict[Key, Told]:
    """What was delivered of every account and period of each data set, at the version that a connection sees.

    Parameters
    ----------
    prefix : of the tables; ``lake.`` for a writer's connection
    """
    told: dict[Key, Told] = {}
    found = connection.execute(_CAME.format(prefix=prefix))
    names = [column[0] for column in found.description]
    for row in found.fetchall():
        one = dict(zip(names, row, strict=True))
        key = (one["dataset"], one["source_system"], one["billing_account_id"], one["period_start"])
        told.setdefault(key, Told()).take(one)
    return told


def waiting_batches(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The batches of a reader's connection that wait for other parts of their report."""
    return [batch for told in read_chains(connection).values() if told.waiting for batch in told.waiting.batches]
