"""Layers are balanced and stable; routes are uniform; keys are those of the time of arrival."""

from __future__ import annotations

import collections
import itertools
import random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.clock import Epochs
from mixnet.errors import LocalError
from mixnet.pki.errors import NoKey
from mixnet.pki.topology import (
    assign_layers,
    hop_keys,
    microseconds,
    sample_delays,
    sample_provider,
    sample_route,
)
from tests.mixnet.pki.builders import START, Town, key

IDENTITIES = [key(f"node {n}").public for n in range(40)]
subsets = st.sets(st.sampled_from(IDENTITIES))
randomness = st.binary(min_size=32, max_size=32)
layer_counts = st.integers(1, 3)


def places(layers: tuple[tuple[bytes, ...], ...]) -> dict[bytes, int]:
    return {identity: place for place, layer in enumerate(layers) for identity in layer}


def sizes(layers: tuple[tuple[bytes, ...], ...]) -> list[int]:
    return [len(layer) for layer in layers]


@given(identities=subsets, shared=randomness, count=layer_counts, order=st.randoms(use_true_random=False))
def test_layers_are_balanced_and_follow_from_the_set_alone(
    identities: set[bytes], shared: bytes, count: int, order: random.Random
) -> None:
    layers = assign_layers(identities, shared, count)
    assert sorted(itertools.chain(*layers)) == sorted(identities)
    assert max(sizes(layers)) - min(sizes(layers)) <= 1
    assert all(list(layer) == sorted(layer) for layer in layers)
    shuffled = list(identities)
    order.shuffle(shuffled)
    assert assign_layers(shuffled, shared, count) == layers


@given(before=subsets, after=subsets, first=randomness, second=randomness, count=layer_counts)
def test_only_what_must_move_moves(
    before: set[bytes], after: set[bytes], first: bytes, second: bytes, count: int
) -> None:
    old = places(assign_layers(before, first, count))
    layers = assign_layers(after, second, count, old)
    assert max(sizes(layers)) - min(sizes(layers)) <= 1
    moved = sum(old[identity] != place for identity, place in places(layers).items() if identity in old)
    stayed = [sum(old.get(identity) == place for identity in after) for place in range(count)]
    base, extra = divmod(len(after), count)
    fewest = min(
        sum(max(here - base - (place in larger), 0) for place, here in enumerate(stayed))
        for larger in itertools.combinations(range(count), extra)
    )
    assert moved == fewest


@given(
    before=subsets, changes=st.lists(st.sampled_from(IDENTITIES), max_size=20), shared=randomness, count=layer_counts
)
def test_each_node_that_comes_or_goes_moves_one_other_at_most(
    before: set[bytes], changes: list[bytes], shared: bytes, count: int
) -> None:
    """Over many epochs, each with randomness of its own."""
    present, layers = set(before), assign_layers(before, shared, count)
    for number, node in enumerate(changes):
        present ^= {node}
        old = places(layers)
        layers = assign_layers(present, bytes([number]) * 32, count, old)
        moved = [one for one, place in places(layers).items() if one in old and old[one] != place]
        assert len(moved) <= 1


def test_nothing_moves_when_nothing_changes() -> None:
    layers = assign_layers(IDENTITIES, bytes(32), 3)
    assert assign_layers(IDENTITIES, b"\1" * 32, 3, places(layers)) == layers


def test_the_randomness_decides() -> None:
    drawn = {assign_layers(IDENTITIES[:6], bytes([n]) * 32, 3) for n in range(50)}
    assert len(drawn) > 30


def test_a_layer_that_was_given_up_is_left() -> None:
    old = places(assign_layers(IDENTITIES, bytes(32), 3))
    layers = assign_layers(IDENTITIES, bytes(32), 2, old)
    assert sizes(layers) == [20, 20]


TOWN = Town(mixes=9, providers=3)
DOCUMENT = TOWN.document()
ENTRY, EXIT = DOCUMENT.providers[0].identity, DOCUMENT.providers[1].identity


