"""Signed messages, receipts, proofs; and forgery of all that is unsigned (spec/07-client.md 7.14)."""
