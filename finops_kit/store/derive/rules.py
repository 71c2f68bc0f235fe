"""The rules that observations are read by: what a state is, who wins, how long a state is carried.

Everything that a figure of the derived layer depends on stands here, once; ``RULE_VERSION`` changes with it.
"""

from __future__ import annotations

from datetime import timedelta

#: changes whenever one of the rules below does; every derivation names it
RULE_VERSION = "4"

#: where sources disagree on a resource, the first of these wins; all others come after them, by their name
SOURCE_PRECEDENCE = ("kubernetes", "aws", "azure", "gcp", "vsphere", "inventory", "servicenow", "cmdb")

#: whose absence says only that it left where it was seen: a machine that is no node any more may still run
LEAVING_KINDS = ("node",)

#: how long a state is carried beyond its last observation, by source and kind; ``""`` stands for any.
#: A bit more than the longest time between two looks of the source: kubernetes is dumped weekly at the least,
#: an inventory monthly, a CMDB is reviewed monthly. What is looked at more often only shrinks its own gaps.
MAX_STALENESS: dict[tuple[str, str], timedelta] = {
    ("kubernetes", ""): timedelta(days=8),
    ("inventory", ""): timedelta(days=35),
    ("cmdb", ""): timedelta(days=35),
    ("", ""): timedelta(days=35),
}

#: what says which resource it is, kept when the resource is absent or unknown
IDENTITY_COLUMNS = ("kind", "provider_name", "region_id", "account_id", "cluster", "namespace")
#: what was seen of it beyond that; empty when it is absent or unknown
OBSERVED_COLUMNS = (
    "owner_id", "power_state", "sku", "vcpu", "memory_gib", "storage_gib", "replicas", "gpu",
)  # fmt: skip
#: two observations that agree on all of these, and on the tags, are the same state
STATE_COLUMNS = ("presence", *IDENTITY_COLUMNS, *OBSERVED_COLUMNS)
#: the dimensions whose change is a scaling event, and whether their value is a number
DIMENSIONS: dict[str, bool] = {
    "vcpu": True, "memory_gib": True, "storage_gib": True, "replicas": True, "gpu": True,
    "power_state": False, "sku": False,
}  # fmt: skip


def max_staleness(source_system: str, kind: str) -> timedelta:
    """How long a state that this source saw is carried beyond its last observation.

    Example
    -------
    >>> max_staleness("kubernetes", "pod").days, max_staleness("somebody", "machine").days
    (8, 35)
    """
    for key in ((source_system, kind), (source_system, ""), ("", kind), ("", "")):
        if key in MAX_STALENESS:
            return MAX_STALENESS[key]
    raise KeyError("MAX_STALENESS has no rule for everybody")


def staleness_sql() -> str:
    """The same as an SQL expression over source_system and kind, as an interval."""

    def condition(source: str, kind: str) -> str:
        parts = [f"{name} = '{value}'" for name, value in (("source_system", source), ("kind", kind)) if value]
        return " AND ".join(parts) or "true"

    ordered = sorted(MAX_STALENESS.items(), key=lambda rule: (not all(rule[0]), not rule[0][0], not rule[0][1]))
    cases = " ".join(f"WHEN {condition(*key)} THEN to_seconds({int(value.total_seconds())})" for key, value in ordered)
    return f"CASE {cases} END"


def precedence_sql(source_system: str = "source_system") -> str:
    """The rank of a source as an SQL expression; a lower one wins."""
    cases = " ".join(f"WHEN '{name}' THEN {rank}" for rank, name in enumerate(SOURCE_PRECEDENCE))
    return f"CASE {source_system} {cases} ELSE {len(SOURCE_PRECEDENCE)} END"


def state_sql(table: str = "") -> str:
    """What makes a state as one comparable number: equal for equal states, whatever order its tags stand in.

    An absent resource is absent, whatever else its last record says. ``table`` is an alias with its point.
    """
    tags = f"coalesce(list_sort(map_entries({table}tags)), [])"
    columns = ", ".join(f"{table}{column}" for column in STATE_COLUMNS)
    return f"CASE WHEN {table}presence = 'absent' THEN 0 ELSE hash({columns}, {tags}) END"


def plain_sql(column: str, is_number: bool) -> str:
    """A dimension's value as text: a number in plain notation, without trailing zeros."""
    return f"rtrim(rtrim({column}::VARCHAR, '0'), '.')" if is_number else column
