"""Runs of the real actors that passive attacks are tried on: some clients busy, some idle (docs/measuring.md).

Promises: what is returned follows from the arguments alone; with `quiet` the same network runs under the same seed
while nobody does anything. The busy ones send files to their contacts all the time, which is the most that a user can
do: every payload slot carries something. All that a job returns is what `attacks.observed` takes from trace and truth.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import trio

from mixnet.benchmarks.attacks.observed import SETTLING, Arrays, observe
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.controls.cover import switched_off
from mixnet.benchmarks.simulation.world import World, WorldConfig, run_world

CONTACTS = 2  # to whom each busy client writes: the next ones of a ring
BYTES_A_SECOND = 2600  # more than a client with one packet a second can send
PROVIDERS = 4
LONG = 1000  # seconds, which is enough for a control: without the defence an attack wins long before


def described(worlds: Sequence[Mapping[str, Any]]) -> str:
    """Jobs of `converse` of one kind, in words."""
    one = worlds[0]
    return f"{len(worlds)} world(s) of {one['clients']} clients ({one['busy']} busy) for {one['seconds']:,} s"


def converse(
    *, clients: int, busy: int, seconds: float, seed: int, off: Sequence[str] = (), quiet: bool = False
) -> Arrays:
    """What an observer sees of `play`, and the truth: `Observed.packed()`. A job.

    What is looked at begins after the first minute, in which all get to know each other.
    """
    world = play(clients=clients, busy=busy, seconds=seconds, seed=seed, off=off, quiet=quiet)
    names = [world.client_name(client) for client in range(clients)]
    return observe(world.trace, list(world.truth), clients=names, start=SETTLING).packed()


def play(*, clients: int, busy: int, seconds: float, seed: int, off: Sequence[str] = (), quiet: bool = False) -> World:
    """A minute and `seconds` of a network of whose `clients` the first `busy` write to each other.

    `off` are names of `controls.cover.SWITCHES`. At least 3 are busy, or none.
    """

    async def live(world: World, file: Path) -> None:
        async with trio.open_nursery() as nursery:
            if not quiet:
                for author in range(busy):
                    for step in range(1, CONTACTS + 1):
                        nursery.start_soon(_write, world, author, (author + step) % busy, file)
            await trio.sleep_until(SETTLING + seconds)
            nursery.cancel_scope.cancel()

    config = WorldConfig(seed=seed, clients=clients, providers=PROVIDERS, codec="plain")
    with tempfile.TemporaryDirectory(prefix="mixnet-converse-") as folder, switched_off(off):
        file = Path(folder) / "file.bin"
        file.write_bytes(bytes(round(seconds * BYTES_A_SECOND)))
        return run_world(partial(live, file=file), config)


async def _write(world: World, author: int, reader: int, file: Path) -> None:
    await world.befriend(author, reader)
    await world.clients[author].send_file(world.client_name(reader), file)


def sizes(size: Size, seed: int) -> list[dict[str, int]]:
    """The arguments of `converse` for a study of this size: a world each."""
    match size:
        case Size.QUICK:
            return [{"clients": 10, "busy": 6, "seconds": 150, "seed": seed}]
        case Size.STANDARD:
            return [{"clients": 16, "busy": 10, "seconds": 1000, "seed": seed}]
        case Size.FULL:
            # 1,040 pairs that write and 416 idle clients in windows of 1,000 s: what claims need, and little more. The
            # first world, a shorter one, is the one that runs again quiet and with defences off.
            many = {"clients": 36, "busy": 20}
            return [
                {**many, "seconds": 2000, "seed": seed + 8},
                *({**many, "seconds": 3600, "seed": seed + number} for number in range(8)),
            ]


def control(worlds: Sequence[Mapping[str, Any]], *off: str) -> dict[str, Any]:
    """The arguments of `converse` for a control: the first of the worlds with switches off, for `LONG` at most."""
    return {**worlds[0], "seconds": min(worlds[0]["seconds"], LONG), "off": list(off)}
