"""Trio helpers: the worker that owns the store, a wake-up."""
