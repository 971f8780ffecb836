"""Helpers for Trio: the store's worker, a wake-up for one task, and tasks that last (spec/07-client.md 7.8)."""
