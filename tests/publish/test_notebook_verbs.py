"""The verbs that show a reading: accessible, escaped, and honest about what is missing."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from html.parser import HTMLParser

import pandas as pd
import pyarrow as pa
import pytest

from finops_kit.errors import UsageError
from finops_kit.perspectives.reading import NextStep, Reading, ResultTable
from finops_kit.publish import notebook as page
from finops_kit.publish.result import RESULT_MIME, decode_table


class Elements(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.found.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def html_of(part: page.Part) -> str:
    return part.body


def test_the_header_says_what_a_reader_judges_by(reading: Reading) -> None:
    body = html_of(page.header(reading)).replace("\N{NO-BREAK SPACE}", " ")
    for said in (
        "Controllers and the head of finance", "Finance", "June cost EUR 102,529.50", "June 2025", "everything",
        "EUR 102,529.50", "41", "2025-07-02 06:30 UTC", "aws-cur", "kubernetes", "30 hours", "30 minutes", "never",
        "This role owns", "Budgets and forecasts", "This role does not own", "Contract negotiation",
    ):  # fmt: skip
        assert said in body, said


def test_figures_have_a_status_in_words_and_a_way_back(reading: Reading) -> None:
    body = html_of(page.figures(reading))
    assert ">Off target<" in body
    assert ">On target<" in body
    assert "finops trace effective_cost --period 2025-06" in body
    assert "--as-of 41" in body
    # a filter that would break out of the shell stays one quoted word
    assert "&#x27;service_id=pay&quot;ments; rm -rf&#x27;" in body


def test_a_missing_figure_says_why_and_is_no_zero(reading: Reading) -> None:
    body = html_of(page.figures(reading, ["roi"]))
    assert "—" in body
    assert "No decision has been recorded yet" in body
    assert "0.00" not in body


def test_tables_are_accessible(reading: Reading) -> None:
    elements = Elements(html_of(page.table(reading, "top_services"))).found
    tags = [tag for tag, _ in elements]
    assert tags.count("caption") == 1
    heads = [attrs for tag, attrs in elements if tag == "th"]
    assert {attrs["scope"] for attrs in heads} == {"col", "row"}
    assert next(a for t, a in elements if a.get("role") == "region")["tabindex"] == "0"
    numbers = [attrs for tag, attrs in elements if tag == "td" and attrs.get("class") == "fk-num"]
    assert len(numbers) == 6 * 3


def test_money_carries_its_currency_in_the_head(reading: Reading) -> None:
    body = html_of(page.table(reading, "top_services"))
    assert 'Effective cost <span class="fk-unit">EUR</span>' in body
    assert ">48,210.25<" in body
    assert "is no value in the store, not zero" in body


def test_nothing_from_data_becomes_markup(reading: Reading) -> None:
    for part in (
        page.header(reading),
        page.figures(reading),
        page.table(reading, "top_services"),
        page.footer(reading),
    ):
        assert "<script" not in part.body
        assert "<b>on purpose" not in part.body
        Elements(part.body)  # well-formed


def test_a_long_table_shows_its_first_rows_folds_the_rest_and_says_what_it_leaves_out(reading: Reading) -> None:
    body = html_of(page.table(reading, "monthly", rows=10))
    seen, folded = body.split('<details class="fk-details fk-more"><summary>90 more rows</summary>')
    assert (seen.count("<tr"), folded.count("<tr")) == (1 + 10, 1 + 90)  # each with its heads
    assert "100 of 108 rows; the result table monthly.parquet has them all." in folded


def test_what_is_folded_says_what_is_in_it(reading: Reading) -> None:
    whole = dataclasses.replace(reading.tables["top_services"], answer="payments spends EUR 48,210.25, 47 %.")
    told = dataclasses.replace(reading, tables={"top_services": whole})
    body = html_of(page.table(told, "top_services", ["service_id", "EffectiveCost"], fold=True))
    summary = body[body.index("<summary") : body.index("</summary>")]
    assert "payments spends EUR\xa048,210.25, 47\xa0%." in summary  # an amount is not parted from its currency
    assert "Spend by service" in summary and "6 rows" in summary
    assert "top_services.parquet also says: team, change, requests." in body
    Elements(body)


def test_a_long_identifier_opens_and_a_column_without_a_value_is_named(reading: Reading) -> None:
    where = "/subscriptions/3f0a6c1e/resourceGroups/rg-core/providers/Microsoft.Compute/disks/ledger-old"
    frame = pd.DataFrame({"resource_id": [where], "cost": [Decimal("1.5")], "cause": [None]})
    told = dataclasses.replace(reading, tables={"t": ResultTable("t", "Disks", "Which?", frame, {"cost": "EUR"})})
    body = html_of(page.table(told, "t"))
    assert "<summary>…/Microsoft.Compute/disks/ledger-old</summary>" in body and f">{where}</span></details>" in body
    assert "No row has a value for cause." in body and ">Cause<" not in body


def test_numbers_of_a_column_share_their_decimals(reading: Reading) -> None:
    frame = pd.DataFrame({"what": ["a", "b"], "vcpu": [43, 222.5], "rate": [0.0245, 3.0]})
    told = dataclasses.replace(reading, tables={"t": ResultTable("t", "T", "Q?", frame)})
    body = html_of(page.table(told, "t"))
    assert ">43.00<" in body and ">222.50<" in body and ">0.0245<" in body and ">3<" in body


def test_the_header_asks_for_the_next_steps_and_says_how_old_the_data_are(reading: Reading) -> None:
    steps = (NextStep("Sign off June <b>.", "reconciliation", "finops close --period 2025-06"), NextStep("Ask."))
    body = html_of(page.header(dataclasses.replace(reading, next_steps=steps)))
    assert '<li>Sign off June &lt;b&gt;. <a href="#table-reconciliation">See why</a> ' in body
    assert '<code class="fk-command">finops close --period 2025-06</code></li><li>Ask.</li>' in body
    assert "2025-07-01, 30 hours old; 1 unknown" in body  # the source that lags most
    assert "fk-next" not in html_of(page.header(reading))


def test_an_empty_table_says_why(reading: Reading) -> None:
    assert "No contract file has been ingested" in html_of(page.table(reading, "empty"))


@pytest.mark.parametrize("ask", [lambda r: page.table(r, "nope"), lambda r: page.figures(r, ["nope"]),
                                 lambda r: page.table(r, "monthly", columns=["nope"])])  # fmt: skip
def test_an_unknown_name_is_refused_with_the_known_ones(reading: Reading, ask) -> None:
    with pytest.raises(UsageError, match="it has"):
        ask(reading)


def test_the_footer_carries_the_result_without_loss(reading: Reading) -> None:
    footer = page.footer(reading)
    bundle = footer._repr_mimebundle_()
    machine = bundle[RESULT_MIME]
    assert Decimal(machine["reading"]["grand_total"]) == reading.grand_total
    spend = decode_table(machine["arrow"]["top_services"])
    assert pa.types.is_decimal(spend.schema.field("EffectiveCost").type)
    assert sum(spend["EffectiveCost"].to_pylist()) == reading.tables["top_services"].frame["EffectiveCost"].sum()
    assert "finops report finance --period 2025-06" in footer.body
    assert reading.ledger_head in footer.body


def test_the_footer_prints_the_root_and_says_whether_somebody_signed_it(reading: Reading) -> None:
    root = "ab" * 32
    unsigned = page.footer(dataclasses.replace(reading, ledger_size=1300, ledger_root=root)).body
    assert f"finops ledger check --root {root} --size 1300" in unsigned
    assert "1,300 entries, not signed" in unsigned
    signed = page.footer(dataclasses.replace(reading, ledger_size=1, ledger_root=root, ledger_signed_by="cd" * 32)).body
    assert "not signed" not in signed and "cd" * 32 in signed
