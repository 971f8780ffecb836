"""A process that dies between a step on disk and the transaction that records it: nothing is lost, nothing doubled."""

import pytest

from mixnet.client.files import receiver
from mixnet.client.model.views import MessageKind
from tests.client.worlds.channel import Channel
from tests.client.worlds.crashes import Killed, dies, dying

CONTENT = bytes(range(256)) * 600  # three chunks


POINTS = [("write_chunk", 1), ("write_chunk", 3), ("finish", 1), ("discard", 1)]


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(("step", "when"), POINTS)
def test_a_file_arrives_once_wherever_its_receiver_dies(tmp_path, monkeypatch, step, when, first):
    channel = Channel(tmp_path, 7)
    channel.introduce()
    channel.run(10)
    (tmp_path / "photo.bin").write_bytes(CONTENT)
    alice, bob = channel["alice"], channel["bob"]
    number = alice.messenger.send_file("bob", tmp_path / "photo.bin", channel.now)
    alice.messenger.send_text("bob", "look", channel.now)
    with monkeypatch.context() as patch:
        patch.setattr(receiver, step, dying(getattr(receiver, step), when, first=first))
        with pytest.raises(Killed):
            channel.run(300, channel.settled)
    bob.crash()
    assert channel.run(300, channel.settled)
    assert alice.messenger.message(number).state.value == "delivered"
    assert bob.inbox(MessageKind.TEXT) == ["look"]
    assert bob.inbox(MessageKind.FILE) == ["photo.bin"]
    assert [path.name for path in (tmp_path / "bob" / "downloads").iterdir()] == ["photo.bin"]
    assert (tmp_path / "bob" / "downloads" / "photo.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("who", ["alice", "bob"])
@pytest.mark.parametrize("seed", range(4))
def test_texts_arrive_once_and_in_order_whichever_write_was_the_last(tmp_path, monkeypatch, who, seed):
    """Every few writes the process dies in the middle of a transaction, and comes back."""
    channel = Channel(tmp_path, seed, loss=0.1)
    channel.introduce()
    channel.run(10)
    wanted = [f"text {number}" for number in range(6)]
    for text in wanted:
        channel["alice"].messenger.send_text("bob", text, channel.now)
    deaths = 0
    for when in range(2 + seed, 40, 4):
        victim = channel[who].store
        deaths += dies(monkeypatch, victim, when, lambda: channel.run(60, channel.settled), first=bool(when % 3))
        if victim is channel[who].store:
            channel[who].crash()
    assert channel.run(600, channel.settled)
    assert deaths > 0
    assert channel["bob"].inbox() == wanted
    assert set(channel["alice"].states()) == {"delivered"}
