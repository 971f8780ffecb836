"""`mixnet bench all`: one report of all measurements (spec/13-measurements.md 13.9)."""
