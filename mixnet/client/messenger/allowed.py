"""Who may send what: the one table of message bodies and of those who are heard with them (spec/07-client.md 7.3).

Promises: what no line allows is refused, so a body that is new, or a peer of a new kind, is heard nowhere until
somebody says so here. That a body is heard is not yet that it has a right: who handles it checks what it is about.
"""

from __future__ import annotations

from enum import StrEnum

from mixnet.client.e2e.anonymous_bodies import AnonymousBody, AnonymousText, Opening, Supply
from mixnet.client.e2e.bodies import (
    Abort,
    Body,
    Chunk,
    Confirm,
    DevicePiece,
    Disappear,
    Edit,
    End,
    Greeting,
    NoReceipt,
    Offer,
    Receipt,
    Refuse,
    Resume,
    Seen,
    SignedEdit,
    SignedEnd,
    SignedText,
    Text,
    Withdraw,
)
from mixnet.client.e2e.group_bodies import (
    GroupAnswer,
    GroupBehind,
    GroupChanges,
    GroupDiffer,
    GroupHello,
    GroupOffer,
    GroupPass,
    GroupPost,
    GroupReceipts,
    GroupSeen,
    GroupWant,
)
from mixnet.errors import RemoteError


class Peer(StrEnum):
    """What the other side of a session is to this profile."""

    CONTACT = "contact"  # of the user; nothing of a blocked one comes so far, others are established by what opens
    MEMBER = "member"  # known by a group only, or by one that it or we have left
    SATELLITE = "satellite"  # another device of the user, which asks this one
    HOME = "home"  # the device that this one asks
    STRANGER = "stranger"  # somebody anonymous, who wrote to an address of ours
    OWNER = "owner"  # the owner of an address to which we wrote without a name


_NOBODY: frozenset[Peer] = frozenset()
_USERS = frozenset({Peer.CONTACT})
_DEVICES = frozenset({Peer.SATELLITE, Peer.HOME})
_IN_GROUPS = frozenset({Peer.CONTACT, Peer.MEMBER})
_SESSIONS = _IN_GROUPS | _DEVICES

ALLOWED: dict[type[Body | AnonymousBody], frozenset[Peer]] = {
    Greeting: _NOBODY,  # it makes a session, and comes in none
    Confirm: _SESSIONS,
    Resume: _SESSIONS,
    Text: _USERS,
    SignedText: _USERS,
    Seen: _USERS,
    Receipt: _USERS,
    NoReceipt: _USERS,
    Edit: _USERS,
    SignedEdit: _USERS,
    Withdraw: _USERS,
    Disappear: _USERS,
    Offer: _USERS | _DEVICES,
    Chunk: _USERS | _DEVICES,
    End: _USERS | _DEVICES,
    SignedEnd: _USERS,
    Abort: _USERS | _DEVICES,
    Refuse: _USERS | _DEVICES,
    DevicePiece: _DEVICES,
    GroupOffer: _USERS,
    GroupAnswer: _USERS,
    GroupHello: _IN_GROUPS,
    GroupChanges: _IN_GROUPS,
    GroupWant: _IN_GROUPS,
    GroupPost: _IN_GROUPS,
    GroupReceipts: _IN_GROUPS,
    GroupPass: _IN_GROUPS,
    GroupSeen: _IN_GROUPS,
    GroupBehind: _IN_GROUPS,
    GroupDiffer: _IN_GROUPS,
    Opening: _NOBODY,  # as a greeting
    AnonymousText: frozenset({Peer.STRANGER, Peer.OWNER}),
    Supply: frozenset({Peer.STRANGER}),
}


def check_untrusted(peer: Peer | None, body: Body | AnonymousBody) -> None:
    """RemoteError unless somebody who is this (None: nothing that we know) may send such a body."""
    if peer not in ALLOWED.get(type(body), _NOBODY):
        raise RemoteError("a message that its sender may not send")
