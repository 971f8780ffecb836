"""Opening links: between friends, against impostors, strangers and silence."""

import contextlib

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from mixnet.crypto import credentials
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Frame, FrameKind, HandshakeRefused, Peer, Role, WrongNetwork, WrongPeer
from mixnet.link.connect import HANDSHAKE_TIMEOUT, HandshakeTimeout
from mixnet.link.handshake import hello
from mixnet.network import Address
from tests.mixnet.link.ends import (
    CLIENT,
    NETWORK_ID,
    NETWORKS,
    SERVER,
    STRANGER,
    accepting,
    connecting,
    given_to,
    linked,
    on_network,
    raw_context,
    raw_session,
    simulated,
    step,
    taken,
)

HERE = Address("127.0.0.1", 0)


async def both(network, *, connecting_with=None, accepting_with=None):
    """What becomes of the two ends of one attempt: links or errors; links are closed."""
    results = {}

    async def attempt(name, opening):
        try:
            async with await opening as link:
                results[name] = link
                await trio.sleep(1)
        except (RemoteError, Unavailable) as error:
            results[name] = error

    async with await network.listen(HERE) as listener, trio.open_nursery() as nursery:
        nursery.start_soon(attempt, "client", connecting(network, listener.address, **(connecting_with or {})))
        stream = await listener.accept()
        nursery.start_soon(attempt, "server", accepting(stream, **(accepting_with or {})))
    return results["client"], results["server"]


@pytest.mark.parametrize("kind", NETWORKS)
def test_both_ends_know_each_other(kind):
    async def main(network):
        async with linked(network) as (client, server):
            assert client.peer == Peer(SERVER.public, Role.NODE)
            assert server.peer == Peer(CLIENT.public, Role.CLIENT)

    on_network(kind, main)


async def test_an_identity_itself_can_be_given(autojump_clock):
    client, server = await both(
        simulated(), connecting_with={"identity": CLIENT, "expect": SERVER.public}, accepting_with={"identity": SERVER}
    )
    assert client.peer.identity == SERVER.public
    assert server.peer.identity == CLIENT.public


async def test_the_expected_identity_may_be_a_question(autojump_clock):
    client, _ = await both(simulated(), connecting_with={"expect": lambda identity: identity == SERVER.public})
    assert client.peer.identity == SERVER.public
    client, _ = await both(simulated(), connecting_with={"expect": lambda identity: identity != SERVER.public})
    assert isinstance(client, WrongPeer)


@pytest.mark.parametrize("role", list(Role))
async def test_roles_are_told(role, autojump_clock):
    client, server = await both(simulated(), connecting_with={"role": role}, accepting_with={"role": role})
    assert client.peer.role is server.peer.role is role


async def test_an_impostor_that_is_dialled_is_refused_and_learns_nothing(autojump_clock):
    client, server = await both(simulated(), accepting_with={"identity": STRANGER})
    assert isinstance(client, WrongPeer)
    assert isinstance(server, HandshakeRefused)


async def test_an_impostor_gets_nothing_but_the_first_flight(autojump_clock):
    network = simulated()
    sent = []
    network.tap = lambda _when, source, _target, size: sent.append((source, size))
    client, _ = await both(network, connecting_with={"source": "127.0.0.2"}, accepting_with={"identity": STRANGER})
    assert isinstance(client, WrongPeer)
    assert sent == [("127.0.0.2", 1387), ("127.0.0.1", 1724)]


async def test_an_impostor_that_dials_is_refused(autojump_clock):
    network = simulated()
    sent = []
    network.tap = lambda _when, source, _target, size: sent.append((source, size))
    client, server = await both(
        network,
        connecting_with={"identity": STRANGER, "source": "127.0.0.2"},
        accepting_with={"admit": lambda identity, _role: identity == CLIENT.public},
    )
    assert isinstance(server, WrongPeer)
    assert isinstance(client, Unavailable)
    assert sent == [("127.0.0.2", 1387), ("127.0.0.1", 1724), ("127.0.0.2", 3522)]  # and no greeting back


