"""Inventories in: what each provider's export says, counted by plain code, and nothing that it does not say."""

# ruff: noqa: E501

from __future__ import annotations

import datetime as dt
import io
import json
import re
import zipfile
from decimal import Decimal
from xml.etree import ElementTree

import openpyxl
import pytest
from tests_ingest import ask, fingerprint

from finops_kit.ingest import ingest_paths

STAMP = "_2026-09-30T06:00:00Z.json"

AWS_INSTANCES = {
    "Reservations": [
        {
            "OwnerId": "001234567890",
            "Instances": [
                {
                    "InstanceId": "i-0123456789abcdef0", "InstanceType": "m7i.large", "State": {"Name": "running"},
                    "Placement": {"AvailabilityZone": "eu-central-1a"},
                    "CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 2},
                    "Tags": [{"Key": "Name", "Value": "api-1"}, {"Key": "team", "Value": "core"}],
                },
                {"InstanceType": "m7i.large"},
            ],
        }
    ]
}  # fmt: skip
AWS_VOLUMES = {
    "Volumes": [
        {"VolumeId": "vol-0123456789abcdef0", "Size": 100, "State": "in-use", "VolumeType": "gp3",
         "AvailabilityZone": "eu-central-1a", "Attachments": [{"InstanceId": "i-0123456789abcdef0"}]},
        {"VolumeId": "vol-0123456789abcdef1", "Size": 8, "State": "available", "VolumeType": "gp2",
         "AvailabilityZone": "us-gov-west-1b", "Attachments": []},
    ]
}  # fmt: skip
AZURE = {
    "count": 2, "total_records": 2, "skip_token": None,
    "data": [
        {"id": "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm1", "name": "vm1",
         "type": "microsoft.compute/virtualmachines", "location": "westeurope", "subscriptionId": "s1",
         "tags": {"team": "core"}, "properties": {"hardwareProfile": {"vmSize": "Standard_D2s_v5"},
         "extended": {"instanceView": {"powerState": {"code": "PowerState/deallocated"}}}}},
        {"id": "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.Compute/disks/d1", "name": "d1",
         "type": "microsoft.compute/disks", "location": "westeurope", "subscriptionId": "s1", "managedBy": "",
         "sku": {"name": "Premium_LRS"}, "properties": {"diskSizeGB": 128, "diskState": "Unattached"}},
    ],
}  # fmt: skip
GCP_LINES = "\n".join(
    json.dumps(one)
    for one in (
        {"name": "//compute.googleapis.com/projects/p1/zones/europe-west3-a/instances/vm1",
         "asset_type": "compute.googleapis.com/Instance",
         "resource": {"data": {"name": "vm1", "machineType": ".../machineTypes/n2-custom-4-8192", "status": "TERMINATED",
                               "zone": ".../zones/europe-west3-a", "labels": {"team": "core"}}}},
        {"name": "//compute.googleapis.com/projects/p1/zones/europe-west3-a/disks/d1",
         "asset_type": "compute.googleapis.com/Disk",
         "resource": {"data": {"name": "d1", "sizeGb": "50", "type": ".../diskTypes/pd-ssd"}}},
    )
)  # fmt: skip
SERVICENOW = {
    "result": [
        {"sys_id": "a1", "sys_class_name": "cmdb_ci_service", "name": "Payments", "number": "svc-pay",
         "support_group": {"display_value": "Core", "value": "g1"}, "cost_center": "0042",
         "sys_created_on": "2026-01-02 03:04:05"},
        {"sys_id": "b1", "sys_class_name": "cmdb_ci_linux_server", "name": "db1", "cpus": "8", "ram": "16384",
         "environment": "prod"},
        {"sys_id": "r1", "parent": {"value": "a1", "link": "https://x"}, "child": {"value": "b1", "link": "https://x"},
         "type": {"display_value": "Depends on::Used by", "value": "t"}},
    ]
}  # fmt: skip


def _observed(store, columns="resource_id, kind, power_state, sku, vcpu, memory_gib, storage_gib, owner_id, scope"):
    return ask(store, f"SELECT {columns} FROM resource_snapshot ORDER BY source_row")


