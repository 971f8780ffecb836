"""What fails because of one member, one post or one group fails alone: nothing else waits for it, and nothing turns."""

import pytest

from mixnet.client.e2e import group_changes
from mixnet.client.e2e.group_bodies import GroupChanges, GroupOffer
from mixnet.client.e2e.group_changes import ChangeKind, Newcomer
from mixnet.client.groups.deliveries import Deliveries
from mixnet.client.groups.membership import Membership
from mixnet.client.groups.relay import CopyQueue
from mixnet.client.model.group_views import GroupState
from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError
from tests.client.worlds.channel import Channel
from tests.client.worlds.circle import CLUB, Circle


@pytest.fixture
def circle(tmp_path):
    made = Circle(tmp_path, 4)
    made.found()
    return made


def failing(original, when, failed):
    """The method, which fails for some of its arguments."""

    def fails(self, *args, **kwargs):
        if when(*args, **kwargs):
            failed.append(args)
            raise KeyError
        return original(self, *args, **kwargs)

    return fails


def still(person, now):
    """Whether it waits for something that is not there already."""
    due = person.messenger.wake_at()
    return due is None or due > now


@pytest.mark.faults
def test_a_greeting_that_fails_keeps_no_other_back(circle, monkeypatch):
    alice, failed = circle["alice"].messenger, []
    group = alice.groups._registry.named(CLUB)
    bob = next(key for key, one in alice.groups._registry.roster(group).members.items() if one.name == "bob")
    monkeypatch.setattr(Membership, "_greet", failing(Membership._greet, lambda _g, key, *_: key == bob, failed))
    circle["alice"].store.run("UPDATE group_peers SET greeted = 0 WHERE grp = ?", group.id)
    alice._core.version += 1
    circle.run(10)
    assert len(failed) == 1 and alice.faults == 1
    assert {peer.greeted for peer in alice.groups._registry.peers(group).values()} == {True}
    assert still(circle["alice"], circle.now)


@pytest.mark.faults
def test_a_copy_that_cannot_be_sent_is_given_up_and_the_rest_arrives(circle, monkeypatch):
    alice, failed = circle["alice"].messenger, []
    bob = alice._core.contacts.named("bob").id
    original = CopyQueue.send
    monkeypatch.setattr(CopyQueue, "send", failing(original, lambda hop, _now: hop.contact == bob, failed))
    number = circle.send("alice", "for all")
    circle.run(15)
    assert {"carol", "dave"} <= {name for name in circle.names if "for all" in circle.texts(name)}
    assert failed
    monkeypatch.setattr(CopyQueue, "send", original)
    assert circle["alice"].messenger.message(number).reached >= 2


@pytest.mark.faults
def test_a_post_that_cannot_be_looked_after_stops_no_other(circle, monkeypatch):
    failed = []
    circle["dave"].online = False
    first = circle.send("alice", "first")
    stored = circle["alice"].store.one("SELECT id FROM group_posts WHERE message = ?", first)[0]
    original = Deliveries._look_after_one
    monkeypatch.setattr(Deliveries, "_look_after_one", failing(original, lambda post, _now: post == stored, failed))
    circle.run(20)
    assert len(failed) == 1
    circle["dave"].online = True
    second = circle.send("alice", "second")
    assert circle.run(120, lambda: circle.delivered("alice", second))


@pytest.mark.faults
def test_an_introduction_that_fails_is_not_tried_for_ever(circle, monkeypatch):
    failed = []
    monkeypatch.setattr(Membership, "_introduce_to", failing(Membership._introduce_to, lambda *_: True, failed))
    erin = circle.join("erin")
    circle.introduce("alice", "erin")
    circle.run(60)
    circle.groups("alice").invite(CLUB, "erin", circle.now)
    circle.run(60)
    circle.groups("erin").accept(CLUB, circle.now)
    circle.run(20)
    for _ in range(10):
        circle.now += 3600.0
        erin.messenger.next_outgoing(circle.now)
    assert 0 < len(failed) <= 3
    assert erin.messenger.groups.show(CLUB).state is GroupState.MEMBER
    assert still(erin, circle.now)


@pytest.fixture
def pair(tmp_path):
    made = Channel(tmp_path, 1, names=("mallory", "victim"))
    made.introduce("mallory", "victim")
    made.run(60)
    return made


def say(pair, *bodies):
    core = pair["mallory"].messenger._core
    row = core.contacts.known(pair["victim"].messenger._core.identity_public).id
    for body in bodies:
        core.enqueue(row, 0, body, None, pair.now)
    pair.run(60)


@pytest.mark.parametrize("kind", list(ChangeKind)[1:])
def test_a_group_that_begins_with_another_change_than_a_create_is_none(pair, kind):
    key = SigningKey.generate()
    if kind is ChangeKind.RENAME:
        made = group_changes.rename(key, bytes(32), (bytes(32),), "party")
    elif kind is ChangeKind.ADD:
        made = group_changes.add(key, bytes(32), (bytes(32),), Newcomer(key.public, b"a" * 32, "x"))
    else:
        made = group_changes.about(key, bytes(32), (bytes(32),), kind, key.public)
    say(pair, GroupOffer(made.hash, "party"))
    pair["victim"].messenger.groups.accept("party", pair.now)
    say(pair, GroupChanges(made.hash, (made.raw,)))
    assert pair["victim"].messenger.groups.show("party").state is GroupState.JOINING
    assert pair["victim"].refused == 1 and pair["victim"].messenger.faults == 0
    pair["victim"].crash()
    assert pair["victim"].messenger.next_outgoing(pair.now) is None
    pair["mallory"].messenger.send_text("victim", "hi", pair.now)
    pair.run(60)
    assert pair["victim"].inbox() == ["hi"]


@pytest.mark.parametrize("agree", [bytes(32), b"\1" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"])
@pytest.mark.parametrize("joins", [ChangeKind.CREATE, ChangeKind.ADD])
def test_a_member_with_a_key_of_low_order_is_refused(joins, agree):
    """Nobody could agree with it on a secret: it would stop whoever wants to greet it."""
    key = SigningKey.generate()
    if joins is ChangeKind.CREATE:
        made = group_changes.create(key, agree, "x", "club")
    else:
        made = group_changes.add(key, bytes(32), (bytes(32),), Newcomer(b"k" * 32, agree, "x"))
    with pytest.raises(RemoteError, match="low order"):
        group_changes.parse_untrusted(made.raw)
