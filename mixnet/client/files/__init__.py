"""File transfers, outgoing and incoming (spec/07-client.md 7.6)."""
