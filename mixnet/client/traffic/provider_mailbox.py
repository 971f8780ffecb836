"""The client's own mailbox at its provider: asks what it holds, and erases it (spec/06-providers.md 6.4).

Promises: a question travels in payload slots and its answer among the down frames, so nobody on the link can tell that
one was asked; it is asked up to three times, and what came of it is said: done, or not known. An erased mailbox that
stays ours is registered anew by the provider in the same moment, so nothing that comes later is lost.
Never: a name of a mailbox in a request. The link proves whose it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isnan
from typing import Annotated

import msgspec
import trio

from mixnet.client.traffic.provider_requests import ProviderRequests
from mixnet.errors import RemoteError, Unavailable

TRIES = 3  # a provider that is answering something else drops a question
SHORTEST_PATIENCE = 10.0  # seconds for one try
SLOTS = 30  # of either schedule, for which an answer may take: others may wait in front
_ERASED = b"erased"
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Time = Annotated[float, msgspec.Meta(ge=0, le=1e11)]  # what any clock can show


class ProviderAway(Unavailable):
    """The provider can't be reached now, and nothing was asked of it: try again once the daemon is connected."""


class NotAnswered(Unavailable):
    """The provider has not answered: ask again later; nothing is known of what it did."""


class AskAccount(msgspec.Struct, frozen=True, tag_field="op", tag="account"):
    """What do you keep of my mailbox?"""


class AskErase(msgspec.Struct, frozen=True, tag_field="op", tag="erase", omit_defaults=True):
    """Delete my mailbox and all it holds; with `again`, register it anew in that moment."""

    again: bool = False


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A provider's answer to AskAccount."""

    packets: _Count
    bytes: _Count
    expires: _Time
    next_expiry: _Time | None


@dataclass(frozen=True, slots=True)
class MailboxInfo:
    """What a provider says that it keeps of us; times in seconds since the Unix epoch.

    `mailbox` and `provider` are identities, 64 hexadecimal digits. Without a mailbox there (`registered` is false)
    the figures are 0 and the times None. `next_expiry` is when the oldest packet is deleted, fetched or not.
    """

    mailbox: str
    provider: str
    registered: bool
    packets: int = 0
    bytes: int = 0
    expires: float | None = None
    next_expiry: float | None = None


@dataclass(frozen=True, slots=True)
class ProviderMailbox:
    """How our provider is reached: whose mailbox, the questions, and (payload, down-link) slots a second.

    `connected` tells whether a link is up; `forget_loops` is called when loops on their way may have been erased.
    """

    mailbox: bytes
    provider: bytes
    requests: ProviderRequests
    rates: Callable[[], tuple[float, float]]
    connected: Callable[[], bool]
    forget_loops: Callable[[], None]


async def look(post: ProviderMailbox) -> MailboxInfo:
    """What the provider keeps of our mailbox; ProviderAway, NotAnswered, RemoteError."""
    kept = account_untrusted(await _ask(post, AskAccount()))
    mailbox, provider = post.mailbox.hex(), post.provider.hex()
    if kept is None:
        return MailboxInfo(mailbox, provider, registered=False)
    return MailboxInfo(mailbox, provider, True, kept.packets, kept.bytes, kept.expires, kept.next_expiry)


async def erase(post: ProviderMailbox, *, again: bool) -> None:
    """Have the mailbox deleted, and with `again` registered anew; ProviderAway, NotAnswered, RemoteError."""
    if await _ask(post, AskErase(again)) != _ERASED:
        raise RemoteError("the provider's answer says neither yes nor no: nothing is known of what it did; ask again")
    post.forget_loops()


def account_untrusted(raw: bytes) -> _Kept | None:
    """The answer to AskAccount; None if there is no such mailbox. RemoteError if it is no answer."""
    try:
        kept = msgspec.msgpack.decode(raw, type=_Kept | None)
        if kept is not None and (isnan(kept.expires) or isnan(kept.next_expiry or 0.0)):
            raise ValueError("no number")
        return kept
    except (ValueError, RecursionError):
        raise RemoteError("the provider's answer can't be read: it may be of another version") from None


async def _ask(post: ProviderMailbox, question: msgspec.Struct) -> bytes:
    """The answer to a question that may be asked twice without harm."""
    if not post.connected():
        raise ProviderAway
    patience = max(SHORTEST_PATIENCE, sum(SLOTS / rate for rate in post.rates() if rate))
    for _ in range(TRIES):
        try:
            return await post.requests.ask(msgspec.msgpack.encode(question), timeout=patience)
        except Unavailable:
            await trio.lowlevel.checkpoint()  # an attempt may fail at once: the link was lost
    raise NotAnswered
