"""Keep derived runs in insert-only segments, so that an append costs what it changes and a read stays short.

Every batch that touches resources writes one segment of ``state_run``: the runs of those resources, from the
first one that changed on. One row per resource carries ``replaces_from``: what older segments say of the
resource from that run on no longer holds. Segments of a like size are merged into the new one as it is
written (each next older segment is more than ``MERGE_FACTOR`` times as large as all newer ones together), so a
read opens few files, and its look-up of what was replaced stays small beside the largest segment.
``derivation`` says which segments a version reads; nothing is ever rewritten in place.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb

from finops_kit.fields import TABLES
from finops_kit.store.derive.rules import IDENTITY_COLUMNS, OBSERVED_COLUMNS, RULE_VERSION
from finops_kit.store.derive.runs import SNAPSHOT_COLUMNS, add, count_rows, derive_runs, prepare
from finops_kit.store.lake import LAKE, text_literal

#: a batch that appended to one of these is derived from
OBSERVED_TABLES = frozenset({"resource_snapshot", "observation_scope"})
#: an older segment is merged while it is at most so many times as large as what is newer than it
MERGE_FACTOR = 4
#: before every observation: a derivation from here on replaces all that older segments say of the resource
BEGINNING = "TIMESTAMPTZ '0001-01-01 00:00:00+00'"

#: how a Parquet file ends that is not encrypted
_PLAIN_PARQUET = b"PAR1"

_COLUMNS = tuple(c for c in TABLES["state_run"].columns if c not in ("segment", "replaces_from", "batch_id"))
_SNAPSHOT = ", ".join(SNAPSHOT_COLUMNS)

#: the looks that states follow from: those that saw all of their scope, and the moments from which on nobody looked
_LOOKS = f"""
    SELECT DISTINCT source_system, scope, observed_at, complete IS NULL AS lost
    FROM {LAKE}.observation_scope WHERE coalesce(complete, true)
"""


class Batch(Protocol):
    """What is asked of the batch under way: see :class:`finops_kit.store.Batch`."""

    entry: int
    id: str

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The writer's connection."""
        ...

    @property
    def data(self) -> Path:
        """The folder of the data files."""
        ...

    def new_files(self, table: str) -> list[Path]:
        """The data files that the batch has written for a table."""
        ...

    def insert(self, table: str, select_sql: str, params: Sequence[Any] | None = None) -> int:
        """Append what a SELECT yields."""
        ...


@dataclass(frozen=True)
class Segment:
    """One segment that is read: its number (the ledger entry that wrote it), its rows, files and rules."""

    number: int
    rows: int
    files: tuple[str, ...] = ()
    rule_version: str = RULE_VERSION


def live_segments(connection: duckdb.DuckDBPyConnection) -> tuple[Segment, ...]:
    """The segments that are read at the version the connection sees, oldest first."""
    rows = connection.execute(
        f"""SELECT segment, rows, files, rule_version FROM {LAKE}.derivation
            QUALIFY coalesce(segment < min(covers_from) OVER (
                ORDER BY segment ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING), true)
            ORDER BY segment"""
    ).fetchall()
    return tuple(
        Segment(number, count, tuple(json.loads(files or "[]")), rules) for number, count, files, rules in rows
    )


def live_run_sql(live: Sequence[Segment], data: Path | None = None) -> str:
    """The SELECT behind ``live_run``: the rows of the live segments that no newer one replaces.

    Parameters
    ----------
    data : the folder of the data files; segments whose files are all there are read straight from them. Asked for
        a segment by its number, the catalogue reads the statistics of every column of every file it ever knew.
    """
    if not live:
        return f"SELECT * FROM {LAKE}.state_run WHERE false"
    oldest = f"SELECT * FROM {_rows_of(live, data)}"
    if len(live) == 1:
        return oldest
    return f"""
        {oldest} r ANTI JOIN (
            SELECT resource_id, replaces_from, segment FROM {_rows_of(live[1:], data)}
            WHERE replaces_from IS NOT NULL
        ) newer
        ON newer.resource_id = r.resource_id AND newer.segment > r.segment AND newer.replaces_from <= r.first_seen_at"""


def _rows_of(segments: Sequence[Segment], data: Path | None) -> str:
    """A source of rows that holds exactly some segments; numbers are literals, so that no other file is opened."""
    if data is not None and all(segment.files for segment in segments):
        paths = [data / file for segment in segments for file in segment.files]
        if all(path.is_file() for path in paths):
            listed = ", ".join(text_literal(path.as_posix()) for path in paths)
            return f"read_parquet([{listed}], hive_partitioning = false)"
    numbers = ", ".join(str(segment.number) for segment in segments)
    return f"(SELECT * FROM {LAKE}.state_run WHERE segment IN ({numbers}))"


