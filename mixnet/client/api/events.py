"""The event bus: every program that follows gets every event.

Promises: publishing never waits; what a follower is too slow for it misses, and since the archive has it all, it can
read that again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import trio

from mixnet.client.model.views import Event

QUEUE = 256  # events that a follower may be behind


class EventBus:
    """The followers of one daemon."""

    def __init__(self) -> None:
        """Nobody follows."""
        self._followers: list[trio.MemorySendChannel[Event]] = []
        self._changed = trio.Event()

    def publish(self, events: Iterable[Event]) -> None:
        """Tell everybody."""
        for event in events:
            self._changed.set()
            self._changed = trio.Event()
            for follower in self._followers:
                try:
                    follower.send_nowait(event)
                except trio.WouldBlock:
                    continue

    def next_change(self) -> trio.Event:
        """What is set when something happens after this call."""
        return self._changed

    @contextmanager
    def follow(self) -> Iterator[trio.MemoryReceiveChannel[Event]]:
        """What happens from now on."""
        sending, receiving = trio.open_memory_channel[Event](QUEUE)
        self._followers.append(sending)
        try:
            with receiving:
                yield receiving
        finally:
            self._followers.remove(sending)
            sending.close()
