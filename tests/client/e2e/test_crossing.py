"""Every field of everything that leaves for another person, and why it tells nothing of anybody else.

A new field without a row here fails: say what it is. No row may be a count, a time or a size over several contacts.
"""

import dataclasses
from typing import get_args

import msgspec
import pytest

from client.arq.acks import Ack, LaneReport
from client.arq.fragments import Fragment, Probe, ReplyBlock
from client.e2e import anonymous_bodies, bodies, group_changes
from client.e2e.group_bodies import GroupBody
from client.e2e.invitation import Invitation
from client.e2e.public_address import PublicAddress
from client.e2e.statements import Origin
from client.groups import posts
from client.model.destination import Destination
from tests.client.worlds.acks import CHANNEL

RANDOM = "drawn at random for this message"
SAID = "what the user says to just these people"
OWN = "of this very message, file or session"
PLACE = "where the user is reached: one for all, so contacts can tell that it is one person, and nothing more"
KEY = "a key, a signature, a MAC or a digest"
SESSION = "counts in this session, which has two people"
GROUP = "counts or names something in this group, for its members: of all members alike, and of no other conversation"
MOMENT = "whole seconds, said on purpose by whoever signs or limits a message"
NAMED = "which other group, member or tree it is about"

FIELDS = {
    "Greeting": {"name": SAID, "provider": PLACE, "mailbox": PLACE, "sphinx_public": PLACE},
    "Confirm": {},
    "Text": {"id": RANDOM, "text": SAID},
    "Offer": {"id": RANDOM, "name": SAID, "size": OWN},
    "Chunk": {"id": RANDOM, "position": OWN, "content": SAID},
    "End": {"id": RANDOM, "digest": KEY},
    "Abort": {"id": RANDOM, "reason": OWN},
    "Refuse": {"id": RANDOM, "reason": OWN},
    "Seen": {"ids": RANDOM},
    "SignedText": {"id": RANDOM, "text": SAID, "time": MOMENT, "signature": KEY},
    "SignedEnd": {"id": RANDOM, "digest": KEY, "time": MOMENT, "signature": KEY},
    "Receipt": {"id": RANDOM, "kind": SAID, "time": MOMENT, "signature": KEY},
    "NoReceipt": {"id": RANDOM, "why": SAID},
    "Resume": {"heard": KEY, "spoke": KEY, "expected": SESSION, "tags": KEY, "asks": OWN},
    "DevicePiece": {"lane": OWN, "left": OWN, "content": "for the user's own devices, which have the whole archive"},
    "GroupOffer": {"group": KEY, "title": SAID},
    "GroupAnswer": {"group": KEY, "key": KEY, "agree": KEY, "name": SAID},
    "GroupHello": {"group": KEY, "key": KEY, "tag": KEY, "first": GROUP, "heads": KEY},
    "GroupChanges": {"group": KEY, "changes": SAID},
    "GroupWant": {"group": KEY, "heads": KEY},
    "GroupPost": {"post": SAID, "plan": GROUP, "onward": NAMED, "spares": GROUP},
    "GroupReceipts": {"group": KEY, "author": KEY, "number": GROUP, "plan": GROUP, "receipts": KEY},
    "GroupPass": {"group": KEY, "source": KEY, "target": KEY, "sealed": SAID},
    "GroupSeen": {"group": KEY, "numbers": GROUP},
    "GroupBehind": {"group": KEY, "number": GROUP, "post": SAID},
    "Opening": {"blocks": KEY},
    "AnonymousText": {"text": SAID},
    "Supply": {"blocks": KEY, "next_number": SESSION, "partial": SESSION},
    # what is inside of a group's post and change
    "post": {
        **{"group": KEY, "author": KEY, "number": GROUP, "floor": GROUP, "heads": KEY, "text": SAID, "change": SAID},
        **{"expires": MOMENT, "lapsing": GROUP},
    },
    "change": {
        **{"group": KEY, "parents": KEY, "author": KEY, "kind": SAID, "subject": KEY, "agree": KEY, "name": SAID},
        "title": SAID,
    },
    "Origin": {
        **{"network": KEY, "sender": KEY, "receiver": KEY, "number": RANDOM, "time": MOMENT, "kind": OWN, "size": OWN},
        "digest": KEY,
    },
    # what they travel in
    "Fragment": {"lane": OWN, "number": SESSION, "floor": SESSION, "index": OWN, "length": OWN, "part": SAID},
    "Probe": {"floors": SESSION},
    "Ack": {
        "newest": "the number that the reader itself gave to its packet",
        "held": "milliseconds that this session's packet waited here: docs/attacks.md says what that shows",
        **{"lanes": SESSION, "broken": OWN},
    },
    "LaneReport": {"next_number": SESSION, "partial": SESSION, "tags": KEY},
    "ReplyBlock": {"surb": KEY, "until": "the end of an epoch, alike for all who live in it"},
    # what is handed over
    "Invitation": {
        **{"name": SAID, "network_id": KEY, "destination": PLACE, "keys": KEY, "secret": KEY},
        **{"expires": MOMENT, "device": OWN},
    },
    "PublicAddress": {"network_id": KEY, "destination": PLACE, "keys": KEY, "expires": MOMENT},
    "Destination": {"provider": PLACE, "mailbox": PLACE, "sphinx_public": PLACE},
}
STRUCTS = {
    **{one.__name__: one for one in (*get_args(bodies.Body), *get_args(anonymous_bodies.AnonymousBody), Origin)},
    **{one.__name__: one for one in get_args(GroupBody)},
    "post": posts._Core,
    "change": group_changes._Core,
}
CLASSES = {
    one.__name__: one for one in (Fragment, Probe, Ack, LaneReport, ReplyBlock, Invitation, PublicAddress, Destination)
}


def fields(name):
    if name in STRUCTS:
        return {field.name: field.type for field in msgspec.structs.fields(STRUCTS[name])}
    return {field.name: field.type for field in dataclasses.fields(CLASSES[name])}


def test_everything_that_leaves_is_in_the_table():
    assert set(STRUCTS) | set(CLASSES) == set(FIELDS)
    assert len(STRUCTS) > 25


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_says_why_it_tells_nothing_of_others(name):
    assert set(fields(name)) == set(FIELDS[name])


def kinds_of(kind) -> set:
    """A type and all that it is made of."""
    inner = (one for part in get_args(kind) for one in kinds_of(part))
    return {kind, *inner}


@pytest.mark.parametrize("name", STRUCTS)
def test_no_field_is_a_time_with_a_fraction_that_shows_a_clock(name):
    for kind in fields(name).values():
        assert float not in kinds_of(kind)


@pytest.mark.parametrize("name", STRUCTS)
def test_what_is_called_random_has_the_type_that_only_a_draw_gives(name):
    for field, kind in fields(name).items():
        if FIELDS[name][field] is RANDOM and name != "Origin":  # which knows whole numbers only
            assert bodies.WireId in kinds_of(kind), f"{name}.{field}"


def test_the_fields_of_an_acknowledgement_are_all_that_is_packed():
    """Control: a number more would make the bytes longer than they are."""
    assert len(Ack(1, 0.0, (LaneReport(0, {}),) * 2).encode(CHANNEL)) == 1 + 16 + 16 + 4 + 2 + 2 * (4 + 1 + 1)
