"""The rules of a whole network of real nodes, in which clients ask providers."""

from mixnet.pki.parameters import Parameters

RULES = Parameters(
    mean_delay=0.05,
    payload_rate=3.0,
    loop_rate=0.2,
    drop_rate=0.2,
    downlink_rate=4.0,
    node_loop_rate=0.05,
    link_latency=0.01,
)
