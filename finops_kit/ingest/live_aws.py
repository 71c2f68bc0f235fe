"""Append what AWS answers now: one batch per account and region, the same rows as from the command line's dumps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from finops_kit.errors import UsageError
from finops_kit.ingest.observed import insert_look
from finops_kit.ingest.report import REFUSED, STORED, FileReport, IngestReport
from finops_kit.normalize.aws_inventory import observe_aws
from finops_kit.normalize.observations import Look
from finops_kit.settings import Workspace
from finops_kit.sources.aws import Answer, AwsSession
from finops_kit.sources.documents import Document
from finops_kit.store import Batch, Writer, open_writer

FORMAT = "aws-inventory"


def observe_aws_account(
    workspace: Workspace,
    regions: Sequence[str] = (),
    *,
    all_regions: bool = False,
    profile: str | None = None,
    actor: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> IngestReport:
    """Ask AWS what exists in each region and append it.

    Parameters
    ----------
    regions : names of regions; the profile's or the environment's own where empty
    all_regions : every region that the account may use, instead
    profile : a profile of the AWS configuration; the standard chain's choice where None

    Returns
    -------
    One report per region. A call that was not answered is a refused one beside it; a region in which none was, is one.

    Raises
    ------
    UsageError : boto3 is missing, the profile or a region is not known, or regions are named beside all of them
    SourceRefused : there are no credentials, or AWS cannot be reached
    """
    session = AwsSession(profile)
    if all_regions and regions:
        raise UsageError("Name regions or ask for all of them: --region or --all-regions, not both.")
    chosen = session.enabled_regions() if all_regions else session.regions(tuple(regions))
    reports: list[FileReport] = []
    with open_writer(workspace) as writer:
        account = session.account(chosen[0])
        for region in chosen:
            if progress:
                progress(f"observe aws {account} {region}")
            reports += _append(writer, list(session.ask(account, region)), f"aws://{account}/{region}", actor)
        return IngestReport(reports, writer.version())


def _append(writer: Writer, answers: list[Answer], name: str, actor: str | None) -> list[FileReport]:
    good = [one for one in answers if not one.problem]
    if not good:
        return [
            FileReport(name, FORMAT, REFUSED, f"{name} answered nothing. The first of its calls: {answers[0].problem}")
        ]
    refused = [
        FileReport(f"{name}/{one.call.service}/{one.call.operation}", FORMAT, REFUSED, one.problem)
        for one in answers if one.problem
    ]  # fmt: skip
    content = json.dumps(
        [[one.call.operation, one.observed_at.isoformat(), one.value] for one in good], sort_keys=True, default=str
    ).encode()
    details: dict[str, Any] = {"live": True, "account": good[0].account, "region": good[0].region}
    with writer.batch(
        kind="ingest", format=FORMAT, source_file=name, source_hash=hashlib.sha256(content).hexdigest(),
        source_bytes=len(content), details=details, actor=actor,
    ) as batch:  # fmt: skip
        known = 0
        for look in _looks(good, name):
            known += leave_out_known(writer, look)
            insert_look(batch, look, name)
        if known:
            batch.details["notices_known_already"] = known
    return [_report(batch, name, good[0].observed_at), *refused]


def _looks(answers: list[Answer], name: str) -> list[Look]:
    """The answers as observations; row numbers run through all of them."""
    groups = {group.get("AutoScalingGroupName"): group.get("AutoScalingGroupARN")
              for one in answers for group in one.value.get("AutoScalingGroups", ())}  # fmt: skip
    looks: list[Look] = []
    for one in answers:
        for activity in one.value.get("Activities", ()):
            activity.setdefault("AutoScalingGroupARN", groups.get(activity.get("AutoScalingGroupName")))
        document = Document(one.value, False, one.observed_at, "the answer itself")
        look = observe_aws(document, name, one.account, one.region, one.call.kind)
        start = sum(earlier.read for earlier in looks)
        for row in (*look.rows, *look.events, *look.bad):
            row["source_row"] += start
        looks.append(look)
    return looks


def leave_out_known(writer: Writer, look: Look) -> int:
    """Take out notices that are stored already: a platform shows the same ones for weeks. How many they were."""
    if not look.events:
        return 0
    ids = [event["event_id"] for event in look.events]
    stored = writer.connection.execute(
        "SELECT DISTINCT event_id FROM lake.platform_event WHERE list_contains(?, event_id)", [ids]
    ).fetchall()
    known = {row[0] for row in stored}
    new = {event["event_id"]: event for event in look.events if event["event_id"] not in known}
    before, look.events = len(look.events), list(new.values())
    return before - len(new)


def _report(batch: Batch, name: str, at: datetime) -> FileReport:
    note = f"observed {at:%Y-%m-%d %H:%M} UTC"
    if batch.rows_quarantined:
        note += f"; {batch.rows_quarantined} of {batch.rows_read} objects were quarantined"
    return FileReport(
        name, FORMAT, STORED, note, batch.rows_read, batch.rows_stored, batch.rows_quarantined, {}, batch.id
    )
