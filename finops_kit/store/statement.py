"""Judge a statement before it runs: exactly one question to the store, asked of its own tables only.

The judgement is made on the tree that DuckDB's own parser makes of the text, never on the text, so that
comments, quotes, case and Unicode cannot hide anything. What may be named is listed: the store's tables,
the names that the statement itself defines, and a handful of table functions that read nothing.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterator
from typing import Any

import duckdb

from finops_kit.errors import QueryRefused, UsageError

#: table functions that make rows out of their arguments alone
TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree"})
#: what may stand in a FROM clause; anything that a later parser invents is refused until it is known
SOURCES = frozenset({
    "BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EMPTY", "EXPRESSION_LIST", "PIVOT", "SHOW_REF",
})  # fmt: skip
#: functions that tell of the engine, the environment or other statements, or that write
FORBIDDEN_FUNCTIONS = frozenset({
    "col_description", "copy_database", "current_query", "current_setting", "currval", "getenv", "getvariable", "glob",
    "in_search_path", "json_execute_serialized_sql", "json_serialize_plan", "nextval", "obj_description", "query",
    "query_table", "set_config", "setseed", "shobj_description", "sleep_ms", "sniff_csv", "stats", "which_secret",
    "write_log",
})  # fmt: skip
FORBIDDEN_PREFIXES = (
    "__internal", "duckdb_", "ducklake_", "parquet_", "pg_get_", "pg_sleep", "pragma_", "read_", "sqlite_",
)  # fmt: skip
#: a name that a statement may define for itself; system names stay out of reach behind it
OWN_NAME = re.compile(r"^(?!duckdb_|ducklake_|pg_|pragma_|sqlite_|information_schema|__)[^\W\d]\w*$", re.IGNORECASE)
#: longer statements are not questions
MAX_CHARACTERS = 200_000

_EXPLAIN = re.compile(r"\s*explain(\s+analyze)?\s+(.*)", re.IGNORECASE | re.DOTALL)
_READ_ONLY = "finops sql is read-only: one SELECT (also WITH, VALUES, FROM, DESCRIBE, SUMMARIZE, EXPLAIN)"


def judge(statement: str, tables: Collection[str]) -> str:
    """Let a statement through, or say why not.

    Parameters
    ----------
    statement : SQL as somebody wrote it
    tables : the names that it may read

    Returns
    -------
    The one statement to run, which reads nothing but ``tables``.

    Raises
    ------
    QueryRefused : it would do more than read the store's tables, or is more than one statement
    UsageError : it is no SQL, or names a table that is not there

    Example
    -------
    >>> judge("FROM charge SELECT count(*);", ["charge"])
    'FROM charge SELECT count(*)'
    """
    if len(statement) > MAX_CHARACTERS:
        raise QueryRefused(f"The statement is longer than {MAX_CHARACTERS:,} characters; ask a shorter question.")
    if "\x00" in statement or any(0xD800 <= ord(c) <= 0xDFFF for c in statement):
        raise QueryRefused("The statement holds a character that is no text (NUL or half a surrogate pair).")
    connection = duckdb.connect()
    try:
        only = _single(connection, statement)
        explained = _EXPLAIN.fullmatch(only)
        if explained:
            inner = _single(connection, explained[2])
            _judge_select(connection, inner, tables)
            return f"EXPLAIN{' ANALYZE' if explained[1] else ''} {inner}"
        _judge_select(connection, only, tables)
        return only
    finally:
        connection.close()


def _single(connection: duckdb.DuckDBPyConnection, text: str) -> str:
    """The one statement in a text, without its semicolon."""
    try:
        found = connection.extract_statements(text)
    except duckdb.Error as error:
        raise UsageError(f"That is no SQL that can be read: {one_line(error)}") from error
    except UnicodeError as error:
        raise QueryRefused("The statement holds a character that is no text.") from error
    if not found:
        raise UsageError('There is no statement. Ask, for example: finops sql "SELECT count(*) FROM charge"')
    if len(found) > 1 and re.match(r"\s*(pivot|from\b.*\bpivot)\b", text, re.IGNORECASE | re.DOTALL):
        raise QueryRefused("PIVOT needs its values listed here: PIVOT ... ON column IN ('a', 'b') USING sum(...).")
    if len(found) > 1:
        raise QueryRefused(f"{len(found)} statements were given. {_READ_ONLY} at a time.")
    kind = found[0].type.name
    if kind not in ("SELECT", "EXPLAIN"):
        raise QueryRefused(f"{kind.replace('_', ' ')} is not let through. {_READ_ONLY}.")
    return text.strip().rstrip(";").rstrip() if text.strip().endswith(";") else text.strip()


def _judge_select(connection: duckdb.DuckDBPyConnection, text: str, tables: Collection[str]) -> None:
    row = connection.execute("SELECT json_serialize_sql(?)", [text]).fetchone()
    try:
        tree = json.loads(row[0]) if row else {}
    except RecursionError as error:
        raise QueryRefused("The statement is nested too deeply to be judged; ask a simpler question.") from error
    if tree.get("error") or len(tree.get("statements", ())) != 1:
        raise QueryRefused(f"That statement is not let through. {_READ_ONLY} at a time.")
    own: set[str] = set()
    for node in _nodes(tree):
        own.update(_own_names(node))
    known = {name.lower() for name in tables}
    for node in _nodes(tree):
        _judge_node(node, known, own)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of the parsed tree; iterative, so depth does not matter."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _own_names(node: dict[str, Any]) -> Iterator[str]:
    """The names that WITH defines in one query."""
    for entry in (node.get("cte_map") or {}).get("map", ()):
        name = str(entry["key"])
        if not OWN_NAME.match(name):
            raise QueryRefused(f"WITH {name!r} is not let through; name it with letters, digits and underscores.")
        yield name.lower()


def _judge_node(node: dict[str, Any], known: set[str], own: set[str]) -> None:
    kind = node.get("type")
    if "sample" in node and "alias" in node and kind not in SOURCES:
        raise QueryRefused(f"A source of the kind {kind} is not let through. {_READ_ONLY}.")
    if kind == "BASE_TABLE":
        _judge_table(node, known, own)
    elif kind == "TABLE_FUNCTION":
        function = node.get("function") or {}
        name = str(function.get("function_name", "")).lower()
        if name not in TABLE_FUNCTIONS or function.get("schema") or function.get("catalog"):
            raise QueryRefused(
                f"{name}() in FROM is not let through: files, settings and catalogues cannot be read here, only the "
                f"store's tables and {', '.join(sorted(TABLE_FUNCTIONS))}."
            )
    elif kind == "SHOW_REF":
        _judge_show(node)
    elif kind == "VALUE_PARAMETER":
        raise QueryRefused("Parameters such as ? or $1 have no value here; write the value into the statement.")
    if node.get("function_name"):
        name = str(node["function_name"]).lower()
        if name in FORBIDDEN_FUNCTIONS or name.startswith(FORBIDDEN_PREFIXES):
            raise QueryRefused(
                f"{name}() is not let through: it would tell of, or change, something outside the store's tables."
            )


def _judge_table(node: dict[str, Any], known: set[str], own: set[str]) -> None:
    name, where = str(node.get("table_name", "")), [node.get("catalog_name"), node.get("schema_name")]
    qualified = ".".join([part for part in where if part] + [name])
    if node.get("at_clause"):
        raise QueryRefused("AT (VERSION ...) is not let through; use --as-of, which pins every table to one version.")
    if any(where):
        raise QueryRefused(f"{qualified!r} is not let through: name the store's tables without a catalogue or schema.")
    if name.lower() in known or name.lower() in own:
        return
    if not OWN_NAME.match(name):
        raise QueryRefused(f"{name!r} is not let through: files and system tables cannot be read here.")
    close = difflib.get_close_matches(name.lower(), sorted(known | own), n=1)
    hint = f"Did you mean {close[0]}?" if close else f"There are {', '.join(sorted(known))}."
    raise UsageError(f"There is no table {name!r}. {hint}")


def _judge_show(node: dict[str, Any]) -> None:
    kind, name = node.get("show_type"), node.get("table_name")
    if kind in ("DESCRIBE", "SUMMARY") and node.get("query"):
        return
    if kind == "SHOW_UNQUALIFIED" and name == '"tables"':
        return
    raise QueryRefused("That SHOW is not let through. Use SHOW TABLES, DESCRIBE <table> or SUMMARIZE <table>.")


def one_line(error: Exception) -> str:
    """An engine's message as one line: without its kind, without the excerpt of the statement.

    Example
    -------
    >>> one_line(ValueError("Parser Error: syntax error at or near \\"selec\\"\\n\\nLINE 1: selec"))
    'syntax error at or near "selec"'
    """
    text = str(error).split("\n\nLINE")[0].split("\nLINE")[0]
    text = " ".join(text.split())
    return re.sub(r"^[A-Z][A-Za-z ]+ Error: ", "", text)
