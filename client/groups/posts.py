"""The encoding of a post, signed by its author (spec/07-client.md 7.17).

Promises: pure; whoever passes a post on can neither change it nor make one; members can tell who wrote it, and since
the author's key is tied to a person only inside deniable sessions, they can't prove that to others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import msgspec

from client.e2e.bodies import BODY_LIMIT, Number
from client.e2e.group_changes import PARENTS_LIMIT, SIZE_LIMIT, Key
from mixnet import crypto
from mixnet.crypto import Label, SigningKey
from mixnet.errors import RemoteError

LAPSING_LIMIT = 16  # posts of an author with a time of their own that may be under way
PASSED_LIMIT = 64  # posts before it, of which one says that they are not waited for
TEXT_LIMIT = BODY_LIMIT - 2048  # bytes of UTF-8: the rest is for keys, signature, heads and the way on
_Time = Annotated[int, msgspec.Meta(ge=0, lt=1 << 40)]


class _Core(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    group: Key
    author: Key
    number: Number
    floor: Number
    heads: Annotated[tuple[Key, ...], msgspec.Meta(min_length=1, max_length=PARENTS_LIMIT)]
    text: Annotated[str, msgspec.Meta(max_length=TEXT_LIMIT)]
    change: Annotated[bytes, msgspec.Meta(max_length=SIZE_LIMIT)]
    expires: _Time
    lapsing: Annotated[tuple[tuple[Number, _Time], ...], msgspec.Meta(max_length=LAPSING_LIMIT + PASSED_LIMIT + 1)]


class _Signed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    core: bytes
    signature: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


_CORE = msgspec.msgpack.Decoder(_Core)
_SIGNED = msgspec.msgpack.Decoder(_Signed)


@dataclass(frozen=True, slots=True)
class Post:
    """A text, a change of the group, or nothing but what isn't waited for, by `author`; `heads` say for which members.

    `number` counts an author's posts in the group; all below `floor` are delivered or given up. After `expires`
    (seconds since 1970; 0: as long as the network keeps messages) nobody takes it or passes it on; `lapsing` says that
    of earlier ones that are under way, by their numbers, or that one of them is not under way any more (0).
    """

    group: bytes
    author: bytes
    number: int
    floor: int
    heads: tuple[bytes, ...]
    text: str
    change: bytes
    expires: int
    lapsing: tuple[tuple[int, int], ...]
    raw: bytes = field(repr=False)

    @property
    def said(self) -> tuple[bytes, bytes]:
        """What it says: the text in UTF-8, and the change."""
        return self.text.encode(), self.change

    def is_over(self, now: float) -> bool:
        """Whether its time is over."""
        return bool(self.expires) and self.expires <= now


def write(
    key: SigningKey,
    group: bytes,
    number: int,
    floor: int,
    heads: tuple[bytes, ...],
    *,
    text: str = "",
    change: bytes = b"",
    expires: int = 0,
    lapsing: tuple[tuple[int, int], ...] = (),
) -> Post:
    """Sign a post."""
    core = _Core(group, key.public, number, floor, heads, text, change, expires, lapsing)
    encoded = msgspec.msgpack.encode(core)
    raw = msgspec.msgpack.encode(_Signed(encoded, key.sign(Label.GROUP_POST, encoded)))
    return Post(**msgspec.structs.asdict(core), raw=raw)


def parse_untrusted(raw: bytes) -> Post:
    """The post in `raw`; RemoteError unless it is whole, and signed by the author that it names."""
    try:
        signed = _SIGNED.decode(raw)
        core = _CORE.decode(signed.core)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise RemoteError("a group's message that is malformed") from None
    if core.floor > core.number or (core.text and core.change):
        raise RemoteError("a group's message whose fields contradict each other")
    crypto.verify_untrusted(core.author, Label.GROUP_POST, signed.core, signed.signature)
    return Post(**msgspec.structs.asdict(core), raw=raw)
