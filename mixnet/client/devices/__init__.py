"""Several devices of one user: the home, its satellites, replication (spec/07-client.md 7.16)."""
