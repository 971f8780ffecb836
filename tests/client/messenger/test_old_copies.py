"""A profile that was restored from an old copy: both users are told, and nothing stays under way for ever."""

import itertools

import pytest

from mixnet.client.messenger.old_copies import ANONYMOUS, BETWEEN_DEVICES, BROKEN, LAPSED, OUTDATED, TOLD, UNOPENED
from mixnet.client.model.views import MessageState
from tests.client.worlds.channel import Channel
from tests.client.worlds.circle import Circle
from tests.client.worlds.crashes import copy, restore
from tests.client.worlds.devices import HOME, PHONE, Family
from tests.client.worlds.friends import befriend, errors

DAY = 86_400
OTHER = {"alice": "bob", "bob": "alice"}


@pytest.fixture
def channel(tmp_path):
    made = Channel(tmp_path, seed=3)
    befriend(made)
    made.run(10)
    exchange(made, 2, ("alice", "bob"))
    return made


def exchange(channel, rounds, writers):
    for n in range(rounds):
        for me in writers:
            channel[me].messenger.send_text(OTHER[me], f"{n} of {me}", channel.now)
            assert channel.run(120, channel.settled)
    channel.run(30)


def write(channel, writers, text="new"):
    return [(me, channel[me].messenger.send_text(OTHER[me], text, channel.now)) for me in writers]


def outcomes(channel, sent):
    return [(message.state, message.error) for message in (channel[me].messenger.message(n) for me, n in sent)]


WRITERS = [("bob",), ("alice",), ("alice", "bob")]
SINCE = [("alice",), ("bob",), ("alice", "bob")]


@pytest.mark.parametrize(("rounds", "since", "writers"), list(itertools.product([1, 3, 20], SINCE, WRITERS)))
def test_both_are_told_within_a_round_if_anything_does_not_arrive(channel, rounds, since, writers):
    """Bob restores a copy of `rounds` rounds ago, in which these have written; then these write."""
    saved = copy(channel["bob"])
    exchange(channel, rounds, since)
    restore(channel["bob"], saved)
    sent = write(channel, writers)
    channel.run(60)
    arrived = ["new" in channel[OTHER[me]].inbox() for me, _ in sent]
    told = [errors(channel[me]) for me in ("alice", "bob")]
    if all(arrived):  # nothing was broken: what had happened since turned no ratchet that these need
        assert told == [[], []] and {state for state, _ in outcomes(channel, sent)} == {MessageState.DELIVERED}
        return
    assert [len(one) for one in told] == [1, 1] and {*told[0], *told[1]} <= set(BROKEN)
    for (state, _), came in zip(outcomes(channel, sent), arrived, strict=True):
        assert (state is MessageState.DELIVERED) is came
    later = channel.now + 7 * DAY + 1
    for name in ("alice", "bob"):
        channel[name].messenger.expire(later)
    for (state, error), came in zip(outcomes(channel, sent), arrived, strict=True):
        assert (state, error) == ((MessageState.DELIVERED, "") if came else (MessageState.FAILED, LAPSED))


def test_who_writes_from_the_old_copy_and_who_reads_it_are_each_told_what_they_see(channel):
    saved = copy(channel["bob"])
    exchange(channel, 2, ("alice", "bob"))
    restore(channel["bob"], saved)
    write(channel, ("bob",))
    channel.run(60)
    assert (errors(channel["alice"]), errors(channel["bob"])) == ([TOLD], [OUTDATED])


def test_who_writes_to_the_old_copy_is_told_what_it_could_not_open(channel):
    saved = copy(channel["bob"])
    exchange(channel, 2, ("alice", "bob"))
    restore(channel["bob"], saved)
    write(channel, ("alice",))
    channel.run(60)
    assert (errors(channel["alice"]), errors(channel["bob"])) == ([TOLD], [UNOPENED])
    before = channel["alice"].fragments
    channel.rest(3600)
    assert channel["alice"].fragments - before < 100, "ever more seldom: nothing of it can be opened"


@pytest.mark.parametrize("inviter", ["alice", "bob"])
@pytest.mark.parametrize("writers", [("bob",), ("alice", "bob")])
def test_a_copy_from_before_a_renewal_is_told_as_soon_as_it_writes(channel, inviter, writers):
    """The session in which it writes was given up by its own user's newer copy."""
    saved = copy(channel["bob"])
    channel.introduce(inviter, OTHER[inviter])
    channel.run(60)
    exchange(channel, 1, ("alice", "bob"))
    channel.rest(3700)
    restore(channel["bob"], saved)
    sent = write(channel, writers)
    channel.run(60)
    assert (errors(channel["alice"]), errors(channel["bob"])) == ([TOLD], [TOLD])
    assert {state for state, _ in outcomes(channel, sent)} == {MessageState.SENT}
    replies = channel["alice"].replies
    channel.rest(3600)
    assert channel["alice"].replies - replies <= 7  # one in ten minutes at most: it is no work to be ordered
    channel.introduce("bob", "alice")
    assert channel.run(600, channel.settled)
    assert {state for state, _ in outcomes(channel, sent)} == {MessageState.DELIVERED}


