"""Formats are told by content and header; parts of a report by their names."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_kit.errors import ColumnMissing
from finops_kit.fields import FOCUS_VERSIONS, focus_columns
from finops_kit.sources.control import EXACT, ControlSum, read_amount, split_amount
from finops_kit.sources.files import inspect_file
from finops_kit.sources.focus_schema import version_beside
from finops_kit.sources.formats import FORMATS, check_header, is_version_open, recognise_header, refuse_unknown
from finops_kit.sources.layout import read_layouts
from finops_kit.sources.parts import report_of


@pytest.mark.parametrize("version", FOCUS_VERSIONS)
def test_every_focus_version_is_told_by_its_columns(version):
    header = [name.upper() for name in focus_columns(version)]
    assert recognise_header(header).name == f"focus-{version}"


@pytest.mark.parametrize(
    ("mark", "data_set"), [("ContractCommitmentId", "Contract Commitment"), ("BillingPeriodStatus", "Billing Period"),
                           ("InvoiceDetailId", "Invoice Detail")])  # fmt: skip
def test_the_other_data_sets_of_focus_are_no_bills_and_no_tables_of_ours(mark, data_set):
    header = ["ContractId", mark, "BillingCurrency", "BillingPeriodStart", "InvoiceIssuerName"]
    assert recognise_header(header) is None
    assert f"FOCUS' {data_set} data set" in str(refuse_unknown(header, "x.csv"))
    assert recognise_header([*focus_columns("1.2"), "InvoiceDetailId"]).name == "focus-1.4"


def test_what_columns_leave_open_between_1_3_and_1_4_the_schema_object_beside_the_file_says(tmp_path):
    header = [name for name in focus_columns("1.3") if name not in ("ProviderName", "PublisherName")]
    assert is_version_open(header) and not is_version_open((*focus_columns("1.4"), "InvoiceDetailId"))
    bill = tmp_path / "data" / "bill.csv"
    (tmp_path / "metadata" / "schemas").mkdir(parents=True)
    bill.parent.mkdir()

    def deliver(name, version, columns):
        said = {"SchemaId": name, "FocusVersion": version, "ColumnDefinition": [{"ColumnName": c} for c in columns]}
        (tmp_path / "metadata" / "schemas" / f"{name}.json").write_text(json.dumps(said))

    assert version_beside(bill, header) == ""
    deliver("of-another-table", "1.2", focus_columns("1.2"))
    (tmp_path / "data" / "notes.json").write_text("{")
    assert version_beside(bill, header) == ""
    deliver("of-this", "1.3", header)
    assert version_beside(bill, header) == "1.3"
    deliver("of-the-same-columns", "1.4", header)
    assert version_beside(bill, header) == ""  # two say two things


@pytest.mark.parametrize(("file", "version"), [("FocusCost_1.0", "1.0"), ("FocusCost_1.2-preview", "1.2")])
def test_microsofts_exports_are_of_the_version_that_their_metadata_say(fixtures_folder, file, version):
    said = json.loads((fixtures_folder / "finops_toolkit" / "dataset_metadata" / f"{file}.json").read_text())
    assert recognise_header([column["ColumnName"] for column in said["Columns"]]).name == f"focus-{version}"


@pytest.mark.parametrize("name", [n for n, f in FORMATS.items() if f.needs and f.table not in ("charge",)])
def test_what_a_format_needs_is_enough_to_know_it(name):
    header = [*FORMATS[name].needs, "something else"]
    assert check_header(FORMATS[name], header, "file.csv") is None
    with pytest.raises(ColumnMissing, match=r"file\.csv"):
        check_header(FORMATS[name], header[1:], "file.csv")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("cur-00001.csv.gz", 1), ("part-0002.parquet", 2), ("focus_part_3.csv", 3), ("report-00001.snappy.parquet", 1),
        ("part-00000-6f1c2d3e-aaaa.snappy.parquet", 0), ("part_1_0001.csv", 1), ("bill-2.csv", None),
        ("focus_2026-09.csv", None), ("cur_2026-09-15.csv.gz", None), ("bill.csv", None),
        ("export_202609.csv", None), ("bill-0901.csv", None), ("gcp-000000000012.json.gz", 12),
        ("bill-001234567890.csv", None), ("data_0_2_1.csv.gz", 2001), ("bill_5_9_26.csv", None),
        ("part-00001-of-00003.csv", 1), ("bill_2of3.csv", 2), ("proof.csv", None),
    ],
)  # fmt: skip
def test_only_a_part_is_taken_for_a_part(name, part):
    report = report_of(Path("in") / name)
    assert (report[1] if report else None) == part


def test_layouts_with_quotes_blanks_and_line_ends(tmp_path):
    path = tmp_path / "x"
    path.write_bytes('\ufeff" a ";"b;\nc";d\r\n1;2;3\r\n'.encode())
    layout = read_layouts(inspect_file(path))[0]
    assert (layout.delimiter, layout.header, layout.has_rows) == (";", ("a", "b;\nc", "d"), True)


@settings(deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20))
def test_an_amount_splits_without_loss(amount):
    read = read_amount(f"{amount:E}")
    if read is not None:
        kept, cut = split_amount(read)
        assert abs(cut) < Decimal("1E-24") and -kept.as_tuple().exponent == 24
        assert read == amount


@settings(deadline=None)
@given(st.lists(st.tuples(st.decimals(-1000, 1000, places=None, allow_nan=False), st.sampled_from(["EUR", "USD"]))))
def test_the_control_sum_is_the_sum_however_it_is_batched(amounts):
    amounts = [(amount, currency) for amount, currency in amounts if amount.as_tuple().exponent > -300]
    whole = ControlSum("c0", "c1")
    for start in range(0, len(amounts), 3):
        piece = amounts[start : start + 3]
        whole.add(pa.record_batch({"c0": [format(a, "f") for a, _ in piece], "c1": [c for _, c in piece]}))
    for currency in ("EUR", "USD"):
        total = whole.kept.get(currency, Decimal(0)), whole.cut.get(currency, Decimal(0))
        expected = Decimal(0)
        for amount, one in amounts:
            expected = EXACT.add(expected, amount) if one == currency else expected
        assert EXACT.add(*total) == expected
