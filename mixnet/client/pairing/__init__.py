"""Becoming contacts by spoken codes (SPAKE2) or by address books (spec/07-client.md 7.12 and 7.13)."""
