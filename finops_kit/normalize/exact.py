"""Text to exact values, as SQL expressions over whole columns: money, quantities, times, days, tags.

Money never goes through a floating-point number. Plain notation up to 18 digits takes a fast way (64-bit),
longer plain notation a slower one, and an exponent or more than 24 decimals the slowest, which shifts the
point in the text itself. What is no number becomes null; the caller decides what a null means.
"""

from __future__ import annotations

import re

import duckdb

from finops_kit.fields import COUNT, DAY, FLAG, MONEY, QUANTITY, TAGS, TEXT, TIME

_SLOW_NUMBER = r"\s*[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-3]?[0-9]{1,2})?\s*"
#: the type of a list of keys and values and of nothing beside them, as labels are
_KEY_AND_VALUE = re.compile(r'STRUCT\("?KEY"? \w+, "?VALUE"? \w+\)\[\]')
_PAD = 400  # more zeros than any exponent that is let through can ask for

#: the macros that the expressions below call; made once per connection
MACROS = (
    f"""CREATE OR REPLACE TEMP MACRO exact_window(sign, whole, fraction, power, decimals) AS
        sign || '0' || ltrim(substr(repeat('0', {_PAD}) || whole || fraction || repeat('0', {_PAD + 30}),
                                    1, {_PAD} + length(whole) + power), '0')
        || '.' || substr(repeat('0', {_PAD}) || whole || fraction || repeat('0', {_PAD + 30}),
                         {_PAD} + length(whole) + power + 1, decimals)""",
    f"""CREATE OR REPLACE TEMP MACRO exact_text(t, decimals) AS
        CASE WHEN regexp_full_match(t, '{_SLOW_NUMBER}') THEN exact_window(
            regexp_extract(t, '([-+]?)[0-9.]', 1), regexp_extract(t, '^\\s*[-+]?([0-9]*)', 1),
            regexp_extract(t, '[.]([0-9]*)', 1),
            coalesce(TRY_CAST(regexp_extract(t, '[eE]([-+]?[0-9]+)', 1) AS INTEGER), 0), decimals) END""",
    # where keys differ by blanks alone, this one of them loses its blanks: the one without any, else the first
    """CREATE OR REPLACE TEMP MACRO bare_key(m, k) AS
        coalesce(list_position(map_keys(m), trim(k)),
            list_position(list_transform(map_keys(m), lambda o: trim(o)), trim(k)))""",
    # ... and the others keep theirs, unless they say the same: no value is lost, and pages name the contradiction
    """CREATE OR REPLACE TEMP MACRO trimmed_keys(m) AS
        CASE WHEN list_unique(list_transform(map_keys(m), lambda k: trim(k))) = cardinality(m)
             THEN map_from_entries(list_transform(map_entries(m), lambda e: {'key': trim(e.key), 'value': e.value}))
             ELSE map_from_entries(list_transform(
                list_filter(map_entries(m), lambda e, i: bare_key(m, e.key) = i
                    OR e.value IS DISTINCT FROM map_values(m)[bare_key(m, e.key)]),
                lambda e: {'key': CASE WHEN map_keys(m)[bare_key(m, e.key)] = e.key THEN trim(e.key) ELSE e.key END,
                    'value': e.value})) END""",
    """CREATE OR REPLACE TEMP MACRO trimmed_map(m) AS
        CASE WHEN m IS NULL THEN NULL
             WHEN list_transform(map_keys(m), lambda k: trim(k)) = map_keys(m) THEN m
             ELSE trimmed_keys(m) END""",
    """CREATE OR REPLACE TEMP MACRO unique_json_keys(t) AS
        list_unique(json_keys(TRY_CAST(t AS JSON))) = len(json_keys(TRY_CAST(t AS JSON)))""",
    """CREATE OR REPLACE TEMP MACRO json_map(t) AS
        CASE WHEN NOT json_valid(t) OR json_type(t) <> 'OBJECT' THEN NULL
             WHEN unique_json_keys(t)
             THEN TRY_CAST(TRY_CAST(t AS JSON) AS MAP(VARCHAR, VARCHAR))
             ELSE NULL END""",
    """CREATE OR REPLACE TEMP MACRO pairs_map(t) AS
        trimmed_map(map(
            list_distinct(list_transform(list_filter(string_split_regex(t, '[;,]'), lambda p: contains(p, '=')),
                lambda p: trim(split_part(p, '=', 1)))),
            list_transform(
                list_distinct(list_transform(list_filter(string_split_regex(t, '[;,]'), lambda p: contains(p, '=')),
                    lambda p: trim(split_part(p, '=', 1)))),
                lambda k: list_extract(list_transform(list_filter(
                    list_filter(string_split_regex(t, '[;,]'), lambda p: contains(p, '=')),
                    lambda p: trim(split_part(p, '=', 1)) = k),
                    lambda p: trim(substr(p, strpos(p, '=') + 1))), 1))))""",
    """CREATE OR REPLACE TEMP MACRO tags_map(t) AS
        CASE WHEN t IS NULL THEN NULL
             WHEN starts_with(ltrim(t), '{') THEN trimmed_map(json_map(t))
             WHEN starts_with(ltrim(t), '"') THEN trimmed_map(json_map('{' || t || '}'))
             WHEN contains(t, '=') THEN pairs_map(t)
             ELSE NULL END""",
    # the engine makes a map of a JSON object without comparing its keys, so they are compared here
    r"""CREATE OR REPLACE TEMP MACRO quick_tags_map(t) AS
        CASE WHEN starts_with(t, '{') AND NOT regexp_matches(t, '[{,]\s*"\s|\s"\s*:') AND unique_json_keys(t)
             THEN TRY_CAST(TRY_CAST(t AS JSON) AS MAP(VARCHAR, VARCHAR))
             WHEN starts_with(t, '{') AND unique_json_keys(t)
             THEN trimmed_keys(TRY_CAST(TRY_CAST(t AS JSON) AS MAP(VARCHAR, VARCHAR)))
             ELSE tags_map(t) END""",
)


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the macros that the expressions of this module call."""
    for macro in MACROS:
        connection.execute(macro)


def _money(x: str) -> str:
    return (
        f"CASE WHEN {x} IS NULL THEN NULL "
        f"WHEN regexp_full_match({x}, '[-+]?[0-9]{{1,7}}([.][0-9]{{0,11}})?') "
        f"THEN TRY_CAST({x} AS DECIMAL(18, 11))::{MONEY} "
        f"WHEN regexp_full_match({x}, '[-+]?[0-9]{{1,14}}([.][0-9]{{0,24}})?') THEN TRY_CAST({x} AS {MONEY}) "
        f"ELSE TRY_CAST(exact_text({x}, 24) AS {MONEY}) END"
    )


def _quantity(x: str) -> str:
    return (
        f"CASE WHEN {x} IS NULL THEN NULL "
        f"WHEN regexp_full_match({x}, '[-+]?[0-9]{{1,9}}([.][0-9]{{0,9}})?') "
        f"THEN TRY_CAST({x} AS DECIMAL(18, 9))::{QUANTITY} "
        f"WHEN regexp_full_match({x}, '[-+]?[0-9]{{1,20}}([.][0-9]{{0,18}})?') THEN TRY_CAST({x} AS {QUANTITY}) "
        f"ELSE TRY_CAST(exact_text({x}, 18) AS {QUANTITY}) END"
    )


def _in_range(value: str) -> str:
    """A time that a bill can have; the engine also reads 'infinity', 'epoch' and years BC."""
    return (
        f"CASE WHEN {value} BETWEEN TIMESTAMPTZ '1970-01-02 00:00:00+00' AND TIMESTAMPTZ '2200-01-01 00:00:00+00' "
        f"THEN {value} END"
    )


def read_text(kind: str, x: str) -> str:
    """The SQL expression that reads a text column as one of the store's types; null where it cannot be read.

    Parameters
    ----------
    kind : a type of ``finops_kit.fields``: MONEY, QUANTITY, TIME, DAY, COUNT, FLAG, TAGS or TEXT
    x : the SQL of the text, free of side effects

    Example
    -------
    >>> import duckdb
    >>> con = duckdb.connect(); prepare(con)
    >>> con.execute("SELECT " + read_text(MONEY, "'5.2E-9'")).fetchone()[0]
    Decimal('5.200000000000000E-9')
    """
    if kind == MONEY:
        return _money(x)
    if kind == QUANTITY:
        return _quantity(x)
    if kind == TIME:
        return _in_range(f"TRY_CAST(trim({x}) AS TIMESTAMPTZ)")
    if kind == DAY:
        return (
            f"CASE WHEN regexp_full_match(trim({x}), '[0-9]{{4}}-[0-9]{{2}}') "
            f"THEN TRY_CAST(trim({x}) || '-01' AS DATE) "
            f"WHEN regexp_full_match(trim({x}), '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([T ].*)?') "
            f"THEN TRY_CAST(left(trim({x}), 10) AS DATE) END"
        )
    if kind == COUNT:
        return (
            f"CASE WHEN regexp_full_match(trim({x}), '[-+]?[0-9]{{1,18}}([.]0*)?') "
            f"THEN TRY_CAST(split_part(trim({x}), '.', 1) AS BIGINT) END"
        )
    if kind == FLAG:
        return (
            f"CASE lower(trim({x})) WHEN 'true' THEN true WHEN '1' THEN true WHEN 'yes' THEN true "
            f"WHEN 'false' THEN false WHEN '0' THEN false WHEN 'no' THEN false END"
        )
    if kind == TAGS:
        return f"tags_map({x})"
    if kind == TEXT:
        return x
    raise ValueError(f"no way to read {kind}")


def as_text(x: str, engine_type: str) -> str:
    """A column of another type as the text that it would have in a CSV export; times in UTC.

    Floating-point numbers go through their shortest text that reads back the same. Lists of key and value (no key
    twice) and structures become JSON objects. The rare case comes first: a column that has none of it passes as it is.
    """
    kind = engine_type.upper()
    if kind == "VARCHAR":
        return f"CASE WHEN {x} IN ('', 'NULL') THEN NULL ELSE {x} END"
    if kind == "BLOB":
        return f"CASE WHEN {x} NOT IN (''::BLOB, 'NULL'::BLOB) THEN TRY(decode({x})) END"
    if _KEY_AND_VALUE.fullmatch(kind):
        return f"CAST(coalesce(to_json(TRY(map_from_entries({x}))), to_json({x})) AS VARCHAR)"
    if kind.startswith(("MAP(", "STRUCT(")) or kind.endswith("]"):
        return f"CAST(to_json({x}) AS VARCHAR)"
    return f"CAST({x} AS VARCHAR)"
