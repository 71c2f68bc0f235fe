"""Rules about tags: a file like every other source, checked by line and key, effective-dated and versioned."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from tests_ingest import ask, fingerprint, focus_text

from finops_kit.errors import SourceRefused
from finops_kit.ingest import ingest_paths
from finops_kit.normalize.tag_rules import read_tag_rules
from finops_kit.perspectives.basis import Basis
from finops_kit.store import open_reader
from finops_kit.value.tags import as_rules, required_dimensions, tag_readings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "tags.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"```yaml\n(.*?)```", PAGE, re.S)[1]
RULES = "tag_rules: 1\n"


def test_the_example_of_the_page_is_what_it_says(store, write):
    one = ingest_paths(store, [write("ours.yaml", EXAMPLE)], actor="kim").files[0]
    assert (one.status, one.format, one.rows_read, one.rows_stored) == ("stored", "tag-rules", 20, 20)
    assert ask(store, "SELECT actor, rows_stored FROM ledger WHERE format = 'tag-rules'") == [("kim", 20)]
    with open_reader(store) as reader:
        rules = as_rules(reader.backend.to_pyarrow(reader.table("tag_rule")).to_pylist())
    june, july = (
        tag_readings(["owner", "crew", "squad", "corp:team", "Kst-Nr", "aws:environment", "aws:team"], rules)[name]
        for name in ("team", "cost_center")
    )
    assert july[0].keys == ("Kst-Nr",)
    assert [(str(one.starts), one.keys) for one in june] == [
        ("None", ("corp:team", "squad")), ("2026-01-01", ("corp:team", "squad")),
        ("2026-07-01", ("corp:team", "squad", "crew")),
    ]  # fmt: skip
    (now, *_, last) = tag_readings(["aws:environment"], rules)["environment"]
    assert now.keys == ("aws:environment",) and now.case == "lower"
    assert now.values == (("prod", ("prod", "production", "live")), ("test", ("qa", "test", "staging")))
    assert str(last.starts) == "2026-04-01" and dict(last.values)["test"] == ("qa", "test")
    assert required_dimensions(rules, date(2026, 7, 1)) == (
        "service_id", "team", "environment", "cost_center", "business_unit")  # fmt: skip
    reasons = {row[0] for row in ask(store, "SELECT DISTINCT reason FROM tag_rule")}
    assert reasons == {"renamed", "Cost centres as the ledger spells them (ticket FIN-88)"}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("tag_rules: 2", 1, "only version 1"),
        ("tag_rules: 1\nkey: {team: [x]}", 2, "Did you mean keys"),
        ("tag_rules: 1\nkeys:\n  tem: [x]", 3, "Did you mean team"),
        ("tag_rules: 1\nkeys: {team: x}", 2, "a list is expected"),
        ("tag_rules: 1\nkeys: {team: [{valid_from: 2026-01-01}]}", 2, "spelling: is missing"),
        ("tag_rules: 1\nkeys: {team: [{spelling: x, from: 2026-01-01}]}", 2, "valid_from"),
        ("tag_rules: 1\nkeys: {team: [{spelling: x, valid_from: 2026-13-01}]}", 2, "is no day"),
        ("tag_rules: 1\nkeys: {team: [{spelling: x, valid_from: yesterday}]}", 2, "is no day"),
        ("tag_rules: 1\nkeys: {team: [{spelling: x, valid_from: 2026-02-01, valid_to: 2026-02-01}]}", 2, "not after"),
        ("tag_rules: 1\nkeys:\n  team: [crew]\n  tenant: [Crew]", 4, "ruled in line 3 already"),
        ("tag_rules: 1\nkeys:\n  team: [app]", 3, "means service_id already"),
        ("tag_rules: 1\nkeys: {team: [{spelling: owner, ignore: maybe}]}", 2, "true or false"),
        ("tag_rules: 1\nvalues:\n  team:\n    a: [x]\n    b: [X]", 5, "ruled in line 4 already"),
        ("tag_rules: 1\nvalues:\n  team:\n    a: [b]\n    b: [c]", 5, "itself a spelling of 'a'"),
        ("tag_rules: 1\nvalues:\n  team:\n    a: [x]\n    A: [y]", 4, "itself a spelling of 'A'"),
        ("tag_rules: 1\ncase: {environment: small}", 2, "expected lower, upper, keep"),
        ("tag_rules: 1\nprefixes: {'user:': away}", 2, "expected keep, drop"),
        ("tag_rules: 1\nrequired: [owner]", 2, "is no governed tag"),
        ("tag_rules: 1\nkeys: {team: [a], team: [b]}", 2, "stands here twice"),
        ("tag_rules: 1\nkeys: [", 2, "no readable YAML"),
    ],
)  # fmt: skip
def test_a_fault_is_one_sentence_with_its_line(text, line, said):
    with pytest.raises(SourceRefused) as refused:
        read_tag_rules(text.encode(), "ours.yaml")
    message = str(refused.value)
    assert f"ours.yaml, line {line}" in message and said in message and "docs/tags.md" in message
    assert "\n" not in message


def test_the_same_spelling_may_change_its_meaning_from_a_day_on():
    text = (
        RULES + "values: {team: {a: [{spelling: x, valid_to: 2026-01-01}], b: [{spelling: x, valid_from: 2026-01-01}]}}"
    )
    assert [(rule["spelling"], rule["meaning"]) for rule in read_tag_rules(text.encode(), "t")] == [
        ("x", "a"), ("x", "b")]  # fmt: skip


def test_a_faulty_file_leaves_the_store_as_it_was_and_the_others_come_in(store, write):
    before = fingerprint(store)
    refused = ingest_paths(store, [write("bad.yaml", RULES + "keys: {tem: [x]}")]).files[0]
    assert refused.status == "refused" and "tem" in refused.reason and fingerprint(store) == before


BILL = focus_text(
    {"ChargePeriodStart": "2026-09-03T00:00:00Z", "Tags": '{"team": "billing"}', "EffectiveCost": "1.25"},
    {"ChargePeriodStart": "2026-09-20T00:00:00Z", "ChargePeriodEnd": "2026-09-21T00:00:00Z",
     "Tags": '{"team": "billing"}', "EffectiveCost": "2.50"},
)  # fmt: skip


def by_team(store, version=None):
    with open_reader(store, version) as reader:
        basis = Basis(reader, "2026-09")
        rows = basis.rows(basis.now.group_by("team").agg(cost=basis.now.EffectiveCost.sum()).order_by("team"))
        return {row["team"]: row["cost"] for row in rows}


def test_a_rule_corrected_later_changes_only_what_it_names_and_the_old_report_reproduces(store, write):
    first = ingest_paths(store, [write("bill.csv", BILL)]).store_version
    rule = "values: {team: {payments: [{spelling: billing, valid_from: %s}]}}\n"
    second = ingest_paths(store, [write("a.yaml", RULES + rule % "2026-09-01")]).store_version
    third = ingest_paths(store, [write("b.yaml", RULES + rule % "2026-09-20")]).store_version
    whole, early, late = Decimal("3.75"), Decimal("1.25"), Decimal("2.50")
    assert by_team(store) == {"billing": early, "payments": late}
    assert by_team(store, third) == {"billing": early, "payments": late}
    assert by_team(store, second) == {"payments": whole}
    assert by_team(store, first) == {"billing": whole}
    # who turns back to an earlier file gets it, and its content twice adds nothing
    again = ingest_paths(store, [write("a.yaml", RULES + rule % "2026-09-01")]).files[0]
    assert again.status == "stored" and by_team(store) == {"payments": whole}
    assert ingest_paths(store, [write("c.yaml", RULES + rule % "2026-09-01")]).files[0].status == "unchanged"
    # a file without rules takes all of them back
    none = ingest_paths(store, [write("none.yaml", RULES)]).files[0]
    assert "no longer hold" in none.reason and by_team(store) == {"billing": whole}
    said = ask(store, "SELECT count(*), sum(rows_stored) FROM ledger WHERE format = 'tag-rules'")
    assert said == [(4, 3)] and ask(store, "SELECT count(*) FROM tag_rule_history") == [(3,)]
    assert json.loads(ask(store, "SELECT max(details) FROM ledger")[0][0]) is not None