def derive_batch(batch: Batch) -> None:
    """Derive anew what a batch of observations changed, as a segment of its own, in the same transaction.

    Where older rules made the newest segment, everything is derived anew.
    """
    connection = batch.connection
    live = live_segments(connection)
    if live and live[-1].rule_version != RULE_VERSION:
        rederive_batch(batch)
        return
    connection.execute(f"CREATE OR REPLACE TEMP VIEW derive_live AS {live_run_sql(live, batch.data)}")
    _collect(batch)
    derive_runs(connection)
    count = count_rows(connection, "derive_run")
    if count:
        _write(batch, live, count)
    _clear(connection)


def derive_all(connection: duckdb.DuckDBPyConnection) -> None:
    """Make ``derive_run`` from every observation there is, without a look at what was derived before."""
    prepare(connection)
    add(connection, f"SELECT {_SNAPSHOT} FROM {LAKE}.resource_snapshot")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE derive_look AS {_LOOKS}")
    derive_runs(connection)


def rederive_batch(batch: Batch) -> int:
    """Derive everything anew into one segment that stands for all; returns its rows.

    For a store whose rules changed, or that was filled before it derived at all.
    """
    connection = batch.connection
    derive_all(connection)
    connection.execute("CREATE OR REPLACE TEMP TABLE derive_path AS SELECT NULL::VARCHAR AS resource_id LIMIT 0")
    count = count_rows(connection, "derive_run")
    live = live_segments(connection)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW derive_live AS {live_run_sql(())}")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE derive_replaced AS SELECT NULL::VARCHAR AS resource_id, "
                       f"{BEGINNING} AS replaces_from LIMIT 0")  # fmt: skip
    _insert(batch, 0 if not live else live[0].number, "SELECT *, NULL::TIMESTAMPTZ AS replaces_from FROM derive_run")
    _clear(connection)
    return count


def _clear(connection: duckdb.DuckDBPyConnection) -> None:
    """Leave no temporary table behind."""
    for name in ("new_look", "touched", "tail", "path", "observation", "look", "run", "replaced"):
        connection.execute(f"DROP TABLE IF EXISTS derive_{name}")
    connection.execute("DROP VIEW IF EXISTS derive_live")


#: resources whose last run a complete look or a loss of sight may end, or whose past a late one changes
_TOUCHED_BY_LOOK = """
    SELECT tail.resource_id, min(look.observed_at) AS first_at
    FROM (SELECT resource_id, presence, source_system, scope, last_seen_at, carried_to, seen_in,
              unnest(seen_in) AS place
          FROM derive_live WHERE next_from IS NULL) tail
    JOIN derive_new_look look ON look.place = tail.place
    WHERE CASE
        WHEN len(list_filter(tail.seen_in, lambda p: NOT starts_with(p, tail.source_system || chr(9)))) > 0 THEN true
        WHEN tail.last_seen_at < look.observed_at THEN tail.presence = 'present' AND look.scope = tail.scope
            AND (NOT look.lost OR tail.carried_to > look.observed_at)
        ELSE tail.last_seen_at > look.observed_at END
    GROUP BY tail.resource_id
"""

#: a resource is continued from its last run where nothing before that run's end can change; else derived whole
_PATH = """
    CREATE OR REPLACE TEMP TABLE derive_path AS
    SELECT touched.resource_id, tail.first_seen_at AS tail_from,
        tail.resource_id IS NULL OR (
            NOT tail.lost AND touched.first_at > tail.last_seen_at
            AND coalesce(touched.only_source = tail.source_system, true) AND touched.sources <= 1
            AND len(list_filter(tail.seen_in, lambda p: NOT starts_with(p, tail.source_system || chr(9)))) = 0
        ) AS continued
    FROM derive_touched touched LEFT JOIN derive_tail tail ON tail.resource_id = touched.resource_id
"""


def _own_snapshots(batch: Batch) -> str:
    """A source of the batch's own observations: from its files, as far as those can be read without the catalogue."""
    files = batch.new_files("resource_snapshot")
    if files and all(_is_plain(path) for path in files):
        listed = ", ".join(text_literal(path.as_posix()) for path in files)
        return f"(SELECT * FROM read_parquet([{listed}], hive_partitioning = false))"
    return f"(SELECT * FROM {LAKE}.resource_snapshot WHERE batch_id = {text_literal(batch.id)})"


