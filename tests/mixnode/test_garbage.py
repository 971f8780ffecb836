"""Hostile bytes on a node's socket: the connection is dropped, a counter rises, and the node works as before."""

from __future__ import annotations

import os
import random
from contextlib import suppress

import msgspec
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from mixnet.counters import Dropped, Event
from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import FRAME_SIZE, Frame, FrameKind, split
from mixnet.network import Address
from mixnet.pki.parameters import Parameters
from mixnet.sphinx import Command, Hop, Kind
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


BODIES = {
    **dict.fromkeys((FrameKind.PAD, FrameKind.MOVED), st.just(b"")),
    FrameKind.PACKET: st.randoms().map(lambda rng: rng.randbytes(3072)),
}
QUESTIONS = st.one_of(
    st.integers(-(2**63), 2**64 - 1).map(lambda epoch: {"op": "document", "epoch": epoch}),
    st.sampled_from([{"op": "erase"}, {"op": "document"}, {"op": "fetch"}, {}, [], None, "erase"]),
).map(msgspec.msgpack.encode)
QUESTION = st.builds(
    lambda question, number: split(question, FrameKind.REQUEST, number)[0].encode(),
    QUESTIONS,
    st.integers(0, 2**32 - 1),
)
COUNTER = st.one_of(st.integers(0, 50), st.integers(0, 2**64 - 1))
FRAME = st.sampled_from(FrameKind).flatmap(
    lambda kind: st.builds(
        lambda body, sequence, acknowledged: Frame(
            kind, body.ljust(3072, b"\0") if kind is FrameKind.MAIL else body, sequence, acknowledged
        ).encode(),
        BODIES.get(kind, st.binary(min_size=1, max_size=60)),
        COUNTER,
        COUNTER,
    )
)
HEADER = st.binary(min_size=24, max_size=24).map(lambda header: header.ljust(FRAME_SIZE, b"\0"))
COMMAND = st.builds(Command, st.sampled_from(Kind), st.binary(min_size=32, max_size=32), st.integers(0, 2**32 - 1))


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["client", "same client", "node at the mix", "node at the provider"]),
            st.lists(st.one_of(FRAME, QUESTION, QUESTION, HEADER), min_size=1, max_size=6),
            st.sampled_from([0.0, 0.3]),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_hostile_frames_after_a_handshake_end_at_most_their_link(
    visits: list[tuple[str, list[bytes], float]],
) -> None:
    """Whole handlers, as a client and as a node, several at once: any other error would end the town."""

    async def main() -> None:
        town = Town(layers=1, parameters=Parameters(node_loop_rate=0.0, downlink_rate=50.0))
        mix, provider = town.mixes[0], town.providers[0]
        mine, other = SigningKey.generate(), SigningKey.generate()

        async def visit(who: str, frames: list[bytes], pause: float) -> None:
            dials = {
                "client": lambda: town.client(other),
                "same client": lambda: town.client(mine, "10.0.3.2"),
                "node at the mix": lambda: town.as_node(provider, mix),
                "node at the provider": lambda: town.as_node(mix, provider),
            }
            async with await dials[who]() as link:
                with suppress(Unavailable, RemoteError, trio.EndOfChannel):
                    for frame in frames:
                        await link.send_bytes([frame])
                        await trio.sleep(pause)
                    with trio.move_on_after(2):
                        while True:
                            await link.receive()

        async with town.running():
            async with trio.open_nursery() as nursery:
                for each in visits:
                    nursery.start_soon(visit, *each)
            await works(town)
            async with await town.client(SigningKey.generate()) as link:
                assert await link.receive()

    trio.run(main, clock=MockClock(autojump_threshold=0))


@settings(max_examples=20)
@given(st.lists(COMMAND, min_size=1, max_size=6))
def test_genuine_packets_with_any_command_harm_nothing(commands: list[Command]) -> None:
    async def main() -> None:
        town = Town(layers=1)
        async with town.running():
            for target in (town.mixes[0], town.providers[0]):
                sender = town.providers[0] if target is town.mixes[0] else town.mixes[0]
                key = town.document.node(target.identity.public).keys[0]  # type: ignore[union-attr]
                packets = []
                for command in commands:
                    last = command.kind in (Kind.DELIVER, Kind.DROP)
                    hops = [Hop(key, command)] if last else [Hop(key, command), Hop(key, Command(Kind.DROP))]
                    if command.kind is not Kind.REPLY:
                        packets.append(town.engine.create(hops, b"", seed=os.urandom(32)))
                async with await town.as_node(sender, target) as link:
                    await link.send([packet_frame(packet) for packet in packets])
                    await trio.sleep(1)
                assert target.count(Event.PACKETS_PEELED) >= len(packets)
            await works(town)

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def works(town: Town) -> None:
    mix = town.mixes[0]
    before = mix.count(Event.COVER_ENDED)
    async with await town.as_node(town.providers[0], mix) as link:
        await link.send([packet_frame(town.packet([mix], Command(Kind.DROP, bytes(32), 0)))])
        await trio.sleep(1)
    assert mix.count(Event.COVER_ENDED) == before + 1
