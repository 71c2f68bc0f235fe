"""Observe: one module per source format; each recognises its files and opens them as rows of text."""

from finops_kit.sources.formats import FORMATS, Format, find_format

__all__ = ["FORMATS", "Format", "find_format"]
