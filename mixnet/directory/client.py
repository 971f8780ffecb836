"""Asks the authorities on behalf of a command, and follows whom they introduce (spec/05-directory.md 5.11 and 5.12)."""

from __future__ import annotations

from contextlib import suppress

from mixnet.clock import WallClock
from mixnet.crypto import SigningKey
from mixnet.errors import Unavailable
from mixnet.link import Role
from mixnet.network import TCP
from mixnet.pki.document import Document
from mixnet.pki.fetch import fetch_document
from mixnet.pki.trust import Trust
from mixnet.randomness import SystemSource


async def newest_document(trust: Trust) -> tuple[Document, bytes]:
    """The newest document and its signed bytes; `trust` has followed everybody who was introduced."""
    return await fetch_document(
        trust,
        network=TCP(),
        clock=WallClock(),
        identity=SigningKey.generate(),  # the authorities need not know who looks
        role=Role.CLIENT,
        rng=SystemSource().stream("fetch"),
    )


async def followed(trust: Trust) -> Trust:
    """The same trust, after it followed whom it could: a network without a document can still be asked about."""
    with suppress(Unavailable):
        await newest_document(trust)
    return trust


def present(trust: Trust) -> int:
    """The epoch of now."""
    return int(trust.epochs.at(WallClock().now()))
