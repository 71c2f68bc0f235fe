"""Reference data: CMDB, asset register, budgets, business metrics, contracts, exchange rates, invoices and prices.

The column names are those of the store's tables. Account ids and cost centres are text and keep their zeros.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np

from finops_kit.demo import registers
from finops_kit.demo.estate import (
    ACCOUNTS,
    AWS,
    AZURE,
    FRANKFURT,
    GCP,
    MOVES_TO,
    MOVING_SERVICE,
    MUNICH,
    SERVICE,
    SERVICES,
    Service,
    Tenant,
    team_of,
)  # fmt: skip
from finops_kit.demo.fleet import SURGE_PERCENT, Fleet, digest, growth_factor, mix, moved_share
from finops_kit.demo.kubernetes import CLUSTER, WORKLOADS
from finops_kit.demo.months import Calendar, day_number, to_date
from finops_kit.demo.prices import SKUS
from finops_kit.demo.truth import RATE_SCALE, Truth, euro_rate
from finops_kit.demo.writer import COST_SCALE, spell, write_rows
from finops_kit.fields import REFERENCE_TABLES

_COLUMNS = {
    table.name: tuple(name for name in table.columns if name not in ("batch_id", "source_row"))
    for table in REFERENCE_TABLES
}
_FILES = {"cmdb_item": ("cmdb", "cmdb"), "asset": ("asset_register", "assets"), "budget": ("budgets", "budgets"),
          "business_metric": ("business_metrics", "metrics"), "contract": ("contracts", "contracts"),
          "exchange_rate": ("exchange_rates", "exchange-rates"), "invoice": ("invoices", "invoices"),
          "price_list": ("price_list", "price-lists")}  # fmt: skip
#: services whose requests are known by the day
DAILY_SERVICES = ("online-banking", "mobile-banking", "payments")
_OPEN = "2023-01-01"
#: what a machine draws and what a room can take, in kilowatts; the feed's price of a room has its energy in it
_KW = {"Server": "0.6", "LPAR": "5.5", "Storage Array": "3.2", "Network Equipment": "2.4", "Backup System": "1.8",
       "Facility": "30"}  # fmt: skip
_CLASS = {"Server": "server", "LPAR": "mainframe", "Storage Array": "storage", "Network Equipment": "network",
          "Backup System": "backup", "Facility": "facility", "Licence": "licence"}  # fmt: skip


def write(out: Path, time: Calendar, seed: int, scale: float, tenants: tuple[Tenant, ...], fleets: dict[str, Fleet],
          truth: Truth) -> None:  # fmt: skip
    """Write the reference files, delivered on the estate's last day."""
    tables = {
        "cmdb_item": cmdb(time), "asset": assets(time, fleets), "budget": budgets(time, truth),
        "business_metric": metrics(time, seed, scale, tenants), "contract": contracts(time),
        "exchange_rate": exchange_rates(time), "invoice": registers.invoices(time, truth),
        "price_list": registers.price_list(time, fleets, truth),
    }  # fmt: skip
    for table, rows in tables.items():
        name, format = _FILES[table]
        path = f"reference/{time.today:%Y-%m-%d}/{name}.csv"
        truth.delivered(path, format, write_rows(out / path, _COLUMNS[table], rows))


def cmdb(time: Calendar) -> list[list[object]]:
    """Services, accounts and namespaces with who answers for them; effective-dated, for one service moves team."""
    change = time.firsts[time.team_moves].isoformat()
    rows: list[list[object]] = []

    def add(ci: str, name: str, kind: str, resource: str, service: Service | None, environment: str) -> None:
        if service is None:
            rows.append([ci, name, kind, resource, "", "", "", "", "", "", environment, "", _OPEN, ""])
            return
        spans = [(_OPEN, "", service.team)]
        if service.service_id == MOVING_SERVICE:
            spans = [(_OPEN, change, service.team), (change, "", MOVES_TO)]
        for start, end, team in spans:
            rows.append([ci, name, kind, resource, service.service_id, service.name, service.product, team,
                         service.cost_center, service.business_unit, environment, service.criticality, start,
                         end])  # fmt: skip

    for number, service in enumerate(SERVICES):
        add(f"CI{1000 + number:06d}", service.name, "service", service.service_id, service, "prod")
    for number, account in enumerate(ACCOUNTS):
        add(f"CI{2000 + number:06d}", account.name, "account", account.account_id,
            SERVICE.get(account.service_id), account.environment)  # fmt: skip
    names = sorted({work.namespace: work.service_id for work in WORKLOADS}.items())
    for number, (namespace, service_id) in enumerate(names):
        add(f"CI{3000 + number:06d}", f"{CLUSTER}/{namespace}", "namespace", namespace, SERVICE[service_id], "prod")
    return rows


