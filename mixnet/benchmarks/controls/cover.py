"""Controls for passive attacks: the network with one defence switched off.

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
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import trio

import mixnode.clients
from mixnet.client.traffic.schedule import PADDING, Emitter, Sent, is_message
from mixnet.counters import Event
from mixnet.link import Frame, FrameKind, Link
from mixnode.clients import ClientSession as Downstream
from mixnode.delays import Delays
from mixnode.downlink import Downlink

LATE = 0.001  # seconds
Switch = Callable[[], AbstractContextManager[object]]


# The switches that docs/measuring.md names.


@contextmanager
def cover_off() -> Iterator[None]:
    """Clients stay silent in a slot that has no message; loops and drops are never sent."""

    async def emit_slots(self: Emitter) -> None:
        while True:
            await trio.sleep_until(self.schedule.next)
            slot = self.schedule.advance()
            taken = self.queue.take()
            if taken is not None and is_message(taken):
                self.emit(Sent(taken, slot))

    with patch.object(Emitter, "emit_slots", emit_slots), _patient_links():
        yield


def delays_off() -> AbstractContextManager[object]:
    """Nodes send packets on at once; `delays` in the truth are what senders asked for all the same."""
    add = Delays.add

    def add_due(self: Delays[Any], _due: float, item: object) -> None:
        add(self, -math.inf, item)

    return patch.object(Delays, "add", add_due)


@contextmanager
def downlink_unshaped() -> Iterator[None]:
    """Providers send mail and answers down the moment they have them, and no dummies."""
    with (
        patch.object(mixnode.clients, "Downlink", _Eager),
        patch.object(Downstream, "_send_down", _send_when_there_is_something),
        _patient_links(),
    ):
        yield


def work_at_slot(seconds: float = LATE) -> AbstractContextManager[object]:
    """Clients still have `seconds` of work to do when the slot of a message comes, and other slots of it wait."""

    async def emit_slots(self: Emitter) -> None:
        while True:
            await trio.sleep_until(self.schedule.next)
            slot = self.schedule.advance()
            taken = self.queue.take()
            if taken is not None and is_message(taken):
                await trio.sleep(seconds)
            self.emit(Sent(taken or PADDING, slot))

    return patch.object(Emitter, "emit_slots", emit_slots)


SWITCHES: dict[str, Switch] = {
    "cover": cover_off,
    "delays": delays_off,
    "downlink": downlink_unshaped,
    "slot": work_at_slot,
    "busy-slot": partial(work_at_slot, 20.0),
}


@contextmanager
def all_off(table: Mapping[str, Switch], names: Iterable[str]) -> Iterator[None]:
    """All of these switches at once, by their names: what a job in another process is told."""
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(table[name]())
        yield


switched_off = partial(all_off, SWITCHES)


# Inside.


def _patient_links() -> AbstractContextManager[object]:
    """Silence ends no link: where cover is off it is no sign of a failure."""

    async def end_after_silence(self: Link, seconds: float) -> None:
        """Expect nothing."""

    return patch.object(Link, "end_after_silence", end_after_silence)


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
