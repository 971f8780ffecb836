"""Reliable delivery over a network that loses and reorders, pure: fragments, acknowledgements, retransmission.

See spec/07-client.md 7.4 and 7.5.
"""
