"""Tags tell whether a message of a number is the one that was delivered under it."""

from mixnet.client.arq.delivery_tags import TAG_SIZE, agree, tag
from mixnet.crypto import Label, digest

TAGS = (tag(b"three"), tag(b"four"))  # of the messages 3 and 4: the next one is 5


def test_a_tag_follows_from_every_byte_of_a_message():
    assert tag(b"message") == digest(Label.CHANNEL, b"taken", b"message")[:TAG_SIZE]
    assert len(tag(b"")) == TAG_SIZE == 8
    assert len({tag(b"message"), tag(b"Message"), tag(b"message "), tag(b"")}) == 4


def test_tags_tell_only_of_the_messages_right_below_the_next_one():
    assert [agree(TAGS[0], number, 5, TAGS) for number in range(1, 7)] == [None, None, True, False, None, None]
    assert [agree(TAGS[1], number, 5, TAGS) for number in range(1, 7)] == [None, None, False, True, None, None]
    assert agree(TAGS[0], 4, 5, ()) is None
    assert agree(TAGS[0], 0, 1, TAGS[:1]) is True
