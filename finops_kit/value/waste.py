"""Waste, priced from the real bill: disks that nobody holds, machines that do nothing, and how to act on them.

The command is text for a person to read and run; nothing here or anywhere in the kit runs it.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis
from ibis.expr.types import StringValue, Table

#: a disk must have stood alone this long
ORPHAN_DAYS = 14
#: a machine below this part of its processors does nothing
IDLE_SHARE = 0.05
#: observations a machine needs before it is called idle
IDLE_OBSERVATIONS = 2
#: how far back a machine's use is looked at
IDLE_DAYS = 31
_DISKS = ("disk", "volume")
_MACHINES = ("machine", "vm", "instance", "server")
_LOOSE = ("available", "unattached", "detached", "released", "orphaned")


def _until(snapshot: Table, end: date) -> Table:
    return snapshot.filter(snapshot.observed_at < ibis.literal(f"{end} 00:00:00+00:00").cast("timestamp('UTC')"))


def orphaned_disks(snapshot: Table, end: date) -> Table:
    """Disks that no machine has held for more than ``ORPHAN_DAYS`` at the end of a period.

    Returns
    -------
    one row per resource_id: name, provider_name, region_id, account_id, storage_gib, ``since`` (first day of the last
    unbroken stretch alone), ``idle_days``, ``observations``
    """
    rows = _until(snapshot, end)
    rows = rows.filter(rows.kind.lower().isin(_DISKS))
    state = rows.power_state.fill_null("").lower()
    alone = (rows.presence == "present") & (state.isin(_LOOSE) | ((state == "") & rows.owner_id.isnull()))
    rows = rows.mutate(alone=alone.fill_null(False))
    last_held = rows.observed_at.max(where=~rows.alone).over(ibis.window(group_by=rows.resource_id))
    rows = rows.mutate(last_held=last_held)
    stretch = rows.filter(rows.alone & (rows.last_held.isnull() | (rows.observed_at > rows.last_held)))
    sums = _latest(stretch).agg(
        **_named(stretch),
        storage_gib=stretch.storage_gib.argmax(stretch.observed_at),
        since=stretch.observed_at.min().date(),
        seen_on=stretch.observed_at.max().date(),
        observations=stretch.count(),
    )
    sums = sums.mutate(idle_days=ibis.date(end).delta(sums.since, unit="day"))
    return sums.filter(sums.idle_days > ORPHAN_DAYS)


def idle_machines(snapshot: Table, end: date) -> Table:
    """Machines that ran and never used ``IDLE_SHARE`` of their processors in the last month of observations.

    Returns
    -------
    one row per resource_id: name, provider_name, region_id, account_id, sku, vcpu, ``peak_use_pct`` (highest observed
    share, 0-100), ``since``, ``observations``
    """
    rows = _until(snapshot, end)
    recent = rows.observed_at >= ibis.literal(f"{end} 00:00:00+00:00").cast("timestamp('UTC')") - ibis.interval(
        days=IDLE_DAYS
    )
    rows = rows.filter(recent & rows.kind.lower().isin(_MACHINES) & (rows.presence == "present"))
    rows = rows.mutate(
        running=rows.power_state.fill_null("").lower().isin(("running", "poweredon", "on")),
        use=rows.usage_vcpu.cast("float64") / rows.vcpu.nullif(0).cast("float64"),
    )
    sums = _latest(rows).agg(
        **_named(rows),
        sku=rows.sku.argmax(rows.observed_at),
        vcpu=rows.vcpu.argmax(rows.observed_at),
        peak_use_pct=100 * rows.use.max(),
        always_running=rows.running.all(),
        known_use=rows.use.count(),
        since=rows.observed_at.min().date(),
        observations=rows.count(),
    )
    quiet = sums.always_running & (sums.known_use >= IDLE_OBSERVATIONS) & (sums.peak_use_pct < 100 * IDLE_SHARE)
    return sums.filter(quiet).drop("always_running", "known_use")


def _latest(rows: Table) -> Any:
    return rows.group_by("resource_id")


def _named(rows: Table) -> dict[str, ibis.Value]:
    names = ("resource_name", "provider_name", "region_id", "account_id")
    return {name: rows[name].argmax(rows.observed_at) for name in names}


def priced(found: Table, lens_month: Table) -> Table:
    """Findings with what they were billed in the last full month; what is billed nothing is no saving and falls out.

    Returns
    -------
    as given, with ``monthly_saving`` (EffectiveCost of the month, the lens's currency) and the owners on the bill
    """
    charged = lens_month.filter(lens_month.ResourceId.notnull())
    charged = charged.mutate(resource_key=charged.ResourceId.lower())
    sums = charged.group_by("resource_key").agg(
        monthly_saving=charged.EffectiveCost.sum(), billed_provider=charged.provider.max(),
        service_id=charged.service_id.max(), team=charged.team.max(), environment=charged.environment.max(),
    )  # fmt: skip
    rows = found.mutate(resource_key=found.resource_id.lower()).join(sums, "resource_key")
    provider = ibis.coalesce(rows.billed_provider, rows.provider_name)
    return rows.filter(rows.monthly_saving > 0).mutate(provider_name=provider).drop("resource_key", "billed_provider")


def _quoted(text: StringValue) -> StringValue:
    return ibis.literal("'") + text.fill_null("").replace("'", "'\\''") + ibis.literal("'")


def _short(resource_id: StringValue) -> StringValue:
    return resource_id.re_extract(r"([^/]+)$", 1)


def with_command(found: Table, kind: str) -> Table:
    """Findings with the command that acts on each, in its provider's own tool; quoted, never run.

    Parameters
    ----------
    kind : ``disk`` (delete, after a snapshot) or ``machine`` (stop)
    """
    provider = found.provider_name.fill_null("").lower()
    full, short, region = _quoted(found.resource_id), _quoted(_short(found.resource_id)), _quoted(found.region_id)
    name = _quoted(ibis.coalesce(found.resource_name, found.resource_id))
    account = _quoted(found.account_id)
    text = ibis.literal
    if kind == "disk":
        aws = (
            text("aws ec2 create-snapshot --volume-id ") + short + " --region " + region
            + " && aws ec2 delete-volume --volume-id " + short + " --region " + region
        )  # fmt: skip
        azure = text("az disk delete --ids ") + full
        google = text("gcloud compute disks delete ") + short + " --project=" + account + " --region=" + region
        other = text("govc datastore.disk.info ") + name + "   # then ask the platform team to remove it"
    else:
        aws = text("aws ec2 stop-instances --instance-ids ") + short + " --region " + region
        azure = text("az vm deallocate --ids ") + full
        google = text("gcloud compute instances stop ") + short + " --project=" + account
        other = text("govc vm.power -s ") + name
    command = ibis.cases(
        (provider.contains("amazon") | provider.contains("aws"), aws),
        (provider.contains("azure") | provider.contains("microsoft"), azure),
        (provider.contains("google") | provider.contains("gcp"), google),
        else_=other,
    )
    return found.mutate(command=command)
