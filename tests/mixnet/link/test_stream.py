"""Links: frames there and back, what an observer sees, and every way in which a link ends."""

import functools
import operator
import socket
import sys

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from mixnet.errors import LocalError, RemoteError, Unavailable
from mixnet.link import FRAME_SIZE, Frame, FrameKind, LinkLost
from mixnet.link.records import RECORD_OVERHEAD
from mixnet.link.stream import SEND_TIMEOUT
from mixnet.network import TCP
from tests.mixnet.link.ends import NETWORKS, linked, on_network, simulated, virtual

PACKET = Frame(FrameKind.PACKET, bytes(3072))


def numbered(numbers):
    return [Frame(FrameKind.PAD, sequence=number) for number in numbers]


async def receive_count(link, count):
    frames = []
    while len(frames) < count:
        frames += await link.receive()
    return frames


@pytest.mark.parametrize("kind", NETWORKS)
def test_frames_travel_both_ways_in_order(kind):
    async def main(network):
        async with linked(network) as ends:
            for one, other in (ends, reversed(ends)):
                batches = [numbered(range(start, start + size)) for start, size in ((0, 1), (1, 32), (33, 5))]
                async with trio.open_nursery() as nursery:

                    @nursery.start_soon
                    async def send(link=one, batches=batches):
                        for batch in batches:
                            await link.send(batch)

                    assert await receive_count(other, 38) == numbered(range(38))

    on_network(kind, main)


@given(st.lists(st.lists(st.sampled_from(list(FrameKind)[2:4]), max_size=40), max_size=4))
@settings(max_examples=10)
def test_frames_arrive_as_they_were_sent(kinds):
    batches = [[Frame(kind, bytes([number % 256]) * 3072) for number, kind in enumerate(batch)] for batch in kinds]

    async def main(network):
        async with linked(network) as (client, server), trio.open_nursery() as nursery:

            @nursery.start_soon
            async def send():
                for batch in batches:
                    await client.send_bytes([frame.encode() for frame in batch])

            assert await receive_count(server, sum(map(len, batches))) == functools.reduce(operator.iadd, batches, [])

    virtual(main)


async def test_a_frame_that_is_none_is_not_sent(autojump_clock):
    async with linked(simulated()) as (client, _server):
        with pytest.raises(LocalError):
            await client.send_bytes([bytes(FRAME_SIZE - 1)])
        with pytest.raises(LocalError):
            await client.send([Frame(FrameKind.PACKET, b"short")])


async def test_what_is_received_is_never_empty(autojump_clock):
    async with linked(simulated()) as (client, server):
        await client.send([])
        await client.send([PACKET])
        assert await server.receive() == [PACKET]


# --- what an observer sees


async def test_every_frame_has_one_size_on_the_wire(autojump_clock):
    network = simulated()
    async with linked(network) as (client, server):
        sizes = []
        network.tap = lambda _when, _source, _target, size: sizes.append(size)
        bodies = [(FrameKind.PAD, b""), (FrameKind.REQUEST, b"x"), (FrameKind.RESPONSE, b"y" * 3072)]
        for kind, body in [*bodies, (FrameKind.PACKET, bytes(3072)), (FrameKind.MAIL, bytes(3072))]:
            for end in (client, server):
                await end.send([Frame(kind, body, sequence=2**40, acknowledged=7)])
        assert sizes == [FRAME_SIZE + RECORD_OVERHEAD] * 10


