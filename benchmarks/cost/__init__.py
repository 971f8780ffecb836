"""What everything costs: latency, throughput, computing, memory, and how these grow."""
