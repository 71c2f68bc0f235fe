"""Recommendations, roles and maturity: rows for people to decide on; nothing is executed."""
