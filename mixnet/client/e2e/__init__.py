"""End-to-end encryption: X3DH, Double Ratchet, bodies, invitations. Pure.

See spec/07-client.md 7.1 to 7.3.
"""
