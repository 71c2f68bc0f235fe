"""Units of quantity, declared once: what a provider's unit text means in the unit of its kind, by an exact factor.

A data size is brought to ``GB`` (10^9 bytes), a bit size to ``Gb``, a time to ``Seconds``, months and years to
``Months``, a count to its own noun; ``10K``, ``1M`` and ``100`` before a unit are part of the factor. These are the
kinds of which every other unit is a decimal with an end, so nothing is rounded. What is deliberately not done:

- A month is not a number of hours. ``GB-Months`` and ``GB-Seconds`` are two units.
- The time a ratio is *per* is not converted: ``GB/Day`` stays a day's. Providers write it for a rate (FOCUS) and for a
  price's period (Azure's ``1 GB/Month``), and the two convert in opposite directions.
- A unit that is not in the tables below is unknown and named, never guessed.

Sources: FOCUS 1.2, attribute UnitFormat (abbreviations, names of times, ``GB-Hours``, ``GB/Hour``, ``1000 Tokens``);
``PricingUnits.csv`` of the FinOps toolkit's open data for Azure's spelling (its ``Gb`` is a gigabyte); the Unified Code
for Units of Measure for ``By``, ``GiBy.h``; AWS: "storage usage is calculated in binary gigabytes (GB), where 1 GB is
2^30 bytes" (Amazon S3 pricing; Amazon EFS pricing says the same), so AWS' GB kept for a time are GiB. For AWS' GB
of transfer and for other providers' GB nothing of the kind is documented: they are 10^9 bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

#: providers that write GB for GiB where data is kept for a time, by the beginning of their names
BINARY_STORAGE = ("aws", "amazon")
#: a text that one provider means otherwise than the table says, by the beginning of its name
PROVIDER_WORDS = {"microsoft": {"Gb": "GB"}, "azure": {"Gb": "GB"}}

_STEPS = ("", "K", "M", "G", "T", "P", "E")
_SIZE_NAMES = (("kilo", "kibi"), ("mega", "mebi"), ("giga", "gibi"), ("tera", "tebi"), ("peta", "pebi"))
#: times in seconds: the FOCUS name, its size, and what else it is called
_SECONDS = {
    "Second": (Fraction(1), "s sec secs"), "Minute": (Fraction(60), "min mins minute(s)"),
    "Hour": (Fraction(3600), "h hr hrs hora horas 小时"), "Day": (Fraction(86400), "d"),
    "Millisecond": (Fraction(1, 1000), "ms"), "Microsecond": (Fraction(1, 1_000_000), "us"),
}  # fmt: skip
#: times in months
_MONTHS = {"Month": (Fraction(1), "mo mos mes 月"), "Year": (Fraction(12), "yr yrs")}
#: a time said before what it counts: `1 Daily User` is a user a day
_ADJECTIVES = {"hourly": "Hour", "daily": "Day", "monthly": "Month", "annual": "Year", "yearly": "Year"}
_BLOCKS = {"K": 10**3, "M": 10**6, "B": 10**9, "thousand": 10**3, "million": 10**6, "billion": 10**9}
#: what is counted, singular; the plural follows
_NOUNS = (
    "Unit", "Count", "Request", "Token", "Connection", "Certificate", "Domain", "Core",
    "Action", "Activity", "Activity Run", "ACU", "Agent", "Alarm", "API", "API Call", "App", "Authentication",
    "Border Router", "Broker", "Call", "Character", "Check", "Dashboard", "Data Point", "Database Unit", "DB", "DBU",
    "Device", "Dollar", "DPU", "Endpoint", "Event", "Execution", "Face", "GPU", "Hosted Zone", "Image", "Instance",
    "Invocation", "IO", "Job", "Key", "Key Use", "Lambda-GB", "LCU", "Licence", "License", "Map", "MAU", "Message",
    "Messaging Unit", "Metric", "Minute of Use", "Named User", "Node", "Normalized Unit", "Notification", "Object",
    "OCPU", "Operation", "Operation Unit", "Pack", "Page", "Pipeline", "Plan", "Pod", "Policy", "Prediction", "Push",
    "Query", "ReadCapacityUnit", "ReadRequestUnit", "Record", "Relay", "Render", "Reserved Unit", "Resource",
    "Rotation", "Row", "Seat", "Secret", "Security Check", "Service Endpoint", "Shard", "Site", "Span",
    "StateTransition", "Subscription", "Trace", "Transaction", "User", "vCore", "vCPU", "Virtual Machine",
    "Virtual User", "VM", "Volume", "Website", "WriteCapacityUnit", "WriteRequestUnit", "Zone",
)  # fmt: skip
#: what has no plural
_MASS = ("IOPS", "Mbps", "GHz", "kW", "kWh", "ECPU")
#: other words for the nouns
_ALIASES = {
    "api request": "request", "obj": "object", "database units (du)": "database unit",
    "database unit (du)": "database unit", "state transition": "statetransition", "io request": "io",
    "lambda gb": "lambda-gb",
}  # fmt: skip
#: compounds that are written in one word
_ONE_WORD = {"shardhour": "Shard-Hour", "shardhours": "Shard-Hours"}

_LEADING = re.compile(r"(?P<digits>[0-9][0-9,]{0,29})(?P<letter>[KMB](?=$|[ /]))?(?=$|[^0-9A-Za-z,.])\s*(?P<rest>.*)")
_PERIOD = re.compile(r"(?:(?P<count>[0-9]{1,9}) ?)?(?P<time>\S+)")


class _Base(NamedTuple):
    """A base unit: its name in the singular and plural, its factor and, of a data size, the binary one."""

    one: str
    many: str
    factor: Fraction
    kind: str = "count"
    binary: Fraction | None = None


@dataclass(frozen=True)
class UnitReading:
    """What a unit text means: ``quantity x numerator / denominator`` in ``unit``; the denominator is a power of ten.

    Attributes
    ----------
    text : as the provider writes it
    unit : the unit of its kind, FOCUS spelling; empty where the text is unknown
    factor : how many of ``unit`` are one of ``text``
    why : why it is unknown; empty where it is known
    """

    text: str
    unit: str = ""
    factor: Fraction = Fraction(1)
    why: str = ""


def _plural(noun: str) -> str:
    if noun in _MASS:
        return noun
    if re.search("[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith("sh") else "s")


def _sizes() -> dict[str, _Base]:
    """Data sizes by their exact spelling: bits and bytes, decimal and binary, and the code for units of measure."""
    found = {}
    giga = 10**9
    for step, prefix in enumerate(_STEPS):
        decimal, binary = Fraction(1000**step, giga), Fraction(1024**step, giga)
        found[f"{prefix}B"] = _Base("GB", "GB", decimal, "data", binary)
        found[f"{prefix}b"] = _Base("Gb", "Gb", decimal, "data", binary)
        if prefix:
            found[f"{prefix}iB"] = found[f"{prefix}iBy"] = _Base("GB", "GB", binary, "data", binary)
            found[f"{prefix}ib"] = _Base("Gb", "Gb", binary, "data", binary)
        found[f"{prefix}By"] = found[f"{prefix}B"]
    for short in ("kB", "kBy"):
        found[short] = found["KB"]
    return found


def _words() -> dict[str, _Base]:
    """Times, nouns and sizes written out, by their lower-case spelling."""
    found = {"byte": _SIZES["B"], "bytes": _SIZES["B"], "bit": _SIZES["b"], "bits": _SIZES["b"]}
    for step, names in enumerate(_SIZE_NAMES, start=1):
        for name, sign in zip(names, ("", "i"), strict=True):
            found[f"{name}byte"] = found[f"{name}bytes"] = _SIZES[f"{_STEPS[step]}{sign}B"]
    for table, unit in ((_SECONDS, "Second"), (_MONTHS, "Month")):
        for name, (size, others) in table.items():
            for spelling in (name.lower(), name.lower() + "s", *others.split()):
                found[spelling] = _Base(unit, unit + "s", size, "time")
    for noun in (*_NOUNS, *_MASS):
        base = _Base(noun, _plural(noun), Fraction(1))
        found[noun.lower()] = found[_plural(noun).lower()] = base
    for alias, noun in _ALIASES.items():
        if noun in found:
            found[alias] = found[alias + "s"] = found[noun]
    return found


_SIZES = _sizes()
_WORDS = _words()
_PERIODS = {
    spelling: name
    for table in (_SECONDS, _MONTHS)
    for name, (_, others) in table.items()
    for spelling in (name.lower(), name.lower() + "s", *others.split())
}


@lru_cache(maxsize=4096)
def read_unit(text: str | None, provider: str = "") -> UnitReading:
    """What a unit text means; unknown with its reason where the tables do not have it.

    Parameters
    ----------
    text : as the bill says it
    provider : ProviderName, for what a provider writes otherwise than the rest

    Example
    -------
    >>> [(r.unit, str(r.factor)) for r in map(read_unit, ("10K", "Hrs", "GiB", "1M requests", "100 GB/Month"))]
    [('Units', '10000'), ('Seconds', '3600'), ('GB', '2097152/1953125'), ('Requests', '1000000'), ('GB/Month', '100')]
    >>> read_unit("GB-Mo", "AWS") == read_unit("GiB-Months"), read_unit("gibibyte month").unit
    (False, 'GB-Months')
    >>> read_unit("Wombats").why
    "the unit 'Wombats' is not known"
    """
    said = re.sub(r"\s+", " ", (text or "").replace("\xa0", " ")).strip()
    if not said:
        return UnitReading("", why="no unit is given")
    unknown = UnitReading(said, why=f"the unit {said!r} is not known")
    name = provider.strip().casefold()
    for start, words in PROVIDER_WORDS.items():
        if name.startswith(start):
            said = " ".join(words.get(word, word) for word in said.split(" "))
    block, rest = _block(said)
    if block == 0:
        return unknown
    binary = name.startswith(BINARY_STORAGE)
    body = _body(rest, binary) if rest else ("Unit", "Units", Fraction(1))
    if body is None:
        return unknown
    factor = block * body[2]
    if multiplier(factor) is None:
        return UnitReading(unknown.text, why=f"the unit {said!r} is too fine or too large to be converted exactly")
    return UnitReading(unknown.text, body[1], factor)


def multiplier(factor: Fraction) -> tuple[int, bool] | None:
    """A factor as a whole number that fits 63 bits, and whether it counts thousand-millionths; None where none does.

    Example
    -------
    >>> multiplier(Fraction(3600)), multiplier(Fraction(1, 10**9)), multiplier(Fraction(1, 3))
    ((3600, False), (1, True), None)
    """
    whole = factor.denominator == 1
    scaled = factor if whole else factor * 10**9
    return (scaled.numerator, not whole) if scaled.denominator == 1 and scaled.numerator < 2**63 else None


def _block(said: str) -> tuple[int, str]:
    """The count before a unit and the unit after it: `10K/Month` is 10000 and `/Month`."""
    plain = said[4:] if said.lower().startswith("per ") else said
    match = _LEADING.fullmatch(plain)
    if match is None:
        count, rest = 1, plain
    else:
        count, rest = int(match["digits"].replace(",", "")), match["rest"]
        count *= _BLOCKS.get(match["letter"] or "", 1)
    word, _, after = rest.partition(" ")
    return (count * _BLOCKS[word.lower()], after) if word.lower() in _BLOCKS and len(word) > 1 else (count, rest)


_Body = tuple[str, str, Fraction]


def _body(text: str, binary: bool) -> _Body | None:
    """A unit without its count: singular name, plural name, factor."""
    return _simple(text) or _compound(text, binary) or _ratio(text, binary)


def _base(text: str) -> _Base | None:
    return _SIZES.get(text) or _WORDS.get(text.lower())


def _simple(text: str) -> _Body | None:
    base = _base(text)
    return (base.one, base.many, base.factor) if base else None


def _compound(text: str, binary: bool) -> _Body | None:
    """Something kept for a time: `GB-Hours`, `vCPU Hours`, `gibibyte month`, `GiBy.h`."""
    text = _ONE_WORD.get(text.lower(), text)
    for sign in "- .":
        left, found, right = text.rpartition(sign)
        time = _base(right) if found else None
        if time is None or time.kind != "time":
            continue
        kept = _base(left)
        if kept is not None and kept.kind != "time":
            size = kept.binary if binary and kept.binary is not None else kept.factor
            return f"{kept.one}-{time.one}", f"{kept.one}-{time.many}", size * time.factor
        rate = _ratio(left, binary) if kept is None else None
        if rate is not None:
            return f"{rate[0]}-{time.one}", f"{rate[0]}-{time.many}", rate[2] * time.factor
    return None


def _ratio(text: str, binary: bool) -> _Body | None:
    """Something a time: `GB/Hour`, `/Month`, `OCPU Per Hour`, `Units/3 Months`, `Daily Users`."""
    adjective, _, rest = text.partition(" ")
    if adjective.lower() in _ADJECTIVES:
        above, below = rest, _ADJECTIVES[adjective.lower()]
    else:
        parts = re.split(r" ?/ ?| per ", text, maxsplit=1, flags=re.IGNORECASE)
        if len(parts) != 2:
            return None
        above, below = parts
    period = _PERIOD.fullmatch(below)
    time = _PERIODS.get(period["time"].lower()) if period else None
    if period is None or time is None:
        return None
    numerator = (_simple(above) or _compound(above, binary)) if above else ("Unit", "Units", Fraction(1))
    if numerator is None:
        return None
    count = int(period["count"] or 1)
    name = f"{numerator[1]}/{time}" if count == 1 else f"{numerator[1]}/{count} {time}s"
    return name, name, numerator[2]
