"""A file of rules about tags: which spellings mean which governed tag, which values are one value, and since when.

The file says how tags are read, never what a bill says: bills keep their tags as they came. Everything in it is checked
before a rule is stored. See docs/tags.md.
"""

from __future__ import annotations

import contextlib
import re
from datetime import date
from typing import Any

import yaml

from finops_kit.errors import SourceRefused
from finops_kit.fields.tags import OWNER_DIMENSIONS, TAG_ALIASES, normalise_tag_key
from finops_kit.normalize.yaml_tree import YamlTree

_PAGE = "docs/tags.md"
_MARK = re.compile(rb"(?:\xef\xbb\xbf)?(?:[ \t]*(?:#[^\n]*|---[ \t]*)?\r?\n)*tag_rules[ \t]*:")
_PARTS = ("tag_rules", "reason", "keys", "values", "case", "prefixes", "required")
_CASES = ("lower", "upper", "keep")
_DATED = ("valid_from", "valid_to", "reason")

Rule = dict[str, Any]


def is_tag_rules(head: bytes) -> bool:
    """Whether a file begins as rules about tags do: with the key ``tag_rules``, after comments.

    Example
    -------
    >>> is_tag_rules(b"# ours\\ntag_rules: 1"), is_tag_rules(b"month,amount")
    (True, False)
    """
    return _MARK.match(head) is not None


def read_tag_rules(content: bytes, name: str) -> list[Rule]:
    """The rules of a file as rows of the table ``tag_rule``, in the file's order; ``source_row`` is their line.

    Raises
    ------
    SourceRefused : something in it is wrong: names file, line and key

    Example
    -------
    >>> rule, = read_tag_rules(b"tag_rules: 1\\nkeys: {team: [crew]}", "tags.yaml")
    >>> rule["kind"], rule["dimension"], rule["spelling"], rule["source_row"]
    ('key', 'team', 'crew', 2)
    """
    tree = YamlTree(name, _PAGE, SourceRefused)
    rules = _Reader(tree).rules(tree.compose(content))
    for place, rule in enumerate(rules, start=1):
        rule["place"] = place
    return rules


