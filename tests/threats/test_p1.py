"""P1, identifiability: who sent a packet hides in a set, so routes and cover must favour nobody.

Here: routes are uniform in every layer and independent between layers, and drops go to every provider alike.
"""

import itertools
import random

from client.outgoing import Destination
from client.routes import Map
from mixnet.pki.topology import assign_layers, sample_route
from tests.threats.evidence import EPOCHS, GENESIS, chi_square, document, signing_key

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
