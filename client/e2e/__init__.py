"""End-to-end encryption between contacts, pure: X3DH, Double Ratchet, message bodies, what is signed, invitations.

See spec/07-client.md 7.1 to 7.3.
"""
