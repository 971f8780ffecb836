"""`mixnet bench all` and what it writes: one report of all measurements (spec/13-measurements.md 13.9)."""
