"""What a provider sends down to one connected client, slot by slot (spec/06-providers.md 6.3).

Promises: each slot carries one frame, made before the slot: an answer, else the oldest packet not yet sent, else a
dummy; taking it at the slot is the same work for each kind. Packets go down in the order in which they were stored and
are deleted only when the client has said that it processed them; what a lost connection left unacknowledged is sent
again on the next one. Memory is bounded: a window of packets, and the numbers of those under way.
Pure: it knows no clock, link or database; the schedule decides when, and `wanted` says what to load.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from mixnet.errors import RemoteError
from mixnet.link import Frame, FrameKind

WINDOW = 32  # packets in memory, loaded ahead of their slots
UNDER_WAY = 2048  # packets sent and not acknowledged: beyond that the client gets dummies until it acknowledges
_NEVER = 2**63  # above every number of a packet
_MORE = WINDOW // 2  # load when fewer than this are left


class Downlink:
    """The state of one connection's down-link. Its frames are numbered from 1 on."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._answers: deque[Frame] = deque()
        self._sent: deque[tuple[int, int]] = deque()  # (sequence, number of the stored packet)
        self._sequence = 0
        self._newest = 0  # the number up to which packets have been taken from the database
        self._unloaded = True  # the database may have packets above `_newest`
        self._loading = False
        self._missed = False
        self._stale = False  # what is being loaded was erased meanwhile
        self._taken = True
        self.prepare()

    def offer(self, number: int, packet: bytes) -> None:
        """A packet was stored just now. It is kept here if nothing older waits in the database."""
        if number <= self._newest:
            return
        if self._unloaded or self._loading or len(self._waiting) >= WINDOW:
            self._unloaded = self._missed = True
            return
        self._newest = number
        self._waiting.append((number, packet))
        self._upgrade()

    def wanted(self) -> tuple[int, int] | None:
        """(number after which, how many) to load from the database, once; None when nothing is missing."""
        if not self.hungry:
            return None
        self._loading, self._missed = True, False
        return self._newest, WINDOW - len(self._waiting)

    def loaded(self, packets: Sequence[tuple[int, bytes]], most: int) -> None:
        """What the database had after `wanted`; fewer than `most` means that it has no more."""
        if self._stale:  # erased while they were read; what came since is still to be loaded
            self._stale = self._loading = False
            return
        self._waiting.extend(packets)
        if packets:
            self._newest = packets[-1][0]
        self._unloaded = self._missed or len(packets) >= most
        self._loading = False
        self._upgrade()

    def answer(self, frames: Sequence[Frame]) -> None:
        """Queue the frames of an answer."""
        self._answers.extend(frames)
        self._upgrade()

    @property
    def answering(self) -> bool:
        """Whether an answer is still under way."""
        return bool(self._answers) or self._kind is FrameKind.RESPONSE

    def take(self) -> tuple[FrameKind, bytes]:
        """(kind, frame) for the slot that is now. Call `prepare` before the next slot."""
        self._taken = True
        return self._kind, self._encoded

    def prepare(self) -> None:
        """Make the frame for the next slot, once the last one is gone: a dummy if nothing better waits."""
        if self._taken:
            self._taken = False
            self._sequence += 1
            self._set(self._choose() or Frame(FrameKind.PAD))

    @property
    def hungry(self) -> bool:
        """Whether packets should be loaded from the database: then `wanted` says which."""
        return self._unloaded and not self._loading and len(self._waiting) < _MORE

    def forget(self) -> None:
        """The mailbox was erased: drop every packet of it that was not sent."""
        self._waiting.clear()
        self._sent.clear()
        self._stale = self._stale or self._loading
        self._unloaded, self._newest = False, _NEVER
        if self._kind is FrameKind.MAIL and not self._taken:
            self._set(Frame(FrameKind.PAD))

    def resume(self) -> None:
        """The mailbox is registered again: what comes from now on goes down as ever."""
        self._newest, self._unloaded = 0, True

    def acknowledged_untrusted(self, sequence: int) -> int | None:
        """The number of the newest packet that the client has processed with this, if any is new.

        Raises RemoteError for a frame that was never sent.
        """
        if sequence > self._sequence or (sequence == self._sequence and not self._taken):
            raise RemoteError("an acknowledgement of something that was not sent")
        through = None
        while self._sent and self._sent[0][0] <= sequence:
            through = self._sent.popleft()[1]
        return through

    def _upgrade(self) -> None:
        """Replace the dummy that waits for the next slot by something better, if there is."""
        if self._kind is FrameKind.PAD and not self._taken and (better := self._choose()):
            self._set(better)

    def _set(self, frame: Frame) -> None:
        self._kind = frame.kind
        self._encoded = replace(frame, sequence=self._sequence).encode()

    def _choose(self) -> Frame | None:
        """An answer, else the oldest packet, unless too many are under way."""
        if self._answers:
            return self._answers.popleft()
        if not self._waiting or len(self._sent) >= UNDER_WAY:
            return None
        number, packet = self._waiting.popleft()
        self._sent.append((self._sequence, number))
        return Frame(FrameKind.MAIL, packet)
