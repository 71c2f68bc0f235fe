"""To FOCUS, to snapshots, to reference rows: set-based SQL over whole files, never a loop over rows."""
