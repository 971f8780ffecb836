"""Whatever peers say, in any order: it is refused or done, the messenger goes on, and friends reach each other."""

import os
import random
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.client.arq.fragments import Fragment, FragmentToSend, ProbeToSend
from mixnet.client.core.conversation import Parcel
from mixnet.client.e2e import group_changes
from mixnet.client.e2e.bodies import Text, WireId, encode
from mixnet.client.e2e.group_bodies import GroupChanges
from mixnet.client.messenger.allowed import ALLOWED, Peer
from mixnet.client.model.views import AckChoice, ReadReceiptChoice
from mixnet.errors import LocalError, RemoteError
from tests.client.worlds.agreement import check_agreement
from tests.client.worlds.bodies import TYPES, Hostile
from tests.client.worlds.circle import CLUB, Circle
from tests.client.worlds.stage import Frozen

# `HOSTILE_EXAMPLES=5000 pytest tests/client/messenger/test_hostile_bodies.py` for a long run.
EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "40"))
WIRE = WireId(12345)
VICTIM, FRIEND = "bob", "dave"
PEERS = ("alice", "carol", "erin")  # contact and founder of the group; known by the group only; contact outside of it
STATES = ("as it is", "verified", "blocked", "left", "removed", "invited", "joining", "file")
# What the victim's user does between bodies, with the peer where it is one with somebody.
VERBS = {
    "text": lambda m, whom, now: m.send_text(whom, "from the victim", now, signed=True),
    "short": lambda m, whom, now: m.send_text(whom, "in a second", now, 1.0),
    "group": lambda m, _, now: m.groups.send(CLUB, "from the victim", now),
    "block": lambda m, whom, now: m.people.block(whom, now),
    "unblock": lambda m, whom, _: m.people.unblock(whom),
    "hush": lambda m, whom, _: m.people.acknowledgements(whom, AckChoice.DELAYED),
    "prompt": lambda m, whom, _: m.people.acknowledgements(whom, AckChoice.PROMPT),
    "silent": lambda m, whom, _: m.people.read_receipts(whom, ReadReceiptChoice.OFF),
    "read": lambda m, _, now: [m.mark_read(one.id, now) for one in m.messages()[-1:]],
    "cancel": lambda m, _, now: [m.cancel(one.id, now) for one in m.messages()[-1:]],
    "delete": lambda m, _, _now: [m.archive.delete(one.id) for one in m.messages()[-1:]],
    "clear": lambda m, whom, _: m.archive.clear(whom),
    "delete contact": lambda m, whom, _: m.delete_contact(whom),
    "leave": lambda m, _, now: m.groups.leave(CLUB, now),
}
# A body by its type, a verb by its name, an hour or the process's end.
STEPS = st.one_of(st.sampled_from(TYPES), st.sampled_from((*VERBS, "hour", "restart")))
PLOTS = (
    st.sampled_from(PEERS),
    st.sampled_from(STATES),
    st.lists(STEPS, min_size=1, max_size=6),
    st.integers(0, 1 << 32),
)
ROWS = 100  # that one body may leave behind


