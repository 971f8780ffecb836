"""How a file gets across: its limits and its speed, in little memory, and what is said when it does not."""

import tracemalloc
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.client.e2e.bodies import CHUNK_SIZE, REASONS_HERE, Abort, Chunk, End, Offer, Reason, Refuse
from mixnet.client.files import throughput
from mixnet.client.model.durations import about
from mixnet.client.model.views import MessageKind, MessageState
from mixnet.pki.parameters import Parameters
from tests.client.worlds.channel import RATE, Channel
from tests.client.worlds.friends import befriend, downloads, write

LARGE_FILE = 100_000_000
SLOW_NETWORK = 1.0  # payload slots a second: 2.6 KB/s


@pytest.fixture
def friends(tmp_path):
    made = Channel(tmp_path, seed=6)
    befriend(made)
    made.run(10)
    return made


def sparse(channel, size, name="large.bin"):
    path = channel.tmp / name
    with path.open("wb") as file:
        file.truncate(size)
    return path


def test_a_hundred_megabytes_are_allowed_and_get_across_in_their_time():
    network = Parameters(payload_rate=SLOW_NETWORK)
    assert network.max_message_bytes >= LARGE_FILE
    takes = throughput.seconds(LARGE_FILE, [], [], network.payload_rate, 1.0)
    assert about(takes) == "11h" and takes < network.message_age / 2
    assert network.mailbox_messages > 2 * 16 * 24, "a window of both lanes waits in a mailbox"


def test_a_file_takes_as_long_as_was_said(friends):
    messenger = friends["alice"].messenger
    number = messenger.send_file("bob", write(friends, 1_000_000), friends.now)
    said, start = messenger.estimate(number), friends.now
    assert friends.run(100, friends.settled)
    assert friends.now - start == pytest.approx(said, rel=0.15)
    assert messenger.estimate(number) is None
    assert messenger.estimate(messenger.send_text("bob", "hi", friends.now)) is None


def test_what_else_waits_is_reckoned_with(friends):
    friends.join("carol")
    befriend(friends, "alice", "carol")
    messenger = friends["alice"].messenger
    mine = messenger.send_file("bob", write(friends, 600_000, "mine"), friends.now)
    alone = messenger.estimate(mine)
    messenger.send_file("bob", write(friends, 200_000, "short"), friends.now)
    messenger.send_file("carol", write(friends, 2_000_000, "long"), friends.now)
    said, start = messenger.estimate(mine), friends.now
    assert said > 2 * alone
    assert friends.run(200, lambda: messenger.message(mine).state is MessageState.DELIVERED)
    assert friends.now - start == pytest.approx(said, rel=0.15)


SIZES = st.lists(st.integers(0, 10**9), max_size=5)


@given(st.integers(0, 10**9), SIZES, SIZES)
def test_an_estimate_is_between_alone_and_last(mine, same, others):
    said = throughput.seconds(mine, same, others, RATE, 0.0)
    assert throughput.slots(mine) / RATE <= said <= throughput.slots(mine + sum(same) + sum(others)) / RATE
    assert throughput.seconds(mine, same, others, 0.0, 0.0) is None


def test_memory_does_not_grow_with_a_file(tmp_path):
    """A chunk or two at each end, and a window of short notes, whatever the size."""
    peaks = []
    for size in (1_200_000, 3_000_000):
        channel = Channel(tmp_path / str(size), seed=2)
        channel.naps = False  # a visit in each slot: when memory is collected depends on it
        befriend(channel)
        for person in channel.people.values():
            person.events = deque(maxlen=10)  # else the test itself remembers each chunk's progress
        path = sparse(channel, size)
        channel["alice"].messenger.send_file("bob", path, channel.now)
        tracemalloc.start()
        try:
            assert channel.run(200, channel.settled)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert (tmp_path / str(size) / "bob" / "downloads" / path.name).stat().st_size == size
    assert max(peaks) < 1_500_000 and peaks[1] < peaks[0] + 200_000


