"""One user's mail at a provider: put there, and fetched."""

from __future__ import annotations

import trio

from mixnet.crypto import SigningKey, SphinxSecret
from mixnet.link import Frame, FrameKind, Link
from mixnet.sphinx import Deliver
from tests.mixnode.town import Town, packet_frame

ME, SECRET = SigningKey(bytes([7]) * 32), SphinxSecret(bytes([9]) * 32)


async def deposit(town: Town, messages: list[bytes], mailbox: bytes = ME.public) -> None:
    """Put messages into a mailbox, as the last layer of mixes does."""
    provider = town.providers[0]
    async with await town.as_node(town.mixes[-1], provider) as link:
        await link.send([packet_frame(town.mail(mailbox, SECRET, message, [provider])) for message in messages])
        await trio.sleep(1)


async def fetch(town: Town, link: Link, count: int, *, acknowledge: bool = True) -> list[bytes]:
    """The next `count` messages of mail; every frame is acknowledged in dummies."""
    messages: list[bytes] = []
    sequence = 0
    with trio.fail_after(1000):
        while len(messages) < count:
            for frame in await link.receive():
                assert frame.sequence == sequence + 1
                sequence = frame.sequence
                if frame.kind is FrameKind.MAIL:
                    peeled = town.engine.peel_untrusted(SECRET, frame.body)
                    assert isinstance(peeled, Deliver)
                    messages.append(peeled.message)
            if acknowledge:
                await link.send([Frame(FrameKind.PAD, acknowledged=sequence)])
                await trio.sleep(0.2)
    return messages
