"""P1, identifiability: who sent a packet hides in a set, so routes and cover must favour nobody.

Here: routes are uniform in every layer and independent between layers, drops go to every provider alike, and no
minority of the authorities can show anybody a network of his own.
"""

import itertools
import random
from contextlib import suppress

import msgspec

from mixnet.client.model.destination import Destination
from mixnet.client.traffic.routes import Map
from mixnet.errors import RemoteError
from mixnet.pki.bootstrap import AuthorityInfo, Successor
from mixnet.pki.fetch import accept_untrusted
from mixnet.pki.topology import assign_layers, sample_route
from mixnet.pki.trust import Trust
from mixnet.pki.views import Views
from tests.threats.evidence import AUTHORITIES, BOOTSTRAP, EPOCHS, GENESIS, chi_square, document, signed, signing_key

LIMIT = 5  # standard deviations: by chance about one run in a million, and these runs have seeds
SAMPLES = 20_000
NETWORK = Map(document(), EPOCHS)
ENTRY = NETWORK.document.providers[0].identity
BOB = Destination(NETWORK.document.providers[1].identity, bytes(32), bytes(32))


def mixes_of(route):
    """The identities of the three mixes that a client's route goes through."""
    return tuple(hop.command.target for hop in route.hops[:3])


def every_path():
    return list(itertools.product(*([mix.identity for mix in layer] for layer in NETWORK.document.layers)))


def test_routes_of_messages_loops_and_replies_are_uniform():
    rng = random.Random(1)
    messages = [mixes_of(NETWORK.deliver(rng, ENTRY, BOB, GENESIS)) for _ in range(SAMPLES)]
    replies = [mixes_of(NETWORK.reply(rng, ENTRY, BOB, bytes(32), GENESIS)) for _ in range(SAMPLES)]
    drops = [mixes_of(NETWORK.drop(rng, ENTRY, GENESIS)) for _ in range(SAMPLES)]
    assert len(every_path()) == 27
    for routes in (messages, replies, drops):
        assert chi_square(routes, every_path()) < LIMIT


def test_a_preferred_mix_would_show():
    """Control: a sampler that takes one mix of a layer a quarter more often than the others."""
    rng = random.Random(2)
    favourite = NETWORK.document.layers[1][0].identity
    routes = []
    while len(routes) < SAMPLES:
        route = tuple(mix.identity for mix in sample_route(NETWORK.document, rng, ENTRY, ENTRY)[1:-1])
        if favourite in route or rng.random() < 0.8:
            routes.append(route)
    assert chi_square(routes, every_path()) > LIMIT


def test_dependent_layers_would_show():
    """Control: each layer uniform by itself, but the third follows from the first."""
    rng = random.Random(3)
    first, second, third = NETWORK.document.layers
    routes = []
    for _ in range(SAMPLES):
        index = rng.randrange(3)
        routes.append((first[index].identity, rng.choice(second).identity, third[index].identity))
    assert chi_square(routes, every_path()) > LIMIT


def test_drops_go_to_every_provider_alike():
    rng = random.Random(4)
    wide = Map(document(providers=5), EPOCHS)
    exits = [wide.drop(rng, ENTRY, GENESIS).hops[3].command.target for _ in range(SAMPLES)]
    assert chi_square(exits, [provider.identity for provider in wide.document.providers]) < LIMIT


def test_nobody_can_choose_a_node_its_layer():
    """Layers follow from randomness that nobody knew before: over many rounds each node is everywhere alike."""
    identities = [signing_key("mix", number).public for number in range(9)]
    rng = random.Random(5)
    layers = []
    for _ in range(3000):
        assigned = assign_layers(identities, rng.randbytes(32), 3)
        layers.append(next(index for index, layer in enumerate(assigned) if identities[0] in layer))
    assert chi_square(layers, range(3)) < LIMIT


READERS = 20


def readers_views(liars):
    """(views accepted beside the honest one, proofs) of readers to each of whom `liars` show a document of his own."""
    honest = document()
    seen, proofs = set(), 0
    for number in range(READERS):
        own = msgspec.structs.replace(honest, randomness=bytes([number + 1]) * 32)
        views = Views(BOOTSTRAP)
        for raw in (signed(own, liars), signed(honest)):
            try:
                seen.add(accept_untrusted(raw, BOOTSTRAP, GENESIS, views=views).digest)
            except RemoteError:
                continue
        proofs += len(views.evidence)
    return len(seen - {honest.digest}), proofs


def test_a_minority_of_authorities_shows_nobody_a_network_of_his_own():
    assert readers_views(AUTHORITIES[:1]) == (0, 0)


def test_a_majority_could_and_whoever_then_sees_the_others_document_can_prove_it():
    """Control: it takes as many liars as must sign."""
    assert readers_views(AUTHORITIES[:2]) == (READERS, READERS)


def readers_successions(liars):
    """(sets followed beside the honest one, readers that can prove it) if `liars` introduce a set to each of their own.

    The honest introduction, for all alike, comes second.
    """
    seen, proofs = set(), 0

    def introducing(number):
        info = AuthorityInfo(signing_key("successor", number).public, f"10.0.0.{number + 1}:1")
        return msgspec.structs.replace(document(epoch=1), successor=Successor(3, (info,)))

    honest = introducing(READERS)
    for number in range(READERS):
        trust = Trust(BOOTSTRAP)
        for raw in (signed(introducing(number), liars), signed(honest)):
            with suppress(RemoteError):
                trust.follow_untrusted(raw)
        seen.add(trust.newest.successor)
        proofs += trust.contradicted(honest) is not None
    return len(seen - {honest.successor}), proofs


def test_a_minority_of_authorities_introduces_nobody_to_successors_of_his_own():
    assert readers_successions(AUTHORITIES[:1]) == (0, 0)


def test_a_majority_could_and_who_then_sees_the_others_introduction_can_prove_it():
    """Control: the first introduction counts."""
    assert readers_successions(AUTHORITIES[:2]) == (READERS, READERS)
