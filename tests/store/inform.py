"""A bench for the derived layer: the lake's tables in memory, filled batch by batch, read through the same views."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import reference

from finops_kit.fields import TABLES
from finops_kit.settings import Workspace
from finops_kit.store import open_reader, open_writer
from finops_kit.store.derive import OBSERVED_TABLES, derive_all, derive_batch, live_segments
from finops_kit.store.derive.links import LINK_VIEWS
from finops_kit.store.views import view_definitions

#: made anew before every read, because the live segments stand in them
VIEWS = ("live_run", "state_interval", "scaling_notice", "scaling_event")
LINKED = ("current_delivery", "charge", "live_run", *LINK_VIEWS)


DERIVED = ("resource_snapshot", "observation_scope", "platform_event", "state_run", "derivation", "charge", "delivery",
           "ledger")  # fmt: skip
NUMBERS = ("vcpu", "memory_gib", "storage_gib", "replicas", "gpu")
SNAPSHOT = pa.schema([
    *((name, pa.string()) for name in ("snapshot_id", "resource_id", "source_system", "source_sequence", "presence",
                                       "scope", "kind", "cluster", "owner_id", "power_state", "sku", "attributes",
                                       "provider_name", "account_id", "resource_name", "region_id")),
    ("observed_at", pa.timestamp("us", "UTC")),
    *((name, pa.decimal128(38, 18)) for name in NUMBERS),
    ("tags", pa.map_(pa.string(), pa.string())),
])  # fmt: skip
LOOK = pa.schema([("source_system", pa.string()), ("scope", pa.string()), ("observed_at", pa.timestamp("us", "UTC")),
                  ("complete", pa.bool_())])  # fmt: skip


CHARGE = pa.schema([
    *((name, pa.string()) for name in ("BillingAccountId", "BillingCurrency", "ResourceId", "ProviderName",
                                       "ChargeCategory", "source_system")),
    *((name, pa.timestamp("us", "UTC")) for name in ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart",
                                                     "ChargePeriodEnd")),
    ("BilledCost", pa.decimal128(38, 24)), ("EffectiveCost", pa.decimal128(38, 24)), ("source_row", pa.int64()),
])  # fmt: skip


class Bench:
    """The tables of a lake in memory, and a batch as the writer makes it."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(config={"threads": "1"})
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute("ATTACH ':memory:' AS lake")
        for name in (*DERIVED, *(set(TABLES) - set(DERIVED))):
            self.connection.execute(f"CREATE TABLE lake.{name} ({TABLES[name].ddl})")
        self.entry = 0

    data = Path("nowhere")

    def new_files(self, table: str) -> list[Path]:
        """Nothing lies on a disk here."""
        return []

    def clear(self) -> None:
        """Begin anew."""
        for name in DERIVED:
            self.connection.execute(f"TRUNCATE lake.{name}")
        self.entry = 0

    @property
    def id(self) -> str:
        """The batch under way."""
        return f"b{self.entry:06d}"

    def insert(self, table: str, select_sql: str, params: Sequence[Any] | None = None) -> int:
        """As :meth:`Batch.insert` does."""
        row = self.connection.execute(
            f"INSERT INTO lake.{table} BY NAME SELECT *, '{self.id}' AS batch_id FROM ({select_sql})", params or []
        ).fetchone()
        return int(row[0]) if row else 0

    def add(self, items: Iterable[Any]) -> None:
        """One batch of snapshots and looks."""
        items = list(items)
        self.entry += 1
        touched = set()
        for table, kind, schema, row in (
            ("resource_snapshot", reference.Snapshot, SNAPSHOT, snapshot_row),
            ("observation_scope", reference.Look, LOOK, look_row),
        ):
            rows = [row(item) for item in items if isinstance(item, kind)]
            if rows:
                self.connection.register("incoming", pa.Table.from_pylist(rows, schema=schema))
                self.insert(table, "SELECT * FROM incoming")
                self.connection.unregister("incoming")
                touched.add(table)
        if touched & OBSERVED_TABLES:
            derive_batch(self)  # type: ignore[arg-type]

    def bill(self, charges: Iterable[dict[str, Any]]) -> None:
        """One delivered bill: a replacing delivery of each of its periods."""
        rows = [charge_row(number, charge) for number, charge in enumerate(charges, start=1)]
        self.entry += 1
        self.connection.register("incoming", pa.Table.from_pylist(rows, schema=CHARGE))
        self.insert("charge", "SELECT * FROM incoming")
        self.insert(
            "delivery",
            """SELECT DISTINCT source_system, "BillingAccountId" AS billing_account_id,
            "BillingPeriodStart" AS period_start, 'charge' AS dataset, 'replace' AS mode FROM incoming""",
        )
        self.insert("ledger", f"SELECT {self.entry} AS entry")
        self.connection.unregister("incoming")

    def fetch(self, sql: str, views: Sequence[str] = VIEWS) -> list[tuple[Any, ...]]:
        """Rows of the views as they stand now."""
        definitions = view_definitions(live_segments(self.connection))
        for name in views:
            self.connection.execute(f"CREATE OR REPLACE VIEW memory.main.{name} AS {definitions[name]}")
        return self.connection.execute(sql).fetchall()

    def intervals(self) -> list[tuple[Any, ...]]:
        """As :func:`reference.intervals` gives them."""
        return [as_reference(row) for row in self.fetch(INTERVALS)]

    def events(self) -> list[tuple[Any, ...]]:
        """As :func:`reference.events` gives them."""
        return sorted(self.fetch("SELECT resource_id, dimension, before, after, at_lo, at_hi FROM scaling_event "
                                 "WHERE dimension <> 'nodes'"))  # fmt: skip

    def runs(self) -> list[tuple[Any, ...]]:
        """The stored runs that are read now, without where they are stored."""
        return self.fetch("SELECT * EXCLUDE (segment, replaces_from, batch_id) FROM live_run ORDER BY 1, 2")

    def runs_from_scratch(self) -> list[tuple[Any, ...]]:
        """The runs that a full derivation gives."""
        derive_all(self.connection)
        return self.connection.execute("SELECT * EXCLUDE (is_first) FROM derive_run ORDER BY 1, 2").fetchall()

    def segments(self) -> int:
        """How many segments are read."""
        return len(live_segments(self.connection))


