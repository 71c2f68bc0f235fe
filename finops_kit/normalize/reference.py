"""Reference data and inventories from CSV: headers are the field names of the store, a few aliases are known."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from finops_kit.fields import FLAG, TABLES, TEXT
from finops_kit.normalize.entries import unique_names
from finops_kit.normalize.plan import Input, Plan, Rule
from finops_kit.sources.formats import ALIASES, Format, canonical

#: a month may be written as 2026-09; the first day of it is meant
_MONTHLY = ("month",)


#: a file of daily rates would else hold several for one month, and one of them would be taken
DAILY = "a rate holds for a month: write its first day"


def plan_reference(known: Format, header: Sequence[str], types: Sequence[str] | None = None) -> Plan:
    """The plan of one reference table: each column by its name or an alias, the rest is named as not used.

    Example
    -------
    >>> from finops_kit.sources.formats import FORMATS
    >>> plan = plan_reference(FORMATS["budgets"], ["Month", "amount", "currency", "remark"])
    >>> sorted(plan.outputs), plan.unused
    (['amount', 'currency', 'month'], ('remark',))
    """
    taken, unused, _ = _match(known.table, header, types, known.needs)
    outputs = {name: f'"in_{name}"' for name in taken}
    for name in _MONTHLY:
        if name in taken:
            outputs[name] = f"CAST(date_trunc('month', \"in_{name}\") AS DATE)"
    rules: tuple[Rule, ...] = ()
    if known.table == "business_metric" and "period_grain" not in taken:
        outputs["period_grain"] = "'month'"
    if known.table == "exchange_rate" and "rate" in taken:
        rules = (Rule("rate", '"in_rate" <= 0', "a rate must be above zero"),)
        if "month" in taken:
            rules += (Rule("month", '"in_month" <> date_trunc(\'month\', "in_month")', DAILY),)
    return Plan(known.table, "", tuple(taken.values()), outputs, rules=rules, unused=tuple(unused))


def plan_inventory(known: Format, header: Sequence[str], types: Sequence[str] | None = None) -> Plan:
    """The plan of an inventory: one observation per row; columns of no field go into ``attributes`` as JSON.

    ``presence`` is ``present`` unless the file says otherwise. ``complete`` says whether a resource that the file
    does not name is absent; see :func:`scope_sql`.
    """
    taken, _, extras = _match("resource_snapshot", header, types, known.needs, hidden=("snapshot_id",))
    complete = next((i for i, name in enumerate(header) if canonical(name) == "complete"), None)
    extras = [(key, sql) for key, sql in extras if canonical(key) != "complete"]
    if complete is not None:
        comes = types[complete] if types is not None else "TEXT"
        taken["complete"] = Input("in_complete", f"c{complete}", FLAG, comes, header=header[complete])
    outputs = {name: f'"in_{name}"' for name in taken if name not in ("complete", "source_system")}
    outputs["presence"] = "coalesce(lower(\"in_presence\"), 'present')" if "presence" in taken else "'present'"
    outputs["source_system"] = (
        f"coalesce(\"in_source_system\", '{known.family}')" if "source_system" in taken else f"'{known.family}'"
    )
    outputs["scope"] = _scope(taken)
    if extras:
        pairs = ", ".join("'" + key.replace("'", "''") + f"', {sql}" for key, sql in extras)
        added = f"CAST(json_object({pairs}) AS VARCHAR)"
        own = "coalesce(\"in_attributes\", '{}')" if "attributes" in taken else "'{}'"
        outputs["attributes"] = f"CAST(json_merge_patch({own}, {added}) AS VARCHAR)"
    content = ", ".join(f"'{name}', {sql}" for name, sql in sorted(outputs.items()))
    outputs["snapshot_id"] = f"sha256(CAST(json_object({content}) AS VARCHAR))"
    rules: tuple[Rule, ...] = ()
    if "presence" in taken:
        rules = (Rule("presence", "lower(\"in_presence\") NOT IN ('present', 'absent')", "present or absent expected"),)
    return Plan("resource_snapshot", "", tuple(taken.values()), outputs, rules=rules)


def _scope(taken: Collection[str]) -> str:
    """What an observation's file looked at, as far as the row says: its own scope, else provider, account and kind."""

    def text(name: str) -> str:
        return f"coalesce(\"in_{name}\", '')" if name in taken else "''"

    made = f"concat_ws('/', {text('provider_name')}, {text('account_id')}, {text('kind')})"
    return f'coalesce("in_scope", {made})' if "scope" in taken else made


def scope_sql(plan: Plan, scan: str) -> str:
    """What an inventory looked at: one row per provider, account, kind and time; complete only if every row says so."""
    have = {given.name for given in plan.inputs}
    complete = 'coalesce(bool_and("in_complete"), false)' if "in_complete" in have else "false"
    values = ", ".join(f'{given.value} AS "{given.name}"' for given in plan.inputs)
    return (
        f"SELECT {plan.outputs['source_system']} AS source_system, "
        f"{plan.outputs['scope']} AS scope, "
        f'"in_observed_at" AS observed_at, {complete} AS complete '
        f"FROM (SELECT raw.*, {values} FROM ({scan}) raw) "
        f'WHERE "in_observed_at" IS NOT NULL AND "in_kind" IS NOT NULL GROUP BY 1, 2, 3'
    )


def _match(
    table: str, header: Sequence[str], types: Sequence[str] | None, needs: Sequence[str], hidden: Sequence[str] = ()
) -> tuple[dict[str, Input], list[str], list[tuple[str, str]]]:
    """Columns by name or alias: what is taken, which names are not, and the SQL of the latter's text."""
    fields = {canonical(f.name): f for f in TABLES[table].fields if f.name not in ("batch_id", "source_row", *hidden)}
    taken: dict[str, Input] = {}
    unused: list[str] = []
    extras: list[tuple[str, str]] = []
    exact = {canonical(name) for name in header}
    for i, (name, shown) in enumerate(zip(header, unique_names(list(header)), strict=True)):
        key = canonical(name)
        if key not in fields and key in ALIASES and ALIASES[key] not in exact:
            key = ALIASES[key]
        comes = types[i] if types is not None else "TEXT"
        field = fields.get(key)
        if field is None or field.name in taken:
            unused.append(shown or f"column {i + 1}")
            extras.append((shown or f"column {i + 1}", Input(shown, f"c{i}", TEXT, comes).text))
            continue
        taken[field.name] = Input(f"in_{field.name}", f"c{i}", field.type, comes, field.name in needs, name)
    return taken, unused, extras
