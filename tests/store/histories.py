"""Generated histories of resources, many at a time.

Each has resources and scopes of its own, so that a hundred of them share one store and are still a hundred histories.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import hypothesis
import reference
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

DAY_ZERO = datetime(2026, 1, 1, tzinfo=UTC)
#: ``FINOPS_HYPOTHESIS=long`` tries ``FINOPS_HISTORIES`` (2,500) of each kind, drawn from ``FINOPS_SEED`` (0)
LONG = os.environ.get("FINOPS_HYPOTHESIS") == "long"
COUNT = int(os.environ.get("FINOPS_HISTORIES", "2500")) if LONG else 60
SEED = int(os.environ.get("FINOPS_SEED", "0"))
#: so many share a store
PACK = 100


def day(n: float) -> datetime:
    """So many days after the first."""
    return DAY_ZERO + timedelta(days=n)


def drawn(strategy: st.SearchStrategy[Any], count: int = COUNT, seed: int = SEED) -> list[Any]:
    """So many examples of a strategy, the same ones for the same seed."""
    found: list[Any] = []

    @hypothesis.seed(seed)
    @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(strategy)
    def collect(example: Any) -> None:
        found.append(example)

    collect()
    return found


@dataclass
class History:
    """What came in of a few resources, batch by batch."""

    batches: list[list[Any]]
    charges: list[dict[str, Any]] = field(default_factory=list)
    items: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.items = [item for batch in self.batches for item in batch]

    def told(self, known: int | None = None) -> tuple[list[Any], list[Any]]:
        """Snapshots and looks of the first batches."""
        items = [item for batch in self.batches[:known] for item in batch]
        return ([i for i in items if isinstance(i, reference.Snapshot)],
                [i for i in items if isinstance(i, reference.Look)])  # fmt: skip


def apart(number: int, item: Any) -> Any:
    """An observation or a look that only its own history knows of."""
    named = {name: f"{number:05d}/{getattr(item, name)}" for name in ("resource_id", "scope")
             if getattr(item, name, None) is not None}  # fmt: skip
    return replace(item, **named)


def packs(histories: list[History], size: int = PACK) -> Iterator[tuple[int, list[History]]]:
    """The histories by hundreds, and the number of the first of each."""
    for first in range(0, len(histories), size):
        yield first, histories[first : first + size]


def batch_of(pack: list[History], place: int) -> list[Any]:
    """What comes in at one time of all the histories of a pack."""
    return [item for history in pack for item in (history.batches[place] if place < len(history.batches) else [])]


def longest(pack: list[History]) -> int:
    """The most batches that a history of the pack has."""
    return max(len(history.batches) for history in pack)


def by_history(rows: list[tuple[Any, ...]]) -> dict[int, list[tuple[Any, ...]]]:
    """Rows that begin with a resource, by the history that it is of."""
    found: dict[int, list[tuple[Any, ...]]] = {}
    for row in rows:
        found.setdefault(int(row[0][:5]), []).append(row)
    return found


STATES = st.fixed_dictionaries(
    {},
    optional={
        "vcpu": st.sampled_from([Decimal(2), Decimal(4), Decimal("0.5")]),
        "replicas": st.sampled_from([Decimal(0), Decimal(3)]),
        "power_state": st.sampled_from(["running", "stopped"]),
        "sku": st.sampled_from(["small", "large"]),
    },
).map(lambda d: tuple(sorted(d.items())))
MOMENTS = (0, 1, 2, 7, 8, 9, 10, 16, 34, 35, 36, 50, 71, 100)
TAGS = ((), (), (("t", "1"), ("u", "2")), (("t", "2"),))


@st.composite
def dumps(draw: st.DrawFn, sources: tuple[str, ...]) -> list[Any]:
    """One delivery: a look at one scope of one source, complete or not, or where it lost sight of it, with what it saw;
    or a stray observation."""
    source = draw(st.sampled_from(sources))
    scope = draw(st.sampled_from(["x", "x", "y"]))
    at = day(draw(st.sampled_from(MOMENTS)))
    items: list[Any] = []
    stray = draw(st.integers(0, 9)) == 0
    if not stray:
        items.append(reference.Look(source, scope, at, draw(st.sampled_from([True] * 5 + [False, None]))))
    for resource in draw(st.sets(st.sampled_from("abc"), max_size=1 if stray else 3)):
        items.append(
            reference.Snapshot(
                resource, source, at, draw(st.sampled_from(["present"] * 9 + ["absent"])),
                None if stray and draw(st.booleans()) else scope, draw(st.sampled_from([None, None, "1", "2"])),
                draw(st.sampled_from(["machine", "machine", "node"])), draw(STATES), draw(st.sampled_from(TAGS)),
            )
        )  # fmt: skip
    return items


@st.composite
def deliveries(draw: st.DrawFn) -> list[list[Any]]:
    """Deliveries in the order of their arrival, in batches: some late, some twice, some split."""
    sources = draw(
        st.sampled_from([("inventory",), ("kubernetes", "inventory"), ("cmdb", "kubernetes", "zeta", "eta")])
    )
    files = draw(st.lists(dumps(sources), min_size=1, max_size=9))
    if draw(st.integers(0, 2)):  # mostly in the order of time
        files.sort(key=lambda items: items[0].observed_at if items else DAY_ZERO)
    again = draw(st.lists(st.sampled_from(files), max_size=2))
    batches: list[list[Any]] = []
    for items in (*files, *again):
        if batches and draw(st.integers(0, 3)) == 0:
            batches[-1].extend(items)
        else:
            batches.append(list(items))
    return batches


def observed(count: int = COUNT) -> list[History]:
    """Generated histories of observations."""
    return [History([[apart(number, item) for item in batch] for batch in batches])
            for number, batches in enumerate(drawn(deliveries(), count))]  # fmt: skip


@st.composite
def billed(draw: st.DrawFn) -> tuple[list[Any], list[dict[str, Any]]]:
    """Observations of two resources, and charges of them and of others."""
    moments = st.sampled_from([0, 1, 2, 3, 7, 10, 20, 31, 35, 40, 60, 80])
    items = draw(st.lists(st.one_of(
        st.builds(lambda r, at, vcpu: reference.Snapshot(r, "inventory", day(at), scope="all", state=(("vcpu", vcpu),)),
                  st.sampled_from("ab"), moments, st.sampled_from([Decimal(2), Decimal(4)])),
        st.builds(lambda at: reference.Look("inventory", "all", day(at)), moments)), max_size=10))  # fmt: skip
    charges = draw(st.lists(st.builds(
        lambda r, at, length, cost: {"ResourceId": r, "ChargePeriodStart": day(at), "ChargePeriodEnd": day(at + length),
                                     "BilledCost": cost},
        st.sampled_from(["a", "a", "b", "x", None]), moments, st.sampled_from([0, 1 / 24, 1, 31, 90]),
        st.decimals(-1000, 100000, places=24, allow_nan=False)), min_size=1, max_size=8))  # fmt: skip
    return items, charges


def with_charges(count: int = COUNT) -> list[History]:
    """Generated histories of observations with bills."""
    found = []
    for number, (items, charges) in enumerate(drawn(billed(), count)):
        own = [{**c, "ResourceId": c["ResourceId"] and f"{number:05d}/{c['ResourceId']}"} for c in charges]
        found.append(History([[apart(number, item) for item in items]], own))
    return found


@dataclass
class Bill:
    """A bill as a provider writes it: an amount as text and a currency a line, some of them unreadable."""

    lines: list[tuple[str, str]]

    @property
    def good(self) -> list[tuple[Decimal, str]]:
        """The lines that can be read."""
        return [(Decimal(text), currency) for text, currency in self.lines if text != UNREADABLE and currency]

    def text(self, account: str) -> str:
        """The file, as FOCUS CSV."""
        fixed = {"BillingAccountId": account, "BillingAccountName": "House", "ServiceName": "Machines",
                 "BillingPeriodStart": "2026-03-01T00:00:00Z", "BillingPeriodEnd": "2026-04-01T00:00:00Z",
                 "ChargePeriodStart": "2026-03-02T00:00:00Z", "ChargePeriodEnd": "2026-03-03T00:00:00Z",
                 "ChargeCategory": "Usage", "ProviderName": "Cloud", "PublisherName": "Cloud",
                 "InvoiceIssuerName": "Cloud"}  # fmt: skip
        head = [*fixed, "BilledCost", "EffectiveCost", "BillingCurrency"]
        rows = [[*fixed.values(), amount, "0", currency] for amount, currency in self.lines]
        return "\n".join(",".join(row) for row in [head, *rows]) + "\n"


UNREADABLE = "about nine"
AMOUNTS = st.one_of(
    st.builds(lambda digits, places: format(Decimal(digits).scaleb(-places), "f"),
              st.integers(-(10**13), 10**13), st.integers(0, 30)),
    st.builds(lambda digits, places: f"{Decimal(digits).scaleb(-places):E}",
              st.integers(-(10**6), 10**6), st.integers(0, 30)),
)  # fmt: skip


def bills(count: int = COUNT) -> list[Bill]:
    """Generated bills."""
    amount = st.one_of(AMOUNTS, AMOUNTS, AMOUNTS, st.just(UNREADABLE))
    line = st.tuples(amount, st.sampled_from(["EUR", "EUR", "USD", ""]))
    return [Bill(lines) for lines in drawn(st.lists(line, min_size=1, max_size=12), count)]
