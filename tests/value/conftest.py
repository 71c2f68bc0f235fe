"""Small tables made by hand, in the columns of the store."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import ibis
import pyarrow as pa
import pytest

from finops_kit.fields import TABLES


@pytest.fixture(scope="session")
def db():
    connection = ibis.duckdb.connect()
    connection.raw_sql("SET TimeZone = 'UTC'")
    return connection


def _arrow_type(declared: str) -> pa.DataType:
    return {
        "VARCHAR": pa.string(), "DECIMAL(38,24)": pa.decimal128(38, 24), "DECIMAL(38,18)": pa.decimal128(38, 18),
        "TIMESTAMPTZ": pa.timestamp("us", "UTC"), "DATE": pa.date32(), "BIGINT": pa.int64(), "BOOLEAN": pa.bool_(),
        "MAP(VARCHAR, VARCHAR)": pa.map_(pa.string(), pa.string()),
    }[declared]  # fmt: skip


@pytest.fixture(scope="session")
def table(db):
    """Rows as dictionaries become a table of the store; numbers become decimals."""
    made = iter(range(10**6))

    def make(name: str, rows: list[dict[str, Any]]):
        fields = TABLES[name].fields
        columns = {}
        for field in fields:
            kind = _arrow_type(field.type)
            values = [row.get(field.name) for row in rows]
            if pa.types.is_decimal(kind):
                values = [None if value is None else Decimal(str(value)) for value in values]
            if pa.types.is_map(kind):
                values = [None if value is None else list(value.items()) for value in values]
            columns[field.name] = pa.array(values, kind)
        return db.create_table(f"{name}_{next(made)}", pa.table(columns), temp=True)

    return make


@pytest.fixture(scope="session")
def charges(table):
    """Charges with everything that matters by default: one day of usage in EUR."""

    def make(rows: list[dict[str, Any]]):
        full = []
        for place, row in enumerate(rows, start=1):
            day = row.pop("day", date(2025, 3, 1))
            cost = row.pop("cost", None)
            start = datetime(day.year, day.month, day.day, tzinfo=UTC)
            full.append(
                {
                    "source_system": "focus", "batch_id": "b1", "source_row": place, "BillingCurrency": "EUR",
                    "ChargeCategory": "Usage", "BillingAccountId": "1", "ProviderName": "AWS",
                    "ServiceName": "Compute", "ServiceCategory": "Compute",
                    "ChargePeriodStart": start, "ChargePeriodEnd": start + timedelta(days=1),
                    "BillingPeriodStart": start.replace(day=1), "BilledCost": cost, "EffectiveCost": cost, "Tags": {},
                    **row,
                }
            )  # fmt: skip
        return table("charge", full)

    return make


@pytest.fixture(scope="session")
def lens_of(table, charges):
    from finops_kit.value.cmdb import dated_owners, dated_services
    from finops_kit.value.lens import charge_lens
    from finops_kit.value.tags import tag_readings

    def make(rows, cmdb=(), rates=(), currency="EUR", rules=()):
        keys = {key for row in rows for key in (row.get("Tags") or {})}
        items = table("cmdb_item", list(cmdb))
        return charge_lens(
            charges(rows), dated_owners(items), dated_services(items), table("exchange_rate", list(rates)),
            tag_readings(keys, rules), currency,
        )  # fmt: skip

    return make
