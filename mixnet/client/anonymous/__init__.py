"""Anonymous conversations: public addresses and reply blocks, both sides (spec/07-client.md 7.18)."""
