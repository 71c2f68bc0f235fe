"""Interpretation, pure: table expressions in, table expressions out; no connection, no file, no clock."""
