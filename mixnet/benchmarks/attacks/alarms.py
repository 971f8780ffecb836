"""Which actors of a world warn of an attack, and when.

Promises: read from outside as an operator does, once a second; nothing that an attacker would see.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import trio

from mixnet.benchmarks.simulation.world import World
from mixnet.client.traffic.loops import Alarm

PERIOD = 1.0  # seconds
WARNINGS = frozenset({"loops_missing", "loops_late"})


@dataclass(slots=True)
class Alarms:
    """For each actor the virtual time of its first alarm."""

    first: dict[str, float] = field(default_factory=dict)

    async def watch(self, world: World) -> None:
        """Look until cancelled."""
        while True:
            for name in await alarmed(world):
                self.first.setdefault(name, trio.current_time())
            await trio.sleep(PERIOD)

    def after(self, start: float) -> dict[str, float]:
        """Seconds from `start` to each alarm."""
        return {name: when - start for name, when in self.first.items()}


async def alarmed(world: World) -> list[str]:
    """The nodes and clients that warn now that loops are missing or late."""
    nodes = [name for name, node in world.nodes.items() if not WARNINGS.isdisjoint(node.snapshot()["warnings"])]
    clients = []
    for index, client in enumerate(world.clients):
        figures = await client.status()
        if figures["alarm"] != Alarm.CALM or not WARNINGS.isdisjoint(figures["warnings"]):
            clients.append(world.client_name(index))
    return nodes + clients
