"""A network in memory and in Trio's time: latency, loss, partitions and crashes under a seed (spec/03-links.md 3.1).

Promises: streams keep their bytes in order, as TCP does, and only different streams overtake one another; each
directed pair of hosts draws from random streams of its own, so that the traffic of one pair never shifts that of
another; what is under way on a stream is bounded, and a writer waits for its reader. No task runs here: bytes move when
their reader asks.
Never: threads, sockets or wall time, so the same code runs for hours of virtual time under `MockClock`.
"""

from __future__ import annotations

import contextlib
import math
import operator
import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

import trio

from mixnet.errors import Unavailable
from mixnet.network import BACKLOG, DIAL_TIMEOUT, Address, Listener
from mixnet.randomness import Source
from mixnet.reach import Reach

DEFAULT_HOST = "127.0.0.1"  # where a dial without a source comes from
DEFAULT_LATENCY = 0.01  # seconds
WINDOW = 256 * 1024  # bytes under way on one direction of a stream before its writer waits
SEGMENT = 1460  # bytes that are lost together
RETRANSMISSION = 0.2  # seconds until a lost segment is sent again, doubled for each further loss
_MOST_RETRANSMISSIONS = 8
_FIRST_FREE_PORT = 49152

Latency = Callable[[random.Random], float]
Tap = Callable[[float, str, str, int], None]


def constant_latency(_rng: random.Random) -> float:
    """Ten milliseconds, always."""
    return DEFAULT_LATENCY


class SimulatedNetwork:
    """Hosts, the streams between them, and what goes wrong.

    `tap` is the global observer: it sees (virtual time in seconds, source host, destination host, bytes) of each write
    when it is put on its link. `loss` (0 to 1, may change at any time) is the probability that a segment of 1,460 bytes
    is lost: streams are reliable, so that costs the time until it is sent again, and holds up what follows on its
    stream.
    """

    def __init__(
        self, rng: Source, *, latency: Latency = constant_latency, loss: float = 0.0, window: int = WINDOW
    ) -> None:
        """`latency` draws the seconds that a write takes from one host to another."""
        self.tap: Tap | None = None
        self.loss = loss
        self._rng = rng
        self._latency = latency
        self._window = window
        self._streams: dict[SimulatedStream, None] = {}  # a set with an order, so that a heal draws in one order
        self._listeners: dict[Address, _SimulatedListener] = {}
        self._pairs: dict[tuple[str, str], _Pair] = {}
        self._healed = trio.Event()

    async def listen(self, address: Address) -> Listener:
        """Accept streams at `address`; Unavailable if something listens there already."""
        await trio.lowlevel.checkpoint()
        if address.port == 0:
            port = _FIRST_FREE_PORT
            while Address(address.host, port) in self._listeners:
                port += 1
            address = Address(address.host, port)
        if address in self._listeners:
            raise Unavailable(
                f"can't listen at {address}: another program listens there: stop it or choose another port"
            )
        listener = self._listeners[address] = _SimulatedListener(address, self._listeners)
        return listener

    def within(self, _reach: Reach) -> Self:
        """Itself: there are no addresses outside."""
        return self

    async def dial(self, address: Address, *, source: str | None = None) -> trio.abc.Stream:
        """A stream after one round trip; Unavailable if nothing listens there, or after ten seconds of partition."""
        with trio.move_on_after(DIAL_TIMEOUT):
            return await self._dial(source or DEFAULT_HOST, address)
        raise Unavailable(f"{address} does not answer: is it running, and is the address right?")

    async def _dial(self, host: str, address: Address) -> SimulatedStream:
        out, back = self._pair(host, address.host), self._pair(address.host, host)
        while out.parted:
            await self._healed.wait()
        await trio.sleep(out.delay(1))
        ours, theirs = self._connect(out, back)
        listener = self._listeners.get(address)
        accepted = listener is not None and listener.offer(theirs)
        try:
            await trio.sleep(back.delay(1))
        except trio.Cancelled:
            ours.close()
            raise
        if not accepted:
            ours.close()
            raise Unavailable(f"can't reach {address}: nothing listens there: start it or correct the address")
        return ours

    def _connect(self, out: _Pair, back: _Pair) -> tuple[SimulatedStream, SimulatedStream]:
        ours = SimulatedStream(out, self._streams, self._window)
        theirs = SimulatedStream(back, self._streams, self._window)
        ours.peer, theirs.peer = theirs, ours
        return ours, theirs

    def partition(self, hosts_a: Iterable[str], hosts_b: Iterable[str]) -> None:
        """Cut every host of `hosts_a` off from every host of `hosts_b`.

        What is under way still arrives; what is written from now on arrives after `heal`.
        """
        ours, theirs = tuple(hosts_a), tuple(hosts_b)
        self.hold_back(ours, theirs)
        self.hold_back(theirs, ours)

    def hold_back(self, sources: Iterable[str], targets: Iterable[str]) -> None:
        """Hold what any host of `sources` writes to one of `targets`, until `heal`; the other way stays open."""
        across = tuple(targets)
        for source in sources:
            for target in across:
                self._pair(source, target).parted = True

    def heal(self) -> None:
        """End all partitions: what they held up leaves now."""
        for pair in self._pairs.values():
            pair.parted = False
        for stream in self._streams:
            stream.release()
        self._healed.set()
        self._healed = trio.Event()

    def crash(self, host: str) -> None:
        """End all listeners and streams of `host` at once; its peers learn it after a latency (or after a heal).

        Whoever ran there must be cancelled too: nothing comes to its listeners any more. The host may listen and dial
        again right away, as a process that was killed and started anew would.
        """
        for address in [address for address in self._listeners if address.host == host]:
            self._listeners[address].kill()
        for stream in [stream for stream in self._streams if stream.host == host]:
            stream.kill()

    def _pair(self, source: str, target: str) -> _Pair:
        pair = self._pairs.get((source, target))
        if pair is None:
            pair = self._pairs[source, target] = _Pair(self, source, target, self._rng, self._latency)
        return pair


