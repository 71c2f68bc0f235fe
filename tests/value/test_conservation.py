from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finops_kit.value.allocation import total_by, unallocated_ratio
from finops_kit.value.settle import settle, split, to_cents

#: the dimensions that the generated tags speak of; the others are always unallocated
LEVELS = ("service_id", "team", "environment", "tenant", "product")
money = st.decimals(min_value=-100000, max_value=100000, places=20, allow_nan=False)
member = st.sampled_from([None, "a", "b", " ", "c"])
charge = st.builds(
    lambda cost, tags: {"cost": cost, "Tags": {k: v for k, v in tags.items() if v is not None}},
    money,
    st.fixed_dictionaries(dict.fromkeys(("service_id", "user:Team", "env", "tenant"), member)),
)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(charge, max_size=12))
def test_allocated_and_unallocated_are_the_whole_at_every_level(db, lens_of, rows):
    whole = sum((row["cost"] for row in rows), Decimal(0))
    lens = db.create_table("conserved", db.to_pyarrow(lens_of(rows)), temp=True, overwrite=True)
    for dimensions in ([name] for name in LEVELS):
        parts = db.to_pyarrow(total_by(lens, dimensions)).column("EffectiveCost").to_pylist()
        assert sum(parts, Decimal(0)) == whole
    deep = db.to_pyarrow(total_by(lens, ["service_id", "team", "tenant"])).column("EffectiveCost").to_pylist()
    assert sum(deep, Decimal(0)) == whole
    assert sum(settle(deep), Decimal(0)) == to_cents(whole)
    one = db.to_pyarrow(unallocated_ratio(lens)).to_pylist()[0]
    assert one["allocated"] + one["unallocated"] == whole


@given(st.lists(st.decimals(min_value=-(10**9), max_value=10**9, places=12), max_size=50))
def test_settled_cents_sum_to_the_rounded_total_and_move_less_than_a_cent(parts):
    cents = settle(parts)
    assert sum(cents, Decimal(0)) == to_cents(sum(parts, Decimal(0)))
    assert all(abs(cent - part) < Decimal("0.01") for cent, part in zip(cents, parts, strict=True))


@given(st.decimals(min_value=0, max_value=10**7, places=2), st.lists(st.integers(0, 1000), min_size=1, max_size=20))
def test_a_split_loses_nothing(amount, weights):
    if not sum(weights):
        with pytest.raises(ZeroDivisionError):
            split(amount, weights)
        return
    assert sum(split(amount, weights), Decimal(0)) == amount