@pytest.mark.parametrize("count", [1, 5, 6, 32])
async def test_a_batch_is_one_write_whose_size_is_that_of_its_number(count, autojump_clock):
    network = simulated()
    async with linked(network) as (client, _server):
        sizes = []
        network.tap = lambda _when, _source, _target, size: sizes.append(size)
        await client.send([PACKET] * count)
        await client.send(numbered(range(count)))
        records = -(-count // 5)
        assert sizes == [count * FRAME_SIZE + records * RECORD_OVERHEAD] * 2


async def test_an_end_says_nothing(autojump_clock):
    network = simulated()
    async with linked(network) as (client, server):
        sizes = []
        network.tap = lambda *what: sizes.append(what)
        await client.aclose()
        with pytest.raises(trio.EndOfChannel):
            await server.receive()
    assert sizes == []


# --- several tasks


async def test_batches_of_several_senders_never_mix(autojump_clock):
    async with linked(simulated(window=4096)) as (client, server), trio.open_nursery() as nursery:
        batches = [numbered(range(start, start + 7)) for start in range(0, 700, 7)]
        for batch in batches:
            nursery.start_soon(client.send, batch)
        got = [frame.sequence for frame in await receive_count(server, 700)]
        assert sorted(got) == list(range(700))
        assert all(got[start : start + 7] == list(range(got[start], got[start] + 7)) for start in range(0, 700, 7))


async def test_a_sender_waits_for_a_slow_receiver(autojump_clock):
    async with linked(simulated(window=100_000)) as (client, server), trio.open_nursery() as nursery:
        sent = 0

        @nursery.start_soon
        async def send():
            nonlocal sent
            for _ in range(100):
                await client.send([PACKET])
                sent += 1

        await wait_all_tasks_blocked()
        assert 30 < sent < 35
        await receive_count(server, 100)
    assert sent == 100


# --- every end is one event


def is_over(link):
    """Whether both directions say so."""

    async def check():
        with pytest.raises(trio.EndOfChannel):
            await link.receive()
        with pytest.raises(LinkLost):
            await link.send([PACKET])

    return check()


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_closed_link_is_over_for_both(kind):
    async def main(network):
        async with linked(network) as (client, server):
            await client.send([PACKET])
            await client.aclose()
            assert await server.receive() == [PACKET]
            await is_over(server)
            await is_over(client)

    on_network(kind, main)


async def test_closing_wakes_receiver_and_sender(autojump_clock):
    async with linked(simulated(window=1)) as (client, _server), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def receive():
            with pytest.raises(trio.EndOfChannel):
                await client.receive()

        @nursery.start_soon
        async def send():
            with pytest.raises(Unavailable):
                while True:
                    await client.send([PACKET])

        await wait_all_tasks_blocked()
        await client.aclose()


async def test_a_crash_is_an_end(autojump_clock):
    network = simulated()
    async with linked(network) as (client, server):
        network.crash("127.0.0.1")
        await is_over(client)
        await is_over(server)


async def test_a_peer_that_takes_nothing_is_given_up(autojump_clock):
    async with linked(simulated(window=1)) as (client, server):
        await client.send([PACKET])
        begun = trio.current_time()
        with pytest.raises(LinkLost):
            await client.send([PACKET])
        assert trio.current_time() - begun == pytest.approx(SEND_TIMEOUT)
        assert await server.receive() == [PACKET]
        await is_over(server)


async def test_a_link_survives_a_short_partition_but_not_a_long_one(autojump_clock):
    network = simulated(window=1)
    async with linked(network) as (client, server):
        await client.send([PACKET])
        assert await server.receive() == [PACKET]
        network.partition(["127.0.0.1"], ["127.0.0.2"])
        await client.send([PACKET])
        await trio.sleep(SEND_TIMEOUT * 10)
        network.heal()
        assert await server.receive() == [PACKET]
        network.partition(["127.0.0.1"], ["127.0.0.2"])
        await client.send([PACKET])
        with pytest.raises(LinkLost):
            await client.send([PACKET])


async def test_a_send_that_is_cut_short_closes_the_link(autojump_clock):
    async with linked(simulated(window=1)) as (client, server):
        await client.send([PACKET])
        with trio.move_on_after(1) as scope:
            await client.send([PACKET])
        assert scope.cancelled_caught
        with pytest.raises(LinkLost):
            await client.send([PACKET])
        assert await server.receive() == [PACKET]
        await is_over(server)


async def test_a_send_that_never_began_leaves_the_link_alone(autojump_clock):
    async with linked(simulated(window=1)) as (client, server), trio.open_nursery() as nursery:
        await client.send(numbered([0]))
        nursery.start_soon(client.send, numbered([1]))
        await wait_all_tasks_blocked()
        with trio.move_on_after(1) as scope:
            await client.send(numbered([2]))
        assert scope.cancelled_caught
        nursery.start_soon(client.send, numbered([3]))
        assert await receive_count(server, 3) == numbered([0, 1, 3])


async def test_a_receive_that_is_cancelled_loses_nothing(autojump_clock):
    async with linked(simulated()) as (client, server):
        got, cancelled = [], 0
        for number in range(40):
            await client.send(numbered([number]))
            with trio.move_on_after(0.003 * (number % 6)) as scope:
                got += await server.receive()
            cancelled += scope.cancelled_caught
        assert cancelled >= 10
        assert got + await receive_count(server, 40 - len(got)) == numbered(range(40))


# --- idle peers


async def test_an_idle_peer_is_let_go(autojump_clock):
    async with linked(simulated()) as (client, server):
        begun = server.arrived
        await server.end_after_silence(30)
        assert trio.current_time() - begun == pytest.approx(30)
        await is_over(server)
        await is_over(client)


async def test_a_peer_that_sends_is_not_idle(autojump_clock):
    async with linked(simulated()) as (client, server), trio.open_nursery() as nursery:
        nursery.start_soon(server.end_after_silence, 30)

        @nursery.start_soon
        async def send():
            for _ in range(20):
                await trio.sleep(29)
                await client.send([PACKET])

        await receive_count(server, 20)
        nursery.cancel_scope.cancel()


async def test_bytes_that_make_no_frame_keep_nobody_alive(autojump_clock):
    async with linked(simulated()) as (client, server), trio.open_nursery() as nursery:
        begun = server.arrived
        nursery.start_soon(server.end_after_silence, 30)

        @nursery.start_soon
        async def drip():
            sealed = client._session.seal_untrusted(PACKET.encode())
            with pytest.raises(trio.BrokenResourceError):
                for byte in sealed:
                    await client._stream.send_all(bytes([byte]))
                    await trio.sleep(1)

        await is_over(server)
        assert trio.current_time() - begun == pytest.approx(30)


# --- hostile bytes


@pytest.mark.parametrize("kind", NETWORKS)
def test_frames_byte_by_byte_arrive_all_the_same(kind):
    async def main(network):
        async with linked(network) as (client, server), trio.open_nursery() as nursery:

            @nursery.start_soon
            async def drip():
                for byte in client._session.seal_untrusted(PACKET.encode()):
                    await client._stream.send_all(bytes([byte]))

            assert await server.receive() == [PACKET]

    on_network(kind, main)


@pytest.mark.skipif(sys.platform != "linux", reason="not all systems wait for so many bytes")
def test_bytes_that_drip_cost_two_reads_a_record(monkeypatch):
    """A peer chooses how many segments there are; a turn of the scheduler for each would cost more than the frame."""

    async def main():
        async with linked(TCP()) as (client, server), trio.open_nursery() as nursery:
            server._tcp.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
            reads, read = [], server._tcp.receive_some
            monkeypatch.setattr(server._tcp, "receive_some", lambda *args: reads.append(args) or read(*args))
            sealed = b"".join(client._session.seal_untrusted(PACKET.encode() * number) for number in (1, 5, 2, 1))

            @nursery.start_soon
            async def drip():
                for start in range(0, len(sealed), 100):
                    await client._stream.send_all(sealed[start : start + 100])
                    await trio.lowlevel.checkpoint()

            assert await receive_count(server, 9) == [PACKET] * 9
            assert len(reads) <= 2 * 4

    trio.run(main)


@pytest.mark.parametrize(
    "hostile",
    [
        lambda session: b"\xff" * 100,
        lambda session: session.seal_untrusted(b"\xff" * FRAME_SIZE),
        lambda session: session.seal_untrusted(Frame(FrameKind.HELLO, b"again").encode()),
        lambda session: (sealed := session.seal_untrusted(PACKET.encode())) + sealed,
        lambda session: session.seal_untrusted(PACKET.encode())[:-1] + b"\0\0",
        lambda session: session.seal_untrusted(PACKET.encode()[:-1]),
        lambda session: session.seal_untrusted(b"x"),
    ],
    ids=["no records", "no frames", "second greeting", "replayed record", "altered record", "short record", "one byte"],
)
async def test_hostile_bytes_end_the_link(hostile, autojump_clock):
    async with linked(simulated()) as (client, server):
        await client._stream.send_all(hostile(client._session))
        with pytest.raises(RemoteError):
            await server.receive()
        await is_over(server)
        await is_over(client)


def test_what_is_sent_at_once_keeps_its_order_though_the_stream_takes_a_part_only():
    async def main():
        async with linked(TCP()) as (client, server):
            batch, sent = [frame.encode() for frame in numbered(range(32))], 0
            while client.send_at_once(batch):
                sent += 1
                if client.unfinished:
                    break
            assert client.unfinished  # nobody reads, so the kernel is full
            assert not client.send_at_once(batch)
            async with trio.open_nursery() as nursery:

                @nursery.start_soon
                async def go_on():
                    await client.send_bytes(())
                    assert not client.unfinished
                    await client.send(numbered([99]))

                frames = await receive_count(server, 32 * sent + 1)
        assert frames == numbered([*range(32)] * sent + [99])

    trio.run(main)


def test_a_session_that_seals_no_more_loses_nothing_of_what_was_sent_at_once():
    async def main():
        async with linked(TCP()) as (client, server):
            batch, sent = [frame.encode() for frame in numbered(range(32))], 1
            while client.send_at_once(batch) and not client.unfinished:
                sent += 1
            seal = client._session.seal_untrusted

            def broken(plaintext):
                if plaintext:
                    raise RemoteError("a TLS connection that its peer broke")
                return seal(plaintext)

            client._session.seal_untrusted = broken
            with pytest.raises(RemoteError):
                await client.send_bytes(batch)
            assert client.unfinished
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.send_bytes, ())
                assert await receive_count(server, 32 * sent) == numbered([*range(32)] * sent)

    trio.run(main)


def test_nothing_is_sent_at_once_while_another_sends():
    async def main():
        async with linked(TCP()) as (client, server), trio.open_nursery() as nursery:
            nursery.start_soon(client.send, numbered(range(20_000)))
            await wait_all_tasks_blocked()
            assert not client.send_at_once([PACKET.encode()])
            assert await receive_count(server, 20_000) == numbered(range(20_000))

    trio.run(main)


def test_a_link_that_is_over_takes_nothing_at_once():
    async def main():
        async with linked(TCP()) as (client, server):
            await server.aclose()
            with pytest.raises(trio.EndOfChannel):
                await client.receive()
            assert not client.send_at_once([PACKET.encode()])
            with pytest.raises(LinkLost):
                await client.send([PACKET])

    trio.run(main)


async def test_a_stream_that_is_no_socket_takes_nothing_at_once(autojump_clock):
    async with linked(simulated()) as (client, _server):
        assert not client.send_at_once([PACKET.encode()])