class _Pair:
    """One direction between two hosts: its random streams, and whether it is cut."""

    def __init__(self, network: SimulatedNetwork, source: str, target: str, rng: Source, latency: Latency) -> None:
        self.source = source
        self.target = target
        self.parted = False
        self._network = network
        self._latency = latency
        self._latency_rng = rng.stream("latency", source, target)
        self._loss_rng = rng.stream("loss", source, target)

    def delay(self, size: int) -> float:
        """Seconds until a write of `size` bytes is there, retransmissions included."""
        delay = self._latency(self._latency_rng)
        loss = self._network.loss
        if loss > 0:
            lost = 1 - (1 - loss) ** math.ceil(size / SEGMENT)
            pause = RETRANSMISSION
            for _ in range(_MOST_RETRANSMISSIONS):
                if self._loss_rng.random() >= lost:
                    break
                delay += pause
                pause *= 2
                lost = loss  # what is sent again is one segment
        return delay

    def arrival(self, size: int) -> float:
        """When a write of now arrives, in Trio's time: never, while the pair is cut."""
        return math.inf if self.parted else trio.current_time() + self.delay(size)

    def watch(self, size: int) -> None:
        """Show a write to the observer."""
        if self._network.tap is not None:
            self._network.tap(trio.current_time(), self.source, self.target, size)


class _Signal:
    """Wakes a task that waits for something to change."""

    def __init__(self) -> None:
        self._event: trio.Event | None = None
        self._scope = trio.CancelScope()

    def notify(self) -> None:
        """Wake who waits now."""
        if self._event is not None:
            self._event.set()
            self._event = None

    def notify_at(self, when: float) -> None:
        """Wake who waits now when Trio's clock says `when`, if nothing else does before."""
        self._scope.deadline = min(self._scope.deadline, when)

    async def wait(self, until: float) -> None:
        """Return at the next `notify`, or when Trio's clock says `until`. One task at a time."""
        self._event = trio.Event()
        with trio.CancelScope(deadline=until) as self._scope:
            await self._event.wait()


@dataclass(slots=True)
class _Segment:
    """Bytes of one write, and when they arrive (infinity: a partition holds them)."""

    arrival: float
    data: bytes


@dataclass(slots=True)
class _End:
    """What the other end did last: it closed, or its host crashed; and when that is known here."""

    arrival: float
    crashed: bool


