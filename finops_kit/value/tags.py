"""Tag keys: one name for one meaning, however a provider or a team spells it."""

from __future__ import annotations

import re
from collections.abc import Iterable

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

_PREFIX = re.compile(r"^(resourcetags/)?(user|label|labels)[:_/]")


def normalise_tag_key(key: str) -> str:
    """A tag key in the one spelling: lower case, no blanks around it, no provider's prefix, words joined by ``_``.

    Example
    -------
    >>> normalise_tag_key(" user:Cost-Center "), normalise_tag_key("resourceTags/user:Team")
    ('cost_center', 'team')
    """
    plain = key.strip().lower()
    plain = _PREFIX.sub("", plain).strip()
    return re.sub(r"[\s\-.]+", "_", plain)


def tag_spellings(keys: Iterable[str]) -> dict[str, list[str]]:
    """Which of the keys that occur mean which owner dimension, the preferred spelling first.

    Example
    -------
    >>> tag_spellings(["user:Team", "team", "colour"])["team"]
    ['team', 'user:Team']
    """
    rank = {alias: (name, place) for name, aliases in TAG_ALIASES.items() for place, alias in enumerate(aliases)}
    found: dict[str, list[tuple[int, bool, str]]] = {name: [] for name in TAG_ALIASES}
    for key in set(keys):
        plain = normalise_tag_key(key)
        if plain in rank:
            name, place = rank[plain]
            found[name].append((place, key != plain, key))
    return {name: [key for _, _, key in sorted(places)] for name, places in found.items()}
