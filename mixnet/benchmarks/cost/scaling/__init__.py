"""How costs grow: with clients, packets and epochs (spec/13-measurements.md 13.10)."""