class Stage(Frozen, Circle):
    """A group of four, of whom the victim knows one, and two contacts of the victim outside of it."""

    def __init__(self, tmp):
        super().__init__(tmp, 4, seed=3)
        self.found()
        self.join("erin")
        self.introduce(VICTIM, "erin")
        self.introduce(VICTIM, FRIEND)
        assert self.run(300, lambda: len(self[VICTIM].messenger.contacts()) == 3)
        self.groups("alice").create("other", self.now)
        self[VICTIM].messenger.send_text("alice", "hi", self.now)
        self[VICTIM].messenger.send_text("erin", "hi", self.now)
        self.groups(VICTIM).send(CLUB, "hi all", self.now)
        self.run(120)
        self.freeze()

    def rows(self, sender: str, receiver: str) -> tuple[int, int]:
        """What stands for the receiver at the sender, and for the sender at the receiver."""
        there, here = self[sender].messenger._core, self[receiver].messenger._core
        return (there.contacts.known(here.identity_public).id, here.contacts.known(there.identity_public).id)

    def say(self, sender: str, raws: list[bytes]) -> None:
        contact = self[sender].messenger._core.contacts.known(self[VICTIM].messenger._core.identity_public)
        self.say_in(sender, VICTIM, contact.id, raws)

    def prepare(self, state: str, peer: str) -> None:
        victim, _ = self[VICTIM].messenger, self[peer].messenger
        _, row = self.rows(peer, VICTIM)
        name = victim._core.contacts.get(row).name
        match state:
            case "verified" if peer != "carol":
                victim.people.verify(name)
            case "blocked" if peer != "carol":
                victim.people.block(name, self.now)
            case "left":
                victim.groups.leave(CLUB, self.now)
            case "removed":
                self.groups("alice").remove(CLUB, VICTIM, self.now)
                self.pump("alice", VICTIM)
            case "invited" | "joining":
                self.groups("alice").invite("other", VICTIM, self.now)
                self.pump("alice", VICTIM)
                if state == "joining":
                    victim.groups.accept("other", self.now)
            case "file" if peer != "carol":
                path = self.tmp / "file"
                path.write_bytes(b"f" * 200_000)
                self[peer].messenger.send_file(VICTIM, path, self.now)
                self.pump(peer, VICTIM, 8)

    def hostile(self, peer: str, rng: random.Random) -> Hostile:
        their, here = self[peer].messenger, self[VICTIM].messenger
        group = here.groups._registry.named(CLUB)
        mine = their.groups._registry.known(group.identifier)
        known = [group.identifier, group.me, here._core.identity_public, their._core.identity_public, bytes(32)]
        known += [bytes(row[0]) for row in self[VICTIM].store.all("SELECT identity FROM contacts")]
        known += [bytes(row[0]) for row in self[VICTIM].store.all("SELECT incoming FROM sessions")]
        known += [bytes(row[0]) for row in self[VICTIM].store.all("SELECT outgoing FROM sessions")]
        for one in their.groups._registry.all():
            history = their.groups._registry.history(one)
            known += [one.identifier, *(() if history is None else history.heads)]
        numbers = [
            number for row in self[VICTIM].store.all("SELECT id, remote FROM messages") for number in row if number
        ]
        key = group.key if mine is None else mine.key
        made = Hostile(rng, known, sorted({*numbers, 0, 1}), key, group.identifier)
        if mine is not None:
            made.heads = their.groups._registry.history(mine).heads
        return made

    def act(self, peer: str, steps: list, hostile: Hostile) -> None:
        """Bodies of a peer, and between them what the victim's user does; what a user may not do is refused."""
        _, row = self.rows(peer, VICTIM)
        for step in steps:
            if isinstance(step, type):
                before = self.size()
                self.say(peer, [hostile.body(step)])
                assert self.size() <= before + ROWS
            elif step == "hour":
                self.now += 3600.0
            elif step == "restart":
                self.reopen(VICTIM)
            else:
                whom = self[VICTIM].messenger._core.contacts.find(row)
                with suppress(LocalError):
                    VERBS[step](self[VICTIM].messenger, "nobody" if whom is None else whom.name, self.now)
            self.slot()

    def size(self) -> int:
        """How many rows the victim has in all."""
        return sum(len(rows) for rows in everything(self[VICTIM]).values())

    def slot(self) -> None:
        """One of the victim: nothing leaves for somebody blocked, and it isn't woken again for nothing."""
        messenger = self[VICTIM].messenger
        outgoing = messenger.next_outgoing(self.now)
        if outgoing is not None:
            core = messenger._core
            assert core.conversations[outgoing.session].contact not in core.blocked
            messenger.transmitted(outgoing, self.now, 0.1)
            return
        wake = messenger.wake_at()
        if wake is not None and wake <= self.now and messenger.next_outgoing(self.now) is None:
            again = messenger.wake_at()
            assert again is None or again > self.now

    def check(self) -> None:
        """It goes on, also after a restart, and a friend is heard and hears."""
        for _ in range(2):
            messenger = self[VICTIM].messenger
            for _ in range(6):
                self.now += 30.0
                self.slot()
                check_agreement(messenger)
            for group in messenger.groups.list():
                messenger.groups.show(group.name)
            messenger.contacts(), messenger.messages(), messenger.take_events()
            self.reopen(VICTIM)
        for sender, receiver in ((FRIEND, VICTIM), (VICTIM, FRIEND)):
            name = next(c.name for c in self[sender].messenger.contacts() if c.name in (receiver, f"{receiver} 2"))
            self[sender].messenger.send_text(name, f"from {sender}", self.now)
            for _ in range(20):
                self.pump(sender, receiver, 30)
                if f"from {sender}" in self[receiver].inbox():
                    break
                self.now += 30.0
            assert f"from {sender}" in self[receiver].inbox()


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    return Stage(tmp_path_factory.mktemp("stage"))


