"""`mixnet plan`: parameters of a network for a wanted latency, entropy and bandwidth, before it runs."""
