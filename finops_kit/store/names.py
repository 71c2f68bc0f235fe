"""Hold what the catalogue says of columns read by name: a data file that lacks some is read so (:mod:`.narrow`).

A name that is taken off, or led to another column, changes what every query sees while the file keeps its hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from finops_kit.store.finding import Finding
from finops_kit.store.footers import Catalogue

Row = dict[str, Any]


def check_names(known: Catalogue) -> Iterator[Finding]:
    """Each name is that of the column that it leads to, and each mapping is of the table whose files are read by it."""
    mappings = {row["mapping_id"]: row for row in known.rows("column_mapping")}
    used = {file["mapping_id"]: file for file in known.files if file["mapping_id"] is not None}
    for number, file in sorted(used.items()):
        mapping, where = mappings.get(number), f"names of the columns of {known.name(file)}"
        if mapping is None or (mapping["table_id"], mapping["type"]) != (file["table_id"], "map_by_name"):
            said = f"{mapping['type']} of table {mapping['table_id']}" if mapping else "none"
            yield Finding("catalogue", where, f"names of table {file['table_id']}", said)
    for file in known.files:
        mapping = mappings.get(file["mapping_id"])
        if mapping is not None and mapping["table_id"] != file["table_id"]:
            yield Finding("catalogue", f"data file {known.name(file)}", "names of its own table", "those of another")
    if known.is_newest:
        for number in sorted(mappings.keys() - used.keys()):
            yield Finding("catalogue", f"names of columns {number}", "a data file that is read by them", "none")
        for number in sorted(known.mapped.keys() - mappings.keys()):
            yield Finding("catalogue", f"names of columns {number}", "the table that they are of", "none")
    for number in sorted(used.keys() & mappings.keys()):
        yield from _own_names(known, mappings[number], known.mapped.get(number, []))


def _own_names(known: Catalogue, mapping: Row, names: list[Row]) -> Iterator[Finding]:
    columns = {row["column_id"]: row for row in known.columns if row["table_id"] == mapping["table_id"]}
    by_number = {row["column_id"]: row for row in names}
    if sorted(by_number) != list(range(len(names))):
        where = f"names {mapping['mapping_id']}"
        yield Finding("catalogue", where, f"columns 0 to {len(names) - 1}", f"{sorted(by_number)}")
    for row in names:
        column, parent = columns.get(row["target_field_id"]), by_number.get(row["parent_column"])
        found = (row["source_name"], parent["target_field_id"] if parent else row["parent_column"], row["is_partition"])
        expected = (column["column_name"], column["parent_column"], False) if column else None
        if found != expected:
            where = f"column {row['column_id']} of the names {mapping['mapping_id']}"
            yield Finding("catalogue", where, f"name, whole and partition {expected}", f"{found}")
