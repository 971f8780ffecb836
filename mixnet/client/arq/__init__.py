"""Reliable delivery: fragments, acknowledgements, retransmission. Pure.

See spec/07-client.md 7.4 and 7.5.
"""
