"""Reliable delivery over a network that loses and reorders packets: fragments, acknowledgements, retransmission. Pure.

See spec/07-client.md 7.4 and 7.5.
"""
