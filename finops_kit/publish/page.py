"""An executed notebook as one self-contained HTML file that asks for nothing: no network, no fonts, no icon.

Sources are left out. Charts are drawn in the reader's browser by the one bundled script, without ``eval``;
a content security policy lets through this page's own scripts and styles by their hash and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finops_kit.perspectives.reading import PERSPECTIVES
from finops_kit.publish.bundle import vega_bundle
from finops_kit.publish.grid import NARROW
from finops_kit.publish.html import details, sentence, text
from finops_kit.publish.specs import SCHEMA
from finops_kit.publish.style import asset, page_css
from finops_kit.publish.theme import vega_config

ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Crect width='16' height='16' rx='3' fill='%231d4f7c'/%3E"
    "%3Cpath d='M3 12V8h2v4zM7 12V5h2v7zM11 12V3h2v9z' fill='%23fff'/%3E%3C/svg%3E"
)
_VEGALITE = re.compile(r"^application/vnd\.vegalite\.v\d+(\+|\.)json$")
#: the style sheet that a part brings along for JupyterLab, of this version of the kit or an earlier one
_STYLE = re.compile(r'^<style data-finops="notebook">.*?</style>', re.S)
#: charts list at most this many rows under "The numbers"
_LISTED = 60


@dataclass
class Document:
    """A page while it is put together: its body, the data blocks that its charts read, and each chart's numbers.

    ``numbers`` holds, by place in the body, the table that a chart shows on demand. It is left out where the
    table of the same result follows the chart anyway.
    """

    body: list[str]
    blocks: list[str]
    numbers: dict[int, tuple[str, str]] = field(default_factory=dict)

    def joined(self) -> str:
        """The body as HTML."""
        parts = []
        for place, part in enumerate(self.body):
            key, listed = self.numbers.get(place, ("", ""))
            following = self.body[place + 1] if place + 1 < len(self.body) else ""
            opening = following[: following.find(">", len('<div class="fk"><section')) + 1]
            said = re.search(rf'data-key="{re.escape(text(key))}"( data-fold)?>$', opening)
            if key and said:
                parts.append(part.replace("<!--numbers-->", "").replace('class="chart"', 'class="chart fk-leads"'))
            else:
                parts.append(part.replace("<!--numbers-->", listed))
        return "\n".join(parts)


def data_block(identity: str, value: Any) -> str:
    """A JSON data block that cannot end early, whatever the data says.

    Example
    -------
    >>> data_block("a", "</script>")
    '<script type="application/json" id="a">"\\\\u003c/script\\\\u003e"</script>'
    """
    plain = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    safe = plain.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    safe = safe.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f'<script type="application/json" id="{text(identity)}">{safe}</script>'


def _digest(content: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode() + "'"


def _numbers_table(about: dict[str, Any]) -> str:
    columns = about["columns"]
    if not columns or not about["rows"]:
        return ""

    def said(name: str) -> str:
        unit = about["units"].get(name, "")
        return text(about["labels"].get(name, name) + (f", {unit}" if unit else ""))

    number = {name: " class=fk-num" if about["units"].get(name) else "" for name in columns}
    wide, role = (" fk-wide", 'role="{}"'.format) if len(columns) > NARROW else ("", lambda _: "")
    heads = "".join(f"<th scope=col {role('columnheader')}{number[n]}>{said(n)}</th>" for n in columns)
    rows = "".join(
        f"<tr {role('row')}><th scope=row {role('rowheader')}>{text(row[columns[0]])}</th>"
        + "".join(f'<td {role("cell")} data-label="{said(n)}"{number[n]}>{text(row[n])}</td>' for n in columns[1:])
        + "</tr>"
        for row in about["rows"][:_LISTED]
    )
    more = about["total_rows"] - min(len(about["rows"]), _LISTED)
    note = (
        f'<p class="fk-note">{more:,} more rows are in the result table {text(about["key"])}.parquet.</p>'
        if more
        else ""
    )
    head = f"<thead {role('rowgroup')}><tr {role('row')}>{heads}</tr></thead>"
    body = f"<tbody {role('rowgroup')}>{rows}</tbody>"
    return details(
        "The numbers",
        f'<div class="fk-scroll" tabindex="0" role="region" aria-label="Numbers of {text(about["title"])}">'
        f'<table class="fk-table{wide}" {role("table")}>{head}{body}</table></div>{note}',
    )


def add_chart(document: Document, spec: dict[str, Any]) -> None:
    """A chart as a figure: caption, the drawing's place, and its numbers for those who do not see it."""
    about = spec.get("usermeta", {}).get("finops", {})
    plain = {key: value for key, value in spec.items() if key not in {"usermeta", "config", "title", "background"}}
    plain |= {"$schema": SCHEMA, "width": "container"}
    title, question = about.get("title", ""), about.get("question", "")
    answer = about.get("answer", "")
    first, then = (sentence(answer), f"{text(title)}. {text(question)}") if answer else (text(title), text(question))
    caption = f"<figcaption><strong>{first}</strong> {then}</figcaption>" if title else ""
    if about and not about.get("total_rows"):
        said = spec.get("mark", {}).get("text", "There is nothing to show.")
        document.body.append(f'<figure class="chart">{caption}<p>{sentence(said)}</p></figure>')
        return
    identity = f"chart-{len(document.blocks) + 1}"
    document.blocks.append(data_block(identity, plain))
    if about:
        document.numbers[len(document.body)] = (about["key"], f'<div class="fk">{_numbers_table(about)}</div>')
    document.body.append(
        f'<figure class="chart">{caption}<div class="plot" data-chart="{identity}" role="img" '
        f'aria-label="Chart: {text(spec.get("description", title))}"></div>'
        '<noscript><p class="fk-note">A script draws this chart; its numbers stand below.</p></noscript>'
        "<!--numbers--></figure>"
    )


