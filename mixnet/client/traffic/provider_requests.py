"""Requests to the client's own provider, over the link, and their answers (spec/06-providers.md 6.4).

Promises: a question waits for slots like any message, so an observer of the link can't tell that one was asked; what is
outstanding is bounded, and a lost link ends it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import trio

from mixnet.errors import RemoteError, Unavailable
from mixnet.link.frames import Frame, FrameKind
from mixnet.link.messages import Assembler, split

_OUTSTANDING = 4


class ProviderRequests:
    """The frames that wait for a slot, and the answers that are awaited."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake` is called when there is a frame to send."""
        self._wake = wake
        self._frames: deque[tuple[int, Frame]] = deque()
        self._answers: dict[int, trio.MemorySendChannel[bytes]] = {}
        self._assembler = Assembler()
        self._last = 0

    def next_frame(self) -> Frame | None:
        """What the next payload slot should carry."""
        return self._frames.popleft()[1] if self._frames else None

    async def ask(self, request: bytes, *, timeout: float) -> bytes:  # noqa: ASYNC109  # how long to wait for the answer
        """The answer to `request`; Unavailable if none came within `timeout` seconds, or the link was lost."""
        if len(self._answers) >= _OUTSTANDING:
            raise Unavailable("the provider has too many questions to answer already: try again later")
        self._last += 1
        number = self._last
        answered, answer = trio.open_memory_channel[bytes](1)
        self._answers[number] = answered
        self._frames.extend((number, frame) for frame in split(request, FrameKind.REQUEST, number))
        self._wake()
        try:
            with trio.fail_after(timeout):
                return await answer.receive()
        except (trio.TooSlowError, trio.EndOfChannel):
            raise Unavailable("the provider has not answered: trying again later") from None
        finally:
            self._answers.pop(number, None)
            self._frames = deque(waiting for waiting in self._frames if waiting[0] != number)
            answered.close()

    def take_untrusted(self, frame: Frame) -> None:
        """Part of an answer came down; RemoteError if it is malformed. One that nobody waits for is ignored."""
        complete = self._assembler.feed_untrusted(frame)
        if complete is None or complete[0] not in self._answers:
            return
        try:
            self._answers[complete[0]].send_nowait(complete[1])
        except trio.WouldBlock:
            raise RemoteError("two answers to one question") from None

    def link_lost(self) -> None:
        """What was asked on this link will not be answered."""
        self._frames.clear()
        self._assembler = Assembler()
        for channel in self._answers.values():
            channel.close()
