"""One resource, several spellings: the canonical key by which a bill's id and an observer's id meet.

Bills write ARNs where an inventory writes an instance id, Azure URIs in any case, GCP names with and without
their API's host; Kubernetes names the machine of a node as a provider id and the disk of a volume as a handle.
"""

from __future__ import annotations

#: EC2-style ids are unique on their own, whatever ARN or provider id they stand in
_EC2 = r"(?:^|[/:])((?:i|vol|eni|nat|snap|ami|eipalloc|fs|vpc|subnet|vpce|tgw|igw|lt|h)-[0-9a-f]{8,17})$"
_GCE_HOST = (
    r"^(?:https?:)?//(?:www\.googleapis\.com/compute|compute\.googleapis\.com(?:/compute)?)/(?:(?:v1|beta|alpha)/)?"
)


def canonical_sql(column: str) -> str:
    """The canonical key of an id, as an SQL expression; NULL where there is none.

    Source: AWS ARN format; Azure Resource Manager ids (compared without case); Google Cloud full resource names
    and self links; Kubernetes ``spec.providerID`` of the three providers.
    """
    text = f"lower(trim({column}))"
    return f"""CASE
        WHEN {text} = '' THEN NULL
        WHEN regexp_matches({text}, '{_EC2}') THEN regexp_extract({text}, '{_EC2}', 1)
        WHEN {text} LIKE 'azure://%' THEN rtrim(regexp_replace({text}, '^azure:/+', '/'), '/')
        WHEN {text} LIKE '/subscriptions/%' OR {text} LIKE 'subscriptions/%' THEN '/' || trim({text}, '/')
        WHEN {text} LIKE 'gce://%' THEN
            regexp_replace({text}, '^gce://([^/]+)/([^/]+)/(.+)$', 'projects/\\1/zones/\\2/instances/\\3')
        WHEN regexp_matches({text}, '{_GCE_HOST}') THEN regexp_replace({text}, '{_GCE_HOST}', '')
        ELSE {text} END"""


def attribute_sql(*names: str) -> str:
    """The first of some attributes of a resource that is there, as an SQL expression."""
    return "coalesce(" + ", ".join(f"json_extract_string(attributes, '$.{name}')" for name in names) + ")"


#: the machine that a node stands on, as Kubernetes says
MACHINE_OF_NODE = f"coalesce({attribute_sql('providerID')}, owner_id)"
#: the disk behind a volume
DISK_OF_VOLUME = attribute_sql("handle", "volumeHandle")
#: the node that a pod runs on
NODE_OF_POD = attribute_sql("node", "nodeName")
