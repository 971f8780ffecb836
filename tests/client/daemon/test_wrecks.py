"""Wrecked bodies under genuine headers: whoever makes them sees nothing of it leave the recipient or the sender.

That the recipient itself knows a wreck is inherent (docs/attacks.md). Two runs of one seed: in one every packet for
bob is wrecked for a while, as one bit flipped on a packet's first link does; what leaves both clients, and when, is the
same.
"""

from dataclasses import replace

import pytest
import trio

from mixnet.crypto import SigningKey
from mixnet.sphinx import GEOMETRY
from tests.client.worlds.daemons import befriend, play
from tests.client.worlds.town import Town, raw_key

BEGINS, ENDS, OVER = 30.0, 60.0, 240.0
BOB = SigningKey(raw_key("mailbox bob")).public


class WreckingTown(Town):
    """Flips a bit of each body that comes for bob, for a while."""

    def __init__(self, harm):
        super().__init__(5)
        self.harm, self.harmed, self.sent, self.seen, self.mail = harm, 0, [], [], []
        self.network.tap = self._tap

    def _tap(self, when, source, target, size):
        if source.startswith("10.0.9."):
            self.sent.append((when, source, target, size))

    def deposit(self, provider, mail):
        if mail.mailbox == BOB:
            self.mail.append(trio.current_time())
        if mail.mailbox == BOB and BEGINS < trio.current_time() < ENDS and self.harm:
            self.harmed += 1
            packet = bytearray(mail.packet)
            packet[GEOMETRY.header_size + 700] ^= 1
            mail = replace(mail, packet=bytes(packet))
        super().deposit(provider, mail)

    def _take(self, frame, box, provider, assembler, answers):
        if box is self.boxes.get(BOB):
            self.seen.append((trio.current_time(), frame.kind, frame.acknowledged))
        super()._take(frame, box, provider, assembler, answers)


def run(*, harm):
    texts = ["one", "two", "three"]

    async def program(town, nursery):
        alice = await town.start(nursery, "alice", 1)
        bob = await town.start(nursery, "bob", 2)
        await befriend(alice, bob)
        assert trio.current_time() < BEGINS
        await trio.sleep_until(BEGINS + 1)
        for text in texts:
            await alice.send("bob", text)
        await trio.sleep_until(OVER)
        assert [message.text async for message in bob.messages() if not message.outgoing] == texts
        town.figures = await bob.status()

    return play(program, WreckingTown(harm))


@pytest.fixture(scope="module")
def calm():
    return run(harm=False)


@pytest.fixture(scope="module")
def wrecked():
    return run(harm=True)


def test_a_wreck_moves_no_frame_of_the_recipient_or_the_sender(calm, wrecked):
    assert wrecked.harmed > 10
    assert wrecked.figures["dropped"]["refused"] == wrecked.harmed
    assert calm.figures["dropped"]["refused"] == 0
    assert wrecked.sent == calm.sent
    assert len(calm.sent) > 500


def test_wrecked_loops_count_as_lost(calm, wrecked):
    """So many wrecks are noticed as lost packets are."""
    assert calm.figures["loops_lost"] == 0
    assert 0 < wrecked.figures["loops_lost"] < wrecked.harmed


def test_the_recipient_s_provider_sees_wrecks_acknowledged_when_messages_would_be(calm, wrecked):
    """Until something is sent again, which is more mail than there was."""
    until = next(one for one, other in zip(wrecked.mail, calm.mail, strict=False) if one != other)
    until = min(until, calm.mail[wrecked.mail.index(until)])
    seen = [[one for one in town.seen if one[0] < until] for town in (calm, wrecked)]
    assert seen[0] == seen[1]
    assert sum(when > BEGINS for when in wrecked.mail if when < until) > 5
