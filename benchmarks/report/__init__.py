"""`mixnet bench all` and what it writes: one report of all measurements (SPEC.md section 13.9)."""
