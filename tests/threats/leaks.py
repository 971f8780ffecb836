"""Smaller leaks than those of benchmarks/controls/cover.py, which a comparison of traces must find (test_p3.py)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from unittest.mock import patch

import trio

from mixnet.client.traffic.provider_link import ProviderLink
from mixnet.client.traffic.schedule import Prepared, ReadyQueue
from mixnet.link import Frame, FrameKind, Link
from mixnet.randomness import SeededSource

SLOW = 0.0001  # seconds


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

    with patch.object(ProviderLink, "offer", remember), patch.object(ReadyQueue, "put_front", put_front):
        yield


def slow_mail() -> AbstractContextManager[object]:
    """Providers need a tenth of a millisecond longer for stored mail than for a dummy."""
    send = Link.send_bytes

    async def send_bytes(self: Link, frames: Sequence[bytes]) -> None:
        if any(frame[0] == FrameKind.MAIL for frame in frames):
            await trio.sleep(SLOW)
        await send(self, frames)

    return patch.object(Link, "send_bytes", send_bytes)


def dummies_off() -> AbstractContextManager[object]:
    """Down-links keep to their slots, and leave those out that have nothing to carry."""
    send = Link.send_bytes

    async def send_bytes(self: Link, frames: Sequence[bytes]) -> None:
        if frames[0][0] == FrameKind.PAD:
            await trio.lowlevel.checkpoint()
        else:
            await send(self, frames)

    return patch.object(Link, "send_bytes", send_bytes)


def streams_shared() -> AbstractContextManager[object]:
    """Schedules draw from the random stream from which their actor draws everything else."""
    shared: dict[tuple[object, ...], random.Random] = {}

    def stream(self: SeededSource, *_label: str) -> random.Random:
        return shared.setdefault((self._seed, *self._label), random.Random(str(self._label)))

    return patch.object(SeededSource, "stream", stream)
