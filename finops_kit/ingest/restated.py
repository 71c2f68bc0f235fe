"""A file of some days of a period that comes again, corrected: whose place it takes among files that were added up.

Files that each hold some days of a bill (``finops ingest --adds``) count together. One of them that is delivered again
takes the place of its earlier delivery, and the others stay. That it is the same one is read from three things:

- *days*: its use falls into the time of the other's; files of other days only stand beside each other;
- *name*: it has the path of the other, or the last part of it (restated files lie in the folder of another day);
- *lines*: it brings lines of the other again, by all that finalisation does not change. Files of one day and name that
  share no line are of different accounts or regions, unless even their path is the same.

What is left cannot be decided and is refused before anything is stored: a file of another name that repeats the lines
of one, and a file that lacks days of the one whose name it has (a window that moves along). ``--adds --newest`` decides
it: then the file takes the place of whatever holds lines of its own.

The mode of such a delivery is ``instead BATCH...``: it adds, and the named batches of its account and period count no
more. A draft after the final file of its days is late, as any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

from finops_kit.errors import SourceRefused
from finops_kit.fields import LINE_KEY
from finops_kit.ingest.deliveries import DRAFT, Delivery, Pair
from finops_kit.store import CURRENT_DELIVERY, Writer
from finops_kit.store.views import INSTEAD

_COUNTS = f"""
    SELECT c.billing_account_id, c.period_start, c.batch_id, l.source_file, json_extract_string(l.details, '$.report'),
        json_extract_string(l.details, '$.replays.batch_id')
    FROM ({CURRENT_DELIVERY}) c JOIN lake.ledger l USING (batch_id) WHERE c.dataset = ? AND c.source_system = ?
"""
_ADDED = f"""
    SELECT 1 FROM lake.delivery WHERE dataset = ? AND source_system = ? AND (mode = 'append' OR mode LIKE '{INSTEAD}%')
        AND billing_account_id IN (SELECT unnest(?::VARCHAR[])) LIMIT 1
