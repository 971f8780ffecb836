"""A blocked contact gets the silence of an absent person, exactly (spec/07-client.md 7.1, 7.17)."""

import random
from contextlib import suppress

import pytest

from mixnet.client.arq.fragments import ProbeToSend, ReplyBlock
from mixnet.client.core.conversation import Parcel
from mixnet.client.core.outgoing import OutgoingFragment
from mixnet.client.model.views import ContactState, MessageState
from mixnet.errors import RemoteError
from mixnet.sphinx import GEOMETRY, Surb
from tests.client.worlds import channel as worlds
from tests.client.worlds.bodies import TYPES, Hostile
from tests.client.worlds.channel import Channel
from tests.client.worlds.circle import CLUB, Circle
from tests.client.worlds.friends import befriend

QUIET = 120.0  # seconds in which nothing may leave


def stored(person):
    """All rows of a profile's store."""
    names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'found%' AND name NOT LIKE 'sqlite%'"
    return {name: person.store.all(f"SELECT * FROM {name}") for (name,) in person.store.all(names)}


def packets(channel, name, contents):
    """Let packets arrive at once, each with a reply block if there is room for one."""
    surb = Surb(channel.rng.randbytes(32), bytes(GEOMETRY.header_size), bytes(16))
    for content, room in contents:
        made = ReplyBlock(surb.serialize(), int(channel.now + worlds.BLOCK_LIFE)) if room else None
        with suppress(RemoteError):
            channel[name].messenger.delivered_untrusted(content.encode(made), channel.now)


def leaves(channel, name, seconds=QUIET):
    """What leaves within some time, in steps of all lengths."""
    messenger, left, now = channel[name].messenger, [], channel.now
    step = 0.05
    while now < channel.now + seconds:
        outgoing = messenger.next_outgoing(now)
        if outgoing is not None:
            left.append(outgoing)
            messenger.transmitted(outgoing, now, 0.1)
        else:
            wake = messenger.wake_at()
            assert wake is None or wake > now, "nobody is kept awake for nothing"
            step *= 1.5
        now += step
    return left


@pytest.fixture(scope="module")
def circle(tmp_path_factory):
    """Bob is the victim; alice is his contact and in his group."""
    made = Circle(tmp_path_factory.mktemp("circle"), 3, seed=5)
    made.found()
    made["bob"].messenger.send_text("alice", "before", made.now)
    made["alice"].messenger.send_text("bob", "before", made.now)
    made.run(120)
    return made


def sent(circle, type_):
    """Packets of a message of this type from alice to bob, whole."""
    core, here = circle["alice"].messenger._core, circle["bob"].messenger
    group = here.groups._registry.named(CLUB)
    theirs = circle["alice"].messenger.groups._registry.known(group.identifier)
    history = circle["alice"].messenger.groups._registry.history(theirs)
    known = [group.identifier, group.me, here._core.identity_public, bytes(32), *history.heads]
    hostile = Hostile(random.Random(type_.__name__), known, [0, 1], theirs.key, group.identifier)
    hostile.heads = history.heads
    session = core.routes[core.contacts.named("bob").id]
    with core.change():
        session.post(Parcel(0, hostile.body(type_), None, False, 0, circle.now + 1e6))
        number = session.sender.next_number(0) - 1
        made = [
            (session.content(one), one.wants_surb) for one in iter(lambda: session.sender.next(0, circle.now), None)
        ]
        session.withdraw(0, number)
    return session, made


@pytest.mark.parametrize("type_", TYPES, ids=lambda one: one.__name__)
def test_whatever_a_blocked_contact_says_nothing_is_stored_and_nothing_leaves(circle, type_):
    bob = circle["bob"].messenger
    session, made = sent(circle, type_)
    bob.people.block("alice", circle.now)
    try:
        bob.take_events()
        before = stored(circle["bob"])
        probe = ProbeToSend(session.outgoing, 7, session.sender.floors())
        packets(circle, "bob", [*made, *made, (probe, True)])
        assert stored(circle["bob"]) == before
        assert leaves(circle, "bob", 600.0) == []
        assert bob.take_events() == []
    finally:
        bob.people.unblock("alice")


def test_an_open_contact_is_answered(circle):
    """As a control: the same packets make something leave if their sender is not blocked."""
    _, made = sent(circle, TYPES[2])
    packets(circle, "bob", made)
    assert leaves(circle, "bob", 10.0)


@pytest.mark.parametrize("victim", ["alice", "bob"])
@pytest.mark.parametrize("moment", [0.0, 0.3, 0.6, 1.0, 2.0])
def test_what_is_under_way_at_the_block_stops_there(tmp_path, victim, moment):
    """An introduction, texts both ways, and what is ready for a slot."""
    channel = Channel(tmp_path, 9)
    channel.introduce()
    other = {"alice": "bob", "bob": "alice"}[victim]
    channel.run(moment)
    me = channel[victim].messenger
    if me.contacts():
        me.send_text(other, "x" * 20_000, channel.now)
        if channel[other].messenger.contacts():
            channel[other].messenger.send_text(victim, "y" * 20_000, channel.now)
        channel.run(0.2)
        ready = me.next_outgoing(channel.now)
        me.people.block(other, channel.now)
        assert ready is None or not me.wants(ready)
        state = me.contacts()[0].state
        left = channel[victim].fragments, channel[victim].replies
        channel.run(QUIET)
        assert (channel[victim].fragments, channel[victim].replies) == left
        assert me.contacts()[0].state is state
        me.people.unblock(other)
        assert channel.run(
            900, lambda: all(one.contacts()[0].state is ContactState.ESTABLISHED for one in both(channel))
        )


def both(channel):
    return [person.messenger for person in channel.people.values() if person.messenger.contacts()]


def test_a_blocked_contact_finds_nobody_by_another_invitation_until_it_is_unblocked(tmp_path):
    channel = Channel(tmp_path, 4)
    befriend(channel)
    channel.run(10)
    bob = channel["bob"].messenger
    invitation = bob.create_invitation("bob", channel.now)
    bob.people.block("alice", channel.now)
    left = channel["bob"].fragments, channel["bob"].replies
    channel["alice"].messenger.accept_invitation(invitation.encode(), None, channel.now)
    channel.run(QUIET)
    assert (channel["bob"].fragments, channel["bob"].replies) == left
    assert len(bob.contacts()) == 1
    bob.people.unblock("alice")
    assert channel.run(900, lambda: not channel["alice"].messenger.contacts()[0].renewing)


def test_posts_of_others_arrive_around_a_blocked_member_and_receipts_for_its_own_don_t(tmp_path):
    circle = Circle(tmp_path, 5, seed=8)
    circle.found()
    circle.run(300)
    circle["bob"].messenger.people.block("alice", circle.now)
    sent_by = {name: [circle.send(name, f"{name} {turn}") for turn in range(3)] for name in circle.names}
    others = [(name, number) for name in ("carol", "dave", "erin") for number in sent_by[name]]
    assert circle.run(600, lambda: all(circle.delivered(name, number) for name, number in others))
    circle.run(600)
    for number in sent_by["alice"]:
        assert circle["alice"].messenger.message(number).reached == 3, "all but bob"
        assert circle["alice"].messenger.message(number).state is MessageState.SENT
    assert not any("alice" in text for text in circle.texts("bob"))
    to_alice = [
        one
        for one in leaves(circle, "bob", 60.0)
        if isinstance(one, OutgoingFragment) and one.destination.mailbox.startswith(b"alice")
    ]
    assert to_alice == []
