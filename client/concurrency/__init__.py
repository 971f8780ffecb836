"""Helpers for Trio: the worker that runs all calls to the store, and a wake-up for one task (spec/07-client.md 7.8)."""
