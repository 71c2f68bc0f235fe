"""To one shape: bills to FOCUS columns, inventories to snapshots, registers to reference rows."""
