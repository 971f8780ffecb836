"""Measurements of speed and privacy on the real code."""
