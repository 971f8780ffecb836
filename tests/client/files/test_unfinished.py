"""Files whose senders vanish: they fail in the end, leave nothing on disk, and never while something may still come."""

import pytest

from mixnet.client.e2e.bodies import REASONS_HERE, Chunk, End, Offer, Reason
from mixnet.client.files.disk import START_DIGEST, chain
from mixnet.client.files.receiver import _PATIENCE
from mixnet.client.model.views import MessageState
from tests.client.worlds.channel import Channel
from tests.client.worlds.friends import befriend, downloads

HALF = b"a" * 500


class Half:
    """Half of a file of alice's that bob has got."""

    def __init__(self, channel):
        self.channel, self.bob, self.now = channel, channel["bob"], channel.now
        self.lifetime = self.bob.settings.message_lifetime
        with self.core.change():
            self.receiving.offered(self.contact, Offer(1, "x", 2 * len(HALF)), self.now)
        self.piece(0)

    @property
    def core(self):
        return self.bob.messenger._core

    @property
    def receiving(self):
        return self.bob.messenger._receiving

    @property
    def contact(self):
        return self.core.contacts.named("alice").id

    def piece(self, position):
        with self.core.change():
            self.receiving.chunk(self.contact, Chunk(1, position, HALF), self.now)

    def end(self):
        with self.core.change():
            self.receiving.ended(self.contact, End(1, chain(chain(START_DIGEST, HALF), HALF)), self.now)
        self.receiving.sweep()

    def later(self, seconds):
        self.now += seconds
        self.bob.messenger.expire(self.now)

    def file(self):
        (found,) = [one for one in self.bob.messenger.history(None, None, 10) if one.text == "x"]
        return found

    def on_disk(self):
        return [path.name for path in (self.channel.tmp / "bob" / "downloads").glob(".*")]


@pytest.fixture
def half(tmp_path):
    channel = Channel(tmp_path, seed=6)
    befriend(channel)
    channel.run(10)
    channel["alice"].online = False
    return Half(channel)


def test_a_file_of_which_nothing_more_comes_fails_and_leaves_nothing(half):
    half.later(half.lifetime - 1)
    assert half.file().state is MessageState.RECEIVING
    half.later(2)
    assert half.file().state is MessageState.RECEIVING, "what is in the mailbox may still come"
    assert half.bob.messenger.next_expiry == half.now + _PATIENCE
    half.later(_PATIENCE)
    assert (half.file().state, half.file().error) == (MessageState.FAILED, REASONS_HERE[Reason.EXPIRED])
    assert half.on_disk() == []
    assert half.core.store.all("SELECT * FROM receiving") == []
    next_expiry = half.bob.messenger.next_expiry
    assert next_expiry is not None and next_expiry > half.now, "nothing is looked at again and again"


def test_late_pieces_change_nothing(half):
    half.later(half.lifetime)
    half.later(_PATIENCE)
    half.piece(len(HALF))
    half.end()
    assert half.file().state is MessageState.FAILED
    assert downloads(half.channel) == {} and half.on_disk() == []


def test_its_sender_is_told(half):
    half.later(half.lifetime)
    waiting = half.core.store.one("SELECT count(*) FROM waiting")
    half.later(_PATIENCE)
    assert half.core.store.one("SELECT count(*) FROM waiting") == (waiting[0] + 1,)


def test_each_piece_gives_it_time_again(half):
    half.later(0.9 * half.lifetime)
    half.piece(len(HALF))
    half.later(0.9 * half.lifetime)
    half.later(_PATIENCE)
    assert half.file().state is MessageState.RECEIVING
    half.end()
    assert half.file().state is MessageState.RECEIVED
    half.later(half.lifetime)
    half.later(_PATIENCE)
    assert half.file().state is MessageState.RECEIVED


def test_whoever_was_away_takes_what_waited(half):
    half.bob.crash()
    half.later(2 * half.lifetime)
    half.bob.crash()
    half.later(_PATIENCE / 2)
    half.piece(len(HALF))
    half.end()
    assert half.file().state is MessageState.RECEIVED
    assert downloads(half.channel) == {"x": 2 * HALF}


def test_a_file_of_somebody_who_is_blocked_ends_at_once(half):
    half.bob.messenger.people.block("alice", half.now)
    assert half.file().state is MessageState.FAILED
    assert half.on_disk() == []
    half.piece(len(HALF))
    assert half.on_disk() == []
