"""Where files come from: archives that are what they say and archives that are not, patterns, stdin, remote places."""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest
from tests_ingest import ask, fingerprint, focus_text

from finops_kit.ingest import ingest_paths
from finops_kit.ingest.locations import Located, group_reports
from finops_kit.sources import archives

ONE, TWO = focus_text({"BilledCost": "1.5"}), focus_text({"BilledCost": "2.5", "BillingAccountId": "2"})


def _zip(*entries, mode=None, **options):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, **options) as packed:
        for name, content in entries:
            info = zipfile.ZipInfo(name, (2026, 9, 30, 6, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            if mode:
                info.external_attr = mode << 16
            packed.writestr(info, content)
    return out.getvalue()


def _tar(*entries, mode="w:gz"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as packed:
        for entry, content in entries:
            info = entry if isinstance(entry, tarfile.TarInfo) else tarfile.TarInfo(entry)
            data = content.encode() if isinstance(content, str) else content
            if info.isreg():
                info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _special(name, kind, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    "content", [_zip(("a/one.csv", ONE), ("two.csv", TWO)), _tar(("a/one.csv", ONE), ("two.csv", TWO)),
                _tar(("a/one.csv", ONE), ("two.csv", TWO), mode="w")], ids=["zip", "tar.gz", "tar"],
)  # fmt: skip
def test_each_member_is_a_batch_of_its_own(store, write, content):
    path = write("bills.bin", content)
    report = ingest_paths(store, [path])
    assert [(one.path, one.status, one.control_totals) for one in report.files] == [
        (f"{path}!a/one.csv", "stored", {"EUR": Decimal("1.5")}), (f"{path}!two.csv", "stored", {"EUR": Decimal("2.5")})
    ]  # fmt: skip
    assert ask(store, "SELECT source_file FROM ledger ORDER BY entry") == [(f"{path}!a/one.csv",), (f"{path}!two.csv",)]
    assert [one.status for one in ingest_paths(store, [path]).files] == ["unchanged"] * 2
    assert not list((store.root / "spill").iterdir())


HOSTILE = {
    "up": (_zip(("../x.csv", ONE)), "leads out"), "absolute": (_zip(("/tmp/x.csv", ONE)), "leads out"),
    "backslash": (_zip(("..\\x.csv", ONE)), "leads out"), "drive": (_zip(("C:/x.csv", ONE)), "leads out"),
    "zip symlink": (_zip(("x.csv", "/etc/passwd"), mode=0o120777), "a link or a device"),
    "tar up": (_tar(("a/../../x.csv", ONE)), "leads out"), "tar absolute": (_tar(("/x.csv", ONE)), "leads out"),
    "tar symlink": (_tar((_special("x", tarfile.SYMTYPE, "/etc/passwd"), b"")), "a link or a device"),
    "tar hard link": (_tar(("a", ONE), (_special("x", tarfile.LNKTYPE, "a"), b"")), "a link or a device"),
    "tar device": (_tar((_special("x", tarfile.CHRTYPE), b"")), "a link or a device"),
    "tar pipe": (_tar((_special("x", tarfile.FIFOTYPE), b"")), "a link or a device"),
    "twice": (_tar(("a.csv", ONE), ("a.csv", TWO)), "twice"), "nothing": (_zip(), "no file in it"),
    "zip bomb": (_zip(("x.csv", b"0" * (80 << 20))), "unpacks to more than"),
    "tar bomb": (_tar(("x.csv", b"0" * (80 << 20))), "unpacks to more than"),
    "truncated tar": (_tar(("x.csv", ONE), ("y.csv", bytes(range(256)) * 400))[:-300], "damaged archive"),
    "truncated zip": (_zip(("x.csv", ONE))[:-30], "damaged archive"),
}  # fmt: skip


def test_a_manifest_in_an_archive_says_which_of_its_files_are_the_bill(store, write):
    manifest = '{"reportKeys": ["bucket/cur/run-2/cur-00001.csv"]}'
    place = "20260901-20261001"
    packed = _tar((f"{place}/cur-Manifest.json", manifest), (f"{place}/run-2/cur-00001.csv", ONE),
                  (f"{place}/run-3/cur-00001.csv", focus_text({"BilledCost": "99"})))  # fmt: skip
    for name in ("cur.tar.gz", "again.tar.gz"):
        (one,) = ingest_paths(store, [write(name, packed)]).files
        assert one.path.endswith(f"{name}!{place}/run-2/cur-00001.csv") and one.status in ("stored", "unchanged")
    assert ask(store, 'SELECT sum("BilledCost") FROM charge_history') == [(Decimal("1.5"),)]


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_refused_whole(store, write, tmp_path, case):
    content, expected = HOSTILE[case]
    path = write("evil.zip", content)
    before = fingerprint(store), sorted(p for p in tmp_path.rglob("*") if "workspace" not in p.parts)
    one = ingest_paths(store, [path]).files[0]
    assert one.status == "refused" and expected in one.reason
    assert (fingerprint(store), sorted(p for p in tmp_path.rglob("*") if "workspace" not in p.parts)) == before


def test_more_entries_than_an_archive_of_exports_has(store, write, monkeypatch):
    monkeypatch.setattr(archives, "MAX_ENTRIES", 3)
    one = ingest_paths(store, [write("x.zip", _zip(*((f"{i}.csv", ONE) for i in range(4))))]).files[0]
    assert "more than 3 entries" in one.reason


def test_an_archive_in_an_archive_is_not_opened(store, write):
    report = ingest_paths(store, [write("x.zip", _zip(("in.zip", _zip(("one.csv", ONE))), ("two.csv", TWO)))])
    assert [one.status for one in report.files] == ["refused", "stored"]


def test_bytes_nobody_wrote_never_crash(store, write):
    import random

    chance = random.Random(5)
    paths = []
    for i, whole in enumerate([_zip(("a.csv", ONE)), _tar(("a.csv", ONE)), _tar(("a.csv", ONE), mode="w")] * 8):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 9)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        paths.append(write(f"f{i}", bytes(broken)))
    for one in ingest_paths(store, paths).files:
        assert one.status in ("stored", "unchanged") or one.reason


def test_patterns_are_looked_up(store, write, tmp_path):
    write("a-1.csv", ONE), write("b.csv", TWO)
    report = ingest_paths(store, [str(tmp_path / "in" / "*.csv"), str(tmp_path / "in" / "*.nothing")])
    assert [one.status for one in report.files] == ["stored", "stored", "refused"]
    assert "matches no file" in report.files[2].reason


@pytest.mark.parametrize("packed", [False, True])
def test_stdin(store, monkeypatch, packed):
    content = ONE.encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(content) if packed else content)))
    one = ingest_paths(store, ["-"], format="focus-1.0").files[0]
    assert (one.path, one.status, one.rows_stored) == ("stdin", "stored", 1)


def test_parts_of_different_folders_are_different_reports():
    names = ("b/cur-00001.csv", "a/cur-00002.csv", "a/cur-00001.csv")
    groups = group_reports([Located(Path(name), name) for name in names])
    assert [[one.name for one in group] for group in groups] == [[names[0]], [names[2], names[1]]]
