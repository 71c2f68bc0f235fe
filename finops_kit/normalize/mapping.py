"""Any bill in through a mapping that its user wrote: which column, constant or template fills which FOCUS column.

A mapping is data, never code: a column's name, a constant, or a template that puts columns into a text. Everything in
it is checked before a row is read, and what is wrong is named by line and key. See docs/mappings.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from finops_kit.errors import ColumnMissing, UsageError
from finops_kit.fields import FOCUS_FIELDS, TAGS, TEXT, TIME
from finops_kit.normalize.entries import unique_names
from finops_kit.normalize.plan import Input, Plan, Rule
from finops_kit.normalize.yaml_tree import MAX_BYTES, YamlTree
from finops_kit.sources.encoding import find_encoding

#: a mapping must fill these
REQUIRED = ("BilledCost", "BillingCurrency", "BillingPeriodStart", "ProviderName", "ServiceName")
#: ... where this one is filled, the billing period is its month
_OR_ELSE = "ChargePeriodStart"
_KEYS = ("version", "name", "sheet", "encoding", "columns", "tags")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
_PLACE = re.compile(r"\{([^{}]*)\}")
_MAPPED = {f.name: f for f in FOCUS_FIELDS if f.type != TAGS}


@dataclass(frozen=True)
class Source:
    """Where one value comes from: exactly one of a column, a constant, a template; and the line that says so."""

    line: int
    column: str | None = None
    constant: str | None = None
    template: str | None = None

    @property
    def columns(self) -> list[str]:
        """The file's columns that it needs."""
        if self.column is not None:
            return [self.column]
        return _PLACE.findall(self.template) if self.template is not None else []

    def sql(self, place: dict[str, str]) -> str:
        """The SQL of its raw text; null where the columns it needs hold nothing."""
        if self.column is not None:
            return place[self.column]
        if self.constant is not None:
            return _literal(self.constant)
        assert self.template is not None
        parts = [
            f"coalesce({place[part]}, '')" if i % 2 else _literal(part)
            for i, part in enumerate(_PLACE.split(self.template))
            if i % 2 or part
        ]
        nothing = " AND ".join(f"{place[name]} IS NULL" for name in self.columns)
        return f"CASE WHEN NOT ({nothing}) THEN concat({', '.join(parts)}) END"


@dataclass(frozen=True)
class Mapping:
    """A mapping as it was read: its name, what fills which FOCUS column and tag, the SHA-256 of its text, and what the
    files that it reads are written in where they have no byte order mark."""

    file: str
    name: str
    sheet: str | None
    columns: dict[str, Source]
    tags: dict[str, Source]
    sha256: str
    encoding: str = ""

    def missing(self, header: Sequence[str]) -> list[tuple[int, str]]:
        """Columns that the mapping names and a header lacks, each with the mapping's line."""
        have = set(header)
        sources = [*self.columns.values(), *self.tags.values()]
        return [(one.line, name) for one in sources for name in one.columns if name not in have]

    def check(self, header: Sequence[str], name: str) -> None:
        """Refuse a file that lacks a column which the mapping names.

        Raises
        ------
        ColumnMissing : names the column, the mapping's line and what the file has
        """
        lacks = self.missing(header)
        if lacks:
            line, column = lacks[0]
            raise ColumnMissing(
                f"{column!r} ({self.file}, line {line}) is not in the header of {name}; it has "
                f"{', '.join(map(repr, header[:12]))}. Correct the mapping, or name another file."
            )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def read_mapping(path: str | Path) -> Mapping:
    """Read and check a mapping.

    Raises
    ------
    UsageError : it cannot be read, or something in it is wrong: names file, line and key
    """
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise UsageError(f"{path} is larger than {MAX_BYTES >> 10} KiB; that is no mapping.")
    except OSError as error:
        raise UsageError(f"The mapping {path} cannot be read: {error.strerror or error}.") from error
    reader = _Reader(str(path), "docs/mappings.md", UsageError)
    return reader.mapping(reader.compose(content), hashlib.sha256(content).hexdigest())


