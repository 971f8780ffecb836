"""What is seen on clients' links in a world whose users do what a test says."""

import trio

from mixnet.benchmarks.simulation.world import WorldConfig, run_world
from mixnet.pki.parameters import Parameters
from tests.benchmarks.simulation.traces import around

LENGTH = 50.0  # virtual seconds, in which an epoch ends
CLIENTS = ["client-1", "client-2"]
BRISK = Parameters(
    epoch_length=40.0,
    mean_delay=0.05,
    payload_rate=1.2,
    loop_rate=0.3,
    drop_rate=0.3,
    downlink_rate=2.0,
    node_loop_rate=0.02,
    link_latency=0.01,
)


def links(seed, live=None, config=None, length=LENGTH):
    """Every write on each client's link, both ways, in a world whose users do what `live` says."""

    async def program(world):
        async with trio.open_nursery() as nursery:
            if live is not None:
                nursery.start_soon(live, world)
            await trio.sleep_until(length)
            nursery.cancel_scope.cancel()

    config = config or WorldConfig(seed=seed, clients=2, parameters=BRISK, codec="plain")
    world = run_world(program, config)
    return {host: around(world.trace, host) for host in CLIENTS}, world
