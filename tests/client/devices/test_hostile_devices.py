"""Whatever a device of the user says, as one that was stolen may: it is refused or done, and the others go on."""

import os
import random
import typing

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.client.devices import bodies
from mixnet.client.e2e.bodies import DevicePiece, encode
from mixnet.crypto import SigningKey
from tests.client.worlds.bodies import TYPES, Hostile
from tests.client.worlds.devices import HOME, PHONE, Family
from tests.client.worlds.stage import Frozen

EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "30"))
MESSAGES = typing.get_args(bodies.Message)


class House(Frozen, Family):
    def __init__(self, tmp):
        super().__init__(tmp, seed=5, satellites=(PHONE,))
        self.meet()
        self.link(PHONE)
        self.user(PHONE).groups.create("club", self.now)
        self.user(PHONE).send_text("bob", "hi", self.now)
        assert self.run(300, self.calm)
        self.freeze()

    def hostile(self, rng: random.Random) -> Hostile:
        known, numbers = [bytes(32)], {0, 1}
        for name in (HOME, PHONE):
            store = self[name].store
            known += [bytes(row[0]) for row in store.all("SELECT identity FROM contacts")]
            numbers |= {row[0] for row in store.all("SELECT id FROM messages")}
        return Hostile(rng, known, sorted(numbers), SigningKey.generate(), known[-1])

    def pieces(self, hostile: Hostile, type_: type) -> list[bytes]:
        """A message, or another body that is none of ours."""
        if type_ in TYPES:
            return [hostile.body(type_)]
        raw = msgspec.msgpack.encode(hostile.struct(type_))[: 3 * bodies.PIECE_SIZE]
        parts = [raw[at : at + bodies.PIECE_SIZE] for at in range(0, len(raw), bodies.PIECE_SIZE)]
        return [encode(DevicePiece(0, len(parts) - 1 - place, part)) for place, part in enumerate(parts)]

    def check(self, victim: str) -> None:
        """It goes on after a restart; the home still talks with its contacts."""
        for _ in range(2):
            devices, messenger = self[victim].devices, self[victim].messenger
            for _ in range(6):
                self.now += 30.0
                outgoing = messenger.next_outgoing(self.now)
                if outgoing is not None:
                    messenger.transmitted(outgoing, self.now, 0.1)
                messenger.wake_at()
            user = devices.user
            devices.all(), user.contacts(), user.messages(), user.groups.list(), messenger.take_events()
            self.reopen(victim)
        self["bob"].messenger.send_text(self["bob"].messenger.contacts()[0].name, "still here", self.now)
        known = self[HOME].messenger._core.contacts.known(self["bob"].messenger._core.identity_public)
        if known.blocked:  # which a satellite may do
            return
        for _ in range(20):
            self.pump("bob", HOME, 30)
            if "still here" in self[HOME].inbox():
                break
            self.now += 30.0
        assert "still here" in self[HOME].inbox()


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    return House(tmp_path_factory.mktemp("house"))


@settings(max_examples=EXAMPLES)
@given(
    st.sampled_from(((PHONE, HOME), (HOME, PHONE))),
    st.lists(st.sampled_from((*(MESSAGES * 6), *TYPES)), min_size=1, max_size=5),
    st.booleans(),
    st.integers(0, 1 << 32),
)
def test_no_sequence_of_a_device_s_bodies_stops_another(house, way, types, restarts, seed):
    house.again()
    (sender, victim), hostile = way, house.hostile(random.Random(seed))
    contact = house[sender].messenger._core.device_table.all()[0].contact
    for type_ in types:
        house.say_in(sender, victim, contact, house.pieces(hostile, type_))
        if restarts:
            house.reopen(victim)
    house.check(victim)
