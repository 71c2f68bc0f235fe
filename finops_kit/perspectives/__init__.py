"""Six readings of one truth: which measures, in which order, for whom; and the way back to the charges.

Everything is imported when it is first asked for, so that a page or a live dashboard that only needs the shape
of a reading starts without the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finops_kit.perspectives.reading import PERSPECTIVES, DataAge, Figure, Reading, ResultTable

if TYPE_CHECKING:
    from finops_kit.perspectives.difference import Difference, explain_difference
    from finops_kit.perspectives.measures import MEASURES, Measure
    from finops_kit.perspectives.read import open_basis, read_basis, read_perspective
    from finops_kit.perspectives.trace import Trace, trace_measure

_LAZY = {
    "MEASURES": "measures", "Measure": "measures", "open_basis": "read", "read_basis": "read",
    "read_perspective": "read", "Trace": "trace", "trace_measure": "trace", "Difference": "difference",
    "explain_difference": "difference",
}  # fmt: skip

__all__ = [
    "MEASURES", "PERSPECTIVES", "DataAge", "Difference", "Figure", "Measure", "Reading", "ResultTable", "Trace",
    "explain_difference", "open_basis", "read_basis", "read_perspective", "trace_measure",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