def test_what_was_under_way_at_a_renewal_is_no_sign_of_an_old_copy(channel):
    """Bob accepts an invitation and is away: what he sent before comes late, in a session that alice gave up."""
    channel.loss = 0.3
    for n in range(30):
        channel["bob"].messenger.send_text("alice", f"{n}", channel.now)
    channel.introduce("alice", "bob")
    channel.run(2)
    channel["bob"].online = False
    channel.rest(2 * 3600)
    channel["bob"].online = True
    assert channel.run(900, channel.settled)
    assert errors(channel["alice"]) == errors(channel["bob"]) == []


def test_a_blocked_contact_with_an_old_copy_is_told_nothing(channel):
    saved = copy(channel["bob"])
    channel.introduce("alice", "bob")
    channel.run(60)
    exchange(channel, 1, ("alice", "bob"))
    channel.rest(3700)
    channel["alice"].messenger.people.block("bob", channel.now)
    restore(channel["bob"], saved)
    write(channel, ("bob",))
    replies = channel["alice"].replies
    channel.run(60)
    assert channel["alice"].replies == replies and errors(channel["alice"]) == errors(channel["bob"]) == []


def test_one_who_restores_and_renews_is_told_no_more(channel):
    saved = copy(channel["bob"])
    exchange(channel, 2, ("alice", "bob"))
    restore(channel["bob"], saved)
    write(channel, ("alice", "bob"))
    channel.run(60)
    channel.introduce("bob", "alice")
    assert channel.run(600, channel.settled)
    told = [len(errors(channel[me])) for me in ("alice", "bob")]
    exchange(channel, 2, ("alice", "bob"))
    assert [len(errors(channel[me])) for me in ("alice", "bob")] == told
    assert all("failed" not in channel[me].states() for me in ("alice", "bob"))


def past(channel, *names):
    """Long after: what is under way has failed."""
    for name in names:
        channel[name].messenger.expire(channel.now + 8 * DAY)
        assert not {"queued", "sent"} & set(channel[name].states()), name


@pytest.mark.parametrize("whose", ["alice", "bob"])
def test_both_sides_of_an_anonymous_conversation_are_told(tmp_path, whose):
    channel = Channel(tmp_path, seed=3)
    address = channel["bob"].messenger.anonymous.create_address(channel.now).text
    channel["alice"].messenger.send_anonymous(address, "first", channel.now)
    channel.run(60)
    names = {me: channel[me].messenger.anonymous.correspondents()[0].name for me in ("alice", "bob")}
    saved = copy(channel[whose])
    for n in range(2):
        for me in ("bob", "alice"):
            channel[me].messenger.send_text(names[me], f"{n}", channel.now)
            channel.run(30)
    restore(channel[whose], saved)
    for me in ("bob", "alice"):
        channel[me].messenger.send_text(names[me], "new", channel.now)
    channel.rest(600)
    assert errors(channel["alice"]) == errors(channel["bob"]) == [ANONYMOUS]
    assert "new" not in channel["alice"].inbox() + channel["bob"].inbox()
    past(channel, "alice", "bob")
    channel["alice"].messenger.send_anonymous(address, "anew", channel.now)
    channel.run(60)
    assert channel["bob"].inbox().count("anew") == 1


@pytest.mark.parametrize("whose", [HOME, PHONE])
def test_both_devices_say_so(tmp_path, whose):
    family = Family(tmp_path, 4, satellites=(PHONE,))
    family.meet()
    family.link_all()
    saved = copy(family[whose])
    family.user(PHONE).send_text("bob", "old", family.now)
    assert family.run(120, family.calm)
    restore(family[whose], saved)
    family.user(PHONE).send_text("bob", "of phone", family.now)
    family[HOME].messenger.send_text("bob", "of home", family.now)
    family.rest(120)
    assert {family[name].devices.all()[0].problem for name in (HOME, PHONE)} == {BETWEEN_DEVICES}
    past(family, HOME, PHONE)
    family[HOME].devices.linking.revoke(PHONE, family.now)
    assert all(family["bob"].inbox().count(text) <= 1 for text in ("old", "of phone", "of home"))


@pytest.mark.parametrize("rounds", [1, 4])
def test_a_group_goes_on_after_a_renewal(tmp_path, rounds):
    circle = Circle(tmp_path, 3, seed=5)
    circle.found()
    saved = copy(circle["bob"])
    for n in range(rounds):
        circle.send("bob", f"{n} of bob")
        circle.send("alice", f"{n} of alice")
        circle.run(30)
    restore(circle["bob"], saved)
    circle.send("bob", "new of bob")
    circle.send("alice", "new of alice")
    circle.rest(300)
    assert [len(errors(circle[name])) for name in ("alice", "bob", "carol")] == [1, 1, 0]
    circle.introduce("bob", "alice")
    circle.rest(1200)
    circle.send("bob", "after of bob")
    circle.send("alice", "after of alice")
    circle.rest(600)
    for name in circle.names:
        heard = circle.texts(name)
        assert len(heard) == len(set(heard)), name
        assert {f"after of {other}" for other in ("alice", "bob") if other != name} <= set(heard), name
        assert "sent" not in circle[name].states(), name