def test_a_route_goes_through_every_layer_in_order() -> None:
    route = sample_route(DOCUMENT, random.Random(1), ENTRY, EXIT)
    assert [DOCUMENT.layer_of(node.identity) for node in route] == [None, 0, 1, 2, None]
    assert (route[0].identity, route[-1].identity) == (ENTRY, EXIT)


def test_the_ends_of_a_route_are_providers() -> None:
    mix = DOCUMENT.layers[0][0].identity
    for entry, last in ((mix, EXIT), (ENTRY, mix), (ENTRY, bytes(32))):
        with pytest.raises(LocalError):
            sample_route(DOCUMENT, random.Random(1), entry, last)


def test_routes_are_uniform_by_chi_square() -> None:
    """27 routes, 54,000 samples: the statistic has 26 degrees of freedom, above 54.1 once in a thousand seeds."""
    rng = random.Random(2)
    samples = 54_000
    routes = collections.Counter(
        tuple(node.identity for node in sample_route(DOCUMENT, rng, ENTRY, EXIT)[1:-1]) for _ in range(samples)
    )
    possible = list(itertools.product(*([node.identity for node in layer] for layer in DOCUMENT.layers)))
    assert len(possible) == 27
    expected = samples / len(possible)
    assert sum((routes[route] - expected) ** 2 / expected for route in possible) < 54.1


def test_providers_for_cover_are_uniform_by_chi_square() -> None:
    rng = random.Random(3)
    drawn = collections.Counter(sample_provider(DOCUMENT, rng).identity for _ in range(3_000))
    assert sum((drawn[one.identity] - 1000) ** 2 / 1000 for one in DOCUMENT.providers) < 13.8


def test_delays_are_exponential_in_whole_microseconds() -> None:
    delays = sample_delays(random.Random(4), 0.5, 20_000)
    assert mean(delays) == pytest.approx(0.5, rel=0.03)
    assert mean(delay > 0.5 for delay in delays) == pytest.approx(0.368, abs=0.02)
    assert mean(delay > 1.0 for delay in delays) == pytest.approx(0.135, abs=0.02)
    assert all(delay == microseconds(delay) / 1e6 for delay in delays)


def test_delays_stay_within_the_routing_command() -> None:
    delays = sample_delays(random.Random(5), 3000.0, 1000)
    assert max(delays) == (2**32 - 1) / 1e6
    assert max(microseconds(delay) for delay in delays) == 2**32 - 1
    assert sample_delays(random.Random(5), 0.0, 3) == (0.0, 0.0, 0.0)


EPOCHS = Epochs(START, 1200.0)


def expected_keys(epochs: tuple[int, ...]) -> tuple[bytes, ...]:
    route = sample_route(DOCUMENT, random.Random(6), ENTRY, EXIT)
    return tuple(node.key_at(epoch) for node, epoch in zip(route, epochs, strict=True))


@pytest.mark.parametrize(
    ("now", "delays", "epochs"),
    [
        (START, (0.1, 0.1, 0.1, 0.1), (0, 0, 0, 0, 0)),
        (START + 1199.0, (2.0, 0.1, 0.1, 0.1), (0, 1, 1, 1, 1)),
        (START + 1199.0, (0.1, 0.1, 0.1, 2.0), (0, 0, 0, 0, 1)),
        (START + 1199.98, (0.0, 0.0, 0.0, 0.0), (1, 1, 1, 1, 1)),
        (START + 1100.0, (50.0, 60.0, 1200.0, 0.0), (0, 0, 1, 2, 2)),
        (START - 30.0, (0.1, 0.1, 0.1, 0.1), (0, 0, 0, 0, 0)),
    ],
)
def test_each_hop_gets_the_key_of_its_arrival(now: float, delays: tuple[float, ...], epochs: tuple[int, ...]) -> None:
    route = sample_route(DOCUMENT, random.Random(6), ENTRY, EXIT)
    assert hop_keys(DOCUMENT, EPOCHS, route, delays, now) == expected_keys(epochs)


def test_a_document_that_is_too_old_has_no_key() -> None:
    route = sample_route(DOCUMENT, random.Random(6), ENTRY, EXIT)
    with pytest.raises(NoKey):
        hop_keys(DOCUMENT, EPOCHS, route, (0.1,) * 4, START + 3 * 1200.0)
