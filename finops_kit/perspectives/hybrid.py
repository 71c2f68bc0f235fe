"""Blocks about two homes at once: the asset register's books, and services between data centre and cloud."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import ibis

from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.cost import LABELS, share
from finops_kit.perspectives.onpremises import assets_of_scope, stranded_table, unit_rates_table
from finops_kit.perspectives.reading import ResultTable
from finops_kit.perspectives.tables import Row, result
from finops_kit.perspectives.words import listed, money
from finops_kit.value.depreciation import asset_books
from finops_kit.value.lens import first_of_month
from finops_kit.value.remanence import both_sides, remanence, remanence_coefficient

#: a service migrates if its cloud share was below the first and is above the second
CLOUD_BEFORE, CLOUD_AFTER = 0.1, 0.15
#: decommissioned: the data centre's cost fell below this part of what it was at go-live
DECOMMISSIONED = Decimal("0.8")
#: what is left may vary by this much before it counts as still running
ALREADY_GONE = Decimal("1.1")


def home_tables(basis: Basis) -> tuple[ResultTable, ...]:
    """Everything about the house's own machines and what moves away from them: books, unit rates, migration, losses."""
    moving = {row["service_id"] for row in migration_rows(basis)}
    return assets_table(basis), unit_rates_table(basis), migration_table(basis), stranded_table(basis, moving)


def asset_rows(basis: Basis) -> list[Row]:
    """The register's books in the period by data centre and class, in the assets' own currency."""
    found: list[Row] = basis.once("assets", _asset_rows)
    return found


def _asset_rows(basis: Basis) -> list[Row]:
    asset = assets_of_scope(basis)
    if asset is None:
        return []
    books = asset_books(asset, str(basis.start))
    books = books.filter(~books.retired)
    overdue = (books.support_ends_on < ibis.date(str(basis.end))).fill_null(False)
    sums = books.group_by(["data_centre", "asset_class", "currency"]).agg(
        assets=books.count(), acquisition_cost=books.acquisition_cost.sum().fill_null(0),
        depreciation=books.depreciation.sum().fill_null(0), net_book_value=books.net_book_value.sum().fill_null(0),
        written_off=(books.age_months > books.life_months).sum(), out_of_support=overdue.sum(),
    )  # fmt: skip
    return basis.rows(sums.order_by(["data_centre", "asset_class", "currency"]))


def assets_table(basis: Basis) -> ResultTable:
    """Depreciation of the month and net book value by data centre and class."""
    rows = asset_rows(basis)
    single = {row["currency"] for row in rows}
    unit = next(iter(single)) if len(single) == 1 else ""
    return result(
        "depreciation", "On-premises depreciation", "What do our own machines cost a month, and what are they worth?",
        rows,
        ("data_centre", "asset_class", "assets", "acquisition_cost", "depreciation", "net_book_value", "written_off",
         "out_of_support", "currency"),
        units={"acquisition_cost": unit, "depreciation": unit, "net_book_value": unit},
        labels={"data_centre": "Data centre", "asset_class": "Class", "assets": "Assets", "currency": "Currency",
                "acquisition_cost": "Acquired for", "depreciation": "Depreciation of the month",
                "net_book_value": "Net book value", "written_off": "Written off, still running",
                "out_of_support": "Out of support"},
        empty_because="The asset register is empty, or does not know this scope; deliver it with `finops ingest`.",
        answer=f"{money(sum((row['depreciation'] for row in rows), Decimal(0)), unit)} depreciation in the month; "
        f"{money(sum((row['net_book_value'] for row in rows), Decimal(0)), unit)} stand in the books." if unit else "",
    )  # fmt: skip


def migration_rows(basis: Basis) -> list[Row]:
    """Services that move to the cloud, month by month: both homes, what is paid twice, what stayed.

    A service migrates if its cloud share of cost began below 10 % and rose above 15 % while its data centre is paid.
    Where the business metrics say how much volume each home carries (``<unit>_legacy``, ``<unit>_cloud``), it is live
    once the data centre carries none; else once the cloud share of cost passes 15 %. From then on its avoidable
    on-premises cost is double run: what disappears with the decommissioning, or all of it while that is ahead.
    Remanence is C1 - C0 x q1 / q0 against the first month.
    """
    found: list[Row] = basis.once("migration", _migration_rows)
    return found


