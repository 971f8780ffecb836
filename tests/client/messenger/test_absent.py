"""What a contact who is away costs: packets an hour, by what waits for it, and how often the sender wakes for them."""

import pytest

from tests.client.worlds.channel import RATE, Channel
from tests.client.worlds.friends import befriend, write

HOUR = 3600.0


def an_hour(channel: Channel) -> tuple[int, int]:
    """(packets, wakes) of alice in the next hour, in which nothing that she sends arrives."""
    messenger, end, packets, wakes = channel["alice"].messenger, channel.now + HOUR, 0, 0
    while channel.now < end:
        wakes += 1
        outgoing = messenger.next_outgoing(channel.now)
        if outgoing is not None:
            messenger.transmitted(outgoing, channel.now, 0.2)
            packets += 1
        waits = messenger.wake_at()
        channel.now = max(channel.now + 1 / RATE, end if waits is None else min(end, waits))
    return packets, wakes


@pytest.fixture
def away(tmp_path):
    channel = Channel(tmp_path, seed=5)
    befriend(channel)
    channel.run(60)
    channel["bob"].online = False
    assert an_hour(channel) == (0, 1)  # nothing waits for him
    return channel


@pytest.mark.parametrize("what", ["text", "texts", "file"])
def test_an_absent_contact_costs_little_and_less_each_hour(away, what):
    alice, first = away["alice"], 0
    if what == "file":
        alice.messenger.send_file("bob", write(away, 200_000), away.now)
        first = 75  # more: the fragments of the beginning of the file, once
    else:
        for number in range(1 if what == "text" else 20):
            alice.messenger.send_text("bob", f"hello {number}", away.now)
    hours = [an_hour(away) for _ in range(4)]
    assert 24 < hours[0][0] < 175 + first
    assert 3 <= hours[1][0] <= 12
    assert 3 <= hours[3][0] <= 10  # a packet in ten minutes or so, as long as the text waits
    assert all(wakes <= packets + 2 for packets, wakes in hours)