def _ingest(store, path, status="stored"):
    one = ingest_paths(store, [path]).files[0]
    assert one.status == status, one.reason
    return one


def test_ec2_instances_and_what_cannot_be_read_of_them(store, write):
    one = _ingest(store, write(f"ec2{STAMP}", json.dumps(AWS_INSTANCES)))
    assert (one.format, one.rows_read, one.rows_stored, one.rows_quarantined) == ("aws-inventory", 2, 1, 1)
    assert _observed(store) == [
        ("i-0123456789abcdef0", "machine", "running", "m7i.large", Decimal(2), None, None, None,
         "aws/001234567890/eu-central-1/machine")
    ]  # fmt: skip
    assert ask(store, "SELECT source_row, column_name, reason FROM quarantine") == [
        (2, "resource_id", "the object has no id")
    ]
    # an object that could not be read may be any: what is missing is not absent
    assert ask(store, "SELECT complete, observed_at FROM observation_scope") == [
        (False, dt.datetime(2026, 9, 30, 6, tzinfo=dt.UTC))
    ]


def test_volumes_disks_without_an_owner_are_available(store, write):
    _ingest(store, write(f"ebs{STAMP}", json.dumps(AWS_VOLUMES)))
    assert _observed(store, "power_state, storage_gib, owner_id, region_id") == [
        ("attached", Decimal(100), "i-0123456789abcdef0", "eu-central-1"), ("available", Decimal(8), None, "us-gov-west-1")
    ]  # fmt: skip


def test_a_page_that_is_not_the_last_is_no_whole_look(store, write):
    _ingest(store, write(f"a{STAMP}", json.dumps({**AWS_VOLUMES, "NextToken": "x"})))
    assert {row[0] for row in ask(store, "SELECT complete FROM observation_scope")} == {False}


def test_a_volume_that_a_later_whole_look_does_not_show_is_absent(store, write):
    first, second = dict(AWS_VOLUMES), {"Volumes": AWS_VOLUMES["Volumes"][:1]}
    second["Volumes"] = [*second["Volumes"], {**AWS_VOLUMES["Volumes"][1], "VolumeId": "vol-0123456789abcdef9"}]
    _ingest(store, write("a_2026-09-01T00:00:00Z.json", json.dumps(first)))
    _ingest(store, write("a_2026-09-08T00:00:00Z.json", json.dumps(second)))
    ends = ask(store, "SELECT valid_to FROM state_interval WHERE resource_id LIKE '%def1' ORDER BY valid_from")
    assert ends[0][0] == dt.datetime(2026, 9, 8, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"Snapshots": [{"SnapshotId": "snap-0123456789abcdef0", "VolumeSize": 8, "VolumeId": "vol-1",
                         "OwnerId": "1", "State": "completed"}]},
         ("snap-0123456789abcdef0", "snapshot", "completed", None, Decimal(8), "vol-1")),
        ({"DBInstances": [{"DBInstanceArn": "arn:aws:rds:eu-west-1:1:db:x", "DBInstanceStatus": "available",
                           "DBInstanceClass": "db.t3.micro", "AllocatedStorage": 20}]},
         ("arn:aws:rds:eu-west-1:1:db:x", "database", "running", "db.t3.micro", Decimal(20), None)),
        ({"LoadBalancers": [{"LoadBalancerArn": "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/x/1",
                             "Type": "application", "State": {"Code": "active"}}]},
         ("arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/x/1", "load_balancer", "active", "application",
          None, None)),
        ({"LoadBalancerDescriptions": [{"LoadBalancerName": "old", "AvailabilityZones": ["eu-west-1a"]}]},
         ("old", "load_balancer", None, "classic", None, None)),
    ],
)  # fmt: skip
def test_other_describe_answers(store, write, answer, expected):
    _ingest(store, write(f"x{STAMP}", json.dumps(answer)))
    assert _observed(store, "resource_id, kind, power_state, sku, storage_gib, owner_id") == [expected]


