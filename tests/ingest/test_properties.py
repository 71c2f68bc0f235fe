"""Generated bills with every trap in them come back exactly as they were."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime
from decimal import Decimal, localcontext

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests_ingest import FOCUS_ROW, ask

from finops_kit.ingest import ingest_paths

AMOUNTS = st.decimals(min_value=-(10**13), max_value=10**13, allow_nan=False, places=None).filter(
    lambda value: value.as_tuple().exponent >= -60
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=12)


_START = datetime(2026, 9, 3, tzinfo=UTC)


def _written(amount: Decimal, how: str) -> str:
    return {"plain": format(amount, "f"), "exponent": f"{amount:E}", "padded": f" {amount:f} "}[how]


#: one instant in the spellings that bills have, and one set of tags in theirs
MOMENTS = (
    "2026-09-03T00:00:00Z",
    "2026-09-03 00:00:00",
    "2026-09-03T02:00:00+02:00",
    "2026-09-03",
)
TAGS = {'{"team": "core"}': {"team": "core"}, ' { " team" : "core"}': {"team": "core"}, '"team": "core"':
        {"team": "core"}, "team=core": {"team": "core"}, "NULL": None, "": None, "{}": {}}  # fmt: skip

ROWS = st.lists(
    st.fixed_dictionaries({
        "amount": AMOUNTS, "how": st.sampled_from(["plain", "exponent", "padded"]), "name": TEXTS, "extra": TEXTS,
        "currency": st.sampled_from(["EUR", "USD", "NOK", "MC"]), "moment": st.sampled_from(MOMENTS),
        "tags": st.sampled_from(list(TAGS)), "account": st.sampled_from(["007", "1234567890123", "a-0"]),
        "bad": st.sampled_from(["", "", "", "", "", "amount", "short", "no currency"]),
    }), min_size=1, max_size=25,
)  # fmt: skip


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=ROWS, delimiter=st.sampled_from([",", ";", "\t", "|"]), end=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from(["", "\ufeff"]),
)  # fmt: skip
def test_round_trip(tmp_path_factory, rows, delimiter, end, mark):
    from finops_kit.settings import Workspace
    from finops_kit.store import create_store

    folder = tmp_path_factory.mktemp("generated")
    workspace = Workspace(folder / "workspace")
    create_store(workspace)
    names = [name for name in FOCUS_ROW if name != "x_Batch"] + ["x_Extra", "x_End"]
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    writer.writerow(names)
    for row in rows:
        cost = "broken" if row["bad"] == "amount" else _written(row["amount"], row["how"])
        currency = "" if row["bad"] == "no currency" else row["currency"]
        values = {**FOCUS_ROW, "BilledCost": cost, "BillingCurrency": currency, "ServiceName": row["name"],
                  "x_Extra": row["extra"], "x_End": ".", "ChargePeriodStart": row["moment"], "Tags": row["tags"],
                  "BillingAccountId": row["account"]}  # fmt: skip
        writer.writerow([values[name] for name in names][: -1 if row["bad"] == "short" else None])
    (folder / "bill.csv").write_text(mark + out.getvalue(), encoding="utf-8", newline="")
    report = ingest_paths(workspace, [folder / "bill.csv"]).files[0]
    good = [(place, row) for place, row in enumerate(rows, start=1) if not row["bad"]]
    if not good:
        assert report.status == "refused"
        return
    assert (report.rows_read, report.rows_stored) == (len(rows), len(good)), report.reason
    with localcontext() as context:
        context.prec = 200
        step = Decimal(1).scaleb(-24)
        expected = [(place, row["amount"].quantize(step, rounding="ROUND_DOWN"), _stored(row["name"]),
                     _stored(row["extra"]), row["account"], TAGS[row["tags"]], _START)
                    for place, row in good]  # fmt: skip
        found = ask(workspace, 'SELECT source_row, "BilledCost", "ServiceName", "x_Columns"[\'x_Extra\'], '
                               '"BillingAccountId", "Tags", "ChargePeriodStart" FROM charge ORDER BY 1')  # fmt: skip
        assert found == expected
        for currency in {row["currency"] for _, row in good}:
            native = sum((row["amount"] for _, row in good if row["currency"] == currency), Decimal(0))
            assert report.control_totals[currency] == native


def _stored(text: str) -> str | None:
    return None if text in ("", "NULL") else text


SMALL = st.decimals(min_value=-(10**6), max_value=10**6, allow_nan=False, places=None).filter(
    lambda value: value.as_tuple().exponent >= -24
)


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(SMALL, st.lists(SMALL, max_size=3), st.sampled_from(["202608", "202609"]),
                            st.sampled_from([json.dumps, repr])), min_size=1, max_size=15),
)  # fmt: skip
def test_credits_in_json_or_python_and_months_that_are_not_those_of_use(tmp_path_factory, rows):
    from test_gcp import ROW, TRIAL, table

    from finops_kit.settings import Workspace
    from finops_kit.store import create_store

    folder = tmp_path_factory.mktemp("credits")
    create_store(workspace := Workspace(folder / "workspace"))
    marks = {f"@{i}@": row for i, row in enumerate(rows)}
    text = table(*({"cost": mark, "invoice": {"month": row[2]}, "credits": [mark]} for mark, row in marks.items()))
    lines = list(csv.reader(io.StringIO(text)))
    place, cost = lines[0].index("credits"), lines[0].index("cost")
    for found, (_, row) in zip(lines[1:], marks.items(), strict=True):
        written = row[3]([{**TRIAL, "amount": f"@{i}"} for i in range(len(row[1]))])
        for i, amount in enumerate(row[1]):
            written = re.sub(f"['\"]@{i}['\"]", f"{amount:E}", written)
        found[place], found[cost] = written, format(row[0], "f")
    out = io.StringIO(newline="")
    csv.writer(out).writerows(lines)
    (folder / "bill.csv").write_text(out.getvalue(), encoding="utf-8", newline="")
    report = ingest_paths(workspace, [folder / "bill.csv"]).files[0]
    assert (report.rows_stored, report.rows_quarantined) == (len(rows), 0), report.reason
    with localcontext() as context:
        context.prec = 100
        billed = {month: sum((row[0] + sum(row[1], Decimal(0)) for row in rows if row[2] == month), Decimal(0))
                  for month in {row[2] for row in rows}}  # fmt: skip
        assert report.control_totals == {ROW["currency"]: sum(billed.values(), Decimal(0))}
        assert dict(ask(workspace, "SELECT strftime(\"BillingPeriodStart\", '%Y%m'), sum(\"BilledCost\") FROM charge "
                                   "GROUP BY 1")) == billed  # fmt: skip
