"""Serving links: limits, and peers that do everything wrong."""

import math
from collections import Counter
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.crypto import SigningKey
from mixnet.errors import LocalError, RemoteError, Unavailable
from mixnet.link import (
    FRAME_SIZE,
    Acquaintances,
    Frame,
    FrameKind,
    KnockLimits,
    LinkEvent,
    LinkLimits,
    Role,
    Standing,
    answer_requests,
    ask,
    serve_links,
)
from mixnet.link.handshake import hello
from mixnet.network import Address
from tests.mixnet.link.ends import (
    NETWORK_ID,
    NETWORKS,
    SERVER,
    STRANGER,
    admit_all,
    connecting,
    given_to,
    on_network,
    raw_context,
    raw_session,
    simulated,
    step,
    taken,
)

HERE = Address("127.0.0.1", 0)


def knowing(*members):
    """Who knows these as members, and nobody by their origins."""
    listed = {one.public for one in members}
    return Acquaintances(lambda identity: Standing.MEMBER if identity in listed else Standing.STRANGER)


async def echo(request):
    await trio.lowlevel.checkpoint()
    return request


async def answer(link):
    await answer_requests(link, echo)


class Counts(Counter):
    """What a server counted, and a way to wait for it."""

    changed = None

    def count(self, label):
        self[label] += 1
        if self.changed is not None:
            self.changed.set()

    async def wait_for(self, number, *labels):
        while sum(self[label] for label in labels) < number:
            self.changed = trio.Event()
            await self.changed.wait()


@asynccontextmanager
async def serving(network, handler=answer, **changes):
    """(address, counter) of a server of links."""
    counts = Counts()
    settings = {"identity": SERVER, "role": Role.NODE, "network_id": NETWORK_ID, "admit": admit_all}
    async with trio.open_nursery() as nursery:
        serve = partial(serve_links, network, HERE, handler, count=counts.count, **(settings | changes))
        yield await nursery.start(serve), counts
        nursery.cancel_scope.cancel()


async def serves(network, address, **settings):
    """Check that a well-behaved client is served."""
    async with await connecting(network, address, **settings) as link:
        assert await ask(link, b"question") == b"question"


@pytest.mark.parametrize("kind", NETWORKS)
def test_clients_are_served_at_the_same_time(kind):
    async def main(network):
        async with serving(network) as (address, counts):
            async with trio.open_nursery() as nursery:
                for number in range(10):
                    nursery.start_soon(partial(serves, network, address, identity=SigningKey(bytes([number]) * 32)))
            assert counts == {LinkEvent.ACCEPTED: 10}

    on_network(kind, main)


async def test_an_address_in_use_is_unavailable(autojump_clock):
    network = simulated()
    async with await network.listen(HERE) as listener:
        with pytest.raises(Unavailable, match="another port"):
            await serve_links(
                network,
                listener.address,
                answer_requests,
                identity=SERVER,
                role=Role.NODE,
                network_id=NETWORK_ID,
                admit=admit_all,
            )


async def test_whom_the_server_does_not_admit_is_counted_and_gone(autojump_clock):
    network = simulated()
    async with serving(network, admit=lambda identity, _role: identity != STRANGER.public) as (address, counts):
        with pytest.raises(Unavailable):
            await serves(network, address, identity=STRANGER)
        await serves(network, address)
        assert counts == {LinkEvent.NOT_ADMITTED: 1, LinkEvent.ACCEPTED: 1}


async def test_a_link_ends_with_its_handler(autojump_clock):
    network = simulated()

    async def one_frame(link):
        await link.receive()

    async with serving(network, one_frame) as (address, _counts), await connecting(network, address) as link:
        await link.send([Frame(FrameKind.PAD)])
        with pytest.raises(trio.EndOfChannel):
            await link.receive()


# --- what handlers raise


async def refuse(_link):
    await trio.sleep(1)
    raise RemoteError("not like this")


