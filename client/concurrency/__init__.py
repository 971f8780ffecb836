"""Helpers for Trio: the store's worker, and a wake-up for one task (spec/07-client.md 7.8)."""
