"""Charges and states: which belongs to which, whole and to the last decimal, and what stays over on either side."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import duckdb
import inform
import pytest
import reference

from finops_kit.store.derive.identity import canonical_sql

Snapshot, Look = reference.Snapshot, reference.Look
JANUARY = inform.datetime(2026, 1, 1, tzinfo=inform.UTC)
OTHER_FORM = "same id in another form"


def day(n: float) -> Any:
    return JANUARY + timedelta(days=n)


def seen(resource: str, at: float, vcpu: int = 2, **more: Any) -> Any:
    return Snapshot(resource, more.pop("source", "inventory"), day(at), scope=more.pop("scope", "all"),
                    state=(("vcpu", Decimal(vcpu)), *more.pop("state", ())), **more)  # fmt: skip


def charge(resource: str | None, start: float, end: float, amount: str = "1", **more: Any) -> dict[str, Any]:
    return {"ResourceId": resource, "ChargePeriodStart": day(start), "ChargePeriodEnd": day(end),
            "BilledCost": Decimal(amount), **more}  # fmt: skip


def linked(bench: Any, columns: str = 'resource_id, share, "BilledCost"') -> list[tuple[Any, ...]]:
    return bench.fetch(f"SELECT {columns} FROM charge_link ORDER BY source_row, valid_from", inform.LINKED)


def unlinked(bench: Any) -> list[tuple[Any, ...]]:
    return bench.fetch("SELECT source_row, reason FROM unlinked_charge ORDER BY 1", inform.LINKED)


def test_a_charge_within_one_state_is_linked_whole(bench: Any) -> None:
    bench.add([seen("a", 0), seen("a", 20)])
    bench.bill([charge("a", 3, 4, "10"), charge("a", 19, 21, "5")])
    assert linked(bench, 'resource_id, share, "BilledCost", overlap_seconds, quality, method') == [
        ("a", 1, 10, 86400, "observed", "same id"), ("a", 1, 5, 172800, "carried", "same id"),
    ]  # fmt: skip
    assert unlinked(bench) == []


def test_a_month_is_shared_by_the_time_that_each_state_stood(bench: Any) -> None:
    bench.add([seen("a", 0, 2), seen("a", 10, 4), seen("a", 25, 8)])
    bench.bill([charge("a", 0, 30, "100"), charge("a", 0, 31, "0.000000000000000000000001")])
    assert linked(bench)[:3] == [
        ("a", Decimal("0.333333333"), Decimal("33.3333333")), ("a", Decimal("0.5"), 50),
        ("a", Decimal("0.166666667"), Decimal("16.6666667")),
    ]  # fmt: skip
    assert sum(row[2] for row in linked(bench)[3:]) == Decimal("0.000000000000000000000001")


def test_a_bill_is_spread_over_the_known_part_of_its_time(bench: Any) -> None:
    bench.add([seen("a", 20, 2)])
    bench.bill([charge("a", 0, 31, "31")])
    assert linked(bench, 'share, "BilledCost", overlap_seconds') == [(1, 31, 11 * 86400)]


def test_what_cannot_be_linked_says_why(bench: Any) -> None:
    bench.add([seen("a", 0), Look("inventory", "all", day(0))])
    bench.add([Look("inventory", "all", day(5))])
    bench.add([seen("b", 10), seen("b", 60)])
    bench.bill([
        charge(None, 0, 31), charge("x", 0, 1), charge("a", 6, 7), charge("b", 1, 2), charge("b", 50, 55),
        charge("b", 200, 201), charge("a", 1, 2),
    ])  # fmt: skip
    assert unlinked(bench) == [
        (1, "the charge names no resource"), (2, "the resource was never observed"),
        (3, "the resource was absent at the time"), (4, "the charge is for a time before the first observation"),
        (5, "the resource was not observed at the time"), (6, "the charge is for a time after the last observation"),
    ]  # fmt: skip
    assert len(linked(bench)) == 1


def test_states_that_nobody_bills_say_why(bench: Any) -> None:
    aws = (("provider_name", "AWS"),)
    bench.add([seen("a", 0, state=aws), seen("b", 0, state=aws), seen("c", 0), seen("p", 0, kind="pod", state=aws)])
    bench.bill([charge("a", 0, 1)])
    rows = bench.fetch("SELECT resource_id, reason FROM unbilled_interval ORDER BY 1", inform.LINKED)
    assert rows == [("b", "no charge ever names the resource"), ("c", "no bill of this provider is known")]


def test_a_late_observation_links_the_bill_as_the_state_stood(bench: Any) -> None:
    bench.bill([charge("a", 0, 10, "10")])
    assert unlinked(bench) == [(1, "the resource was never observed")]
    bench.add([seen("a", 8, 4)])
    bench.add([seen("a", 0, 2)])
    assert linked(bench) == [("a", Decimal("0.8"), 8), ("a", Decimal("0.2"), 2)]


def test_a_newer_delivery_replaces_the_links_of_the_older(bench: Any) -> None:
    bench.add([seen("a", 0)])
    bench.bill([charge("a", 0, 1, "1"), charge("a", 1, 2, "2")])
    bench.bill([charge("a", 0, 1, "7")])
    assert linked(bench) == [("a", 1, 7)]


@pytest.mark.parametrize(("billed", "observed", "method"), [
    ("arn:aws:ec2:eu-central-1:123456789012:instance/i-0abc1234def567890", "i-0abc1234def567890", OTHER_FORM),
    ("vol-0abc1234def567890", "arn:aws:ec2:eu-central-1:123456789012:volume/vol-0abc1234def567890", OTHER_FORM),
    ("/SUBSCRIPTIONS/A/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/vm1",
     "/subscriptions/a/resourcegroups/rg/providers/microsoft.compute/virtualmachines/vm1", "same id in another case"),
    ("//compute.googleapis.com/projects/p/zones/z/instances/n", "projects/p/zones/z/instances/n", OTHER_FORM),
    ("https://www.googleapis.com/compute/v1/projects/p/zones/z/disks/d",
     "//compute.googleapis.com/projects/p/zones/z/disks/d", OTHER_FORM),
])  # fmt: skip
def test_spellings_of_one_id_meet(bench: Any, billed: str, observed: str, method: str) -> None:
    bench.add([seen(observed, 0)])
    bench.bill([charge(billed, 0, 1)])
    assert linked(bench, "resource_id, method") == [(observed, method)]


@pytest.mark.parametrize(("provider_id", "key"), [
    ("aws:///eu-central-1a/i-0abc1234def567890", "i-0abc1234def567890"),
    ("azure:///subscriptions/A/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets/s/virtualMachines/0",
     "/subscriptions/a/resourcegroups/rg/providers/microsoft.compute/virtualmachinescalesets/s/virtualmachines/0"),
    ("gce://p/z/gke-node-1", "projects/p/zones/z/instances/gke-node-1"),
    ("digitalocean://219734980", "digitalocean://219734980"), ("  ", None),
    ("arn:aws:rds:eu:1:db:orders", "arn:aws:rds:eu:1:db:orders"),
])  # fmt: skip
def test_canonical_keys(provider_id: str, key: str | None) -> None:
    row = duckdb.execute(f"SELECT {canonical_sql('id')} FROM (SELECT ? AS id)", [provider_id]).fetchone()
    assert row == (key,)


def test_a_machine_that_only_its_node_shows_is_linked_through_the_node(bench: Any) -> None:
    machine = "i-0abc1234def567890"
    for at, owner in ((0, f"aws:///eu-central-1a/{machine}"), (10, "aws:///eu-central-1a/i-0fff1234def567890")):
        bench.add([seen("node-1", at, kind="node", state=(("owner_id", owner),))])
    bench.bill([charge(machine, 0, 1), charge(machine, 5, 15), charge("i-0fff1234def567890", 12, 13)])
    assert linked(bench, "source_row, resource_id, method, overlap_seconds") == [
        (1, "node-1", "provider id of the node", 86400), (2, "node-1", "provider id of the node", 5 * 86400),
        (3, "node-1", "provider id of the node", 86400),
    ]  # fmt: skip


def test_an_observed_machine_comes_before_its_node(bench: Any) -> None:
    machine = "i-0abc1234def567890"
    bench.add([seen("node-1", 0, kind="node", state=(("owner_id", f"aws:///a/{machine}"),)), seen(machine, 0)])
    bench.bill([charge(machine, 0, 1)])
    assert linked(bench, "resource_id") == [(machine,)]


def test_chains_lead_from_a_pod_to_its_machine(bench: Any) -> None:
    machine = "i-0abc1234def567890"
    bench.add([
        seen("pod-1", 0, kind="pod",
             state=(("owner_id", "deploy-1"), ("cluster", "c"), ("attributes", '{"nodeName": "n1"}'))),
        seen("node-1", 0, kind="node",
             state=(("owner_id", f"aws:///a/{machine}"), ("cluster", "c"), ("resource_name", "n1"))),
        seen("deploy-1", 0, kind="deployment"), seen(machine, 0),
        seen("pv-1", 0, kind="volume", state=(("attributes", '{"volumeHandle": "vol-0abc1234def567890"}'),)),
        seen("vol-0abc1234def567890", 0, kind="disk", state=(("owner_id", machine),)),
    ])  # fmt: skip
    rows = bench.fetch("SELECT resource_id, relation, target_id, target_is_observed FROM resource_chain ORDER BY ALL",
                       inform.LINKED)  # fmt: skip
    assert rows == [
        ("node-1", "machine", machine, True), ("pod-1", "node", "node-1", True), ("pod-1", "owner", "deploy-1", True),
        ("pv-1", "disk", "vol-0abc1234def567890", True), ("vol-0abc1234def567890", "owner", machine, True),
    ]  # fmt: skip


def test_a_pod_is_led_to_its_workload_and_service(bench: Any) -> None:
    def part(resource: str, kind: str, name: str, owner: str | None = None, **tags: str) -> Any:
        said = (("cluster", "c"), ("resource_name", name), *((("owner_id", owner),) if owner else ()))
        return seen(resource, 0, source="kubernetes", kind=kind, state=said, tags=tuple(tags.items()))

    hashed = {"pod-template-hash": "6d4c"}
    bench.add([
        part("cron", "cronjob", "nightly", service_id="reports"), part("job", "job", "nightly-1", "cron"),
        part("pod-job", "pod", "nightly-1-x", "job"),
        part("web", "deployment", "web", service_id="shop"),
        part("pod-web", "pod", "web-6d4c-abcde", "rs-unseen", **hashed),
        part("rs", "replicaset", "api-6d4c", **hashed), part("api", "deployment", "api"),
        part("pod-api", "pod", "api-6d4c-fghij", "rs", **hashed, service_id="own"), part("pod-bare", "pod", "bare"),
    ])  # fmt: skip
    rows = bench.fetch("SELECT resource_id, workload_kind, workload_name, service_id, way FROM workload_of ORDER BY 1",
                       ("live_run", "workload_of"))  # fmt: skip
    assert rows == [
        ("pod-api", "deployment", "api", "own", "name and template hash"), ("pod-bare", None, None, None, None),
        ("pod-job", "cronjob", "nightly", "reports", "owner"),
        ("pod-web", "deployment", "web", "shop", "name and template hash"),
    ]  # fmt: skip


def test_a_kubernetes_that_nobody_watched_is_a_gap_for_every_kind(bench: Any) -> None:
    kinds = ("node", "namespace", "deployment", "pod", "volume")
    for at in (0, 5, 30):
        bench.add([seen(kind, at, source="kubernetes", kind=kind, scope=kind) for kind in kinds]
                  + [Look("kubernetes", kind, day(at)) for kind in kinds])  # fmt: skip
    gaps = "quality = 'gap' AND valid_to IS NOT NULL"
    rows = bench.fetch(f"SELECT kind, valid_from, valid_to FROM state_interval WHERE {gaps} ORDER BY 1")
    assert rows == [(kind, day(13), day(30)) for kind in sorted(kinds)]
