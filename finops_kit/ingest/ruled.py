"""Append one file of tag rules as one batch; the newest file's rules are the current ones, all earlier ones stay."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from finops_kit.errors import SourceRefused
from finops_kit.ingest.report import STORED, FileReport
from finops_kit.normalize.tag_rules import read_tag_rules
from finops_kit.normalize.yaml_tree import MAX_BYTES
from finops_kit.sources.files import SourceFile, SourceStream
from finops_kit.sources.formats import Format
from finops_kit.store import Writer

_SCHEMA = pa.schema(
    [*((name, pa.string()) for name in ("kind", "dimension", "spelling", "meaning", "reason")),
     ("valid_from", pa.date32()), ("valid_to", pa.date32()), ("place", pa.int64()), ("source_row", pa.int64())]
)  # fmt: skip


def append_tag_rules(
    writer: Writer, source: SourceFile, known: Format, expected: str, actor: str | None, details: dict[str, Any]
) -> FileReport:
    """Append what one file rules; who did it and when stands in the ledger.

    Raises
    ------
    SourceRefused : something in it is wrong, or it was changed meanwhile
    """
    stream = SourceStream(source)
    try:
        content = stream.read(MAX_BYTES + 1)
        digest = stream.finish()
    finally:
        stream.close()
    rules = read_tag_rules(content, source.name)
    if digest != expected:
        raise SourceRefused(f"{source.name} was changed while it was read. Ingest it again when it is complete.")
    with writer.batch(
        kind="ingest", format=known.name, source_file=source.name, source_hash=expected, source_bytes=source.size,
        details=details, actor=actor,
    ) as batch:  # fmt: skip
        batch.rows_read = len(rules)
        if rules:
            batch.insert_arrow("tag_rule", pa.Table.from_pylist(rules, schema=_SCHEMA))
        batch.insert_arrow("delivery", pa.table({
            "source_system": [known.family], "billing_account_id": [""], "dataset": ["tag_rule"], "mode": ["replace"],
            "rows": [len(rules)],
        }))  # fmt: skip
    note = "" if rules else "it holds no rule: those of earlier files no longer hold"
    return FileReport(source.name, known.name, STORED, note, batch.rows_read, batch.rows_stored, 0, {}, batch.id)


def is_current(writer: Writer, batch_id: str) -> bool:
    """Whether the current rules are those of a batch, by content: rules that were taken back may come again."""
    row = writer.connection.execute(
        "SELECT l.source_hash = (SELECT source_hash FROM lake.ledger WHERE batch_id = ?) "
        "FROM lake.delivery d JOIN lake.ledger l USING (batch_id) WHERE d.dataset = 'tag_rule' "
        "ORDER BY l.entry DESC LIMIT 1",
        [batch_id],
    ).fetchone()
    return bool(row and row[0])
