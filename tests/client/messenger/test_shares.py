"""What any number of peers order takes no more than its share of the payload slots (spec/07-client.md 7.5)."""

import dataclasses

import pytest

from client.arq.fragments import ProbeToSend, ReplyBlock
from client.core.shares import Shares
from client.e2e.bodies import Offer, SignedText, Text
from client.e2e.group_bodies import GroupWant
from client.messenger.outbox import Outbox
from client.model.views import ContactState, MessageState
from client.storage.receipts import Rule
from mixnet.sphinx import GEOMETRY, Surb
from tests.client.worlds import channel as worlds
from tests.client.worlds.channel import Channel

SIZE = 40_000  # bytes of a text to a friend
LIMIT = 1.35  # times as long as in calm, at most
CROWD = 10


class Siege(Channel):
    """A victim with a friend and hostile contacts, which use all of their payload slots for one thing."""

    def __init__(self, tmp, seed=1):
        super().__init__(tmp, seed, names=("victim", "friend"))
        self.hostile = [f"mallory{number}" for number in range(CROWD)]
        for name in self.hostile:
            self.join(name)
        for name in ("friend", *self.hostile):
            self.introduce("victim", name)
        assert self.run(600, self._acquainted)
        self.run(30)

    def _acquainted(self):
        known = self["victim"].messenger.contacts()
        return len(known) == CROWD + 1 and all(one.state is ContactState.ESTABLISHED for one in known)

    def session(self, name, other="victim"):
        core = self[name].messenger._core
        return core.routes[core.contacts.named(other).id]

    def block(self, name):
        """A fresh reply block of somebody's."""
        surb = Surb(self.rng.randbytes(32), bytes(GEOMETRY.header_size), bytes(16))
        self._surbs[surb.first_hop] = (name, self.session(name).id)
        return ReplyBlock(surb.serialize(), int(self.now + worlds.BLOCK_LIFE))

    def attack(self, act):
        """From now on each hostile contact does `act` in every payload slot of its own."""
        for name in self.hostile:
            self[name].messenger.next_outgoing = lambda now: None  # it does nothing else
            self._later(self.rng.expovariate(worlds.RATE), "hostility", name, act)

    def _hostility(self, name, act):
        self._later(self.rng.expovariate(worlds.RATE), "hostility", name, act)
        act(self, name)

    def throw(self, name, plaintext):
        """Let a packet of somebody's leave for the victim."""
        self._travel(sum(self.rng.expovariate(1 / worlds.MEAN_DELAY) for _ in range(4)), "delivered", "victim", plaintext)

    def took(self, count=15):
        """Seconds until a text of the victim's is delivered: the mean of some."""
        begun = self.now
        for _ in range(count):
            number = self["victim"].messenger.send_text("friend", "x" * SIZE, self.now)
            done = self.run(600, lambda: self["victim"].messenger.message(number).state is MessageState.DELIVERED)  # noqa: B023
            assert done
        return (self.now - begun) / count


def probe(siege, name):
    """Ask for an acknowledgement, through a fresh reply block."""
    session = siege.session(name)
    content = ProbeToSend(session.outgoing, siege.rng.randrange(1 << 32), session.sender.floors())
    siege.throw(name, content.encode(siege.block(name)))


def repeat(siege, name):
    """Send a fragment again that was delivered long ago."""
    session = siege.session(name)
    raw = siege.rng.randrange(1 << 32)
    from client.arq.fragments import Fragment, FragmentToSend

    content = FragmentToSend(session.outgoing, raw, Fragment(0, 0, 0, 0, 100, bytes(100)))
    siege.throw(name, content.encode(siege.block(name)))


def order(make):
    """Send bodies, each of which is to be answered by another body; and ask for acknowledgements of them."""

    def act(siege, name):
        core = siege[name].messenger._core
        contact = core.contacts.named("victim").id
        outbox = siege[name].messenger._outbox
        if not core.waiting:
            with core.change():
                core.enqueue(contact, 0, make(siege, name), None, siege.now)
        outgoing = outbox.next(siege.now)
        if outgoing is not None:
            siege._send(siege[name], outgoing, 0.2) if hasattr(outgoing, "wants_surb") else None
            outbox.left(outgoing, siege.now, 0.2)

    return act


def offer(siege, name):
    return Offer(siege.rng.randrange(1 << 40), "x", 1 << 50)


def bad_signature(siege, name):
    return SignedText(siege.rng.randrange(1 << 40), "x", 5, bytes(64))


ATTACKS = {
    "probes": probe,
    "old fragments": repeat,
    "offers to refuse": order(offer),
    "signatures to refuse": order(bad_signature),
}


@pytest.fixture
def siege(tmp_path):
    return Siege(tmp_path)


@pytest.mark.parametrize("off", [0,1])
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_text_to_a_friend_takes_hardly_longer_whatever_ten_contacts_order(siege, attack, off, monkeypatch):
    if off: monkeypatch.setattr(Shares, 'peers_first', property(lambda _: True))
    calm = siege.took()
    siege.attack(ATTACKS[attack])
    siege.run(5)
    r0, f0, t0 = siege["victim"].replies, siege["victim"].fragments, siege.now
    besieged = siege.took()
    print(attack, calm, besieged, besieged / calm, siege["victim"].replies - r0, siege["victim"].fragments - f0, siege["victim"].refused, siege.now - t0)
    assert besieged <= LIMIT * calm
