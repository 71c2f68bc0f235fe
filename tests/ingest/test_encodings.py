"""Texts that are not UTF-8: the same bill as its UTF-8 twin, or one clear sentence; never a guess."""

from __future__ import annotations

import gzip
import hashlib
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests_ingest import ask, focus_text

from finops_kit.errors import UsageError
from finops_kit.ingest import ingest_paths
from finops_kit.ingest.replay import replay
from finops_kit.sources.charset import encoded_by_header
from finops_kit.sources.encoding import ENCODINGS, find_encoding
from finops_kit.sources.files import HEAD_BYTES, SourceStream, inspect_file
from finops_kit.sources.layout import read_layouts

ALIBABA = (
    "账期,账号ID,产品Code,消费类型,应付金额,币种,产品,实例ID\n"
    "202609,001,ecs,PayAsYouGo,1.25,CNY,云服务器 ECS,i-1\n"
    "202609,001,oss,PayAsYouGo,x,CNY,对象存储,i-2\n"
    "202609,001,oss,PayAsYouGo,2.5,CNY,对象存储,i-3\n"
)
AZURE = (
    "Datum;Kosten;Währung (BillingCurrency);AbonnementId;MeterCategory;ChargeType\n"
    "01.09.2026;0,8;EUR;s-1;Büro €;Usage\n"
)
TYPE = "#TYPE Selected.System.Management.Automation.PSCustomObject\r\n"  # as PowerShell begins a CSV
FOCUS = focus_text({"ServiceName": "Gebühr"}, {"BilledCost": "2"})


def test_a_bill_in_any_encoding_is_the_bill_that_it_is_in_utf8(store, write):
    came = [
        write("chinese.csv", ALIBABA.encode("gb18030")),
        write("german.csv", AZURE.encode("cp1252")),
        write(
            "excel.txt",
            ("sep=\t\r\n" + FOCUS).replace(",", "\t").replace('"{""team"": ""core""}"', "").encode("utf-16"),
        ),
        write("shell.csv.gz", gzip.compress((TYPE + FOCUS.replace("Nordcloud", "Süd")).encode("utf-32"))),
    ]
    said = [(one.status, one.rows_read, one.rows_stored, one.reason.split(";")[0]) for one in
            ingest_paths(store, came).files]  # fmt: skip
    assert said == [
        ("stored", 3, 2, "read as gb18030, as its header says"),
        ("stored", 1, 1, "read as windows-1252, as its header says"),
        ("stored", 2, 2, "read as utf-16-le, as its byte order mark says"),
        ("stored", 2, 2, "read as utf-32-le, as its byte order mark says"),
    ]
    ledger = ask(store, "SELECT source_hash, details, control_totals FROM lake.ledger ORDER BY entry")
    assert [one[0] for one in ledger] == [hashlib.sha256(path.read_bytes()).hexdigest() for path in came]
    assert json.loads(ledger[0][1]) == {"encoding": "gb18030", "encoding_said_by": "its header"}
    held = ask(store, "SELECT source_file, source_row, column_name, raw FROM lake.quarantine")
    assert held[0][:3] == (str(came[0]), 2, "应付金额") and json.loads(held[0][3])["产品"] == "对象存储"
    rows = 'SELECT "BilledCost", "ServiceName", source_row FROM {} ORDER BY batch_id, source_row'
    first = ask(store, rows.format("lake.charge"))
    assert first[:3] == [
        (Decimal("1.25"), "云服务器 ECS", 1), (Decimal("2.5"), "对象存储", 3), (Decimal("0.8"), "Büro €", 1),
    ]  # fmt: skip
    twin = write("twin.csv", ALIBABA)
    assert ingest_paths(store, [twin]).files[0].control_totals == {"CNY": Decimal("3.75")}
    of_twin = ask(store, f"SELECT batch_id FROM lake.ledger WHERE source_file = '{twin}'")[0][0]
    assert ask(store, rows.format(f"lake.charge WHERE batch_id = '{of_twin}'")) == first[:2]
    assert not list((store.root / "spill").iterdir())


def test_an_encoding_that_nothing_says_is_named_and_can_be_corrected(store, write):
    bill = write("bill.csv", FOCUS.encode("cp1252"))
    refused = ingest_paths(store, [bill]).files[0]
    assert refused.status == "refused" and "(line 2 from its header on). Name its encoding" in refused.reason
    names = 'SELECT "ServiceName" FROM charge ORDER BY source_row LIMIT 1'
    for encoding, status, name in (
        ("mac_roman", "stored", "Geb¸hr"),  # not what it is in
        ("windows-1252", "stored", "Gebühr"),
        ("cp1252", "unchanged", "Gebühr"),
        (None, "refused", "Gebühr"),
    ):
        assert ingest_paths(store, [bill], encoding=encoding).files[0].status == status
        assert ask(store, names) == [(name,)]
    assert ask(store, 'SELECT sum("BilledCost") FROM charge') == [(Decimal("3.5"),)]
    with pytest.raises(UsageError, match="Did you mean gb18030"):
        ingest_paths(store, [bill], encoding="gb1803")


