"""Groups of up to 100: signed membership, posts, multicast, receipts (spec/07-client.md 7.17)."""
