"""What runs and starts while nobody does anything: the daemon at rest, and starts (SPEC.md section 13.11)."""