async def test_an_identity_in_another_role_can_be_refused(autojump_clock):
    heard = []

    def admit(identity, role):
        heard.append((identity, role))
        return role is not Role.NODE

    _, server = await both(simulated(), connecting_with={"role": Role.NODE}, accepting_with={"admit": admit})
    assert isinstance(server, WrongPeer)
    assert heard == [(CLIENT.public, Role.NODE)]


async def test_another_network_is_refused(autojump_clock):
    client, server = await both(simulated(), connecting_with={"network_id": b"o" * 32})
    assert isinstance(server, WrongNetwork)
    assert isinstance(client, Unavailable)


@pytest.mark.parametrize("kind", NETWORKS)
def test_where_nobody_listens_nothing_is_reached(kind):
    async def main(network):
        async with await network.listen(HERE) as listener:
            address = listener.address
        with pytest.raises(Unavailable):
            await connecting(network, address)

    on_network(kind, main)


# --- peers that are not ours


async def raw_client(network, address, context, after=b"", cut=0):
    """A TLS client of a stranger's making, who sends `after` once the handshake is done; what it gets then.

    Of what it sends then, the last `cut` bytes are left out.
    """
    raw = raw_session(context)
    received = b""
    async with await network.dial(address) as stream:
        done = False
        while not done:
            done = step(raw)
            if flight := taken(raw):
                await stream.send_all(flight)
            if not done:
                data = await stream.receive_some()
                if not data:
                    return b""
                given_to(raw, data)
        if after:
            raw.sendall(after)
            sealed = taken(raw)
            await stream.send_all(sealed[: len(sealed) - cut])
        while data := await stream.receive_some():
            given_to(raw, data)
            with contextlib.suppress(SSL.WantReadError):
                received += raw.recv(1 << 16)
    return received


async def from_raw_client(network, context, after=b"", cut=0, **settings):
    """(what our accepting end raises or gives, what the stranger received)"""
    results = []

    async def dial(address):
        results.append(await raw_client(network, address, context, after, cut))

    async with await network.listen(HERE) as listener, trio.open_nursery() as nursery:
        nursery.start_soon(dial, listener.address)
        try:
            async with await accepting(await listener.accept(), **settings) as outcome:
                pass
        except RemoteError as error:
            outcome = error
    return outcome, results[0]


GREETING = hello(Role.CLIENT, NETWORK_ID).encode()


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_stranger_s_tls_is_accepted_if_it_meets_all_requirements(kind):
    async def main(network):
        outcome, received = await from_raw_client(network, raw_context(), GREETING)
        assert outcome.peer == Peer(STRANGER.public, Role.CLIENT)
        assert received == hello(Role.NODE, NETWORK_ID).encode()

    on_network(kind, main)


WRONG_FIRST_WORDS = {
    "no greeting": Frame(FrameKind.PAD).encode(),
    "garbage": b"\xff" * len(GREETING),
    "another network": hello(Role.CLIENT, b"o" * 32).encode(),
    "another version": hello(Role.CLIENT, NETWORK_ID)
    .encode()
    .replace(b"\x01\x02" + NETWORK_ID, b"\x02\x02" + NETWORK_ID),
    "two greetings": GREETING + GREETING,
}


@pytest.mark.parametrize("name", WRONG_FIRST_WORDS)
async def test_wrong_first_words_are_refused_in_silence(name, autojump_clock):
    outcome, received = await from_raw_client(simulated(), raw_context(), WRONG_FIRST_WORDS[name])
    assert isinstance(outcome, RemoteError)
    assert received == b""


async def test_a_record_of_half_a_greeting_is_refused_at_once(autojump_clock):
    outcome, received = await from_raw_client(simulated(), raw_context(), GREETING[:-1])
    assert isinstance(outcome, RemoteError)
    assert received == b""
    assert trio.current_time() < HANDSHAKE_TIMEOUT


async def test_half_a_greeting_runs_into_the_time_out(autojump_clock):
    outcome, received = await from_raw_client(simulated(), raw_context(), GREETING, cut=1)
    assert isinstance(outcome, HandshakeTimeout)
    assert received == b""
    assert trio.current_time() >= HANDSHAKE_TIMEOUT


async def test_weak_encryption_is_refused_in_silence(autojump_clock):
    context = raw_context()
    context.set_tmp_ecdh(ec.SECP256R1())
    outcome, received = await from_raw_client(simulated(), context, GREETING)
    assert isinstance(outcome, HandshakeRefused)
    assert received == b""


