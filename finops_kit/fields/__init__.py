"""Every column declared once: its type, its unit, its meaning and the FOCUS version that has it."""

from finops_kit.fields.focus import COST_COLUMNS, FOCUS_BY_NAME, FOCUS_FIELDS, FOCUS_VERSIONS, focus_columns
from finops_kit.fields.reference import REFERENCE_TABLES
from finops_kit.fields.tables import LINE_KEY, TABLES
from finops_kit.fields.types import COUNT, DAY, FLAG, MONEY, QUANTITY, TAGS, TEXT, TIME, Field, Table

__all__ = [
    "COST_COLUMNS", "COUNT", "DAY", "FLAG", "FOCUS_BY_NAME", "FOCUS_FIELDS", "FOCUS_VERSIONS", "Field", "LINE_KEY",
    "MONEY", "QUANTITY", "REFERENCE_TABLES", "TABLES", "TAGS", "TEXT", "TIME", "Table", "focus_columns",
]  # fmt: skip
