"""The tables of what was observed, and of the states that are derived from it; see docs/inform.md."""

from __future__ import annotations

from finops_kit.fields.types import BATCH, CHANGES, COUNT, FLAG, QUANTITY, ROW, TAGS, TEXT, TEXTS, TIME, Field, Table

RESOURCE_SNAPSHOT = Table(
    "resource_snapshot",
    "one observation of one resource by one source",
    (
        Field("snapshot_id", TEXT, "SHA-256 over what was observed, so the same observation has the same id."),
        Field("resource_id", TEXT, "The provider's id, kept as text.", required=True),
        Field("resource_name", TEXT, "Display name."),
        Field("source_system", TEXT, "Who observed it: kubernetes, cmdb, vsphere, aws ...", required=True),
        Field("source_sequence", TEXT, "The source's own sequence where it has one; equality only."),
        Field("observed_at", TIME, "When it was seen.", "UTC", required=True),
        Field("presence", TEXT, "present or absent.", required=True),
        Field("scope", TEXT, "What the observation looked at; the scope of its row in observation_scope."),
        Field("kind", TEXT, "node, pod, deployment, machine, disk, volume, database ...", required=True),
        Field("provider_name", TEXT, "ProviderName of the charges that this resource causes."),
        Field("region_id", TEXT, "Region or data centre."),
        Field("account_id", TEXT, "SubAccountId it belongs to."),
        Field("cluster", TEXT, "Kubernetes cluster."),
        Field("namespace", TEXT, "Kubernetes namespace."),
        Field("owner_id", TEXT, "resource_id of what it belongs to: replica set to deployment, volume to machine."),
        Field("power_state", TEXT, "running, stopped, attached, available, Pending ..."),
        Field("sku", TEXT, "Instance type, disk class."),
        Field("vcpu", QUANTITY, "Processors: capacity of a machine, request of a pod.", "vCPU"),
        Field("memory_gib", QUANTITY, "Memory: capacity of a machine, request of a pod.", "GiB"),
        Field("storage_gib", QUANTITY, "Storage.", "GiB"),
        Field("replicas", QUANTITY, "Replicas wanted.", "replicas"),
        Field("gpu", QUANTITY, "Graphics processors.", "GPU"),
        Field("usage_vcpu", QUANTITY, "Mean processors in use, where the source says so; a derivation.", "vCPU"),
        Field("tags", TAGS, "Labels or tags, keys as the source spells them."),
        Field("attributes", TEXT, "What else the source says, JSON."),
        BATCH,
        ROW,
    ),
)

PLATFORM_EVENT = Table(
    "platform_event",
    "one notice of the platform that something was scaled: a Kubernetes Event, an autoscaler's log line",
    (
        Field("event_id", TEXT, "SHA-256 over what was said, so the same notice has the same id."),
        Field("source_system", TEXT, "Who said it: kubernetes ...", required=True),
        Field("happened_at", TIME, "When it happened, as the platform says.", "UTC", required=True),
        Field("resource_id", TEXT, "resource_id of what it is about.", required=True),
        Field("cluster", TEXT, "Kubernetes cluster."),
        Field("namespace", TEXT, "Kubernetes namespace."),
        Field("reason", TEXT, "ScalingReplicaSet, SuccessfulRescale, TriggeredScaleUp ...", required=True),
        Field("message", TEXT, "The platform's sentence."),
        Field("reported_by", TEXT, "Component that said it: deployment-controller, cluster-autoscaler ..."),
        BATCH,
        ROW,
    ),
)

USAGE_SAMPLE = Table(
    "usage_sample",
    "one measured value of one resource at one time; a derivation, never a source of states",
    (
        Field("resource_id", TEXT, "resource_id of what was measured, where the source says it."),
        Field("resource_name", TEXT, "Its name otherwise: a pod, a node, a volume claim."),
        Field("cluster", TEXT, "Kubernetes cluster."),
        Field("namespace", TEXT, "Kubernetes namespace."),
        Field("metric", TEXT, "vcpu, memory_gib, or the source's own name.", required=True),
        Field("unit", TEXT, "Unit of the value."),
        Field("measured_at", TIME, "When.", "UTC", required=True),
        Field("value", QUANTITY, "The figure.", "unit", required=True),
        Field("measured_by", TEXT, "Who measured: prometheus ..."),
        BATCH,
        ROW,
    ),
)

OBSERVATION_SCOPE = Table(
    "observation_scope",
    "one row per batch of observations: what it looked at, and from when on nobody looked",
    (
        Field("source_system", TEXT, "Who observed."),
        Field("scope", TEXT, "What was looked at, such as cluster/kind."),
        Field("observed_at", TIME, "When.", "UTC"),
        Field(
            "complete", FLAG, "Whether what is missing here is absent (true) or unknown (false); null: no more seen."
        ),
        BATCH,
    ),
)

STATE_RUN = Table(
    "state_run",
    "derived: one unbroken run of equal observations of a resource, as one derivation made it",
    (
        Field("resource_id", TEXT, "The resource.", required=True),
        Field("first_seen_at", TIME, "First observation of the run.", "UTC", required=True),
        Field("last_seen_at", TIME, "Last observation of the run.", "UTC", required=True),
        Field("carried_to", TIME, "Until when the state is carried on after that.", "UTC", required=True),
        Field("next_from", TIME, "First observation of the next run; null for the last.", "UTC"),
        Field("observations", COUNT, "Observations in the run."),
        Field("resource_name", TEXT, "Display name, as first seen in the run."),
        Field("source_system", TEXT, "Who saw it last."),
        Field("scope", TEXT, "What that look looked at."),
        *(RESOURCE_SNAPSHOT.field(name) for name in (
            "presence", "kind", "provider_name", "region_id", "account_id", "cluster", "namespace", "owner_id",
            "power_state", "sku", "vcpu", "memory_gib", "storage_gib", "replicas", "gpu", "usage_vcpu", "tags",
            "attributes")),
        Field("changes", CHANGES, "Capacity that changed between the last time it was known and this run."),
        Field("seen_in", TEXTS, "Every source and scope that ever saw it; on the last run only."),
        Field("lost", FLAG, "On the last run: a capacity was known once and is not now."),
        Field("replaces_from", TIME, "On one row per resource: what older segments say from here on no longer holds.",
              "UTC"),
        Field("segment", COUNT, "Ledger entry of the derivation that wrote the row."),
        BATCH,
    ),
)  # fmt: skip

DERIVATION = Table(
    "derivation",
    "one row per batch that derived runs: which segments of state_run are read from then on",
    (
        Field("segment", COUNT, "The segment that it wrote: its ledger entry."),
        Field("covers_from", COUNT, "Segments from this one on are merged into it and no longer read."),
        Field("rows", COUNT, "Rows of the segment."),
        Field("files", TEXT, "Its data files below the data folder, JSON; empty where they are encrypted."),
        Field("rule_version", TEXT, "Version of the rules that made it."),
        BATCH,
    ),
)
