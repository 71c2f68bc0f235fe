"""The control sum of a bill's cost column, taken from its text on the way, apart from the engine.

What is stored later must add up to it: stored + quarantined + what the stored scale cuts off.
"""

from __future__ import annotations

import ast
import json
import re
from decimal import Context, Decimal, InvalidOperation

import pyarrow as pa
import pyarrow.compute as pc

from finops_kit.sources.quick import exact_numbers

#: decimals that the store keeps of an amount of money
STORED_DECIMALS = 24
_STORED = pa.decimal128(38, STORED_DECIMALS)
_NUMBER = re.compile(r"\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-3]?[0-9]{1,2})?\s*")
#: a number behind a key in a list as Python writes it; read as text, so that no digit is lost
_FLOAT = re.compile(r"(['\"]amount['\"]\s*:\s*)([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)")
#: enough digits that no sum of amounts is ever rounded
EXACT = Context(prec=900, Emax=999_999, Emin=-999_999)


def read_amount(text: str | None) -> Decimal | None:
    """An amount as it is written, exactly; None where it is no number.

    Example
    -------
    >>> read_amount("5.2E-9"), read_amount("NaN"), read_amount("1_000")
    (Decimal('5.2E-9'), None, None)
    """
    if text is None or not _NUMBER.fullmatch(text) or not text.isascii():
        return None
    try:
        return EXACT.create_decimal(text.strip())
    except InvalidOperation:
        return None


def split_amount(amount: Decimal) -> tuple[Decimal, Decimal]:
    """What the store keeps of an amount, and what its scale cuts off.

    Example
    -------
    >>> split_amount(Decimal("0.1234567890123456789012345"))
    (Decimal('0.123456789012345678901234'), Decimal('5E-25'))
    """
    kept = amount.quantize(Decimal(1).scaleb(-STORED_DECIMALS), rounding="ROUND_DOWN", context=EXACT)
    return kept, EXACT.subtract(amount, kept)


def read_credits(text: str | None) -> list[Decimal] | None:
    """The amounts of a list of credits, as JSON or as Python writes it; None where it cannot be read.

    Example
    -------
    >>> read_credits("[{'name': 'Trial', 'amount': -0.1, 'id': None}]"), read_credits("[]"), read_credits("?")
    ([Decimal('-0.1')], [], None)
    """
    if text is None or not text.strip():
        return []
    try:
        found = json.loads(text, parse_float=str, parse_int=str)
    except ValueError:
        try:
            found = ast.literal_eval(_FLOAT.sub(r"\1'\2'", text))
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        return None
    amounts = [read_amount(str(one.get("amount"))) for one in found]
    return None if None in amounts else [amount for amount in amounts if amount is not None]


class ControlSum:
    """Sums of the cost column per currency over the rows that pass by.

    Attributes
    ----------
    kept : per currency, the readable amounts cut to the stored scale
    cut : per currency, what that cut off
    unreadable : how many amounts are no number
    """

    def __init__(self, cost_column: str, currency_column: str | None, credits_column: str | None = None,
                 cost_else: str | None = None) -> None:  # fmt: skip
        self.cost_column = cost_column
        self.currency_column = currency_column
        self.credits_column = credits_column
        self.cost_else = cost_else
        self._credits: dict[str | None, list[Decimal] | None] = {}
        self.kept: dict[str, Decimal] = {}
        self.cut: dict[str, Decimal] = {}
        self.unreadable = 0

    def add(self, batch: pa.RecordBatch, amounts: pa.Array | None = None) -> None:
        """Add the rows of one batch.

        Parameters
        ----------
        amounts : the cost column read at once, where that was possible
        """
        costs = batch.column(self.cost_column)
        if self.cost_else is not None:
            costs = pc.coalesce(costs, batch.column(self.cost_else))
        if self.currency_column is None:
            currencies = pa.array([""] * len(costs))
        else:
            currencies = batch.column(self.currency_column)
        if len(costs) == 0:
            return
        if self.credits_column is not None:
            credits = batch.column(self.credits_column).to_pylist()
            for cost, currency, credit in zip(costs.to_pylist(), currencies.to_pylist(), credits, strict=True):
                self.add_one(cost, currency, credit)
            return
        known = amounts is not None and self.cost_else is None and amounts.null_count == costs.null_count
        quick = self._quick(costs, currencies, amounts if known else None)
        if not quick:
            for cost, currency in zip(costs.to_pylist(), currencies.to_pylist(), strict=True):
                self.add_one(cost, currency)

    def _quick(self, costs: pa.Array, currencies: pa.Array, amounts: pa.Array | None) -> bool:
        """One currency and plain notation throughout: the sum in one step."""
        bounds = pc.min_max(currencies)
        low, high = bounds["min"].as_py(), bounds["max"].as_py()
        if low != high or currencies.null_count:
            return False
        try:
            amounts = exact_numbers(costs, _STORED) if amounts is None else amounts
        except pa.ArrowException:
            return False
        if amounts is None:
            return False
        total = pc.sum(amounts).as_py()
        if total is not None:
            key = currency_key(low)
            self.kept[key] = EXACT.add(self.kept.get(key, Decimal(0)), total)
        return True

    def add_one(self, cost: str | None, currency: str | None, credits: str | None = None) -> None:
        """Add one amount, and its credits where both can be read."""
        amount = read_amount(cost)
        if credits not in self._credits and len(self._credits) < 100_000:
            self._credits[credits] = read_credits(credits)
        taken = self._credits[credits] if credits in self._credits else read_credits(credits)
        if amount is None or taken is None:
            self.unreadable += cost is not None
            return
        key = currency_key(currency)
        for one in (amount, *taken):
            kept, cut = split_amount(one)
            self.kept[key] = EXACT.add(self.kept.get(key, Decimal(0)), kept)
            if cut:
                self.cut[key] = EXACT.add(self.cut.get(key, Decimal(0)), cut)


def currency_key(currency: str | None) -> str:
    """The key that a currency is added up under: blanks taken off, "" where there is none."""
    return (currency or "").strip()
