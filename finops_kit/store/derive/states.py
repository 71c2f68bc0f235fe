"""What readers see of the derived runs: the observations that won, states over time, what scaled and why."""

from __future__ import annotations

from finops_kit.store.derive.events import EVENT_VIEWS
from finops_kit.store.derive.links import LINK_VIEWS
from finops_kit.store.derive.rules import IDENTITY_COLUMNS, OBSERVED_COLUMNS, STATE_COLUMNS

_identity = ", ".join(IDENTITY_COLUMNS)
_state = ", ".join(STATE_COLUMNS)
_unknown = ", ".join(f"NULL AS {c}" for c in OBSERVED_COLUMNS)

#: one row per resource and maximal stretch of equal state and quality, half-open, never overlapping
STATE_INTERVAL = f"""
    SELECT resource_id, resource_name, source_system, first_seen_at AS valid_from, last_seen_at AS valid_to,
        'observed' AS quality, last_seen_at, observations, usage_vcpu, {_state}, tags, presence AS last_presence
    FROM live_run WHERE last_seen_at > first_seen_at
    UNION ALL BY NAME
    SELECT resource_id, resource_name, source_system, last_seen_at AS valid_from, carried_to AS valid_to,
        'carried' AS quality, last_seen_at, observations, usage_vcpu, {_state}, tags, presence AS last_presence
    FROM live_run
    UNION ALL BY NAME
    SELECT resource_id, resource_name, source_system, carried_to AS valid_from, next_from AS valid_to,
        'gap' AS quality, last_seen_at, 0 AS observations, {_identity}, {_unknown}, presence AS last_presence
    FROM live_run WHERE next_from IS NULL OR next_from > carried_to
"""

STATE_VIEWS = {"state_interval": STATE_INTERVAL, **EVENT_VIEWS, **LINK_VIEWS}
