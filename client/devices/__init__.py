"""Several devices of one user: a home device, its satellites, replication between them (spec/07-client.md 7.16)."""
