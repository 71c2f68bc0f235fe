"""The page of sources is the declared table, and names every billing format."""

from __future__ import annotations

from pathlib import Path

from finops_kit.normalize.gaps import MAPPINGS, page
from finops_kit.sources import FORMATS

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_page_says_what_is_declared():
    written = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    assert page() in written, "write it anew: python -m finops_kit.normalize.gaps > docs/sources.md"


def test_every_billing_format_is_on_it():
    from finops_kit.sources.formats import find_format

    bills = {name for name in FORMATS if find_format(name).table == "charge"}
    assert {name for mapping in MAPPINGS for name in mapping.formats} >= bills - {"mapping"}
