"""What readers see of the derived runs: the observations that won, states over time, what scaled and why."""

from __future__ import annotations

from finops_kit.store.derive.chains import WORKLOAD_OF
from finops_kit.store.derive.events import EVENT_VIEWS
from finops_kit.store.derive.links import LINK_VIEWS
from finops_kit.store.derive.rules import IDENTITY_COLUMNS, OBSERVED_COLUMNS
from finops_kit.store.derive.usage import USAGE_OF_STATE

#: what a run says in a stretch of each quality; one pass over the runs makes all three
_QUALITIES = ("observed", "carried", "gap")
_known = ", ".join(f"CASE WHEN quality <> 'gap' THEN {c} END AS {c}" for c in ("presence", *OBSERVED_COLUMNS, "tags"))

#: one row per resource and maximal stretch of equal state and quality, half-open, never overlapping
STATE_INTERVAL = f"""
    SELECT resource_id, resource_name, source_system,
        CASE quality WHEN 'observed' THEN first_seen_at WHEN 'carried' THEN greatest(first_seen_at, last_seen_at)
            ELSE carried_to END AS valid_from,
        CASE quality WHEN 'observed' THEN last_seen_at WHEN 'carried' THEN carried_to ELSE next_from END AS valid_to,
        quality, last_seen_at, CASE WHEN quality = 'gap' THEN 0 ELSE observations END AS observations,
        CASE WHEN quality <> 'gap' THEN usage_vcpu END AS usage_vcpu,
        {", ".join(IDENTITY_COLUMNS)}, {_known}, presence AS last_presence
    FROM live_run CROSS JOIN (VALUES {", ".join(f"('{q}')" for q in _QUALITIES)}) AS stretch(quality)
    WHERE CASE quality WHEN 'observed' THEN last_seen_at > first_seen_at WHEN 'carried' THEN true
                       ELSE next_from IS NULL OR next_from > carried_to END
"""

STATE_VIEWS = {"state_interval": STATE_INTERVAL, **EVENT_VIEWS, **LINK_VIEWS, "usage_of_state": USAGE_OF_STATE,
               "workload_of": WORKLOAD_OF}  # fmt: skip