async def refuse_in_nursery(link):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(refuse, link)
        nursery.start_soon(trio.sleep_forever)


@pytest.mark.parametrize("handler", [refuse, refuse_in_nursery])
async def test_a_remote_error_ends_its_link_alone_and_is_counted(handler, autojump_clock):
    network = simulated()
    async with serving(network, handler) as (address, counts):
        for number in range(3):
            async with await connecting(network, address) as link:
                with pytest.raises(trio.EndOfChannel):
                    await link.receive()
            assert counts[LinkEvent.HOSTILE] == number + 1


@pytest.mark.parametrize("error", [trio.EndOfChannel, Unavailable, trio.BrokenResourceError, trio.ClosedResourceError])
@pytest.mark.parametrize("nested", [False, True])
async def test_the_end_of_a_peer_is_no_offence(error, nested, autojump_clock):
    network = simulated()

    async def ends(_link):
        await trio.lowlevel.checkpoint()
        raise ExceptionGroup("nested", [error()]) if nested else error

    async with serving(network, ends) as (address, counts):
        for _ in range(2):
            async with await connecting(network, address) as link:
                with pytest.raises(trio.EndOfChannel):
                    await link.receive()
        assert counts == {LinkEvent.ACCEPTED: 2}


@pytest.mark.parametrize("error", [LocalError, ZeroDivisionError])
async def test_our_own_errors_are_loud(error, autojump_clock):
    network = simulated()

    async def wrong(_link):
        await trio.lowlevel.checkpoint()
        raise error("ours")

    with pytest.raises(ExceptionGroup) as caught:
        async with serving(network, wrong) as (address, _counts):
            await connecting(network, address)
            await trio.sleep(10)
    assert caught.group_contains(error)


# --- limits


async def test_links_in_all_are_bounded(autojump_clock):
    network = simulated()
    async with serving(network, limits=LinkLimits(connections=3)) as (address, counts):
        links = [await connecting(network, address, identity=SigningKey(bytes([number]) * 32)) for number in range(3)]
        assert await is_over(await connecting(network, address, identity=STRANGER))
        assert counts[LinkEvent.FULL] == 1
        await links.pop().aclose()
        await trio.sleep(1)
        await serves(network, address, identity=STRANGER)
        for link in links:
            assert await ask(link, b"still here") == b"still here"


@pytest.mark.parametrize("role", Role)
async def test_strangers_never_crowd_out_members_whatever_they_say_they_are(autojump_clock, role):
    """Somebody with many identities takes all places of strangers, and none of those that are reserved."""
    network = simulated()
    identities = [SigningKey(bytes([number]) * 32) for number in range(6)]
    limits, known = LinkLimits(connections=5, reserved=2), knowing(*identities[4:])
    async with serving(network, limits=limits, known=known) as (address, counts):
        clients = [await connecting(network, address, identity=one, role=role) for one in identities[:3]]
        refused = await connecting(network, address, identity=identities[3], role=role)
        assert await is_over(refused)
        assert counts == {LinkEvent.ACCEPTED: 3, LinkEvent.FULL: 1}
        again = await connecting(network, address, identity=identities[0])  # who has a place keeps one
        assert await is_over(clients.pop(0))
        nodes = [await connecting(network, address, identity=one) for one in identities[4:]]
        for link in [again, *clients, *nodes]:
            assert await ask(link, b"still here") == b"still here"
        assert counts == {LinkEvent.ACCEPTED: 6, LinkEvent.FULL: 1, LinkEvent.REPLACED: 1}


