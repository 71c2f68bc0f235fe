"""What a file's name says of the report that it is a part of: which one, which part, and which others there are.

Source: AWS, "Understanding your report versions" (``NAME-00001.csv.gz``); Azure Cost Management, "Exports"
(``part_0_0001.csv``, also ``part_1_0001.csv`` alone); Google, BigQuery ``EXPORT DATA`` (``*`` becomes
``000000000000``); Snowflake, "Overview of data unloading" (``data_0_1_0``, a thread's pieces from 0 on); Apache Beam
(``-00000-of-00003``).
"""

from __future__ import annotations

import re
from pathlib import Path

_PART = re.compile(
    r"^(?P<stem>(?:.*?[-_.])?)(?:"
    r"(?:part[-_]?)?(?P<one>\d{1,6})[-_]?of[-_]?(?P<total>\d{1,6})|"
    r"part[-_]?(?P<named>\d{1,6}(?:_\d{4})?)|(?P<padded>0\d{4,5})|(?P<shard>0{6}\d{6})|"
    r"0_(?P<thread>\d{1,2})_(?P<piece>\d{1,3}))"
    r"(?P<rest>(?:[-_][0-9A-Za-z-]{6,})?(?:\.[A-Za-z0-9]+)+)$"
)
#: the endings of files that AWS numbers from 1 on; an unmarked number before another ending may be a bill's own
_NUMBERED_FROM_1 = (".csv.gz", ".csv.zip", ".parquet")
#: of more parts than these a name is not believed
MOST_PARTS = 1000


def report_of(path: Path) -> tuple[str, int] | None:
    """The report that a part file belongs to and which part it is, by its name; None for a file of its own.

    A part says so (``part-0002``, ``part_1``, Azure's ``part_1_0001``, ``1_of_3``), counts in five digits or more
    (``-00001``, BigQuery's ``000000000001``), or has Snowflake's three numbers (``_0_1_0``). A shorter number may be a
    day or a delivery, and two deliveries must never be added up.

    Example
    -------
    >>> report_of(Path("aws/cur-00002.csv.gz")), report_of(Path("focus_2026-09.csv")), report_of(Path("bill-2.csv"))
    (('aws/cur-*.csv.gz', 2), None, None)
    """
    found = _PART.match(path.name)
    if not found:
        return None
    suffix = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
    return f"{path.parent.as_posix()}/{found['stem']}*{suffix}", _number(found)


def _number(found: re.Match[str]) -> int:
    if found["piece"]:
        return int(found["thread"]) * 1000 + int(found["piece"])
    return int((found["one"] or found["named"] or found["padded"] or found["shard"]).split("_")[0])


def said_parts(path: Path) -> frozenset[int]:
    """The numbers of the parts that exist for certain, as the name of one of them says; empty where it says none.

    Whoever numbers a third part has made a second one. Whether there is a part 0, and how many come after, a name says
    only if it says of how many it is. Spark leaves numbers of empty parts out (``part-00003-<uuid>``).

    Example
    -------
    >>> for name in ("cur-00003.csv.gz", "cur-00001.csv.gz", "part-00001-of-00003.csv", "b_1of2.csv", "x_0_2_1.csv.gz"):
    ...     print(sorted(said_parts(Path(name))))
    [1, 2, 3]
    []
    [0, 1, 2]
    [1, 2]
    [2000, 2001]
    """
    found = _PART.match(path.name)
    if not found:
        return frozenset()
    number, first = _number(found), 1
    last = number
    if found["total"]:
        first = 0 if number == 0 or (len(found["one"]) >= 5 and number < int(found["total"])) else 1
        last = int(found["total"]) - 1 + first
    elif found["piece"]:
        first = int(found["thread"]) * 1000
    elif found["shard"]:
        first = 0
    elif found["rest"][0] in "-_" or (found["padded"] and not found["rest"].lower().endswith(_NUMBERED_FROM_1)):
        return frozenset()
    if not first < last < first + MOST_PARTS or not first <= number <= last:
        return frozenset()
    return frozenset(range(first, last + 1))
