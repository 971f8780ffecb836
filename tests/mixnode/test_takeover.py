"""Real authorities, real nodes: one set succeeds another, and every loop comes back."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import trio
from trio.testing import MockClock

from mixnet.benchmarks.simulation.codec import PlainEngine
from mixnet.benchmarks.simulation.virtual import no_threads
from mixnet.counters import Event
from mixnode.config import NodeConfig, Storage
from mixnode.node import Serving, serve
from tests.directory.succession_world import SuccessionWorld, successors
from tests.mixnet.pki.builders import Town

TOWN = Town(mixes=3, providers=1, epoch_length=120.0)
FIRST = 2


async def live(world: SuccessionWorld, name: str, folder: Path, *, task_status: trio.TaskStatus[Serving]) -> None:
    identity, role = TOWN.nodes[name]
    address = TOWN.address(name)
    await serve(
        NodeConfig(
            role=role,
            address=address,
            bootstrap=folder / "bootstrap.json",
            key_file=folder / "key",
            data_dir=folder,
            storage=Storage.MEMORY,
            source=address.partition(":")[0],
        ),
        network=world.network,
        clock=world.clock,
        rng=world.rng.child(name),
        engine=PlainEngine(),
        identity=identity,
        trust=TOWN.bootstrap,
        task_status=task_status,
    )


async def test_no_loop_is_lost_while_all_authorities_are_replaced(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    """The old ones are gone soon after."""
    new = successors(TOWN, [3, 4, 5], FIRST)
    world = SuccessionWorld(TOWN, nursery, tmp_path, [new])
    with no_threads():
        world.propose(new, *range(6))
        await world.begin(*range(6))
        start = partial(nursery.start, live, world)
        nodes: list[Serving] = [await start(name, tmp_path / name) for name in TOWN.nodes]
        await world.until(FIRST, 0.1)
        for number in range(3):
            await world.crash(number)
        await world.until(FIRST + 2, 0.5)
        for node in nodes:
            told = node.snapshot()
            assert (told["epoch"], told["problem"], told["warnings"]) == (FIRST + 2, "", [])
            assert node.counters[Event.LOOPS_SENT] > 0.4 * (FIRST + 2) * TOWN.epoch_length
            assert node.counters[Event.LOOPS_LOST] == 0
            assert node.counters[Event.LOOPS_SENT] - node.counters[Event.LOOPS_RETURNED] < 10
        nursery.cancel_scope.cancel()
