"""The pages of a long list: how much one answer carries; a program asks again after the last one it got."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from mixnet.client.model.views import MessageInfo

PAGE = 200  # messages in one answer
PAGE_BYTES = 1 << 19  # of texts and paths in one answer
T = TypeVar("T")


def page(found: Sequence[T], size: Callable[[T], int]) -> list[T]:
    """As many as one answer may carry, one at least; `size` is in bytes."""
    taken: list[T] = []
    total = 0
    for one in found:
        total += size(one)
        if taken and total > PAGE_BYTES:
            break
        taken.append(one)
    return taken


def message_size(message: MessageInfo) -> int:
    """Bytes of a message that may be many."""
    return len(message.text.encode()) + len(message.path.encode())
