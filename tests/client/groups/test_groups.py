"""Groups of real messengers, whose packets are lost, doubled and reordered."""

import pytest

from client.messenger import MessageState
from tests.client.groups.circle import CLUB, Circle


@pytest.fixture
def circle(tmp_path):
    made = Circle(tmp_path, 4)
    made.found()
    return made


def test_everybody_gets_a_message_once(circle):
    number = circle.send("bob", "hello all")
    assert circle.run(120, lambda: circle.delivered("bob", number))
    for name in ("alice", "carol", "dave"):
        assert circle.heard(name) == [("bob", "hello all")]
    message = circle["bob"].messenger.message(number)
    assert (message.contact, message.reached, message.members) == (CLUB, 3, 3)
    assert message.state is MessageState.DELIVERED
