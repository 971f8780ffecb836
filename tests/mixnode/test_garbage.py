"""Hostile bytes on a node's socket: the connection is dropped, a counter rises, and the node works as before."""

from __future__ import annotations

import random

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from mixnet.counters import Dropped, Event
from mixnet.link import FRAME_SIZE
from mixnet.network import Address
from mixnet.sphinx import Command, Kind
from tests.mixnode.town import PORT, Town, packet_frame

CLIENT_HELLO = bytes.fromhex("160301020001000001fc0303")
GARBAGE = st.one_of(
    st.binary(min_size=1, max_size=200),
    st.binary(max_size=400).map(lambda tail: CLIENT_HELLO + tail),
    st.integers(0, 2**32).map(lambda seed: random.Random(seed).randbytes(2 * FRAME_SIZE)),
)


async def feed(town: Town, garbage: bytes, *, whole: bool) -> None:
    """Send it in one write, or byte by byte, as far as the node listens."""
    stream = await town.network.dial(Address(town.mixes[0].host, PORT))
    pieces = [garbage] if whole else [garbage[at : at + 1] for at in range(min(len(garbage), 300))]
    async with stream:
        try:
            for piece in pieces:
                await stream.send_all(piece)
            with trio.move_on_after(30):
                while await stream.receive_some(65536):
                    pass
        except trio.BrokenResourceError:
            pass


@settings(max_examples=20)
@given(st.lists(st.tuples(GARBAGE, st.booleans()), min_size=1, max_size=4))
def test_garbage_before_the_handshake(garbage: list[tuple[bytes, bool]]) -> None:
    async def main() -> None:
        town = Town(layers=1)
        async with town.running():
            mix = town.mixes[0]
            for data, whole in garbage:
                await feed(town, data, whole=whole)
            assert mix.count(Dropped.HANDSHAKE) == len(garbage)
            await works(town)

    trio.run(main, clock=MockClock(autojump_threshold=0))


@settings(max_examples=10)
@given(st.lists(st.binary(max_size=3072).map(lambda data: data.ljust(3072, b"\0")), min_size=1, max_size=8))
def test_garbage_in_the_packets_of_a_node(packets: list[bytes]) -> None:
    async def main() -> None:
        town = Town(layers=1)
        async with town.running():
            mix = town.mixes[0]
            async with await town.as_node(town.providers[0], mix) as link:
                await link.send([packet_frame(packet) for packet in packets])
                await trio.sleep(1)
            assert mix.count(Dropped.MALFORMED_PACKET) == len(packets)
            await works(town)

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def works(town: Town) -> None:
    mix = town.mixes[0]
    before = mix.count(Event.COVER_ENDED)
    async with await town.as_node(town.providers[0], mix) as link:
        await link.send([packet_frame(town.packet([mix], Command(Kind.DROP, bytes(32), 0)))])
        await trio.sleep(1)
    assert mix.count(Event.COVER_ENDED) == before + 1
