"""What any number of peers order takes no more than its share of the payload slots (spec/07-client.md 7.5)."""

import random
import shutil
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.client.arq.fragments import Fragment, FragmentToSend, ProbeToSend, ReplyBlock
from mixnet.client.arq.sender import PEER, USER
from mixnet.client.core import state
from mixnet.client.core.outgoing import OutgoingFragment
from mixnet.client.core.shares import Shares
from mixnet.client.core.state import BACKLOG
from mixnet.client.e2e.bodies import Offer, SignedText
from mixnet.client.e2e.group_bodies import GroupDiffer, GroupOffer, GroupPost, GroupWant
from mixnet.client.e2e.statements import Origin, text_digest
from mixnet.client.groups import posts, relay
from mixnet.client.model.group_views import GroupState
from mixnet.client.model.views import ContactState, MessageState
from mixnet.client.storage.receipts import Rule
from mixnet.sphinx import GEOMETRY, Surb
from tests.client.worlds import channel as worlds
from tests.client.worlds.channel import Channel, FakeSurbs
from tests.client.worlds.circle import CLUB, Circle

SIZE = 40_000  # bytes of a text to a friend
LIMIT = 1.35  # times as long as in calm, at most
CROWD = 10
SLOTS = 4.0  # a second
ROWS = 70  # that wait of what peers ordered, at most: few, so that a flood is short


class EvenSlots(random.Random):
    """Slots come at even times, so that a few of them are enough to compare."""

    def expovariate(self, lambd=1.0):
        return 1 / lambd if lambd == SLOTS else super().expovariate(lambd)


class Siege(Channel):
    """A victim with a friend and hostile contacts, which use all of their payload slots for one thing."""

    def __init__(self, tmp):
        super().__init__(tmp, 1, names=("victim", "friend"))
        self.rng = EvenSlots(1)
        self.hostile = [f"mallory{number}" for number in range(CROWD)]
        for name in self.hostile:
            self.join(name)
        for name in ("friend", *self.hostile):
            self.introduce("victim", name)
        assert self.run(600, self._acquainted)
        self.run(60)

    def _acquainted(self):
        known = self["victim"].messenger.contacts()
        return len(known) == CROWD + 1 and all(one.state is ContactState.ESTABLISHED for one in known)

    def session(self, name):
        core = self[name].messenger._core
        return core.routes[core.contacts.named("victim").id]

    def block(self, name):
        """A fresh reply block of somebody's."""
        surb = Surb(self.rng.randbytes(32), bytes(GEOMETRY.header_size), bytes(16))
        self._surbs[surb.first_hop] = (name, self.session(name).id)
        return ReplyBlock(surb.serialize(), int(self.now + worlds.BLOCK_LIFE))

    def found(self):
        """A group of the victim and the hostile contacts, who don't get to know each other."""
        victim = self["victim"].messenger.groups
        victim.create(CLUB, self.now)
        for name in self.hostile:
            self[name].messenger.groups._membership._introduce = lambda group, now: None
            victim.invite(CLUB, name, self.now)
        assert self.run(60, lambda: all(self[name].messenger.groups.list() for name in self.hostile))
        for name in self.hostile:
            self[name].messenger.groups.accept(CLUB, self.now)
        groups = [self[name].messenger.groups for name in ("victim", *self.hostile)]
        everybody = CROWD + 1
        assert self.run(300, lambda: all(len(one.show(CLUB).members) == everybody for one in groups))
        assert self.run(300, lambda: all(one.connected for one in victim.show(CLUB).members))

    def again(self, tmp):
        """The same people and what they have, on another network; these are closed."""
        twin = Siege.__new__(Siege)
        Channel.__init__(twin, tmp, names=())
        twin.rng, twin.now, twin.hostile, twin._surbs = EvenSlots(1), self.now, self.hostile, dict(self._surbs)
        for name, one in self.people.items():
            shutil.copytree(one.folder, tmp / name)
            rng = random.Random(name)
            twin.people[name] = replace(one, folder=tmp / name, rng=rng, surbs=FakeSurbs(twin, name), events=[])
            twin._later(twin.rng.random() / SLOTS, "slot", name)
        return twin

    def group(self, name):
        """Somebody's registry of groups, and the group in it."""
        registry = self[name].messenger.groups._registry
        return registry, registry.named(CLUB)

    def attack(self, act, *, answers=False):
        """From now on each hostile contact does `act` in every payload slot, and nothing else unless it `answers`."""
        for name in self.hostile:
            if not answers:
                self[name].messenger.next_outgoing = lambda now: None
            self._later(self.rng.random() / SLOTS, "hostility", name, act)

    def _hostility(self, name, act):
        self._later(1 / SLOTS, "hostility", name, act)
        act(self, name)

    def throw(self, name, content):
        """Let a packet with a fresh reply block leave for the victim."""
        self._travel(4 * worlds.MEAN_DELAY, "delivered", "victim", content.encode(self.block(name)))

    def took(self, count=4):
        """Seconds until a text of the victim's is delivered: the mean of some."""
        victim, begun = self["victim"].messenger, self.now
        for _ in range(count):
            number = victim.send_text("friend", "x" * SIZE, self.now)
            self.run(120, lambda number=number: victim.message(number).state is MessageState.DELIVERED)
        return (self.now - begun) / count


