"""Load for real processes: load generators that take the place of a node's neighbours and send to it over real links.

Promises (spec/13-measurements.md 13.8): what is driven can't tell a load generator from a node: real descriptors in a
real document, real links, genuine Sphinx headers. Packets are made before the clock starts.
"""
