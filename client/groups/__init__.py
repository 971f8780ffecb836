"""Groups of up to 100 members: signed membership, posts, multicast tree, receipts (spec/07-client.md 7.17)."""
