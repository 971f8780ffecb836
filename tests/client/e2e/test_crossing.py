"""Every field of everything that leaves for another person, and why it tells nothing of anybody else.

A new field without a row in tests/client/worlds/fields.py fails: say what it is.
"""

import dataclasses
from typing import get_args

import msgspec
import pytest

from mixnet.client.arq.acks import Ack, LaneReport
from mixnet.client.arq.fragments import Fragment, Probe, ReplyBlock
from mixnet.client.e2e import anonymous_bodies, bodies, group_changes, renewal_request
from mixnet.client.e2e.group_bodies import GroupBody
from mixnet.client.e2e.invitation import Invitation
from mixnet.client.e2e.public_address import PublicAddress
from mixnet.client.e2e.statements import Origin
from mixnet.client.groups import posts
from mixnet.client.model.destination import Destination
from tests.client.worlds.acks import CHANNEL
from tests.client.worlds.fields import FIELDS, RANDOM

STRUCTS = {
    **{one.__name__: one for one in (*get_args(bodies.Body), *get_args(anonymous_bodies.AnonymousBody), Origin)},
    **{one.__name__: one for one in get_args(GroupBody)},
    "post": posts._Core,
    "what a post says": posts._Content,
    "deed": posts.Deed,
    "signed post": posts._Signed,
    "change": group_changes._Core,
    "what a renewal request says": renewal_request._Content,
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
