"""T1, spoofing: an impostor node, client, authority or contact is refused."""

from operator import attrgetter

import msgspec
import pytest
import trio

from mixnet.benchmarks.simulation.world import WorldConfig, run_world
from mixnet.client.e2e.safety_number import safety_number
from mixnet.client.model.views import ContactState
from mixnet.errors import RemoteError
from mixnet.link import Role, WrongPeer, connect, serve_links
from mixnet.network import Address
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap, Successor
from mixnet.pki.document import verify_untrusted
from mixnet.pki.errors import Expired, Forged, MinoritySigned, NotYetValid, RolledBack, WrongNetwork
from mixnet.pki.trust import NoIntroduction, Trust
from mixnet.randomness import SeededSource
from mixnet.simulated import SimulatedNetwork
from tests.directory.authority_world import AuthorityWorld, two_faced
from tests.mixnet.pki.builders import Town
from tests.threats.evidence import AUTHORITIES, BOOTSTRAP, EPOCHS, GENESIS, document, signed, signing_key

NODE, STRANGER = signing_key("node"), signing_key("stranger")
HERE = Address("node-1", 4000)
public = attrgetter("public")


async def dial(*, server, expected):
    """The identity that a dialler who expects `expected` finds at an address where `server` listens."""
    network, seen = SimulatedNetwork(SeededSource(1)), []

    async def handler(link):
        seen.append(link.peer.identity)
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:

        async def serve(task_status=trio.TASK_STATUS_IGNORED):
            await serve_links(
                network,
                HERE,
                handler,
                identity=server,
                role=Role.NODE,
                network_id=BOOTSTRAP.network_id,
                admit=lambda _identity, _role: True,
                task_status=task_status,
            )

        await nursery.start(serve)
        try:
            link = await connect(
                network,
                HERE,
                identity=signing_key("dialler"),
                role=Role.NODE,
                network_id=BOOTSTRAP.network_id,
                expect=expected,
            )
            found = link.peer.identity
            await link.aclose()
        except WrongPeer:
            found = None
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    return found, seen


async def test_an_impostor_node_is_refused_and_learns_nobody(autojump_clock):
    assert await dial(server=STRANGER, expected=NODE.public) == (None, [])


async def test_the_node_itself_is_not(autojump_clock):
    """Control: the same dialler, the right key."""
    assert await dial(server=NODE, expected=NODE.public) == (NODE.public, [signing_key("dialler").public])


IMPOSTORS = [signing_key("impostor", number) for number in range(3)]
OTHER = Bootstrap(GENESIS, BOOTSTRAP.epoch_length, BOOTSTRAP.authorities[:2])


def of_strangers():
    """A document that impostors signed in the names of the authorities."""
    text = document()
    names = [authority.public for authority in AUTHORITIES]
    return text.encode({name: text.signature(key) for name, key in zip(names, IMPOSTORS, strict=True)})


@pytest.mark.parametrize(
    ("raw", "when", "newest", "refusal"),
    [
        (of_strangers(), 1, -1, Forged),
        (signed(document(), IMPOSTORS), 1, -1, Forged),
        (signed(document(), AUTHORITIES[:1]), 1, -1, MinoritySigned),
        (signed(document(), []), 1, -1, MinoritySigned),
        (signed(document(bootstrap=OTHER), AUTHORITIES[:2]), 1, -1, WrongNetwork),
        (signed(document()), EPOCHS.length * 3, -1, Expired),
        (signed(document(epoch=5)), 1, -1, NotYetValid),
        (signed(document()), EPOCHS.length * 1.5, 1, RolledBack),
    ],
    ids=["impostors", "other signers", "minority", "unsigned", "other network", "stale", "early", "rolled back"],
)
def test_an_impostor_authority_is_refused(raw, when, newest, refusal):
    with pytest.raises(refusal):
        verify_untrusted(raw, BOOTSTRAP, GENESIS + when, newest)


def test_the_authorities_are_not():
    """Control: a majority of the real ones is believed."""
    assert verify_untrusted(signed(document(), AUTHORITIES[1:]), BOOTSTRAP, GENESIS + 1) == document()


IMPOSTORS = [signing_key("impostor authority", number) for number in range(3)]
OTHERS = Successor(3, tuple(AuthorityInfo(key.public, "10.66.0.1:1") for key in sorted(IMPOSTORS, key=public)))


def introducing(**changes):
    """A document for epoch 1 by which others take over in epoch 3."""
    return msgspec.structs.replace(document(epoch=1), successor=OTHERS, **changes)


