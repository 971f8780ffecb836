"""The facade of the client: every verb of a user, incoming packets, outgoing packets (spec/07-client.md 7.8)."""
