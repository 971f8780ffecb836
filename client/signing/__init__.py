"""Signed messages, receipts, proofs; and the forgeries that make all else deniable (spec/07-client.md 7.14)."""
