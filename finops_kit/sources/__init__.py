"""Observe: one module per source format; each recognises its files and opens them as rows of text."""
