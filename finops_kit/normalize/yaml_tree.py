"""A small YAML file that a person writes, read with its lines at hand: what is wrong is named by line and key.

Nothing in such a file is ever run: it is composed into nodes, never constructed into objects.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from finops_kit.errors import FinopsError

#: such a file is written by hand; more than this many bytes is something else
MAX_BYTES = 65_536


class YamlTree:
    """The nodes of one file.

    Parameters
    ----------
    file : the file as the user named it
    page : the page of the documentation that describes it
    error : what is raised where something is wrong
    """

    def __init__(self, file: str, page: str, error: type[FinopsError]) -> None:
        self.file, self.page, self.error = file, page, error

    def compose(self, content: bytes) -> Any:
        """The root node of a file's content; None for an empty file."""
        if len(content) > MAX_BYTES:
            raise self.error(f"{self.file} is larger than {MAX_BYTES >> 10} KiB; nobody writes that by hand.")
        try:
            return yaml.compose(content.decode("utf-8-sig"), Loader=yaml.SafeLoader)
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            mark = getattr(error, "problem_mark", None)
            where = f", line {mark.line + 1}" if mark else ""
            said = getattr(error, "problem", None) or "it is not UTF-8 text"
            raise self.error(f"{self.file}{where}: no readable YAML ({said}). See {self.page}.") from error

    def wrong(self, node: Any, key: str, what: str) -> FinopsError:
        """The error that names line and key."""
        return self.error(f"{self.file}, line {self.line(node)}, {key}: {what} See {self.page}.")

    def line(self, node: Any) -> int:
        """The line that a node begins on, from 1."""
        return int(node.start_mark.line) + 1 if node is not None else 1

    def pairs(self, node: Any, key: str) -> Iterator[tuple[str, Any, Any]]:
        """A mapping's keys, with the nodes of key and value; each key may stand once."""
        if not isinstance(node, yaml.MappingNode):
            raise self.wrong(node, key, "keys with values are expected here.")
        seen: set[str] = set()
        for left, right in node.value:
            name = self.text(left, key)
            if name in seen:
                raise self.wrong(left, name, "stands here twice.")
            seen.add(name)
            yield name, left, right

    def items(self, node: Any, key: str) -> list[Any]:
        """A list's nodes."""
        if not isinstance(node, yaml.SequenceNode):
            raise self.wrong(node, key, "a list is expected here, such as [one, another].")
        return list(node.value)

    def text(self, node: Any, key: str) -> str:
        """A text that says something."""
        if not isinstance(node, yaml.ScalarNode) or not str(node.value).strip():
            raise self.wrong(node, key, "a text is expected here.")
        return str(node.value).strip()

    def one_of(self, node: Any, key: str, name: str, known: Iterable[str], what: str) -> str:
        """A name out of those that are known; the nearest one is named where it is not."""
        known = list(known)
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise self.wrong(node, key, f"is no {what}; expected {', '.join(known)}.{hint}")
        return name
