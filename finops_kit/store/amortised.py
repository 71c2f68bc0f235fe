"""Current charges where a period was delivered twice: what was invoiced, and the same costs spread over their use.

Azure delivers *actual* and *amortised* costs of one period as two data sets. The actual one has the purchase of a
commitment and nothing on the usage that it covers; the amortised one has a share of the fee on every covered use and on
what nobody used, and no purchase. Lines have no id that both share, so no line is joined to another. Where both are
current, and for one day and subscription say the same about everything that no commitment pays for, the lines that a
commitment covers are taken from the amortised one and those of the actual one, which are billed at nothing, make room.
BilledCost is the actual data set's and EffectiveCost the amortised one's, each to the last digit, and every line stays
one that a file has. Where they say different things (one is newer, or covers other days), the actual one stands alone.

Source: Microsoft Learn, "Actual and amortized cost"; DESIGN of the two data sets in ``normalize/azure.py``.
"""

from __future__ import annotations

from finops_kit.store.lake import LAKE

#: the data set, the source and the counterpart of spread costs
AMORTISED, SPREAD, INVOICED = "charge_amortized", "azure-amortized", "azure"
#: data sets that say again, otherwise, what is billed elsewhere: each under its own name, never added to ``charge``
APART = (AMORTISED, "charge_allocated")


def current_sql(dataset: str) -> str:
    """The lines of one data set that the newest deliveries of their periods brought."""
    return f"""
    SELECT c.* FROM {LAKE}.charge c SEMI JOIN current_delivery d
    ON d.dataset = '{dataset}' AND d.batch_id = c.batch_id AND d.source_system = c.source_system
       AND d.period_start = c."BillingPeriodStart" AND d.billing_account_id = coalesce(c."BillingAccountId", '')
"""


_KEY = "account, period, day, subscription, currency"
_OF_DELIVERY = """d.batch_id = c.batch_id AND d.source_system = c.source_system
    AND d.period_start = c."BillingPeriodStart" AND d.billing_account_id = coalesce(c."BillingAccountId", '')"""
#: the lines of both data sets; a committed line makes room in the one for those of the other
_LINES = f"""
    FROM {LAKE}.charge c JOIN now d ON {_OF_DELIVERY} WHERE c.source_system IN ('{INVOICED}', '{SPREAD}')"""
_MARKS = f"""d.dataset AS data_set, coalesce(c."BillingAccountId", '') AS account, c."BillingPeriodStart" AS period,
    date_trunc('day', c."ChargePeriodStart") AS day, coalesce(c."SubAccountId", '') AS subscription,
    c."BillingCurrency" AS currency, coalesce(c."PricingCategory" = 'Committed'
        AND (d.dataset = '{AMORTISED}' OR c."BilledCost" = 0), false) AS committed"""

#: the current charges of a version that holds amortised costs; what decides is read once and narrow
CHARGE_WITH_AMORTISED = f"""
    WITH now AS MATERIALIZED (
        SELECT DISTINCT batch_id, source_system, billing_account_id, period_start, dataset FROM current_delivery
        WHERE dataset IN ('charge', '{AMORTISED}')
    ), rest AS MATERIALIZED (
        SELECT {_MARKS}, c."EffectiveCost" AS cost {_LINES}
    ), both_say AS (
        SELECT account, period, day FROM rest GROUP BY ALL HAVING count(DISTINCT data_set) = 2
    ), agreed AS MATERIALIZED (
        SELECT {_KEY}, true AS same FROM rest SEMI JOIN both_say USING (account, period, day) GROUP BY {_KEY}
        HAVING coalesce(sum(CASE WHEN committed THEN 0 WHEN data_set = 'charge' THEN cost ELSE -cost END), 0) = 0
            AND bool_or(committed AND data_set = '{AMORTISED}')
    )
    SELECT c.* FROM {LAKE}.charge c SEMI JOIN now d ON d.dataset = 'charge' AND {_OF_DELIVERY}
    WHERE c.source_system NOT IN ('{INVOICED}', '{SPREAD}')
    UNION ALL BY NAME
    SELECT o.* EXCLUDE (data_set, {_KEY}, committed) FROM (SELECT c.*, {_MARKS} {_LINES}) o
    LEFT JOIN agreed USING ({_KEY})
    WHERE CASE WHEN o.data_set = 'charge' THEN NOT (o.committed AND same IS NOT NULL)
        ELSE o.committed AND same IS NOT NULL END
"""
