"""A page in the browser to talk in: a user of the daemon's API as any other is (spec/07-client.md 7.24)."""
