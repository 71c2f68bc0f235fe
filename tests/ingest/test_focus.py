"""FOCUS bills in: exact sums, every trap of real files, nothing dropped."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests_ingest import FOCUS_ROW, ask, focus_text

from finops_kit.ingest import ingest_paths
from finops_kit.ingest.recognise import open_source, plan_of
from finops_kit.normalize.exact import prepare
from finops_kit.sources.formats import FOCUS_NEEDS
from finops_kit.store.verify import verify


def test_a_row_is_stored_as_it_stands(store, write):
    path = write("bill.csv", focus_text({}))
    report = ingest_paths(store, [path]).as_dict()
    batch = report["files"][0].pop("batch_id")
    assert report == {
        "files": [{
            "path": str(path), "format": "focus-1.0", "status": "stored", "reason": "", "rows_read": 1,
            "rows_stored": 1, "rows_quarantined": 0, "control_totals": {"EUR": "1.5"}, "counts": True,
        }],
        "store_version": report["store_version"],
    }  # fmt: skip
    row = ask(store, 'SELECT "BilledCost", "BillingAccountId", "ChargePeriodStart", "Tags", "x_Columns", '
                     "source_system, batch_id, source_row, \"PublisherName\" FROM charge")[0]  # fmt: skip
    assert row == (Decimal("1.5"), "001234567890", datetime(2026, 9, 3, tzinfo=UTC), {"team": "core"},
                   {"x_Batch": "17"}, "focus", batch, 1, None)  # fmt: skip


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("0.00000000232", "0.00000000232"), ("2.32E-9", "0.00000000232"), ("-1.5e2", "-150"), ("+.5", "0.5"),
        ("7.", "7"), (" 12 ", "12"), ("12345678901234.123456789012345678901234", None),
        ("0.123456789012345678901234", None), ("00000000000000000000000000001.5", "1.5"), ("0E30", "0"),
        ("1234567.12345678901", None), ("12345678.123456789012", None),
    ],
)  # fmt: skip
def test_money_keeps_every_digit(store, write, written, stored):
    ingest_paths(store, [write("bill.csv", focus_text({"BilledCost": written}))])
    assert ask(store, 'SELECT "BilledCost" FROM charge') == [(Decimal(stored or written.strip()),)]


def test_digits_beyond_the_stored_scale_are_kept_as_a_figure_of_their_own(store, write):
    rows = [{"BilledCost": "0.1234567890123456789012345"}, {"BilledCost": "1.0000000000000000000000007"},
            {"BilledCost": "-2E-25", "BillingCurrency": "USD"}]  # fmt: skip
    report = ingest_paths(store, [write("bill.csv", focus_text(*rows))])
    totals = report.files[0].control_totals
    remainders = {k: Decimal(v) for k, v in json.loads(ask(store, "SELECT remainders FROM ledger")[0][0]).items()}
    assert totals == {"EUR": Decimal("1.1234567890123456789012352"), "USD": Decimal("-2E-25")}
    stored = dict(ask(store, 'SELECT "BillingCurrency", sum("BilledCost") FROM charge GROUP BY 1'))
    assert {currency: stored[currency] + remainders[currency] for currency in stored} == totals
    assert not verify(store).findings


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-09-03 00:00:00", "2026-09-03T00:00:00"), ("2026-09-03", "2026-09-03T00:00:00"),
        ("2026-09-03T00:00:00.000Z", "2026-09-03T00:00:00"), ("2026-09-03T02:00:00+02:00", "2026-09-03T00:00:00"),
        ("2026-09-02 20:00:00-0400", "2026-09-03T00:00:00"), ("2026-09-03T00:00", "2026-09-03T00:00:00"),
        ("2026-09-03 00:00:00 UTC", "2026-09-03T00:00:00"),
    ],
)  # fmt: skip
def test_times_are_utc_in_every_spelling(store, write, written, meant):
    ingest_paths(store, [write("bill.csv", focus_text({"ChargePeriodStart": written}))])
    assert ask(store, 'SELECT "ChargePeriodStart" FROM charge') == [(datetime.fromisoformat(meant + "+00:00"),)]


@pytest.mark.parametrize(
    ("written", "tags"),
    [
        ('{" team": "core", "env ": "prod"}', {"team": "core", "env": "prod"}),
        ('"team": "core","env": "prod"', {"team": "core", "env": "prod"}),
        ("team=core; env=prod", {"team": "core", "env": "prod"}), ("team=a=b;team=c", {"team": "a=b"}),
        ("{}", {}), ('{"n": 1, "none": null, "deep": {"a": [1]}}', {"n": "1", "none": None, "deep": '{"a":[1]}'}),
        ("NULL", None), ("", None), ('{" team": "x", "team": "y"}', {" team": "x", "team": "y"}),
        ('{" team": "x", "team ": "y"}', {"team": "x", "team ": "y"}),
        ('{" team": "x", "team": "x", "b": null, " b": null}', {"team": "x", "b": None}),
        ('{"message": "say: \\" hi"}', {"message": 'say: " hi'}),
    ],
)  # fmt: skip
def test_tags_in_every_spelling(store, write, written, tags):
    ingest_paths(store, [write("bill.csv", focus_text({"Tags": written}))])
    assert ask(store, 'SELECT "Tags" FROM charge') == [(tags,)]


@pytest.mark.parametrize("written", ["{not json", '{"a": "x", "a": "y"}', "just words", "[1, 2]"])
def test_tags_that_cannot_be_read_keep_the_charge_and_their_text(store, write, written):
    report = ingest_paths(store, [write("bill.csv", focus_text({"Tags": written}, {}))])
    assert (report.files[0].rows_stored, report.files[0].rows_quarantined) == (2, 0)
    assert ask(store, 'SELECT "Tags", "x_Columns"[\'Tags\'] FROM charge WHERE source_row = 1') == [(None, written)]


def test_null_as_text_is_nothing_in_any_column(store, write):
    text = focus_text({"EffectiveCost": "NULL", "ServiceName": "NULL", "x_Batch": "NULL", "ProviderName": ""})
    ingest_paths(store, [write("bill.csv", text)])
    assert ask(store, 'SELECT "EffectiveCost", "ServiceName", "ProviderName", "x_Columns" FROM charge') == [
        (None, None, None, None)
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("packed", [False, True])
def test_delimiters_byte_order_mark_line_ends_and_gzip(store, write, delimiter, packed):
    text = "\ufeff" + focus_text({}, {"ServiceName": f'a "quoted"{delimiter} two\nlines'}, delimiter=delimiter)
    content = text.replace("\n", "\r\n").encode()
    path = write("bill", gzip.compress(content) if packed else content)
    assert ingest_paths(store, [path]).files[0].rows_stored == 2
    assert ask(store, 'SELECT "ServiceName" FROM charge WHERE source_row = 2') == [
        (f'a "quoted"{delimiter} two\r\nlines',)
    ]


def test_header_in_any_case_and_twice(store, write):
    text = focus_text({}).replace("BilledCost", "billedcost", 1).replace("x_Batch", "ProviderName", 1)
    ingest_paths(store, [write("bill.csv", text)])
    assert ask(store, 'SELECT "BilledCost", "ProviderName", "x_Columns" FROM charge') == [
        (Decimal("1.5"), "Nordcloud", {"ProviderName_2": "17"})
    ]


def test_versions_by_their_columns(store, write):
    def known(**more):
        text = focus_text({**more, "ServiceName": repr(more)})
        return ingest_paths(store, [write("bill.csv", text)]).files[0].format

    assert known() == "focus-1.0"
    assert known(SkuMeter="m") == "focus-1.1"
    assert known(InvoiceId="i") == "focus-1.2"
    assert known(HostProviderName="h") == "focus-1.3"


def test_version_1_4_names_its_provider_by_the_service_provider(store, write):
    header = ["ServiceProviderName" if n == "ProviderName" else n for n in focus_text({}).splitlines()[0].split(",")]
    path = write("bill.csv", focus_text({"ServiceProviderName": "Northern"}, header=header))
    assert ingest_paths(store, [path]).files[0].format == "focus-1.4"
    assert ask(store, 'SELECT "ProviderName", "ServiceProviderName" FROM charge') == [("Northern", "Northern")]


def test_bad_rows_are_set_aside_with_column_reason_and_raw_row(store, write):
    good = focus_text({}, {}, {"BilledCost": "n/a"}, {"BillingCurrency": ""}, {"ChargePeriodStart": "soon"}, {})
    lines = good.splitlines()
    lines.insert(2, "only,three,fields")
    lines.append(lines[1] + ",one too many")
    report = ingest_paths(store, [write("bill.csv", "\n".join(lines))]).files[0]
    assert (report.rows_read, report.rows_stored, report.rows_quarantined) == (8, 3, 5)
    assert report.control_totals == {"EUR": Decimal("4.5")}
    found = ask(store, "SELECT source_row, column_name, reason, raw FROM quarantine ORDER BY source_row")
    assert [(row[0], row[1]) for row in found] == [
        (2, None), (4, "BilledCost"), (5, "BillingCurrency"), (6, "ChargePeriodStart"), (8, None),
    ]  # fmt: skip
    assert "3 fields where the header has 13" in found[0][2]
    assert found[0][3] == "only,three,fields"
    assert json.loads(found[1][3])["BilledCost"] == "n/a"
    assert ask(store, "SELECT source_row FROM charge ORDER BY 1") == [(1,), (3,), (7,)]


@pytest.mark.parametrize("written", ["NaN", "inf", "1,000.50", "1_000", "0x10", "1.2.3", "123456789012345", "12 EUR"])
def test_what_is_no_amount_is_quarantined(store, write, written):
    report = ingest_paths(store, [write("bill.csv", focus_text({"BilledCost": written}, {}))]).files[0]
    assert (report.rows_stored, report.rows_quarantined) == (1, 1)


def test_a_quote_that_is_never_closed_does_not_swallow_rows_in_silence(store, write):
    header = [name for name in FOCUS_ROW if name != "Tags"]
    good, open_ended = focus_text({}, {}, header=header), focus_text({"x_Batch": "@"}, {}, {}, header=header)
    text = good + open_ended.split("\n", 1)[1].replace("@", '"no end')
    report = ingest_paths(store, [write("bill.csv", text)]).files[0]
    assert (report.rows_stored, report.rows_quarantined) == (2, 1)
    reason, raw = ask(store, "SELECT reason, raw FROM quarantine")[0]
    assert reason == "a quote is opened and never closed"
    assert raw.count("Nordcloud") == 3


def _typed_table(rows: int) -> pa.Table:
    moment = pa.timestamp("us")
    return pa.table({
        "BilledCost": pa.array([Decimal("0.10")] * rows, pa.decimal128(20, 10)),
        "EffectiveCost": pa.array([0.1] * rows, pa.float64()),
        "BillingAccountId": ["001"] * rows, "BillingCurrency": ["EUR"] * rows, "ChargeCategory": ["Usage"] * rows,
        "BillingPeriodStart": pa.array([datetime(2026, 9, 1)] * rows, moment),
        "BillingPeriodEnd": pa.array([datetime(2026, 10, 1)] * rows, moment),
        "ChargePeriodStart": pa.array([datetime(2026, 9, 1, tzinfo=UTC)] * rows, pa.timestamp("ms", tz="UTC")),
        "ChargePeriodEnd": ["2026-09-02T00:00:00Z"] * rows,
        "Tags": pa.array([[("team", "core")]] * rows, pa.map_(pa.string(), pa.string())),
        "x_Number": pa.array([7] * rows, pa.int32()),
    })  # fmt: skip


def test_parquet_with_every_type(store, write):
    path = write("bill", b"")
    pq.write_table(_typed_table(3), path, row_group_size=2)
    report = ingest_paths(store, [path]).files[0]
    assert report.control_totals == {"EUR": Decimal("0.3")}
    rows = ask(store, 'SELECT source_row, "EffectiveCost", "BillingPeriodStart", "ChargePeriodEnd", "Tags", '
                      '"x_Columns" FROM charge ORDER BY 1')  # fmt: skip
    assert rows[0] == (1, Decimal("0.1"), datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 9, 2, tzinfo=UTC),
                       {"team": "core"}, {"x_Number": "7"})  # fmt: skip
    assert [row[0] for row in rows] == [1, 2, 3]


def test_parquet_not_a_number_is_quarantined(store, write):
    table = _typed_table(2)
    place = table.schema.get_field_index("EffectiveCost")
    path = write("bill.parquet", b"")
    pq.write_table(table.set_column(place, "EffectiveCost", pa.array([float("nan"), 2.32e-9])), path)
    report = ingest_paths(store, [path]).files[0]
    assert (report.rows_stored, report.rows_quarantined) == (1, 1)
    assert ask(store, 'SELECT "EffectiveCost" FROM charge') == [(Decimal("2.32E-9"),)]
    assert ask(store, "SELECT source_row, column_name FROM quarantine") == [(1, "EffectiveCost")]


def _typed(name):
    if name == "BilledCost":
        return "1.5"
    return "TIMESTAMP '2026-09-01 00:00:00'" if "Period" in name else "'a'"


@pytest.mark.parametrize("most", [0, 50_000])
def test_tags_of_a_parquet_file_are_the_same_read_by_text_or_by_row(tmp_path, monkeypatch, most):
    connection = duckdb.connect()
    prepare(connection)
    row = ", ".join(f'{_typed(name)} AS "{name}"' for name in FOCUS_NEEDS)
    texts = ['{"a": "1"}', '{" a": "1"}', '{"a": "1", "a": "2"}', "a=b", "no tags", "", "NULL", None]
    file = tmp_path / "focus.parquet"
    connection.execute(f"COPY (SELECT {row}, unnest(?::VARCHAR[]) AS \"Tags\") TO '{file}' (FORMAT parquet)", [texts])
    monkeypatch.setattr("finops_kit.ingest.scan.MOST_TEXTS", most)
    with open_source(connection, file, None) as opened:
        plan = plan_of(opened.known, opened.scan)
        rows = opened.scan.open(plan)
        for sql in (plan.strict_sql(rows), plan.careful_sql(rows)):
            found = connection.execute(f'SELECT "Tags", "x_Columns" FROM ({sql}) ORDER BY source_row').fetchall()
            assert found == [
                ({"a": "1"}, None), ({"a": "1"}, None), (None, {"Tags": texts[2]}), ({"a": "b"}, None),
                (None, {"Tags": "no tags"}), (None, None), (None, None), (None, None),
            ]  # fmt: skip


def test_names_and_words_of_the_preview_as_oracle_writes_them(store, write):
    """The header of Oracle's FOCUS reports; each of the day's files adds to the month."""
    row = {"Provider": "Oracle", "Publisher": "Oracle", "InvoiceIssuer": "", "Region": "eu-frankfurt-1",
           "UsageQuantity": "2", "UsageUnit": "Hours", "ChargeSubCategory": "On-Demand", "PricingCategory": "On-Demand",
           "oci_ReferenceNumber": "r-1", "oci_BackReferenceNumber": "", "oci_CompartmentName": "shop"}  # fmt: skip
    names = [name for name in [*FOCUS_ROW, *row] if name != "ProviderName"]
    first = write("0001.csv", focus_text(row, header=names))
    second = write(
        "0002.csv", focus_text({**row, "oci_BackReferenceNumber": "r-0", "BilledCost": "-0.5"}, header=names)
    )
    for _ in range(2):
        assert ingest_paths(store, [first, second]).files[0].format == "focus-1.0"
    assert ask(store, 'SELECT "ProviderName", "PublisherName", "RegionId", "ConsumedQuantity", "ConsumedUnit", '
                      '"PricingCategory", "ChargeClass", "x_Columns"[\'oci_CompartmentName\'] FROM charge '
                      'ORDER BY "BilledCost" DESC') == [
        ("Oracle", "Oracle", "eu-frankfurt-1", Decimal(2), "Hours", "Standard", None, "shop"),
        ("Oracle", "Oracle", "eu-frankfurt-1", Decimal(2), "Hours", "Standard", "Correction", "shop")]  # fmt: skip


def test_the_preview_as_microsoft_exported_it(store, write):
    rows = [{"ChargeSubcategory": "Used Commitment", "PricingCategory": "Commitment-Based", "x_OnDemandCost": "1.75"},
            {"ChargeSubcategory": "Unused Commitment"}, {"ChargeSubcategory": "Refund", "ChargeCategory": "Adjustment"},
            {"ChargeSubcategory": "Credit", "ChargeCategory": "Adjustment"}]  # fmt: skip
    ingest_paths(store, [write("a.csv", focus_text(*rows))])
    assert ask(store, 'SELECT "ChargeCategory", "ChargeClass", "CommitmentDiscountStatus", "PricingCategory", '
                      '"ContractedCost", "x_Columns"[\'ChargeSubcategory\'] FROM charge ORDER BY source_row') == [
        ("Usage", None, "Used", "Committed", Decimal("1.75"), "Used Commitment"),
        ("Usage", None, "Unused", None, None, "Unused Commitment"),
        ("Adjustment", "Correction", None, None, None, "Refund"),
        ("Credit", None, None, None, None, "Credit")]  # fmt: skip


@pytest.mark.parametrize("kind", ["lines", "parquet", "wrapped"])
def test_tags_as_a_list_as_google_exports_them(store, write, kind):
    given = (("team", "core", "label"), ("team", "late", "project_label"), ("tier", "1", "tag"))
    tags = [{"key": key, "value": value, "x_type": of, "x_inherited": False} for key, value, of in given]
    row = {**FOCUS_ROW, "Tags": tags, "x_Credits": [{"Name": "Trial", "Amount": -0.25}], "x_ProjectId": "shop-1"}
    if kind == "lines":
        path = write("a.json", json.dumps(row) + "\n" + json.dumps({**row, "Tags": []}) + "\n")
    else:
        path = write("a.parquet", b"")
        lists = [{"list": [{"element": tag} for tag in tags]}] if kind == "wrapped" else [tags]
        columns = {name: pa.array([value]) for name, value in row.items() if name != "Tags"}
        pq.write_table(pa.table({**columns, "Tags": pa.array(lists)}), path)
    found = ingest_paths(store, [path]).files[0]
    assert (found.format, found.status) == ("focus-1.0", "stored"), found.reason
    assert ask(store, 'SELECT "Tags", "x_Columns"[\'x_ProjectId\'], "x_Columns"[\'Tags\'] FROM charge '
                      "ORDER BY source_row")[:1] == [({"team": "core", "tier": "1"}, "shop-1", None)]  # fmt: skip


@pytest.mark.parametrize("shape", ["lines", "array"])
def test_tags_and_details_as_objects_of_json(store, write, shape):
    tags, price = {"team": "core", "cost-center": 17.50, "billable": True}, {"CoreCount": 2}
    rows = [{**FOCUS_ROW, "Tags": {}, "x_Credit": {"name": "trial"}},
            {**FOCUS_ROW, "Tags": tags, "SkuPriceDetails": price, "x_Credit": None}]  # fmt: skip
    text = json.dumps(rows) if shape == "array" else "\n".join(map(json.dumps, rows))
    found = ingest_paths(store, [write("a.json", text)]).files[0]
    assert (found.format, found.status) == ("focus-1.1", "stored"), found.reason
    assert ask(store, 'SELECT "Tags", "SkuPriceDetails", "x_Columns"[\'x_Credit.name\'] FROM charge '
                      "ORDER BY source_row") == [
        ({}, None, "trial"),
        ({"team": "core", "cost-center": "17.5", "billable": "true"}, '{"CoreCount": 2}', None)]  # fmt: skip
