"""Addresses, and TCP on loopback."""

import errno
import socket
import threading
from contextlib import asynccontextmanager, suppress

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from mixnet import network
from mixnet.errors import LocalError, Unavailable
from mixnet.network import TCP, Address
from mixnet.reach import Reach

LOOPBACK = Address("127.0.0.1", 0)


@asynccontextmanager
async def connected(**settings):
    """(the dialling end, the accepting end) of a new connection; the listener closes last."""
    async with (
        await TCP().listen(LOOPBACK) as listener,
        await TCP().dial(listener.address, **settings) as ours,
        await listener.accept() as theirs,
    ):
        yield ours, theirs


@given(
    st.ip_addresses().map(str) | st.from_regex(r"[a-z][a-z0-9-]{0,20}(\.[a-z]+)?", fullmatch=True),
    st.integers(0, 65535),
)
def test_addresses_survive_their_text(host, port):
    address = Address(host, port)
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "127.0.0.1",
        "127.0.0.1:",
        ":4000",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:4000 ",
        "127.0.0.1:٤٠",
        "::1:4000",
        "[127.0.0.1]:4000",
        "[::1]",
        "a b:1",
        "user@host:1",
        "host/x:1",
        "h:000001",
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(LocalError, match="HOST:PORT"):
        Address.parse(text)


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_a_local_error(text):
    try:
        address = Address.parse(text)
    except LocalError:
        return
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(("host", "port"), [("", 1), ("host", -1), ("host", 65536)])
def test_an_impossible_address_cannot_be_made(host, port):
    with pytest.raises(LocalError):
        Address(host, port)


async def test_bytes_travel_both_ways_over_tcp():
    async with connected() as (ours, theirs):
        await ours.send_all(b"there")
        assert await theirs.receive_some(100) == b"there"
        await theirs.send_all(b"and back")
        assert await ours.receive_some(100) == b"and back"


async def test_a_chosen_port_is_told():
    async with await TCP().listen(LOOPBACK) as listener:
        assert listener.address.host == "127.0.0.1"
        assert listener.address.port > 0


async def test_writes_leave_at_once_on_both_ends():
    async with connected() as ends:
        for stream in ends:
            assert stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


async def test_a_dial_comes_from_its_source():
    async with connected(source="127.0.7.9") as (_ours, theirs):
        assert theirs.socket.getpeername()[0] == "127.0.7.9"


async def test_a_port_in_use_is_named_with_what_to_do():
    async with await TCP().listen(LOOPBACK) as listener:
        with pytest.raises(Unavailable, match=rf"{listener.address}.*another program.*another port"):
            await TCP().listen(listener.address)


async def test_a_port_is_free_again_once_its_listener_is_closed():
    async with connected() as (_ours, theirs):
        address = Address(*theirs.socket.getsockname())
    async with await TCP().listen(address):
        pass


async def test_an_address_of_another_machine_cannot_be_listened_at():
    with pytest.raises(Unavailable, match="no such address"):
        await TCP().listen(Address("192.0.2.1", 4000))


async def test_a_refused_connection_is_unavailable():
    async with await TCP().listen(LOOPBACK) as listener:
        address = listener.address
    with pytest.raises(Unavailable, match="nothing listens there"):
        await TCP().dial(address)


@pytest.mark.parametrize("host", ["a..b", ".", "a" * 64, "a.-.b..c"])
async def test_a_name_that_no_resolver_takes_is_unavailable(host):
    """A corrupt node may publish such a name in its descriptor: it must not end those who dial it."""
    with pytest.raises(Unavailable, match="host name"):
        await TCP().dial(Address(host, 4000))
    with pytest.raises(Unavailable, match="host name"):
        await TCP().listen(Address(host, 4000))


