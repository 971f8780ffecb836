"""What the network costs: latency, throughput, CPU, memory, their growth."""
