"""Live AWS: what a local server of AWS's API shows becomes the rows that its dumps become."""

from __future__ import annotations

import datetime as dt
import os
from decimal import Decimal

import pytest
from tests_ingest import ask, fingerprint

from finops_kit.errors import SourceRefused, UsageError
from finops_kit.ingest.live_aws import observe_aws_account
from finops_kit.sources import aws as live

REGION, OTHER, ACCOUNT = "eu-central-1", "us-east-1", "123456789012"


@pytest.fixture(scope="module")
def house():
    """Machines, disks, a snapshot, a database, a balancer and a scaling group at a local AWS."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.get_host_and_port()[1]}")
        for name, value in (("ACCESS_KEY_ID", "key"), ("SECRET_ACCESS_KEY", "hidden"), ("DEFAULT_REGION", REGION),
                            ("EC2_METADATA_DISABLED", "true"), ("CONFIG_FILE", os.devnull)):  # fmt: skip
            patch.setenv(f"AWS_{name}", value)
        import boto3

        ec2, rds, elb, classic, scaling = (boto3.client(name) for name in ("ec2", "rds", "elbv2", "elb", "autoscaling"))
        image = ec2.describe_images()["Images"][0]["ImageId"]
        ec2.run_instances(ImageId=image, MinCount=3, MaxCount=3, InstanceType="m5.large")
        disk = ec2.create_volume(Size=40, AvailabilityZone=f"{REGION}a", VolumeType="gp3")["VolumeId"]
        ec2.create_snapshot(VolumeId=disk)
        rds.create_db_instance(DBInstanceIdentifier="db", DBInstanceClass="db.t3.micro", Engine="postgres",
                               AllocatedStorage=20, MasterUsername="u", MasterUserPassword="password")  # fmt: skip
        nets = [net["SubnetId"] for net in ec2.describe_subnets()["Subnets"]][:2]
        elb.create_load_balancer(Name="front", Subnets=nets)
        classic.create_load_balancer(LoadBalancerName="old", AvailabilityZones=[f"{REGION}a"], Listeners=[
            {"Protocol": "tcp", "LoadBalancerPort": 80, "InstancePort": 80}])  # fmt: skip
        scaling.create_launch_configuration(LaunchConfigurationName="l", ImageId=image, InstanceType="t3.micro")
        scaling.create_auto_scaling_group(AutoScalingGroupName="web", LaunchConfigurationName="l", MinSize=0, MaxSize=9,
                                          DesiredCapacity=0, AvailabilityZones=[f"{REGION}a"])  # fmt: skip
        yield {"ec2": ec2, "scaling": scaling, "disk": disk}
    server.stop()


def _kinds(store, batch):
    statement = f"SELECT kind, count(*) FROM resource_snapshot WHERE batch_id = '{batch}' GROUP BY 1"
    return dict(ask(store, statement))


def test_what_exists_becomes_snapshots_and_what_went_away_is_absent(house, store, monkeypatch):
    monkeypatch.setattr(live, "CALLS", live.CALLS[:7])
    first = observe_aws_account(store, (REGION, OTHER))
    assert [(one.path, one.status) for one in first.files] == [
        (f"aws://{ACCOUNT}/{REGION}", "stored"), (f"aws://{ACCOUNT}/{OTHER}", "stored")
    ]  # fmt: skip
    kinds = _kinds(store, first.files[0].batch_id)
    assert kinds == {"machine": 3, "disk": 4, "snapshot": kinds["snapshot"], "database": 1, "load_balancer": 2,
                     "autoscaling_group": 1}  # fmt: skip
    # classic load balancers are asked for by themselves, so neither answer says that the other's are gone
    there = "SELECT DISTINCT last_presence FROM state_interval WHERE kind = 'load_balancer'"
    assert ask(store, there) == [("present",)]
    assert ask(store, "SELECT resource_id FROM resource_snapshot WHERE sku = 'classic'") == [
        (f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/old",)
    ]
    # every kind was looked at as a whole in every region, also where there is nothing of it
    scopes = ask(store, f"SELECT scope, complete FROM observation_scope WHERE scope LIKE 'aws/{ACCOUNT}/{OTHER}/%'")
    assert sorted((scope.rsplit("/", 1)[-1], whole) for scope, whole in scopes) == [
        (kind, True) for kind in sorted([*kinds, "classic_load_balancer"])
    ]
    seen = ask(store, "SELECT DISTINCT account_id, region_id, sku FROM resource_snapshot WHERE kind = 'machine'")
    assert seen == [(ACCOUNT, REGION, "m5.large")]
    house["ec2"].delete_volume(VolumeId=house["disk"])
    monkeypatch.setattr(live, "CALLS", live.CALLS[:5])
    observe_aws_account(store, (REGION,))
    last = f"SELECT presence FROM state_interval WHERE resource_id = '{house['disk']}' ORDER BY valid_from DESC"
    assert ask(store, f"SELECT presence FROM ({last}) WHERE presence IS NOT NULL LIMIT 1") == [("absent",)]


def test_pages_are_put_together(house, store, monkeypatch):
    monkeypatch.setattr(live, "CALLS", (live.Call("ec2", "describe_instances", "Reservations", "machine",
                                                  {"PaginationConfig": {"PageSize": 5}}),))  # fmt: skip
    image = house["ec2"].describe_images()["Images"][0]["ImageId"]
    for _ in range(5):
        house["ec2"].run_instances(ImageId=image, MinCount=1, MaxCount=1)
    batch = observe_aws_account(store, (REGION,)).files[0].batch_id
    assert _kinds(store, batch)["machine"] >= 8


def test_an_activity_is_the_cause_of_a_scaling_event_and_is_stored_once(house, store, monkeypatch):
    monkeypatch.setattr(live, "CALLS", live.CALLS[6:])
    pages = live.AwsSession._pages
    said = (
        "At {at}Z a monitor alarm high in state ALARM triggered policy p changing the desired capacity from 0 to 2.  "
        "At 2099-01-01T00:00:09Z an instance was started, increasing the capacity from 0 to 2."
    )
    activities = []

    def answer(self, call, region):
        return (
            {"Activities": [dict(one) for one in activities]} if call.key == "Activities" else pages(self, call, region)
        )

    monkeypatch.setattr(live.AwsSession, "_pages", answer)
    observe_aws_account(store, (REGION,))
    at = dt.datetime.now(dt.UTC) + dt.timedelta(microseconds=1)
    house["scaling"].set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=2)
    activities.append({"AutoScalingGroupName": "web", "StartTime": at.isoformat(), "Cause": said.format(
        at=at.replace(tzinfo=None).isoformat()), "Description": "Launching a new EC2 instance: i-1"})  # fmt: skip
    observe_aws_account(store, (REGION,))
    observe_aws_account(store, (REGION,))
    assert ask(store, "SELECT count(*) FROM platform_event") == [(1,)]
    ((before, after, lo, hi, cause),) = ask(store, "SELECT before_value, after_value, at_lo, at_hi, cause FROM "
                                            "scaling_event WHERE dimension = 'replicas'")  # fmt: skip
    assert (before, after, lo) == (Decimal(0), Decimal(2), at) and hi - lo <= dt.timedelta(seconds=1)
    assert cause.startswith("AutoScalingActivity: Launching")


def test_a_call_that_is_denied_leaves_the_others_alone(house, store, monkeypatch):
    from botocore.exceptions import ClientError

    pages = live.AwsSession._pages

    def deny(self, call, region):
        if call.service == "rds":
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not\nauthorized"}}, "DescribeDBInstances")
        return pages(self, call, region)

    monkeypatch.setattr(live.AwsSession, "_pages", deny)
    report = observe_aws_account(store, (REGION,))
    assert [one.status for one in report.files] == ["stored", "refused"]
    assert "AccessDenied: not authorized" in report.files[1].reason
    assert ask(store, "SELECT count(*) FROM observation_scope WHERE scope LIKE '%/database'") == [(0,)]


def test_all_regions_are_those_that_are_enabled_and_one_that_refuses_is_named(house, store, monkeypatch):
    from botocore.exceptions import ClientError

    monkeypatch.setattr(live, "CALLS", live.CALLS[1:3])
    pages, enabled = live.AwsSession._pages, live.AwsSession.enabled_regions

    def deny(self, call, region):
        if region == OTHER:
            raise ClientError({"Error": {"Code": "UnauthorizedOperation", "Message": "a policy denies it"}}, "Describe")
        return pages(self, call, region)

    def few(self):
        shown = enabled(self)
        assert {REGION, OTHER, "eu-west-1"} <= set(shown) and "ap-east-1" not in shown
        return (OTHER, REGION, "eu-west-1")

    monkeypatch.setattr(live.AwsSession, "_pages", deny)
    monkeypatch.setattr(live.AwsSession, "enabled_regions", few)
    report = observe_aws_account(store, all_regions=True)
    assert [(one.path, one.status) for one in report.files] == [
        (f"aws://{ACCOUNT}/{OTHER}", "refused"), (f"aws://{ACCOUNT}/{REGION}", "stored"),
        (f"aws://{ACCOUNT}/eu-west-1", "stored")]  # fmt: skip
    assert "answered nothing" in report.files[0].reason and "a policy denies it" in report.files[0].reason
    with pytest.raises(UsageError, match="not both"):
        observe_aws_account(store, (REGION,), all_regions=True)


def test_only_reading_calls_are_known():
    assert all(call.operation.startswith("describe_") for call in live.CALLS)


def test_what_is_wrong_is_said_in_a_sentence(house, store, monkeypatch):
    before = fingerprint(store)
    with pytest.raises(UsageError, match="is no AWS region"):
        observe_aws_account(store, ("eu-nowhere-1",))
    with pytest.raises(UsageError, match="no AWS profile"):
        observe_aws_account(store, (REGION,), profile="nobody")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(SourceRefused, match="cannot be reached"):
        observe_aws_account(store, (REGION,))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID"), monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("HOME", str(store.root))
    with pytest.raises(SourceRefused, match="there are no credentials"):
        observe_aws_account(store, (REGION,))
    assert fingerprint(store) == before


def test_without_its_extra_one_sentence_says_how_to_get_it(store, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(UsageError, match=r"pip install 'finops_kit\[aws\]'"):
        observe_aws_account(store, (REGION,))