def _markdown(source: str) -> str:
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    rendered = MarkdownWithMath(renderer=IPythonRenderer(escape=True, exclude_anchor_links=True)).render(source)
    return re.sub(r"<h([1-6])", r'<h\1 class="section"', rendered)


def _add_output(document: Document, output: dict[str, Any]) -> None:
    kind = output["output_type"]
    if kind == "stream":
        if output["name"] == "stdout":  # warnings belong in the log
            document.body.append(f'<pre class="prose">{text(_joined(output["text"]))}</pre>')
        return
    if kind not in {"display_data", "execute_result"}:
        return
    data = output["data"]
    if "application/vnd.jupyter.widget-view+json" in data:  # a progress bar, say: it lives in a kernel only
        return
    for mime, value in data.items():
        if _VEGALITE.match(mime):
            add_chart(document, value if isinstance(value, dict) else json.loads(_joined(value)))
            return
    body = _STYLE.sub("", _joined(data.get("text/html", "")), count=1)
    if body.startswith('<div class="fk">'):
        document.body.append(body)
    elif "image/png" in data:
        alt = text(_joined(data.get("text/plain", "Picture")))
        document.body.append(
            f'<img alt="{alt}" src="data:image/png;base64,{text(_joined(data["image/png"]).strip())}">'
        )
    elif "text/plain" in data:
        document.body.append(f'<pre class="prose">{text(_joined(data["text/plain"]))}</pre>')


def _joined(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "".join(value)


def navigation(current: str) -> str:
    """The bar above every page: home, the six perspectives, the live view where the page is served."""
    links = [("index", "Overview"), *((name, name.title()) for name in PERSPECTIVES)]
    shown = "".join(
        f'<a href="{name}.html"{" aria-current=page" if name == current else ""}>{label}</a>' for name, label in links
    )
    return (
        '<div class="bar"><div class="bar-in"><a class="brand" href="index.html">FinOps workbench</a>'
        f'<nav class="nav" aria-label="Perspectives">{shown}<a href="live" data-served hidden>Live</a></nav>'
        '<button class="toggle" id="fk-toggle" type="button" hidden>Dark view</button></div></div>'
    )


def assemble(title: str, current: str, document: Document, cache: Path | None = None) -> str:
    """The whole file around a body: policy, style, navigation, data blocks and scripts."""
    style = page_css()
    scripts = [vega_bundle(cache)] if document.blocks else []
    scripts.append(asset("page.js"))
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(map(_digest, scripts))}",
            f"style-src {_digest(style)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    themes = data_block("fk-themes", {"light": vega_config("light"), "dark": vega_config("dark")})
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f'<title>{text(title)} · FinOps workbench</title><link rel="icon" href="{ICON}"><style>{style}</style></head>\n'
        f'<body><a class="skip" href="#content">Skip to the content</a>{navigation(current)}\n'
        f'<main id="content">{document.joined()}</main>\n{themes}{"".join(document.blocks)}\n'
        f"{''.join(f'<script>{script}</script>' for script in scripts)}</body></html>\n"
    )


def build_page(notebook: dict[str, Any], perspective: str, title: str, cache: Path | None = None) -> str:
    """One executed notebook as one HTML file.

    Parameters
    ----------
    notebook : the executed notebook, nbformat 4
    perspective : which page of the navigation is the current one
    title : the title of the browser tab
    cache : where the drawing script is kept between runs

    Returns
    -------
    The page. Text of code cells is left out; text, tables and charts stay.
    """
    document = Document([], [])
    for place, cell in enumerate(notebook["cells"]):
        source = _joined(cell["source"])
        if cell["cell_type"] == "markdown":
            # the first cell says title and audience in the notebook; the header says them on the page
            if not (place == 0 and source.lstrip().startswith("# ")):
                document.body.append(f'<div class="prose">{_markdown(source)}</div>')
        elif cell["cell_type"] == "code":
            for output in cell.get("outputs", ()):
                _add_output(document, output)
    return assemble(title, perspective, document, cache)
