"""Trio helpers: the worker that owns the store, a wake-up (spec/07-client.md 7.8)."""
