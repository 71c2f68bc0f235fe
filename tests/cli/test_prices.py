"""``finops prices``: new SKUs and prices that moved, computed by hand, and the lines that say so."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest


@pytest.fixture
def priced(finops, write_bill: Callable[..., Path], empty_store: Path, tmp_path: Path):
    """10 hours a day of one SKU, at 2 until 14 March and at 3 from then on, in two accounts; from 20 March on 5 GB a
    day of another at 1; and a third that costs the same all the time, but is listed at 4 instead of 5 from March on."""
    shutil.copytree(empty_store, tmp_path / "workspace")
    (like,) = csv.DictReader(write_bill(tmp_path / "like.csv", 1).open(newline=""))
    for month, days in ((2, 28), (3, 31)):
        first = date(2026, month, 1)
        with (tmp_path / f"{month}.csv").open("w", newline="") as out:
            writer = csv.DictWriter(out, list(like))
            writer.writeheader()
            for number in range(days):
                day = first + timedelta(days=number)
                price = 3 if day >= date(2026, 3, 15) else 2
                lines = [("steps.p", "Big machines", price, price, 6, "Hours", "01"),
                         ("steps.p", "Big machines", price, price, 4, "Hours", "02"),
                         ("flat.p", "Disks", 1, 5 if month == 2 else 4, 1, "GB", "01")]  # fmt: skip
                lines += [("new.p", "Archive", 1, 1, 5, "GB", "02")] * (day >= date(2026, 3, 20))
                for sku, name, one, listed, quantity, unit, account in lines:
                    cost = str(one * quantity)
                    writer.writerow(like | {
                        "SkuId": sku[:-2], "SkuPriceId": sku, "ChargeDescription": name, "SubAccountId": account,
                        "PricingQuantity": quantity, "PricingUnit": unit, "ConsumedQuantity": quantity,
                        "BilledCost": cost, "EffectiveCost": cost, "ContractedCost": cost,
                        "ListCost": str(listed * quantity), "ContractedUnitPrice": one, "ListUnitPrice": listed,
                        "BillingPeriodStart": f"{first}T00:00:00Z", "ChargePeriodStart": f"{day}T00:00:00Z",
                        "BillingPeriodEnd": f"2026-0{month + 1}-01T00:00:00Z",
                        "ChargePeriodEnd": f"{day + timedelta(days=1)}T00:00:00Z",
                    })  # fmt: skip
    done = finops("ingest", str(tmp_path / "2.csv"), str(tmp_path / "3.csv"))
    assert done.exit_code == 0, done.output
    return finops


def test_new_skus_and_moved_prices_with_day_accounts_cost_and_lines(priced, tmp_path: Path) -> None:
    done = priced("prices", "--json")
    found = json.loads(done.stdout)
    assert (found["months"], found["currency"], found["count"]) == (["2026-03"], "EUR", 3)
    told = {one["sku"]: one for one in found["changes"]}
    names = ("change", "since", "price_before", "price_now", "moved_pct", "cost", "effect", "lines")
    rows = {sku: tuple(float(one[n]) if n in ("cost", "effect") and one[n] is not None else one[n] for n in names)
            for sku, one in told.items()}  # fmt: skip
    assert rows == {
        # 14 x 10 x 2 + 17 x 10 x 3; the price of 1 more for 170 hours
        "steps.p": ("negotiated price", "2026-03-15", 2, 3, 50, 790, pytest.approx(170), 62),
        "new.p": ("new", "2026-03-20", None, 1, None, 60, None, 12),
        "flat.p": ("list price", None, 5, 4, -20, 31, None, 31),
    }
    assert [(a["account"], float(a["cost"]), a["lines"]) for a in told["steps.p"]["accounts"]] == [
        ("01", 474, 31), ("02", 316, 31),
    ]  # fmt: skip
    (line,) = told["new.p"]["source_lines"]
    path, row = Path(line["source_file"]), line["source_row"]
    with path.open(newline="") as stream:
        native = list(csv.DictReader(stream))[row - 1]
    assert (path.name, native["SkuPriceId"], native["ChargePeriodStart"]) == ("3.csv", "new.p", "2026-03-20T00:00:00Z")

    text = priced("prices", "--changed", "--since", "2026-02-03", "--lines", "2").stdout
    assert "Archive" not in text and "+50.0 %" in text and text.count("steps.p: ") == 2
    assert "2026-02 to 2026-03: 2 prices moved, with 821.00 EUR of cost (+170.00 by the price).\n" in text
    assert "February 2026 is the first month known, so nothing in it can be told to be new or to have moved." in text
    wrong = priced("prices", "--since", "2026-05-01")
    assert wrong.exit_code == 2 and "lies after 2026-03" in wrong.stderr
