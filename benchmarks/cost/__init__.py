"""What the network costs: latency, throughput, computing, memory, and how these grow."""