@pytest.fixture
def siege(tmp_path, monkeypatch):
    monkeypatch.setattr(worlds, "RATE", SLOTS)
    return Siege(tmp_path)


def probe(siege, name):
    """Ask for an acknowledgement."""
    session = siege.session(name)
    siege.throw(name, ProbeToSend(session.outgoing, siege.rng.randrange(1 << 32), session.sender.floors()))


def repeat(siege, name):
    """Send a fragment again that was delivered long ago."""
    session, part = siege.session(name), bytes(100)
    siege.throw(name, FragmentToSend(session.outgoing, siege.rng.randrange(1 << 32), Fragment(0, 0, 0, 0, 100, part)))


def order(make):
    """Send bodies, each of which is answered by another body, and acknowledge none of those."""

    def act(siege, name):
        messenger = siege[name].messenger
        core, outbox = messenger._core, messenger._outbox
        if not core.waiting:
            with core.change():
                core.enqueue(core.contacts.named("victim").id, 0, make(siege, name), None, siege.now)
        outgoing = outbox._of_peers(outbox._offers(siege.now), siege.now)
        if isinstance(outgoing, OutgoingFragment):
            siege._send(siege[name], outgoing, 4 * worlds.MEAN_DELAY)
            outbox.left(outgoing, siege.now, 4 * worlds.MEAN_DELAY)

    return act


def silence(siege, name):
    """Acknowledge nothing, and give signs of life all the time: what is under way is sent again."""
    session = siege.session(name)
    content = ProbeToSend(session.outgoing, siege.rng.randrange(1 << 32), session.sender.floors())
    siege._travel(4 * worlds.MEAN_DELAY, "delivered", "victim", content.encode(None))


def post(siege, name, text="x", **values):
    """A new post of a member, to be passed on to all others."""
    registry, group = siege.group(name)
    with siege[name].messenger._core.change():
        number = registry.take_number(group)
    return posts.write(group.key, group.identifier, number, number, registry.history(group).heads, text=text, **values)


def for_victim(siege, name, written, *, onward):
    """A copy of a post for the victim, with the longest way on that there is, or none."""
    (registry, group), (_, theirs) = siege.group(name), siege.group("victim")
    roster = registry.roster(group)
    way = [at for at, key in enumerate(roster.order()) if onward and key not in (group.me, theirs.me)]
    key = written.key_for_untrusted(roster.members[theirs.me].agree)
    return GroupPost(posts.with_key(written.closed(), key), 0, bytes(way), 0)


def signed(siege, name):
    """A text with a genuine signature, for which a receipt must be signed and sent."""
    core, victim = siege[name].messenger._core, siege["victim"].messenger._core
    number, time = siege.rng.randrange(1 << 40), int(siege.now)
    who = core.home.network_id, core.identity_public, victim.identity_public
    signature = Origin(*who, number, time, "text", 1, text_digest("x")).sign(core.signatures._key)
    return SignedText(number, "x", time, signature)


