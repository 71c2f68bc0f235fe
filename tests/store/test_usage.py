"""Usage samples beside states: joined where a state is known, marked as derived, and never a source of states."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from finops_kit.ingest import ingest_paths
from finops_kit.settings import Workspace
from finops_kit.store import create_store, open_reader

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
POD = {
    "kind": "Pod", "apiVersion": "v1", "metadata": {"name": "web-1", "namespace": "shop", "uid": "uid-web-1"},
    "spec": {"containers": [{"name": "web", "resources": {"requests": {"cpu": "2", "memory": "4Gi"}}}]},
    "status": {"phase": "Running"},
}  # fmt: skip


def series(labels: dict[str, str], *values: tuple[float, str]) -> dict[str, object]:
    return {"metric": labels, "values": [[at, value] for at, value in values]}


def test_samples_meet_the_state_that_they_fell_into(workspace: Workspace, tmp_path: Path) -> None:
    at = NOON.timestamp()
    (tmp_path / "eu1_2026-03-02T1200Z.json").write_text(json.dumps({"kind": "List", "items": [POD]}))
    answer = {"status": "success", "data": {"resultType": "matrix", "result": [
        series({"namespace": "shop", "pod": "web-1"}, (at + 60, "0.5"), (at + 120.5, "0.75"), (at + 180, "NaN")),
        series({"namespace": "shop", "pod": "web-9"}, (at + 60, "1")),
        series({"__name__": "container_cpu_usage_seconds_total", "pod": "web-1"}, (at + 60, "99")),
    ]}}  # fmt: skip
    (tmp_path / "cpu_rate_2026-03-02.json").write_text(json.dumps(answer))
    (tmp_path / "memory.csv").write_text(
        "resource_id,metric,unit,measured_at,value,measured_by\nuid-web-1,memory_gib,GiB,2026-03-02T12:01:00Z,1.5,apm\n"
        "uid-web-1,memory_gib,GiB,2026-06-02T12:01:00Z,1.5,apm\n"
    )
    create_store(workspace)
    report = ingest_paths(workspace, sorted(tmp_path.glob("*.*")))
    counts = {Path(f.path).name: (f.status, f.rows_stored, f.rows_quarantined) for f in report.files}
    assert counts["cpu_rate_2026-03-02.json"] == ("stored", 3, 2)
    assert counts["memory.csv"] == ("stored", 2, 0)
    again = ingest_paths(workspace, [tmp_path / "cpu_rate_2026-03-02.json"])
    assert again.files[0].status == "unchanged"
    with open_reader(workspace) as reader:
        rows = reader.connection.execute("""SELECT resource_id, resource_name, metric, value, capacity, quality,
            measured_by, reason, marking FROM usage_of_state ORDER BY metric, measured_at, resource_name""").fetchall()
        reasons = {row[0] for row in reader.connection.execute("SELECT reason FROM quarantine").fetchall()}
        states = reader.connection.execute("SELECT DISTINCT resource_id, source_system FROM state_interval").fetchall()
    unknown = "no state of the resource is known at that time"
    assert [row[:-1] for row in rows] == [
        ("uid-web-1", None, "memory_gib", Decimal("1.5"), 4, "carried", "apm", None),
        ("uid-web-1", None, "memory_gib", Decimal("1.5"), None, None, "apm", unknown),
        ("uid-web-1", "web-1", "vcpu", Decimal("0.5"), 2, "carried", "prometheus", None),
        (None, "web-9", "vcpu", 1, None, None, "prometheus", unknown),
        ("uid-web-1", "web-1", "vcpu", Decimal("0.75"), 2, "carried", "prometheus", None),
    ]
    assert {row[-1] for row in rows} == {"derived: measured, not a source of states"}
    assert any("counter" in reason for reason in reasons) and any("'NaN' is no number" in reason for reason in reasons)
    assert states == [("uid-web-1", "kubernetes")], "a sample makes no state"