STATE = (*NUMBERS, "power_state", "sku", "owner_id")
INTERVALS = f"""SELECT resource_id, valid_from, valid_to, quality, presence, kind, map_entries(tags), {", ".join(STATE)}
    FROM state_interval ORDER BY resource_id, valid_from"""


def as_reference(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row of ``INTERVALS`` in the reference's shape."""
    resource_id, start, end, quality, presence, kind, tags, *values = row
    state: tuple[Any, ...] | None = None
    if presence == "absent":
        state = ("absent",)
        assert not any(v is not None for v in values), "an absent resource has no capacity"
    elif presence == "present":
        said = {k: v for k, v in zip(STATE, values, strict=True) if v is not None}
        state = ("present", kind, tuple(sorted(said.items())),
                 tuple(sorted((t["key"], t["value"]) for t in tags or [])))  # fmt: skip
    else:
        assert quality == "gap"
    return (resource_id, start, end, quality, state)


def snapshot_row(snapshot: Any) -> dict[str, Any]:
    """A reference snapshot as the table holds it."""
    state = dict(snapshot.state)
    return {
        "snapshot_id": snapshot.snapshot_id, "resource_id": snapshot.resource_id, "kind": snapshot.kind,
        "source_system": snapshot.source_system, "source_sequence": snapshot.sequence,
        "observed_at": snapshot.observed_at, "presence": snapshot.presence, "scope": snapshot.scope,
        "tags": list(snapshot.tags) or None, **{k: Decimal(v) if k in NUMBERS else v for k, v in state.items()},
    }  # fmt: skip


def look_row(look: Any) -> dict[str, Any]:
    """A reference look as the table holds it."""
    return {"source_system": look.source_system, "scope": look.scope, "observed_at": look.observed_at,
            "complete": look.complete}  # fmt: skip


def charge_row(number: int, charge: dict[str, Any]) -> dict[str, Any]:
    """A charge as the table holds it; what is not said is January's bill of one account."""
    month = datetime(2026, 1, 1, tzinfo=UTC)
    return {
        "BillingAccountId": "acc", "BillingCurrency": "EUR", "ProviderName": "AWS", "ChargeCategory": "Usage",
        "source_system": "focus", "BillingPeriodStart": month, "BillingPeriodEnd": datetime(2026, 2, 1, tzinfo=UTC),
        "EffectiveCost": charge.get("BilledCost"), "source_row": number, **charge,
    }  # fmt: skip


def put(store: Workspace, items: Iterable[Any]) -> int:
    """One batch of snapshots and looks through the writer; returns the store version."""
    items = list(items)
    with open_writer(store) as writer, writer.batch(kind="ingest", format="inventory") as batch:
        rows = [snapshot_row(i) for i in items if isinstance(i, reference.Snapshot)]
        looks = [look_row(i) for i in items if isinstance(i, reference.Look)]
        if rows:
            batch.rows_read = batch.insert_arrow("resource_snapshot", pa.Table.from_pylist(rows, SNAPSHOT))
        if looks:
            batch.insert_arrow("observation_scope", pa.Table.from_pylist(looks, LOOK))
    assert batch.version is not None
    return batch.version


def read(store: Workspace, as_of: int | None = None) -> tuple[list[Any], list[Any]]:
    """Intervals and events at a version."""
    with open_reader(store, as_of=as_of) as reader:
        rows = reader.connection.execute(INTERVALS).fetchall()
        events = reader.connection.execute("SELECT * FROM scaling_event ORDER BY ALL").fetchall()
    return [as_reference(row) for row in rows], events