class _Reader(YamlTree):
    """A mapping's tree as YAML composed it, read with its lines at hand."""

    def text(self, node: Any, key: str) -> str:
        """A text that says something, with its blanks: a constant or a template may begin with one."""
        super().text(node, key)
        return str(node.value)

    def mapping(self, root: Any, sha256: str) -> Mapping:
        parts: dict[str, Any] = {}
        for name, left, right in self.pairs(root, "mapping"):
            if name not in _KEYS:
                raise self.wrong(left, name, f"is no key of a mapping; expected {', '.join(_KEYS)}.")
            parts[name] = right
        for needed in ("version", "name", "columns"):
            if needed not in parts:
                raise self.wrong(root, needed, "is missing.")
        if self.text(parts["version"], "version") != "1":
            raise self.wrong(parts["version"], "version", "only version 1 is known.")
        name = self.text(parts["name"], "name")
        if not _NAME.fullmatch(name):
            raise self.wrong(parts["name"], "name", "small letters, digits, '-', '_' and '.' are expected, at most 40.")
        sheet = self.text(parts["sheet"], "sheet") if "sheet" in parts else None
        encoding = self.encoding(parts["encoding"]) if "encoding" in parts else ""
        columns = self.columns(parts["columns"])
        tags = (
            {k: self.source(v, f"tags.{k}") for k, _, v in self.pairs(parts["tags"], "tags")} if "tags" in parts else {}
        )
        return Mapping(self.file, name, sheet, columns, tags, sha256, encoding)

    def encoding(self, node: Any) -> str:
        try:
            return find_encoding(self.text(node, "encoding"))
        except UsageError as error:
            raise self.wrong(node, "encoding", str(error)) from error

    def columns(self, node: Any) -> dict[str, Source]:
        found: dict[str, Source] = {}
        for name, left, right in self.pairs(node, "columns"):
            if name not in _MAPPED:
                import difflib

                near = difflib.get_close_matches(name, _MAPPED, n=1)
                hint = f" Did you mean {near[0]}?" if near else ""
                raise self.wrong(left, f"columns.{name}", f"is no FOCUS column.{hint}")
            found[name] = self.source(right, f"columns.{name}")
        missing = [name for name in REQUIRED if name not in found
                   and not (name == "BillingPeriodStart" and _OR_ELSE in found)]  # fmt: skip
        if missing:
            raise self.wrong(node, f"columns.{missing[0]}", "is missing, and a mapping must fill it.")
        if found["BilledCost"].column is None:
            raise self.wrong(node, "columns.BilledCost", "must be a column, for it is added up as a control.")
        if found["BillingCurrency"].template is not None:
            raise self.wrong(node, "columns.BillingCurrency", "must be a column or a constant.")
        return found

    def source(self, node: Any, key: str) -> Source:
        line = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            return Source(line, column=self.text(node, key))
        parts = {name: (left, right) for name, left, right in self.pairs(node, key)}
        if len(parts) != 1 or not parts.keys() <= {"column", "constant", "template"}:
            raise self.wrong(node, key, "exactly one of column, constant and template is expected.")
        kind, (_, right) = next(iter(parts.items()))
        text = self.text(right, f"{key}.{kind}")
        if kind == "template":
            rest = _PLACE.sub("", text)
            if not _PLACE.findall(text) or "" in _PLACE.findall(text) or "{" in rest or "}" in rest:
                raise self.wrong(right, f"{key}.template", "expected text with columns in braces, such as {Plan}.")
        return Source(line, **{kind: text})


