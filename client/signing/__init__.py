"""Signed messages, receipts, proofs; and the forgeries that make all else deniable."""
