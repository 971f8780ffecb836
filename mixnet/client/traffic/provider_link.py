"""The link between a client and its provider, dialled again when it is lost (spec/04-mixing.md 4.5).

Promises: nothing but frames that were offered at their slots goes up; offering never waits, and a provider that is slow
or gone costs frames, which are counted, never a slot; a lost link is dialled again with capped, jittered pauses that
depend on nothing the user does; a provider that falls silent counts as gone.
Never: a look into a packet.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import replace

import trio

from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Link
from mixnet.link.frames import Frame, FrameKind
from mixnet.pki.waiting import Backoff

QUEUE = 64  # frames between the slots and the link
BATCH = 32  # frames in one write
FIRST_PAUSE = 0.5  # seconds
LONGEST_PAUSE = 30.0
PROVEN = 10.0  # seconds for which a link must last until the pauses start from the first again
SILENT_SLOTS = 100  # of the provider's schedule: if nothing comes for so long, the provider is gone
SHORTEST_SILENCE = 10.0  # seconds


def silence_limit(downlink_rate: float) -> float:
    """For how many seconds a provider with this schedule may say nothing; without a schedule, for ever."""
    return max(SHORTEST_SILENCE, SILENT_SLOTS / downlink_rate) if downlink_rate else float("inf")


class Overrun(RemoteError):
    """More mail came down than can be taken: the link is dropped and the mail comes again."""


class MovedElsewhere(RemoteError):
    """This profile was restored on another machine, which has its mailbox now: nothing is sent or received here.

    Use it there. To go on here: `mixnet profile backup PROFILE FILE`, then `mixnet profile restore FILE NEW-NAME`.
    """


class ProviderLink:
    """Offers frames to the link that is up now, if one is."""

    def __init__(
        self,
        dial: Callable[[], Awaitable[Link]],
        *,
        jitter: random.Random,
        silence: Callable[[], float],
        kept: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint,
    ) -> None:
        """`silence()` seconds without a frame end a link; `kept` hears that the provider serves our mailbox on one."""
        self._dial, self._jitter, self._silence, self._kept = dial, jitter, silence, kept
        self._queue: trio.MemorySendChannel[Frame] | None = None
        self.acknowledged = 0  # the newest down frame that is dealt with; goes up with every frame
        self.lost_frames = 0
        self.connections = 0
        self.problem = "not connected yet"
        self.moved = False  # a restored copy of the profile has its mailbox: for as long as this process lasts

    @property
    def connected(self) -> bool:
        """Whether a link is up."""
        return self._queue is not None

    def offer(self, frame: Frame) -> bool:
        """Send a frame up now; False, and counted, if no link is up or the link is too slow."""
        if self._queue is not None:
            try:
                self._queue.send_nowait(frame)
            except trio.WouldBlock:
                pass
            else:
                return True
        self.lost_frames += 1
        return False

    def receipt(self, sequence: int) -> Callable[[], None]:
        """What to call when the down frame `sequence` is dealt with: the provider may forget it.

        Frames are numbered anew on each link, so a receipt of a link that ended says nothing.
        """
        link = self.connections

        def deal() -> None:
            if link == self.connections:
                self.acknowledged = sequence

        return deal

    async def keep_up(self, on_frame: Callable[[Frame], None], on_lost: Callable[[], None]) -> None:
        """Keep a link up, for ever. `on_frame` gets what comes down, `on_lost` hears of its end; neither may wait."""
        backoff = self._fresh_backoff()
        while True:
            started = trio.current_time()
            try:
                async with await self._dial() as link:
                    await self._use(link, on_frame, on_lost)
            except (Unavailable, RemoteError, trio.EndOfChannel) as error:
                self.problem = str(error) or "the provider closed the link"
            if self.moved:
                await trio.sleep_forever()  # each try would only say so again
            if trio.current_time() - started > PROVEN:
                backoff = self._fresh_backoff()
            await backoff.pause()

    def _fresh_backoff(self) -> Backoff:
        """Pauses from the shortest on."""
        return Backoff(self._jitter, first=FIRST_PAUSE, most=LONGEST_PAUSE)

    async def _use(self, link: Link, on_frame: Callable[[Frame], None], on_lost: Callable[[], None]) -> None:
        """Send and receive until the link ends."""
        sending, waiting = trio.open_memory_channel[Frame](QUEUE)
        self.acknowledged = 0
        self.connections += 1
        # Nothing is awaited between the end of the channel and that of `_queue`: a slot would find it closed.
        with sending, waiting:
            self._queue, self.problem = sending, ""
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(link.end_after_silence, self._silence())
                    nursery.start_soon(self._send, link, waiting)
                    frames = await link.receive()
                    if any(frame.kind is FrameKind.MOVED for frame in frames):
                        self.moved = True
                        raise MovedElsewhere
                    await self._kept()
                    while True:
                        for frame in frames:
                            _hand_untrusted(frame, on_frame)
                        frames = await link.receive()
            except* (Unavailable, RemoteError, trio.EndOfChannel, trio.BrokenResourceError) as ended:
                self.problem = _first_line(ended)
            finally:
                self._queue = None
                on_lost()

    async def _send(self, link: Link, waiting: trio.MemoryReceiveChannel[Frame]) -> None:
        async for frame in waiting:
            batch = [frame]
            while len(batch) < BATCH:
                try:
                    batch.append(waiting.receive_nowait())
                except trio.WouldBlock:
                    break
            await link.send([replace(one, acknowledged=self.acknowledged) for one in batch])


def _hand_untrusted(frame: Frame, on_frame: Callable[[Frame], None]) -> None:
    """Whatever a provider's frame makes go wrong ends its link, and nothing else: RemoteError."""
    try:
        on_frame(frame)
    except RemoteError:
        raise
    except Exception as error:
        raise RemoteError("a frame of the provider that this program can't deal with") from error


def _first_line(group: BaseExceptionGroup[BaseException]) -> str:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or "the provider closed the link: trying again"
