"""Publication survives a death at any moment: what was recorded appears, what was not does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finops_kit.publish import release
from finops_kit.publish.index import agreement, build_index


def staged(reports: Path, content: str) -> Path:
    folder = release.stage(reports, f"run-{content}")
    for name in ("finance.html", "index.html"):
        (folder / name).write_text(content)
    results = folder / release.result_folder("finance", "2025-06", f"run-{content}")
    results.mkdir(parents=True)
    (results / "reading.json").write_text(content)
    (folder / release.POINTER).write_text(json.dumps({"pages": {}, "results": [{"run": content}]}))
    return folder


def seen(reports: Path) -> set[str]:
    texts = {(reports / name).read_text() for name in ("finance.html", "index.html")}
    return texts | {entry["run"] for entry in release.read_pointer(reports)["results"]}


def test_a_recorded_run_is_finished_after_a_crash(tmp_path: Path) -> None:
    release.mark_ready(staged(tmp_path, "old"), [])
    with release.publishing(tmp_path):
        assert seen(tmp_path) == {"old"}
    folder = staged(tmp_path, "new")
    release.mark_ready(folder, [release.result_folder("finance", "2025-06", "run-old")])
    (folder / "finance.html").replace(tmp_path / "finance.html")  # died after the first rename
    with release.publishing(tmp_path):
        assert seen(tmp_path) == {"new"}
    assert (tmp_path / "results/finance/2025-06/run-new/reading.json").is_file()
    assert not (tmp_path / "results/finance/2025-06/run-old").exists()
    assert not list((tmp_path / release.STAGING).iterdir())


def test_an_unrecorded_run_is_discarded(tmp_path: Path) -> None:
    release.mark_ready(staged(tmp_path, "old"), [])
    release.recover(tmp_path)
    staged(tmp_path, "half")
    with release.publishing(tmp_path):
        assert seen(tmp_path) == {"old"}
    assert not list((tmp_path / release.STAGING).iterdir())


def test_only_results_are_ever_removed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    reports = tmp_path / "reports"
    reports.mkdir()
    release.mark_ready(staged(reports, "run"), ["../precious", "results/../../precious"])
    release.recover(reports)
    assert precious.is_dir()


def page(name: str, **more: object) -> dict:
    return {
        "perspective": name, "title": name.title(), "audience": "<b>You</b>", "answer": "Fine.", "grand_total": "10.00",
        "currency": "EUR", "scope": "", "period_start": "2025-06-01", "period_end": "2025-07-01", "version": 3,
        "ages": [{"age_hours": 3.0}], "published_at": "2025-07-02T08:00:00+00:00", "period": "2025-06", "folder": name,
    } | more  # fmt: skip


@pytest.mark.parametrize(
    ("pages", "kind", "said"),
    [
        ([], "watch", "Nothing is published yet"),
        ([page("finance"), page("product")], "watch", "Both perspectives add up to the same EUR 10.00"),
        ([page("finance"), page("product", version=4)], "watch", "Finance reads an older store version"),
        ([page("finance"), page("product", period_start="2025-05-01")], "watch", "not comparable"),
        ([page("finance"), page("product", grand_total="10.01")], "bad", "do not agree"),
    ],
)
def test_the_overview_says_whether_pages_agree(pages: list[dict], kind: str, said: str) -> None:
    pointer = {"pages": {entry["perspective"]: entry for entry in pages}, "results": []}
    assert agreement(pointer["pages"])[0] == kind
    built = build_index(pointer)
    assert said in built
    assert "Not published yet" in built
    assert "<b>You" not in built


def test_a_run_replaces_its_own_period_only() -> None:
    old = {"pages": {}, "results": [page("finance", folder="a"), page("finance", period="2025-05", folder="b")]}
    merged, dropped = release.merge_pointer(old, [page("finance", folder="c")])
    assert [entry["folder"] for entry in merged["results"]] == ["b", "c"]
    assert dropped == ["a"]