"""
_OF_PAIR = """FROM lake.charge WHERE coalesce("BillingAccountId", '') = $account AND "BillingPeriodStart" = $period"""
#: lines that say on which day they fall
_USE = """ AND "ChargeCategory" = 'Usage' AND "ChargePeriodEnd" <= "ChargePeriodStart" + INTERVAL 1 DAY"""
_TIME = (
    """min("ChargePeriodStart"), max("ChargePeriodEnd"), bool_or("InvoiceId" <> '' AND "ChargeCategory" = 'Usage')"""
)
_KEY = ", ".join(f'"{name}"' for name in LINE_KEY)


@dataclass(frozen=True)
class Days:
    """When the lines of a file begin and end, and whether any of its use is invoiced."""

    since: datetime
    until: datetime
    invoiced: bool = False

    def lacks(self, other: Days) -> str:
        """The days of another file before its own or after them; empty where there are none.

        Example
        -------
        >>> day = lambda number: datetime(2026, 9, number)
        >>> Days(day(4), day(7)).lacks(Days(day(3), day(6))), Days(day(4), day(7)).lacks(Days(day(5), day(6)))
        ('from 2026-09-03 to before 2026-09-04', '')
        """
        instant = timedelta(microseconds=1)
        if other.since.date() < self.since.date():
            return f"from {other.since:%Y-%m-%d} to before {self.since:%Y-%m-%d}"
        if (self.until - instant).date() < (other.until - instant).date():
            return f"after {self.until - instant:%Y-%m-%d} to {other.until - instant:%Y-%m-%d}"
        return ""

    def meets(self, other: Days) -> bool:
        """Whether they share any time."""
        return self.since < other.until and other.since < self.until


@dataclass(frozen=True)
class Beside:
    """A file that counts and whose days meet those of the one that comes.

    Attributes
    ----------
    batch, name : its batch and its file
    days : when its lines begin and end
    mine, its, shared : different lines of the file that comes, of this one in the time of that, and of both
    """

    batch: str
    name: str
    days: Days
    mine: int
    its: int
    shared: int

    @property
    def repeated(self) -> bool:
        """Whether half of the lines of either are lines of the other."""
        return 2 * self.shared >= max(min(self.mine, self.its), 1)


def choose(name: str, days: Days, found: Sequence[Beside], adding: bool, newest: bool) -> list[Beside]:
    """Those of the files that count whose place a file takes.

    Parameters
    ----------
    name, days : of the file that comes
    found : the files that were added up and whose days meet its own
    adding, newest : what the user said

    Raises
    ------
    SourceRefused : with ``--adds``, where that cannot be decided

    Example
    -------
    >>> day = Days(datetime(2026, 9, 5), datetime(2026, 9, 6))
    >>> [one.name for one in choose("b/05.csv", day, [Beside("b1", "a/05.csv", day, 9, 9, 8)], True, False)]
    ['a/05.csv']
    >>> choose("b/05.csv", day, [Beside("b1", "a/05.csv", day, 9, 9, 0)], True, False)
    []
    """
    if newest:
        return [one for one in found if one.shared or _same_path(one.name, name)]
    own = [one for one in found if _same_path(one.name, name)]
    own = own or [one for one in found if one.shared and _last(one.name) == _last(name) and name != "stdin"]
    others = [one for one in found if one.repeated and one not in own and not any(one.days.meets(o.days) for o in own)]
    lacks = next((lost for one in own if (lost := days.lacks(one.days))), "")
    if not adding:
        return [] if len(own) != 1 or lacks or any(one.shared for one in found if one not in own) else own
    decide = "finops ingest --adds --newest takes it in the place of every file that holds lines of its own"
    if others or len(own) > 1:
        one = others[0] if others else own[0]
        raise SourceRefused(
            f"{name}: {one.shared} of its {one.mine} lines of use stand in {one.name} already, which counts, and would "
            f"count twice. If it is that one, corrected, {decide}; else leave it out."
        )
    if lacks:
        raise SourceRefused(
            f"{name} was added before with use of days that it lacks now ({lacks}), and has other days of it again. If "
            f"it is that one, corrected, {decide}; else ingest a file of the new days alone."
        )
    return own


def restate(
    writer: Writer, delivery: Delivery, dataset: str, source_system: str, batch_id: str, pairs: Iterable[Pair]
) -> dict[Pair, str]:
    """The modes of the accounts and periods in which a file takes the place of some that were added up.

    What it no longer bills, and in whose place it comes, is noted in the delivery, and so is a draft that comes late.

    Raises
    ------
    SourceRefused : with ``--adds``, where it cannot be decided whose place it takes
    """
    asked = list(pairs)
    delivery.instead = ""
    if writer.is_new:
        return {}
    if not delivery.adding:
        accounts = [account for account, _ in asked]
        if delivery.newest or not writer.connection.execute(_ADDED, [dataset, source_system, accounts]).fetchone():
            return {}
    rows = writer.connection.execute(_COUNTS, [dataset, source_system]).fetchall()
    modes: dict[Pair, str] = {}
    gone: set[str] = set()
    for pair in asked:
        here = [row for row in rows if row[:2] == pair]
        files = {batch: name for _, _, batch, name, report, replays in here if not (report or replays)}
        if not files or (len(files) < 2 and not delivery.adding):
            continue
        days, found = _beside(writer, batch_id, pair, files)
        taken = choose(delivery.name, days, found, delivery.adding, delivery.newest) if days else []
        if not taken or days is None:
            continue
        if not delivery.newest and not days.invoiced and any(one.days.invoiced for one in taken):
            modes[pair], delivery.late[pair] = "replace-late", DRAFT
            continue
        batches = [one.batch for one in taken]
        gone |= set(batches)
        batches += [batch for _, _, batch, _, _, replays in here if replays in batches]
        modes[pair] = INSTEAD + " ".join(batches)
        names = ", ".join(dict.fromkeys(one.name for one in taken))
        delivery.instead = f"it takes the place of {names}, and the other files that were added stay"
    delivery.lost = sorted({row[:2] for row in rows if row[2] in gone} - set(asked), key=str)
    return modes


def _beside(writer: Writer, batch_id: str, pair: Pair, files: dict[str, str]) -> tuple[Days | None, list[Beside]]:
    """The days of a batch, and the files that count and meet them."""
    connection = writer.connection
    bound = {"account": pair[0], "period": pair[1]}

    def days_of(batch: str, kind: str) -> Days | None:
        row = connection.execute(
            f"SELECT {_TIME} {_OF_PAIR}{kind} AND batch_id = $batch", bound | {"batch": batch}
        ).fetchone()
        return Days(row[0], row[1], bool(row[2])) if row and row[0] and row[1] else None

    kind = _USE
    days = days_of(batch_id, kind)
    if days is None:
        kind, days = "", days_of(batch_id, "")
    if days is None:
        return None, []
    when = ' AND "ChargePeriodStart" < $until AND "ChargePeriodEnd" > $since'
    meeting = connection.execute(
        f"SELECT DISTINCT batch_id {_OF_PAIR}{kind}{when} AND batch_id IN (SELECT unnest($batches::VARCHAR[]))",
        bound | {"until": days.until, "since": days.since, "batches": list(files)},
    ).fetchall()
    out = []
    for (other,) in sorted(meeting):
        lines = f"SELECT DISTINCT {_KEY} {_OF_PAIR}{kind}{when} AND batch_id ="
        row = connection.execute(
            f"WITH mine AS ({lines} $mine), its AS ({lines} $its) SELECT (SELECT count(*) FROM mine), "
            "(SELECT count(*) FROM its), (SELECT count(*) FROM (FROM mine INTERSECT FROM its))",
            bound | {"until": days.until, "since": days.since, "mine": batch_id, "its": other},
        ).fetchone()
        its = days_of(other, kind)
        if row and its:
            out.append(Beside(other, files[other], its, *row))
    return days, out


def _same_path(name: str, other: str) -> bool:
    if "stdin" in (name, other):
        return False
    return name == other or ("://" not in name + other and Path(name).absolute() == Path(other).absolute())


def _last(name: str) -> str:
    return PurePosixPath(name.replace("!", "/")).name
