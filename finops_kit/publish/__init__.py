"""Pages for people: theme, charts, notebook verbs, the runner that publishes, the server that shows.

What is heavy is imported when it is used, so that a notebook or a viewer's kernel stays small.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Page", "RunReport", "run_reports", "serve"]


def __getattr__(name: str) -> Any:
    if name in {"run_reports", "RunReport", "Page"}:
        from finops_kit.publish import runner

        return getattr(runner, name)
    if name == "serve":
        from finops_kit.publish.server import serve

        return serve
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
