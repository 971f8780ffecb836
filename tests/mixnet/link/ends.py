"""Two ends of a link, on either kind of network, for the tests of this folder."""

from contextlib import asynccontextmanager

import trio
from OpenSSL import SSL
from trio.testing import MockClock

from mixnet.crypto import SigningKey, credentials
from mixnet.link import Role, TlsIdentity, accept_untrusted, connect
from mixnet.network import TCP, Address
from mixnet.randomness import SeededSource
from mixnet.simulated import SimulatedNetwork

NETWORK_ID = bytes(range(32))
SERVER = SigningKey(b"s" * 32)
CLIENT = SigningKey(b"c" * 32)
STRANGER = SigningKey(b"x" * 32)
SERVER_TLS = TlsIdentity(SERVER)
CLIENT_TLS = TlsIdentity(CLIENT)

NETWORKS = ("tcp", "simulated")


def on_network(kind, main, *args):
    """Run `main(network, *args)`: on real sockets and time, or on simulated ones."""
    if kind == "tcp":
        return trio.run(main, TCP(), *args)
    return virtual(main, *args)


def virtual(main, *args):
    return trio.run(main, simulated(), *args, clock=MockClock(autojump_threshold=0))


def simulated(**settings):
    return SimulatedNetwork(SeededSource(1), **settings)


def admit_all(_identity, _role):
    return True


def connecting(network, address, **changes):
    settings = {"identity": CLIENT_TLS, "role": Role.CLIENT, "network_id": NETWORK_ID, "expect": SERVER.public}
    return connect(network, address, **(settings | changes))


def accepting(stream, **changes):
    settings = {"identity": SERVER_TLS, "role": Role.NODE, "network_id": NETWORK_ID, "admit": admit_all}
    return accept_untrusted(stream, **(settings | changes))


@asynccontextmanager
async def linked(network):
    """(the connecting end, the accepting end) of a link."""
    async with await network.listen(Address("127.0.0.1", 0)) as listener, trio.open_nursery() as nursery:
        ends = {}

        async def dial():
            ends["client"] = await connecting(network, listener.address, source="127.0.0.2")

        nursery.start_soon(dial)
        ends["server"] = await accepting(await listener.accept())
    async with ends["client"] as client, ends["server"] as server:
        yield client, server


def raw_context(identity=STRANGER, *, shows=None, verify=lambda *_: True):
    """OpenSSL as a stranger might set it up; tests change what they need."""
    context = SSL.Context(SSL.TLS_METHOD)
    key, shown = shows or credentials(identity)
    context.use_privatekey(key)
    context.use_certificate(shown)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)
    return context


def raw_session(context, *, server=False):
    connection = SSL.Connection(context, None)
    if server:
        connection.set_accept_state()
    else:
        connection.set_connect_state()
    return connection


def taken(connection):
    """All that an OpenSSL connection has to send."""
    data = b""
    while True:
        try:
            data += connection.bio_read(1 << 16)
        except SSL.WantReadError:
            return data


def step(connection):
    """Let an OpenSSL connection go on; whether its handshake is done."""
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        return False
    return True


def given_to(connection, data):
    """Give an OpenSSL connection what came for it, if anything."""
    if data:
        connection.bio_write(data)
