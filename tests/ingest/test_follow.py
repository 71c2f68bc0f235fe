"""Watching a folder: what comes is taken once, whole, and whatever happens to the watch harms nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from test_locations import _zip
from tests_ingest import ask, focus_text

from finops_kit.errors import UsageError
from finops_kit.ingest import ingest_paths
from finops_kit.ingest.follow import Watch, follow
from finops_kit.settings import Workspace
from finops_kit.store import create_store, open_writer
from finops_kit.store.verify import verify


def _bill(number):
    return focus_text({"BilledCost": f"{number}.5", "BillingAccountId": str(number)})


def _names(located):
    return [one.path.name for one in located]


def test_a_file_is_taken_when_it_is_steady_and_parts_come_together(tmp_path):
    watch = Watch([tmp_path])
    (tmp_path / "a.csv").write_text("1")
    (tmp_path / "b.csv.part").write_text("1")
    (tmp_path / "empty.csv").write_text("")
    assert watch.look() == []
    (tmp_path / "a.csv").write_text("12")  # still being written
    assert watch.look() == []
    assert _names(watch.look()) == ["a.csv"]
    watch.done |= watch.seen
    assert watch.look() == []
    (tmp_path / "cur-00001.csv").write_text("1"), watch.look()
    assert _names(watch.look()) == ["cur-00001.csv"]
    watch.done |= watch.seen
    (tmp_path / "cur-00002.csv").write_text("1"), watch.look()
    assert _names(watch.look()) == ["cur-00001.csv", "cur-00002.csv"]


def test_what_comes_is_told_once_and_nothing_is_locked_meanwhile(store, tmp_path):
    place, stop, told = tmp_path / "in", threading.Event(), []
    place.mkdir()
    (place / "cur-00001.csv").write_text(_bill(1))

    def tell(one):
        told.append((one.path.rsplit("/", 1)[-1], one.status))
        if len(told) == 1:
            (place / "bad.csv").write_text("no,bill\n1,2\n")
            (place / "evil.zip").write_bytes(_zip(("../x.csv", "1")))
            (place / "again.csv").write_text(_bill(1))
            (place / ".hidden").write_text(focus_text({"BilledCost": "7"}))
            (place / ".hidden").replace(place / "cur-00002.csv")
        if len(told) == 5:
            with open_writer(store, wait_seconds=0) as writer, writer.exclusive():
                stop.set()

    ended = threading.Timer(60, stop.set)
    ended.start()
    follow(store, [place], tell, stop, interval=0.05)
    ended.cancel()
    assert sorted(told) == [("again.csv", "unchanged"), ("bad.csv", "refused"), ("cur-00001.csv", "stored"),
                            ("cur-00002.csv", "stored"), ("evil.zip", "refused")]  # fmt: skip
    # the second part adds to the first, which was taken in by an earlier look
    assert ask(store, 'SELECT "BilledCost"::DOUBLE FROM charge ORDER BY 1') == [(1.5,), (7.0,)]


def test_a_report_waits_until_all_that_its_manifest_lists_is_there(store, tmp_path):
    place, stop, told = tmp_path / "in", threading.Event(), []
    manifest = place / "cur-Manifest.json"

    def put(name, number):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(focus_text({"BilledCost": str(number)}))

    def lists(*names):
        manifest.write_text(json.dumps({"reportKeys": [f"bucket/cur/{name}" for name in names]}))

    put("one/a.csv", 1), put("stray.csv", 99), lists("one/a.csv", "one/b.csv")

    def tell(one):
        told.append((one.path.rsplit("/", 1)[-1], one.status))
        if len(told) == 1:
            assert "one/b.csv is not there" in one.reason and ask(store, "SELECT count(*) FROM charge") == [(0,)]
            put("one/b.csv", 2)
        if len(told) == 3:  # the next version of the report: its parts come first, and its manifest takes over
            assert ask(store, 'SELECT sum("BilledCost")::INT FROM charge') == [(3,)]
            put("two/a.csv", 4), put("two/b.csv", 5), lists("two/a.csv", "two/b.csv")
        if len(told) == 5:
            stop.set()

    ended = threading.Timer(60, stop.set)
    ended.start()
    follow(store, [place], tell, stop, interval=0.05)
    assert told == [("cur-Manifest.json", "waiting"), *[("a.csv", "stored"), ("b.csv", "stored")] * 2]
    assert ask(store, 'SELECT sum("BilledCost")::INT FROM charge') == [(9,)]
    # started again, it finds all of it stored
    told.clear(), stop.clear()
    follow(store, [place], lambda one: (told.append(one.status), stop.set()), stop, interval=0.05)
    ended.cancel()
    assert set(told) == {"unchanged"} and ask(store, "SELECT count(*) FROM charge_history") == [(4,)]


def test_only_folders_are_watched(store, tmp_path):
    with pytest.raises(UsageError, match="is no folder"):
        follow(store, [tmp_path / "nothing"], print, threading.Event())


def _start(store, place):
    return subprocess.Popen(
        [sys.executable, "-m", "finops_kit.cli", "-q", "-w", str(store.root), "ingest", "--follow", str(place),
         "--interval", "0.05"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_killed_at_any_moment_and_started_again_it_is_as_if_nothing_had_happened(store, tmp_path):
    place = tmp_path / "in"
    place.mkdir()
    for number in range(12):
        (place / f"{number:02}.csv").write_text(_bill(number))
    undisturbed = Workspace(tmp_path / "other")
    create_store(undisturbed)
    ingest_paths(undisturbed, [place])
    dice = random.Random(3)
    for _ in range(3):
        process = _start(store, place)
        process.stdout.readline()  # one file is in, the next one under way
        time.sleep(dice.uniform(0, 0.4))
        process.kill()
        process.communicate()
    process = _start(store, place)
    said = [process.stdout.readline() for _ in range(12)]
    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=30)
    assert process.returncode == 0 and not rest and not errors, errors
    assert any(line.startswith("unchanged") for line in said)
    held = "SELECT source_hash, rows_stored, control_totals FROM ledger WHERE rows_stored > 0 ORDER BY 1"
    lines = 'SELECT "BillingAccountId", "BilledCost" FROM charge ORDER BY ALL'
    for statement in (held, lines):
        assert ask(store, statement) == ask(undisturbed, statement)
    assert verify(store).ok
