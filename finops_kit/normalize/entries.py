"""The further columns of a bill as one map: the names of its keys, and the SQL that makes it."""

from __future__ import annotations

import json
from collections.abc import Sequence


def entries_map(pairs: Sequence[tuple[str, str]]) -> str:
    """The SQL of a map of the texts that are not null, keys unique; null where all of them are.

    It goes by way of JSON: a map made from a list costs four times as much, since the engine compares its keys.
    Over one column, what is the same in many rows of a Parquet file is made once.

    Raises
    ------
    ValueError : two keys are the same

    Example
    -------
    >>> import duckdb
    >>> duckdb.sql("SELECT " + entries_map([("a", "NULL"), ('say "b"', "'c'"), ("d", "'\\"'")])).fetchone()[0]
    {'say "b"': 'c', 'd': '"'}
    """
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError(f"a map has every key once: {[key for key, _ in pairs]}")
    if len(pairs) == 1:
        ((key, sql),) = pairs
        text = f"'{escaped(json.dumps(key, ensure_ascii=False))}:' || to_json({sql})"
    else:
        texts = ", ".join(f"'{escaped(json.dumps(key, ensure_ascii=False))}:' || to_json({sql})" for key, sql in pairs)
        text = f"nullif(concat_ws(',', {texts}), '')"
    return f"""from_json('{{' || {text} || '}}', '"MAP(VARCHAR, VARCHAR)"')"""


def escaped(text: str) -> str:
    """A text as it stands between the quotes of an SQL literal."""
    return text.replace("'", "''")


def unique_names(names: list[str]) -> list[str]:
    """The names, with a number behind one that stood before (compared without case).

    Example
    -------
    >>> unique_names(["Id", "id", "x"])
    ['Id', 'id_2', 'x']
    """
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name.lower()] = count = seen.get(name.lower(), 0) + 1
        out.append(name if count == 1 else f"{name}_{count}")
    return out
