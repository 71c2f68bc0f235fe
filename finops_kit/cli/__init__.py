"""The command line. Commands live one to a module and import what is heavy only when they run."""

from __future__ import annotations

from finops_kit.cli.app import app, main

__all__ = ["app", "main"]