class _Reader:
    def __init__(self, tree: YamlTree) -> None:
        self.tree = tree
        self.reason: str | None = None

    def rules(self, root: Any) -> list[Rule]:
        tree = self.tree
        parts = {}
        for name, left, right in tree.pairs(root, "tag_rules"):
            tree.one_of(left, name, name, _PARTS, "part of a file of tag rules")
            parts[name] = right
        if "tag_rules" not in parts or tree.text(parts["tag_rules"], "tag_rules") != "1":
            raise tree.wrong(parts.get("tag_rules", root), "tag_rules", "only version 1 is known.")
        self.reason = tree.text(parts["reason"], "reason") if "reason" in parts else None
        found = self._keys(parts["keys"]) if "keys" in parts else []
        found += self._values(parts["values"]) if "values" in parts else []
        found += self._words(parts["case"], "case", _CASES) if "case" in parts else []
        found += self._words(parts["prefixes"], "prefixes", ("keep", "drop")) if "prefixes" in parts else []
        found += self._required(parts["required"]) if "required" in parts else []
        self._never_two(found)
        return [{name: value for name, value in rule.items() if name not in ("node", "key")} for rule in found]

    def _dimension(self, node: Any, part: str, name: str) -> str:
        return self.tree.one_of(node, f"{part}.{name}", name, OWNER_DIMENSIONS, "governed tag")

    def _keys(self, node: Any) -> list[Rule]:
        found = []
        for name, left, right in self.tree.pairs(node, "keys"):
            dimension = self._dimension(left, "keys", name)
            for item in self.tree.items(right, f"keys.{name}"):
                rule = self._rule("key", dimension, item, f"keys.{name}", "spelling", ("ignore",))
                ignored = rule.pop("ignore", "false")
                if ignored not in ("true", "false"):
                    raise self.tree.wrong(item, f"keys.{name}.ignore", "true or false is expected.")
                rule["meaning"] = "ignore" if ignored == "true" else "read"
                plain = normalise_tag_key(rule["spelling"])
                other = next((d for d, words in TAG_ALIASES.items() if plain in words and d != dimension), None)
                if other and rule["meaning"] == "read":
                    raise self.tree.wrong(
                        item, f"keys.{name}.{rule['spelling']}", f"means {other} already, and cannot mean both."
                    )
                found.append(rule)
        return found

    def _values(self, node: Any) -> list[Rule]:
        found = []
        for name, left, right in self.tree.pairs(node, "values"):
            dimension = self._dimension(left, "values", name)
            for value, word, spellings in self.tree.pairs(right, f"values.{name}"):
                # a value without other spellings is still one value in any case
                for item in self.tree.items(spellings, f"values.{name}.{value}") or [word]:
                    rule = self._rule("value", dimension, item, f"values.{name}.{value}", "spelling")
                    found.append({**rule, "meaning": value})
        return found

    def _words(self, node: Any, part: str, known: tuple[str, ...]) -> list[Rule]:
        """Rules of one word each: the case of a dimension, what becomes of a prefix."""
        found = []
        for name, left, right in self.tree.pairs(node, part):
            rule = self._rule("case" if part == "case" else "prefix", "", right, f"{part}.{name}", "rule")
            word = self.tree.one_of(right, f"{part}.{name}", rule["spelling"], known, "rule")
            if part == "case":
                rule |= {"dimension": self._dimension(left, part, name), "spelling": None}
            else:
                plain = name.lower().rstrip(":_/")
                if not re.fullmatch(r"[a-z0-9.-]+", plain):
                    raise self.tree.wrong(left, f"{part}.{name}", "letters, digits, '.' and '-' are expected.")
                rule["spelling"] = plain
            found.append({**rule, "meaning": word})
        return found

    def _required(self, node: Any) -> list[Rule]:
        found = []
        for item in self.tree.items(node, "required"):
            rule = self._rule("required", "", item, "required", "tag")
            name = self._dimension(item, "required", rule["spelling"])
            found.append({**rule, "dimension": name, "spelling": None, "meaning": "yes"})
        return found

    def _rule(self, kind: str, dimension: str, node: Any, key: str, word: str, more: tuple[str, ...] = ()) -> Rule:
        """One entry: a text, or a text with its days."""
        tree = self.tree
        said: dict[str, Any] = {}
        if isinstance(node, yaml.MappingNode):
            for name, left, right in tree.pairs(node, key):
                tree.one_of(left, f"{key}.{name}", name, (word, *_DATED, *more), "key of a rule")
                said[name] = self._day(right, f"{key}.{name}") if name in _DATED[:2] else tree.text(right, key)
            if word not in said:
                raise tree.wrong(node, f"{key}.{word}", "is missing.")
        else:
            said[word] = tree.text(node, key)
        start, end = said.get("valid_from"), said.get("valid_to")
        if start and end and end <= start:
            raise tree.wrong(node, f"{key}.valid_to", f"{end} is not after valid_from {start}; valid_to is the first "
                             "day on which the rule no longer holds.")  # fmt: skip
        return {
            "kind": kind, "dimension": dimension, "spelling": said[word], "valid_from": start, "valid_to": end,
            "reason": said.get("reason", self.reason), "source_row": tree.line(node), "node": node, "key": key,
            **{name: said[name] for name in more if name in said},
        }  # fmt: skip

    def _day(self, node: Any, key: str) -> date:
        text = self.tree.text(node, key)
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            with contextlib.suppress(ValueError):
                return date.fromisoformat(text)
        raise self.tree.wrong(node, key, f"{text!r} is no day; expected one such as 2026-07-01.")

    def _never_two(self, rules: list[Rule]) -> None:
        """Refuse two rules that say two things about the same on the same day."""
        seen: dict[tuple[str, ...], list[Rule]] = {}
        for rule in rules:
            plain = (rule["spelling"] or "").lower()
            if rule["kind"] == "key":
                subject: tuple[str, ...] = ("key", normalise_tag_key(plain))
            else:
                subject = (rule["kind"], rule["dimension"], plain)
            if rule["kind"] == "key" and rule["meaning"] == "ignore":
                subject = ("key", rule["dimension"], normalise_tag_key(plain))
            for other in seen.setdefault(subject, []):
                if _overlap(rule, other):
                    says = other["dimension"] if rule["kind"] == "key" else other["meaning"]
                    what = f"is ruled in line {other['source_row']} already ({says}), for some of the same days."
                    raise self.tree.wrong(rule["node"], f"{rule['key']}.{rule['spelling'] or ''}".rstrip("."), what)
            seen[subject].append(rule)
        values = [rule for rule in rules if rule["kind"] == "value"]
        for rule in values:
            for other in values:
                words = (other["spelling"].lower(), other["meaning"].lower())
                named = rule["dimension"] == other["dimension"] and rule["meaning"].lower() in words
                if named and other["meaning"] != rule["meaning"] and _overlap(rule, other):
                    what = f"is itself a spelling of {other['meaning']!r} (line {other['source_row']}); name that one."
                    raise self.tree.wrong(rule["node"], rule["key"], what)


def _overlap(one: Rule, other: Rule) -> bool:
    first, last = date.min, date.max
    return bool(
        (one["valid_from"] or first) < (other["valid_to"] or last)
        and (other["valid_from"] or first) < (one["valid_to"] or last)
    )