def assets(time: Calendar, fleets: dict[str, Fleet]) -> list[list[object]]:
    """The asset register: one row per asset of the two data centres; depreciation is part of what the feed charges."""
    rows: list[list[object]] = []
    for provider in (FRANKFURT, MUNICH):
        fleet = fleets[provider]
        for number, resource in enumerate(fleet.resources):
            part, sku = resource.component, SKUS[resource.component.sku]
            age = int(digest("asset", resource.key)[:6], 16)
            bought = date(2021 + age % 4, 1 + age // 7 % 12, 1)
            cost = int(part.amount) * 30 // 1000 * 1000
            gone = to_date(resource.dies).isoformat() if resource.dies < day_number(time.today) else ""
            vcpu, memory = sku.machine
            rows.append([
                f"A-{provider[3:6].upper()}-{number + 1:05d}", resource.name, _CLASS[sku.resource_type], provider,
                resource.resource_id, part.service_id, team_of(part.service_id, True),
                SERVICE[part.service_id].criticality,
                bought.isoformat(), bought.replace(year=bought.year + 6).isoformat(), gone, f"{cost}.00",
                f"{cost // 10}.00", 60, _KW.get(sku.resource_type, ""), vcpu or "", memory or "",
                250_000 if part.sku == "array" else "", "EUR",
            ])  # fmt: skip
    return rows


def budgets(time: Calendar, truth: Truth) -> list[list[object]]:
    """A plan per service and month, level within a calendar year, and their sum as the total."""
    rows: list[list[object]] = []
    closed = range(time.months - 1)
    unit = 10 ** (COST_SCALE + RATE_SCALE)
    totals = [0] * time.months
    for service in SERVICES:
        for year in sorted({first.year for first in time.firsts}):
            members = [n for n in range(time.months) if time.firsts[n].year == year]
            known = [n for n in members if n in closed] or list(closed)
            spent = sum(truth.by_service.get((service.service_id, n), 0) for n in known) // len(known)
            level = max(500, round(spent * service.plan / unit / 500) * 500)
            for n in members:
                totals[n] += level
                rows.append([time.firsts[n].isoformat(), "service_id", service.service_id, f"{level}.00", "EUR"])
    rows += [[time.firsts[n].isoformat(), "total", "total", f"{totals[n]}.00", "EUR"] for n in range(time.months)]
    return rows


def metrics(time: Calendar, seed: int, scale: float, tenants: tuple[Tenant, ...]) -> list[list[object]]:
    """Requests, orders, customers, revenue: by month, by tenant, by day for some; and the migration's volumes."""
    rows: list[list[object]] = []
    size = max(1.0, scale)
    weights = sum(t.weight for t in tenants)
    surge = {day_number(d): p for d, p in zip(time.surge_days, SURGE_PERCENT, strict=True)}
    for index in range(time.months):
        month, days = time.firsts[index].isoformat(), time.days(index)
        known = min(days, day_number(time.today) - time.start(index))
        house_revenue = house_customers = 0
        for service in SERVICES:
            if not service.revenue:
                continue
            grown = growth_factor(service.growth, index)
            a_day = round(service.requests_m * 1e6 * size / 30.4375) * grown // 10_000
            revenue = round(service.revenue * size) * grown // 10_000 * known // days
            customers = round(service.customers * size) * grown // 10_000
            requests = 0
            for number in range(time.start(index), time.start(index) + known):
                count = _volume(a_day, number, seed, service.service_id, surge)
                requests += count
                if service.service_id in DAILY_SERVICES:
                    day = to_date(number).isoformat()
                    rows.append([day, "day", "requests", service.service_id, "", count, "requests"])
                    if service.service_id == "online-banking":
                        rows.append([day, "day", "orders", service.service_id, "", count // 410, "orders"])
            rows.append([month, "month", "requests", service.service_id, "", requests, "requests"])
            rows.append([month, "month", "revenue", service.service_id, "", f"{revenue}.00", "EUR"])
            rows.append([month, "month", "customers", service.service_id, "", customers, "customers"])
            if service.service_id in ("online-banking", "lending", "cards"):
                per = {"online-banking": 410, "lending": 230, "cards": 55}[service.service_id]
                rows.append([month, "month", "orders", service.service_id, "", requests // per, "orders"])
            if service.service_id == "lending":
                moved = moved_share(time, index)
                rows.append(
                    [month, "month", "requests_legacy", "lending", "", requests * (1000 - moved) // 1000, "requests"]
                )
                rows.append([month, "month", "requests_cloud", "lending", "", requests * moved // 1000, "requests"])
            house_revenue += revenue
            house_customers += customers
            if service.service_id == "online-banking":
                for tenant in tenants:
                    share = requests * tenant.weight // weights
                    rows.append([month, "month", "requests", "online-banking", tenant.tenant_id, share, "requests"])
                    rows.append([month, "month", "orders", "online-banking", tenant.tenant_id, share // 410, "orders"])
        rows.append([month, "month", "revenue", "", "", f"{house_revenue}.00", "EUR"])
        rows.append([month, "month", "customers", "", "", house_customers, "customers"])
        rows.append([month, "month", "active_tenants", "", "", len(tenants), "tenants"])
        for tenant in tenants:
            rows.append([month, "month", "revenue", "", tenant.tenant_id,
                         f"{house_revenue * tenant.weight // weights}.00", "EUR"])  # fmt: skip
            rows.append([month, "month", "customers", "", tenant.tenant_id,
                         house_customers * tenant.weight // weights, "customers"])  # fmt: skip
    return rows


def _volume(a_day: int, number: int, seed: int, service_id: str, surge: dict[int, int]) -> int:
    weekday = (104, 104, 103, 104, 108, 92, 85)[to_date(number).weekday()]
    key = np.array([int(digest(seed, "metric", service_id)[:16], 16) ^ (number * 104729)], dtype=np.uint64)
    noise = int(mix(key)[0] % np.uint64(81)) - 40
    percent = surge.get(number, 100) if service_id in ("online-banking", "mobile-banking") else 100
    return a_day * weekday // 100 * (1000 + noise) // 1000 * percent // 100


def contracts(time: Calendar) -> list[list[object]]:
    """Contracts with the providers; the notice of one of them is due within a month of the estate's last day."""
    first, today = time.firsts[0], time.today

    def years(start: date, count: int) -> str:
        return start.replace(year=start.year + count).isoformat()

    soon = (today + timedelta(days=111)).replace(day=15)
    plan = time.savings_plan_from
    data = [
        ("C-2024-0117", AWS, "AWS Enterprise Discount Program", first.replace(month=1, day=1), 3, 90,
         "4800000.00", 6, "USD"),
        ("C-2025-0032", AWS, "Compute Savings Plan, 3 years, no upfront", plan, 3, 0, "", 34, "USD"),
        ("C-2023-0044", AZURE, "Microsoft Enterprise Agreement", first.replace(month=7, day=1, year=first.year - 1),
            3, 60,
         "2700000.00", 8, "EUR"),
        ("C-2025-0009", GCP, "Google Cloud commit agreement", first.replace(month=1, day=1), 3, 90, "2000000.00",
            10, "EUR"),
        ("C-2019-0003", FRANKFURT, "Colocation Frankfurt, Main Colo GmbH", date(first.year - 6, 10, 1), 9, 365,
         "1150000.00", 0, "EUR"),
        ("C-2020-0014", MUNICH, "Colocation Munich, Isar Datacenter AG", date(first.year - 5, 4, 1), 8, 365,
            "690000.00",
         0, "EUR"),
        ("C-2022-0051", FRANKFURT, "Mainframe capacity and maintenance", date(first.year - 3, 7, 1), 5, 180,
            "1720000.00",
         12, "EUR"),
    ]  # fmt: skip
    rows: list[list[object]] = [
        [c, provider, name, start.isoformat(), years(start, span), notice, amount, discount, currency]
        for c, provider, name, start, span, notice, amount, discount, currency in data
    ]
    rows.append(["C-2023-0078", FRANKFURT, "Database licences and support", date(soon.year - 3, soon.month, soon.day)
                 .isoformat(), soon.isoformat(), 90, "474000.00", 22, "EUR"])  # fmt: skip
    return rows


def exchange_rates(time: Calendar) -> list[list[object]]:
    """Euros for a US dollar by month."""
    return [[time.firsts[n].isoformat(), "USD", "EUR", spell(euro_rate(n), RATE_SCALE),
        "ECB monthly average (invented)"]
            for n in range(time.months)]  # fmt: skip
