"""Reference tables and inventories: by header, exact, current by delivery."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from tests_ingest import ask

from finops_kit.ingest import ingest_paths


@pytest.mark.parametrize(
    ("known", "text", "query", "expected"),
    [
        ("budgets", "Month,Dimension,Member,Amount,Currency\n2026-09,team,core,1200.50,EUR\n",
         "SELECT month, dimension, member, amount, currency FROM budget",
         (date(2026, 9, 1), "team", "core", Decimal("1200.5"), "EUR")),
        ("metrics", "period_start;metric;service_id;value;unit\n2026-09-01;orders;shop;42;orders\n",
         "SELECT period_start, period_grain, metric, service_id, tenant, value FROM business_metric",
         (date(2026, 9, 1), "month", "orders", "shop", None, Decimal(42))),
        ("exchange-rates", "month,from_currency,to_currency,rate\n2026-09-01,USD,EUR,0.8512\n",
         "SELECT month, from_currency, to_currency, rate FROM exchange_rate",
         (date(2026, 9, 1), "USD", "EUR", Decimal("0.8512"))),
        ("contracts", "contract_id,supplier,ends_on,notice_days,annual_commitment,currency\n"
         "K1,AWS,2027-01-01,90,1e6,USD\n",
         "SELECT contract_id, provider_name, ends_on, notice_days, annual_commitment FROM contract",
         ("K1", "AWS", date(2027, 1, 1), 90, Decimal(1_000_000))),
        ("assets", "asset_id,asset_class,acquired_on,acquisition_cost,life_months,currency\n"
         "007,server,2024-03-01,120000,60,EUR\n",
         "SELECT asset_id, acquired_on, acquisition_cost, life_months FROM asset",
         ("007", date(2024, 3, 1), Decimal(120_000), 60)),
        ("cmdb", "ci_id,ci_class,service_id,cost_centre,valid_from,valid_to\nC1,service,shop,0042,2026-01-01,\n",
         "SELECT ci_id, service_id, cost_center, valid_from, valid_to FROM cmdb_item",
         ("C1", "shop", "0042", date(2026, 1, 1), None)),
        ("invoices", "invoice_id,provider,billing_account_id,month,amount,currency\n0001,AWS,0012,2026-08,12.34,USD\n",
         "SELECT invoice_id, provider_name, billing_account_id, month, amount, currency FROM invoice",
         ("0001", "AWS", "0012", date(2026, 8, 1), Decimal("12.34"), "USD")),
        ("price-lists", "provider,sku,unit,currency,list_price,valid_from\nAWS,m6i.large,Hours,USD,0.115,2026-01-01\n",
         "SELECT provider_name, sku, unit, list_price, contracted_price, valid_from FROM price_list",
         ("AWS", "m6i.large", "Hours", Decimal("0.115"), None, date(2026, 1, 1))),
    ],
)  # fmt: skip
def test_each_table_by_its_header(store, write, known, text, query, expected):
    report = ingest_paths(store, [write("file", text)]).files[0]
    assert (report.format, report.rows_stored) == (known, 1)
    assert ask(store, query) == [expected]


def test_the_newest_delivery_is_current(store, write):
    head = "month,amount,currency\n"
    ingest_paths(store, [write("a.csv", head + "2026-09,1,EUR\n2026-10,2,EUR\n")])
    ingest_paths(store, [write("b.csv", head + "2026-09,5,EUR\n")])
    assert ask(store, "SELECT amount FROM budget") == [(Decimal(5),)]
    assert ask(store, "SELECT count(*) FROM budget_history") == [(3,)]


def test_columns_without_a_place_are_named_in_the_ledger(store, write):
    ingest_paths(store, [write("a.csv", "month,amount,currency,remark\n2026-09,1,EUR,hi\n")])
    assert json.loads(ask(store, "SELECT details FROM ledger")[0][0])["columns_not_used"] == ["remark"]


def test_bad_reference_rows_are_quarantined(store, write):
    text = "month,from_currency,to_currency,rate\n2026-09,USD,EUR,0\n2026-09,USD,EUR,0.9\n2026-13,USD,EUR,1\n"
    report = ingest_paths(store, [write("r.csv", text)]).files[0]
    assert (report.rows_stored, report.rows_quarantined) == (1, 2)
    assert ask(store, "SELECT source_row, column_name FROM quarantine ORDER BY 1") == [(1, "rate"), (3, "month")]


def test_an_inventory_says_what_it_saw_and_whether_that_was_all(store, write):
    text = (
        "resource_id,kind,provider_name,account_id,power_state,vcpu,tags,observed_at,complete,rack\n"
        'i-1,machine,AWS,0042,running,8,"{""team"":""core""}",2026-09-01T08:00:00Z,true,R7\n'
        "i-2,machine,AWS,0042,stopped,4,,2026-09-01T08:00:00Z,true,\n"
        "d-1,disk,AWS,0042,available,,,2026-09-01T08:00:00Z,false,\n"
    )
    ingest_paths(store, [write("inventory.csv", text)])
    rows = ask(store, "SELECT resource_id, presence, source_system, vcpu, account_id, tags, attributes, observed_at, "
                      "length(snapshot_id) FROM resource_snapshot ORDER BY source_row")  # fmt: skip
    seen = datetime(2026, 9, 1, 8, tzinfo=UTC)
    assert rows[0] == ("i-1", "present", "inventory", Decimal(8), "0042", {"team": "core"}, '{"rack":"R7"}', seen, 64)
    assert [row[0] for row in rows] == ["i-1", "i-2", "d-1"]
    scopes = ask(store, "SELECT scope, observed_at, complete FROM observation_scope ORDER BY 1")
    assert scopes == [("AWS/0042/disk", seen, False), ("AWS/0042/machine", seen, True)]
