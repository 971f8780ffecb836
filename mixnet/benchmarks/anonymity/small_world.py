"""Real actors in virtual time whose entropy is measured: a small network whose pools hold twelve packets.

Promises: the actors' traffic is what clients always send: payload slots that carry cover or a conversation, loops,
drops, acknowledgements, and nodes' loops. One seed gives one result (spec/13-measurements.md 13.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import trio

from mixnet.benchmarks.anonymity import actors
from mixnet.benchmarks.anonymity.network import NetworkModel
from mixnet.benchmarks.controls.cover import switched_off
from mixnet.benchmarks.simulation.world import World, WorldConfig, run_world
from mixnet.pki.parameters import Parameters

CLIENTS = 16
UP = 5.0  # seconds until everybody is connected
PARAMETERS = Parameters(
    mean_delay=0.5,
    payload_rate=2.4,
    loop_rate=0.3,
    drop_rate=0.3,
    downlink_rate=1.0,
    node_loop_rate=0.1,
    link_latency=0.01,
    ack_delay=2.0,
)
TWELVE = NetworkModel(
    users=CLIENTS, rate=PARAMETERS.send_rate, delay=PARAMETERS.mean_delay, layers=3, width=2, providers=2
)


def point(seconds: float, seed: int, off: Sequence[str] = ()) -> dict[str, Any]:
    """Observe the actors for so long, as a job for a runner; `off` names switches of benchmarks/controls/cover.py."""

    async def talk(world: World) -> None:
        with trio.move_on_after(seconds):
            await world.befriend(0, 1)
            number, pauses = 0, world.stream("writing")
            while True:
                number += 1
                await world.clients[number % 2].send(world.client_name(1 - number % 2), f"message {number}")
                await trio.sleep(pauses.expovariate(0.2))
        await trio.sleep_until(seconds)

    config = WorldConfig(seed=seed, clients=CLIENTS, authorities=1, parameters=PARAMETERS, codec="plain")
    with switched_off(off):
        world = run_world(talk, config)
    seen = actors.observe(world.trace, list(world.truth), targets=int(2 * seconds), ideal="delays" in off, since=UP)
    return {
        "packet": list(seen.over_time(seen.packet)),
        "sender": list(seen.over_time(seen.sender)),
        "surprise": list(seen.over_time(seen.surprise)),
        "optimum": seen.network.optimum,
        "pool": seen.network.pool,
        "rate": seen.network.total,
        "right": float(np.mean(seen.surprise < 1)),
    }
