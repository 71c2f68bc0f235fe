"""AWS describe answers to observations: what ``aws ec2 describe-instances`` and its like print.

Source: AWS API references of EC2, EBS, RDS, Elastic Load Balancing and EC2 Auto Scaling. One answer is a whole look at
its kind in one account and region, unless it was cut (``NextToken``); an answer that was filtered must not be taken in.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from finops_kit.errors import SourceRefused
from finops_kit.normalize.kubernetes import Scope, UnreadableError
from finops_kit.normalize.observations import Look, as_dict, as_list, event, in_utc, pick, snapshot
from finops_kit.sources.documents import Document

#: what a page that is not the last carries
_CUT = ("NextToken", "NextMarker", "Marker")
_ARN = re.compile(r"^arn:[\w-]+:[\w-]*:(?P<region>[\w-]*):(?P<account>\d*):")


@dataclass
class AwsLook(Look):
    """A look at AWS; an answer that was asked for live is known to be of one account and region."""

    account: str | None = None
    region: str | None = None


def observe_aws(
    document: Document, name: str, account: str | None = None, region: str | None = None, kind: str | None = None
) -> Look:
    """The observations of one answer.

    ``account``, ``region`` and ``kind`` are what was asked for, where that is known: then an answer that shows nothing
    is a whole look as well.

    Raises
    ------
    SourceRefused : it is no answer that is known
    """
    look = AwsLook("aws", document.observed_at, document.observed_from, account=account, region=region)
    answer = as_dict(document.value)
    known = [key for key in _READERS if isinstance(answer.get(key), list)]
    if not known:
        raise SourceRefused(f"{name} is no describe answer that is known; expected one of {', '.join(_READERS)}.")
    number = 0
    for key in known:
        for holder, one in _objects(key, answer[key]):
            number += 1
            try:
                if not isinstance(one, dict):
                    raise UnreadableError(key, "no object")
                _READERS[key](look, number, one, holder)
            except UnreadableError as error:
                look.reject(number, error, one)
    look.close(not any(answer.get(sign) for sign in _CUT))
    asked = f"aws/{account}/{region}/{kind}" if kind and account and region else None
    if asked and asked not in {one.scope for one in look.scopes}:
        look.scopes.append(Scope(asked, not look.bad))
    return look


def _objects(key: str, values: list[Any]) -> list[tuple[dict[str, Any], Any]]:
    """The objects of an answer, each with what holds it (instances lie in reservations)."""
    if key != "Reservations":
        return [({}, one) for one in values]
    out: list[tuple[dict[str, Any], Any]] = []
    for holder in values:
        inside = pick(holder, "Instances")
        out += [(holder, one) for one in inside] if isinstance(inside, list) else [({}, holder)]
    return out


def _tags(one: dict[str, Any], key: str = "Tags") -> dict[str, Any]:
    return {
        str(tag["Key"]): tag.get("Value") for tag in as_list(one.get(key)) if isinstance(tag, dict) and tag.get("Key")
    }


def _region_of_zone(zone: Any) -> str | None:
    found = re.match(r"^([a-z]{2,}(?:-[a-z]+)+-\d+)", zone) if isinstance(zone, str) else None
    return found[1] if found else None


def _partition(region: str) -> str:
    """The partition of a region, as ARNs begin with it."""
    return next((name for sign, name in (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov")) if region.startswith(sign)),
                "aws")  # fmt: skip


def _of_arn(arn: Any, part: str) -> str | None:
    found = _ARN.match(arn) if isinstance(arn, str) else None
    return (found[part] or None) if found else None


def _add(
    look: AwsLook, number: int, resource_id: Any, kind: str, *, region: Any = None, account: Any = None,
    shown_as: str = "", **more: Any,
) -> None:  # fmt: skip
    """Add a resource; ``shown_as`` is the kind that the answer is a whole look at, where that is a narrower one."""
    region, account = region or look.region, account or look.account
    look.rows.append(
        snapshot(
            look, number, resource_id, kind, scope=f"aws/{account or ''}/{region or ''}/{shown_as or kind}",
            provider_name="AWS", region_id=region, account_id=account, **more,
        )
    )  # fmt: skip


def _instance(look: AwsLook, number: int, one: dict[str, Any], holder: dict[str, Any]) -> None:
    cores, threads = pick(one, "CpuOptions", "CoreCount"), pick(one, "CpuOptions", "ThreadsPerCore")
    vcpu = cores * threads if isinstance(cores, int) and isinstance(threads, int) else None
    tags = _tags(one)
    _add(
        look, number, one.get("InstanceId"), "machine",
        region=_region_of_zone(pick(one, "Placement", "AvailabilityZone")),
        account=holder.get("OwnerId"), resource_name=tags.get("Name"), power_state=pick(one, "State", "Name"),
        sku=one.get("InstanceType"), vcpu=vcpu, owner_id=tags.get("aws:autoscaling:groupName"), tags=tags,
        attributes={"launch_time": one.get("LaunchTime"), "image": one.get("ImageId"), "platform": one.get("Platform"),
                    "lifecycle": one.get("InstanceLifecycle"), "zone": pick(one, "Placement", "AvailabilityZone"),
                    "tenancy": pick(one, "Placement", "Tenancy")},
    )  # fmt: skip


def _volume(look: AwsLook, number: int, one: dict[str, Any], _: dict[str, Any]) -> None:
    state = one.get("State")
    tags = _tags(one)
    _add(
        look, number, one.get("VolumeId"), "disk", region=_region_of_zone(one.get("AvailabilityZone")),
        resource_name=tags.get("Name"), power_state="attached" if state == "in-use" else state,
        sku=one.get("VolumeType"), storage_gib=one.get("Size"), owner_id=pick(one, "Attachments", 0, "InstanceId"),
        tags=tags, attributes={"created": one.get("CreateTime"), "iops": one.get("Iops"),
                               "throughput": one.get("Throughput"), "snapshot": one.get("SnapshotId")},
    )  # fmt: skip


def _snapshot(look: AwsLook, number: int, one: dict[str, Any], _: dict[str, Any]) -> None:
    tags = _tags(one)
    _add(
        look, number, one.get("SnapshotId"), "snapshot", account=one.get("OwnerId"), resource_name=tags.get("Name"),
        power_state=one.get("State"), sku=one.get("StorageTier"), storage_gib=one.get("VolumeSize"),
        owner_id=one.get("VolumeId"), tags=tags,
        attributes={"started": one.get("StartTime"), "description": one.get("Description")},
    )  # fmt: skip


def _database(look: AwsLook, number: int, one: dict[str, Any], _: dict[str, Any]) -> None:
    arn, status = one.get("DBInstanceArn"), one.get("DBInstanceStatus")
    _add(
        look, number, arn, "database", region=_of_arn(arn, "region"), account=_of_arn(arn, "account"),
        resource_name=one.get("DBInstanceIdentifier"), power_state="running" if status == "available" else status,
        sku=one.get("DBInstanceClass"), storage_gib=one.get("AllocatedStorage"), tags=_tags(one, "TagList"),
        attributes={"engine": one.get("Engine"), "version": one.get("EngineVersion"), "multi_az": one.get("MultiAZ"),
                    "storage_type": one.get("StorageType"), "created": one.get("InstanceCreateTime")},
    )  # fmt: skip


def _balancer(look: AwsLook, number: int, one: dict[str, Any], _: dict[str, Any]) -> None:
    arn = one.get("LoadBalancerArn")
    _add(
        look, number, arn, "load_balancer", region=_of_arn(arn, "region"), account=_of_arn(arn, "account"),
        resource_name=one.get("LoadBalancerName"), power_state=pick(one, "State", "Code"), sku=one.get("Type"),
        attributes={"scheme": one.get("Scheme"), "created": one.get("CreatedTime"), "vpc": one.get("VpcId")},
    )  # fmt: skip


def _classic_balancer(look: AwsLook, number: int, one: dict[str, Any], _: dict[str, Any]) -> None:
    """A classic load balancer, which has an ARN in bills alone, and answers of its own: others do not show it.

    Source: AWS Service Authorization Reference, Elastic Load Balancing, resource type ``loadbalancer``.
    """
    name, region = one.get("LoadBalancerName"), _region_of_zone(pick(as_list(one.get("AvailabilityZones")), 0))
    place = region or look.region
    arn = name and look.account and place and f"arn:{_partition(place)}:elasticloadbalancing:{place}:{look.account}"
    _add(
        look, number, f"{arn}:loadbalancer/{name}" if arn else name, "load_balancer", region=region,
        shown_as="classic_load_balancer", resource_name=name, sku="classic",
        attributes={"scheme": one.get("Scheme"), "created": one.get("CreatedTime"),
                    "instances": [pick(i, "InstanceId") for i in as_list(one.get("Instances"))]},
    )  # fmt: skip


def _group(look: AwsLook, number: int, one: dict[str, Any], _: dict[str, Any]) -> None:
    arn = one.get("AutoScalingGroupARN")
    _add(
        look, number, arn or one.get("AutoScalingGroupName"), "autoscaling_group", region=_of_arn(arn, "region"),
        account=_of_arn(arn, "account"), resource_name=one.get("AutoScalingGroupName"),
        replicas=one.get("DesiredCapacity"), tags=_tags(one),
        attributes={"min_size": one.get("MinSize"), "max_size": one.get("MaxSize"), "created": one.get("CreatedTime"),
                    "instances": [pick(i, "InstanceId") for i in as_list(one.get("Instances"))]},
    )  # fmt: skip


def _activity(look: AwsLook, number: int, one: dict[str, Any], _: dict[str, Any]) -> None:
    happened = in_utc(one.get("StartTime"))
    group = one.get("AutoScalingGroupARN") or one.get("AutoScalingGroupName")
    if happened is None:
        raise UnreadableError("StartTime", f"{str(one.get('StartTime'))[:60]!r} is no time")
    if not isinstance(group, str) or not group:
        raise UnreadableError("AutoScalingGroupName", "the activity names no group")
    said = " ".join(str(one[key]) for key in ("Description", "Cause") if one.get(key))
    look.events.append(
        event(look, number, happened_at=happened, resource_id=group, cluster=None, namespace=None,
              reason="AutoScalingActivity", message=said, reported_by="ec2-auto-scaling")
    )  # fmt: skip


_READERS: dict[str, Callable[[AwsLook, int, dict[str, Any], dict[str, Any]], None]] = {
    "Reservations": _instance, "Volumes": _volume, "Snapshots": _snapshot, "DBInstances": _database,
    "LoadBalancers": _balancer, "LoadBalancerDescriptions": _classic_balancer, "AutoScalingGroups": _group,
    "Activities": _activity,
}  # fmt: skip