async def test_an_old_protocol_is_refused_in_silence(autojump_clock):
    context = raw_context()
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    outcome, received = await from_raw_client(simulated(), context, GREETING)
    assert isinstance(outcome, HandshakeRefused)
    assert received == b""


async def test_a_peer_without_a_certificate_is_refused(autojump_clock):
    outcome, _ = await from_raw_client(simulated(), SSL.Context(SSL.TLS_METHOD), GREETING)
    assert isinstance(outcome, HandshakeRefused)


async def test_the_initiator_refuses_weak_encryption_before_it_shows_itself(autojump_clock):
    shown = []
    context = raw_context(SERVER, verify=lambda _c, certificate, *_: bool(shown.append(certificate)) or True)
    context.set_tmp_ecdh(ec.SECP256R1())
    network = simulated()

    async def serve(listener):
        raw = raw_session(context, server=True)
        async with await listener.accept() as stream:
            while data := await stream.receive_some():
                given_to(raw, data)
                with contextlib.suppress(SSL.Error):  # it finds no key of its kind, and says so
                    step(raw)
                await stream.send_all(taken(raw))

    async with await network.listen(HERE) as listener, trio.open_nursery() as nursery:
        nursery.start_soon(serve, listener)
        with pytest.raises(HandshakeRefused):
            await connecting(network, listener.address)
    assert credentials(SERVER)[1] not in shown
    assert not shown


# --- silence and interruption


async def test_a_silent_server_is_given_up(autojump_clock):
    network = simulated()
    async with await network.listen(HERE) as listener:
        begun = trio.current_time()
        with pytest.raises(Unavailable, match="took too long"):
            await connecting(network, listener.address)
        assert trio.current_time() - begun == pytest.approx(HANDSHAKE_TIMEOUT)
        stream = await listener.accept()
        assert len(await stream.receive_some()) == 1387
        assert await stream.receive_some() == b""


async def test_a_silent_client_is_given_up(autojump_clock):
    network = simulated()
    async with await network.listen(HERE) as listener:
        stream = await network.dial(listener.address)
        begun = trio.current_time()
        with pytest.raises(HandshakeTimeout):
            await accepting(await listener.accept(), timeout=3)
        assert trio.current_time() - begun == pytest.approx(3)
        assert await stream.receive_some() == b""


async def test_a_client_that_drips_bytes_gains_no_time(autojump_clock):
    network = simulated()

    async def drip(address):
        async with await network.dial(address) as stream:
            with pytest.raises(trio.BrokenResourceError):
                for byte in bytes.fromhex("1603010200010001fc0303") + bytes(1000):
                    await stream.send_all(bytes([byte]))
                    await trio.sleep(1)

    async with await network.listen(HERE) as listener, trio.open_nursery() as nursery:
        nursery.start_soon(drip, listener.address)
        stream = await listener.accept()
        begun = trio.current_time()
        with pytest.raises(HandshakeTimeout):
            await accepting(stream)
        assert trio.current_time() - begun == pytest.approx(HANDSHAKE_TIMEOUT)


async def test_a_server_that_hangs_up_is_unavailable(autojump_clock):
    network = simulated()

    async def hang_up(listener):
        await (await listener.accept()).aclose()

    async with await network.listen(HERE) as listener, trio.open_nursery() as nursery:
        nursery.start_soon(hang_up, listener)
        with pytest.raises(Unavailable, match="ended the connection"):
            await connecting(network, listener.address)


async def test_a_server_that_crashes_is_unavailable(autojump_clock):
    network = simulated()
    async with await network.listen(HERE) as listener, trio.open_nursery() as nursery:

        @nursery.start_soon
        async def crash():
            await listener.accept()
            network.crash("127.0.0.1")

        with pytest.raises(Unavailable, match="ended the connection"):
            await connecting(network, listener.address, source="127.0.0.2")


async def test_a_cancelled_attempt_closes_its_stream(autojump_clock):
    network = simulated()
    async with await network.listen(HERE) as listener:
        with trio.move_on_after(1):
            await connecting(network, listener.address)
        stream = await listener.accept()
        assert await stream.receive_some()
        assert await stream.receive_some() == b""