async def test_who_holds_many_places_from_one_address_gives_one_up_to_another(autojump_clock):
    network = simulated()
    identities = [SigningKey(bytes([number]) * 32) for number in range(6)]
    async with serving(network, limits=LinkLimits(connections=4), known=knowing(identities[5])) as (address, counts):
        crowd = [await connecting(network, address, identity=one, source="127.0.0.2") for one in identities[:4]]
        other = await connecting(network, address, identity=identities[4], source="127.0.0.3")
        assert [await is_over(link) for link in crowd] == [True, False, False, False]
        assert await is_over(await connecting(network, address, identity=identities[0], source="127.0.0.2"))
        member = await connecting(network, address, identity=identities[5], source="127.0.0.2")
        assert [await is_over(link) for link in crowd[1:]] == [True, False, False]
        for link in (*crowd[2:], other, member):
            assert await ask(link, b"still here") == b"still here"
        assert counts == {LinkEvent.ACCEPTED: 6, LinkEvent.DISPLACED: 2, LinkEvent.FULL: 1}


async def test_a_member_comes_in_while_strangers_knock_without_end(autojump_clock):
    network, member = simulated(), SigningKey(b"m" * 32)
    limits = LinkLimits(knocks=KnockLimits(under_way=8, rate=10.0, burst=20.0))
    async with (
        serving(network, limits=limits, known=Acquaintances(knowing(member).standing, {"10.0.0.1"}.__contains__)) as (
            address,
            counts,
        ),
        trio.open_nursery() as nursery,
    ):

        async def knock(number):
            while True:
                async with await network.dial(address, source=f"10.1.{number}.1"):
                    await trio.sleep(0.05)

        for number in range(100):
            nursery.start_soon(knock, number)
        await trio.sleep(5)
        for _ in range(20):
            await serves(network, address, identity=member, source="10.0.0.1")
        assert counts[LinkEvent.BUSY] > 1000
        assert counts[LinkEvent.ACCEPTED] == 20
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("held", [1, 3, 5])
async def test_a_peer_keeps_as_many_links_as_it_may(autojump_clock, held):
    network = simulated()
    async with serving(network, limits=LinkLimits(per_peer=6)) as (address, counts):
        links = [await connecting(network, address) for _ in range(held + 1)]
        for link in links:
            assert await ask(link, b"still here") == b"still here"
        assert counts == {LinkEvent.ACCEPTED: held + 1}


async def is_over(link):
    """Whether a link ends within a moment."""
    with trio.move_on_after(1), pytest.raises(trio.EndOfChannel):
        await link.receive()
        raise AssertionError("nothing was to come")
    return not link._usable


async def is_closed(stream):
    """Whether the other end hangs up within a moment."""
    with trio.move_on_after(1):
        return await stream.receive_some() == b""
    return False


async def test_handshakes_under_way_are_bounded_and_the_oldest_gives_way(autojump_clock):
    network = simulated()
    async with serving(network, limits=LinkLimits(knocks=KnockLimits(under_way=5))) as (address, counts):
        silent = [await network.dial(address) for _ in range(7)]
        assert [await is_closed(stream) for stream in silent] == [True] * 2 + [False] * 5
        assert counts == {LinkEvent.BUSY: 2}
        await serves(network, address)
        assert [await is_closed(stream) for stream in silent[2:]] == [True] + [False] * 4
        assert counts == {LinkEvent.BUSY: 3, LinkEvent.ACCEPTED: 1}


async def test_silent_connections_time_out(autojump_clock):
    network = simulated()
    async with serving(network, limits=LinkLimits(handshake_timeout=20)) as (address, counts):
        silent = [await network.dial(address) for _ in range(5)]
        await trio.sleep(19)
        assert not counts
        await trio.sleep(2)
        assert counts == {LinkEvent.HANDSHAKE_TIMEOUT: 5}
        assert [await is_closed(stream) for stream in silent] == [True] * 5


async def test_a_link_that_is_open_never_gives_way_to_handshakes(autojump_clock):
    network = simulated()
    async with serving(network, limits=LinkLimits(knocks=KnockLimits(under_way=1))) as (address, counts):
        async with await connecting(network, address) as link:
            for _ in range(5):
                await network.dial(address)
            assert await ask(link, b"still here") == b"still here"
        assert counts == {LinkEvent.ACCEPTED: 1, LinkEvent.BUSY: 4}


