"""A small house, written by hand: two clouds and a data centre, four services, ten months."""

from __future__ import annotations

from pathlib import Path

import pytest

from finops_kit.settings import Workspace
from finops_kit.store import create_store, open_writer

DELIVERED = (
    "SELECT ? AS source_system, ? AS billing_account_id, ?::TIMESTAMPTZ AS period_start, ? AS dataset, "
    "'replace' AS mode, ? AS rows, ? AS billed_cost"
)
#: (service, provider, account, currency, cost a day, first month, team)
LINES = """
    VALUES ('shop', 'AWS', '111', 'USD', 100.00, DATE '2024-06-01', 'red', 'vm-shop', 'Compute'),
           ('pay', 'Azure', 'sub-1', 'EUR', 60.10, DATE '2024-06-01', 'blue', 'db-pay', 'Databases'),
           (NULL, 'AWS', '222', 'USD', 5.333333333333333333, DATE '2024-06-01', NULL, 'vol-old', 'Storage'),
           ('ledger', 'DC Munich', 'dc', 'EUR', 40.00, DATE '2024-06-01', 'blue', 'srv-1', 'Compute'),
           ('ledger', 'AWS', '111', 'USD', 30.00, DATE '2025-01-01', 'blue', 'vm-ledger', 'Compute'),
           ('shop', 'AWS', '111', 'USD', 7.70, DATE '2024-06-01', 'red', 'i-idle', 'Compute')
"""
CHARGES = f"""
    SELECT 'focus' AS source_system, account AS BillingAccountId, account AS SubAccountId, provider AS ProviderName,
        currency AS BillingCurrency, 'Usage' AS ChargeCategory, category AS ServiceCategory, category AS ServiceName,
        'Usage-Based' AS ChargeFrequency, 'Standard' AS PricingCategory, resource AS ResourceId,
        resource AS ResourceName, 'sku-' || resource AS SkuId, 24 AS PricingQuantity, 'Hours' AS PricingUnit,
        24 AS ConsumedQuantity, 'Hours' AS ConsumedUnit,
        day::TIMESTAMPTZ AS ChargePeriodStart, (day + INTERVAL 1 DAY)::TIMESTAMPTZ AS ChargePeriodEnd,
        date_trunc('month', day)::TIMESTAMPTZ AS BillingPeriodStart,
        (date_trunc('month', day) + INTERVAL 1 MONTH)::TIMESTAMPTZ AS BillingPeriodEnd,
        amount AS BilledCost, amount AS EffectiveCost, amount * 1.1 AS ListCost, amount AS ContractedCost,
        MAP {{'service_id': coalesce(service, ''), 'Team': coalesce(team, ''), 'tenant':
            CASE WHEN service = 'shop' THEN 'tenant-' || (dayofyear(day) % 3) ELSE '' END}} AS Tags,
        row_number() OVER (ORDER BY day, account, resource) AS source_row
    FROM (
        SELECT *, (cost + CASE WHEN resource = 'vm-shop' AND day BETWEEN DATE '2025-03-12' AND DATE '2025-03-13'
                   THEN 900 ELSE 0 END)::DECIMAL(38,24) AS amount
        FROM (FROM ({LINES}) AS l(service, provider, account, currency, cost, since, team, resource, category)),
             (SELECT unnest(range(DATE '2024-06-01', DATE '2025-04-06', INTERVAL 1 DAY))::DATE AS day)
        WHERE day >= since
    )
"""
REFERENCE = {
    "exchange_rate": """
        SELECT month::DATE AS month, 'USD' AS from_currency, 'EUR' AS to_currency, 0.92 AS rate
        FROM range(DATE '2024-06-01', DATE '2025-05-01', INTERVAL 1 MONTH) t(month)""",
    "budget": """
        SELECT month::DATE AS month, 'total' AS dimension, '' AS member, 7000 AS amount, 'EUR' AS currency
        FROM range(DATE '2024-06-01', DATE '2025-06-01', INTERVAL 1 MONTH) t(month)
        UNION ALL SELECT DATE '2025-03-01', 'service_id', 'shop', 3000, 'EUR'""",
    "business_metric": """
        SELECT month::DATE AS period_start, 'month' AS period_grain, m AS metric, 'shop' AS service_id, '' AS tenant,
            v AS value, u AS unit
        FROM range(DATE '2024-06-01', DATE '2025-05-01', INTERVAL 1 MONTH) t(month),
            (VALUES ('orders', 10000, 'orders'), ('revenue', 50000, 'EUR')) x(m, v, u)""",
    "contract": """
        SELECT 'C-1' AS contract_id, 'AWS' AS provider_name, 'Enterprise agreement' AS contract_name,
            DATE '2024-01-01' AS starts_on, DATE '2025-08-01' AS ends_on, 90 AS notice_days,
            60000 AS annual_commitment, 9 AS discount_pct, 'EUR' AS currency""",
    "asset": """
        SELECT 'A-1' AS asset_id, 'server' AS asset_class, 'DC Munich' AS data_centre, 'srv-1' AS resource_id,
            'ledger' AS service_id, DATE '2023-10-01' AS acquired_on, 120000 AS acquisition_cost,
            12000 AS salvage_value, 60 AS life_months, 'EUR' AS currency""",
    "cmdb_item": """
        SELECT 'S-1' AS ci_id, 'service' AS ci_class, 'shop' AS resource_id, 'shop' AS service_id,
            'Storefront' AS product, 'red' AS team, 'K1' AS cost_center, 'Retail' AS business_unit""",
}
SNAPSHOTS = """
    SELECT resource || day AS snapshot_id, resource AS resource_id, resource AS resource_name, 'inventory' AS
        source_system, day::TIMESTAMPTZ AS observed_at, 'present' AS presence, kind, 'AWS' AS provider_name,
        'eu-1' AS region_id, state AS power_state, cpu AS vcpu, used AS usage_vcpu, mem AS memory_gib,
        cluster, namespace
    FROM (VALUES ('vol-old', 'disk', 'available', NULL, NULL, NULL, NULL, NULL),
                 ('i-idle', 'machine', 'running', 4, 0.05, 16, NULL, NULL),
                 ('vm-shop', 'machine', 'running', 4, 2.5, 16, NULL, NULL),
                 ('vm-shop-node', 'node', 'running', 8, NULL, 32, 'k1', NULL),
                 ('pod-1', 'pod', 'Running', 2, NULL, 16, 'k1', 'shop')
         ) s(resource, kind, state, cpu, used, mem, cluster, namespace),
         range(DATE '2025-02-01', DATE '2025-04-01', INTERVAL 7 DAY) d(day)
"""


