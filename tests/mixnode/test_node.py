"""A node among nodes: forwarding, delivery, drops, replays and garbage, in virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from mixnet.counters import Dropped, Event
from mixnet.crypto import SigningKey, SphinxSecret
from mixnet.errors import RemoteError
from mixnet.link import Frame, FrameKind, Role
from mixnet.pki.parameters import Parameters
from mixnet.sphinx import Command, Deliver, Kind, engine_by_name
from mixnode.peel_pool import PeelPool
from tests.mixnode.town import Town, packet_frame

NOBODY = bytes(32)


async def test_a_packet_crosses_the_network_into_a_mailbox_and_down_to_its_client(autojump_clock: MockClock) -> None:
    town = Town()
    async with town.running():
        alice, bob, secret = SigningKey.generate(), SigningKey.generate(), SphinxSecret.generate()
        async with await town.client(alice) as up, await town.client(bob, "10.0.3.2") as down:
            await trio.sleep(1)
            await up.send([packet_frame(town.mail(bob.public, secret, b"hello"))])
            while True:
                frames = await down.receive()
                mail = [frame for frame in frames if frame.kind is FrameKind.MAIL]
                if mail:
                    break
            peeled = town.engine.peel_untrusted(secret, mail[0].body)
            assert isinstance(peeled, Deliver)
            assert peeled.message == b"hello"
        for mix in town.mixes:
            assert mix.count(Event.PACKETS_IN) == mix.count(Event.PACKETS_OUT) == 1
        assert town.providers[0].count(Event.PACKETS_STORED) == 1


async def test_nodes_with_either_engine_share_a_network(autojump_clock: MockClock) -> None:
    pytest.importorskip("sphinxmix", reason="the oracle needs a compiler to be installed")
    town = Town(parameters=Parameters(node_loop_rate=1.0, downlink_rate=10.0))
    for member in (town.mixes[1], town.providers[0]):
        member.engine = engine_by_name("sphinxmix")
    async with town.running():
        me, secret = SigningKey.generate(), SphinxSecret.generate()
        async with await town.client(me) as link:
            await trio.sleep(1)
            await link.send([packet_frame(town.mail(me.public, secret, b"across engines"))])
            with trio.fail_after(60):
                while True:
                    mail = [frame for frame in await link.receive() if frame.kind is FrameKind.MAIL]
                    if mail:
                        break
        peeled = town.engine.peel_untrusted(secret, mail[0].body)
        assert isinstance(peeled, Deliver)
        assert peeled.message == b"across engines"
        await trio.sleep(30)
        for member in town.members:
            assert member.count(Event.LOOPS_RETURNED) >= member.count(Event.LOOPS_SENT) - 3 > 10
            assert member.count(Dropped.MALFORMED_PACKET) == 0


async def test_workers_are_told_of_every_key_that_a_node_gives_up(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    monkeypatch.setattr(PeelPool, "forget", lambda _pool, key: told.append(key.epoch))
    town = Town()
    async with town.running():
        assert town.mixes[0].serving is not None
        assert town.mixes[0].serving.snapshot()["workers"] == []  # none in virtual time
        epoch = town.trust.epochs.at(town.clock.now())
        await trio.sleep(town.trust.epochs.end(epoch) + 700 - town.clock.now())  # a grace lasts for 600 s
    assert told == [epoch] * len(town.members)


async def test_a_packet_leaves_a_mix_exactly_when_its_delay_is_over(autojump_clock: MockClock) -> None:
    town = Town()
    async with town.running():
        first, second = town.mixes[:2]
        warm_up = town.packet([first, second], Command(Kind.DROP, NOBODY, 0))
        measured = town.packet([first, second], Command(Kind.DROP, NOBODY, 0), delay=0.731)
        async with await town.as_node(town.providers[0], first) as link:
            await link.send([packet_frame(warm_up)])  # dials the link between the mixes
            await trio.sleep(5)
            seen: list[tuple[float, str, str, int]] = []
            town.network.tap = lambda *event: seen.append(event)
            await link.send([packet_frame(measured)])
            await trio.sleep(2)
        written = [event for event in seen if event[1:3] == (town.providers[0].host, first.host)]
        left = [event for event in seen if event[1:3] == (first.host, second.host)]
        assert left[0][0] - written[0][0] == pytest.approx(0.01 + 0.731, abs=1e-6)  # the latency and the delay
        assert second.count(Event.COVER_ENDED) == 2


async def test_what_a_node_has_accepted_it_refuses_for_ever(tmp_path: Path, autojump_clock: MockClock) -> None:
    town = Town(tmp_path)
    async with town.running() as nursery:
        mix = town.mixes[0]
        packet = town.packet([mix], Command(Kind.DROP, NOBODY, 0))
        async with await town.as_node(town.providers[0], mix) as link:
            await link.send([packet_frame(packet), packet_frame(packet)])
            await link.send([packet_frame(packet)])
            await trio.sleep(1)
        assert (mix.count(Event.COVER_ENDED), mix.count(Dropped.REPLAYED)) == (1, 2)
        await town.stop(mix)
        await town.start(nursery, mix)
        await town.ready()
        other = town.packet([mix], Command(Kind.DROP, NOBODY, 0))
        async with await town.as_node(town.providers[0], mix) as link:
            await link.send([packet_frame(packet), packet_frame(other)])
            await trio.sleep(1)
        assert (mix.count(Event.COVER_ENDED), mix.count(Dropped.REPLAYED)) == (1, 1)


async def test_packets_with_impossible_wishes_are_dropped_and_counted(autojump_clock: MockClock) -> None:
    town = Town()
    async with town.running():
        mix, provider = town.mixes[0], town.providers[0]
        stranger = Town().mixes[0]
        key = town.document.node(mix.identity.public)
        assert key is not None
        unknown = Command(Kind.FORWARD, stranger.identity.public, 0)
        frames = [
            town.packet([mix], Command(Kind.DELIVER, NOBODY, 0), b"not a loop"),
            town.packet([mix], Command(Kind.DELIVER_MAILBOX, NOBODY, 0), recipient=SphinxSecret.generate().public),
            town.packet([mix], unknown, recipient=SphinxSecret.generate().public),
            town.packet([mix], Command(Kind.FORWARD, mix.identity.public, 0), recipient=SphinxSecret.generate().public),
            town.packet([mix, town.mixes[1]], Command(Kind.DROP, NOBODY, 0), delay=1000.0),
            bytes(3072),
        ]
        async with await town.as_node(provider, mix) as link:
            await link.send([packet_frame(packet) for packet in frames])
            await trio.sleep(1)
        assert mix.count(Dropped.UNWANTED) == 2
        assert mix.count(Dropped.UNKNOWN_HOP) == 2
        assert mix.count(Dropped.LONG_DELAY) == 1
        assert mix.count(Dropped.MALFORMED_PACKET) == 1
        assert mix.count(Event.PACKETS_OUT) == 0


async def test_mail_for_an_unknown_or_a_full_mailbox_is_dropped(autojump_clock: MockClock) -> None:
    town = Town(parameters=Parameters(node_loop_rate=0.0, downlink_rate=0.0, mailbox_messages=2))
    async with town.running():
        provider, bob, secret = town.providers[0], SigningKey.generate(), SphinxSecret.generate()
        async with await town.client(bob), await town.as_node(town.mixes[2], provider) as link:
            await trio.sleep(1)
            mail = [town.mail(bob.public, secret, b"x", [provider]) for _ in range(3)]
            await link.send([packet_frame(one) for one in [*mail, town.mail(NOBODY, secret, b"x", [provider])]])
            await trio.sleep(1)
        assert provider.count(Event.PACKETS_STORED) == 2
        assert provider.count(Dropped.MAILBOX_FULL) == 1
        assert provider.count(Dropped.UNKNOWN_MAILBOX) == 1


async def test_packets_flow_in_the_next_epoch_too_and_old_keys_are_deleted(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    town = Town(tmp_path, parameters=Parameters(epoch_length=60.0, node_loop_rate=0.0))
    async with town.running():
        mix = town.mixes[0]
        for epoch in range(4):
            await trio.sleep(town.trust.epochs.start(epoch) + 20 - town.clock.now())
            async with await town.as_node(town.providers[0], mix) as link:
                await link.send([packet_frame(town.packet([mix], Command(Kind.DROP, NOBODY, 0)))])
                await trio.sleep(1)
            assert mix.count(Event.COVER_ENDED) == epoch + 1
            assert mix.serving is not None
            assert mix.serving.snapshot()["epoch"] == epoch
        await trio.sleep(20)  # beyond the grace of the epoch before
        keys = sorted(path.name for path in (tmp_path / mix.name / "keys").iterdir())
        files = [f"{epoch}.{kind}" for epoch in (3, 4, 5) for kind in ("key", "seal", "tags")]
        assert keys == sorted([*files, "3.count"])  # packets came for that one only
        assert all((tmp_path / mix.name / "keys" / name).stat().st_mode & 0o077 == 0 for name in keys)


async def test_a_packet_for_a_neighbouring_epoch_is_accepted(autojump_clock: MockClock) -> None:
    town = Town(parameters=Parameters(epoch_length=60.0, node_loop_rate=0.0))
    async with town.running():
        mix = town.mixes[0]
        await trio.sleep(town.trust.epochs.start(1) - 1 - town.clock.now())
        for_this_epoch = town.packet([mix], Command(Kind.DROP, NOBODY, 0))
        await trio.sleep(2)
        async with await town.as_node(town.providers[0], mix) as link:
            await link.send([packet_frame(for_this_epoch)])
            await trio.sleep(40)
            assert mix.count(Event.COVER_ENDED) == 1
            await link.send([packet_frame(for_this_epoch)])  # now its key is gone: malformed, not replayed
            await trio.sleep(1)
        assert (mix.count(Dropped.MALFORMED_PACKET), mix.count(Dropped.REPLAYED)) == (1, 0)


async def test_packets_wait_for_a_neighbour_that_comes_back(tmp_path: Path, autojump_clock: MockClock) -> None:
    town = Town(tmp_path)
    async with town.running() as nursery:
        first, second = town.mixes[:2]
        async with await town.as_node(town.providers[0], first) as link:
            await link.send([packet_frame(town.packet([first, second], Command(Kind.DROP, NOBODY, 0)))])
            await trio.sleep(1)
            await town.stop(second)
            await link.send(
                [packet_frame(town.packet([first, second], Command(Kind.DROP, NOBODY, 0))) for _ in range(40)]
            )
            await trio.sleep(3)
            await town.start(nursery, second)
            await trio.sleep(10)
        assert second.count(Event.COVER_ENDED) == 40
        assert first.count(Dropped.LINK_LOST) == 0


async def test_packets_for_a_neighbour_that_stays_away_are_dropped(autojump_clock: MockClock) -> None:
    town = Town()
    async with town.running():
        first, second = town.mixes[:2]
        await town.stop(second)
        async with await town.as_node(town.providers[0], first) as link:
            await link.send([packet_frame(town.packet([first, second], Command(Kind.DROP, NOBODY, 0)))] * 1)
            await trio.sleep(60)
        assert first.count(Dropped.LINK_LOST) == 1


async def test_who_may_connect_follows_from_the_document(autojump_clock: MockClock) -> None:
    town, stranger = Town(), Town()
    async with town.running():
        mix, provider = town.mixes[0], town.providers[0]
        for refused in (
            town.as_node(stranger.mixes[0], mix),
            town.as_node(stranger.mixes[0], provider),
            town._connect(mix, SigningKey.generate(), Role.CLIENT, "10.0.3.1"),
        ):
            with pytest.raises(Exception):  # noqa: B017 -- the peer never says why
                async with await refused:
                    pass
        assert mix.count(Dropped.NOT_ADMITTED) == 2
        assert provider.count(Dropped.NOT_ADMITTED) == 1


async def test_a_node_that_sends_what_only_others_may_loses_its_link(autojump_clock: MockClock) -> None:
    town = Town()
    async with town.running():
        mix, provider = town.mixes[0], town.providers[0]
        for target in (mix, provider):
            for kind, body in ((FrameKind.MAIL, bytes(3072)), (FrameKind.REQUEST, bytes(12))):
                async with await town.as_node(town.mixes[1], target) as link:
                    await link.send([Frame(kind, body)])
                    with pytest.raises((trio.EndOfChannel, RemoteError)):
                        await link.receive()
        assert mix.count(Dropped.HOSTILE_LINK) == provider.count(Dropped.HOSTILE_LINK) == 2