def test_auto_scaling_groups_and_their_activities(store, write):
    arn = "arn:aws:autoscaling:eu-west-1:1:autoScalingGroup:u:autoScalingGroupName/web"
    for day, size in ((1, 2), (8, 5)):
        group = {"AutoScalingGroupName": "web", "AutoScalingGroupARN": arn, "DesiredCapacity": size}
        _ingest(store, write(f"asg_2026-09-0{day}T00:00:00Z.json", json.dumps({"AutoScalingGroups": [group]})))
    cause = "At 2026-09-03T10:00:00Z a monitor alarm changed the desired capacity from 2 to 5."
    activity = {"AutoScalingGroupName": "web", "AutoScalingGroupARN": arn, "StartTime": "2026-09-03T10:00:05+00:00",
                "Description": "Launching a new EC2 instance: i-1", "Cause": cause}  # fmt: skip
    one = _ingest(store, write(f"act{STAMP}", json.dumps({"Activities": [activity, {"StartTime": "soon"}]})))
    assert (one.rows_stored, one.rows_quarantined) == (1, 1)
    assert ask(store, "SELECT resource_id, happened_at, reason FROM platform_event") == [
        (arn, dt.datetime(2026, 9, 3, 10, 0, 5, tzinfo=dt.UTC), "AutoScalingActivity")
    ]
    events = ask(
        store, "SELECT before_value, after_value, cause_source FROM scaling_event WHERE dimension = 'replicas'"
    )
    assert [(before, after) for before, after, _ in events] == [(2, 5)]


def test_azure_resource_graph(store, write):
    assert _ingest(store, write(f"arg{STAMP}", json.dumps(AZURE))).format == "azure-inventory"
    assert _observed(store, "kind, power_state, sku, storage_gib, owner_id, account_id, region_id") == [
        ("machine", "stopped", "Standard_D2s_v5", None, None, "s1", "westeurope"),
        ("disk", "available", "Premium_LRS", Decimal(128), None, "s1", "westeurope"),
    ]
    assert {row[0] for row in ask(store, "SELECT complete FROM observation_scope")} == {True}


@pytest.mark.parametrize("cut", [AZURE["data"], {**AZURE, "total_records": 9}, {**AZURE, "skip_token": "x"}])
def test_azure_rows_that_do_not_say_they_are_all_are_no_whole_look(store, write, cut):
    _ingest(store, write(f"arg{STAMP}", json.dumps(cut)))
    assert {row[0] for row in ask(store, "SELECT complete FROM observation_scope")} == {False}


@pytest.mark.parametrize("by_line", [True, False])
def test_cloud_assets(store, write, by_line):
    text = GCP_LINES if by_line else json.dumps([json.loads(line) for line in GCP_LINES.splitlines()])
    assert _ingest(store, write(f"assets{STAMP}", text)).format == "gcp-inventory"
    assert _observed(store, "kind, power_state, sku, vcpu, memory_gib, storage_gib, account_id, region_id") == [
        ("machine", "stopped", "n2-custom-4-8192", Decimal(4), Decimal(8), None, "p1", "europe-west3"),
        ("disk", "available", "pd-ssd", None, None, Decimal(50), "p1", "europe-west3"),
    ]


def test_servicenow_declares_services_and_observes_servers(store, write):
    one = _ingest(store, write(f"cmdb{STAMP}", json.dumps(SERVICENOW)))
    assert (one.format, one.rows_stored) == ("servicenow", 3)
    assert ask(store, "SELECT ci_id, service_id, service_name, team, cost_center, valid_from FROM cmdb_item") == [
        ("a1", "svc-pay", "Payments", "Core", "0042", dt.date(2026, 1, 2))
    ]
    assert _observed(store, "resource_id, kind, owner_id, vcpu, memory_gib, tags") == [
        ("b1", "machine", "a1", Decimal(8), Decimal(16), {"environment": "prod"}), ("r1", "relation", "a1", None, None, {})
    ]  # fmt: skip
    newer = {"result": [{**SERVICENOW["result"][0], "name": "Pay"}]}
    _ingest(store, write("cmdb_2026-10-01.json", json.dumps(newer)))
    assert ask(store, "SELECT ci_name FROM cmdb_item") == [("Pay",)]


