"""The style sheet: the parts of a page (also in a notebook), and the page around them."""

from __future__ import annotations

import re
from importlib.resources import files

from finops_kit.publish.theme import MONO, SANS, css_variables


def asset(name: str) -> str:
    """One file of the page's own assets, as text."""
    return (files("finops_kit.publish") / "assets" / name).read_text(encoding="utf-8")


def _sheet(name: str) -> str:
    plain = re.sub(r"/\*.*?\*/", "", asset(name), flags=re.S)
    return plain.replace("var(--sans)", SANS).replace("var(--mono)", MONO)


#: in JupyterLab the parts follow its theme
NOTEBOOK_STYLE = (
    f'<style data-finops="notebook">.fk{{{css_variables("light")}}}'
    f'body[data-jp-theme-light="false"] .fk{{{css_variables("dark")}}}{_sheet("parts.css")}</style>'
)


def page_css() -> str:
    """The whole style sheet of a page: light unless the reader's system or the toggle says dark; print is light."""
    light, dark = css_variables("light"), css_variables("dark")
    return (
        f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root:not([data-scheme=light]){{{dark};"
        f"color-scheme:dark}}}}@media screen{{:root[data-scheme=dark]{{{dark}}}}}"
        f"{_sheet('parts.css')}{_sheet('page.css')}"
    )
