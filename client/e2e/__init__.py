"""End-to-end encryption between contacts, pure: X3DH, Double Ratchet, message bodies, what is signed, invitations."""