def _collect(batch: Batch) -> None:
    """Make ``derive_observation`` and ``derive_look``: all that the runs of the touched resources follow from."""
    connection, own = batch.connection, _own_snapshots(batch)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE derive_touched AS
            SELECT resource_id, min(observed_at) AS first_at, count(DISTINCT source_system) AS sources,
                min(source_system) AS only_source
            FROM {own} GROUP BY resource_id"""
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE derive_new_look AS SELECT *, source_system || chr(9) || scope AS place "
        f"FROM ({_LOOKS} AND batch_id = ?)",
        [batch.id],
    )
    if count_rows(connection, "derive_new_look"):
        connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE derive_touched AS
                SELECT resource_id, min(first_at) AS first_at, max(sources) AS sources, max(only_source) AS only_source
                FROM (SELECT * FROM derive_touched
                      UNION ALL SELECT resource_id, first_at, 0, NULL FROM ({_TOUCHED_BY_LOOK}))
                GROUP BY resource_id"""
        )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE derive_tail AS SELECT * FROM derive_live "
        "WHERE next_from IS NULL AND resource_id IN (SELECT resource_id FROM derive_touched)"
    )
    connection.execute(_PATH)
    paths = dict(connection.execute("SELECT continued, count(*) FROM derive_path GROUP BY continued").fetchall())
    prepare(connection)
    if paths.get(True):
        continued = (
            "resource_id IN (SELECT resource_id FROM derive_path WHERE continued)" if paths.get(False) else "true"
        )
        add(connection, f"SELECT {_SNAPSHOT} FROM {own} WHERE {continued}")
        add(connection, f"""
            SELECT resource_id, resource_name, source_system, last_seen_at AS observed_at, presence, scope,
                {", ".join((*IDENTITY_COLUMNS, *OBSERVED_COLUMNS))}, usage_vcpu, tags, attributes,
                first_seen_at AS run_first_seen_at, observations AS run_observations, changes AS run_changes,
                seen_in AS run_seen_in, lost AS run_lost
            FROM derive_tail WHERE {continued}""")  # fmt: skip
    if paths.get(False):
        add(connection, f"""
            SELECT {_SNAPSHOT} FROM {LAKE}.resource_snapshot
            WHERE resource_id IN (SELECT resource_id FROM derive_path WHERE NOT continued)""")  # fmt: skip
    earliest = connection.execute("SELECT min(observed_at) FROM derive_observation").fetchone()
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE derive_look AS {_LOOKS} AND observed_at > ?", [earliest[0] if earliest else None]
    )


def _write(batch: Batch, live: Sequence[Segment], count: int) -> None:
    """Append ``derive_run`` as a segment, with the newer and smaller segments merged into it."""
    merged: list[Segment] = []
    size = count
    for segment in reversed(live):
        if segment.rows > MERGE_FACTOR * size:
            break
        merged.append(segment)
        size += segment.rows
    whole = len(merged) == len(live)
    numbers = ", ".join(str(segment.number) for segment in merged)
    connection = batch.connection
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE derive_replaced AS
            SELECT resource_id, CASE WHEN continued THEN tail_from ELSE {BEGINNING} END AS replaces_from
            FROM derive_path WHERE NOT continued OR tail_from IS NOT NULL"""
    )
    if not merged:
        rows = """SELECT r.* EXCLUDE (is_first), m.replaces_from FROM derive_run r
                  LEFT JOIN derive_replaced m ON r.is_first AND m.resource_id = r.resource_id"""
    else:
        names = ", ".join(_COLUMNS)
        kept = f"""
            SELECT {names} FROM derive_run UNION ALL
            SELECT {", ".join(f"r.{c}" for c in _COLUMNS)} FROM derive_live r
            ANTI JOIN derive_replaced m ON m.resource_id = r.resource_id AND m.replaces_from <= r.first_seen_at
            WHERE r.segment IN ({numbers})"""
        marks = f"""
            SELECT resource_id, min(replaces_from) AS replaces_from FROM (
                SELECT resource_id, replaces_from FROM derive_replaced UNION ALL
                SELECT resource_id, replaces_from FROM {_rows_of(merged, batch.data)}
                WHERE replaces_from IS NOT NULL)
            GROUP BY resource_id"""
        rows = f"SELECT *, NULL::TIMESTAMPTZ AS replaces_from FROM ({kept})" if whole else f"""
            SELECT k.*, m.replaces_from
            FROM (SELECT *, row_number() OVER (PARTITION BY resource_id ORDER BY first_seen_at) = 1 AS is_first
                  FROM ({kept})) k
            LEFT JOIN ({marks}) m ON k.is_first AND m.resource_id = k.resource_id"""  # fmt: skip
    _insert(batch, merged[-1].number if merged else batch.entry, rows)


def _insert(batch: Batch, covers_from: int, rows: str) -> None:
    names = ", ".join((*_COLUMNS, "replaces_from"))
    written = batch.insert(
        "state_run", f"SELECT {names}, {batch.entry} AS segment FROM ({rows}) ORDER BY resource_id, first_seen_at"
    )
    plain = [path.relative_to(batch.data).as_posix() for path in batch.new_files("state_run") if _is_plain(path)]
    batch.insert(
        "derivation",
        f"SELECT {batch.entry} AS segment, {covers_from} AS covers_from, {written} AS rows, ? AS files, "
        f"'{RULE_VERSION}' AS rule_version",
        [json.dumps(plain)],
    )


def _is_plain(path: Path) -> bool:
    """Whether a Parquet file can be read without the catalogue's keys."""
    with path.open("rb") as stream:
        stream.seek(-len(_PLAIN_PARQUET), os.SEEK_END)
        return stream.read() == _PLAIN_PARQUET
