"""Generated bills with every trap in them come back exactly as they were."""

from __future__ import annotations

import csv
import io
from decimal import Decimal, localcontext

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests_ingest import FOCUS_ROW, ask

from finops_kit.ingest import ingest_paths

AMOUNTS = st.decimals(min_value=-(10**13), max_value=10**13, allow_nan=False, places=None).filter(
    lambda value: value.as_tuple().exponent >= -60
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=12)


def _written(amount: Decimal, how: str) -> str:
    return {"plain": format(amount, "f"), "exponent": f"{amount:E}", "padded": f" {amount:f} "}[how]


ROWS = st.lists(
    st.fixed_dictionaries({
        "amount": AMOUNTS, "how": st.sampled_from(["plain", "exponent", "padded"]), "name": TEXTS, "extra": TEXTS,
        "currency": st.sampled_from(["EUR", "USD"]), "bad": st.sampled_from(
            ["", "", "", "", "", "amount", "short", "no currency"]),
    }), min_size=1, max_size=25,
)  # fmt: skip


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, delimiter=st.sampled_from([",", ";", "\t", "|"]), end=st.sampled_from(["\n", "\r\n"]))
def test_round_trip(tmp_path_factory, rows, delimiter, end):
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
                  "x_Extra": row["extra"], "x_End": "."}  # fmt: skip
        writer.writerow([values[name] for name in names][: -1 if row["bad"] == "short" else None])
    (folder / "bill.csv").write_text(out.getvalue(), encoding="utf-8", newline="")
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
                     _stored(row["extra"])) for place, row in good]  # fmt: skip
        found = ask(
            workspace, 'SELECT source_row, "BilledCost", "ServiceName", "x_Columns"[\'x_Extra\'] FROM charge ORDER BY 1'
        )
        assert found == expected
        for currency in {row["currency"] for _, row in good}:
            native = sum((row["amount"] for _, row in good if row["currency"] == currency), Decimal(0))
            assert report.control_totals[currency] == native


def _stored(text: str) -> str | None:
    return None if text in ("", "NULL") else text
