"""The demo estate: a truth that plain csv and decimal arithmetic confirm."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from finops_kit.demo import generate
from finops_kit.fields import REFERENCE_TABLES, focus_columns

COSTS = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")


def rows_of(path: Path) -> list[dict]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return list(csv.DictReader(io.StringIO(data.decode())))


def amount(text: object) -> Decimal:
    return Decimal(str(text)) if text not in (None, "") else Decimal(0)


def aws_effective(row: dict) -> Decimal:
    kind = row["lineItem/LineItemType"]
    if kind == "SavingsPlanCoveredUsage":
        return amount(row["savingsPlan/SavingsPlanEffectiveCost"])
    if kind == "SavingsPlanNegation":
        return Decimal(0)
    if kind == "SavingsPlanRecurringFee":
        return amount(row["savingsPlan/TotalCommitmentToDate"]) - amount(row["savingsPlan/UsedCommitment"])
    return amount(row["lineItem/UnblendedCost"])


def readable(row: dict) -> bool:
    try:
        amount(row["BilledCost"])
    except ArithmeticError:
        return False
    return row["ChargePeriodStart"] != "2026-02-31T00:00:00Z"


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("estate") / "demo"
    generate(folder)
    return folder, json.loads((folder / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def bills(estate) -> dict[str, list[dict]]:
    folder, truth = estate
    return {name: rows_of(folder / name) for name, entry in truth["files"].items() if "billed" in entry}


def newest(truth: dict) -> dict[tuple[str, str], str]:
    """Provider and month -> the file that is current: the last in path order."""
    chosen: dict[tuple[str, str], str] = {}
    for name, entry in sorted(truth["files"].items()):
        if "billed" in entry:
            chosen[(entry["provider"], entry["month"])] = name
    return chosen


def test_row_counts_are_what_the_files_hold(estate, bills) -> None:
    folder, truth = estate
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == {*truth["files"], "truth.json"}
    for name, rows in bills.items():
        assert len(rows) == truth["files"][name]["rows"], name
    for name, entry in truth["files"].items():
        if entry["format"] == "kubernetes":
            assert len(json.loads((folder / name).read_bytes())["items"]) == entry["rows"]
        elif "billed" not in entry:
            assert len(rows_of(folder / name)) == entry["rows"]
    assert truth["rows"]["all_files"] == sum(entry["rows"] for entry in truth["files"].values())
    assert 95_000 <= truth["rows"]["charges_current"] <= 120_000


def test_totals_are_those_of_the_newest_deliveries(estate, bills) -> None:
    _, truth = estate
    current, counted = newest(truth), 0
    for (provider, month), name in current.items():
        rows = bills[name]
        if provider == "AWS":
            billed = sum(amount(row["lineItem/UnblendedCost"]) for row in rows)
            effective = sum(aws_effective(row) for row in rows)
        else:
            rows = [row for row in rows if readable(row)]
            billed = sum(amount(row["BilledCost"]) for row in rows)
            effective = sum(amount(row["EffectiveCost"]) for row in rows)
        counted += len(rows)
        known = truth["totals"][provider]["months"][month]
        assert (billed, effective, len(rows)) == (Decimal(known["billed"]), Decimal(known["effective"]), known["rows"])
    assert counted == truth["rows"]["charges_current"]
    assert set(truth["totals"]) == {"AWS", "Microsoft Azure", "Google Cloud", "DC Frankfurt", "DC Munich"}
    for entry in truth["totals"].values():
        assert list(entry["months"]) == truth["months"]


def test_effective_cost_is_a_house_of_a_million_a_month(estate) -> None:
    _, truth = estate
    totals = [Decimal(month["effective_eur"]) for month in truth["untagged"].values()]
    assert all(Decimal(1_000_000) < total < Decimal(1_500_000) for total in totals[:-1])
    services = defaultdict(Decimal)
    for months in truth["effective_eur_by_service"].values():
        for month, value in months.items():
            services[month] += Decimal(value)
    assert dict(services) == {month: Decimal(entry["effective_eur"]) for month, entry in truth["untagged"].items()}
    assert len([name for name in truth["effective_eur_by_service"] if name != "unassigned"]) == 12
    shares = [month["without_owner_pct"] for month in truth["untagged"].values()]
    assert 3 <= shares[-2] <= 4.5
    assert shares[0] > shares[-2] + 1


def test_focus_rows_multiply_to_the_last_decimal(bills) -> None:
    for name, rows in bills.items():
        if name.startswith("aws/"):
            continue
        for row in rows:
            if not readable(row) or row["ChargeClass"] == "Correction" or row["PricingQuantity"] in (None, ""):
                continue
            quantity = amount(row["PricingQuantity"])
            assert amount(row["ListCost"]) == quantity * amount(row["ListUnitPrice"]), name
            assert amount(row["ContractedCost"]) == quantity * amount(row["ContractedUnitPrice"]), name


def test_focus_headers_are_their_versions(estate) -> None:
    folder, truth = estate
    for name, entry in truth["files"].items():
        if entry["format"] in ("focus-1.2", "focus-1.3"):
            assert set(rows_of(folder / name)[0]) == set(focus_columns(entry["format"].removeprefix("focus-")))
        elif entry["format"] == "focus-1.0":
            columns = set(pq.read_schema(folder / name).names)
            assert set(focus_columns("1.0")) - {"AvailabilityZone"} <= columns
            assert not columns & {"SkuMeter", "InvoiceId", "ServiceSubcategory"}


def test_commitments_add_up(estate, bills) -> None:
    _, truth = estate
    for (provider, month), name in newest(truth).items():
        rows = bills[name]
        if provider == "Google Cloud":
            ours = [row for row in rows if row["CommitmentDiscountId"]]
            assert sum(amount(row["BilledCost"]) for row in ours) == sum(amount(row["EffectiveCost"]) for row in ours)
            assert {row["CommitmentDiscountStatus"] for row in ours} == {"", "Used", "Unused"}
        if provider == "AWS" and month >= "2025-06":
            kinds = Counter(row["lineItem/LineItemType"] for row in rows)
            assert kinds["SavingsPlanCoveredUsage"] == kinds["SavingsPlanNegation"] > 0
            fees = [row for row in rows if row["lineItem/LineItemType"] == "SavingsPlanRecurringFee"]
            paid = sum(amount(row["savingsPlan/TotalCommitmentToDate"]) for row in fees)
            used = sum(amount(row["savingsPlan/UsedCommitment"]) for row in fees)
            assert Decimal("0.85") < used / paid < Decimal("0.99")
            assert all(amount(row["savingsPlan/UsedCommitment"]) <= amount(row["savingsPlan/TotalCommitmentToDate"])
                       for row in fees)  # fmt: skip


def test_the_oddities_of_real_bills_are_there(bills) -> None:
    rows = [row for name, rows in bills.items() if name.startswith("aws/2026-05") for row in rows]
    ids = Counter(row["identity/LineItemId"] for row in rows)
    assert max(ids.values()) > 20
    pairs = Counter((row["identity/LineItemId"], row["identity/TimeInterval"]) for row in rows)
    assert max(pairs.values()) == 1
    assert any("E-" in row["lineItem/UnblendedCost"] for row in rows)
    assert not any(row["lineItem/UnblendedCost"].startswith("0E") for row in rows)
    assert {row["bill/PayerAccountId"] for row in rows} == {"001200450078"}
    spans = [row for row in rows if row["lineItem/LineItemType"] == "Tax"]
    assert spans
    assert all(row["lineItem/UsageEndDate"] == "2026-05-01T00:00:00Z" for row in spans)
    tags = [json.loads(row["Tags"]) for name, rows in bills.items() if name.startswith("azure/") for row in rows
            if row["Tags"]]  # fmt: skip
    assert any(" owner" in keys for keys in tags)


def test_deliveries_of_a_period_grow_and_late_lines_come_later(estate, bills) -> None:
    _, truth = estate
    open_month = [name for name, entry in sorted(truth["files"].items())
                  if entry.get("provider") == "AWS" and entry["month"] == truth["open_month"]]  # fmt: skip
    assert len(open_month) == 5
    sizes = [len(bills[name]) for name in open_month]
    assert sizes == sorted(set(sizes))
    assert sum(entry["rows"] for entry in truth["late_lines"]) > 20
    closed = next(entry for entry in truth["late_lines"] if entry["month"] == truth["latest_closed_month"])
    names = [name for name, entry in sorted(truth["files"].items())
             if (entry.get("provider"), entry.get("month")) == (closed["provider"], closed["month"])]  # fmt: skip
    early, final = ([row["identity/LineItemId"] + row["identity/TimeInterval"] for row in bills[n]] for n in names)
    assert set(early) <= set(final)
    assert {row["bill/InvoiceId"] for row in bills[names[0]]} == {""}
    assert "" not in {row["bill/InvoiceId"] for row in bills[names[1]]}


def test_one_closed_month_is_restated_and_corrections_are_marked(estate, bills) -> None:
    _, truth = estate
    restated = truth["restated"]
    name = restated["file"]
    assert newest(truth)[(restated["provider"], restated["month"])] == name
    assert sum(amount(row["BilledCost"]) for row in bills[name]) == Decimal(restated["after"]["billed"])
    assert Decimal(restated["before"]["billed"]) > Decimal(restated["after"]["billed"])
    marked = [row for file, rows in bills.items() if not file.startswith("aws/") for row in rows
              if row["ChargeClass"] == "Correction"]  # fmt: skip
    assert len(marked) == truth["corrections"]["rows"] == 6
    assert sum(amount(row["BilledCost"]) for row in marked) == Decimal(truth["corrections"]["billed"])
    assert all(row["ChargePeriodEnd"] <= row["BillingPeriodStart"] for row in marked)


def test_unreadable_rows_stand_where_the_truth_says(estate, bills) -> None:
    _, truth = estate
    assert len(truth["quarantine"]) == 3
    for planted in truth["quarantine"]:
        assert not _fine(bills[planted["file"]][planted["row"] - 1])
    assert sum(not _fine(row) for name, rows in bills.items() if name.startswith("datacentre/") for row in rows) == 3


def _fine(row: dict) -> bool:
    return readable(row)


def test_waste_is_seen_and_still_charged(estate, bills) -> None:
    folder, truth = estate
    assert (len(truth["orphaned_disks"]), len(truth["idle_machines"])) == (5, 5)
    seen = defaultdict(list)
    for name, entry in sorted(truth["files"].items()):
        if entry["format"] == "inventory":
            for row in rows_of(folder / name):
                seen[row["resource_id"]].append(row)
    for disk in truth["orphaned_disks"]:
        last = [row for row in seen[disk["resource_id"]] if row["observed_at"] > disk["since"]]
        assert len(last) >= 3
        assert all((row["kind"], row["power_state"], row["owner_id"]) == ("disk", "available", "") for row in last)
        assert Decimal(disk["effective_by_month"][truth["latest_closed_month"]]) > 0
    idle = {machine["resource_id"] for machine in truth["idle_machines"]}
    for resource, rows in seen.items():
        machines = [row for row in rows if row["kind"] == "machine" and row["power_state"] == "running"]
        low = [row for row in machines if amount(row["usage_vcpu"]) / amount(row["vcpu"]) < Decimal("0.05")]
        assert (len(low) == len(machines) > 0) == (resource in idle) or not machines
    free = {resource for resource, rows in seen.items() if rows[-1]["kind"] == "disk" and not rows[-1]["owner_id"]}
    assert free == {disk["resource_id"] for disk in truth["orphaned_disks"]}
    current = {bills_row["ResourceId"] for (provider, month), name in newest(truth).items()
               if provider != "AWS" and month == truth["latest_closed_month"] for bills_row in bills[name]}  # fmt: skip
    current |= {row["lineItem/ResourceId"] for row in bills[newest(truth)[("AWS", truth["latest_closed_month"])]]}
    assert idle | free <= current


def test_anomalies_stand_out_on_their_day(estate, bills) -> None:
    _, truth = estate
    assert len(truth["anomalies"]) == 3
    for planted in truth["anomalies"]:
        rows = bills[newest(truth)[(planted["provider"], planted["day"][:7])]]
        daily = defaultdict(Decimal)
        for row in rows:
            if planted["provider"] == "AWS":
                if row["lineItem/ResourceId"] == planted["resource_id"]:
                    daily[row["lineItem/UsageStartDate"][:10]] += amount(row["lineItem/UnblendedCost"])
            elif row["ResourceId"] == planted["resource_id"]:
                daily[str(row["ChargePeriodStart"])[:10]] += amount(row["EffectiveCost"])
        assert daily[planted["day"]] == Decimal(planted["actual"])
        assert Decimal(planted["excess"]) == Decimal(planted["actual"]) - Decimal(planted["normal"])
        assert daily[planted["day"]] > 5 * max(value for day, value in daily.items() if day != planted["day"])


def test_the_migration_runs_double_for_four_months(estate, bills) -> None:
    _, truth = estate
    move = truth["migration"]
    assert move["double_run_months"] == ["2026-02", "2026-03", "2026-04", "2026-05"]
    months = move["months"]
    assert sum(Decimal(months[m]["avoidable"]) for m in move["double_run_months"]) == Decimal(move["double_run"]) > 0
    assert Decimal(months["2026-06"]["avoidable"]) == 0 < Decimal(months["2026-06"]["legacy_effective"])
    for month, entry in months.items():
        rows = bills[newest(truth)[("DC Frankfurt", month)]]
        legacy = sum(amount(row["EffectiveCost"]) for row in rows if '"lending"' in (row["Tags"] or ""))
        assert legacy == Decimal(entry["legacy_effective"])


def test_cluster_nodes_are_the_machines_that_are_billed(estate, bills) -> None:
    folder, truth = estate
    dumps = [name for name, entry in truth["files"].items() if entry["format"] == "kubernetes"]
    assert len(dumps) > 110
    billed: dict[str, set[str]] = defaultdict(set)
    for name, rows in bills.items():
        if name.startswith("aws/"):
            for row in rows:
                billed[row["lineItem/UsageStartDate"][:10]].add(row["lineItem/ResourceId"])
    counts = {}
    for name in dumps:
        content = json.loads((folder / name).read_bytes())
        kinds = Counter(item["kind"] for item in content["items"])
        kinds.pop("Event", None)  # of what was scaled just before
        assert {"Node", "Pod", "Deployment", "HorizontalPodAutoscaler", "PersistentVolumeClaim"} == set(kinds)
        assert content["metadata"]["resourceVersion"].isdigit()
        nodes = [item for item in content["items"] if item["kind"] == "Node"]
        names = {node["metadata"]["name"] for node in nodes}
        assert all(i["spec"]["nodeName"] in names for i in content["items"] if i["kind"] == "Pod")
        machines = {node["spec"]["providerID"].rsplit("/", 1)[1] for node in nodes}
        assert machines <= billed[Path(name).parent.name], name
        counts[name] = len(nodes)
    surge = [counts[name] for name in dumps if any(day in name for day in truth["surge"]["days"])]
    assert max(surge) == truth["surge"]["nodes_peak"]
    assert min(counts.values()) == truth["surge"]["nodes_base"]


def test_reference_files_have_the_columns_of_their_tables(estate) -> None:
    folder, truth = estate
    expected = {
        frozenset(n for n in table.columns if n not in ("batch_id", "source_row"))
        for table in REFERENCE_TABLES
        if table.name != "tag_rule"  # what a house adds as it goes
    }
    found = {frozenset(rows_of(folder / name)[0]) for name in truth["files"] if name.startswith("reference/")}
    assert found == expected
    cmdb = next(rows_of(folder / name) for name in truth["files"] if name.endswith("cmdb.csv"))
    spans = [
        row for row in cmdb if row["ci_class"] == "service" and row["service_id"] == truth["team_move"]["service_id"]
    ]
    assert [(row["team"], row["valid_from"], row["valid_to"]) for row in spans] == [
        ("data-analytics", "2023-01-01", "2026-01-01"), ("security", "2026-01-01", ""),
    ]  # fmt: skip
    assert len({row["team"] for row in cmdb if row["team"]}) == 8
    budget = next(rows_of(folder / name) for name in truth["files"] if name.endswith("budgets.csv"))
    for month in {row["month"] for row in budget}:
        parts = sum(amount(r["amount"]) for r in budget if r["month"] == month and r["dimension"] == "service_id")
        assert parts == next(amount(r["amount"]) for r in budget if r["month"] == month and r["member"] == "total")
    contracts = next(rows_of(folder / name) for name in truth["files"] if name.endswith("contracts.csv"))
    today = date.fromisoformat(truth["today"])
    notice = [date.fromisoformat(c["ends_on"]) - timedelta(days=int(c["notice_days"])) - today for c in contracts]
    assert sum(timedelta(0) < left < timedelta(days=60) for left in notice) == 1
    metrics = next(rows_of(folder / name) for name in truth["files"] if name.endswith("business_metrics.csv"))
    assert len({row["tenant"] for row in metrics} - {""}) == 40


def test_invoices_tie_to_the_final_bills_but_for_what_is_planted(estate, bills) -> None:
    folder, truth = estate
    path = next(name for name in truth["files"] if name.endswith("/invoices.csv"))
    asked: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in rows_of(folder / path):
        asked[row["provider_name"], row["month"][:7]] += amount(row["amount"])
    billed = {
        (provider, month): Decimal(known["billed"]).quantize(Decimal("0.01"), rounding="ROUND_HALF_UP")
        for provider, entry in truth["totals"].items()
        for month, known in entry["months"].items()
        if month != truth["open_month"]
    }
    planted, restated = truth["invoices"], truth["restated"]
    differs = {key: asked[key] - total for key, total in billed.items() if asked[key] != total}
    assert set(asked) == set(billed)
    assert differs.pop((planted["provider"], planted["month"])) == Decimal(planted["amount"]) == 1250
    ((key, gap),) = differs.items()
    assert key == (restated["provider"], restated["month"]) == ("Google Cloud", planted["restated_after_invoice"])
    moved = Decimal(restated["before"]["billed"]) - Decimal(restated["after"]["billed"])
    assert abs(gap - moved) < Decimal("0.02")


def test_the_price_list_is_what_the_bills_charge_but_for_one_article(estate, bills) -> None:
    folder, truth = estate
    path = next(name for name in truth["files"] if name.endswith("/price_list.csv"))
    month = truth["latest_closed_month"]
    agreed = {row["sku"]: row for row in rows_of(folder / path) if row["valid_to"] == ""}
    name = newest(truth)["Microsoft Azure", month]
    off = {
        row["SkuPriceId"]
        for row in bills[name]
        if row["ChargeCategory"] == "Usage" and row["SkuPriceId"] in agreed
        and not agreed[row["SkuPriceId"]]["unit"].startswith("100 ")
        and amount(agreed[row["SkuPriceId"]]["contracted_price"]) != amount(row["ContractedUnitPrice"])
    }  # fmt: skip
    assert off == {truth["price_not_followed"]["sku"]} and len(agreed) > 40
