"""What the bills that are in the store cannot say: their declared gaps, beside the figures that they limit."""

from __future__ import annotations

from finops_kit.fields.gaps import GAPS
from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.reading import ResultTable
from finops_kit.perspectives.tables import Row, result
from finops_kit.perspectives.words import count

#: what is said of a source that a user's own mapping reads
_MAPPED: Row = {
    "column": "what its mapping does not name", "why": "the bill comes in through a mapping of your own",
    "instead": "null, or BilledCost for the other costs",
}  # fmt: skip


def gaps_table(basis: Basis) -> ResultTable:
    """Every declared gap of every source whose bills are current: the column, why, and what stands there instead."""
    charge = basis.table("charge")
    held = charge.group_by("source_system").agg(charges=charge.count())
    rows: list[Row] = []
    for source in sorted(row["source_system"] for row in basis.rows(held)):
        if source not in GAPS:
            rows.append({"source_system": source, **_MAPPED})
        rows.extend(
            {"source_system": source, "column": gap.column, "why": gap.why.replace("`", ""),
             "instead": gap.instead.replace("`", "")}
            for gap in GAPS.get(source, ())
        )  # fmt: skip
    return result(
        "gaps", "What the bills cannot say", "Where does a source leave a figure open?", rows,
        ("source_system", "column", "why", "instead"),
        labels={"source_system": "Source", "column": "Column", "why": "Why", "instead": "What stands there"},
        empty_because="No bill has been delivered.",
        answer=f"{count(len(rows), 'gap')} of {count(len({row['source_system'] for row in rows}), 'source')} are known,"
        " each with what stands there.",
    )  # fmt: skip
