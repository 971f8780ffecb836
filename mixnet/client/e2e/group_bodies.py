"""The message bodies that members of a group send each other inside their sessions (spec/07-client.md 7.17).

Pure. Promises: every field is bounded here; what it means is checked by who handles it.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from mixnet.client.e2e.group_changes import PARENTS_LIMIT, SIZE_LIMIT, Key

RECEIPT_SIZE = 17  # a member's index, and its MAC
GROUP_BODY_LIMIT = 62_000
CHANGES_AT_ONCE = 40
SHOWN_LIMIT = 6144  # bytes of a post as its author signed it, without what it says
DIFFER_LIMIT = 8
_Number = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
_Plan = Annotated[int, msgspec.Meta(ge=0, lt=62)]
_Name = Annotated[str, msgspec.Meta(max_length=64)]
_Heads = Annotated[tuple[Key, ...], msgspec.Meta(max_length=PARENTS_LIMIT)]
_Mac = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]


class _GroupBody(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A msgpack array, the tag first."""


class GroupOffer(_GroupBody, frozen=True, tag=20):
    """An admin invites a contact to a group."""

    group: Key
    title: _Name


class GroupAnswer(_GroupBody, frozen=True, tag=21):
    """The contact wants to join, under these keys and this name."""

    group: Key
    key: Key
    agree: Key
    name: _Name


class GroupHello(_GroupBody, frozen=True, tag=22):
    """Whoever writes in this session is this member. `first`: the number of its first post for the receiver."""

    group: Key
    key: Key
    tag: _Mac
    first: _Number
    heads: _Heads


class GroupChanges(_GroupBody, frozen=True, tag=23):
    """Signed changes, each after those that it builds on."""

    group: Key
    changes: Annotated[
        tuple[Annotated[bytes, msgspec.Meta(max_length=SIZE_LIMIT)], ...], msgspec.Meta(max_length=CHANGES_AT_ONCE)
    ]


class GroupWant(_GroupBody, frozen=True, tag=24):
    """Which changes the sender has: the receiver may know more."""

    group: Key
    heads: _Heads


class GroupPost(_GroupBody, frozen=True, tag=25):
    """A signed post, to be passed on to `onward` (indices of members) by the tree number `plan` of its author.

    Who had it from nobody yet sends `spares` copies more, to members drawn at random.
    """

    post: Annotated[bytes, msgspec.Meta(max_length=GROUP_BODY_LIMIT)]
    plan: _Plan
    onward: Annotated[bytes, msgspec.Meta(max_length=100)]
    spares: Annotated[int, msgspec.Meta(ge=0, le=8)]


class GroupReceipts(_GroupBody, frozen=True, tag=26):
    """Receipts on their way up the tree `plan` to the author: (index of a member 1, MAC 16) each."""

    group: Key
    author: Key
    number: _Number
    plan: _Plan
    receipts: Annotated[bytes, msgspec.Meta(max_length=100 * RECEIPT_SIZE)]


class GroupPass(_GroupBody, frozen=True, tag=27):
    """An invitation of `source` for `target`, which only the two can read: pass it on."""

    group: Key
    source: Key
    target: Key
    sealed: Annotated[bytes, msgspec.Meta(max_length=4096)]


class GroupSeen(_GroupBody, frozen=True, tag=28):
    """The sender's user has read these posts of the receiver, by their numbers."""

    group: Key
    numbers: Annotated[tuple[_Number, ...], msgspec.Meta(max_length=500)]


class GroupBehind(_GroupBody, frozen=True, tag=29):
    """The receiver's post `number` is not the one that the sender has: `post`, signed by the receiver, shows it."""

    group: Key
    number: _Number
    post: Annotated[bytes, msgspec.Meta(max_length=GROUP_BODY_LIMIT)]


class GroupDiffer(_GroupBody, frozen=True, tag=30):
    """Posts as their authors signed them, without what they say: the receiver has others, by what it wrote.

    `asks`: the receiver shall show its own.
    """

    group: Key
    posts: Annotated[
        tuple[Annotated[bytes, msgspec.Meta(max_length=SHOWN_LIMIT)], ...], msgspec.Meta(max_length=DIFFER_LIMIT)
    ]
    asks: bool


GroupBody = (
    GroupOffer
    | GroupAnswer
    | GroupHello
    | GroupChanges
    | GroupWant
    | GroupPost
    | GroupReceipts
    | GroupPass
    | GroupSeen
    | GroupBehind
    | GroupDiffer
)
