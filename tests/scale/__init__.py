"""Many jobs, many workers, many rows."""
