"""Clients: a daemon that keeps cover traffic up and end-to-end encrypted conversations safe."""
