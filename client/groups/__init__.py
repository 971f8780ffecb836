"""Groups of up to 100: signed membership, posts, multicast tree, receipts."""