async def test_links_of_one_peer_are_bounded_and_the_newest_win(autojump_clock):
    network = simulated()
    async with serving(network, limits=LinkLimits(per_peer=2)) as (address, counts):
        other = await connecting(network, address, identity=STRANGER)
        links = [await connecting(network, address) for _ in range(4)]
        for link in links[:2]:
            with pytest.raises(trio.EndOfChannel):
                await link.receive()
        for link in [*links[2:], other]:
            assert await ask(link, b"still here") == b"still here"
        assert counts == {LinkEvent.ACCEPTED: 5, LinkEvent.REPLACED: 2}
        await links[2].aclose()
        await trio.sleep(1)
        await connecting(network, address)
        assert await ask(links[3], b"still here") == b"still here"


async def test_a_handler_that_lingers_keeps_no_newer_link_alive(autojump_clock):
    network = simulated()

    async def linger(link):
        try:
            await answer(link)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(30)

    async with serving(network, linger, limits=LinkLimits(per_peer=1)) as (address, counts):
        links = [await connecting(network, address) for _ in range(3)]
        for link in links[:2]:
            with pytest.raises(trio.EndOfChannel):
                await link.receive()
        assert await ask(links[2], b"still here") == b"still here"
        await links[2].aclose()
        await trio.sleep(15)
        links = [await connecting(network, address) for _ in range(2)]
        await trio.sleep(25)  # now the first three handlers end
        links.append(await connecting(network, address))
        assert [await is_over(link) for link in links] == [True, True, False]
        assert counts == {LinkEvent.ACCEPTED: 6, LinkEvent.REPLACED: 5}


async def test_idle_peers_are_let_go(autojump_clock):
    network = simulated()
    async with serving(network, limits=LinkLimits(connections=1, idle_timeout=50)) as (address, _counts):
        async with await connecting(network, address) as link:
            begun = trio.current_time()
            with pytest.raises(trio.EndOfChannel):
                await link.receive()
            assert trio.current_time() - begun == pytest.approx(50, abs=0.1)
        await serves(network, address, identity=STRANGER)


async def test_a_peer_that_vanished_behind_a_partition_frees_its_place(autojump_clock):
    network = simulated()
    async with serving(network, limits=LinkLimits(connections=1)) as (address, _counts):
        await connecting(network, address, source="127.0.0.2")
        network.partition(["127.0.0.1"], ["127.0.0.2"])
        network.crash("127.0.0.2")
        await trio.sleep(LinkLimits().idle_timeout + 1)
        await serves(network, address, source="127.0.0.3")


async def test_nothing_stays_behind(autojump_clock):
    network = simulated()
    async with serving(network, limits=LinkLimits(connections=2, knocks=KnockLimits(under_way=2))) as (address, counts):
        for _ in range(5):
            await serves(network, address)
            async with await network.dial(address) as stream:
                await stream.send_all(b"garbage")
            await trio.sleep(1)
        assert counts == {LinkEvent.ACCEPTED: 5, LinkEvent.HANDSHAKE_FAILED: 5}
    assert not network._streams
    assert not network._listeners


# --- hostile bytes, on either network


async def throw(network, address, pieces):
    """Send whatever at a server, which may hang up meanwhile, and leave."""
    async with await network.dial(address) as stream:
        with suppress(trio.BrokenResourceError):
            for piece in pieces:
                await stream.send_all(piece)


def bytes_of(data):
    return [data[position : position + 1] for position in range(len(data))]


HANDSHAKE_RECORD = bytes.fromhex("1603010200010001fc0303")
garbage = st.one_of(
    st.binary(min_size=1, max_size=300),
    st.binary(max_size=300).map(lambda rest: HANDSHAKE_RECORD + rest + bytes(512)),
    st.sampled_from(
        [
            b"GET / HTTP/1.1\r\n\r\n",
            b"SSH-2.0-x\r\n",
            bytes(4096),
            b"\xff" * 4096,
            hello(Role.NODE, NETWORK_ID).encode(),
        ]
    ),
)


