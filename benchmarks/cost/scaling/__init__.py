"""How costs grow: with clients, packets and epochs (SPEC.md section 13.10)."""
