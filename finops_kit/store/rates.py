"""Exchange rates as they hold, month-locked, and charges in the currency of the workspace beside their own.

A rate is of a month and a pair: the newest file that says it stands, and one that says other months or pairs takes
nothing away. A month that is signed off keeps the rates that were known when it was: what is delivered later stands
beside, as ``newer_rate``, until the month is reopened.
"""

from __future__ import annotations

from finops_kit.fields import COST_COLUMNS, MONEY
from finops_kit.store.lake import LAKE, text_literal

#: which months are closed, and up to which ledger entry rates were known at the first sign-off since the last reopening
_CLOSED = f"""
    SELECT month, min(known) AS known FROM (
        SELECT c.month, c.act, h.entry AS known, l.entry, max(CASE WHEN c.act = 'reopened' THEN l.entry ELSE 0 END)
            OVER (PARTITION BY c.month) AS reopened
        FROM {LAKE}.month_close c JOIN {LAKE}.ledger l USING (batch_id) JOIN {LAKE}.ledger h
            ON h.entry_hash = c.ledger_head
    ) WHERE act = 'signed off' AND entry > reopened GROUP BY month
"""
_PAIR = "least(from_currency, to_currency), greatest(from_currency, to_currency)"
#: the rates that hold: ``locked`` where the month is closed, ``newer_rate`` what was delivered since and is not used
EXCHANGE_RATE = f"""
    SELECT * EXCLUDE (entry, known, in_time, told_in_time, newest), known IS NOT NULL AND in_time AS locked,
        CASE WHEN known IS NOT NULL AND in_time AND newest <> rate THEN newest END AS newer_rate
    FROM (
        SELECT *, bool_or(in_time) OVER (PARTITION BY month, {_PAIR}) AS told_in_time
        FROM (
            SELECT t.*, l.entry, c.known, coalesce(l.entry <= c.known, true) AS in_time,
                arg_max(t.rate, l.entry) OVER (PARTITION BY t.month, t.from_currency, t.to_currency) AS newest
            FROM {LAKE}.exchange_rate t JOIN {LAKE}.ledger l USING (batch_id) LEFT JOIN ({_CLOSED}) c
                ON c.month = t.month
        )
    )
    WHERE in_time OR NOT told_in_time
    QUALIFY entry = max(entry) OVER (PARTITION BY month, {_PAIR})
"""


def charge_in_currency(currency: str) -> str:
    """Current charges with their amounts in one currency beside the billed ones, the rate, and why there is none.

    As :func:`finops_kit.value.lens.monthly_rates` and ``convert`` have it: a charge is converted at the rate of the
    month in which it begins; a pair that is known the other way round only is inverted.
    """
    to = text_literal(currency)
    rates = f"""
        SELECT month, other, arg_min(rate, turned) AS rate, arg_min(rate_source, turned) AS rate_source
        FROM (
            SELECT month, from_currency AS other, CAST(min(rate) AS DECIMAL(18,8)) AS rate,
                any_value(rate_source) AS rate_source, 0 AS turned
            FROM exchange_rate WHERE to_currency = {to} AND from_currency <> {to} AND rate > 0 GROUP BY ALL
            UNION ALL
            SELECT month, to_currency, min(CAST(1.0 / CAST(rate AS DOUBLE) AS DECIMAL(18,8))), any_value(rate_source), 1
            FROM exchange_rate WHERE from_currency = {to} AND to_currency <> {to} AND rate > 0 GROUP BY ALL
        ) GROUP BY month, other
    """
    amounts = ", ".join(
        f"""CASE WHEN c."BillingCurrency" = {to} THEN c."{name}"
            ELSE CAST(CAST(c."{name}" AS DECIMAL(38,12)) * r.rate AS {MONEY}) END AS "reporting_{name}" """
        for name in COST_COLUMNS
    )
    return f"""
    SELECT c.*, {to} AS reporting_currency, {amounts},
        CASE WHEN c."BillingCurrency" = {to} THEN 1 ELSE r.rate END AS exchange_rate,
        r.rate_source AS rate_source,
        CASE WHEN c."BillingCurrency" = {to} OR r.rate IS NOT NULL THEN ''
            ELSE 'no exchange rate is known from ' || coalesce(c."BillingCurrency", 'no currency') || ' to ' || {to}
                || ' for ' || strftime(c."ChargePeriodStart", '%Y-%m') END AS rate_why
    FROM charge c LEFT JOIN ({rates}) r ON r.other = c."BillingCurrency"
        AND r.month = CAST(date_trunc('month', c."ChargePeriodStart") AS DATE)
    """
