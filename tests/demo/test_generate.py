"""Making the demo estate: the same bytes every time, any length and size, in little memory."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from finops_kit.demo import generate
from finops_kit.errors import UsageError


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        generate(tmp_path / name, seed=seed, months=4, scale=0.5)
    first, again, other = (hashes(tmp_path / name) for name in "abc")
    assert first == again
    assert first["truth.json"] != other["truth.json"]
    bills = [name for name in first if name.startswith("aws/")]
    assert bills
    assert all(first[name] != other[name] for name in bills)


def test_a_second_run_replaces_an_older_estate_and_nothing_else(tmp_path: Path) -> None:
    generate(tmp_path / "x", months=5, scale=0.5)
    generate(tmp_path / "x", months=3, scale=0.5)
    generate(tmp_path / "y", months=3, scale=0.5)
    assert hashes(tmp_path / "x") == hashes(tmp_path / "y")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("keep me")
    with pytest.raises(UsageError, match="no demo estate"):
        generate(tmp_path / "mine", months=3)
    assert (tmp_path / "mine" / "note.txt").read_text() == "keep me"


@pytest.mark.parametrize(
    "wrong",
    [{"months": 2}, {"months": 0}, {"months": 3.5}, {"scale": 0}, {"scale": -1}, {"scale": float("nan")},
     {"scale": "big"}, {"seed": "x"}, {"end": "2026-13"}, {"end": "September"}],
)  # fmt: skip
def test_nonsense_is_refused_before_anything_is_written(tmp_path: Path, wrong: dict) -> None:
    with pytest.raises(UsageError):
        generate(tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("months", "end"), [(3, "2026-09"), (7, "2024-02"), (24, "2027-03")])
def test_other_lengths_and_ends_hold_together(tmp_path: Path, months: int, end: str) -> None:
    summary = generate(tmp_path / "e", months=months, scale=0.3, end=end)
    truth = json.loads((tmp_path / "e" / "truth.json").read_text(encoding="utf-8"))
    assert summary["open_month"] == end == truth["months"][-1]
    assert len(truth["months"]) == months
    assert len(truth["anomalies"]) == 3
    assert truth["restated"]["month"] != end
    assert truth["quarantine"]


def test_scale_means_more_resources_and_more_tenants(tmp_path: Path) -> None:
    small = generate(tmp_path / "s", months=3)
    large = generate(tmp_path / "l", months=3, scale=4)
    assert 3 < large["charges_current"] / small["charges_current"] < 5
    truth = json.loads((tmp_path / "l" / "truth.json").read_text(encoding="utf-8"))
    assert len(truth["tenants"]) == 80
    assert (len(truth["orphaned_disks"]), len(truth["idle_machines"])) == (5, 5)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_the_number_of_months(tmp_path: Path) -> None:
    """A month of one provider is what is held: eight months at scale 5 need little more than three."""
    peaks = []
    for months in (3, 8):
        code = (
            "import re, sys; from pathlib import Path; from finops_kit.demo import generate;"
            f"generate(sys.argv[1], months={months}, scale=5);"
            "print(int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]) // 1024)"
        )
        run = subprocess.run([sys.executable, "-c", code, str(tmp_path / str(months))], capture_output=True, text=True,
                             check=True)  # fmt: skip
        peaks.append(int(run.stdout.split()[-1]))
    assert peaks[1] < peaks[0] * 1.35
    assert peaks[1] < 600