class SimulatedStream(trio.abc.Stream):
    """One end of a stream; its inbox has what the other end wrote, with arrival times."""

    peer: SimulatedStream

    def __init__(self, out: _Pair, registry: dict[SimulatedStream, None], window: int) -> None:
        """`out` is the direction in which this end writes; `registry` has the streams that are open."""
        self.host, self.remote_host = out.source, out.target
        self._out = out
        self._registry = registry
        self._window = window
        self._inbox: deque[_Segment] = deque()
        self._unread = 0  # bytes in the inbox
        self._end: _End | None = None
        self._closed = False
        self._killed = False
        self._sending = _Turn()
        self._receiving = _Turn()
        self._readable = _Signal()
        self._writable = _Signal()
        registry[self] = None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Put one write on the link once there is room; BrokenResourceError when the other end is known to be gone."""
        with self._sending:
            await trio.lowlevel.checkpoint()
            await self._wait_for_room()
            self._check_usable()
            if data:
                self._out.watch(len(data))
                self.peer._post(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        """Return when a write would find room, or fail at once."""
        with self._sending:
            await trio.lowlevel.checkpoint()
            await self._wait_for_room()
            if self._closed:
                raise trio.ClosedResourceError

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """What has arrived, `max_bytes` at most; empty at the end; BrokenResourceError when the other end crashed."""
        most = self._window if max_bytes is None else operator.index(max_bytes)
        if most < 1:
            raise ValueError("max_bytes must be 1 or more")
        with self._receiving:
            if not self._silent(trio.current_time()):  # else the wait below is the checkpoint
                await trio.lowlevel.checkpoint()
            while True:
                if self._closed:
                    raise trio.ClosedResourceError
                now = trio.current_time()
                if self._inbox and self._inbox[0].arrival <= now:
                    return self._take(now, most)
                if self._killed or (not self._inbox and self._ended(now)):
                    if self._end is None or self._end.crashed:
                        raise trio.BrokenResourceError("the other end is gone")
                    return b""
                await self._readable.wait(self._inbox[0].arrival if self._inbox else self._end_time())

    async def aclose(self) -> None:
        """Close this end; the other reads what is under way, then the end."""
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Close this end without a checkpoint."""
        if not self._closed:
            self._closed = True
            self._leave(crashed=False)

    def kill(self) -> None:
        """Let this end's host crash: nothing works here any more, and what it had not read is lost."""
        if not self._closed and not self._killed:
            self._killed = True
            self._leave(crashed=True)

    def release(self) -> None:
        """Let what a partition held up on its way to this end travel now."""
        back = self.peer._out
        for segment in self._inbox:
            if segment.arrival == math.inf:
                segment.arrival = back.arrival(len(segment.data))
        if self._end is not None and self._end.arrival == math.inf:
            self._end.arrival = self._after_all_bytes(back.arrival(1))
        self._readable.notify()
        self._writable.notify()

    def _silent(self, now: float) -> bool:
        """Whether a reader must wait."""
        if self._closed or self._killed:
            return False
        return self._inbox[0].arrival > now if self._inbox else not self._ended(now)

    async def _wait_for_room(self) -> None:
        while self.peer._unread >= self._window and not (
            self._closed or self._killed or self._ended(trio.current_time())
        ):
            await self._writable.wait(self._end_time())

    def _check_usable(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError
        if self._killed or self._ended(trio.current_time()):
            raise trio.BrokenResourceError("the other end is gone")

    def _end_time(self) -> float:
        return self._end.arrival if self._end is not None else math.inf

    def _ended(self, now: float) -> bool:
        return self._end_time() <= now

    def _leave(self, *, crashed: bool) -> None:
        self._registry.pop(self, None)
        self._inbox.clear()
        self.peer._post_end(crashed=crashed)
        self._readable.notify()
        self._writable.notify()

    def _post(self, data: bytes) -> None:
        """Take bytes that the other end wrote: they arrive after the latency of their direction."""
        self._unread += len(data)  # here too if nobody reads: a writer is bounded until it knows that
        if self._closed or self._killed:
            return
        self._inbox.append(_Segment(self.peer._out.arrival(len(data)), data))
        if len(self._inbox) == 1:
            self._readable.notify_at(self._inbox[0].arrival)

    def _post_end(self, *, crashed: bool) -> None:
        self._end = _End(self._after_all_bytes(self.peer._out.arrival(1)), crashed)
        self._readable.notify()
        self._writable.notify()

    def _after_all_bytes(self, arrival: float) -> float:
        """When an end that would arrive at `arrival` is known here: its stream has an order, so after its bytes."""
        return max((arrival, *(segment.arrival for segment in self._inbox)))

    def _take(self, now: float, most: int) -> bytes:
        """Up to `most` bytes of those that arrived."""
        taken: list[bytes] = []
        while most and self._inbox and self._inbox[0].arrival <= now:
            segment = self._inbox[0]
            taken.append(segment.data[:most])
            if len(segment.data) > most:
                segment.data = segment.data[most:]
            else:
                self._inbox.popleft()
            most -= len(taken[-1])
            self._unread -= len(taken[-1])
        self.peer._writable.notify()
        return b"".join(taken)


class _Turn:
    """Lets one task through at a time and tells a second one that it is a mistake, as Trio's own streams do."""

    def __init__(self) -> None:
        self._taken = False

    def __enter__(self) -> None:
        if self._taken:
            raise trio.BusyResourceError("another task does the same on this stream")
        self._taken = True

    def __exit__(self, *_: object) -> None:
        self._taken = False


class _SimulatedListener(Listener):
    """Accepts the streams that are dialled to one address."""

    def __init__(self, address: Address, registry: dict[Address, _SimulatedListener]) -> None:
        self._address = address
        self._registry = registry
        self._in, self._out = trio.open_memory_channel[SimulatedStream](BACKLOG)
        self._killed = False

    @property
    def address(self) -> Address:
        return self._address

    def offer(self, stream: SimulatedStream) -> bool:
        """Queue a stream; False if too many wait."""
        try:
            self._in.send_nowait(stream)
        except trio.WouldBlock:
            return False
        return True

    async def accept(self) -> SimulatedStream:
        with contextlib.suppress(trio.ClosedResourceError):
            return await self._out.receive()
        if self._killed:
            await trio.sleep_forever()
        raise trio.ClosedResourceError

    async def aclose(self) -> None:
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Stop listening; the streams that nobody accepted end."""
        if self._registry.get(self._address) is self:  # not if it was killed and another listens there now
            del self._registry[self._address]
            with contextlib.suppress(trio.WouldBlock):
                while True:
                    self._out.receive_nowait().kill()
            self._out.close()

    def kill(self) -> None:
        """Let the host crash: who accepts here waits for ever, since a process that was killed is told nothing."""
        self._killed = True
        self.close()
