"""A text to nobody is refused, and one that nobody was left to take has failed: it is never called delivered."""

import pytest

from mixnet.client.groups.refusals import AllBlocked, NobodyThere
from mixnet.client.model.failures import ALL_LEFT, expired_in_group
from mixnet.client.model.views import MessageState
from tests.client.worlds.circle import CLUB


def test_alone_in_a_group_nothing_is_sent(circle):
    for name in ("bob", "carol"):
        circle.groups("alice").remove(CLUB, name, circle.now)
    with pytest.raises(NobodyThere, match="group invite PROFILE"):
        circle.groups("alice").send(CLUB, "anybody?", circle.now)
    circle.groups("alice").create("new", circle.now)
    with pytest.raises(NobodyThere):
        circle.groups("alice").send("new", "anybody?", circle.now)
    assert circle["alice"].messenger.messages() == []


def test_to_those_whom_one_has_blocked_nothing_is_sent(circle):
    alice = circle["alice"].messenger
    alice.people.block("bob", circle.now)
    number = circle.groups("alice").send(CLUB, "carol?", circle.now)
    alice.people.block("carol", circle.now)
    with pytest.raises(AllBlocked, match="--unblock"):
        circle.groups("alice").send(CLUB, "anybody?", circle.now)
    assert [one.id for one in alice.messages()] == [number]


@pytest.mark.parametrize("left", [False, True], ids=["nothing had left", "something had left"])
def test_a_text_whose_readers_are_all_gone_is_not_delivered(circle, left):
    alice = circle["alice"].messenger
    circle["bob"].online = circle["carol"].online = False
    number = circle.groups("alice").send(CLUB, "hello?", circle.now)
    if left:
        circle.run(30)
    for name in ("bob", "carol"):
        circle.groups("alice").remove(CLUB, name, circle.now)
    told = alice.message(number)
    assert (told.state, told.error) == (MessageState.FAILED, ALL_LEFT.sent if left else ALL_LEFT.unsent)


def test_a_text_that_some_have_when_the_others_are_gone_is_delivered(circle):
    alice = circle["alice"].messenger
    circle["carol"].online = False
    number = circle.groups("alice").send(CLUB, "hello?", circle.now)
    assert circle.run(300, lambda: alice.message(number).reached == 1)
    circle.groups("alice").remove(CLUB, "carol", circle.now)
    assert alice.message(number).state is MessageState.DELIVERED


def test_a_text_whose_time_is_over_may_have_been_read(circle):
    alice = circle["alice"].messenger
    circle["carol"].online = False
    number = circle.groups("alice").send(CLUB, "hello?", circle.now, 60.0)
    assert circle.run(59, lambda: alice.message(number).reached == 1)
    circle.run(90)
    assert (alice.message(number).state, alice.message(number).error) == (
        MessageState.FAILED,
        expired_in_group(1, 2).sent,
    )