@settings(max_examples=EXAMPLES)
@given(*PLOTS)
def test_no_sequence_of_bodies_and_verbs_stops_the_messenger(stage, peer, state, steps, seed):
    stage.again()
    stage.prepare(state, peer)
    stage.act(peer, steps, stage.hostile(peer, random.Random(seed)))
    stage.check()


@pytest.mark.parametrize("type_", TYPES, ids=lambda one: one.__name__)
@pytest.mark.parametrize("peer", PEERS)
def test_each_body_of_each_peer_does_no_harm(stage, peer, type_):
    stage.again()
    hostile = stage.hostile(peer, random.Random(f"{peer} {type_.__name__}"))
    stage.say(peer, [hostile.body(type_) for _ in range(5)])
    stage.check()


# What a session itself changes; all else is what somebody is heard with.
TRANSPORT = {"sessions", "taken", "posted", "outbound", "sealed", "inbound", "waiting", "sqlite_sequence"}


def everything(person) -> dict[str, list[tuple]]:
    tables = person.store.all("SELECT name FROM sqlite_master WHERE type = 'table' AND NOT name GLOB 'found*'")
    return {name: person.store.all(f"SELECT * FROM {name}") for (name,) in tables}


def content(person) -> dict[str, list[tuple]]:
    return {name: rows for name, rows in everything(person).items() if name not in TRANSPORT}


@pytest.mark.parametrize("gone", [False, True], ids=["a member", "a removed member"])
def test_what_a_member_may_not_say_changes_nothing(stage, gone):
    """A member who is no contact, also when it is out of the group: each body that it may not send, thrice."""
    stage.again()
    if gone:
        stage.groups("alice").remove(CLUB, "carol", stage.now)
        stage.pump("alice", VICTIM)
        assert "carol" not in stage.members(VICTIM)
    hostile = stage.hostile("carol", random.Random(7))
    before, refused = content(stage[VICTIM]), stage[VICTIM].refused
    forbidden = [one for one in TYPES if Peer.MEMBER not in ALLOWED[one]]
    stage.say("carol", [hostile.body(one) for one in forbidden for _ in range(3)])
    assert stage[VICTIM].refused - refused == 3 * len(forbidden)
    assert content(stage[VICTIM]) == before


def test_a_signed_text_of_a_member_is_not_filed(stage):
    """With a signature that verifies, as a contact's would be."""
    stage.again()
    signatures, receiver = stage["carol"].messenger._core.signatures, stage[VICTIM].messenger._core.identity_public
    before = content(stage[VICTIM])
    stage.say("carol", [encode(signatures.sign_text(1, WIRE, receiver, "from a stranger", stage.now))])
    assert content(stage[VICTIM]) == before


@pytest.mark.faults
def test_a_fault_of_this_program_refuses_one_body_and_no_more(stage, monkeypatch):
    """An error that is no RemoteError, in the middle of what a body does: nothing of it stays, and it comes no more."""
    stage.again()
    victim = stage[VICTIM].messenger
    original = victim.groups.handle_untrusted

    def fails(contact, body, now):
        original(contact, body, now)
        raise KeyError

    monkeypatch.setattr(victim.groups, "handle_untrusted", fails)
    group = stage["alice"].messenger.groups._registry.named(CLUB)
    history = stage["alice"].messenger.groups._registry.history(group)
    change = group_changes.rename(group.key, group.identifier, history.heads, "renamed")
    here = victim.groups._registry.history(victim.groups._registry.named(CLUB))
    before, length, kept = content(stage[VICTIM]), len(here), dict(victim._core.conversations)
    stage.say("alice", [encode(GroupChanges(group.identifier, (change.raw,)))])
    assert victim._core.faults == 1
    assert content(stage[VICTIM]) == before and len(here) == length
    assert all(victim._core.conversations[number] is one for number, one in kept.items())
    monkeypatch.undo()
    stage.say("alice", [encode(Text(WIRE, "after it"))])
    assert "after it" in stage[VICTIM].inbox()
    stage.check()