def add_charges(store: Workspace, select: str, name: str = "bill.csv") -> None:
    """Store charges as one delivered file, with the deliveries that they make."""
    with (
        open_writer(store) as writer,
        writer.batch(kind="ingest", format="focus-1.2", source_file=name, source_hash=name) as batch,
    ):
        writer.connection.execute(f"CREATE OR REPLACE TEMP TABLE incoming AS {select}")
        batch.rows_read = batch.insert("charge", "FROM incoming")
        batch.insert("delivery", """
            SELECT 'focus' AS source_system, account AS billing_account_id, period_start, 'charge' AS dataset,
                'replace' AS mode, sum(n)::BIGINT AS rows,
                json_group_object(currency, total::VARCHAR)::VARCHAR AS billed_cost
            FROM (SELECT BillingAccountId AS account, BillingPeriodStart AS period_start, BillingCurrency AS currency,
                    count(*) AS n, sum(BilledCost::DECIMAL(38,24)) AS total FROM incoming GROUP BY ALL)
            GROUP BY ALL""")  # fmt: skip


def add_reference(store: Workspace, table: str, select: str) -> None:
    """Store reference rows as one delivered file."""
    with open_writer(store) as writer, writer.batch(kind="ingest", format=table, source_file=f"{table}.csv") as batch:
        batch.rows_read = batch.insert(table, f"SELECT *, row_number() OVER () AS source_row FROM ({select})")
        batch.insert("delivery", DELIVERED, [table, "", None, table, batch.rows_read, "{}"])


@pytest.fixture(scope="session")
def house(tmp_path_factory) -> Workspace:
    """The small house, filled once."""
    store = Workspace(Path(tmp_path_factory.mktemp("house")) / "workspace")
    create_store(store)
    add_charges(store, CHARGES)
    for table, select in REFERENCE.items():
        add_reference(store, table, select)
    with open_writer(store) as writer, writer.batch(kind="ingest", format="inventory", source_file="inv.csv") as batch:
        batch.rows_read = batch.insert("resource_snapshot", f"SELECT *, 1 AS source_row FROM ({SNAPSHOTS})")
    return store
