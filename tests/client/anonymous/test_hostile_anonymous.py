"""Whatever the two sides of an anonymous conversation say: it is refused or done, and both go on."""

import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.client.core.conversation import Parcel
from mixnet.client.e2e.anonymous_bodies import AnonymousText, Opening, Supply
from mixnet.client.messenger.allowed import ALLOWED, Peer
from mixnet.crypto import SigningKey
from tests.client.worlds.agreement import check_agreement
from tests.client.worlds.bodies import TYPES, Hostile
from tests.client.worlds.channel import Channel
from tests.client.worlds.stage import Frozen

EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "15"))
READER, WRITER, FRIEND = "alice", "bob", "carol"


class Letters(Frozen, Channel):
    """Bob writes to Alice without a name; she has a friend, too."""

    def __init__(self, tmp):
        super().__init__(tmp, seed=5, names=(READER, WRITER, FRIEND))
        self.introduce(READER, FRIEND)
        address = self[READER].messenger.anonymous.create_address(self.now).text
        self[WRITER].messenger.send_anonymous(address, "hello", self.now)
        assert self.run(120, lambda: "hello" in self[READER].inbox())
        self.run(60)
        self.surbs, self.under_way = dict(self._surbs), list(self._queue)
        self.freeze()

    def again(self, *names):
        super().again(*names)
        self._surbs, self._queue = dict(self.surbs), list(self.under_way)

    def say(self, sender: str, raw: bytes) -> None:
        core = self[sender].messenger._core
        (contact,) = core.anonymous
        if contact in core.routes:
            with core.change():
                core.routes[contact].post(Parcel(0, raw, None, False, 0, self.now + 1e5))
        self.run(10)
        for name in (READER, WRITER):
            check_agreement(self[name].messenger)

    def hostile(self, sender: str, rng: random.Random) -> Hostile:
        store = self[sender].store
        known = [bytes(32), *(bytes(row[0]) for row in store.all("SELECT incoming FROM sessions"))]
        return Hostile(rng, known, [0, 1], SigningKey.generate(), known[0])


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    return Letters(tmp_path_factory.mktemp("letters"))


@settings(max_examples=EXAMPLES)
@given(
    st.sampled_from((READER, WRITER)),
    st.lists(st.sampled_from((*(AnonymousText, Opening, Supply) * 5, *TYPES)), min_size=1, max_size=4),
    st.booleans(),
    st.integers(0, 1 << 32),
)
def test_no_sequence_of_bodies_stops_either_side(letters, sender, types, restarts, seed):
    letters.again()
    hostile = letters.hostile(sender, random.Random(seed))
    for type_ in types:
        letters.say(sender, hostile.body(type_))
        if restarts:
            letters.reopen(READER)
            letters.reopen(WRITER)
    for name in (READER, WRITER):
        letters[name].messenger.anonymous.correspondents(), letters[name].messenger.messages()
        assert letters[name].messenger.faults == 0
    letters[FRIEND].messenger.send_text(READER, "still here", letters.now)
    assert letters.run(120, lambda: "still here" in letters[READER].inbox())


@pytest.mark.parametrize(("sender", "peer"), [(WRITER, Peer.STRANGER), (READER, Peer.OWNER)])
def test_what_a_side_may_not_say_is_neither_filed_nor_answered(letters, sender, peer):
    letters.again()
    hostile = letters.hostile(sender, random.Random(3))
    other = letters[READER if sender == WRITER else WRITER]
    before = other.store.all("SELECT * FROM messages"), other.store.all("SELECT * FROM contacts")
    refused = other.refused
    forbidden = [one for one in TYPES if peer not in ALLOWED[one]]
    said = 0
    for type_ in forbidden:
        raw = hostile.body(type_)
        if len(raw) < 1000:  # an answer has few blocks
            letters.say(sender, raw)
            said += 1
    assert said > 5 and other.refused > refused
    assert (other.store.all("SELECT * FROM messages"), other.store.all("SELECT * FROM contacts")) == before


def test_what_new_reply_blocks_expire_at_is_known_at_once(letters):
    """Blocks of this epoch that come when there are only later ones."""
    letters.again()
    store, core = letters[READER].store, letters[READER].messenger._core
    with core.change():
        store.run("DELETE FROM anonymous_blocks WHERE expires = (SELECT min(expires) FROM anonymous_blocks)")
        core.find_next_expiry()
    later = core.next_expiry
    letters[WRITER].store.run("DELETE FROM anonymous_given")
    letters[WRITER].store.run("UPDATE anonymous SET supply = 0")
    assert letters.run(120, lambda: core.next_expiry < later)
    check_agreement(letters[READER].messenger)
