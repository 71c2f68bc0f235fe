"""Costs that a provider leaves to be worked out: price times quantity, as exact as 38 digits allow."""

from __future__ import annotations

from finops_kit.fields import MONEY


def times(price: str, quantity: str) -> str:
    """The SQL of price times quantity; null where one is missing or the product does not fit.

    Both are taken with 12 decimals, and the product is exact; a factor of ten million or more is taken with 6
    decimals, beside 18 of the other. Only for costs that the bill does not state.

    Example
    -------
    >>> import duckdb
    >>> duckdb.sql("SELECT " + times("1.25", "8::DECIMAL(38, 18)")).fetchone()[0]
    Decimal('10.000000000000000000000000')
    """
    p, q = f"({price})", f"({quantity})"

    def product(first: str, second: str) -> str:
        return f"TRY(CAST(TRY_CAST({p} AS {first}) * TRY_CAST({q} AS {second}) AS {MONEY}))"

    return (
        f"coalesce({product('DECIMAL(19, 12)', 'DECIMAL(19, 12)')}, "
        f"{product('DECIMAL(19, 17)', 'DECIMAL(19, 6)')}, {product('DECIMAL(19, 6)', 'DECIMAL(19, 17)')})"
    )
