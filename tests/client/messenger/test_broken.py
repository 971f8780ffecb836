"""Conversations that a restored backup or a hostile contact broke: said in the archive, and nothing believed."""

import pytest

from mixnet.client.e2e.bodies import Abort, End, Offer, Reason
from mixnet.client.files.disk import START_DIGEST
from mixnet.client.messenger.old_copies import OUTDATED, TOLD, UNOPENED
from mixnet.client.model.views import MessageState
from tests.client.worlds.channel import Channel
from tests.client.worlds.crashes import copy, restore
from tests.client.worlds.friends import errors


@pytest.fixture
def channel(tmp_path):
    made = Channel(tmp_path, 5)
    made.introduce()
    made.run(10)
    for number in range(2):
        made["alice"].messenger.send_text("bob", f"to bob {number}", made.now)
        assert made.run(60, made.settled)
        made["bob"].messenger.send_text("alice", f"to alice {number}", made.now)
        assert made.run(60, made.settled)
    made.run(30)
    return made


@pytest.fixture
def outdated(channel):
    """Bob works with an old copy of his profile."""
    bob = channel["bob"]
    saved = copy(bob)
    for number in range(4):
        for me, other in (("alice", "bob"), ("bob", "alice")):
            channel[me].messenger.send_text(other, f"later {number}", channel.now)
            assert channel.run(60, channel.settled)
    channel.run(30)
    restore(bob, saved)
    return channel


def test_what_a_restored_backup_sends_is_never_called_delivered(outdated):
    bob = outdated["bob"]
    number = bob.messenger.send_text("alice", "does this arrive?", outdated.now)
    outdated.run(60)
    assert bob.messenger.message(number).state is MessageState.SENT
    assert errors(bob) == [OUTDATED]
    assert errors(outdated["alice"]) == [TOLD]


def test_a_message_that_does_not_open_is_said_once(outdated):
    bob = outdated["bob"]
    number = outdated["alice"].messenger.send_text("bob", "can you read this?", outdated.now)
    outdated.run(60)
    assert errors(bob) == [UNOPENED]
    assert outdated["alice"].messenger.message(number).state is MessageState.SENT
    bob.crash()
    outdated.run(60)
    assert errors(bob) == [UNOPENED]


def test_an_aborted_file_stays_away_whatever_follows_at_once(channel, tmp_path):
    bob = channel["bob"]
    core, receiving = bob.messenger._core, bob.messenger._receiving
    contact = core.contacts.all()[0].id
    with core.change():
        receiving.offered(contact, Offer(1, "x", 0), channel.now)
        receiving.aborted(contact, Abort(1, Reason.VANISHED))
        receiving.offered(contact, Offer(1, "x", 0), channel.now)
        receiving.ended(contact, End(1, START_DIGEST), channel.now)
    receiving.sweep()
    (file,) = [m for m in bob.messenger.messages() if m.text == "x"]
    assert (file.state, file.path) == (MessageState.FAILED, "")
    assert not list((tmp_path / "bob" / "downloads").glob("*"))
