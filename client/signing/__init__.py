"""Signed messages, receipts, proofs; and forgery, which makes unsigned messages deniable (spec/07-client.md 7.14)."""