@pytest.mark.parametrize("kind", NETWORKS)
@given(samples=st.lists(garbage, min_size=1, max_size=4), whole=st.booleans())
@settings(max_examples=15)
def test_garbage_leaves_the_server_unharmed(kind, samples, whole):
    async def main(network):
        async with serving(network) as (address, counts):
            async with trio.open_nursery() as nursery:
                for sample in samples:
                    nursery.start_soon(throw, network, address, [sample] if whole else bytes_of(sample[:400]))
            await serves(network, address)
            await counts.wait_for(len(samples), LinkEvent.HANDSHAKE_FAILED)
            assert counts == {LinkEvent.HANDSHAKE_FAILED: len(samples), LinkEvent.ACCEPTED: 1}

    on_network(kind, main)


async def throw_inside(network, address, plaintext, step_size):
    """Finish a handshake as a stranger, then send whatever inside TLS."""
    raw = raw_session(raw_context())
    async with await network.dial(address) as stream:
        done = False
        while not done:
            done = step(raw)
            await stream.send_all(taken(raw))
            if not done:
                given_to(raw, await stream.receive_some())
        raw.sendall(plaintext)
        sealed = taken(raw)
        with suppress(trio.BrokenResourceError):
            for start in range(0, len(sealed), step_size):
                await stream.send_all(sealed[start : start + step_size])
            while await stream.receive_some():
                pass


GREETING = hello(Role.CLIENT, NETWORK_ID).encode()
inside = st.one_of(
    st.binary(min_size=FRAME_SIZE, max_size=FRAME_SIZE + 500),
    st.binary(min_size=1, max_size=11).map(lambda body: GREETING + Frame(FrameKind.REQUEST, body).encode()),
    st.binary(min_size=1, max_size=24).map(lambda header: GREETING + (b"\xff" + header).ljust(FRAME_SIZE, b"\0")),
    st.sampled_from(
        [
            GREETING + GREETING,
            GREETING + Frame(FrameKind.PACKET, bytes(3072)).encode(),
            GREETING + Frame(FrameKind.RESPONSE, bytes(12)).encode(),
            GREETING + Frame(FrameKind.REQUEST, b"\xff" * 3072).encode(),
        ]
    ),
)


@pytest.mark.parametrize("kind", NETWORKS)
@given(plaintext=inside, step_size=st.sampled_from([1, 1000, math.inf]))
@settings(max_examples=15)
def test_garbage_inside_tls_leaves_the_server_unharmed(kind, plaintext, step_size):
    async def main(network):
        async with serving(network) as (address, counts):
            await throw_inside(network, address, plaintext, min(step_size, 1 << 20))
            await serves(network, address)
            await counts.wait_for(1, LinkEvent.HANDSHAKE_FAILED, LinkEvent.HOSTILE)
            assert counts[LinkEvent.HANDSHAKE_FAILED] + counts[LinkEvent.HOSTILE] == 1
            assert counts[LinkEvent.ACCEPTED] == 1 + counts[LinkEvent.HOSTILE]

    on_network(kind, main)


# --- the same twice


async def trace_of_a_busy_server(network):
    trace = []
    network.tap = lambda *what: trace.append(what)
    async with serving(network) as (address, _counts):
        for number in range(5):
            await trio.sleep(1)
            identity = SigningKey(bytes([number]) * 32)
            await serves(network, address, identity=identity, source=f"127.0.1.{number}")
    return trace


def test_one_seed_gives_one_trace_although_keys_differ():
    def run():
        latency = lambda rng: rng.uniform(0.01, 0.1)  # noqa: E731
        return trio.run(
            trace_of_a_busy_server,
            simulated(latency=latency, loss=0.05),
            clock=trio.testing.MockClock(autojump_threshold=0),
        )

    first = run()
    assert len(first) == 5 * 6
    assert first == run()
