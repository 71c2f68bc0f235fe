"""Units of providers in FOCUS' words: `10K` is `10000 Units`, `1/Month` is `Units/Month`, `1 Hour` is `Hours`.

Source: FOCUS 1.2, attribute UnitFormat; ``PricingUnits.csv`` of the FinOps toolkit's open data for what Azure's mean.
A block keeps its size (`10000 Units`), so that price times quantity stays what the bill says.
"""

from __future__ import annotations

_TIMES = "Second|Minute|Hour|Day|Month|Year"


def azure_unit_sql(unit: str) -> str:
    """The SQL of Azure's UnitOfMeasure as FOCUS writes units; null where there is none.

    A block of a rate (`100 GB/Month`) is not in FOCUS' format and stays as it is.

    Example
    -------
    >>> import duckdb
    >>> units = ["10K", "1/Month", "1 Hour", "1 GB", "100 Hours", "1 GB Hour", "1M", "100 GB/Month"]
    >>> [duckdb.execute("SELECT " + azure_unit_sql("?::VARCHAR"), [one] * 9).fetchone()[0] for one in units]
    ['10000 Units', 'Units/Month', 'Hours', 'GB', '100 Hours', 'GB-Hours', '1000000 Units', '100 GB/Month']
    """
    text, digits = f"trim({unit})", f"regexp_extract(trim({unit}), '^[0-9]+')"
    size = (
        f"CASE WHEN regexp_full_match({text}, '[0-9]+K([ /].*)?') THEN {digits} || '000 ' "
        f"WHEN regexp_full_match({text}, '[0-9]+M([ /].*)?') THEN {digits} || '000000 ' "
        f"WHEN regexp_full_match({text}, '[0-9]+([ /].*)?') AND {digits} <> '1' THEN {digits} || ' ' ELSE '' END"
    )
    rest = f"regexp_replace({text}, '^[0-9]+[KM]?(?: +|(/)|$)', '\\1')"
    plural = f"regexp_replace({rest}, '(^| )({_TIMES})$', '\\1\\2s')"
    joined = f"regexp_replace({plural}, '^([A-Za-z][A-Za-z0-9 ]*) ((?:{_TIMES})s)$', '\\1-\\2')"
    named = f"regexp_replace({joined}, '^(/|$)', 'Units\\1')"
    return f"CASE WHEN trim({unit}) <> '' THEN {size} || {named} END"
