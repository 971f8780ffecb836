"""`mixnet threats`: the executable catalogue of threats (spec/13-measurements.md 13.9)."""
