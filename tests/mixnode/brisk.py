"""A network whose epochs last seconds, and what it lost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import trio

from mixnet.benchmarks.simulation.codec import PlainEngine
from mixnet.counters import Event
from mixnet.crypto import SigningKey, SphinxSecret
from mixnet.link import Frame, FrameKind, Link
from mixnet.pki.parameters import Parameters
from tests.mixnode.town import Member, Town, packet_frame

LENGTH = 2.0
AT_THE_START = {"not_admitted"}  # a node that is ready dials one that has no document yet, and dials again
BRISK = Parameters(epoch_length=LENGTH, node_loop_rate=0.5, downlink_rate=4.0, mean_delay=0.1)


def town_of(folder: Path | None = None, *, parameters: Parameters = BRISK) -> Town:
    """A network whose packets are peeled without public keys, so that many cost little."""
    town = Town(folder, parameters=parameters)
    town.engine = PlainEngine()  # type: ignore[assignment]
    for member in town.members:
        member.engine = PlainEngine()
    return town


async def unread(town: Town, seconds: float) -> int:
    """Send two packets a second across the network into a mailbox for so long; how many its owner never got."""
    me, secret, outstanding = SigningKey.generate(), SphinxSecret.generate(), set[bytes]()

    async def fetch() -> None:
        async with await town.client(me, "10.0.3.2") as down:
            while True:
                frames = await down.receive()
                for frame in frames:
                    if frame.kind is FrameKind.MAIL:
                        peeled = town.engine.peel_untrusted(secret, frame.body)
                        outstanding.remove(peeled.message)  # type: ignore[union-attr]
                await down.send([Frame(FrameKind.PAD, acknowledged=frames[-1].sequence)])

    async def ignore(link: Link) -> None:
        while True:
            await link.receive()

    async with await town.client(SigningKey.generate()) as up, trio.open_nursery() as nursery:
        nursery.start_soon(fetch)
        nursery.start_soon(ignore, up)
        await trio.sleep(1)
        for number in range(int(2 * seconds)):
            message = number.to_bytes(4, "big")
            outstanding.add(message)
            await up.send([packet_frame(town.mail(me.public, secret, message))])
            await trio.sleep(0.5)
        await trio.sleep(15)
        nursery.cancel_scope.cancel()
    return len(outstanding)


def dropped(town: Town) -> Counter[str]:
    """Everything that any node dropped, for whatever reason."""
    found: Counter[str] = Counter()
    for member in town.members:
        assert member.serving is not None
        found.update(member.serving.snapshot()["dropped"])
    return found


def loops_astray(member: Member) -> int:
    """How many loops are neither back nor young enough to be under way."""
    return max(0, member.count(Event.LOOPS_SENT) - member.count(Event.LOOPS_RETURNED) - 10)
