"""Observers of real processes, from outside them: a sniffer on the loopback device, and taps in front of the nodes.

Promises (spec/13-measurements.md 13.6): they see addresses, times and numbers of bytes, and nothing else.
"""