def test_a_byte_that_is_nothing_in_the_encoding_is_named(store, write):
    damaged = ALIBABA.replace("i-3", "i-?").encode("gb18030").replace(b"?", b"\x80")
    cut = FOCUS.encode("utf-16")[:-1]
    late = FOCUS.encode() + (FOCUS.splitlines()[2] + "\n").encode() * (HEAD_BYTES // 100) + b"\xfc\n"
    cases = {
        "damaged.csv": (
            damaged,
            f"gb18030 text throughout, as its header says: byte {damaged.index(0x80) + 1} (line 4)",
        ),
        "cut.csv": (cut, f"utf-16-le text throughout, as its byte order mark says: byte {len(cut)} (line 3)"),
        "late.csv": (late, f"not UTF-8 text throughout (byte {len(late) - 1})"),
    }
    for name, (content, sentence) in cases.items():
        one = ingest_paths(store, [write(name, content)]).files[0]
        assert one.status == "refused" and sentence in one.reason, one.reason
    assert ask(store, "SELECT count(*) FROM lake.ledger") == [(0,)]


def test_a_mapping_says_the_encoding_of_its_bills_and_not_of_a_replay(store, write):
    said = (
        "version: 1\nname: saas\nencoding: gbk\ncolumns:\n  BilledCost: 金额\n  BillingCurrency: {constant: CNY}\n"
        "  BillingPeriodStart: 月\n  ProviderName: {constant: 云}\n  ServiceName: 产品\n"
    )
    mapping = write("saas.yaml", said)
    bill = write("saas.csv", "月,产品,金额,净额\n2026-09,桌面,7,7\n2026-09,桌面,?,5\n".encode("gb2312"))
    one = ingest_paths(store, [bill], mapping=mapping).files[0]
    assert (one.rows_stored, one.rows_quarantined) == (1, 1)
    again = replay(store, one.batch_id, mapping=write("right.yaml", said.replace("金额", "净额")))
    assert (again.rows_stored, again.control_totals) == (1, {"CNY": Decimal(5)})
    with pytest.raises(UsageError, match="says the encoding itself"):
        ingest_paths(store, [bill], mapping=mapping, encoding="gbk")
    with pytest.raises(UsageError, match="line 3, encoding: 'klingon' is no encoding"):
        ingest_paths(store, [bill], mapping=write("wrong.yaml", said.replace("gbk", "klingon")))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-be"])
def test_the_head_of_a_large_file_may_end_anywhere_in_a_character(write, encoding):
    for more in range(4):
        text = TYPE * (more % 2) + "Name,Cost" + "x" * more + "\n" + "é€𐍈,1\n" * (HEAD_BYTES // 10)
        source = inspect_file(
            write("large.csv", text.encode(encoding)), encoding="" if "-be" not in encoding else encoding
        )
        assert len(source.head) == HEAD_BYTES
        assert read_layouts(source)[0].header == ("Name", "Cost" + "x" * more)


def test_only_words_that_are_known_letter_by_letter_say_an_encoding(write):
    for text, encoding, known in (
        (ALIBABA, "gb18030", "gb18030"),
        (ALIBABA.replace("账期", "账期X").replace("账号ID", "BillingCycle"), "gb18030", "gb18030"),
        (ALIBABA, "big5hkscs", "utf-8"),  # simplified words that it has by chance
        (AZURE.replace("Währung", "Devise é"), "cp1252", "utf-8"),
        (AZURE.replace("Währung ", "").replace("€", "Euro"), "cp1252", "utf-8"),  # the header reads the same in all
        (FOCUS, "cp1252", "utf-8"),
    ):
        source = inspect_file(write("one.csv", text.encode(encoding, errors="ignore")))
        assert encoded_by_header(source).encoding == known, text[:40]


@given(st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\ufeff")), st.data())
def test_whatever_is_written_is_read_in_pieces_of_any_size(tmp_path_factory, text, data):
    encoding = data.draw(st.sampled_from(ENCODINGS))
    text = "a" + text.encode(encoding, errors="ignore").decode(encoding)
    path = tmp_path_factory.getbasetemp() / "text.csv"
    path.write_bytes(text.encode(encoding))
    source = inspect_file(path, encoding=find_encoding(encoding))
    stream, pieces = SourceStream(source), []
    while piece := stream.read(data.draw(st.integers(1, 7))):
        pieces.append(piece)
    assert b"".join(pieces).decode() == text and stream.finish() == hashlib.sha256(path.read_bytes()).hexdigest()
    stream.close()