@pytest.mark.parametrize(
    ("raw", "newest", "refusal"),
    [
        (signed(introducing(), IMPOSTORS), -1, Forged),
        (signed(introducing(authorities=tuple(sorted(map(public, IMPOSTORS)))), IMPOSTORS), -1, WrongNetwork),
        (signed(introducing(), AUTHORITIES[:1]), -1, MinoritySigned),
        (signed(introducing(), [AUTHORITIES[0], *IMPOSTORS]), -1, Forged),
        (signed(introducing(network_id=b"x" * 32)), -1, WrongNetwork),
        (signed(introducing()), 3, RolledBack),
        (signed(document(epoch=1)), -1, NoIntroduction),
    ],
    ids=["impostors", "other signers", "minority", "one and impostors", "other network", "past", "introduces nobody"],
)
def test_impostors_who_say_that_they_succeed_the_authorities_are_refused(raw, newest, refusal):
    trust = Trust(BOOTSTRAP)
    with pytest.raises(refusal):
        trust.follow_untrusted(raw, newest)
    assert trust.sets == (BOOTSTRAP,)


def test_those_whom_a_majority_introduces_are_not_and_then_its_keys_are_worth_nothing():
    """Control; and whoever steals the old keys afterwards is an impostor himself."""
    trust = Trust(BOOTSTRAP)
    assert trust.follow_untrusted(signed(introducing(), AUTHORITIES[1:]))
    for epoch in (3, 4, 1000):
        with pytest.raises(WrongNetwork):
            verify_untrusted(signed(document(epoch=epoch)), trust, EPOCHS.start(epoch))
    assert verify_untrusted(signed(document(epoch=2)), trust, EPOCHS.start(2)).epoch == 2


def test_no_signature_covers_another_document():
    original, wider = document(), document(providers=3)
    signatures = {key.public: original.signature(key) for key in AUTHORITIES}
    with pytest.raises(RemoteError):
        verify_untrusted(wider.encode(signatures), BOOTSTRAP, GENESIS + 1)


def test_a_contact_in_the_middle_shows_in_the_safety_number():
    """Alice and Bob compare numbers; Mallory, who passed herself off as each to the other, can't make them agree."""
    alice, bob, mallory = (signing_key(name).public for name in ("alice", "bob", "mallory"))
    assert safety_number(alice, bob) == safety_number(bob, alice)
    assert safety_number(alice, mallory) != safety_number(bob, mallory)


def test_an_invitation_makes_one_contact_only():
    """Mallory has got hold of a copy: who comes second is refused, and the numbers of the first two agree."""
    outcome = {}

    async def program(world):
        alice, bob, mallory = world.clients
        invitation = await alice.invite()
        await bob.accept(invitation, "alice")
        await bob.wait_established("alice")
        await mallory.accept(invitation, "alice")
        await trio.sleep(120)
        outcome["alice"] = {contact.name: contact.safety_number for contact in await alice.contacts()}
        outcome["bob"] = (await bob.contacts())[0].safety_number
        (duped,) = await mallory.contacts()
        outcome["mallory"] = duped.state
        await mallory.send("alice", "it's me, bob")
        await bob.send("alice", "it's really me")
        await trio.sleep(120)
        outcome["received"] = [(message.contact, message.text) for message in await world.inbox(0)]

    run_world(program, WorldConfig(seed=12, clients=3, codec="plain"))
    assert outcome["alice"] == {"client-2": outcome["bob"]}
    assert outcome["mallory"] == ContactState.PENDING
    assert outcome["received"] == [("client-2", "it's really me")]  # and this is the control: bob's did arrive


# A false authority: it tells each of the others another vote.


@pytest.mark.parametrize("false", [False, True], ids=["control", "equivocator"])
async def test_an_authority_that_splits_the_view_is_named_and_splits_nobody(autojump_clock, nursery, false):
    """Distinct views that readers accept for one epoch: one. The control names nobody."""
    town = Town(5, mixes=3, providers=1)
    world = AuthorityWorld(town, nursery)
    for number in range(2):
        await world.start(number, alter=two_faced(town, number) if false else None)
    await world.start(2, 3, 4)
    world.enter(*town.nodes)
    await world.fetch_when_ready()
    await trio.sleep(60)
    shown = {(await world.fetch_from(number))[0].digest for number in range(2, 5)}
    assert len(shown) == 1
    named = {key.public.hex()[:16] for key in town.authorities[:2]} if false else set()
    assert all(set(world.authorities[number].snapshot()["suspects"]) == named for number in range(2, 5))
