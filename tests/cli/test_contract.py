"""What every command keeps to: help, exit codes, one-sentence errors, JSON, the workspace, quick start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from finops_kit.cli import estate
from finops_kit.cli.app import SECTIONS, app
from finops_kit.cli.document import document

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [name for _, names in SECTIONS for name in names]
HEAVY = ("duckdb", "ibis", "pandas", "pyarrow", "altair", "numpy", "papermill", "voila")


def finops_process(*words: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "finops_kit.cli", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # type: ignore[call-overload,no-any-return]  # fmt: skip


def test_starting_up_imports_nothing_heavy() -> None:
    code = (
        "import sys, contextlib, io\nfrom finops_kit.cli.app import app\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): app.main(['--help'])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_teaches_with_an_example(name: str, finops) -> None:
    for flag in ("--help", "-h"):
        done = finops(name, flag)
        assert done.exit_code == 0
        assert "Examples:\n" in done.output and f"  finops {name}" in done.output and "--workspace" in done.output


def test_the_help_lists_the_commands_in_the_order_of_a_first_day(finops) -> None:
    said = finops("--help").output
    places = [said.index(f"\n  {name} ") for name in COMMANDS]
    assert places == sorted(places) and "Exit codes" in said
    assert finops("--version").output.startswith("finops 0.")
    assert finops().output.startswith("Usage")


def test_the_reference_is_complete() -> None:
    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert written == document(), "run: python -m finops_kit.cli.document > docs/cli.md"
    context = click.Context(app)
    for name in COMMANDS:
        command = app.get_command(context, name)
        assert command is not None
        for parameter in command.params:
            for option in parameter.opts if isinstance(parameter, click.Option) else ():
                assert option in written, f"{name} {option}"


#: commands that read no store, write to it now, name versions their own way, or copy it as it is
WITHOUT_AS_OF = {"backup", "compact", "demo", "diff", "ingest", "init", "observe", "restore", "serve"}


def test_everything_that_reads_the_store_takes_a_version_or_a_time() -> None:
    context = click.Context(app)
    for name in sorted(set(COMMANDS) - WITHOUT_AS_OF):
        command = app.get_command(context, name)
        assert command is not None and any("--as-of" in parameter.opts for parameter in command.params), name


def test_everything_that_reports_takes_json() -> None:
    context = click.Context(app)
    for name in sorted(set(COMMANDS) - {"serve", "lab"}):
        command = app.get_command(context, name)
        assert command is not None and any("--json" in parameter.opts for parameter in command.params), name


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sttus"], "Did you mean `finops status`"),
        (["xyzzy"], "no command 'xyzzy'"),
        (["status", "--jsn"], "--json"),
        (["report", "finanse"], "Did you mean finance?"),
        (["report", "--period", "2026-3"], "YYYY-MM"),
        (["ingest"], "PATH"),
        (["export", "focus"], "--out"),
        (["trace", "efective_cost"], "effective_cost"),
        (["sql", "FROM charge", "--csv", "--json"], "choose one"),
        (["sql", "FROM charge", "--memory", "lots"], "amount of memory"),
        (["init", "--currency", "euro"], "ISO 4217"),
        (["ingest", "--format", "focus", "x.csv"], "focus-1"),
    ],
)
def test_wrong_use_is_one_sentence_and_exits_2(words: list[str], said: str, finops) -> None:
    finops("init")
    done = finops(*words)
    assert done.exit_code == 2, done.output
    assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1 and said in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.parametrize("name", ["status", "verify", "report"])
def test_errors_are_json_too_where_json_is_asked_for(name: str, finops) -> None:
    done = finops(name, "--json")
    assert done.exit_code == 4
    error = json.loads(done.stdout)["error"]
    assert error["kind"] == "StoreMissing" and error["exit_code"] == 4 and error["message"] in done.stderr
    assert "finops init" in error["message"]


def test_the_workspace_may_be_named_anywhere(finops, tmp_path: Path) -> None:
    there = str(tmp_path / "elsewhere")
    assert finops("--workspace", there, "init").exit_code == 0
    assert finops("status", "--workspace", there).exit_code == 0
    assert finops("-w", "/nowhere", "status", "-w", there).exit_code == 0  # the nearer one holds
    assert finops("status", env={"FINOPS_WORKSPACE": there}).exit_code == 0
    assert finops("status").exit_code == 4
    assert (tmp_path / "elsewhere" / "catalogue.sqlite").is_file()


def test_the_unexpected_is_a_sentence_with_the_trace_in_a_log(finops, tmp_path: Path, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr("finops_kit.store.summary.summarize", fail)
    done = finops("status")
    (log,) = (tmp_path / "workspace" / "logs").iterdir()
    assert done.exit_code == 1 and done.stderr.count("\n") == 1 and str(log) in done.stderr
    assert "Traceback" in log.read_text() and "fail" in log.read_text()
    done = finops("status", "--debug")
    assert "Traceback" in done.stderr
    assert "Traceback" in finops("--debug", "sql", "FROM nowhere").stderr


def test_interrupting_exits_130(filled, tmp_path: Path) -> None:
    process = finops_process("sql", "SELECT count(*) FROM range(1000000000000)")
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130 and "Interrupted" in said and "Traceback" not in said
    assert time.monotonic() - began < 6


def test_a_reader_that_goes_away_is_no_error(filled) -> None:
    process = finops_process("sql", "SELECT range, repeat('x', 100) FROM range(1000000)", "--csv")
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline().startswith("range")
    process.stdout.close()
    process.wait(timeout=30)
    assert process.stderr.read() == ""


def test_progress_is_shown_after_two_seconds_and_never_when_quiet(filled) -> None:
    slow = (
        "import sys, time\nfrom finops_kit.cli.common import Setting\nfrom finops_kit.cli.progress import Progress\n"
        "with Progress('work', Setting(quiet='q' in sys.argv)) as tell:\n    tell('step one'); time.sleep(2.6)\n"
    )
    loud = subprocess.run([sys.executable, "-c", slow], capture_output=True, text=True, check=True)
    assert loud.stderr == "work: step one (2 s)\n" and loud.stdout == ""
    quiet = subprocess.run([sys.executable, "-c", slow, "q"], capture_output=True, text=True, check=True)
    assert quiet.stderr == ""


def test_the_same_parameters_find_the_demo_and_others_make_it_again(tmp_path: Path, monkeypatch) -> None:
    made = []

    def generate(out: Path, seed: int, months: int, scale: float, progress: object) -> None:
        made.append(seed)
        (out / "a.csv").write_text(f"{seed}")
        (out / "truth.json").write_text("{}")

    monkeypatch.setattr("finops_kit.demo.generate", generate)
    place = tmp_path / "demo"
    new, files = estate.ensure_estate(place, 7, 18, 1.0, print)
    assert new and [file.name for file in files] == ["a.csv"]
    assert estate.ensure_estate(place, 7, 18, 1.0, print)[0] is False
    assert estate.ensure_estate(place, 8, 18, 1.0, print)[0] is True and made == [7, 8]
    (place / "a.csv").write_text("touched")
    assert estate.ensure_estate(place, 8, 18, 1.0, print)[0] is True
    assert not list(tmp_path.glob(".demo*"))


def test_a_folder_of_somebody_else_is_left_alone(finops, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    done = finops("demo", "--out", str(tmp_path / "mine"))
    assert done.exit_code == 2 and "did not make" in done.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_lab_opens_the_notebooks_on_loopback_with_the_workspace(finops, monkeypatch, tmp_path: Path) -> None:
    called = {}

    class Done:
        returncode = 0

    def run(words: list[str], env: dict[str, str], check: bool) -> Done:
        called.update(words=words, env=env)
        return Done()

    monkeypatch.setattr("subprocess.run", run)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    refused = finops("lab", "--no-browser")
    assert refused.exit_code == 2 and "--allow-root" in refused.stderr and not called
    assert finops("lab", "--no-browser", "--port", "9999", "--allow-root").exit_code == 0
    assert "--allow-root" in called["words"] and "--LabApp.news_url=None" in called["words"]
    assert "--ServerApp.ip=127.0.0.1" in called["words"] and "--ServerApp.port=9999" in called["words"]
    assert called["env"]["FINOPS_WORKSPACE"] == str(tmp_path / "workspace")
