"""Reliable delivery over a network that loses and reorders, pure: fragments, acknowledgements, retransmission."""
