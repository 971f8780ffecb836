"""What the network agrees on: descriptors, the signed consensus document, the bootstrap file, and routes."""