def plan_mapping(mapping: Mapping, header: Sequence[str], types: Sequence[str] | None = None) -> Plan:
    """The plan of one file under a mapping; columns that the mapping does not name go into ``x_Columns``.

    Where the mapping does not say it: EffectiveCost is BilledCost, the charge period is the billing period (where only
    ChargePeriodStart is said, the charge is for that day and the billing period is its month), the
    billing period ends a month after it starts, ChargeCategory is Usage, BillingAccountId is the mapping's name,
    the provider publishes its service and issues the invoice, and no price but the one that was billed is known, so
    ListCost and ContractedCost are BilledCost.
    """
    place: dict[str, str] = {}
    for i, name in enumerate(header):
        raw = f"c{i}" if types is None else Input(name, f"c{i}", TEXT, types[i]).text
        place.setdefault(name, raw)
    taken: dict[str, Input] = {}
    by_day = "BillingPeriodStart" not in mapping.columns
    required = (*REQUIRED, _OR_ELSE) if by_day else REQUIRED
    for name, source in mapping.columns.items():
        sql = source.sql(place)
        if _MAPPED[name].type == TIME:
            sql = f"CASE WHEN regexp_full_match({sql}, '\\d{{4}}-\\d{{2}}') THEN {sql} || '-01' ELSE {sql} END"
        shown = source.columns[0] if source.columns else name
        taken[name] = Input(f"in_{name}", sql, _MAPPED[name].type, "TEXT", name in required, shown)
    outputs = {name: f'"{given.name}"' for name, given in taken.items()}
    outputs["BillingCurrency"] = 'trim("in_BillingCurrency")'
    if by_day:
        outputs["BillingPeriodStart"] = "date_trunc('month', \"in_ChargePeriodStart\")"
        outputs.setdefault("ChargePeriodEnd", "\"in_ChargePeriodStart\" + INTERVAL '1 day'")
    outputs.setdefault("BillingPeriodEnd", f"{outputs['BillingPeriodStart']} + INTERVAL '1 month'")
    outputs.setdefault("ChargePeriodStart", outputs["BillingPeriodStart"])
    outputs.setdefault("ChargePeriodEnd", outputs["BillingPeriodEnd"])
    outputs.setdefault("EffectiveCost", '"in_BilledCost"')
    outputs.setdefault("ChargeCategory", "'Usage'")
    outputs.setdefault("BillingAccountId", _literal(mapping.name))
    outputs.setdefault("PublisherName", outputs["ProviderName"])
    outputs.setdefault("InvoiceIssuerName", outputs["ProviderName"])
    outputs.setdefault("ServiceCategory", "'Other'")
    outputs.setdefault("ChargeDescription", outputs["ServiceName"])
    outputs.setdefault("ChargeFrequency", f"CASE WHEN {outputs['ChargeCategory']} = 'Usage' "
                       "THEN 'Usage-Based' ELSE 'One-Time' END")  # fmt: skip
    outputs.setdefault("ContractedCost", '"in_BilledCost"')
    outputs.setdefault("ListCost", outputs["ContractedCost"])
    if mapping.tags:
        pairs = ", ".join(
            f"{{'k': {_literal(key)}, 'v': {source.sql(place)}}}" for key, source in sorted(mapping.tags.items())
        )
        outputs["Tags"] = f"map_from_entries(list_filter([{pairs}], lambda e: e.v IS NOT NULL))"
    rules = tuple(
        Rule(end, f"{outputs[end]} <= {outputs[start]}", "a period must end after it starts")
        for start, end in (("BillingPeriodStart", "BillingPeriodEnd"), ("ChargePeriodStart", "ChargePeriodEnd"))
    )
    used = {name for one in (*mapping.columns.values(), *mapping.tags.values()) for name in one.columns}
    shown_names = unique_names(list(header))
    extras = tuple(
        (shown or f"column {i + 1}", f"c{i}" if types is None else Input(shown, f"c{i}", TEXT, types[i]).text)
        for i, (name, shown) in enumerate(zip(header, shown_names, strict=True))
        if name not in used
    )
    return Plan(
        "charge", mapping.name, tuple(taken.values()), outputs, extras=extras, rules=rules,
        cost=taken["BilledCost"], currency=taken["BillingCurrency"],
    )  # fmt: skip
