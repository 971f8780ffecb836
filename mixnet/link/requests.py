"""Questions and answers over a link: one message there, one message back (spec/03-links.md 3.5).

Promises: a question gets its own answer or an error, within its time; a peer's questions are answered in turn.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterable

import trio

from mixnet.errors import RemoteError, Unavailable
from mixnet.link.frames import FRAME_SIZE, Frame, FrameKind
from mixnet.link.messages import MESSAGE_LIMIT, Assembler, parts, split
from mixnet.link.stream import Link

BATCH = 10  # frames a write: a peer that takes nothing holds five copies of them
ANSWER_TIMEOUT = 30.0  # seconds

_numbers = itertools.count(1)


async def ask(
    link: Link,
    request: bytes,
    *,
    timeout: float = ANSWER_TIMEOUT,  # noqa: ASYNC109 -- it ends in Unavailable, as all that can't be reached does
) -> bytes:
    """The peer's answer to `request`, on a link that nobody else receives from.

    Unavailable if the link ends or `timeout` seconds pass, RemoteError if the peer sends anything but answers.
    """
    number = next(_numbers) % 2**32
    assembler = Assembler()
    with trio.move_on_after(timeout):
        await send_message(link, split(request, FrameKind.REQUEST, number))
        while True:
            try:
                frames = await link.receive()
            except trio.EndOfChannel:
                raise Unavailable("the peer ended the link without an answer") from None
            for frame in frames:
                if frame.kind is FrameKind.PAD:
                    continue
                if frame.kind is not FrameKind.RESPONSE:
                    raise RemoteError("an answer of another kind")
                complete = assembler.feed_untrusted(frame)
                if complete is not None and complete[0] == number:
                    return complete[1]
    raise Unavailable("the peer did not answer in time")


async def answer_requests(
    link: Link,
    answer: Callable[[bytes], Awaitable[bytes]],
    *,
    limit: int = MESSAGE_LIMIT,
    spend: Callable[[int], Awaitable[None]] | None = None,
) -> None:
    """Answer each request of the peer (`limit` bytes at most) until the link ends; RemoteError for anything else.

    `spend` is awaited for the bytes of all frames that came before they are looked at, and for those of each answer.
    """
    assembler = Assembler(limit=limit, streams=1)
    while True:
        try:
            frames = await link.receive()
        except trio.EndOfChannel:
            return
        if spend is not None:
            await spend(len(frames) * FRAME_SIZE)
        for frame in frames:
            if frame.kind is FrameKind.PAD:
                continue
            if frame.kind is not FrameKind.REQUEST:
                raise RemoteError("a request of another kind")
            complete = assembler.feed_untrusted(frame)
            if complete is not None:
                number, request = complete
                answered = await answer(request)
                if spend is not None:
                    await spend(len(answered))
                await send_message(link, parts(answered, FrameKind.RESPONSE, number))


async def send_message(link: Link, frames: Iterable[Frame]) -> None:
    """Send the frames of a message in batches, so that others can send between them."""
    rest = iter(frames)
    while batch := list(itertools.islice(rest, BATCH)):
        await link.send(batch)
