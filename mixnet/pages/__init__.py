"""Pages for a browser on this very machine: what `mixnet ui` and `mixnet observe` share (docs/pages.md)."""
