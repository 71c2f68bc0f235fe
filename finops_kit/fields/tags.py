"""The governed tags: who a charge can belong to, and the words by which everybody says so."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: every charge should name these
REQUIRED_DIMENSIONS = ("service_id", "team", "environment", "cost_center", "business_unit")
#: who a charge can belong to
OWNER_DIMENSIONS = (*REQUIRED_DIMENSIONS, "tenant", "product", "namespace")

#: other words for a dimension, after normalisation; the first is the name itself
TAG_ALIASES: dict[str, tuple[str, ...]] = {
    "service_id": ("service_id", "serviceid", "service", "svc", "application_id", "application", "app", "app_id"),
    "team": ("team", "owner_team", "team_name", "squad", "owner"),
    "environment": ("environment", "env", "stage"),
    "cost_center": ("cost_center", "costcenter", "cost_centre", "costcentre", "kostenstelle"),
    "business_unit": ("business_unit", "businessunit", "bu", "division"),
    "tenant": ("tenant", "tenant_id", "tenantid", "customer", "customer_id"),
    "product": ("product", "product_id"),
    "namespace": (
        "namespace", "k8s_namespace", "kubernetes_namespace", "kubernetes_io_namespace", "kubernetes_io/namespace",
    ),
}  # fmt: skip

#: prefixes by which a provider marks what its user said; every other prefix is the provider's own word and is kept
USER_PREFIXES = ("user", "label", "labels")
_MARK = re.compile(r"^resourcetags/")
_PREFIX = re.compile(r"^([a-z0-9.-]+)[:_/]\s*")


def normalise_tag_key(key: str, dropped: Sequence[str] = USER_PREFIXES) -> str:
    """A tag key in the one spelling: lower case, no blanks around it, words joined by ``_``.

    A prefix that marks what a user said is left out, every other one is kept: ``aws:team`` is not ``team``.

    Example
    -------
    >>> normalise_tag_key(" user:Cost-Center "), normalise_tag_key("resourceTags/user:Team")
    ('cost_center', 'team')
    >>> normalise_tag_key("aws:Team"), normalise_tag_key("corp:Team", dropped=["corp"])
    ('aws:team', 'team')
    """
    plain = _MARK.sub("", key.strip().lower())
    prefix = _PREFIX.match(plain)
    if prefix and prefix[1] in dropped and plain[prefix.end() :].strip():
        plain = plain[prefix.end() :].strip()
    return re.sub(r"[\s\-.]+", "_", plain)