def differ(siege, name):
    """Ask for the victim's proof that an author signed two posts: first there is one, then there are others."""
    shown = siege.__dict__.setdefault("shown", {})
    if name not in shown:
        first = post(siege, name)
        group = siege.group(name)[1]
        other = posts.write(group.key, group.identifier, first.number, first.number, first.heads, text="y")
        shown[name] = other.shown()
        return for_victim(siege, name, first, onward=False)
    return GroupDiffer(siege.group(name)[1].identifier, (shown[name],) * 8, True)


def offer(siege, name):
    """Invite the victim to a group that it wants to join, again and again: each time it says so."""
    groups, title = siege["victim"].messenger.groups, f"of {name}"
    if any(one.name == title and one.state is GroupState.INVITED for one in groups.list()):
        groups.accept(title, siege.now)
    return GroupOffer(name.encode().ljust(32), title)


FLOODS = {
    "wants": lambda siege, name: GroupWant(siege.group(name)[1].identifier, ()),
    "posts": lambda siege, name: for_victim(siege, name, post(siege, name), onward=True),
    "signed texts": signed,
    "proofs": differ,
    "group offers": offer,
}
ATTACKS = {
    "probes": probe,
    "old fragments": repeat,
    "offers to refuse": order(lambda siege, name: Offer(siege.rng.randrange(1 << 40), "x", 1 << 50)),
    "signatures to refuse": order(lambda siege, name: SignedText(siege.rng.randrange(1 << 40), "x", 5, bytes(64))),
    "silence": silence,
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_text_to_a_friend_takes_hardly_longer_whatever_ten_contacts_order(siege, attack):
    calm = siege.took()
    siege.attack(ATTACKS[attack])
    if attack == "silence":
        for name in siege.hostile:
            siege["victim"].messenger.send_text(name, "are you there?", siege.now)
    siege.run(30)
    left = siege["victim"].replies + siege["victim"].fragments
    besieged = siege.took()
    assert siege["victim"].replies + siege["victim"].fragments - left > 4 * SIZE / 2500, "there is something to share"
    assert besieged <= LIMIT * calm, (besieged / calm, besieged, calm)


def test_without_shares_ten_contacts_take_nearly_all_slots(siege, monkeypatch):
    calm = siege.took(1)
    monkeypatch.setattr(Shares, "peers_first", True)
    siege.attack(probe)
    siege.run(30)
    assert siege.took(1) > 2 * calm


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    """People with a group, and how long a text takes in calm: each test goes on from there with copies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worlds, "RATE", SLOTS)
        siege = Siege(tmp_path_factory.mktemp("founded"))
        siege["victim"].messenger.attestations.set_rule(None, Rule.ALWAYS)
        siege.found()
        siege.run(60)
        calm = siege.took(2)
    for one in siege.people.values():
        one.store.close()
    return siege, calm


@pytest.mark.parametrize("flood", FLOODS)
def test_ten_members_of_a_group_take_their_share_of_slots_and_of_the_disk(founded, flood, tmp_path, monkeypatch):
    monkeypatch.setattr(worlds, "RATE", SLOTS)
    monkeypatch.setattr(state, "ORDERED", ROWS)
    monkeypatch.setattr(relay, "_HOPS", ROWS)
    founded, calm = founded
    siege = founded.again(tmp_path)
    victim, store = siege["victim"].messenger, siege["victim"].store
    siege.attack(order(FLOODS[flood]), answers=True)
    siege.run(10)
    besieged = siege.took(2)
    assert besieged <= LIMIT * calm, (besieged / calm, besieged, calm)
    rows = store.all("SELECT count(*) FROM waiting WHERE account <> ? GROUP BY contact", USER)
    most = ROWS if flood in ("posts", "signed texts") else BACKLOG  # of answers that can be asked for again
    assert len(rows) == CROWD and BACKLOG / 2 < max(rows)[0] <= most, "they order more than leaves"
    assert store.value(int, "SELECT count(*) FROM group_hops") <= ROWS + CROWD
    # Without shares a text takes more than twice as long.
    monkeypatch.setattr(Shares, "peers_first", True)
    number = victim.send_text("friend", "x" * SIZE, siege.now)
    assert not siege.run(2 * calm, lambda: victim.message(number).state is MessageState.DELIVERED)


def test_what_the_user_leaves_is_for_peers(siege):
    siege.attack(probe)
    siege.run(30)
    before = siege["victim"].replies
    siege.run(30)
    assert siege["victim"].replies - before > 0.9 * 30 * SLOTS


def test_the_user_has_three_quarters_whoever_else_waits():
    shares, slots = Shares(), []
    for _ in range(400):
        if shares.peers_first:
            peer = shares.in_turn([1, 2, 3])[0]
            shares.taken_by(peer)
            slots.append(peer)
        else:
            shares.taken_by_user()
            slots.append(USER)
    assert slots.count(USER) >= 300 - 3
    assert max(slots.count(peer) for peer in (1, 2, 3)) - min(slots.count(peer) for peer in (1, 2, 3)) <= 1


@given(st.lists(st.sets(st.integers(1, 5)), max_size=100))
def test_who_ordered_little_goes_first_and_nobody_waits_for_long(rounds):
    shares, waited = Shares(), dict.fromkeys(range(1, 6), 0)
    for wanting in rounds:
        order = shares.in_turn(sorted(wanting))
        assert set(order) == wanting
        if order:
            shares.taken_by(order[0])
            for peer in wanting:
                waited[peer] = 0 if peer == order[0] else waited[peer] + 1
                assert waited[peer] <= 3 * len(waited)
        assert len(shares._used) <= 5


def test_a_message_that_others_ordered_is_on_their_account(tmp_path):
    channel = Channel(tmp_path, 2)
    channel.introduce()
    channel.run(30)
    core, outbox = channel["bob"].messenger._core, channel["bob"].messenger._outbox
    contact = core.contacts.named("alice").id
    sender = core.routes[contact].sender
    with core.change():
        core.enqueue(contact, 0, Offer(1, "x", 1), None, channel.now)
    assert outbox._of_user(outbox._offers(channel.now), channel.now) is None
    number = channel["bob"].messenger.send_text("alice", "mine", channel.now)
    assert outbox._of_peers(outbox._offers(channel.now), channel.now) is not None
    assert sender.asker == PEER
    assert outbox._of_user(outbox._offers(channel.now), channel.now) is not None
    assert sender.asker == USER
    assert channel.run(60, lambda: channel["bob"].messenger.message(number).state is MessageState.DELIVERED)


def test_a_member_who_becomes_a_contact_has_a_share_of_its_own_from_then_on(tmp_path):
    circle = Circle(tmp_path, 3, seed=3)
    circle.found()
    messenger, carol = circle["bob"].messenger, circle["carol"].messenger._core.identity_public
    core, outbox = messenger._core, messenger._outbox
    row = core.contacts.known(carol).id
    assert outbox._peer(core.routes[row], PEER) == -messenger.groups._registry.named(CLUB).id
    circle.introduce("carol", "bob")
    assert outbox._peer(core.routes[row], PEER) == row
    messenger.delete_contact("carol")
    assert outbox._peer(core.routes[row], PEER) == -messenger.groups._registry.named(CLUB).id


def test_only_who_may_have_something_for_a_slot_is_looked_at(tmp_path):
    channel = Channel(tmp_path, 2, names=("alice", "bob", "carol"))
    for name in ("bob", "carol"):
        channel.introduce("alice", name)
    channel.run(60)
    core, outbox = channel["alice"].messenger._core, channel["alice"].messenger._outbox
    assert outbox._offers(channel.now) == {}
    contact = core.contacts.named("bob").id
    with core.change():
        core.enqueue(contact, 0, Offer(1, "x", 1), None, channel.now)
    assert [one.contact for one in outbox._offers(channel.now)] == [contact]
    assert outbox._offers(channel.now)[core.routes[contact]] == [{PEER}, set()]
    core.blocked.add(contact)
    assert outbox._offers(channel.now) == {}
