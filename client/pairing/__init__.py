"""Becoming contacts by spoken codes (SPAKE2) or by address books."""
