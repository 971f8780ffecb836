"""Hands each frame from the provider to the part that it is for (spec/06-providers.md 6.3).

Promises: it never waits; the loop monitor hears of every frame, so that it can tell a mailbox that is empty from a link
that stands still. A frame that no provider sends ends the link.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import trio

from mixnet.client.traffic.loops import LoopMonitor
from mixnet.client.traffic.provider_requests import ProviderRequests
from mixnet.client.traffic.receiver import PacketReceiver
from mixnet.errors import RemoteError
from mixnet.link.frames import Frame, FrameKind


class FrameReceiver:
    """Sorts frames by their kind, and counts them in `counts`."""

    def __init__(
        self,
        *,
        loops: LoopMonitor,
        packets: PacketReceiver,
        requests: ProviderRequests,
        receipt: Callable[[int], Callable[[], None]],
    ) -> None:
        """`receipt` gives what tells the provider that a frame, by its number, is dealt with."""
        self._loops, self._packets, self._requests, self._receipt = loops, packets, requests, receipt
        self.counts: Counter[FrameKind] = Counter()

    def take_untrusted(self, frame: Frame) -> None:
        """A frame came down; RemoteError if it is malformed or none that a provider sends, or if too much waits."""
        self.counts[frame.kind] += 1
        self._loops.on_frame(trio.current_time())
        if frame.kind is FrameKind.PAD:
            # A dummy says that the mailbox was empty, but a loop may be among the packets that wait to be opened here.
            if self._packets.idle:
                self._loops.on_dummy(trio.current_time())
        elif frame.kind is FrameKind.MAIL:
            self._loops.on_mail()
            self._packets.offer(frame.body, self._receipt(frame.sequence))
        elif frame.kind is FrameKind.RESPONSE:
            self._requests.take_untrusted(frame)
        else:
            raise RemoteError("a frame that only clients send")

    def link_lost(self) -> None:
        """The link ended: what was under way on it says nothing and is answered by nobody."""
        self._loops.on_link_lost()
        self._requests.link_lost()
