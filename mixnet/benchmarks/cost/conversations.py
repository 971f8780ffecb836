"""`mixnet bench world`: clients that talk in pairs, in virtual time, and what that cost (docs/measuring.md).

Promises: who writes when follows from the seed; every message's arrival is waited for, so a figure for loss is one.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import trio

from mixnet.benchmarks.simulation.world import World, WorldConfig, run_world
from mixnet.deploy.display import progress, tabulate

PAUSE = 60.0  # mean seconds between two messages of a client
LEAD = 0.7  # the share of the time in which messages are written; the rest is for their arrival
Tell = Callable[[float], None]


@dataclass(slots=True)
class Conversations:
    """The workload: neighbours become contacts and write to each other at random times, for `seconds`."""

    seconds: float
    tell: Tell
    sent: int = 0
    received: int = 0
    pairs: list[tuple[int, int]] = field(default_factory=list)

    async def run(self, world: World) -> None:
        """Talk until the time is over."""
        count = len(world.clients)
        self.pairs = [(index, index + 1) for index in range(0, count - 1, 2)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._report)
            for pair in self.pairs:
                nursery.start_soon(self._talk, world, *pair)
            await trio.sleep_until(self.seconds)
            nursery.cancel_scope.cancel()
        for index in range(count):
            self.received += len(await world.inbox(index))

    async def _talk(self, world: World, one: int, other: int) -> None:
        await world.befriend(one, other)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, world, one, other)
            nursery.start_soon(self._write, world, other, one)

    async def _write(self, world: World, author: int, reader: int) -> None:
        pauses = world.stream("conversation", str(author))
        number = 0
        while True:
            await trio.sleep(pauses.expovariate(1 / PAUSE))
            if trio.current_time() > LEAD * self.seconds:
                return
            number += 1
            await world.clients[author].send(world.client_name(reader), f"message {number}")
            self.sent += 1

    async def _report(self) -> None:
        while True:
            self.tell(trio.current_time())
            await trio.sleep(1)


def measure(
    *,
    clients: int,
    minutes: float,
    seed: int,
    codec: Literal["sphinx", "plain"],
    trace: Path | None = None,
    truth: Path | None = None,
) -> dict[str, Any]:
    """Run the conversations, write the files that are asked for, and say what came of it."""
    config = WorldConfig(seed=seed, clients=clients, codec=codec)
    started = time.process_time()
    with progress("virtual time", minutes * 60, unit="s") as tell:
        conversations = Conversations(minutes * 60, tell)
        world = run_world(conversations.run, config)
    if trace is not None:
        world.trace.write(trace)
    if truth is not None:
        world.truth.write(truth)
    return {
        "clients": clients,
        "minutes": minutes,
        "seed": seed,
        "codec": codec,
        "cpu_s": round(time.process_time() - started, 1),
        "rows": len(world.trace),
        "packets": dict(Counter(journey.kind for journey in world.truth)),
        "messages_sent": conversations.sent,
        "messages_received": conversations.received,
        "fingerprint": world.trace.fingerprint(),
    }


def render(figures: dict[str, Any]) -> None:
    """Print the figures for a person."""
    rows = []
    for name, value in figures.items():
        shown = ", ".join(f"{key} {number:,}" for key, number in value.items()) if isinstance(value, dict) else value
        rows.append((name.replace("_", " "), f"{shown:,}" if isinstance(shown, int) else shown))
    tabulate("A network in virtual time", ("figure", "value"), rows)
