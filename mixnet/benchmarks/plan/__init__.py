"""`mixnet plan`: parameters for a wanted latency, entropy and bandwidth."""
