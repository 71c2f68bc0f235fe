"""Kubernetes dumps: exact quantities, owners, what was looked at, and when."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from tests_ingest import ask

from finops_kit.ingest import ingest_paths
from finops_kit.normalize.kubernetes import UnreadableError, as_gib, read_quantity

NODE = {
    "kind": "Node", "apiVersion": "v1",
    "metadata": {"name": "n1", "uid": "u-node", "resourceVersion": "7",
                 "labels": {"topology.kubernetes.io/region": "eu-central-1",
                            "node.kubernetes.io/instance-type": "m5.xlarge"}},
    "spec": {"providerID": "aws:///eu-central-1a/i-0abc"},
    "status": {"capacity": {"cpu": "4", "memory": "16419384Ki", "nvidia.com/gpu": "2"},
               "conditions": [{"type": "Ready", "status": "True"}]},
}  # fmt: skip
POD = {
    "kind": "Pod", "apiVersion": "v1",
    "metadata": {"name": "p1", "namespace": "shop", "uid": "u-pod", "labels": {"team": "core"},
                 "ownerReferences": [{"kind": "Job", "uid": "u-other"},
                                     {"kind": "ReplicaSet", "uid": "u-set", "controller": True}]},
    "spec": {"nodeName": "n1", "overhead": {"cpu": "50m"},
             "initContainers": [{"resources": {"requests": {"cpu": "3500m", "memory": "1Mi"}}}],
             "containers": [{"resources": {"requests": {"cpu": "1500m", "memory": "512Mi"}}},
                            {"resources": {"requests": {"cpu": "0.5", "memory": "536870912"}}}, {}]},
    "status": {"phase": "Running"},
}  # fmt: skip
DEPLOYMENT = {
    "kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "web", "namespace": "shop", "uid": "u-web"},
    "spec": {"replicas": 3, "template": {"spec": {"containers": [{"resources": {"requests": {"cpu": "2"}}}]}}},
}  # fmt: skip
AUTOSCALER = {
    "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web", "namespace": "shop", "uid": "u-hpa"},
    "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 9},
    "status": {"currentReplicas": 3},
}  # fmt: skip
CLAIM = {
    "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "shop", "uid": "u-claim"},
    "spec": {"storageClassName": "gp3", "resources": {"requests": {"storage": "100Gi"}}}, "status": {"phase": "Bound"},
}  # fmt: skip


def listed(*items, **metadata):
    return json.dumps({"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": list(items)})


@pytest.mark.parametrize(
    ("text", "value"),
    [("3500m", "3.5"), ("16Gi", "17179869184"), ("16419384Ki", "16813449216"), ("4", "4"), ("1e3", "1000"),
     ("1E", "1000000000000000000"), ("128974848", "128974848"), ("100n", "0.0000001"), (4, "4"), ("0.1", "0.1"),
     (".5Mi", "524288")],
)  # fmt: skip
def test_quantities_are_exact(text, value):
    assert read_quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["4 cores", "Gi", "1e400", "--1", "1KiB", "nan", "9" * 30])
def test_what_is_no_quantity_says_so(text):
    with pytest.raises(UnreadableError):
        read_quantity(text)


def test_gib_of_bytes():
    assert as_gib(read_quantity("512Mi")) == Decimal("0.5")


def test_a_list_of_everything(store, write):
    path = write("k/dump.json", listed(NODE, POD, DEPLOYMENT, AUTOSCALER, CLAIM,
                                       annotations={"finops-kit/observed-at": "2026-09-01T10:00:00+02:00",
                                                    "finops-kit/cluster": "prod"}))  # fmt: skip
    report = ingest_paths(store, [path]).files[0]
    assert (report.format, report.rows_read, report.rows_stored) == ("kubernetes", 5, 5)
    rows = ask(store, "SELECT kind, resource_id, cluster, namespace, owner_id, power_state, vcpu, memory_gib, "
                      "replicas, gpu, storage_gib, sku FROM resource_snapshot ORDER BY source_row")  # fmt: skip
    gib = (Decimal(16419384) / 2**20).quantize(Decimal("1E-18"))
    assert rows == [
        ("node", "i-0abc", "prod", None, None, "running", Decimal(4), gib, None, Decimal(2), None, "m5.xlarge"),
        ("pod", "u-pod", "prod", "shop", "u-set", "Running", Decimal("3.55"), Decimal(1), None, None, None, None),
        ("deployment", "u-web", "prod", "shop", None, None, Decimal(2), None, Decimal(3), None, None, None),
        ("autoscaler", "u-hpa", "prod", "shop", "u-web", None, None, None, Decimal(3), None, None, None),
        ("volume_claim", "u-claim", "prod", "shop", None, "Bound", None, None, None, None, Decimal(100), "gp3"),
    ]  # fmt: skip
    assert ask(store, "SELECT DISTINCT observed_at FROM resource_snapshot") == [(datetime(2026, 9, 1, 8, tzinfo=UTC),)]
    assert ask(store, "SELECT scope, complete FROM observation_scope ORDER BY 1") == [
        ("prod/node", True), ("prod/shop/autoscaler", True), ("prod/shop/deployment", True), ("prod/shop/pod", True),
        ("prod/shop/volume_claim", True),
    ]  # fmt: skip


def test_time_and_cluster_from_name_or_folder(store, write):
    named = write("edge/prod-eu1_2026-03-02T0815Z.json", listed(POD))
    plain = write("edge/pods.json", listed(POD, {**POD, "metadata": {**POD["metadata"], "uid": "u2"}}))
    os.utime(plain, (1_780_000_000, 1_780_000_000))
    reports = ingest_paths(store, [named, plain]).files
    assert "time in the file's name" in reports[0].reason and "modification time" in reports[1].reason
    assert ask(store, "SELECT DISTINCT cluster, observed_at FROM resource_snapshot ORDER BY 1") == [
        ("edge", datetime.fromtimestamp(1_780_000_000, UTC)), ("prod-eu1", datetime(2026, 3, 2, 8, 15, tzinfo=UTC)),
    ]  # fmt: skip


def test_one_object_and_a_list_that_was_cut_are_not_complete(store, write):
    ingest_paths(store, [write("a/pod.json", json.dumps(POD)), write("b/pods.json", listed(POD, **{"continue": "x"}))])
    assert ask(store, "SELECT DISTINCT complete FROM observation_scope") == [(False,)]


def test_objects_that_cannot_be_read_are_quarantined(store, write):
    bad = {**POD, "spec": {"containers": [{"resources": {"requests": {"cpu": "many"}}}]}}
    report = ingest_paths(store, [write("k/pods.json", listed(POD, bad, {"kind": "Pod"}, 7))]).files[0]
    assert (report.rows_read, report.rows_stored, report.rows_quarantined) == (4, 1, 3)
    found = ask(store, "SELECT source_row, column_name FROM quarantine ORDER BY 1")
    assert found[0] == (2, "requests.cpu")


def test_an_observation_keeps_its_id(store, write):
    text = listed(POD, annotations={"finops-kit/observed-at": "2026-09-01T08:00:00Z", "finops-kit/cluster": "c"})
    ingest_paths(store, [write("a.json", text), write("b.json", text + "\n")])
    assert ask(store, "SELECT count(*), count(DISTINCT snapshot_id) FROM resource_snapshot") == [(2, 1)]
