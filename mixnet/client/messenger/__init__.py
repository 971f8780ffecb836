"""Every verb of a user in one object; what comes in and what goes out (spec/07-client.md 7.8)."""
