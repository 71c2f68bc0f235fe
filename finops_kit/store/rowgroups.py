"""How the lake writes its Parquet files: in row groups that fit a bill's wide rows, compressed with zstd.

A writer holds a whole row group in memory before it writes it. A row of a bill is wide (a CUR line with its map of 82
further columns takes some 4 kB): with the engine's own 122,880 rows a million lines did not fit into its memory, went
over disk, and took four times as long. Snappy, the lake's own default, takes three to eight times the space of zstd,
whose first level is as small as its third here, and a twentieth of the writing cheaper. So are files without Bloom
filters: a row group of one batch is told by its bounds.
"""

from __future__ import annotations

import duckdb

from finops_kit.store.lake import LAKE

#: rows of a group
GROUP_ROWS = 24_576
#: the lake's own options, and what they shall be
OPTIONS = {"parquet_row_group_size": str(GROUP_ROWS), "parquet_compression": "zstd", "parquet_compression_level": "1"}
#: rows with maps of very many entries are written in groups of this part: with whole ones a million lines of the CUR
#: took 1.6 to 1.7 GB at the most, with quarters 1.4 GB, in the same time
WIDE = 4
#: ... and by a level of zstd that is worth its time there: by the first one they take three times the space
WIDE_LEVEL = 3


def at_once(wide: bool) -> int:
    """How many rows the engine is best handed at once: a group of them; as they come (0) where they are wide."""
    return 0 if wide else GROUP_ROWS


def fit_row_groups(connection: duckdb.DuckDBPyConnection) -> None:
    """Set the options that the lake does not have yet, as part of the transaction under way."""
    found = {row[0] for row in connection.execute(f"SELECT option_name FROM ducklake_options('{LAKE}')").fetchall()}
    for name, value in OPTIONS.items():
        if name not in found:
            connection.execute(f"CALL {LAKE}.set_option('{name}', '{value}')")


def parquet_options(connection: duckdb.DuckDBPyConnection, wide: bool = False) -> str:
    """The lake's own options as those of a COPY, for a file that is written beside it.

    Parameters
    ----------
    wide : the rows have maps of very many entries

    Example
    -------
    >>> connection = duckdb.connect(); _ = connection.execute(
    ...     "CREATE MACRO ducklake_options(l) AS TABLE SELECT 'parquet_row_group_size' AS option_name, '99' AS value")
    >>> parquet_options(connection)
    'FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 99, WRITE_BLOOM_FILTER false'
    """
    known = connection.execute(f"SELECT option_name, value FROM ducklake_options('{LAKE}')").fetchall()
    told = OPTIONS | {name: value for name, value in known if name in OPTIONS}
    size, level = int(told["parquet_row_group_size"]), int(told["parquet_compression_level"])
    if wide:
        size, level = size // WIDE, WIDE_LEVEL
    return (
        f"FORMAT parquet, COMPRESSION {told['parquet_compression']}, COMPRESSION_LEVEL {level}, "
        f"ROW_GROUP_SIZE {size}, WRITE_BLOOM_FILTER false"
    )