def test_kubernetes_events_say_why_something_scaled(store, write):
    def deployment(replicas, day):
        return {"kind": "List", "metadata": {}, "items": [
            {"kind": "Deployment", "metadata": {"name": "web", "namespace": "shop", "uid": "u1"},
             "spec": {"replicas": replicas}}]}  # fmt: skip

    _ingest(store, write("prod_2026-09-01T00:00:00Z.json", json.dumps(deployment(2, 1))))
    _ingest(store, write("prod_2026-09-08T00:00:00Z.json", json.dumps(deployment(6, 8))))
    notice = {"kind": "Event", "metadata": {"name": "web.1", "namespace": "shop"}, "reason": "ScalingReplicaSet",
              "message": "Scaled up replica set web-5 to 6", "lastTimestamp": "2026-09-03T12:00:00+02:00",
              "involvedObject": {"kind": "Deployment", "namespace": "shop", "name": "web", "uid": "u1"},
              "source": {"component": "deployment-controller"}}  # fmt: skip
    unreadable = {**notice, "lastTimestamp": "once"}
    events = {"kind": "EventList", "metadata": {}, "items": [notice, unreadable]}
    one = _ingest(store, write("prod_2026-09-09T00:00:00Z.json", json.dumps(events)))
    assert (one.format, one.rows_read, one.rows_stored, one.rows_quarantined) == ("kubernetes", 2, 1, 1)
    found = ask(store, "SELECT at_lo, cause FROM scaling_event WHERE dimension = 'replicas'")
    assert found == [
        (dt.datetime(2026, 9, 3, 10, tzinfo=dt.UTC), "ScalingReplicaSet: Scaled up replica set web-5 to 6")
    ]


# --- workbooks


