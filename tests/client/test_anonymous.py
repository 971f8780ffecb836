"""Anonymous messages through the hostile network: answers, restarts, expiry, floods, and what they tell of a writer."""

import pytest

from client.messenger import MessageState
from tests.client.channel import BLOCK_LIFE, Channel


def at(channel, name):
    return channel[name].messenger


@pytest.fixture
def town(tmp_path):
    return Channel(tmp_path, seed=5)


def published(channel, name="alice"):
    return at(channel, name).anonymous.create_address(channel.now).text


def write(channel, text="who am I?", name="bob", address=None, **how):
    """Send a first anonymous text and let it arrive: its number, and the names of the conversation on both sides."""
    number = at(channel, name).send_anonymous(address or published(channel), text, channel.now, **how)
    assert channel.run(600, lambda: at(channel, name).message(number).state is MessageState.DELIVERED)
    return number, at(channel, name).message(number).contact, at(channel, "alice").messages()[-1].contact


def settle(channel, name, number, seconds=900):
    channel.run(seconds, lambda: at(channel, name).message(number).state in (MessageState.DELIVERED, "failed"))
    return at(channel, name).message(number).state


@pytest.mark.parametrize(("loss", "duplication"), [(0.0, 0.0), (0.2, 0.2)])
def test_three_texts_each_way_with_crashes_between(tmp_path, loss, duplication):
    channel = Channel(tmp_path, seed=8, loss=loss, duplication=duplication)
    _, theirs, ours = write(channel)
    came = at(channel, "alice").messages()[0]
    assert ours.startswith("anonymous-") and came.text == "who am I?"
    assert channel.now < came.answer_until <= channel.now + 3 * BLOCK_LIFE
    for turn in range(3):
        for author, contact in (("alice", ours), ("bob", theirs)):
            number = at(channel, author).send_text(contact, f"{author} {turn}", channel.now)
            assert settle(channel, author, number) is MessageState.DELIVERED
            channel["alice"].crash()
            channel["bob"].crash()
    assert channel["bob"].inbox() == [f"alice {turn}" for turn in range(3)]
    assert channel["alice"].inbox() == ["who am I?"] + [f"bob {turn}" for turn in range(3)]
    assert channel.reused == 0
    assert at(channel, "alice").contacts() == at(channel, "bob").contacts() == []
