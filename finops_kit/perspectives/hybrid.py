"""Blocks about two homes at once: the asset register's books, and services between data centre and cloud."""

from __future__ import annotations

from decimal import Decimal

import ibis

from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.cost import LABELS
from finops_kit.perspectives.reading import ResultTable
from finops_kit.perspectives.tables import Row, result
from finops_kit.value.depreciation import asset_books
from finops_kit.value.remanence import both_sides

#: a service migrates if its cloud share was below the first and is above the second
CLOUD_BEFORE, CLOUD_AFTER = 0.1, 0.15


def asset_rows(basis: Basis) -> list[Row]:
    """The register's books in the period by data centre and class, in the assets' own currency."""
    found: list[Row] = basis.once("assets", _asset_rows)
    return found


def _asset_rows(basis: Basis) -> list[Row]:
    asset = basis.table("asset")
    for column, members in basis.members.items():
        mapped = {"service_id": "service_id", "team": "owner_team", "provider": "data_centre"}.get(column)
        if mapped is None:
            return []
        asset = asset.filter(asset[mapped].isin(members))
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
    )  # fmt: skip


def migration_rows(basis: Basis) -> list[Row]:
    """Services that move to the cloud, month by month: both homes, what is paid twice, what stayed.

    A service migrates if its cloud share began below 10 % and is now above 15 % while its data centre is still paid.
    From the first month in which the cloud carries 5 % on, its on-premises cost is double run; remanence is that
    cost above what would be left had it gone with the share of cost that the cloud now carries.
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
    for months in by_service.values():
        shares = [
            float(m["cloud"]) / float(m["cloud"] + m["legacy"]) if m["cloud"] + m["legacy"] else 0.0 for m in months
        ]
        peak = max(row["legacy"] for row in months)
        if not peak or shares[0] >= CLOUD_BEFORE or max(shares) <= CLOUD_AFTER:
            continue
        live = False
        for row, part in zip(months, shares, strict=True):
            live = live or part >= CLOUD_BEFORE / 2
            row["cloud_share_pct"] = 100 * part
            row["double_run"] = row["legacy"] if live else Decimal(0)
            stays = row["legacy_peak"] * Decimal(repr(round(1 - part, 12)))
            row["remanence"] = max(row["legacy"] - stays, Decimal(0)) if live else Decimal(0)
        rows += months
    return rows


def migration_table(basis: Basis) -> ResultTable:
    """Both homes of each migrating service by month."""
    money = ("legacy", "cloud", "double_run", "remanence")
    return result(
        "migration", "Migrating services: double run and remanence", "What is paid twice, and what stayed?",
        migration_rows(basis), ("service_id", "month", "legacy", "cloud", "cloud_share_pct", "double_run", "remanence"),
        units={**dict.fromkeys(money, basis.currency), "cloud_share_pct": "%"},
        labels={**LABELS, "legacy": "On premises", "cloud": "Cloud", "cloud_share_pct": "Cloud share",
                "double_run": "Double run", "remanence": "Remanence"},
        empty_because="No service is seen moving from a data centre to the cloud in the months kept.",
        measure="effective_cost", trace_by=("service_id", "month"),
    )  # fmt: skip