def _book(**sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


INFO = [
    ["VM", "Powerstate", "Template", "CPUs", "Memory", "Provisioned MiB", "VM ID", "VM UUID", "Host", "Datacenter"],
    ["a", "poweredOn", False, 2, 2048, 10240, "vm-1", "u-1", "h1", "DC"],
    ["b", "poweredOff", "False", "4", "4,096", 512, "vm-2", "u-2", "h1", "DC"],
    ["c", "poweredOff", "True", 1, 1024, 1, "vm-3", "u-3", "h1", "DC"],
    ["d", "poweredOn", "False", "many", 1, 1, "vm-4", "u-4", "h1", "DC"],
]


def test_rvtools_by_hand(store, write):
    disks = [["VM", "Disk", "Disk Key", "Capacity MiB", "VM ID", "Datacenter"], ["a", "Hard disk 1", "2000", 1536, "vm-1", "DC"],
             ["?", "Hard disk 1", None, 1, None, "DC"]]  # fmt: skip
    hosts = [["Host", "Datacenter", "# Cores", "# Memory", "CPU usage %"], ["h1", "DC", 32, 262144, 25]]
    made = [["RVTools version", "xlsx creation datetime"], ["4.4", dt.datetime(2026, 9, 30, 6, 1)]]
    path = write("rv.xlsx", _book(vInfo=INFO, vCPU=[["VM"], ["a"]], vDisk=disks, vHost=hosts, vMetaData=made))
    one = _ingest(store, path)
    assert (one.format, one.rows_read, one.rows_stored, one.rows_quarantined) == ("rvtools", 7, 5, 2)
    assert _observed(store, "resource_id, kind, power_state, vcpu, memory_gib, storage_gib, usage_vcpu, owner_id") == [
        ("u-1", "machine", "running", Decimal(2), Decimal(2), Decimal(10), None, "h1"),
        ("u-2", "machine", "stopped", Decimal(4), Decimal(4), Decimal("0.5"), None, "h1"),
        ("u-3", "template", "stopped", Decimal(1), Decimal(1), Decimal(1) / 1024, None, "h1"),
        ("h1", "host", "running", Decimal(32), Decimal(256), None, Decimal(8), None),
        ("u-1/2000", "disk", "attached", None, None, Decimal("1.5"), None, "u-1"),
    ]
    assert json.loads(ask(store, "SELECT details FROM ledger")[0][0])["tabs_not_read"] == ["vCPU"]
    assert ask(store, "SELECT DISTINCT observed_at FROM resource_snapshot") == [
        (dt.datetime(2026, 9, 30, 6, 1, tzinfo=dt.UTC),)
    ]


def _xlsx_rows(path, sheet):
    """Rows below the heading that hold anything: by zip and XML alone."""
    main = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as packed:
        book = ElementTree.fromstring(packed.read("xl/workbook.xml"))
        key = next(s.attrib for s in book.iter(f"{main}sheet") if s.attrib["name"] == sheet)
        rid = next(value for name, value in key.items() if name.endswith("}id"))
        links = ElementTree.fromstring(packed.read("xl/_rels/workbook.xml.rels"))
        target = next(link.attrib["Target"] for link in links if link.attrib["Id"] == rid)
        root = ElementTree.fromstring(packed.read(f"xl/{target}"))
    return sum(any(c.find(f"{main}v") is not None for c in row) for row in root.iter(f"{main}row")) - 1


def test_the_real_rvtools_workbook(store, fixtures_folder):
    path = fixtures_folder / "rvtools" / "migration-planner_example1.xlsx"
    one = _ingest(store, path)
    expected = {sheet: _xlsx_rows(path, sheet) for sheet in ("vInfo", "vHost", "vDisk")}
    assert (one.rows_read, one.rows_quarantined) == (sum(expected.values()), 0)
    kinds = dict(ask(store, "SELECT kind, count(*) FROM resource_snapshot GROUP BY 1"))
    assert kinds == {"machine": expected["vInfo"], "host": expected["vHost"], "disk": expected["vDisk"]}
    assert ask(store, "SELECT DISTINCT power_state FROM resource_snapshot WHERE kind = 'machine' ORDER BY 1") == [
        ("running",), ("stopped",)
    ]  # fmt: skip
    assert _ingest(store, path, "unchanged")


def test_a_workbook_of_something_else_is_refused(store, write):
    one = _ingest(store, write("x.xlsx", _book(Costs=[["a"], [1]])), "refused")
    assert "sheets are Costs" in one.reason


# --- what is refused, and bytes that nobody wrote


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"Volumes": [], "x": 1}', "not one of its 0 objects"), ('{"Volumes": {"a": 1}}', "JSON"),
        ('{"Volumes": [1, null, []]}', "not one of its 3 objects"), ('{"result": [{"sys_id": 5}]}', "names no class"),
        ('{"Volumes": [{"VolumeId": "vol-1", "Size": 1e400}]}', "no number"),
        ('{"Volumes": [{"VolumeId": "vol-1", "Size": true}]}', "no number"),
        ('[{"assetType": "x", "name": "//x"', "no readable JSON"), ('{"Volumes": [' + "[" * 100_000, "no readable JSON"),
    ],
)  # fmt: skip
def test_refused_in_a_sentence_and_nothing_stored(store, write, text, expected):
    before = fingerprint(store)
    assert expected in _ingest(store, write("x.json", text), "refused").reason
    assert fingerprint(store) == before


@pytest.mark.parametrize("sample", ["aws", "azure", "gcp", "servicenow", "rvtools"])
def test_fuzzed_bytes_never_crash(store, write, sample):
    import random

    whole = {"aws": json.dumps(AWS_INSTANCES).encode(), "azure": json.dumps(AZURE).encode(),
             "gcp": GCP_LINES.encode(), "servicenow": json.dumps(SERVICENOW).encode(), "rvtools": _book(vInfo=INFO)}[sample]  # fmt: skip
    chance = random.Random(sample)
    paths = []
    for i in range(25):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 12)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        if i % 3 == 0:
            del broken[chance.randrange(len(broken)) :]
        paths.append(write(f"f{i}", bytes(broken)))
    report = ingest_paths(store, paths)
    assert len(report.files) == 25
    for one in report.files:
        assert one.reason or one.status == "stored"
        assert not re.search(r"Traceback|object at 0x", one.reason)
    read, kept = ask(
        store, "SELECT coalesce(sum(rows_read), 0), coalesce(sum(rows_stored + rows_quarantined), 0) FROM ledger"
    )[0]
    assert read == kept
