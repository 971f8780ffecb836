"""Tags of delivered messages: a few bytes that tell two messages of one number apart. Pure.

A profile that was restored from a backup gives numbers again that others had already; without tags, an answer that
speaks of the earlier ones would be taken for one about the later ones.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from mixnet import crypto
from mixnet.crypto import Label

TAG_SIZE = 8
KEPT = 1000  # messages of a lane whose tags are remembered
SKIPPED = bytes(TAG_SIZE)  # in the place of a message that its sender gave up


def tag(ciphertext: bytes) -> bytes:
    """TAG_SIZE bytes of the hash of a message as it travelled."""
    return crypto.digest(Label.CHANNEL, b"taken", ciphertext)[:TAG_SIZE]


def agree(ours: bytes, number: int, next_number: int, tags: Sequence[bytes]) -> bool | None:
    """Whether the message `number` below `next_number` is the one that `tags` tell of; None if they don't tell."""
    at = number - (next_number - len(tags))
    if not 0 <= at < len(tags):
        return None
    return hmac.compare_digest(ours, tags[at])
