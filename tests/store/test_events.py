"""What scaled: how sure its time is, what narrows it, and the nodes of a cluster."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import inform
import pytest
import reference

Snapshot, Look = reference.Snapshot, reference.Look
START = inform.datetime(2026, 1, 5, 8, tzinfo=inform.UTC)


def at(minutes: float) -> Any:
    return START + timedelta(minutes=minutes)


def seen(resource: str, minutes: float, kind: str = "deployment", **state: Any) -> Any:
    values = tuple((k, Decimal(v) if k in inform.NUMBERS else v) for k, v in state.items() if k != "tags")
    return Snapshot(resource, "kubernetes", at(minutes), scope=kind, kind=kind, state=(("cluster", "c1"), *values),
                    tags=tuple(state.get("tags", ())))  # fmt: skip


def notice(bench: Any, resource: str, minutes: float, reason: str, message: str) -> None:
    bench.entry += 1
    bench.insert(
        "platform_event",
        f"""SELECT '{resource}{minutes}{message}' AS event_id, 'kubernetes' AS source_system,
        TIMESTAMPTZ '{at(minutes).isoformat()}' AS happened_at, '{resource}' AS resource_id, 'c1' AS cluster,
        '{reason}' AS reason, '{message}' AS message, 1 AS source_row""",
    )


def events(bench: Any, columns: str = "resource_id, dimension, before, after, at_lo, at_hi, cause") -> list[Any]:
    return bench.fetch(f"SELECT {columns} FROM scaling_event ORDER BY at_hi, resource_id, dimension")


def test_a_change_lies_between_its_two_observations(bench: Any) -> None:
    bench.add([seen("web", 0, replicas=3), seen("web", 60, replicas=3), seen("web", 120, replicas=12)])
    assert events(bench) == [("web", "replicas", "3", "12", at(60), at(120), None)]


def test_every_dimension_is_an_event_of_its_own_and_text_dimensions_have_no_number(bench: Any) -> None:
    bench.add([seen("vm", 0, "machine", vcpu="2", sku="m5.large", power_state="running"),
               seen("vm", 60, "machine", vcpu="4.5", sku="m5.xlarge", power_state="stopped")])  # fmt: skip
    assert events(bench, "dimension, before, after, after_value - before_value") == [
        ("power_state", "running", "stopped", None), ("sku", "m5.large", "m5.xlarge", None),
        ("vcpu", "2", "4.5", Decimal("2.5")),
    ]  # fmt: skip


def test_what_was_not_said_is_no_change(bench: Any) -> None:
    bench.add([seen("web", 0, replicas=3), seen("web", 60), seen("web", 120, replicas=4)])
    assert events(bench)[0][2:6] == ("3", "4", at(0), at(120))


def test_a_platform_notice_that_names_the_value_narrows_the_time(bench: Any) -> None:
    bench.add([seen("web", 0, replicas=3), seen("web", 120, replicas=12)])
    notice(bench, "web", 30, "ScalingReplicaSet", "Scaled up replica set web-6d4c to 7 from 3")
    notice(bench, "web", 45, "ScalingReplicaSet", "Scaled up replica set web-6d4c to 12 from 7")
    (event,) = events(bench)
    assert event[4:6] == (at(45), at(45) + timedelta(seconds=1))
    assert event[6] == "ScalingReplicaSet: Scaled up replica set web-6d4c to 12 from 7"
    assert events(bench, "seen_before_at, seen_after_at, cause_source") == [(at(0), at(120), "kubernetes")]


def test_a_notice_that_names_no_value_gives_the_cause_only(bench: Any) -> None:
    bench.add([seen("web", 0, replicas=3), seen("web", 120, replicas=12)])
    notice(bench, "web", 45, "SuccessfulRescale", "cpu resource utilization above target")
    assert [(e[4], e[5], e[6]) for e in events(bench)] == [
        (at(0), at(120), "SuccessfulRescale: cpu resource utilization above target"),
    ]  # fmt: skip


def test_a_notice_outside_the_window_or_of_another_resource_says_nothing(bench: Any) -> None:
    bench.add([seen("web", 0, replicas=3), seen("web", 120, replicas=12)])
    notice(bench, "web", 121, "ScalingReplicaSet", "Scaled up replica set web-6d4c to 12")
    notice(bench, "api", 45, "ScalingReplicaSet", "Scaled up replica set api-6d4c to 12")
    assert events(bench)[0][4:] == (at(0), at(120), None)


def test_nodes_of_a_cluster_and_of_its_groups(bench: Any) -> None:
    def node(name: str, minutes: float) -> Any:
        return seen(name, minutes, "node", vcpu="32", tags=(("eks.amazonaws.com/nodegroup", "auto"),))

    def look(minutes: float) -> Any:
        return Look("kubernetes", "node", at(minutes))

    bench.add([node("n1", 0), look(0)])
    bench.add([node("n1", 15), node("n2", 15), node("n3", 15), look(15)])
    bench.add([node("n1", 30), look(30)])
    notice(bench, "pod-7", 5, "TriggeredScaleUp", "pod triggered scale-up: [{auto 1->3 (max: 9)}]")
    cause = "TriggeredScaleUp: pod triggered scale-up: [{auto 1->3 (max: 9)}]"
    assert events(bench, "resource_id, kind, before, after, at_lo, at_hi, cause") == [
        ("c1", "cluster", "1", "3", at(0), at(15), cause),
        ("c1/auto", "nodegroup", "1", "3", at(5), at(15), cause),
        ("c1", "cluster", "3", "1", at(15), at(30), None),
        ("c1/auto", "nodegroup", "3", "1", at(15), at(30), None),
    ]  # fmt: skip


def test_who_decided_says_why_and_the_workload_hears_it_of_its_autoscaler(bench: Any) -> None:
    bench.add([seen("web", 0, replicas=3), seen("hpa", 0, "autoscaler", owner_id="web", replicas=3)])
    bench.add([seen("web", 120, replicas=7), seen("hpa", 120, "autoscaler", owner_id="web", replicas=7)])
    notice(bench, "hpa", 30, "SuccessfulRescale", "New size: 7; reason: cpu resource utilization above target")
    notice(bench, "web", 30.1, "ScalingReplicaSet", "Scaled up replica set web-6d4c to 7 from 3")
    cause = "SuccessfulRescale: New size: 7; reason: cpu resource utilization above target"
    assert events(bench, "resource_id, at_lo, cause") == [("hpa", at(30), cause), ("web", at(30.1), cause)]


@pytest.mark.parametrize(("reason", "message"), [
    ("TriggeredScaleUp", "pod triggered scale-up: [{eks-auto-0ac1b2d3-1a2b-3c4d-5e6f-001122334455 1->3 (max: 9)}]"),
    ("ScaledUpGroup", "Scale-up: group aks-auto-12345678-vmss size set to 3 instead of 1 (max: 9)"),
    ("ScaledUpGroup", "Scale-up: setting group https://x/zones/z/instanceGroups/gke-c1-auto-1a2b3c4d-grp size to 3 "
                      "instead of 1 (max: 9)"),
])  # fmt: skip
def test_a_cluster_autoscaler_names_the_machines_group_of_a_node_group(bench: Any, reason: str, message: str) -> None:
    for minutes, names in ((0, ["n1"]), (15, ["n1", "n2", "n3"])):
        nodes = [seen(name, minutes, "node", tags=(("agentpool", "auto"),)) for name in names]
        bench.add([*nodes, Look("kubernetes", "node", at(minutes))])
    notice(bench, "pod-7", 5, reason, message)
    assert events(bench, "resource_id, at_lo, at_hi, cause") == [
        ("c1", at(0), at(15), f"{reason}: {message}"), ("c1/auto", at(5), at(15), f"{reason}: {message}"),
    ]  # fmt: skip


def test_a_scale_down_gives_its_cluster_the_cause(bench: Any) -> None:
    for minutes, names in ((0, ["n1", "n2"]), (15, ["n1"])):
        bench.add([*(seen(name, minutes, "node") for name in names), Look("kubernetes", "node", at(minutes))])
    notice(bench, "n2", 9, "ScaleDown", "node removed by cluster autoscaler")
    assert events(bench, "resource_id, before, after, at_lo, cause") == [
        ("c1", "2", "1", at(0), "ScaleDown: node removed by cluster autoscaler"),
    ]  # fmt: skip
