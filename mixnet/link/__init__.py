"""Placeholder: says what this package promises."""
