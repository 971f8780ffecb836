"""Several devices of one user: a home device, its satellites, replication between them."""
