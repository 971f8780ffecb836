"""The network with one defence switched off: what an attack must win against, or it measures nothing.

Promises: each switch is a context manager that replaces a few steps of the real actors in this process and puts them
back at its end; the product has no such switch, and nothing it imports knows of this module. Use one around a whole
world, from before its start:

    with downlink_unshaped(), cover_off():
        world = run_world(program, config)

Never around real processes: they don't see it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any

import trio

import mixnode.clients
from client.traffic.provider_link import ProviderLink
from client.traffic.schedule import PADDING, Emitter, Prepared, ReadyQueue, Sent, is_message
from mixnet.counters import Event
from mixnet.link import Frame, FrameKind, Link
from mixnet.randomness import SeededSource
from mixnode.clients import ClientSession as Downstream
from mixnode.delays import Delays
from mixnode.downlink import Downlink

LATE = 0.001  # seconds
SLOW = 0.0001


@contextmanager
def _replaced(owner: object, name: str, value: object) -> Iterator[None]:
    """`owner.name` is `value` for a while."""
    original = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)


# The switches that docs/measuring.md names.


@contextmanager
def cover_off() -> Iterator[None]:
    """Clients stay silent in a slot that has no message; loops and drops are never sent."""

    async def run(self: Emitter) -> None:
        while True:
            await trio.sleep_until(self.schedule.next)
            slot = self.schedule.advance()
            taken = self.queue.take()
            if taken is not None and is_message(taken):
                self.emit(Sent(taken, slot))

    with _replaced(Emitter, "run", run), _patient_links():
        yield


@contextmanager
def delays_off() -> Iterator[None]:
    """Nodes send packets on at once; `delays` in the truth are what senders asked for all the same."""
    add = Delays.add

    def add_due(self: Delays[Any], _due: float, item: object) -> None:
        add(self, -math.inf, item)

    with _replaced(Delays, "add", add_due):
        yield


@contextmanager
def downlink_unshaped() -> Iterator[None]:
    """Providers send mail and answers down the moment they have them, and no dummies."""
    with (
        _replaced(mixnode.clients, "Downlink", _Eager),
        _replaced(Downstream, "_send_down", _send_when_there_is_something),
        _patient_links(),
    ):
        yield


@contextmanager
def work_at_slot(seconds: float = LATE) -> Iterator[None]:
    """Clients still have `seconds` of work to do when the slot of a message comes, and other slots of it wait."""

    async def run(self: Emitter) -> None:
        while True:
            await trio.sleep_until(self.schedule.next)
            slot = self.schedule.advance()
            taken = self.queue.take()
            if taken is not None and is_message(taken):
                await trio.sleep(seconds)
            self.emit(Sent(taken or PADDING, slot))

    with _replaced(Emitter, "run", run):
        yield


# Smaller leaks, which a comparison of whole traces must find (tests/threats/test_p3.py).


@contextmanager
def frames_beside_slots() -> Iterator[None]:
    """Clients send a message when it is ready, and its slot carries it once more."""
    sessions: list[ProviderLink] = []
    offer, put = ProviderLink.offer, ReadyQueue.put_front

    def remember(self: ProviderLink, frame: Frame) -> bool:
        sessions[:] = [self]
        return offer(self, frame)

    def put_front(self: ReadyQueue, prepared: Prepared) -> None:
        put(self, prepared)
        if sessions:
            offer(sessions[0], prepared.frame)

    with _replaced(ProviderLink, "offer", remember), _replaced(ReadyQueue, "put_front", put_front):
        yield


@contextmanager
def slow_mail() -> Iterator[None]:
    """Providers need a tenth of a millisecond longer for stored mail than for a dummy."""
    send = Link.send_bytes

    async def send_bytes(self: Link, frames: Sequence[bytes]) -> None:
        if any(frame[0] == FrameKind.MAIL for frame in frames):
            await trio.sleep(SLOW)
        await send(self, frames)

    with _replaced(Link, "send_bytes", send_bytes):
        yield


@contextmanager
def dummies_off() -> Iterator[None]:
    """Down-links keep to their slots, and leave those out that have nothing to carry."""
    send = Link.send_bytes

    async def send_bytes(self: Link, frames: Sequence[bytes]) -> None:
        if frames[0][0] == FrameKind.PAD:
            await trio.lowlevel.checkpoint()
        else:
            await send(self, frames)

    with _replaced(Link, "send_bytes", send_bytes):
        yield


@contextmanager
def streams_shared() -> Iterator[None]:
    """Schedules draw from the random stream from which their actor draws everything else."""
    shared: dict[tuple[object, ...], random.Random] = {}

    def stream(self: SeededSource, *_label: str) -> random.Random:
        return shared.setdefault((self._seed, *self._label), random.Random(str(self._label)))

    with _replaced(SeededSource, "stream", stream):
        yield


SWITCHES: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "cover": cover_off,
    "delays": delays_off,
    "downlink": downlink_unshaped,
    "slot": work_at_slot,
    "busy-slot": partial(work_at_slot, 20.0),
}


@contextmanager
def switched_off(names: Sequence[str]) -> Iterator[None]:
    """All of these switches at once, by their names in SWITCHES: what a job in another process is told."""
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(SWITCHES[name]())
        yield


# Inside.


@contextmanager
def _patient_links() -> Iterator[None]:
    """Silence ends no link: where cover is off it is no sign of a failure."""

    async def end_after_silence(self: Link, seconds: float) -> None:
        """Expect nothing."""

    with _replaced(Link, "end_after_silence", end_after_silence):
        yield


class _Eager(Downlink):
    """A down-link that says when it has something to send."""

    def __init__(self) -> None:
        self._ready = trio.Event()
        super().__init__()

    async def wait(self) -> None:
        """Wait until the prepared frame is no dummy."""
        if self._kind is FrameKind.PAD:
            self._ready = trio.Event()
            await self._ready.wait()

    def _set(self, frame: Frame) -> None:
        super()._set(frame)
        if frame.kind is not FrameKind.PAD:
            self._ready.set()


async def _send_when_there_is_something(self: Downstream, link: Link, _stream: random.Random) -> None:
    downlink = self._downlink
    assert isinstance(downlink, _Eager)  # noqa: S101
    while True:
        downlink.prepare()
        self._nudge()
        await downlink.wait()
        kind, frame = downlink.take()
        await link.send_bytes([frame])
        self._around.counters.add(mixnode.clients._SENT.get(kind, Event.DUMMIES_OUT))
