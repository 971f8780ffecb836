"""End-to-end encryption between contacts: X3DH, Double Ratchet, message bodies, statements, invitations. Pure.

See spec/07-client.md 7.1 to 7.3.
"""