def test_many_files_at_once_all_arrive(friends):
    """More than the receiver takes at a time: they wait for each other at the sender."""
    for number in range(36):
        friends["alice"].messenger.send_file("bob", write(friends, 2000 + number, f"{number}.bin"), friends.now)
    assert friends.run(200, friends.settled)
    assert set(friends["alice"].states()) == {"delivered"} and len(downloads(friends)) == 36


@pytest.mark.parametrize("seed", range(2))
def test_a_cancelled_file_is_called_cancelled_whatever_of_it_was_lost(tmp_path, seed):
    """Chunks of two files alternate; of the cancelled one, some after a lost one are there already."""
    friends = Channel(tmp_path, seed=seed, loss=0.4)
    befriend(friends)
    alice = friends["alice"].messenger
    gone = alice.send_file("bob", write(friends, 20 * CHUNK_SIZE, "gone.bin"), friends.now)
    stays = alice.send_file("bob", write(friends, 4 * CHUNK_SIZE, "stays.bin"), friends.now)
    friends.run(15)
    alice.cancel(gone, friends.now)
    assert friends.run(400, friends.settled)
    friends.run(60)
    assert alice.message(stays).state is MessageState.DELIVERED
    came = {m.text: m for m in friends["bob"].messenger.messages()}
    assert came["gone.bin"].error == REASONS_HERE[Reason.CANCELLED]
    assert set(downloads(friends)) == {"stays.bin"}


def test_a_refusal_that_comes_late_changes_nothing(friends):
    number = friends["alice"].messenger.send_text("bob", "hi", friends.now)
    assert friends.run(60, friends.settled)
    core = friends["bob"].messenger._core
    core.enqueue(core.contacts.named("alice").id, 0, Refuse(number, Reason.NO_ROOM), None, friends.now)
    friends.run(60)
    assert core.waiting == {}
    info = friends["alice"].messenger.message(number)
    assert (info.state, info.error) == (MessageState.DELIVERED, "")


def test_the_first_reason_stays(friends):
    friends["bob"].online = False
    number = friends["alice"].messenger.send_file("bob", write(friends, 10), friends.now)
    core = friends["alice"].messenger._core
    assert core.fail_message(number, "first") and not core.fail_message(number, "second")
    assert friends["alice"].messenger.message(number).error == "first"


def test_a_file_goes_on_where_a_crash_left_it(friends):
    path = write(friends, 1_000_000)
    number = friends["alice"].messenger.send_file("bob", path, friends.now)
    before = friends["alice"].fragments
    for name in ("alice", "bob", "alice", "bob"):
        friends.run(2)
        friends[name].crash()
    assert friends["alice"].messenger.message(number).done > 0
    assert friends.run(200, friends.settled)
    assert downloads(friends) == {"file.bin": path.read_bytes()}
    assert friends["alice"].fragments - before < 1.5 * throughput.slots(1_000_000), "it did not begin again"
    assert friends["bob"].inbox(MessageKind.FILE) == ["file.bin"]


@pytest.mark.parametrize("last", [Abort(1, Reason.CANCELLED), End(1, bytes(32))])
def test_a_chunk_that_is_missing_is_explained_by_what_follows(friends, last):
    """A given-up chunk is skipped, one behind it was complete already: the sender's word decides."""
    core, receiving = friends["bob"].messenger._core, friends["bob"].messenger._receiving
    contact = core.contacts.named("alice").id
    with core.change():
        receiving.offered(contact, Offer(1, "x", 30), friends.now)
        receiving.chunk(contact, Chunk(1, 0, b"a" * 10), friends.now)
        receiving.chunk(contact, Chunk(1, 20, b"c" * 10), friends.now)
        if isinstance(last, Abort):
            receiving.aborted(contact, last)
        else:
            receiving.ended(contact, last, friends.now)
    receiving.sweep()
    reason = Reason.CANCELLED if isinstance(last, Abort) else Reason.DAMAGED
    (came,) = friends["bob"].messenger.messages()
    assert (came.state, came.error) == (MessageState.FAILED, REASONS_HERE[reason])
    assert downloads(friends) == {}
