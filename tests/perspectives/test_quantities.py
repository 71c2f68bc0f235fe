"""Units that nobody knows: told for what is priced and for what is consumed, each charge once."""

from __future__ import annotations

import shutil
from decimal import Decimal

from finops_kit.ingest import ingest_paths
from finops_kit.perspectives.quantities import unknown_units_table
from finops_kit.perspectives.read import open_basis
from finops_kit.settings import Workspace

HEADER = """BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargeCategory,ChargePeriodStart,\
ChargePeriodEnd,BilledCost,EffectiveCost,ProviderName,ServiceName,PricingQuantity,PricingUnit,ConsumedQuantity,ConsumedUnit
"""
MONTH = "2025-03-01T00:00:00Z,2025-04-01T00:00:00Z"


def test_units_that_nobody_knows(empty_store, tmp_path):
    """One in hours for wombats, one in wombats for wombats, one in herds, and one that is known throughout."""
    store = Workspace(shutil.copytree(empty_store, tmp_path / "workspace"))
    said = ("1,Hours,2,Wombats", "3,Wombats,3,Wombats", "1,Herds,,", "1,GB,1,GiB")
    lines = [f"1,EUR,{MONTH},Usage,{MONTH},{place},{place},AWS,Zoo,{one}\n" for place, one in enumerate(said, 1)]
    (tmp_path / "bill.csv").write_text(HEADER + "".join(lines))
    assert ingest_paths(store, [tmp_path / "bill.csv"]).files[0].rows_stored == 4
    with open_basis(store.root, period="2025-03") as basis:
        table = unknown_units_table(basis)
    rows = [tuple(row) for row in table.frame[["unit", "kind", "charges", "EffectiveCost"]].itertuples(index=False)]
    assert rows == [
        ("Herds", "priced in", 1, Decimal(3)), ("Wombats", "priced in", 1, Decimal(2)),
        ("Wombats", "consumed in", 1, Decimal(1)),
    ]  # fmt: skip
    assert table.answer == "3 charges in 2 units nobody knows."
