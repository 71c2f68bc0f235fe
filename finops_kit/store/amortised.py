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


_KEY = ("account", "period", "day", "subscription", "currency")
_KEYS = """coalesce("BillingAccountId", '') AS account, "BillingPeriodStart" AS period,
    date_trunc('day', "ChargePeriodStart") AS day, coalesce("SubAccountId", '') AS subscription,
    "BillingCurrency" AS currency"""
_SAME = " AND ".join(f"o.{name} = s.{name}" for name in _KEY)
_SPREAD_LINE = "\"PricingCategory\" = 'Committed'"
_ROOM = f'{_SPREAD_LINE} AND "BilledCost" = 0'
_COLUMNS = f"o.* EXCLUDE ({', '.join(_KEY)}, makes_room)"

#: the current charges of a version that holds amortised costs
CHARGE_WITH_AMORTISED = f"""
    WITH invoiced AS (
        SELECT *, {_KEYS}, coalesce({_ROOM}, false) AS makes_room FROM ({current_sql("charge")})
        WHERE source_system = '{INVOICED}'
    ), spread AS (
        SELECT *, {_KEYS}, coalesce({_SPREAD_LINE}, false) AS makes_room FROM ({current_sql(AMORTISED)})
    ), agreed AS (
        SELECT {", ".join(_KEY)} FROM (
            SELECT {", ".join(_KEY)}, CASE WHEN makes_room THEN 0 ELSE "EffectiveCost" END AS rest FROM invoiced
            UNION ALL
            SELECT {", ".join(_KEY)}, CASE WHEN makes_room THEN 0 ELSE -"EffectiveCost" END FROM spread
        ) SEMI JOIN invoiced USING (account, period, day) SEMI JOIN spread USING (account, period, day)
        GROUP BY ALL HAVING sum(rest) = 0
    )
    SELECT * FROM ({current_sql("charge")}) WHERE source_system <> '{INVOICED}'
    UNION ALL BY NAME
    SELECT {_COLUMNS} FROM invoiced o WHERE NOT makes_room
    UNION ALL BY NAME
    SELECT {_COLUMNS} FROM invoiced o ANTI JOIN agreed s ON {_SAME} WHERE makes_room
    UNION ALL BY NAME
    SELECT {_COLUMNS} FROM spread o SEMI JOIN agreed s ON {_SAME} WHERE makes_room
"""
