"""Parameters are judged before a run: a misspelt name or an ill-typed value never reaches a notebook."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from finops_kit.errors import ReportFailed, UsageError

_PERIOD = re.compile(r"^\d{4}-(0[1-9]|1[0-2])$")
_CURRENCY = re.compile(r"^[A-Z]{3}$")
_SCOPE = re.compile(r"^[A-Za-z_]\w*\s*=\s*[^=,]+$")


def declared_parameters(notebook: dict[str, Any], path: Path) -> dict[str, Any]:
    """The names and default values of a notebook's ``parameters`` cell.

    Raises
    ------
    ReportFailed : the notebook has no such cell, or holds more there than literals
    """
    for cell in notebook["cells"]:
        if "parameters" in cell.get("metadata", {}).get("tags", ()):
            source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
            values = {}
            for statement in ast.parse(source).body:
                if not (isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)):
                    raise ReportFailed(f"The parameters cell of {path.name} may hold literals only, one name a line.")
                values[statement.targets[0].id] = ast.literal_eval(statement.value)
            return values
    raise ReportFailed(f"{path.name} has no cell tagged 'parameters', so it cannot be run for a period or a version.")


def check_parameters(values: dict[str, Any], declared: dict[str, Any], name: str) -> None:
    """Hold the values of a run against what a notebook declares, and against what they mean.

    Raises
    ------
    UsageError : an unknown name, a value of another type, or one that cannot be a period, scope or currency

    Example
    -------
    >>> check_parameters({"period": "2025-13"}, {"period": ""}, "finance")
    Traceback (most recent call last):
    finops_kit.errors.UsageError: The period '2025-13' is no month. Write it as YYYY-MM, such as 2025-03.
    """
    for key, value in values.items():
        if key not in declared:
            raise UsageError(f"The notebook '{name}' has no parameter '{key}'; it has {', '.join(sorted(declared))}.")
        if type(value) is not type(declared[key]):
            raise UsageError(
                f"The parameter '{key}' of the notebook '{name}' takes {type(declared[key]).__name__}, such as "
                f"{declared[key]!r}; {value!r} is {type(value).__name__}."
            )
    period, scope, currency = (values.get(key) or "" for key in ("period", "scope", "currency"))
    if period and not _PERIOD.match(period):
        raise UsageError(f"The period '{period}' is no month. Write it as YYYY-MM, such as 2025-03.")
    if currency and not _CURRENCY.match(currency):
        raise UsageError(f"The currency '{currency}' is none. Write three capital letters, such as EUR.")
    for part in scope.split(",") if scope else ():
        if not _SCOPE.match(part.strip()):
            raise UsageError(f"The scope '{scope}' is not understood at '{part}'. Write service=payments,team=core.")