async def test_a_dial_that_nobody_answers_ends(monkeypatch, autojump_clock):
    async def silence(*_args, **_more):
        await trio.sleep_forever()

    monkeypatch.setattr(trio, "open_tcp_stream", silence)
    with pytest.raises(Unavailable, match="does not answer"):
        await TCP().dial(Address("127.0.0.1", 4000))
    assert trio.current_time() >= network.DIAL_TIMEOUT


async def test_a_listener_survives_a_shortage_of_descriptors(monkeypatch):
    accept = trio.SocketListener.accept
    failures = [OSError(errno.EMFILE, "too many"), OSError(errno.ENOBUFS, "no room")]

    async def short_of_descriptors(listener):
        if failures:
            raise failures.pop()
        return await accept(listener)

    monkeypatch.setattr(trio.SocketListener, "accept", short_of_descriptors)
    async with connected():
        assert not failures


async def test_a_listener_does_not_hide_other_errors(monkeypatch):
    async def broken(_listener):
        raise OSError(errno.EBADF, "broken")

    monkeypatch.setattr(trio.SocketListener, "accept", broken)
    async with await TCP().listen(LOOPBACK) as listener:
        with pytest.raises(OSError, match="broken"):
            await listener.accept()


def resolving(monkeypatch, *hosts):
    """Every name stands for `hosts`."""
    real = socket.getaddrinfo

    def resolve(host, port, *more, **named):
        found = [host] if host == "127.0.0.1" or host in hosts else hosts
        return [one for ip in found for one in real(ip, port, *more, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


async def test_an_address_that_answers_is_found_behind_others_that_don_t(monkeypatch):
    """A node with an IPv6 address that leads nowhere is dialled at its other one."""
    resolving(monkeypatch, "127.0.0.2", "127.0.0.1", "127.0.0.3")
    async with (
        await TCP().listen(LOOPBACK) as listener,
        await TCP().dial(Address("node.example.org", listener.address.port)) as stream,
    ):
        assert stream.remote_host == "127.0.0.1"


async def test_an_address_that_stays_silent_holds_up_the_next_for_a_moment(monkeypatch, autojump_clock):
    tried, closed = [], []

    class Answering(trio.abc.AsyncResource):
        async def aclose(self):
            closed.append(self)

    async def dial(host, _port, **_named):
        tried.append((host, trio.current_time() - begun))
        if host != "127.0.0.1":
            with suppress(trio.Cancelled):
                await trio.sleep_forever()
        return Answering()

    monkeypatch.setattr(trio, "open_tcp_stream", dial)
    begun = trio.current_time()
    stream = await network._first_to_answer(["127.0.0.2", "127.0.0.3", "127.0.0.1"], 1, None)
    assert tried == [("127.0.0.2", 0.0), ("127.0.0.3", 0.25), ("127.0.0.1", 0.5)]
    assert len(closed) == 2  # those that answered in the same moment
    assert stream not in closed


async def test_a_name_that_gets_no_answer_takes_one_thread_and_nobody_else_s(monkeypatch):
    """Corrupt nodes choose names, and each name the time that it takes; disks wait for threads, too."""
    held, asked = threading.Event(), []

    def resolve(host, port, *more, **named):
        if host == "127.0.0.1":
            return real(host, port, *more, **named)
        asked.append(host)
        if host.startswith("never"):
            held.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    tcp, real = TCP(), socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    try:
        async with await TCP().listen(LOOPBACK) as listener, trio.open_nursery() as nursery:
            port = listener.address.port
            names = [f"never{number}.example.org" for number in range(50)]
            for name in names * 3:
                nursery.start_soon(tcp.within(Reach.MACHINE).dial, Address(name, port))
            while len(asked) < len(names):
                await trio.sleep(0.001)
            await trio.to_thread.run_sync(int)  # of the threads that everybody shares, one is free
            await (await tcp.dial(Address("quick.example.org", port))).aclose()
            assert sorted(asked) == sorted([*names, "quick.example.org"])
            nursery.cancel_scope.cancel()
    finally:
        held.set()
