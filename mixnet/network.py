"""The only way to listen and to dial: TCP, or a simulated network in memory (spec/03-links.md 3.1).

Promises: an actor that takes a `Network` runs unchanged on real sockets and in virtual time; whatever can't be reached
now is `Unavailable`, with a message that says what to do. Never: an address in a log or a counter.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, Self, runtime_checkable
from weakref import WeakValueDictionary

import trio

from mixnet.errors import LocalError, Unavailable
from mixnet.reach import Reach
from mixnet.tcp_stream import TcpStream

DIAL_TIMEOUT = 10.0  # seconds
IPV6_SHARED = 64  # bits of an IPv6 address that say whose it is; the rest its owner chooses freely
BACKLOG = 256  # connections that wait to be accepted
_OUT_OF_RESOURCES = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_RESOURCE_PAUSE = 0.1  # seconds before another attempt to accept when descriptors have run out
_MOST_ANSWERS = 8  # IP addresses of a name that are tried
_HEAD_START = 0.25  # seconds until the next one is tried beside those before (RFC 8305 section 5)
_PEER_TIMEOUT_MS = 30_000  # how long the kernel keeps unacknowledged bytes before it gives up the connection


@dataclass(frozen=True, order=True, slots=True)
class Address:
    """Where something listens: an IP address or host name, and a TCP port (0: any free one)."""

    host: str
    port: int

    def __post_init__(self) -> None:
        """Refuse what can't be an address."""
        if not self.host or not 0 <= self.port <= 65535:
            raise LocalError(f"`{self.host}:{self.port}` is no address: write HOST:PORT, such as 127.0.0.1:4000")

    def __str__(self) -> str:
        """The text that `parse` takes; IPv6 addresses stand in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address written as `host:port` or `[ipv6]:port`; LocalError for anything else."""
        host, _, port = text.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        host = host[1:-1] if bracketed else host
        proper = port.isascii() and port.isdigit() and len(port) <= 5 and bracketed == (":" in host)
        if not proper or not host or any(character.isspace() or character in "[]/@" for character in host):
            raise LocalError(f"`{text}` is no address: write HOST:PORT, such as 127.0.0.1:4000")
        return cls(host, int(port))


class Listener(trio.abc.Listener[trio.abc.Stream]):
    """Accepts streams at an address."""

    @property
    @abstractmethod
    def address(self) -> Address:
        """Where it listens, with the port that was chosen if 0 was asked for."""


@runtime_checkable
class Located(Protocol):
    """A stream that knows where its other end is."""

    @property
    def remote_host(self) -> str:
        """An IP address; empty if the other end is gone."""


def origin(host: str) -> str:
    """With whom a peer at `host` shares its part of a server: its IPv4 address, or the /64 network of its IPv6 address.

    Names stand for themselves. It is never stored or logged.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, IPV6_SHARED), strict=False))


def origin_of(stream: trio.abc.Stream) -> str:
    """The origin of whoever is at the other end of an accepted stream; empty if that is not known."""
    return origin(stream.remote_host) if isinstance(stream, Located) else ""


class Network(Protocol):
    """Streams between addresses."""

    async def listen(self, address: Address) -> Listener:
        """Accept streams at `address`; Unavailable if that is impossible (such as a port in use)."""

    async def dial(self, address: Address, *, source: str | None = None) -> trio.abc.Stream:
        """A stream to `address`, from the local host `source` if given; Unavailable if nobody answers."""

    def within(self, reach: Reach) -> Self:
        """The same network, in which nothing is dialled that `reach` doesn't allow: for addresses that others name."""


