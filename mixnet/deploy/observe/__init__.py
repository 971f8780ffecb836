"""`mixnet observe`: a live page of a local network, and recordings of it (spec/11-demonstration.md)."""
