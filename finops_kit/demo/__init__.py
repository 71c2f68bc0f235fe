"""The demo estate: an invented IT provider's native files with a known truth; imports the ground only."""

from finops_kit.demo.generate import generate

__all__ = ["generate"]