class TCP:
    """Real sockets: each write leaves at once (TCP_NODELAY), so that the kernel never merges or delays frames."""

    def __init__(self, reach: Reach = Reach.MACHINE) -> None:
        """Dial what `reach` allows: by default everything that leads somewhere."""
        self._reach = reach
        self._names: WeakValueDictionary[str, trio.CapacityLimiter] = WeakValueDictionary()

    def within(self, reach: Reach) -> Self:
        """See `Network.within`."""
        same = type(self)(reach)
        same._names = self._names
        return same

    async def listen(self, address: Address) -> Listener:
        """A listening socket; Unavailable if the address is in use or not ours."""
        try:
            found = await trio.socket.getaddrinfo(
                address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            family, kind, protocol, _, where = found[0]
            sock = trio.socket.socket(family, kind, protocol)
        except (OSError, UnicodeError) as error:
            raise _unavailable(f"can't listen at {address}", error) from error
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            await sock.bind(where)
            sock.listen(BACKLOG)
        except OSError as error:
            sock.close()
            raise _unavailable(f"can't listen at {address}", error) from error
        except BaseException:
            sock.close()
            raise
        return _SocketListener(trio.SocketListener(sock))

    async def dial(self, address: Address, *, source: str | None = None) -> TcpStream:
        """A connected socket; Unavailable after ten seconds, or at once if the connection is refused."""
        try:
            with trio.fail_after(DIAL_TIMEOUT):
                stream = await _first_to_answer(await self._allowed(address), address.port, source)
        except trio.TooSlowError:
            raise Unavailable(f"{address} does not answer: is it running, and is the address right?") from None
        except (OSError, UnicodeError) as error:
            raise _unavailable(f"can't reach {address}", error) from error
        _give_up_on_silence(stream)
        return TcpStream(stream)

    async def _allowed(self, address: Address) -> list[str]:
        """The IP addresses to dial. A name is resolved once, and here, so that no second answer differs."""
        found = await self._resolved(address)
        hosts = [host for host in found if self._reach is Reach.MACHINE or self._reach.allows(host)]
        if not hosts:
            raise Unavailable(f"{address} lies inside a machine or a private network, where this network has no nodes")
        return hosts[:_MOST_ANSWERS]

    async def _resolved(self, address: Address) -> list[str]:
        """What a host stands for, in the system's order. A name has one thread at a time, which may be held for long.

        So names that never get an answer, which corrupt nodes may have, take no thread that others wait for.
        """
        with contextlib.suppress(ValueError):
            ipaddress.ip_address(address.host)
            return [address.host]
        turn = self._names.setdefault(address.host, trio.CapacityLimiter(1))
        resolve = partial(socket.getaddrinfo, address.host, address.port, type=socket.SOCK_STREAM)
        answers = await trio.to_thread.run_sync(resolve, abandon_on_cancel=True, limiter=turn)
        return list(dict.fromkeys(str(where[0]) for *_, where in answers))


async def _first_to_answer(hosts: Sequence[str], port: int, source: str | None) -> trio.SocketStream:
    """A stream to one of them: each has a moment for itself, or until it refuses. OSError of the first if none answers.

    Many machines have IPv6 addresses that lead nowhere.
    """
    streams: list[trio.SocketStream] = []
    errors: dict[str, OSError] = {}

    async def attempt(host: str, refused: trio.Event) -> None:
        try:
            streams.append(await trio.open_tcp_stream(host, port, local_address=source))
            nursery.cancel_scope.cancel()
        except OSError as error:
            errors[host] = error
            refused.set()

    try:
        async with trio.open_nursery() as nursery:
            for host in hosts:
                refused = trio.Event()
                nursery.start_soon(attempt, host, refused)
                with trio.move_on_after(_HEAD_START):
                    await refused.wait()
        if not streams:
            raise errors[hosts[0]]
        return streams.pop(0)
    finally:
        for stream in streams:  # one that answered at the same time, or all of them if we were cancelled
            await trio.aclose_forcefully(stream)


class _SocketListener(Listener):
    """A listening socket that outlives a shortage of descriptors."""

    def __init__(self, listener: trio.SocketListener) -> None:
        self._listener = listener
        host, port = listener.socket.getsockname()[:2]
        self._address = Address(host, port)

    @property
    def address(self) -> Address:
        return self._address

    async def accept(self) -> TcpStream:
        while True:
            try:
                stream = await self._listener.accept()
            except OSError as error:
                if error.errno not in _OUT_OF_RESOURCES:
                    raise
                await trio.sleep(_RESOURCE_PAUSE)
            else:
                _give_up_on_silence(stream)
                return TcpStream(stream)

    async def aclose(self) -> None:
        await self._listener.aclose()


def _give_up_on_silence(stream: trio.SocketStream) -> None:
    """Let the kernel notice a peer that vanished without a word: a help, since links have time-outs of their own."""
    with contextlib.suppress(OSError):  # some systems refuse it on a connection that its peer has ended already
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _PEER_TIMEOUT_MS)


def _unavailable(what: str, error: OSError | UnicodeError) -> Unavailable:
    """The one line that a user reads: what failed, why, and what to do.

    A name that no resolver takes (an empty or overlong label) is a UnicodeError; it may come from a node's descriptor.
    """
    if isinstance(error, UnicodeError):
        return Unavailable(f"{what}: that is no host name: correct it")
    advice = {
        errno.EADDRINUSE: "another program listens there: stop it or choose another port",
        errno.EADDRNOTAVAIL: "this machine has no such address: correct it",
        errno.EACCES: "the system forbids it: choose a port above 1023",
        errno.ECONNREFUSED: "nothing listens there: start it or correct the address",
    }
    attempts = error.__cause__  # Trio groups one failure for each address that the name resolves to
    first = attempts.exceptions[0] if isinstance(attempts, ExceptionGroup) else error
    number = first.errno if isinstance(first, OSError) else None
    return Unavailable(f"{what}: {advice.get(number or 0, str(first))}")
