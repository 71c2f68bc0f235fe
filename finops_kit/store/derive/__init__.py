"""What follows from the observations: states over time, what scaled, and which charge belongs to which state."""

from finops_kit.store.derive.segments import (
    OBSERVED_TABLES,
    derive_all,
    derive_batch,
    live_run_sql,
    live_segments,
    rederive_batch,
)

__all__ = ["OBSERVED_TABLES", "derive_all", "derive_batch", "live_run_sql", "live_segments", "rederive_batch"]