@pytest.mark.faults
def test_what_expires_and_fails_at_it_keeps_nothing_else(stage, monkeypatch):
    """Where one message can't be given up, the others are, and it is not tried in each slot."""
    stage.again()
    victim = stage[VICTIM].messenger
    names = [one.name for one in victim.contacts() if one.name != "alice"]
    numbers = [victim.send_text(name, "never", stage.now, lifetime=10.0) for name in names]
    original, tried = victim._outbox.give_up, []

    def give_up(message, *rest):
        tried.append(message)
        if message == numbers[0]:
            raise KeyError
        original(message, *rest)

    monkeypatch.setattr(victim._outbox, "give_up", give_up)
    for second in range(30):
        victim.expire(stage.now + 20.0 + second)
    assert victim.message(numbers[1]).state == "failed"
    assert tried.count(numbers[0]) <= 2
    assert victim.next_expiry is None or victim.next_expiry > stage.now + 49.0


@pytest.mark.faults
def test_what_is_refused_in_one_lane_leaves_the_other_lane_in_order(stage, monkeypatch):
    """One packet that says where both lanes go on lets a message be read in each; the first one fails half-way."""
    stage.again()
    victim, sender = stage[VICTIM].messenger, stage["erin"].messenger._core
    contact, here = stage.rows("erin", VICTIM)
    route, back = sender.routes[contact], victim._core.routes[here]
    numbers = route.sender.floors()
    for lane in (0, 1):
        with sender.change():
            for text in ("never arrives", f"lane {lane}"):
                route.post(Parcel(lane, encode(Text(WIRE, text)), None, False, 0, stage.now + 1e5))
    for lane in (0, 1):
        query = "SELECT ciphertext FROM sealed WHERE session = ? AND lane = ? AND number = ?"
        (sealed,) = stage["erin"].store.one(query, route.id, lane, numbers[lane] + 1)
        fragment = Fragment(lane, numbers[lane] + 1, numbers[lane], 0, len(sealed), bytes(sealed))
        victim.delivered_untrusted(FragmentToSend(route.outgoing, lane, fragment).encode(None), stage.now)
    original = victim._inbox._handle

    def fails_in_the_first(whose, body, now):
        if body.text == "lane 0":
            victim._core.routes[here].post(Parcel(0, encode(body), None, False, 0, now + 9))
            raise KeyError
        original(whose, body, now)

    monkeypatch.setattr(victim._inbox, "_handle", fails_in_the_first)
    probe = ProbeToSend(route.outgoing, 7, (numbers[0] + 1, numbers[1] + 1))
    with pytest.raises(RemoteError):
        victim.delivered_untrusted(probe.encode(None), stage.now)
    assert victim._core.conversations[back.id] is not back
    check_agreement(victim)
    assert "lane 1" in stage[VICTIM].inbox() and "lane 0" not in stage[VICTIM].inbox()
    monkeypatch.undo()
    stage.check()


@pytest.mark.faults
@settings(max_examples=EXAMPLES // 2)
@given(*PLOTS)
def test_what_fails_at_its_very_end_is_taken_back_whole(stage, peer, state, steps, seed):
    """Whatever a body has done by then, on disk and in memory; the next one, after a restart, finds it so."""
    stage.again()
    stage.prepare(state, peer)
    hostile = stage.hostile(peer, random.Random(seed))
    for type_ in [step for step in steps if isinstance(step, type)]:
        inbox, raw = stage[VICTIM].messenger._inbox, hostile.body(type_)
        original = inbox._read_untrusted

        def fails(session, plaintext, now, read=original):
            read(session, plaintext, now)
            raise KeyError

        inbox._read_untrusted = fails
        before = content(stage[VICTIM])
        stage.say(peer, [raw])
        assert content(stage[VICTIM]) == before
        stage.reopen(VICTIM)
        check_agreement(stage[VICTIM].messenger)
        stage.say(peer, [raw])
    stage.check()
