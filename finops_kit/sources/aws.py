"""AWS's own answers, live: what exists in an account and region, asked for through boto3 page by page.

Only ``describe`` calls are made. Credentials, profiles and endpoints come from boto3's standard chain. An answer is the
same document as the AWS command line prints, with all its pages put together, so it is read as such.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from finops_kit.errors import SourceRefused, UsageError

#: seconds until a connection is given up, and until an answer is
CONNECT_SECONDS, READ_SECONDS = 10, 60


@dataclass(frozen=True)
class Call:
    """One question: the service and its operation, what the answer holds, and the kind that it is a whole look at."""

    service: str
    operation: str
    key: str
    kind: str
    arguments: dict[str, Any] = field(default_factory=dict)


CALLS = (
    Call("ec2", "describe_instances", "Reservations", "machine"),
    Call("ec2", "describe_volumes", "Volumes", "disk"),
    # without an owner the whole world's public snapshots are shown
    Call("ec2", "describe_snapshots", "Snapshots", "snapshot", {"OwnerIds": ["self"]}),
    Call("rds", "describe_db_instances", "DBInstances", "database"),
    Call("elbv2", "describe_load_balancers", "LoadBalancers", "load_balancer"),
    Call("elb", "describe_load_balancers", "LoadBalancerDescriptions", "classic_load_balancer"),
    Call("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", "autoscaling_group"),
    Call("autoscaling", "describe_scaling_activities", "Activities", ""),
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What one call answered, all its pages together; ``problem`` says in a sentence why it did not."""

    call: Call
    account: str
    region: str
    observed_at: datetime
    value: dict[str, Any]
    problem: str = ""


class AwsSession:
    """One identity at AWS. Made with a profile's name, or with what the standard chain finds.

    Raises
    ------
    UsageError : boto3 is not installed, or there is no such profile
    SourceRefused : there are no credentials, they are not good, or AWS cannot be reached
    """

    def __init__(self, profile: str | None = None) -> None:
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound
        except ImportError:
            raise UsageError("boto3 is not installed. Install it with: pip install 'finops_kit[aws]'") from None
        self._errors = (BotoCoreError, ClientError)
        self._config = Config(
            connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 4},
        )  # fmt: skip
        try:
            self._session = boto3.Session(profile_name=profile)
        except ProfileNotFound as error:
            raise UsageError(f"There is no AWS profile {profile!r}; see `aws configure list-profiles`.") from error

    def regions(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        """The regions that are meant: those named, else the profile's or the environment's own.

        Raises
        ------
        UsageError : none is known, or one is no region
        """
        chosen = tuple(dict.fromkeys(wanted)) or tuple(filter(None, (self._session.region_name,)))
        if not chosen:
            raise UsageError("No AWS region is known. Name it with --region, or set AWS_DEFAULT_REGION.")
        known = {name for part in self._session.get_available_partitions()
                 for name in self._session.get_available_regions("ec2", partition_name=part)}  # fmt: skip
        strange = [name for name in chosen if name not in known]
        if strange:
            raise UsageError(f"{strange[0]!r} is no AWS region. Regions are written like eu-central-1.")
        return chosen

    def enabled_regions(self) -> tuple[str, ...]:
        """All regions that the account may use, by name.

        Source: EC2 API, DescribeRegions: without ``AllRegions`` it shows those that are enabled.

        Raises
        ------
        SourceRefused : AWS does not say
        """
        home = self._session.region_name or "us-east-1"
        try:
            answer = self._session.client("ec2", region_name=home, config=self._config).describe_regions()
        except self._errors as error:
            raise SourceRefused(
                f"AWS does not say which regions are enabled: {_sentence(error)} Name them with --region."
            ) from error
        shown = [one for one in answer["Regions"] if one.get("OptInStatus") != "not-opted-in"]
        return tuple(sorted(str(one["RegionName"]) for one in shown))

    def account(self, region: str) -> str:
        """The account whose credentials are at hand."""
        try:
            client = self._session.client("sts", region_name=region, config=self._config)
            return str(client.get_caller_identity()["Account"])
        except self._errors as error:
            raise SourceRefused(f"AWS was not asked: {_sentence(error)}") from error

    def ask(self, account: str, region: str) -> Iterator[Answer]:
        """Every call's answer in one region; one that is not answered says why, and the others go on."""
        for call in CALLS:
            at = datetime.now(UTC)
            try:
                value, problem = self._pages(call, region), ""
            except self._errors as error:
                value, problem = {}, f"{call.service}:{call.operation} in {region} was not answered: {_sentence(error)}"
            yield Answer(call, account, region, at, value, problem)

    def _pages(self, call: Call, region: str) -> dict[str, Any]:
        client = self._session.client(call.service, region_name=region, config=self._config)
        found: list[Any] = []
        for page in client.get_paginator(call.operation).paginate(**call.arguments):
            found += page.get(call.key) or []
        return {call.key: _as_documents(found)}


def _as_documents(found: list[Any]) -> list[Any]:
    """As the command line prints it: times as text with their offset, fractions exact."""
    value: list[Any] = json.loads(json.dumps(found, default=_text), parse_float=Decimal)
    return value


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _sentence(error: Exception) -> str:
    """What AWS or boto3 said, in one line that names no request and no secret."""
    name = type(error).__name__
    if name in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"):
        return "there are no credentials. boto3 looks in the environment, the profile files and the machine's role."
    if name in ("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError",
                "ProxyConnectionError", "SSLError"):  # fmt: skip
        return f"it cannot be reached ({name}). Check the network and the region."
    response = getattr(error, "response", None)
    said = response.get("Error", {}) if isinstance(response, dict) else {}
    code, message = said.get("Code") or name, " ".join(str(said.get("Message") or error).split())
    return f"{code}: {message[:200]}"
