"""`mixnet threats`: the executable catalogue of threats (SPEC.md section 13.9)."""