def _migration_rows(basis: Basis) -> list[Row]:
    if not basis.on_premises:
        return []
    cube = basis.cube
    usage = cube.filter(cube.service_id.notnull())
    usage = usage.mutate(on_premises=usage.provider.isin(basis.on_premises))
    table = both_sides(usage)
    by_service: dict[str, list[Row]] = {}
    for row in basis.rows(table.order_by(["service_id", "month"])):
        by_service.setdefault(row["service_id"], []).append(row)
    rows: list[Row] = []
    volumes: dict[str, dict[date, float]] | None = None
    for service, months in by_service.items():
        for row in months:
            row["cloud_share"] = share(row["cloud"], row["cloud"] + row["legacy"]) or 0.0
        moved = max(row["cloud_share"] for row in months)
        if not months[0]["legacy"] or months[0]["cloud_share"] >= CLOUD_BEFORE or moved <= CLOUD_AFTER:
            continue
        volumes = _legacy_volumes(basis) if volumes is None else volumes
        _follow(months, volumes.get(service, {}))
        rows += months
    return rows


def _legacy_volumes(basis: Basis) -> dict[str, dict[date, float]]:
    """The share of each service's volume that the data centre carries, by month, where the metrics say so."""
    metric = basis.table("business_metric")
    rows = metric.filter(metric.metric.endswith("_legacy") | metric.metric.endswith("_cloud"))
    rows = rows.mutate(month=first_of_month(rows.period_start), legacy=rows.metric.endswith("_legacy"))
    sums = rows.group_by(["service_id", "month"]).agg(
        legacy=rows["value"].sum(where=rows.legacy).fill_null(0), whole=rows["value"].sum()
    )
    found: dict[str, dict[date, float]] = {}
    for row in basis.rows(sums):
        part = share(row["legacy"], row["whole"])
        if part is not None:
            found.setdefault(row["service_id"], {})[row["month"]] = part
    return found


def _follow(months: list[Row], volumes: dict[date, float]) -> None:
    """Fill in what a migration cost, month by month."""
    live_rows: list[Row] = []
    for row in months:
        row["legacy_volume"] = volumes.get(row["month"], None if volumes else 1 - row["cloud_share"])
        live = row["legacy_volume"] == 0 if volumes else row["cloud_share"] > CLOUD_AFTER
        if live or live_rows:
            live_rows.append(row)
    remains = min((row["legacy"] for row in live_rows), default=Decimal(0))
    gone = bool(live_rows) and remains < live_rows[0]["legacy"] * DECOMMISSIONED
    first = months[0]
    for row in months:
        avoidable = row["legacy"] - remains if gone else row["legacy"]
        still_runs = row["legacy"] > remains * ALREADY_GONE or not gone
        row["double_run"] = avoidable if row in live_rows and still_runs else Decimal(0)
        volume, began = row["legacy_volume"], first["legacy_volume"]
        if volume is None or not began:
            row["remanence"], row["remanence_why"] = None, "volume not known"
        else:
            case = first["legacy"], Decimal(repr(began)), row["legacy"], Decimal(repr(volume))
            row["remanence"] = max(remanence(*case), Decimal(0)) if volume < began else Decimal(0)
            if volume < began:
                row["remanence_pct"] = max(100 * float(remanence_coefficient(*case)), 0.0)
        row["legacy_volume_pct"] = None if volume is None else 100 * volume


def migration_table(basis: Basis) -> ResultTable:
    """Both homes of each migrating service by month."""
    amounts = ("legacy", "cloud", "double_run", "remanence")
    return result(
        "migration", "Migrating services: double run and remanence", "What is paid twice, and what stayed?",
        migration_rows(basis),
        ("service_id", "month", "legacy", "cloud", "legacy_volume_pct", "double_run", "remanence", "remanence_pct"),
        units={**dict.fromkeys(amounts, basis.currency), "legacy_volume_pct": "%", "remanence_pct": "%"},
        labels={**LABELS, "legacy": "On premises", "cloud": "Cloud", "legacy_volume_pct": "Volume on premises",
                "double_run": "Double run", "remanence": "Remanence",
                "remanence_pct": "Of what should have left"},
        empty_because="No service is seen moving from a data centre to the cloud in the months kept.",
        measure="effective_cost", trace_by=("service_id", "month"), answer=_migration_words(basis),
    )  # fmt: skip


def _migration_words(basis: Basis) -> str:
    """What was paid twice so far, and what of the old home is still paid in the period."""
    rows = migration_rows(basis)
    twice = sum((row["double_run"] for row in rows), Decimal(0))
    stays = sum((row["remanence"] or Decimal(0) for row in rows if row["month"] == basis.start), Decimal(0))
    names = listed(sorted({row["service_id"] for row in rows}))
    return (
        f"{names}: {money(twice, basis.currency)} was paid twice so far; {money(stays, basis.currency)} a month stays "
        "on premises."
    )
