"""Files under way, in and out (spec/07-client.md 7.6)."""
