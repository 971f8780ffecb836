"""The facade: every verb of a user in one object, what comes in, what goes out (spec/07-client.md 7.8)."""
