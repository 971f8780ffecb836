"""Anonymity as entropy: measured, modelled, and what lowers it (spec/13-measurements.md 13.1)."""
