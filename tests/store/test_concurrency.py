"""Several processes at once: whole batches only, no failure; and a writer killed at any moment harms nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finops_kit.settings import Workspace
from finops_kit.store import create_store, open_reader
from finops_kit.store.verify import verify

#: the full length is 60 s and 20 kills: FINOPS_LONG_TESTS=1
LONG = bool(os.environ.get("FINOPS_LONG_TESTS"))
SECONDS = 60.0 if LONG else 10.0
KILLS = 20 if LONG else 10

#: what each process runs; argv: role, workspace, seconds. It prints what it did as JSON and fails loudly.
ROLES = '''
import json, sys, time
from pathlib import Path
from finops_kit.settings import Workspace
from finops_kit.store import open_reader, open_writer
from finops_kit.store.door import run_sql

role, place, seconds = sys.argv[1], Workspace(Path(sys.argv[2])), float(sys.argv[3])
until, done, versions = time.monotonic() + seconds, 0, []

def ingest(writer, number):
    rows = number % 7 + 1
    with writer.batch(
        kind="ingest", format="focus-1.2", source_file=f"bill-{number}.csv", source_hash=f"{time.time_ns():064x}"
    ) as batch:
        batch.rows_read = batch.insert("charge", f"""SELECT 'acc' AS "BillingAccountId", 'EUR' AS "BillingCurrency",
            TIMESTAMPTZ '2026-09-01 00:00:00+00' AS "BillingPeriodStart", 'focus' AS source_system,
            1::DECIMAL(38,24) AS "BilledCost", range + 1 AS source_row FROM range({rows})""")
        batch.rows_read += batch.insert("budget", f"SELECT 1 AS amount FROM range({rows})")
        batch.insert("delivery", """SELECT 'focus' AS source_system, 'acc' AS billing_account_id,
            TIMESTAMPTZ '2026-09-01 00:00:00+00' AS period_start, 'charge' AS dataset, 'append' AS mode, 1 AS rows""")
        batch.control_totals = {"EUR": rows}

WHOLE = """SELECT count(*) FROM (
    SELECT batch_id, rows_stored FROM ledger) l
    FULL JOIN (SELECT batch_id, count(*) AS n FROM charge_history GROUP BY 1) c USING (batch_id)
    FULL JOIN (SELECT batch_id, count(*) AS n FROM budget_history GROUP BY 1) b USING (batch_id)
    WHERE rows_stored IS DISTINCT FROM c.n + b.n OR c.n <> b.n"""

if role == "idle":
    with open_reader(place) as reader:
        count = "SELECT count(*), (SELECT count(*) FROM ledger) FROM charge"
        before = reader.connection.execute(count).fetchone()
        reader.connection.execute("BEGIN")
        reader.connection.execute(count).fetchone()
        time.sleep(seconds)
        assert reader.connection.execute(count).fetchone() == before
        done = 1
if role == "ingest":
    with open_writer(place) as writer:
        print("ready", flush=True)
        until = time.monotonic() + seconds
        while not done or time.monotonic() < until:
            ingest(writer, done)
            done += 1
while time.monotonic() < until:
    if role == "door":
        with run_sql(place, WHOLE) as answer:
            torn = next(iter(answer))[0]
            versions.append(answer.version)
        assert torn == 0, f"{torn} torn batches"
    elif role == "read":
        with open_reader(place) as reader:
            torn = reader.connection.execute(WHOLE).fetchone()[0]
            assert torn == 0, f"{torn} torn batches"
            current = reader.table("charge").count().execute()
            totals = reader.connection.execute("SELECT control_totals FROM ledger").fetchall()
            assert current == sum(int(json.loads(total)["EUR"]) for (total,) in totals)
            versions.append(reader.version)
    done += 1
assert versions == sorted(versions), "a later read saw an earlier version"
print(json.dumps({"role": role, "done": done}))
'''


@pytest.fixture
def store(tmp_path: Path) -> Workspace:
    place = Workspace(tmp_path / "workspace")
    create_store(place)
    return place


def start(script: Path, role: str, store: Workspace, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(script), role, str(store.root), str(seconds)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_six_processes_at_once(store: Workspace, tmp_path: Path) -> None:
    script = tmp_path / "role.py"
    script.write_text(ROLES)
    first = json.loads(start(script, "ingest", store, 0.1).communicate(timeout=60)[0].splitlines()[-1])["done"]
    roles = ["idle", "ingest", "read", "read", "door", "door"]
    processes = [start(script, role, store, SECONDS) for role in roles]
    outcomes = [process.communicate(timeout=SECONDS + 90) for process in processes]
    failures = [
        f"{role}: {err[-600:]}" for role, p, (_, err) in zip(roles, processes, outcomes, strict=True) if p.returncode
    ]
    assert not failures, "\n".join(failures)
    done = [json.loads(out.splitlines()[-1])["done"] for out, _ in outcomes]
    assert all(done), dict(zip(roles, done, strict=True))
    report = verify(store)
    assert report.ok and report.entries == done[1] + first, [str(finding) for finding in report.findings]


@pytest.mark.slow
def test_an_ingest_killed_at_any_moment_leaves_only_whole_batches(store: Workspace, tmp_path: Path) -> None:
    script = tmp_path / "role.py"
    script.write_text(ROLES)
    first = start(script, "ingest", store, 1)
    batch_seconds = 1 / json.loads(first.communicate(timeout=60)[0].splitlines()[-1])["done"]
    dice = random.Random(7)
    for _ in range(KILLS):
        process = start(script, "ingest", store, 60)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(dice.uniform(0, 2 * min(batch_seconds, 1)))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=10)
    with open_reader(store) as reader:
        batches = reader.ledger_entries
        torn = reader.connection.execute(ROLES.split('WHOLE = """')[1].split('"""')[0]).fetchone()
        assert torn == (0,)
    report = verify(store)
    assert report.ok, [str(finding) for finding in report.findings]
    assert report.entries == batches > 0
    assert start(script, "ingest", store, 0.1).wait(60) == 0  # the next one goes on
    after = verify(store)
    assert after.ok and after.entries > batches
