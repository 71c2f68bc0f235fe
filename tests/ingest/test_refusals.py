"""Bad input: one clear sentence each, and a store that is byte for byte as it was."""

from __future__ import annotations

import gzip
import os
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests_ingest import fingerprint, focus_text

from finops_kit.errors import SourceRefused, UsageError
from finops_kit.ingest import ingest_paths
from finops_kit.sources.files import inspect_file

GOOD = focus_text({}, {"BilledCost": "2"}, {"BilledCost": "3"})


def _short(text: str) -> str:
    header, *rows = text.splitlines()
    return "\n".join([header, *(row.rsplit(",", 1)[0] for row in rows)])


def _parquet(path, rows):
    pq.write_table(pa.table({"BilledCost": pa.array([1.0] * rows)}), path)
    return path.read_bytes()


CASES = {
    "empty": (b"", "is empty"),
    "header only": (GOOD.split("\n")[0] + "\n", "has a header but no rows"),
    "blank lines only": (b"\n\n\n", "holds no header"),
    "binary": (bytes(range(256)) * 100, "binary"),
    "elf": (b"\x7fELF\x02\x01\x01" + bytes(64), "binary"),
    "zip": (b"PK\x03\x04" + b"a" * 100, "damaged archive"),
    "half a character": (GOOD.encode("utf-16")[:-1], "utf-16"),
    "utf-16 without its mark": (GOOD.encode("utf-16-le"), "binary"),
    "latin-1": (GOOD.replace("Machines", "Gebühr").encode("latin-1"), "not UTF-8"),
    "truncated gzip": (gzip.compress(GOOD.encode() * 50)[:-20], "truncated"),
    "gzip of nothing": (gzip.compress(b""), "holds an empty file"),
    "gzip damaged": (b"\x1f\x8b" + b"\x08" + b"junk" * 20, "gzip"),
    "one field short in every row": (_short(GOOD), "12 fields where the header has 13"),
    "another delimiter in the rows": (
        GOOD.split("\n")[0] + "\n" + GOOD.split("\n", 1)[1].replace(",", "^"),
        "1 fields",
    ),
    "an unknown delimiter": (GOOD.replace(",", "^"), "no known format"),
    "every amount unreadable": (focus_text({"BilledCost": "x"}, {"BilledCost": "y"}), "'x' is not a number"),
    "prose": (b"Dear all,\nplease find the bill attached.\n", "no known format"),
    "json of something else": (b'{"a": 1}', "Kubernetes dump is expected"),
    "damaged json": (b'{"kind": "List", "items": [{"metadata": {', "no readable JSON"),
    "damaged parquet": (b"PAR1" + b"x" * 200 + b"PAR1", "damaged Parquet"),
    "a mandatory column missing": (GOOD.replace("BillingCurrency", "Currency", 1), "'BillingCurrency' is not in"),
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A store that holds one bill already; every case shares it, since none may change it."""
    from finops_kit.settings import Workspace
    from finops_kit.store import create_store

    folder = tmp_path_factory.mktemp("refusals")
    workspace = Workspace(folder / "workspace")
    create_store(workspace)
    (folder / "first.csv").write_text(focus_text({"ServiceName": "first"}))
    assert ingest_paths(workspace, [folder / "first.csv"]).files[0].status == "stored"
    return workspace


@pytest.mark.parametrize("case", CASES)
def test_bad_file_is_refused_in_one_sentence(filled, write, case):
    content, expected = CASES[case]
    before = fingerprint(filled)
    path = write(f"{case}.csv", content)
    report = ingest_paths(filled, [path]).files[0]
    assert report.status == "refused"
    assert expected in report.reason
    assert str(path) in report.reason
    assert "\n" not in report.reason and "Traceback" not in report.reason
    assert report.batch_id is None
    assert fingerprint(filled) == before


def test_places_that_hold_no_file(filled, tmp_path):
    before = fingerprint(filled)
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "nothing").mkdir()
    (tmp_path / "prose").mkdir()
    (tmp_path / "prose" / "README.md").write_text("# Bills\n")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    places = {
        tmp_path / "missing.csv": "does not exist", tmp_path / "pipe.csv": "no regular file",
        "/dev/zero": "no regular file", tmp_path / "nothing": "empty directory",
        tmp_path / "prose": "holds no file in a known format",
        "https://example.com/bill.csv": "remote location", tmp_path / "loop": "cannot be read",
        tmp_path / "*.nothing": "matches no file", "bill\0.csv": "no path", "x" * 5000: "cannot be read",
    }  # fmt: skip
    report = ingest_paths(filled, list(places))
    for (place, expected), one in zip(places.items(), report.files, strict=True):
        assert one.status == "refused", place
        assert expected in one.reason, place
    assert fingerprint(filled) == before


def test_a_sparse_file_of_two_gigabytes_is_refused_at_once(filled, tmp_path):
    path = tmp_path / "sparse.csv"
    with path.open("wb") as stream:
        stream.truncate(2 << 30)
    before, start = fingerprint(filled), time.monotonic()
    report = ingest_paths(filled, [path]).files[0]
    assert report.status == "refused" and "NUL bytes" in report.reason
    assert time.monotonic() - start < 10
    assert fingerprint(filled) == before


def test_nul_bytes_behind_the_head_are_found(filled, write):
    path = write("late.csv", (GOOD + focus_text(*[{}] * 20_000).split("\n", 1)[1]).encode() + b"\0" * 5000)
    before = fingerprint(filled)
    report = ingest_paths(filled, [path]).files[0]
    assert report.status == "refused" and "NUL bytes" in report.reason
    assert fingerprint(filled) == before


def test_a_gzip_that_breaks_off_behind_the_head(filled, write):
    noise = focus_text(*({"x_Batch": os.urandom(30).hex()} for _ in range(30_000)))
    path = write("late.csv.gz", gzip.compress(noise.encode())[:-4000])
    before = fingerprint(filled)
    report = ingest_paths(filled, [path]).files[0]
    assert report.status == "refused" and "truncated" in report.reason
    assert fingerprint(filled) == before


def test_a_gzip_bomb_is_not_unpacked(filled, write, monkeypatch):
    monkeypatch.setattr("finops_kit.sources.files.BOMB_BYTES", 4 << 20)
    path = write("bomb.csv.gz", gzip.compress(GOOD.encode() + b",,,,,,,,,,,,\n" * (2 << 20)))
    report = ingest_paths(filled, [path]).files[0]
    assert report.status == "refused" and "times its size" in report.reason


def test_a_file_that_grows_while_it_is_read(write):
    path = write("bill.csv", GOOD)
    source = inspect_file(path)
    path.write_text(GOOD + GOOD)
    with pytest.raises(SourceRefused, match="was changed while it was read"):
        source.check_unchanged()


def test_an_unknown_format_lists_the_known_ones(filled, write):
    with pytest.raises(UsageError, match=r"Did you mean focus-1\.2\?.*aws-cur"):
        ingest_paths(filled, [write("bill.csv", GOOD)], format="focus1.2")


def test_the_wrong_format_says_which_it_looks_like(filled, write):
    report = ingest_paths(filled, [write("bill.csv", GOOD)], format="aws-cur").files[0]
    assert report.status == "refused" and "Try --format focus-1.0" in report.reason


def test_what_a_walk_passes_over_is_named_but_no_failure(store, write):
    path = write("folder/bill.csv", GOOD)
    write("folder/notes.txt", "see the bill")
    write("folder/.hidden", "x")
    report = ingest_paths(store, [path.parent])
    assert [(one.status, one.path.rsplit("/", 1)[1]) for one in report.files] == [
        ("stored", "bill.csv"), ("refused", "notes.txt"),
    ]  # fmt: skip
    assert report.refused == []


def _samples() -> list[bytes]:
    """A small good file of every way that bills are written: text, with commas, JSON lines, an array, an answer."""
    import test_alibaba
    import test_azure
    import test_gcp
    import test_opencost

    return [one.encode() for one in (
        GOOD, test_alibaba.bill({}), test_azure.bill({"CostInBillingCurrency": "0,5"}), test_gcp.line() + "\n",
        f"[{test_gcp.line()}]", test_opencost.answer({"web": test_opencost.WEB}))]  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sample=st.sampled_from(_samples()),
    how=st.sampled_from(["noise", "behind", "within", "cut", "packed"]),
    noise=st.binary(min_size=1, max_size=60), place=st.floats(0, 1),
)  # fmt: skip
def test_no_bytes_crash_it(filled, write, sample, how, noise, place):
    at = int(place * (len(sample) - 1))
    content = {
        "noise": noise, "behind": sample + noise, "within": sample[:at] + noise[:4] + sample[at + len(noise[:4]) :],
        "cut": sample[:at] or noise, "packed": gzip.compress(sample)[: max(20, at)] + noise,
    }[how]  # fmt: skip
    before = fingerprint(filled)
    report = ingest_paths(filled, [write("fuzz", content)]).files[0]
    assert report.status in ("stored", "unchanged", "refused")
    assert report.rows_read == report.rows_stored + report.rows_quarantined
    assert report.status != "refused" or report.reason
    assert report.status == "stored" or fingerprint(filled) == before
