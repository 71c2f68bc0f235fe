"""Decide and govern: recommendations as rows, roles with negative scope, maturity from evidence."""
