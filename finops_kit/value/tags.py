"""Tags, governed: one name for one meaning and one value for one thing, however a provider or a team spells it.

What a bill says is never changed. Rules say how it is read, each for the days of charges that it holds for: a rule
that is corrected changes history only where it is ruled, and an earlier store version keeps its earlier rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from finops_kit.fields.tags import (
    OWNER_DIMENSIONS,
    REQUIRED_DIMENSIONS,
    TAG_ALIASES,
    USER_PREFIXES,
    normalise_tag_key,
)


@dataclass(frozen=True)
class TagRule:
    """One rule about tags, as the table ``tag_rule`` holds it.

    Attributes
    ----------
    kind : ``key``, ``value``, ``case``, ``prefix`` or ``required``
    dimension : the governed name; empty for a prefix
    spelling : the key, value or prefix that is spelled so
    meaning : ``read`` or ``ignore`` for a key, the governed value for a value, ``lower``, ``upper`` or ``keep`` for
        a case, ``keep`` or ``drop`` for a prefix
    valid_from, valid_to : the days of charges that it holds for, half-open; None where it is not bounded
    place : of two rules about the same thing the one with the smaller place stands
    """

    kind: str
    dimension: str
    spelling: str = ""
    meaning: str = ""
    valid_from: date | None = None
    valid_to: date | None = None
    place: int = 0

    def holds(self, day: date | None) -> bool:
        """Whether it holds on a day; None is the day before all that any rule names."""
        begun = self.valid_from is None or (day is not None and self.valid_from <= day)
        return begun and (self.valid_to is None or day is None or day < self.valid_to)


@dataclass(frozen=True)
class TagReading:
    """How one dimension is read in a stretch of days: which keys say it, and which values are one value.

    Attributes
    ----------
    starts, ends : days, half-open; None where the stretch is not bounded
    keys : the tag keys that say it, as bills spell them, the one that stands over the others first
    values : governed value and the spellings (lower case) that mean it
    case : what becomes of other values: ``lower``, ``upper`` or ``keep``
    """

    starts: date | None
    ends: date | None
    keys: tuple[str, ...]
    values: tuple[tuple[str, tuple[str, ...]], ...] = ()
    case: str = "keep"


def tag_readings(keys: Iterable[str], rules: Iterable[TagRule] = ()) -> dict[str, tuple[TagReading, ...]]:
    """How every owner dimension is read, by stretches of days that leave no day out.

    The order of keys is total: the governed name first, then the spellings that rules name in the rules' order, then
    those known to everybody; of one spelling the key that is written so, then the others by their text.

    Parameters
    ----------
    keys : the tag keys that occur
    rules : see :class:`TagRule`; without any, keys are read by ``TAG_ALIASES`` and values as they stand

    Example
    -------
    >>> tag_readings(["user:Team", "team", "colour"])["team"][0].keys
    ('team', 'user:Team')
    >>> rule = TagRule("key", "cost_center", "Kst", "read", valid_from=date(2026, 7, 1))
    >>> [(str(one.starts), one.keys) for one in tag_readings(["KST", "CostCenter"], [rule])["cost_center"]]
    [('None', ('CostCenter',)), ('2026-07-01', ('KST', 'CostCenter'))]
    """
    occurring = sorted(set(keys))
    ordered = sorted(rules, key=lambda rule: rule.place)
    found = {}
    for dimension in OWNER_DIMENSIONS:
        mine = [r for r in ordered if r.kind == "prefix" or (r.dimension == dimension and r.kind != "required")]
        days = sorted({day for rule in mine for day in (rule.valid_from, rule.valid_to) if day})
        readings: list[TagReading] = []
        for starts, ends in zip([None, *days], [*days, None], strict=True):
            one = _reading(dimension, occurring, [rule for rule in mine if rule.holds(starts)], starts, ends)
            if readings and replace(readings[-1], starts=starts, ends=ends) == one:
                one = replace(readings.pop(), ends=ends)
            readings.append(one)
        found[dimension] = tuple(readings)
    return found


def _reading(
    dimension: str, keys: Sequence[str], rules: Sequence[TagRule], starts: date | None, ends: date | None
) -> TagReading:
    prefixes = dict.fromkeys(USER_PREFIXES, "drop")
    for rule in reversed([rule for rule in rules if rule.kind == "prefix"]):
        prefixes[rule.spelling.strip().lower()] = rule.meaning
    dropped = [prefix for prefix, what in prefixes.items() if what == "drop"]
    ruled: dict[str, str] = {}
    for rule in rules:
        if rule.kind == "key":
            ruled.setdefault(normalise_tag_key(rule.spelling, dropped), rule.meaning)
    names = list(dict.fromkeys([*([] if dimension in ruled else [dimension]), *ruled, *TAG_ALIASES[dimension]]))
    rank = {name: place for place, name in enumerate(names) if ruled.get(name) != "ignore"}
    plain = {key: normalise_tag_key(key, dropped) for key in keys}
    read = sorted(
        (key for key in keys if plain[key] in rank), key=lambda key: (rank[plain[key]], key != plain[key], key)
    )
    values: dict[str, list[str]] = {}
    taken: set[str] = set()
    for rule in rules:
        for spelling in (rule.spelling, rule.meaning) if rule.kind == "value" else ():
            if spelling.strip().lower() not in taken:
                taken.add(spelling.strip().lower())
                values.setdefault(rule.meaning, []).append(spelling.strip().lower())
    case = next((rule.meaning for rule in rules if rule.kind == "case"), "keep")
    return TagReading(starts, ends, tuple(read), tuple((name, tuple(of)) for name, of in values.items()), case)


def required_dimensions(rules: Iterable[TagRule], day: date) -> tuple[str, ...]:
    """The tags that a charge must carry on a day: those that rules require, or the five that everybody does.

    Example
    -------
    >>> rule = TagRule("required", "tenant", valid_from=date(2026, 7, 1))
    >>> required_dimensions([rule], date(2026, 7, 1)), required_dimensions([rule], date(2026, 6, 30))[:2]
    (('tenant',), ('service_id', 'team'))
    """
    ruled = {rule.dimension for rule in rules if rule.kind == "required" and rule.holds(day)}
    return tuple(name for name in OWNER_DIMENSIONS if name in ruled) or REQUIRED_DIMENSIONS


def as_rules(rows: Iterable[Mapping[str, object]]) -> list[TagRule]:
    """Rows of the table ``tag_rule`` as rules, in their order."""
    names = tuple(TagRule.__dataclass_fields__)
    made = [TagRule(**{name: row[name] for name in names if row.get(name) is not None}) for row in rows]  # type: ignore[arg-type]
    return sorted(made, key=lambda rule: rule.place)
